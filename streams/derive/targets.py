"""Targets of an open call: when it passes each of them. Source: the contract, section 3; docs/meaning.md, *Eligible, waiting*.

A target is missed when more time has passed than it allows. Once a later point is known, a missing earlier one misses nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from streams.clock import Micros
from streams.derive.stage import Standing, by_hours, shown, standing
from streams.entries import Call, Response
from streams.programs import CallInterval, Interval, ResponseInterval
from streams.rules import Rules

#: By interval the time at the end of which it is met at the latest.
Deadlines = dict[Interval, Micros]

_TO_DISPATCH: Final[tuple[CallInterval, ...]] = ("received_to_dispatched", "eligible_to_dispatched")
_TO_ARRIVAL: Final[tuple[CallInterval, ...]] = ("received_to_on_scene", "eligible_to_on_scene")
#: Stages in which a CARE unit is on its way.
_ON_THE_WAY: Final = frozenset(("dispatched", "en_route", "staged"))


class Targets:
    """The targets of one program file, asked for open calls."""

    __slots__ = ("_rules", "_used")

    def __init__(self, rules: Rules) -> None:
        """Those of these rules."""
        self._rules = rules
        self._used = frozenset(interval for _, interval in rules.profile.targets)  # few programs have one for each

    def deadlines(self, call: Call, now: Micros) -> Deadlines:
        """When a call passes the targets that are open for it at a time."""
        stands = standing(call, now, self._rules)
        if stands is None or (stands.waits and by_hours(call.area, now, self._rules) != "waiting"):
            return {}
        return self.while_working(call, stands, now)

    def while_working(self, call: Call, stands: Standing, now: Micros) -> Deadlines:
        """The same for a call that stands like this; of one that `waits`: while a team that covers the area works."""
        found: Deadlines = {}
        if stands.stage == "stale":
            return found  # it probably ended long ago: those who can close it are told, nobody else
        if stands.waits or stands.stage in _ON_THE_WAY:
            self._of_call(call, stands, found)
        for response in call.responses:
            if response.agency == "care" and shown(response, now):
                self._of_response(call, response, found)
        return found

    def _of_call(self, call: Call, stands: Standing, found: Deadlines) -> None:
        # No team has it yet: the shortest target of those that cover the area.
        for interval in _open_of_call(call, stands):
            if interval in self._used:
                target = self._rules.shortest_target(call.area, interval, self._rules.day(call.since))
                if target is not None:
                    found[interval] = call.since + target

    def _of_response(self, call: Call, response: Response, found: Deadlines) -> None:
        # Of two units the one that is late first.
        for interval, began in _open_of_response(call, response):
            if interval in self._used:
                target = self._rules.target(response.team, interval, self._rules.day(response.begins))
                if target is not None:
                    deadline = began + target
                    found[interval] = min(deadline, found.get(interval, deadline))


def _open_of_call(call: Call, stands: Standing) -> Iterator[CallInterval]:
    """The intervals since it began to wait that have not ended."""
    if call.arrival_open:
        if call.dispatch_open and stands.waits:
            yield from _TO_DISPATCH
        yield from _TO_ARRIVAL
        if call.served_in_spell == "no":  # else a contact by phone or video is told
            yield "received_to_contact"


def _open_of_response(call: Call, response: Response) -> Iterator[tuple[CallInterval | ResponseInterval, Micros]]:
    """The intervals that have begun and not ended, and when they began."""
    dispatched, en_route, staged, on_scene = response.dispatched, response.en_route, response.staged, response.on_scene
    if on_scene is None and response.contact is None and not _took_along(response):
        if staged is not None:
            yield "staged_to_on_scene", staged
        elif en_route is not None:
            yield "en_route_to_on_scene", en_route
            yield "en_route_to_staged", en_route
        elif dispatched is not None:
            yield "dispatched_to_en_route", dispatched
        if dispatched is not None and call.arrival_open:
            yield "dispatched_to_on_scene", dispatched
    if response.cleared is None:
        if on_scene is not None:
            yield "on_scene_to_cleared", on_scene
        if dispatched is not None:
            yield "dispatched_to_cleared", dispatched


def _took_along(response: Response) -> bool:
    return response.transporting is not None or response.at_destination is not None
