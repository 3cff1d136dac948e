"""When open calls pass their targets."""

from __future__ import annotations

from typing import Any

import pytest

from streams.clock import HOUR, NEVER, Micros
from streams.derive.targets import Targets
from streams.entries import Call
from tests.unit.open_calls import MINUTE, RECEIVED, call, of_teams, response, small, team, when

RULES = small()
AT = when("13:10")


def deadlines(call: Call, now: Micros = AT) -> dict[str, Micros]:
    return {str(interval): at for interval, at in Targets(RULES).deadlines(call, now).items()}


#: Red has one for eligible_to_on_scene, none for eligible_to_dispatched.
TO_ARRIVAL = {
    "received_to_on_scene": RECEIVED + 20 * MINUTE,
    "eligible_to_on_scene": RECEIVED + 25 * MINUTE,
    "received_to_contact": RECEIVED + 30 * MINUTE,
}
ALL = {"received_to_dispatched": RECEIVED + 5 * MINUTE} | TO_ARRIVAL


# --- of the call ----------------------------------------------------------------------------------------------


def test_a_waiting_call_has_the_shortest_targets_of_the_teams_that_cover_its_area() -> None:
    assert deadlines(call()) == ALL
    evening = when("15:00")
    south = call(area="south", since=evening)
    assert deadlines(south, evening) == {"received_to_on_scene": evening + 40 * MINUTE}
    assert deadlines(call(area="other")) == ALL


def test_they_run_since_when_it_waits() -> None:
    appointment = call(scheduled_for=when("15:00"), since=when("15:00"), received=RECEIVED, last_said=RECEIVED)
    assert deadlines(appointment, when("14:59")) == {}
    assert deadlines(appointment, when("15:00"))["received_to_on_scene"] == when("15:20")


@pytest.mark.parametrize(
    "leaves_open",
    [
        call(since=when("04:00"), last_said=RECEIVED),
        call(since=when("04:00"), last_said=RECEIVED, responses=(response(agency="police"),)),
    ],
)
def test_nobody_is_late_while_no_team_works(leaves_open: Call) -> None:
    assert deadlines(leaves_open, when("07:59")) == {}
    assert "received_to_on_scene" in deadlines(leaves_open, when("08:00"))


def test_with_police_there_the_targets_run_on() -> None:
    assert deadlines(call(responses=(response(agency="police", on_scene=RECEIVED),))) == ALL


@pytest.mark.parametrize("served", ["served", "served_remotely"])
def test_a_call_that_wraps_up_has_none(served: str) -> None:
    assert deadlines(call(served_in_spell=served)) == {}


def test_a_stale_call_has_none() -> None:
    forgotten = call(responses=(response(on_scene=RECEIVED, dispatched=RECEIVED),))
    assert deadlines(forgotten, RECEIVED + 12 * HOUR - 1) == {"on_scene_to_cleared": RECEIVED + 2 * HOUR}
    assert deadlines(forgotten, RECEIVED + 12 * HOUR) == {}


def test_what_is_left_out_has_none() -> None:
    assert deadlines(call(eligible=False)) == {}
    assert deadlines(call(state="merged")) == {}


def test_once_a_unit_is_sent_only_its_arrival_is_awaited() -> None:
    sent = call(dispatch_open=False, responses=(response(dispatched=when("13:02"), shown_from=NEVER),))
    assert deadlines(sent) == TO_ARRIVAL  # a stacked dispatch, not shown yet


def test_while_a_unit_is_on_its_way_no_dispatch_is_awaited() -> None:
    until_told = response(dispatched=SENT, ends=AT + MINUTE, ended="cancelled")  # by a clock that is ahead
    going = call(dispatch_open=True, responses=(until_told,))
    assert "received_to_dispatched" not in deadlines(going, AT)
    assert "received_to_dispatched" in deadlines(going, AT + MINUTE)


def test_units_on_their_way_are_awaited_at_night_too() -> None:
    night = when("22:30")
    going = call(since=night, dispatch_open=False, responses=(response(begins=night, en_route=night),))
    assert deadlines(going, night) == {
        "received_to_on_scene": night + 20 * MINUTE,
        "eligible_to_on_scene": night + 25 * MINUTE,
        "received_to_contact": night + 30 * MINUTE,
        "en_route_to_on_scene": night + 15 * MINUTE,
    }


def test_a_contact_by_phone_is_a_contact() -> None:
    going = call(served_in_spell="served_remotely", responses=(response(staged=when("13:02")),), dispatch_open=False)
    assert deadlines(going).keys() == {"received_to_on_scene", "eligible_to_on_scene", "staged_to_on_scene"}


def test_targets_are_those_of_the_day_on_which_it_began_to_wait() -> None:
    round_the_clock = ("00:00", "00:00")
    dated = Targets(
        of_teams(
            team("red", ["east"], *round_the_clock, until="2026-03-05", targets={"received_to_on_scene": "30min"}),
            team("red", ["east"], *round_the_clock, since="2026-03-05", targets={"received_to_on_scene": "10min"}),
        )
    )
    before, after = call(since=when("23:59")), call(since=when("23:59") + MINUTE)
    at = when("23:59") + 2 * MINUTE
    assert dated.deadlines(before, at) == {"received_to_on_scene": before.since + 30 * MINUTE}
    assert dated.deadlines(after, at) == {"received_to_on_scene": after.since + 10 * MINUTE}


# --- of responses ---------------------------------------------------------------------------------------------

SENT, LEFT, STAGED, THERE = when("13:02"), when("13:04"), when("13:06"), when("13:08")
TO_SCENE = {"dispatched_to_on_scene": SENT + 18 * MINUTE}


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ({"dispatched": SENT}, TO_SCENE | {"dispatched_to_en_route": SENT + 3 * MINUTE}),
        ({"dispatched": SENT, "en_route": LEFT}, TO_SCENE | {"en_route_to_on_scene": LEFT + 15 * MINUTE}),
        (
            {"dispatched": SENT, "en_route": LEFT, "staged": STAGED},
            TO_SCENE | {"staged_to_on_scene": STAGED + 30 * MINUTE},
        ),
        ({"dispatched": SENT, "staged": STAGED}, TO_SCENE | {"staged_to_on_scene": STAGED + 30 * MINUTE}),
        ({"dispatched": SENT, "on_scene": THERE}, {"on_scene_to_cleared": THERE + 2 * HOUR}),
        ({"dispatched": SENT, "contact": THERE}, {}),  # no arrival was told: it is not missed
        ({"dispatched": SENT, "en_route": LEFT, "transporting": THERE}, {}),
        ({"en_route": LEFT, "at_destination": THERE}, {}),
        ({"on_scene": THERE, "cleared": AT - MINUTE}, {}),  # resumed after its clear: that interval has ended
    ],
)
def test_what_a_later_point_has_overtaken_is_not_awaited(
    points: dict[str, Micros], expected: dict[str, Micros]
) -> None:
    there = points.keys() & {"on_scene", "contact", "transporting", "at_destination"}
    found = deadlines(call(dispatch_open=False, arrival_open=not there, responses=(response(**points),)))
    assert {
        interval: at for interval, at in found.items() if not interval.startswith(("received", "eligible"))
    } == expected


def test_a_response_is_awaited_while_it_works_and_is_shown() -> None:
    def found(**fields: Any) -> bool:
        going = response(dispatched=SENT, **fields)
        return "dispatched_to_en_route" in deadlines(call(responses=(going,), dispatch_open=False))

    assert found()
    assert not found(shown_from=AT + 1)
    assert not found(ends=AT, ended="cancelled")
    assert not found(agency="police")
    assert not found(team="blue")  # it has no such target


def test_of_two_units_the_one_that_is_late_first_counts() -> None:
    first, second = response(dispatched=SENT), response(unit="M2", dispatched=LEFT, begins=LEFT)
    for units in ((first, second), (second, first)):
        found = deadlines(call(responses=units, dispatch_open=False))
        assert found["dispatched_to_en_route"] == SENT + 3 * MINUTE


def test_once_one_unit_is_there_the_other_is_not_awaited_for_the_call() -> None:
    there, going = response(on_scene=THERE), response(unit="M2", dispatched=SENT, en_route=LEFT)
    found = deadlines(call(responses=(there, going), dispatch_open=False, arrival_open=False))
    assert found == {
        "on_scene_to_cleared": THERE + 2 * HOUR,
        "en_route_to_on_scene": LEFT + 15 * MINUTE,
    }


def test_a_response_has_the_targets_of_the_day_on_which_it_began() -> None:
    dated = Targets(
        of_teams(
            team("red", ["east"], "00:00", "00:00", until="2026-03-05", targets={"dispatched_to_en_route": "30min"}),
            team("red", ["east"], "00:00", "00:00", since="2026-03-05", targets={"dispatched_to_en_route": "10min"}),
        )
    )
    began = when("23:59")
    old, new = (response(begins=at, dispatched=at) for at in (began, began + MINUTE))
    assert dated.deadlines(call(responses=(old,)), began + MINUTE) == {"dispatched_to_en_route": began + 30 * MINUTE}
    assert dated.deadlines(call(responses=(new,)), began + MINUTE) == {"dispatched_to_en_route": began + 11 * MINUTE}
