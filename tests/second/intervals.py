"""Times from one point to another (the contract, section 3: Intervals)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from tests.second.entry import Call
from tests.second.program import Program
from tests.second.spells import MINUTE
from tests.second.statements import Said
from tests.second.teams import Teams, contacts
from tests.second.work import Response


def count_intervals(call: Call, teams: Teams, program: Program) -> None:
    _of_the_call(call, teams, program)
    for response in call.care():
        for name, begin, end in (
            ("dispatched_to_en_route", "unit_dispatched", "unit_en_route"),
            ("en_route_to_on_scene", "unit_en_route", "unit_on_scene"),
            ("en_route_to_staged", "unit_en_route", "unit_staged"),
            ("staged_to_on_scene", "unit_staged", "unit_on_scene"),
            ("on_scene_to_cleared", "unit_on_scene", "unit_cleared"),
            ("dispatched_to_cleared", "unit_dispatched", "unit_cleared"),
        ):
            if name == "en_route_to_on_scene" and response.any_told("unit_staged"):
                continue
            _interval(call, name, call.teams[response.unit], response.told(begin), response.told(end))


def _of_the_call(call: Call, teams: Teams, program: Program) -> None:
    spell = call.spells[0].walk
    dispatch = _first_point(call, spell, "unit_dispatched")
    arrival = _first_point(call, spell, "unit_on_scene")
    if arrival is not None:
        at, response = arrival
        name = "dispatched_to_on_scene"
        _interval(call, name, call.teams[response.unit], response.told("unit_dispatched"), at)
    if call.received is None or call.source == "self" or call.scheduled_for is not None:
        return
    if arrival is not None and call.received - MINUTE <= arrival[0] <= call.received:
        return
    for word, found in (("dispatched", dispatch), ("on_scene", arrival)):
        if found is not None:
            at, response = found
            _interval(call, f"received_to_{word}", call.teams[response.unit], call.received, at)
            _interval(call, f"eligible_to_{word}", call.teams[response.unit], call.eligible_since, at)
    told = contacts(call, spell, program)
    if told:
        team = teams.of_contact(call, told[0]) or call.team
        _interval(call, "received_to_contact", team, call.received, told[0].at)
    elif arrival is not None:
        _interval(call, "received_to_contact", call.teams[arrival[1].unit], call.received, arrival[0])


def _first_point(call: Call, walk: Sequence[Said], type: str) -> tuple[datetime, Response] | None:
    found = [
        (point.at, response.unit, index, response)
        for index, response in enumerate(call.care())
        for point in response.points
        if point.type == type and point in walk
    ]
    return (min(found)[0], min(found)[3]) if found else None


def _interval(call: Call, name: str, team: str, begin: datetime | None, end: datetime | None) -> None:
    if begin is None or end is None:
        return
    if end < begin:
        call.disorder.append(name)
    else:
        call.intervals.append((team, name, end - begin))
