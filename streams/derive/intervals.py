"""Intervals: how long the steps of a call and of its responses took. Source: the contract, section 3, *Intervals*."""

from __future__ import annotations

from collections.abc import Sequence
from operator import itemgetter
from typing import Final

from streams.clock import NEVER, SECOND, Micros
from streams.derive.response import Work
from streams.derive.told import Reached, Told
from streams.entries import Fact
from streams.programs import Interval
from streams.rules import Rules

#: A unit that arrives so long before the receipt came upon the call itself; its times would say nothing about waiting.
CAME_UPON: Final[Micros] = 60 * SECOND

#: An interval of a team, and from when to when. It is in disorder if it ends before it begins.
Measured = tuple[Interval, str, Micros, Micros]
_end = itemgetter(3)


def add_facts(
    told: Told, care: Sequence[Work], eligible_since: Micros, team: str, rules: Rules, facts: list[Fact]
) -> None:
    """The intervals of a call of this team and of its responses by CARE units, each on the local day of its end; in that order."""
    measured: list[Measured] = []
    _of_call(told, care, eligible_since, team, measured)
    for work in care:
        _of_response(work, measured)
    measured.sort(key=_end)
    area = told.area
    day, at = 0, -NEVER
    for interval, of_team, begins, ends in measured:
        if ends != at:
            day, at = rules.day(ends), ends
        if begins <= ends:
            facts.append(("interval", day, of_team, area, interval, ends - begins))
        else:
            facts.append(("disorder", day, interval, 1))


def _of_call(told: Told, care: Sequence[Work], eligible_since: Micros, team: str, found: list[Measured]) -> None:
    """The intervals of a call, between the first points of its first spell. `care`: the responses of CARE units."""
    dispatch, arrival = _first_dispatch(care), _first_arrival(care)
    received = told.received
    if received is not None and not _came_upon_it(told, received, arrival):
        if dispatch is not None:
            at, of_team = dispatch.dispatched, dispatch.team
            assert at is not None
            found.append(("received_to_dispatched", of_team, received, at))
            found.append(("eligible_to_dispatched", of_team, eligible_since, at))
        if arrival is not None:
            at, of_team = arrival.on_scene, arrival.team
            assert at is not None
            found.append(("received_to_on_scene", of_team, received, at))
            found.append(("eligible_to_on_scene", of_team, eligible_since, at))
        contact = _first_contact(told.contacts) if told.contacts else None
        if contact is not None:
            found.append(("received_to_contact", contact.of_team or team, received, contact.at))
        elif arrival is not None:
            assert arrival.on_scene is not None
            found.append(("received_to_contact", arrival.team, received, arrival.on_scene))
    if arrival is not None and arrival.dispatched is not None:
        assert arrival.on_scene is not None
        found.append(("dispatched_to_on_scene", arrival.team, arrival.dispatched, arrival.on_scene))


def _of_response(work: Work, found: list[Measured]) -> None:
    """The intervals of a response."""
    team, dispatched, en_route, on_scene = work.team, work.dispatched, work.en_route, work.on_scene
    if dispatched is not None and en_route is not None:
        found.append(("dispatched_to_en_route", team, dispatched, en_route))
    if work.staged is not None:
        if en_route is not None:
            found.append(("en_route_to_staged", team, en_route, work.staged))
        if on_scene is not None:
            found.append(("staged_to_on_scene", team, work.staged, on_scene))
    elif en_route is not None and on_scene is not None:
        found.append(("en_route_to_on_scene", team, en_route, on_scene))
    if work.cleared is not None:
        if on_scene is not None:
            found.append(("on_scene_to_cleared", team, on_scene, work.cleared))
        if dispatched is not None:
            found.append(("dispatched_to_cleared", team, dispatched, work.cleared))


def _came_upon_it(told: Told, received: Micros, arrival: Work | None) -> bool:
    """Whether nobody waited from the receipt on: a call that the team came upon, or one that was scheduled."""
    if told.source == "self" or told.scheduled_for is not None:
        return True
    if arrival is None:
        return False
    assert arrival.on_scene is not None
    return 0 <= received - arrival.on_scene <= CAME_UPON


# Of two first points at once, that of the first unit id counts. Only the call's first spell is looked at.


def _first_dispatch(care: Sequence[Work]) -> Work | None:
    first: Work | None = None
    earliest = NEVER
    for work in care:
        at = work.dispatched
        if at is None or work.dispatched_in != 0:
            continue
        if first is None or at < earliest or (at == earliest and work.unit < first.unit):
            first, earliest = work, at
    return first


def _first_arrival(care: Sequence[Work]) -> Work | None:
    first: Work | None = None
    earliest = NEVER
    for work in care:
        at = work.on_scene
        if at is None or work.arrived_in != 0:
            continue
        if first is None or at < earliest or (at == earliest and work.unit < first.unit):
            first, earliest = work, at
    return first


def _first_contact(contacts: Sequence[Reached]) -> Reached | None:
    for contact in contacts:
        if contact.spell == 0 and contact.by_care:
            return contact
    return None
