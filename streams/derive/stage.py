"""The stage of an open call: what people see of it on the board. Source: the contract, section 3, *Stage of an open call*.

A call stands as its statements say, until a time comes (`turns`); whether a team works is asked for its area (`by_hours`). A view
so looks at a call again when its time has come, and at the hours of an area once for all of its calls.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, Literal, NamedTuple, get_args

from streams.clock import Micros
from streams.entries import Call, Response
from streams.programs import OTHER
from streams.rules import Rules

Stage = Literal[
    "stale",
    "transporting",
    "on_scene",
    "staged",
    "en_route",
    "dispatched",
    "wrapping_up",
    "with_others",
    "scheduled",
    "outside_area",
    "outside_hours",
    "waiting",
]
STAGES: Final[tuple[Stage, ...]] = get_args(Stage)


class Standing(NamedTuple):
    """How a call stands, but for hours."""

    stage: Stage  # `waiting` where the hours of the area decide (`by_hours`)
    waits: bool  # it waits for CARE while a team that covers the area works


#: Of a CARE unit that works on the call, the furthest first.
_OF_UNITS: Final = (
    Standing("transporting", False),
    Standing("on_scene", False),
    Standing("staged", False),
    Standing("en_route", False),
    Standing("dispatched", False),
)
_STALE: Final = Standing("stale", False)
_WRAPPING_UP: Final = Standing("wrapping_up", False)
_WITH_OTHERS: Final = Standing("with_others", True)
_WITH_OTHERS_TOO_EARLY: Final = Standing("with_others", False)
_SCHEDULED: Final = Standing("scheduled", False)
_WAITING: Final = Standing("waiting", True)


def stage(call: Call, now: Micros, rules: Rules) -> Stage | None:
    """The stage of a call at a time. None: it is not shown, as it is not open, or ineligible and no CARE unit works on it."""
    stands = standing(call, now, rules)
    if stands is None:
        return None
    return by_hours(call.area, now, rules) if stands.stage == "waiting" else stands.stage


def waits(call: Call, now: Micros, rules: Rules) -> bool:
    """Whether it waits for CARE: nobody goes there, or a unit of another agency only; it is due, and a covering team works."""
    stands = standing(call, now, rules)
    return stands is not None and stands.waits and by_hours(call.area, now, rules) == "waiting"


def standing(call: Call, now: Micros, rules: Rules) -> Standing | None:
    """How it stands at a time, whatever the hours. None as for `stage`."""
    if call.state != "open":
        return None
    care, others = _at_work(call, now)
    if care is None and not call.eligible:
        return None
    if now >= _stale_from(call, rules):
        return _STALE
    if care is not None:
        return care
    if call.served_in_spell != "no":
        return _WRAPPING_UP
    due = call.scheduled_for is None or now >= call.scheduled_for
    if others:
        return _WITH_OTHERS if due else _WITH_OTHERS_TOO_EARLY
    return _WAITING if due else _SCHEDULED


def by_hours(area: str, now: Micros, rules: Rules) -> Literal["waiting", "outside_hours", "outside_area"]:
    """The stage of calls in an area for which nobody goes: by the teams that cover it, and their hours.

    An area that the program does not know may be covered by any team.
    """
    if rules.working(area, now):
        return "waiting"
    return "outside_hours" if area == OTHER or rules.covering(area, rules.day(now)) else "outside_area"


def turns(call: Call, rules: Rules) -> Iterator[Micros]:
    """The times, past and to come, from which on an open call may stand otherwise though nothing is said. In no order."""
    yield _stale_from(call, rules)
    if call.scheduled_for is not None:
        yield call.scheduled_for
    for response in call.responses:
        yield response.shown_from
        yield response.ends


def shown(response: Response, now: Micros) -> bool:
    """Whether the unit works on the call at a time, as it is shown."""
    return response.shown_from <= now < response.ends


def _stale_from(call: Call, rules: Rules) -> Micros:
    last = call.last_said
    if call.scheduled_for is not None and call.scheduled_for > last:
        last = call.scheduled_for
    return last + rules.stale_call


def _at_work(call: Call, now: Micros) -> tuple[Standing | None, bool]:
    """How it stands by the furthest of the CARE units that work on it, and whether a unit of another agency does."""
    furthest = len(_OF_UNITS)
    others = False
    for response in call.responses:
        if shown(response, now):
            if response.agency == "care":
                furthest = min(furthest, _far(response))
            else:
                others = True
    return (_OF_UNITS[furthest] if furthest < len(_OF_UNITS) else None), others


def _far(response: Response) -> int:
    """How far a unit has come, as a place in `_OF_UNITS`. At the destination the person is still with it."""
    if response.transporting is not None or response.at_destination is not None:
        return 0
    if response.on_scene is not None or response.contact is not None:
        return 1
    if response.staged is not None:
        return 2
    return 4 if response.en_route is None else 3
