"""The stage of an open call: the first that fits."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.clock import HOUR, NEVER, Micros
from streams.derive.stage import STAGES, stage, turns, waits
from streams.entries import Call
from tests.unit.open_calls import MINUTE, RECEIVED, call, calls, of_teams, response, small, team, times, when

RULES = small()
AT = when("13:10")


def police(**fields: Any) -> Any:
    return response(unit="P1", agency="police", **fields)


# --- who works on it ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        ({}, "dispatched"),  # any point of a unit means that it was sent
        ({"dispatched": RECEIVED}, "dispatched"),
        ({"dispatched": RECEIVED, "en_route": RECEIVED}, "en_route"),
        ({"en_route": RECEIVED, "staged": RECEIVED}, "staged"),
        ({"staged": RECEIVED, "on_scene": RECEIVED}, "on_scene"),
        ({"dispatched": RECEIVED, "contact": RECEIVED}, "on_scene"),
        ({"on_scene": RECEIVED, "transporting": RECEIVED}, "transporting"),
        ({"dispatched": RECEIVED, "at_destination": RECEIVED}, "transporting"),
    ],
)
def test_a_unit_is_as_far_as_its_furthest_point(points: dict[str, Micros], expected: str) -> None:
    assert stage(call(responses=(response(**points),)), AT, RULES) == expected


def test_the_furthest_of_several_units_counts() -> None:
    there = response(on_scene=RECEIVED)
    going = response(unit="M2", en_route=RECEIVED)
    assert stage(call(responses=(going, there)), AT, RULES) == "on_scene"
    assert stage(call(responses=(there, going)), AT, RULES) == "on_scene"


def test_a_unit_that_was_taken_away_leaves_the_call_waiting() -> None:
    diverted = call(responses=(response(ends=AT, ended="diverted", en_route=RECEIVED),))
    assert stage(diverted, AT - 1, RULES) == "en_route"
    assert stage(diverted, AT, RULES) == "waiting"


def test_a_stacked_dispatch_shows_from_when_the_unit_leaves_where_it_is() -> None:
    stacked = call(responses=(response(shown_from=AT, dispatched=when("13:02")),), dispatch_open=False)
    assert stage(stacked, AT - 1, RULES) == "waiting"
    assert stage(stacked, AT, RULES) == "dispatched"
    never = call(responses=(response(shown_from=NEVER, dispatched=when("13:02")),))
    assert stage(never, AT, RULES) == "waiting"


def test_between_cleared_and_closed_it_wraps_up() -> None:
    cleared = response(on_scene=RECEIVED, cleared=AT, ends=AT, ended="cleared")
    served = call(responses=(cleared,), served="served", served_in_spell="served")
    assert stage(served, AT - 1, RULES) == "on_scene"
    assert stage(served, AT, RULES) == "wrapping_up"
    assert not waits(served, AT, RULES)


def test_solved_by_phone_it_wraps_up_also_where_police_are_there() -> None:
    assert stage(call(served_in_spell="served_remotely", responses=(police(),)), AT, RULES) == "wrapping_up"


def test_what_was_served_before_a_reopening_does_not_count() -> None:
    assert stage(call(served="served", spell=1), AT, RULES) == "waiting"


def test_with_police_it_waits_for_care_all_the_same() -> None:
    with_police = call(responses=(police(on_scene=RECEIVED),))
    assert stage(with_police, AT, RULES) == "with_others"
    assert waits(with_police, AT, RULES)


def test_with_police_at_night_nobody_is_waited_for() -> None:
    at_night = call(since=when("04:30"), responses=(police(begins=when("04:30")),))
    assert stage(at_night, when("04:40"), RULES) == "with_others"
    assert not waits(at_night, when("04:40"), RULES)


def test_a_care_unit_goes_before_police() -> None:
    assert stage(call(responses=(police(on_scene=RECEIVED), response())), AT, RULES) == "dispatched"


# --- left out -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["merged", "closed"])
def test_what_is_not_open_is_left_out(state: str) -> None:
    assert stage(call(state=state, responses=(response(),)), AT, RULES) is None


def test_an_ineligible_call_is_left_out_unless_a_care_unit_works_on_it() -> None:
    assert stage(call(eligible=False), AT, RULES) is None
    assert stage(call(eligible=False, responses=(police(),)), AT, RULES) is None
    with_care = call(eligible=False, responses=(response(ends=AT, ended="cleared", on_scene=RECEIVED),))
    assert stage(with_care, AT - 1, RULES) == "on_scene"
    assert stage(with_care, AT, RULES) is None
    assert not waits(with_care, AT, RULES)


# --- time -----------------------------------------------------------------------------------------------------


def test_stale_after_twelve_hours_without_a_word() -> None:
    round_the_clock = small(team("green", ["east"], "00:00", "00:00"))
    for responses, before in (
        ((), "waiting"),
        ((response(on_scene=RECEIVED),), "on_scene"),
        ((police(),), "with_others"),
    ):
        forgotten = call(responses=responses)
        assert stage(forgotten, RECEIVED + 12 * HOUR - 1, round_the_clock) == before
        assert stage(forgotten, RECEIVED + 12 * HOUR, round_the_clock) == "stale"
        assert not waits(forgotten, RECEIVED + 12 * HOUR, round_the_clock)


def test_an_appointment_is_not_stale_before_its_time() -> None:
    tomorrow = RECEIVED + 20 * HOUR
    appointment = call(scheduled_for=tomorrow, since=tomorrow, last_said=RECEIVED)
    assert stage(appointment, RECEIVED + 13 * HOUR, RULES) == "scheduled"
    assert stage(appointment, tomorrow + 12 * HOUR - 1, RULES) != "stale"
    assert stage(appointment, tomorrow + 12 * HOUR, RULES) == "stale"


def test_a_scheduled_call_waits_from_its_time_on() -> None:
    at_five = when("17:00")
    appointment = call(scheduled_for=at_five, since=at_five, last_said=RECEIVED)
    assert stage(appointment, at_five - 1, RULES) == "scheduled"
    assert not waits(appointment, at_five - 1, RULES)
    assert stage(appointment, at_five, RULES) == "waiting"
    assert waits(appointment, at_five, RULES)


def test_with_police_before_its_time_a_scheduled_call_does_not_wait() -> None:
    appointment = call(scheduled_for=when("17:00"), responses=(police(),))
    assert stage(appointment, AT, RULES) == "with_others"
    assert not waits(appointment, AT, RULES)
    assert waits(appointment, when("17:00"), RULES)


# --- area and hours -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("area", "at", "expected"),
    [
        ("east", "07:59", "outside_hours"),
        ("east", "08:00", "waiting"),
        ("east", "21:59", "waiting"),  # by now blue covers it
        ("east", "22:00", "outside_hours"),
        ("south", "13:59", "outside_hours"),
        ("south", "14:00", "waiting"),
        ("west", "13:00", "outside_area"),
        ("other", "13:00", "waiting"),  # an area that the file does not know: any team may cover it
        ("other", "03:00", "outside_hours"),
    ],
)
def test_outside_hours_and_area(area: str, at: str, expected: str) -> None:
    assert stage(call(area=area, since=when(at) - MINUTE), when(at), RULES) == expected


def test_coverage_is_that_of_the_day() -> None:
    later = small(team("green", ["west"], "08:00", "16:00", since="2026-03-05"))
    assert stage(call(area="west"), AT, later) == "outside_area"
    assert stage(call(area="west", since=AT + 20 * HOUR), AT + 24 * HOUR, later) == "waiting"


def test_an_unknown_area_is_never_outside_the_area() -> None:
    not_yet = of_teams(team("green", ["west"], "08:00", "16:00", since="2026-03-05"))
    assert stage(call(area="other"), AT, not_yet) == "outside_hours"
    assert stage(call(area="west"), AT, not_yet) == "outside_area"


# --- any call -------------------------------------------------------------------------------------------------


@given(call=calls(), now=times)
def test_every_call_is_in_one_stage_or_left_out(call: Call, now: Micros) -> None:
    found = stage(call, now, RULES)
    assert (found is None) == (call.state != "open" or (not call.eligible and not care_works(call, now)))
    assert found is None or found in STAGES
    if waits(call, now, RULES):
        assert found in ("waiting", "with_others")
    if found == "waiting":
        assert waits(call, now, RULES)


def care_works(call: Call, now: Micros) -> bool:
    return any(each.agency == "care" and each.shown_from <= now < each.ends for each in call.responses)


@given(call=calls(), begins=times, minutes=st.integers(0, 60))
def test_a_stage_changes_at_its_turns_and_where_hours_do_only(call: Call, begins: Micros, minutes: int) -> None:
    end = begins + minutes * MINUTE
    if not any(begins < at <= end for at in turns(call, RULES)) and RULES.changes(begins) > end:
        assert stage(call, begins, RULES) == stage(call, end, RULES)
        assert waits(call, begins, RULES) == waits(call, end, RULES)
