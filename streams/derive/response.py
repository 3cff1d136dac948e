"""The responses of a unit on a call: its points cut into goings, and when its work of each ended.

Source: the contract, section 3, *A unit works on one call at a time*; docs/meaning.md, *Units on a call*.
"""

from __future__ import annotations

from collections.abc import Sequence
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
    Staged,
    Transporting,
    UnitPoint,
)

_ENDS_REACHED_WORK: Final = frozenset(("elsewhere", "on_scene_elsewhere", "available"))
#: Spells count from 0: before all of them.
NO_SPELL: Final = -1


class Work:
    """A response as it is put together, point by point in the walk. Of several points of a kind the earliest stays."""

    __slots__ = (
        "_last",
        "_waits",
        "arrived_in",
        "at_destination",
        "begins",
        "cancelled",
        "cleared",
        "contact",
        "destination",
        "dispatched",
        "dispatched_in",
        "en_route",
        "ended",
        "ends",
        "on_scene",
        "reached_in",
        "served_in",
        "shown_from",
        "spell",
        "staged",
        "team",
        "transporting",
        "unit",
    )

    def __init__(self, unit: Unit, team: str, first: Point, past: Past) -> None:
        """The response that begins with this point, which is yet to be taken."""
        said, spell = first
        self.unit = unit
        self.team = team
        self.spell = self.dispatched_in = self.arrived_in = spell
        self.begins = self.shown_from = self._last = said.at
        #: A dispatch that was stacked shows nothing until the unit leaves where it is, or another point is told.
        self._waits = type(said) is Dispatched and past.stacked(unit.name, said.at)
        if self._waits:
            self.shown_from = past.free_from(unit.name, said.at)
        self.ends: Micros = NEVER
        self.ended: Ended = "works"
        self.reached_in = self.served_in = NO_SPELL  # the spell of the latest such point
        self.dispatched: Micros | None = None
        self.en_route: Micros | None = None
        self.staged: Micros | None = None
        self.on_scene: Micros | None = None
        self.contact: Micros | None = None
        self.transporting: Micros | None = None
        self.at_destination: Micros | None = None
        self.cleared: Micros | None = None
        self.cancelled: Micros | None = None
        self.destination: str | None = None  # the last told

    def take(self, said: UnitPoint | Contact, spell: int) -> None:
        """The next point of the walk that is no clear and no cancellation; it resumes work that had ended."""
        at = said.at
        kind = type(said)
        if kind is Dispatched:
            if self.dispatched is None:
                self.dispatched = at
                self.dispatched_in = spell
        else:
            if kind is EnRoute:
                if self.en_route is None:
                    self.en_route = at
            else:
                self._reach(said, spell)
            if self._waits:
                self._show(at)
        if self.ended != "works":
            self.ends, self.ended = NEVER, "works"
        self._last = at

    def leave(self, said: UnitPoint | Contact, elsewhere: Elsewhere) -> None:
        """A clear or cancellation, next in the walk: it ends the work, or is no more than told if something else has by then."""
        at = said.at
        cleared = type(said) is Cleared
        if not self.ended_before(at, elsewhere):
            self.ends, self.ended = at, "cleared" if cleared else "cancelled"
        elif cleared and self.ended == "cancelled" and self.ends == at:
            self.ended = "cleared"  # of both at once
        if cleared:
            if self.cleared is None:
                self.cleared = at
        elif self.cancelled is None:
            self.cancelled = at
        if self._waits:
            self._show(at)

    def _show(self, at: Micros) -> None:
        """A point other than its dispatch is told: it is not hidden any more by the work elsewhere."""
        self._waits = False
        self.shown_from = min(self.shown_from, at)

    def _reach(self, said: UnitPoint | Contact, spell: int) -> None:
        self.reached_in = spell
        if isinstance(said, Staged):
            if self.staged is None:
                self.staged = said.at
            return
        self.served_in = spell
        if isinstance(said, OnScene):
            if self.on_scene is None:
                self.on_scene = said.at
                self.arrived_in = spell
        elif isinstance(said, Contact):
            if self.contact is None:
                self.contact = said.at
        else:
            assert isinstance(said, Transporting | AtDestination)
            if said.destination is not None:
                self.destination = said.destination
            if isinstance(said, Transporting):
                if self.transporting is None:
                    self.transporting = said.at
            elif self.at_destination is None:
                self.at_destination = said.at

    def ended_before(self, at: Micros, elsewhere: Elsewhere) -> bool:
        """Whether it has ended, by its last point or after that and before `at`; if so, `ends` and `ended` say when and how."""
        if self.ended != "works":
            return True
        end = self._first_end(elsewhere)
        if end is None or end.at >= at:
            return False
        self.ends, self.ended = end
        return True

    def _first_end(self, elsewhere: Elsewhere) -> End | None:
        end = elsewhere.end(self._last, self.reached)
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
    def sent(self) -> bool:
        """Whether it counts as sent: it was not cancelled before it reached the call."""
        return self.cancelled is None or self.reached_in != NO_SPELL

    def response(self, rules: Rules) -> Response:
        """What the entry says of it."""
        destination = self.destination
        return Response(
            self.unit.name,
            self.unit.agency,
            self.team,
            self.spell,
            self.begins,
            self.shown_from,
            self.ends,
            self.ended,
            self.dispatched,
            self.en_route,
            self.staged,
            self.on_scene,
            self.contact,
            self.transporting,
            self.at_destination,
            self.cleared,
            self.cancelled,
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
    """The responses of a unit on the call, in the order of the walk. Clears without any other point make none."""
    team = team_of(unit, past)
    elsewhere = Elsewhere(unit.name, past)
    works: list[Work] = []
    early: list[Point] = []  # clears before any other point: of the response that follows
    work: Work | None = None
    for point in unit.points:
        said, spell = point
        kind = type(said)
        if kind is Cleared or kind is Cancelled:
            if work is None:
                early.append(point)
            else:
                work.leave(said, elsewhere)
            continue
        if work is None or ((kind is Dispatched or kind is EnRoute) and work.ended_before(said.at, elsewhere)):
            work = Work(unit, team, point, past)
            works.append(work)
        work.take(said, spell)
    if work is not None:
        work.ended_before(NEVER, elsewhere)
        if early:
            _add_early(early, works[0])
    return works


def _add_early(early: Sequence[Point], work: Work) -> None:
    for said, _ in reversed(early):
        if type(said) is Cleared:
            work.cleared = said.at
        else:
            work.cancelled = said.at


def team_of(unit: Unit, past: Past) -> str:
    """The team of a unit on a call: from its dispatch, else [units], else its last status at its first point there."""
    if unit.team is None:
        first = unit.points[0][0].at if unit.points else unit.named
        unit.team = past.team(unit.name, first) or OTHER
    return unit.team
