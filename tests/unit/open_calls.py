"""Entries of calls, as tests of their views need them, and a small program file."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from hypothesis import strategies as st

from streams.clock import HOUR, NEVER, SECOND, Micros, micros
from streams.entries import Call, Response
from streams.programs import Profile
from streams.rules import Rules

MINUTE: Micros = 60 * SECOND


def when(text: str) -> Micros:
    """A time of the 4th of March 2026, a Wednesday, in Chicago; or, written in full, of any day."""
    return micros(datetime.fromisoformat(text if "-" in text else f"2026-03-04T{text}-06:00"))


#: Calls of examples are received then.
RECEIVED = when("13:00")
_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TARGETS = {
    "received_to_dispatched": "5min",
    "received_to_on_scene": "20min",
    "eligible_to_on_scene": "25min",
    "received_to_contact": "30min",
    "dispatched_to_en_route": "3min",
    "dispatched_to_on_scene": "18min",
    "en_route_to_on_scene": "15min",
    "staged_to_on_scene": "30min",
    "on_scene_to_cleared": "2h",
}


def team(code: str, areas: list[str], opens: str, shuts: str, **more: Any) -> dict[str, Any]:
    hours = [{"days": _DAYS, "from": f"{opens}:00", "until": f"{shuts}:00"}]
    return {"code": code, "label": code, "areas": areas, "hours": hours} | more


def small(*more: dict[str, Any]) -> Rules:
    """Red covers east by day, blue covers east and south in the evening; nobody covers west."""
    return of_teams(
        team("red", ["east"], "08:00", "16:00", targets=_TARGETS),
        team("blue", ["east", "south"], "14:00", "22:00", targets={"received_to_on_scene": "40min"}),
        *more,
    )


def of_teams(*teams: dict[str, Any]) -> Rules:
    """A program of these teams."""
    file = {
        "program": "small",
        "name": "Small",
        "timezone": "America/Chicago",
        "triages": True,
        "areas": {area: {"label": area} for area in ("east", "south", "west")},
        "teams": teams,
        "call_types": {"crisis": {"label": "Crisis"}},
        "outcomes": {"services": {"label": "Services"}},
    }
    return Rules(msgspec.convert(file, Profile))


def call(**fields: Any) -> Call:
    """An open call in the east, eligible, of which nothing is known but its receipt at 13:00."""
    since = fields.get("since", RECEIVED)
    plain: dict[str, Any] = {
        "state": "open",
        "last_said": since,
        "since": since,
        "area": "east",
        "call_type": "crisis",
        "team": "none",
        "received": since,
    }
    return Call(**plain | fields)


def response(**fields: Any) -> Response:
    """A CARE unit of red, whose work on the call began at 13:02."""
    begins = fields.get("begins", when("13:02"))
    plain: dict[str, Any] = {
        "unit": "M1",
        "agency": "care",
        "team": "red",
        "spell": 0,
        "begins": begins,
        "shown_from": begins,
        "ends": NEVER,
        "ended": "works",
    }
    return Response(**plain | fields)


# --- any calls ------------------------------------------------------------------------------------------------

#: Around an evening: teams begin and end their work, calls grow stale.
times = st.integers(RECEIVED // MINUTE, (RECEIVED + 26 * HOUR) // MINUTE).map(lambda minute: minute * MINUTE)
_perhaps = st.none() | times


@st.composite
def responses(draw: st.DrawFn) -> Response:
    begins = draw(times)
    shown_from = draw(st.just(begins) | times)
    ends = draw(st.just(NEVER) | times)
    points = ("dispatched", "en_route", "staged", "on_scene", "contact", "transporting", "at_destination")
    return response(
        begins=begins,
        agency=draw(st.sampled_from(["care", "care", "police"])),
        team=draw(st.sampled_from(["red", "blue", "other"])),
        shown_from=shown_from,
        ends=ends,
        ended="works" if ends == NEVER else "cleared",
        **{point: draw(_perhaps) for point in draw(st.lists(st.sampled_from(points), max_size=3))},
    )


@st.composite
def calls(draw: st.DrawFn) -> Call:
    """Calls, open ones most often, whose fields need not fit each other."""
    since = draw(times)
    return call(
        state=draw(st.sampled_from(["open", "open", "open", "closed", "merged"])),
        since=since,
        last_said=since + draw(st.integers(0, 6)) * HOUR,
        area=draw(st.sampled_from(["east", "south", "west", "other"])),
        call_type=draw(st.sampled_from(["crisis", "other"])),
        eligible=draw(st.sampled_from([True, True, True, False])),
        scheduled_for=draw(st.none() | st.none() | times),
        served_in_spell=draw(st.sampled_from(["no", "no", "served", "served_remotely"])),
        dispatch_open=draw(st.booleans()),
        arrival_open=draw(st.booleans()),
        responses=tuple(draw(st.lists(responses(), max_size=2))),
    )
