"""The responses of a unit on a call: its points cut into goings, and when its work of each ended.

Source: the contract, section 3, *A unit works on one call at a time*; docs/meaning.md, *Units on a call*.
"""

from __future__ import annotations

from typing import Final

from streams.clock import NEVER, Micros
from streams.derive.past import End, Past
from streams.derive.told import Point, Unit
from streams.entries import Ended, Response
from streams.programs import OTHER
from streams.rules import Rules
from streams.said import (
    AtDestination,
    Cancelled,
    Cleared,
    Contact,
    Dispatched,
    EnRoute,
    OnScene,
    Said,
    Staged,
    Transporting,
)

_SETS_OUT: Final = frozenset((Dispatched, EnRoute))
_LEAVES: Final = frozenset((Cleared, Cancelled))
#: With these the person was met or nearly so: the call is served.
_SERVES: Final = frozenset((OnScene, Contact, Transporting, AtDestination))
_REACHES: Final = _SERVES | {Staged}
_ENDS_REACHED_WORK: Final = frozenset(("elsewhere", "on_scene_elsewhere", "available"))
#: Spells count from 0: before all of them.
NO_SPELL: Final = -1


class Work:
    """A response as it is put together, point by point in the walk. `told` has the earliest point of each kind."""

    __slots__ = (
        "_left",
        "_waits",
        "begins",
        "destination",
        "ended",
        "ends",
        "last",
        "reached_in",
        "served_in",
        "shown_from",
        "spell",
        "team",
        "told",
        "unit",
    )

    def __init__(self, unit: Unit, team: str, first: Point, past: Past) -> None:
        """The response that begins with this point."""
        said, self.spell = first
        self.unit = unit
        self.team = team
        self.begins = self.last = self.shown_from = said.at
        #: A dispatch that was stacked shows nothing until the unit leaves where it is, or another point is told.
        self._waits = type(said) is Dispatched and past.stacked(unit.unit, said.at)
        if self._waits:
            self.shown_from = past.free_from(unit.unit, said.at)
        self.told: dict[type[Said], Point] = {}
        self._left: Ended | None = None  # as its last point says; None: that is no clear and no cancellation
        self.ends: Micros = NEVER
        self.ended: Ended = "works"
        self.reached_in = NO_SPELL  # the spell of its latest point that reaches the call
        self.served_in = NO_SPELL
        self.destination: str | None = None  # the last told

    def take(self, point: Point) -> None:
        """The next point of the walk; it resumes work that had ended."""
        said, spell = point
        kind = type(said)
        self.told.setdefault(kind, point)
        if kind in _REACHES:
            self.reached_in = spell
            if kind in _SERVES:
                self.served_in = spell
        if self._waits and kind is not Dispatched:
            self._waits = False
            self.shown_from = min(self.shown_from, said.at)
        if kind not in _LEAVES:
            self._left = None
        elif kind is Cleared or (self._left is None or said.at > self.last):  # at equal times it was cleared
            self._left = "cleared" if kind is Cleared else "cancelled"
        if isinstance(said, Transporting | AtDestination) and said.destination is not None:
            self.destination = said.destination
        self.last = said.at

    def ended_before(self, at: Micros, elsewhere: Elsewhere) -> bool:
        """Whether it ended after its last point and before `at`; if so, `ends` and `ended` say when and how."""
        if self._left is not None:
            self.ends, self.ended = self.last, self._left
            return True
        end = self._first_end(elsewhere)
        if end is None or end.at >= at:
            return False
        self.ends, self.ended = end
        return True

    def _first_end(self, elsewhere: Elsewhere) -> End | None:
        end = elsewhere.end(self.last, self.reached)
        if self._waits:
            while end is not None and self._comes_of_the_work_elsewhere(end):
                end = elsewhere.end(end.at, self.reached)
        return end

    def _comes_of_the_work_elsewhere(self, end: End) -> bool:
        # A stacked unit is still at work elsewhere. What is told there does not take it away from here, nor does the
        # `available` with which it leaves. The end of its duty does.
        if end.at == self.shown_from:
            return end.how == "available"
        return end.at < self.shown_from and end.how != "off_duty"

    @property
    def reached(self) -> bool:
        """Whether the unit reached the call."""
        return self.reached_in != NO_SPELL

    @property
    def cancelled(self) -> bool:
        """Whether it was sent away before it reached the call."""
        return Cancelled in self.told and not self.reached

    def at(self, kind: type[Said]) -> Micros | None:
        """When a point was, as told; of several the earliest."""
        point = self.told.get(kind)
        return None if point is None else point[0].at

    def response(self, rules: Rules) -> Response:
        """What the entry says of it."""
        at = self.at
        destination = self.destination
        return Response(
            self.unit.unit,
            self.unit.agency,
            self.team,
            self.spell,
            self.begins,
            self.shown_from,
            self.ends,
            self.ended,
            at(Dispatched),
            at(EnRoute),
            at(Staged),
            at(OnScene),
            at(Contact),
            at(Transporting),
            at(AtDestination),
            at(Cleared),
            at(Cancelled),
            None if destination is None else rules.label("destination", destination),
        )


class Elsewhere:
    """What ended the work of a unit on this call from outside. Most units were nowhere else: it asks the past seldom."""

    __slots__ = ("_asked", "_first", "_past", "_unit")

    def __init__(self, unit: str, past: Past) -> None:
        self._unit = unit
        self._past = past
        self._asked = False
        self._first: End | None = None  # of any work, after the time that was asked for first

    def end(self, after: Micros, reached: bool) -> End | None:
        """The first end later than `after`, which is never less than when it was first asked. See `Past.end`."""
        if not self._asked:
            self._asked = True
            self._first = self._past.end(self._unit, after, False)
        first = self._first
        if first is None or (first.at > after and (not reached or first.how in _ENDS_REACHED_WORK)):
            return first
        return self._past.end(self._unit, after, reached)


def works_of(unit: Unit, past: Past) -> list[Work]:
    """The responses of a unit on the call, in the order of the walk. A clear without any other point makes none."""
    team = team_of(unit, past)
    elsewhere = Elsewhere(unit.unit, past)
    works: list[Work] = []
    early: list[Point] = []  # clears before any other point: of the response that follows
    work: Work | None = None
    for point in unit.points:
        kind = type(point[0])
        if work is None and kind in _LEAVES:
            early.append(point)
            continue
        if work is None or (kind in _SETS_OUT and work.ended_before(point[0].at, elsewhere)):
            work = Work(unit, team, point, past)
            works.append(work)
        work.take(point)
    if work is not None:
        work.ended_before(NEVER, elsewhere)
        for point in reversed(early):
            works[0].told[type(point[0])] = point
    return works


def team_of(unit: Unit, past: Past) -> str:
    """The team of a unit on a call: from its dispatch, else [units], else its last status at its first point there."""
    if unit.team is None:
        first = unit.points[0][0].at if unit.points else unit.named
        unit.team = past.team(unit.unit, first) or OTHER
    return unit.team
