"""The responses of a unit on a call: its points cut into goings, and when its work of each ended.

Source: the contract, section 3, *A unit works on one call at a time*; docs/meaning.md, *Units on a call*.
"""

from __future__ import annotations

from typing import Final

from streams.clock import NEVER, Micros
from streams.derive.past import End, Past
from streams.entries import Ended, Response
from streams.events import Agency
from streams.programs import OTHER
from streams.rules import Rules, UnitFacts
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


class Unit:
    """A unit that is named on the call, and what is told of its work there. It takes its points in the order of the walk."""

    __slots__ = (
        "_asked",
        "_early",
        "_first_end",
        "_named",
        "_past",
        "_work",
        "agency",
        "first",
        "name",
        "team",
        "told_team",
        "works",
    )

    def __init__(self, facts: UnitFacts, named: Micros, past: Past) -> None:
        """A unit of which no point was taken; `facts` are those of the program file, `named` is when it is first named."""
        self.name = facts.unit
        self.agency: Agency = facts.agency or "care"
        self.told_team = facts.team  # the label that its dispatch told last, else of [units]
        self.team = OTHER  # known once all is told: see `finish`
        self.first: Micros | None = None  # its first point
        self.works: list[Work] = []  # its responses; a clear without any other point makes none
        self._work: Work | None = None  # the last of them
        self._early: list[UnitPoint | Contact] | None = (
            None  # clears before any other point: of the response that follows
        )
        self._named = named
        self._past = past
        self._asked = False
        self._first_end: End | None = None  # of any work, after the time that was asked for first

    def take(self, said: UnitPoint | Contact, spell: int) -> None:
        """The next point, told in this spell of the call."""
        at, kind, work = said.at, type(said), self._work
        if self.first is None:
            self.first = at
        if kind is Cleared or kind is Cancelled:
            if work is not None:
                work.leave(at, kind is Cleared, self)
            elif self._early is None:
                self._early = [said]
            else:
                self._early.append(said)
            return
        if work is None or ((kind is Dispatched or kind is EnRoute) and work.ended_before(at, self)):
            work = self._work = Work(self.name, at, spell)
            self.works.append(work)
            if kind is Dispatched and self._past.stacked(self.name, at):
                work.wait(self._past.free_from(self.name, at))
        if kind is Dispatched:
            if work.dispatched is None:
                work.dispatched = at
                work.dispatched_in = spell
        else:
            if kind is not EnRoute:
                work.reach(said, spell)
            elif work.en_route is None:
                work.en_route = at
            if work.waits:
                work.show(at)
        if work.ended != "works":  # it goes on
            work.ends, work.ended = NEVER, "works"
        work.last = at

    def finish(self) -> None:
        """All its points were taken."""
        if self.told_team is not None:
            self.team = self.told_team
        else:  # its last status tells
            self.team = self._past.team(self.name, self._named if self.first is None else self.first) or OTHER
        if self._work is None:
            return
        self._work.ended_before(NEVER, self)
        if self._early is not None:
            self.works[0].clear_early(self._early)
        for work in self.works:
            work.agency = self.agency
            work.team = self.team

    def end(self, after: Micros, reached: bool) -> End | None:
        """What first ended its work on this call from outside, later than `after`. See `Past.end`.

        `after` is never less than when it was first asked. Most units were nowhere else, so the past is asked once.
        """
        if not self._asked:
            self._asked = True
            self._first_end = self._past.end(self.name, after, False)
        first = self._first_end
        if first is None or (first.at > after and (not reached or first.how in _ENDS_REACHED_WORK)):
            return first
        return self._past.end(self.name, after, reached)


class Work:
    """A response as it is put together, point by point in the walk. Of several points of a kind the earliest stays."""

    __slots__ = (
        "agency",
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
        "last",
        "on_scene",
        "reached_in",
        "served_in",
        "shown_from",
        "spell",
        "staged",
        "team",
        "transporting",
        "unit",
        "waits",
    )

    def __init__(self, unit: str, at: Micros, spell: int) -> None:
        """A response of the unit of this name that begins with a point at this time, which is yet to be taken."""
        self.unit = unit
        self.agency: Agency = "care"  # this and its team are known once all is told: see `Unit.finish`
        self.team = OTHER
        self.spell = self.dispatched_in = self.arrived_in = spell
        self.begins = self.shown_from = self.last = at  # `last`: its last point but for clears
        #: A dispatch that was stacked shows nothing until the unit leaves where it is, or another point is told.
        self.waits = False
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

    def wait(self, until: Micros) -> None:
        """Its dispatch was stacked: the unit leaves where it is at this time."""
        self.waits = True
        self.shown_from = until

    def show(self, at: Micros) -> None:
        """A point other than its dispatch is told: it is not hidden any more by the work elsewhere."""
        self.waits = False
        if at < self.shown_from:
            self.shown_from = at

    def reach(self, said: UnitPoint | Contact, spell: int) -> None:
        """A point by which the unit has reached the call."""
        kind = type(said)
        self.reached_in = spell
        if kind is Staged:
            if self.staged is None:
                self.staged = said.at
            return
        self.served_in = spell
        if kind is OnScene:
            if self.on_scene is None:
                self.on_scene = said.at
                self.arrived_in = spell
        elif kind is Contact:
            if self.contact is None:
                self.contact = said.at
        else:
            assert isinstance(said, Transporting | AtDestination)
            if said.destination is not None:
                self.destination = said.destination
            if kind is Transporting:
                if self.transporting is None:
                    self.transporting = said.at
            elif self.at_destination is None:
                self.at_destination = said.at

    def leave(self, at: Micros, cleared: bool, unit: Unit) -> None:
        """A clear or cancellation: it ends the work, or is no more than told if something else has by then."""
        if not self.ended_before(at, unit):
            self.ends, self.ended = at, "cleared" if cleared else "cancelled"
        elif cleared and self.ended == "cancelled" and self.ends == at:
            self.ended = "cleared"  # of both at once
        if cleared:
            if self.cleared is None:
                self.cleared = at
        elif self.cancelled is None:
            self.cancelled = at
        if self.waits:
            self.show(at)

    def clear_early(self, said: list[UnitPoint | Contact]) -> None:
        """Clears and cancellations told before any other point."""
        for each in reversed(said):
            if type(each) is Cleared:
                self.cleared = each.at
            else:
                self.cancelled = each.at

    def ended_before(self, at: Micros, unit: Unit) -> bool:
        """Whether it has ended, by its last point or after that and before `at`; if so, `ends` and `ended` say when and how."""
        if self.ended != "works":
            return True
        end = unit.end(self.last, self.reached_in != NO_SPELL)
        if self.waits:
            while end is not None and self._comes_of_the_work_elsewhere(end):
                end = unit.end(end.at, self.reached_in != NO_SPELL)
        if end is None or end.at >= at:
            return False
        self.ends, self.ended = end
        return True

    def _comes_of_the_work_elsewhere(self, end: End) -> bool:
        # A stacked unit is still at work elsewhere. What is told there does not take it away from here, nor does the
        # `available` with which it leaves. The end of its duty does.
        if end.at == self.shown_from:
            return end.how == "available"
        return end.at < self.shown_from and end.how != "off_duty"

    @property
    def sent(self) -> bool:
        """Whether it counts as sent: it was not cancelled before it reached the call."""
        return self.cancelled is None or self.reached_in != NO_SPELL

    def response(self, rules: Rules) -> Response:
        """What the entry says of it."""
        destination = self.destination
        return Response(
            self.unit,
            self.agency,
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
