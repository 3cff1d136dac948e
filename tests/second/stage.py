"""Open calls at a time: stage, who waits since when, targets that are missed."""

from __future__ import annotations

from datetime import datetime, timedelta

from tests.second.entry import Call
from tests.second.program import Program
from tests.second.teams import contacts
from tests.second.work import REACHED, Response

#: The furthest of these that a response has told is its stage.
FURTHEST = (
    ("transporting", ("unit_transporting", "unit_at_destination")),
    ("on_scene", ("unit_on_scene", "contact_made")),
    ("staged", ("unit_staged",)),
    ("en_route", ("unit_en_route",)),
    ("dispatched", ("unit_dispatched",)),
)
ON_THE_WAY = ("dispatched", "en_route", "staged")
AFTER_EN_ROUTE = ("unit_staged", "unit_on_scene", "contact_made", "unit_transporting", "unit_at_destination")
AFTER_STAGED = AFTER_EN_ROUTE[1:]
TO_DISPATCH = ("received_to_dispatched", "eligible_to_dispatched")
TO_ARRIVAL = ("received_to_on_scene", "eligible_to_on_scene")


def stage(call: Call, program: Program, now: datetime) -> str | None:
    """The stage of an open call; None: it is closed, merged, or not eligible and no CARE unit works on it."""
    working = [response for response in call.care() if response.works(now)]
    if not call.open or (not call.eligible and not working):
        return None
    last = max(call.last_said, call.scheduled_for or call.last_said)
    if now - last >= program.stale_call:
        return "stale"
    for name, points in FURTHEST:
        if any(response.any_told(*points) for response in working):
            return name
    if call.served_in_spell:
        return "wrapping_up"
    if any(response.works(now) for response in call.others()):
        return "with_others"
    if call.scheduled_for is not None and now < call.scheduled_for:
        return "scheduled"
    if program.in_areas(call.area) and not program.covered(call.area, now):
        return "outside_area"
    return "waiting" if program.at_work(call.area, now) else "outside_hours"


def waits(call: Call, program: Program, now: datetime) -> bool:
    """Whether the call waits for CARE, another agency's unit with it or not."""
    found = stage(call, program, now)
    if found == "with_others":
        scheduled = call.scheduled_for is not None and now < call.scheduled_for
        return call.eligible and not scheduled and bool(program.at_work(call.area, now))
    return found == "waiting"


def missed(call: Call, program: Program, now: datetime) -> set[str]:
    """Intervals that have not ended and have lasted longer than their target."""
    found: set[str] = set()
    at = stage(call, program, now)
    if at is None or at == "stale":
        return found

    def look(interval: str, since: datetime | None, target: timedelta | None) -> None:
        if since is not None and target is not None and now - since > target:
            found.add(interval)

    told = contacts(call, call.spells[-1].walk, program)
    met = any(said.told.get("channel", "in_person") == "in_person" for said in told)
    sent = met or any(_tells_here(call, response, REACHED) or response.ending is None for response in call.care())
    arrived = met or any(_arrived(call, response) for response in call.care())
    waiting = waits(call, program, now)
    if waiting or at in ON_THE_WAY:
        open: tuple[str, ...] = TO_DISPATCH if waiting and not sent else ()
        if not arrived:
            open = (*open, *TO_ARRIVAL, *(() if told else ("received_to_contact",)))
        day = program.day(call.waits_since)
        for interval in open:
            look(interval, call.waits_since, program.call_target(interval, call.area, day))
    for response in call.care():
        if response.works(now):
            day = program.day(response.first)
            for interval, since in _running(response, arrived).items():
                look(interval, since, program.team_target(interval, call.teams[response.unit], day))
    return found


def _tells_here(call: Call, response: Response, types: tuple[str, ...]) -> bool:
    """Whether one of these points is told in this spell."""
    return any(point.type in types and point in call.spells[-1].walk for point in response.points)


def _arrived(call: Call, response: Response) -> bool:
    """Whether a unit arrived in this spell, or arrived before and is still there."""
    if response.ending is None:
        return response.any_told(*AFTER_STAGED)
    return _tells_here(call, response, AFTER_STAGED)


def _running(response: Response, arrived: bool) -> dict[str, datetime | None]:
    """Intervals of a response that have begun and not ended; a later point ends the wait for an earlier one."""
    running: dict[str, datetime | None] = {}
    if response.told("unit_cleared") is None:
        running["dispatched_to_cleared"] = response.told("unit_dispatched")
        running["on_scene_to_cleared"] = response.told("unit_on_scene")
    if not response.any_told("unit_en_route", *AFTER_EN_ROUTE):
        running["dispatched_to_en_route"] = response.told("unit_dispatched")
    if not response.any_told(*AFTER_EN_ROUTE):
        running["en_route_to_staged"] = response.told("unit_en_route")
    if not response.any_told(*AFTER_STAGED):
        running["staged_to_on_scene"] = response.told("unit_staged")
        if not arrived:
            running["dispatched_to_on_scene"] = response.told("unit_dispatched")
        if not response.any_told("unit_staged"):
            running["en_route_to_on_scene"] = response.told("unit_en_route")
    return running
