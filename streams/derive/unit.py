"""What a unit is: the statuses that hold made into spans, each with when it began and when it ended.

Source: the contract, section 3 (*Unit*), and docs/meaning.md (*Units*). All times are microseconds.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from operator import attrgetter
from typing import Final, NamedTuple

from streams.clock import NEVER, Micros
from streams.entries import Fact, Span
from streams.events import UnitStatusCode
from streams.programs import OTHER
from streams.rules import Rules
from streams.said import Status

#: When the work of the unit ends that it does at a time on the call that it had reached by then; the time itself: there is
#: none; NEVER: it works there still.
Leaves = Callable[[Micros], Micros]

#: Of so many statuses the last before a change is looked for one by one.
_FEW: Final = 8
_at = attrgetter("at")
_begins = attrgetter("begins")


class Redone(NamedTuple):
    """The spans that a change took away, and those that stand in their place; both without a gap."""

    before: list[Span]
    after: list[Span]


class _Begun(NamedTuple):
    """A status from when it holds."""

    begins: Micros
    status: UnitStatusCode
    team: str
    area: str


def derive_unit(said: Sequence[Status], rules: Rules, leaves: Leaves, area: str = OTHER) -> list[Span]:
    """The spans of a unit by the statuses of it that hold, in walk order (those of all its names together).

    `area`: label of the area last told before them, in statuses that are archived.
    """
    return _spans(list(_walk(said, 0, area, rules, leaves)), NEVER)


def rederive_unit(
    past: Sequence[Span],
    said: Sequence[Status],
    rules: Rules,
    leaves: Leaves,
    first: Micros,
    last: Micros,
    area: str = OTHER,
) -> Redone:
    """What `derive_unit` makes of `said` where it differs from `past`, at the cost of the statuses around the change.

    `first` and `last` are the earliest and latest time of what changed since `past` was derived: statuses that came or
    went, and `off_duty` statuses for which `leaves` has another answer. The program file is the same.
    """
    if first == last and len(said) > 1 and len(past):
        newest, told = past[-1], said[-1]
        if newest.begins < told.at == first and newest.begins == said[-2].at:
            return _next(newest, told, rules, leaves)  # mostly so
    since, old = _resume(past, said, leaves, first)
    begun: list[_Begun] = []
    upto = old
    for new in _walk(said, since, past[old].area if since else area, rules, leaves):
        while upto < len(past) and past[upto].begins < new.begins:
            upto += 1
        if new.begins > last and upto < len(past) and _is(new, past[upto]):
            break  # what follows was told later still, and the area is the same
        begun.append(new)
    else:
        upto = len(past)
    before = list(past[old:upto])
    after = _spans(begun, past[upto].begins if upto < len(past) else NEVER)
    same = 0
    while same < min(len(before), len(after)) and before[same] == after[same]:
        same += 1
    return Redone(before[same:], after[same:])


def unmapped(status: Status, rules: Rules) -> tuple[Fact, ...]:
    """A fact for each code of a status that the program file does not know, on the local day of the status."""
    facts: tuple[Fact, ...] = ()
    if not rules.knows("team", status.team):
        facts = (("unmapped", rules.day(status.at), "team", 1),)
    if status.area is not None and not rules.knows("area", status.area):
        facts += (("unmapped", rules.day(status.at), "area", 1),)
    return facts


def _next(last: Span, told: Status, rules: Rules, leaves: Leaves) -> Redone:
    """The same for a status after that of the last span."""
    area = last.area if told.area is None else rules.label("area", told.area)
    begins = told.at if told.status != "off_duty" else max(told.at, leaves(told.at))
    if begins == NEVER:
        return Redone([], [])
    ended = Span(last.begins, begins, last.status, last.team, last.area)
    return Redone([last], [ended, Span(begins, NEVER, told.status, rules.label("team", told.team), area)])


def _is(new: _Begun, old: Span) -> bool:
    return new.begins == old.begins and new[1:] == old[2:]


def _resume(past: Sequence[Span], said: Sequence[Status], leaves: Leaves, first: Micros) -> tuple[int, int]:
    """The last status before the change whose span begins as it did, and which span that is; 0, 0: from the start."""
    where = len(said)
    while where and said[where - 1].at >= first:  # mostly few
        where -= 1
        if len(said) - where == _FEW:
            where = bisect_left(said, first, 0, where, key=_at)
    for since in range(where - 1, -1, -1):
        if _steady(said, since, leaves):
            at = said[since].at
            if past[-1].begins == at:  # mostly so
                return since, len(past) - 1
            return since, bisect_left(past, at, key=_begins)
    return 0, 0


def _steady(said: Sequence[Status], where: int, leaves: Leaves) -> bool:
    """Whether the status holds for some time, and does so from when it was told."""
    status = said[where]
    if where + 1 < len(said) and said[where + 1].at == status.at:
        return False
    return status.status != "off_duty" or leaves(status.at) <= status.at


def _walk(said: Sequence[Status], since: int, area: str, rules: Rules, leaves: Leaves) -> Iterator[_Begun]:
    """Those statuses that hold for some time, from when they do."""
    following: Status | None = said[since] if since < len(said) else None
    while following is not None:
        status = following
        since += 1
        following = said[since] if since < len(said) else None
        if status.area is not None:
            area = rules.label("area", status.area)
        begins = status.at
        if status.status == "off_duty":
            begins = max(begins, leaves(begins))
        # a status of the same time is told later, one told before this begins takes its place
        if begins < (NEVER if following is None else following.at):
            yield _Begun(begins, status.status, rules.label("team", status.team), area)


def _spans(begun: list[_Begun], until: Micros) -> list[Span]:
    spans: list[Span] = []
    for where, (begins, status, team, area) in enumerate(begun):
        ends = begun[where + 1].begins if where + 1 < len(begun) else until
        spans.append(Span(begins, ends, status, team, area))
    return spans
