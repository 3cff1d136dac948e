"""Open calls at a time: stage, who waits since when, targets that are missed."""

from __future__ import annotations

from datetime import datetime, timedelta

from tests.second.entry import Call
from tests.second.program import Program
from tests.second.work import Response

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
TO_ARRIVAL = ("received_to_on_scene", "eligible_to_on_scene", "received_to_contact")


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

    if waits(call, program, now) or at in ON_THE_WAY:
        day = program.day(call.waits_since)
        dispatched = any(_counts(call, response, now) for response in call.care())
        for interval in TO_ARRIVAL if dispatched else (*TO_DISPATCH, *TO_ARRIVAL):
            look(interval, call.waits_since, program.call_target(interval, call.area, day))
    arrived = call.served_in_spell
    for response in call.care():
        if response.works(now):
            day = program.day(response.first)
            for interval, since in _running(response, arrived).items():
                look(interval, since, program.team_target(interval, call.teams[response], day))
    return found


def _counts(call: Call, response: Response, now: datetime) -> bool:
    """Whether a response ends the wait for a dispatch: of this spell or still going on, and not taken away."""
    if response.ended(now):
        return response.reached and any(point in call.spells[-1].walk for point in response.points)
    return True


def _running(response: Response, arrived: bool) -> dict[str, datetime | None]:
    """Intervals of a response that have begun and not ended; a later point ends the wait for an earlier one."""
    running: dict[str, datetime | None] = {
        "dispatched_to_cleared": response.told("unit_dispatched"),
        "on_scene_to_cleared": response.told("unit_on_scene"),
    }
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
