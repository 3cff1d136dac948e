"""Intervals: how long the steps of a call and of its responses took. Source: the contract, section 3, *Intervals*."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from streams.clock import SECOND, Micros
from streams.derive.response import Work
from streams.derive.told import Told
from streams.said import Cleared, Dispatched, EnRoute, OnScene, Said, Staged

#: A unit that arrives so long before the receipt came upon the call itself; its times would say nothing about waiting.
CAME_UPON: Final[Micros] = 60 * SECOND


class Measured(NamedTuple):
    """One interval, of a team; it is in disorder if it ends before it begins."""

    interval: str
    team: str
    begins: Micros
    ends: Micros


def of_call(told: Told, care: Sequence[Work], eligible_since: Micros, team: str) -> Iterator[Measured]:
    """The intervals of a call, between the first points of its first spell. `care`: the responses of CARE units."""
    dispatched = _first(care, Dispatched)
    arrived = _first(care, OnScene)
    if told.received is not None and not _says_nothing_of_waiting(told, arrived):
        received = told.received
        if dispatched is not None:
            at = dispatched.told[Dispatched][0].at
            yield Measured("received_to_dispatched", dispatched.team, received, at)
            yield Measured("eligible_to_dispatched", dispatched.team, eligible_since, at)
        if arrived is not None:
            at = arrived.told[OnScene][0].at
            yield Measured("received_to_on_scene", arrived.team, received, at)
            yield Measured("eligible_to_on_scene", arrived.team, eligible_since, at)
        contact = next((each for each in told.contacts if each.spell == 0 and each.by_care), None)
        if contact is not None:
            yield Measured("received_to_contact", contact.of_team or team, received, contact.at)
        elif arrived is not None:
            yield Measured("received_to_contact", arrived.team, received, arrived.told[OnScene][0].at)
    if arrived is not None:
        yield from _between("dispatched_to_on_scene", arrived, Dispatched, OnScene)


def of_response(work: Work) -> Iterator[Measured]:
    """The intervals of a response."""
    yield from _between("dispatched_to_en_route", work, Dispatched, EnRoute)
    if Staged in work.told:
        yield from _between("en_route_to_staged", work, EnRoute, Staged)
        yield from _between("staged_to_on_scene", work, Staged, OnScene)
    else:
        yield from _between("en_route_to_on_scene", work, EnRoute, OnScene)
    yield from _between("on_scene_to_cleared", work, OnScene, Cleared)
    yield from _between("dispatched_to_cleared", work, Dispatched, Cleared)


def _between(interval: str, work: Work, first: type[Said], second: type[Said]) -> Iterator[Measured]:
    begins, ends = work.at(first), work.at(second)
    if begins is not None and ends is not None:
        yield Measured(interval, work.team, begins, ends)


def _says_nothing_of_waiting(told: Told, arrived: Work | None) -> bool:
    if told.source == "self" or told.scheduled_for is not None:
        return True
    if arrived is None or told.received is None:
        return False
    return 0 <= told.received - arrived.told[OnScene][0].at <= CAME_UPON


def _first(care: Sequence[Work], kind: type[Said]) -> Work | None:
    """The response with the first point of a kind in the call's first spell; of several at once, that of the first unit id."""
    first: Work | None = None
    for work in care:
        point = work.told.get(kind)
        if point is None or point[1] != 0:
            continue
        if first is None or (point[0].at, work.unit.unit) < (first.told[kind][0].at, first.unit.unit):
            first = work
    return first
