"""Which calls are merged into which."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tests.second.names import MOVES_WITH_MERGE
from tests.second.statements import Said


@dataclass(frozen=True)
class Merges:
    """`into`: call -> the call it is merged into, directly. `passed_over`: merge statements that hide nothing; `problems`:
    those of them that are a data problem.
    """

    into: dict[str, str]
    passed_over: frozenset[Said]
    problems: frozenset[Said]

    def counts_for(self, call: str) -> str:
        """The call that what was done on this one counts for: the last of the chain."""
        while call in self.into:
            call = self.into[call]
        return call


def merges(calls: Mapping[str, Sequence[Said]]) -> Merges:
    into: dict[str, str] = {}
    standing: dict[str, list[Said]] = {}
    passed_over: set[Said] = set()
    problems: set[Said] = set()
    for call, walk in calls.items():
        stands: list[Said] = []
        for index, said in enumerate(walk):
            if said.type != "call_merged":
                continue
            undone = any(later.type == "call_reopened" for later in walk[index:])
            itself = said.told["into"] == call
            if itself or said.told["into"] not in calls:
                passed_over.add(said)
                if itself or not undone:
                    problems.add(said)
            elif not undone:
                stands.append(said)
        if stands:
            into[call], standing[call] = stands[-1].told["into"], stands
    for call in [call for call in into if _in_circle(call, into)]:
        passed_over.update(standing[call])
        problems.update(standing[call])
    for call in standing:
        if standing[call][-1] in passed_over:
            del into[call]
    return Merges(into, frozenset(passed_over), frozenset(problems))


def _in_circle(call: str, into: Mapping[str, str]) -> bool:
    seen = [call]
    while seen[-1] in into:
        after = into[seen[-1]]
        if after == call:
            return True
        if after in seen:
            return False
        seen.append(after)
    return False


def walks(calls: Mapping[str, Sequence[Said]], found: Merges) -> dict[str, list[Said]]:
    """The walk of each call, with what counts for it of the calls that are merged into it."""
    result: dict[str, list[Said]] = {call: [] for call in calls}
    for call, walk in calls.items():
        for said in walk:
            home = found.counts_for(call) if said.type in MOVES_WITH_MERGE else call
            result[home].append(said)
    return {call: sorted(walk, key=Said.place) for call, walk in result.items()}
