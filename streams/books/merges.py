"""Which calls are merged into which: by what was told of each, and by which calls there are."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import NamedTuple

from streams.said import Merged, Reopened, Said


class Told(NamedTuple):
    """The calls that a call was told to be merged into. `stands`: without those undone since, the last first."""

    stands: tuple[str, ...] = ()
    ever: tuple[str, ...] = ()


NOTHING = Told()


def told_in(id: str, holding: Iterable[Said]) -> Told:
    """What the statements of a call that hold tell, in the order of the walk; into itself is not told."""
    stands: list[str] = []
    ever: dict[str, None] = {}
    for said in holding:
        if type(said) is Reopened:
            stands.clear()
        elif type(said) is Merged and said.into != id:
            stands.insert(0, said.into)
            ever[said.into] = None
    return Told(tuple(stands), tuple(ever)) if ever else NOTHING


class Merges:
    """All merges of a program. Source: the contract, section 3, *Merged*; docs/meaning.md."""

    def __init__(self, known: Callable[[str], bool]) -> None:
        """None. `known`: whether there is a call of which a statement holds; where that changes of one that is concerned, `tell`
        is called for it.
        """
        self._known = known
        self._into: dict[str, str | None] = {}  # answers, until something else is told
        self._final: dict[str, str] = {}
        self._merged: dict[str, list[str]] = {}
        self._told: dict[str, Told] = {}
        self._sources: defaultdict[str, set[str]] = defaultdict(
            set
        )  # call -> those that were ever told to be merged into it

    def concerns(self, id: str) -> bool:
        """Whether the call was told to be merged, or another into it."""
        return bool(self._told) and (id in self._told or id in self._sources)

    def tell(self, id: str, told: Told) -> None:
        """What is told of a call now."""
        self._into.clear()
        self._final.clear()
        self._merged.clear()
        before = self._told.pop(id, NOTHING)
        for into in before.ever:
            self._sources[into].discard(id)
            if not self._sources[into]:
                del self._sources[into]
        for into in told.ever:
            self._sources[into].add(id)
        if told.ever:
            self._told[id] = told

    def into(self, id: str) -> str | None:
        """The call that a call is merged into; None: into none, or in a circle."""
        walked: dict[str, str | None] = {}
        after: str | None = id
        while after is not None and after not in walked and after not in self._into:
            into = walked[after] = self._first(after)
            after = into
        in_circle = False
        for each, into in walked.items():  # where the walk came back to one of its own, the circle begins
            in_circle = in_circle or each == after
            self._into[each] = None if in_circle else into
        return self._into[id]

    def final(self, id: str) -> str:
        """The call for which a call counts: itself, or the last of the chain."""
        if not self._told:
            return id
        passed = []
        final = id
        while (known := self._final.get(final)) is None and (into := self.into(final)) is not None:
            passed.append(final)
            final = into
        final = known or final
        self._final.update(dict.fromkeys(passed, final))
        return final

    def family(self, id: str) -> set[str]:
        """All calls that may count for one another by what was ever told, this one included."""
        found: set[str] = set()
        left = [id]
        while left:
            if (each := left.pop()) not in found:
                found.add(each)
                left += self._told.get(each, NOTHING).ever
                left += self._sources.get(each, ())
        return found

    def merged_into(self, id: str) -> list[str]:
        """The other calls that count for a call; none, if it does not count for itself."""
        if id not in self._merged:
            family = self.family(id)
            self._merged.update((each, []) for each in family)
            for each in family:
                if (final := self.final(each)) != each:
                    self._merged[final].append(each)
        return self._merged[id]

    def merged(self) -> Iterable[str]:
        """Calls that were told to be merged, and those into which others were."""
        return {*self._told, *self._sources}

    def _first(self, id: str) -> str | None:
        return next((into for into in self._told.get(id, NOTHING).stands if self._known(into)), None)
