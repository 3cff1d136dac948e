"""The rules of a program file: by date, by the wall clock, by codes however they are written."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams import rules as rules_module
from streams.clock import DAY, HOUR, SECOND, Micros, micros, utc
from streams.programs import DAYS, Profile
from streams.rules import Rules, UnitFacts
from tests.unit.examples import examples

MINUTE = 60 * SECOND
ALL_DAYS = list(DAYS)


def shift(from_: str, until: str, days: list[str] | None = None, **more: Any) -> dict[str, Any]:
    return {"days": days or ALL_DAYS, "from": f"{from_}:00", "until": f"{until}:00", **more}


def team(code: str, *hours: dict[str, Any], areas: tuple[str, ...] = ("east",), **more: Any) -> dict[str, Any]:
    return {"code": code, "label": code, "areas": areas, "hours": hours, **more}


def rules(*teams: dict[str, Any], timezone: str = "America/Chicago", **more: Any) -> Rules:
    file: dict[str, Any] = {
        "program": "small",
        "name": "Small",
        "timezone": timezone,
        "triages": True,
        "areas": {"east": {"label": "East", "codes": ["E-1"]}, "west": {"label": "West"}},
        "teams": teams or (team("red", shift("08:00", "16:00")),),
        "call_types": {"crisis": {"label": "Crisis", "codes": ["Crisis Call"]}},
        "outcomes": {"services": {"label": "Services", "codes": ["10-8S"]}},
    }
    return Rules(msgspec.convert(file | more, Profile))


def when(text: str) -> Micros:
    return micros(datetime.fromisoformat(text))


def day(text: str) -> int:
    return date.fromisoformat(text).toordinal()


# --- codes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "code", "label"),
    [
        ("area", "east", "east"),
        ("area", "EAST", "east"),
        ("area", "  e-1\t", "east"),
        ("area", "north", "other"),
        ("area", "", "other"),
        ("call_type", "CRISIS CALL", "crisis"),
        ("call_type", "crisiscall", "other"),
        ("outcome", "10-8s", "services"),
        ("outcome", "Refused", "refused"),  # a word of the contract, not in this file
        ("team", "Red", "red"),
        ("team", "R 1", "red"),
        ("team", "none", "other"),
        ("destination", "hospital", "other"),
    ],
)
def test_codes_are_compared_without_case_and_outer_blanks(field: str, code: str, label: str) -> None:
    small = rules(team("red", shift("08:00", "16:00"), codes=["r 1"]))
    for _ in range(2):  # found, and remembered
        assert small.label(field, code) == label
        assert small.knows(field, code) is (label != "other")


@pytest.mark.parametrize(("field", "word"), [("area", "other"), ("team", " Other"), ("outcome", "unrecorded")])
def test_every_program_knows_the_words_of_the_contract(field: str, word: str) -> None:
    small = rules(team("red", shift("08:00", "16:00")))
    assert small.label(field, word) == word.strip().lower()
    assert small.knows(field, word)


def test_codes_of_all_versions_of_a_team_are_its_codes() -> None:
    old = team("red", shift("08:00", "16:00"), codes=["R1"], until="2024-01-01")
    new = team("red", shift("08:00", "16:00"), codes=["R2"], since="2024-01-01")
    small = rules(old, new)
    assert {small.label("team", code) for code in ("red", "r1", "r2")} == {"red"}


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules_module, "KEPT", 10)
    small = rules()
    for number in range(1000):
        assert small.label("area", f"beat {number}") == "other"
        assert small.unit(f"U{number}").unit == f"U{number}"
    assert small.label("area", "e-1") == "east"
    assert all(len(kept) <= 10 for kept in (small._units, small.labels["area"]))


# --- units ---------------------------------------------------------------------------------------------------


def test_an_alias_is_the_unit() -> None:
    small = rules(units={"M1": {"aliases": ["Medic 1"], "agency": "ems", "team": "red"}, "M2": {}})
    assert small.unit("Medic 1") == small.unit("M1") == small.unit(" medic 1") == UnitFacts("M1", "ems", "red")
    assert small.unit("M2") == UnitFacts("M2", None, None)
    assert small.unit("Medic 2") == UnitFacts("Medic 2", None, None)


# --- days ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "at", "on"),
    [
        ("America/Chicago", "2024-05-15T04:59:59.999999Z", "2024-05-14"),
        ("America/Chicago", "2024-05-15T05:00:00Z", "2024-05-15"),
        ("America/Chicago", "2024-01-15T05:59:59.999999Z", "2024-01-14"),
        ("Asia/Kathmandu", "2024-05-15T18:15:00Z", "2024-05-16"),
        ("Asia/Kathmandu", "2024-05-15T18:14:59.999999Z", "2024-05-15"),
    ],
)
def test_days_are_local(zone: str, at: str, on: str) -> None:
    assert rules(timezone=zone).day(when(at)) == day(on)


zones = st.sampled_from(
    ["America/Chicago", "Asia/Kathmandu", "Australia/Lord_Howe", "America/Santiago", "Africa/Cairo"]
)
moments = st.integers(when("2023-01-01T00:00:00Z") // SECOND, when("2026-12-31T00:00:00Z") // SECOND).map(
    lambda second: second * SECOND
)


@given(zones, moments)
def test_a_day_is_what_the_calendar_of_the_zone_says(zone: str, at: Micros) -> None:
    small = rules(timezone=zone)
    assert small.day(at) == utc(at).astimezone(small.profile.zone).toordinal()


# --- by date -------------------------------------------------------------------------------------------------

MOVED = rules(
    team(
        "red",
        shift("08:00", "16:00"),
        areas=("east", "west"),
        until="2024-06-01",
        targets={"received_to_on_scene": "20min"},
    ),
    team(
        "red", shift("10:00", "18:00"), areas=("west",), since="2024-06-01", targets={"received_to_on_scene": "10min"}
    ),
    team("blue", shift("08:00", "16:00"), since="2024-06-01", targets={"received_to_on_scene": "40min"}),
)


def test_coverage_holds_by_date() -> None:
    assert MOVED.covering("east", day("2024-05-31")) == ("red",)
    assert MOVED.covering("east", day("2024-06-01")) == ("blue",)
    assert MOVED.covering("west", day("2024-05-31")) == MOVED.covering("west", day("2024-06-01")) == ("red",)


def test_every_team_in_force_may_cover_an_unknown_area() -> None:
    assert MOVED.covering("other", day("2024-05-31")) == ("red",)
    assert MOVED.covering("other", day("2024-06-01")) == ("red", "blue")
    assert MOVED.covering("an area of an earlier file", day("2024-06-01")) == ("red", "blue")


def test_an_area_of_no_team_is_covered_by_none() -> None:
    assert rules().covering("west", day("2024-05-31")) == ()
    assert rules().working("west", when("2024-05-31T12:00:00-05:00")) == ()


def test_hours_hold_by_date() -> None:
    assert [MOVED.open("red", when(f"2024-05-31T{hour}:00:00-05:00")) for hour in ("08", "17")] == [True, False]
    assert [MOVED.open("red", when(f"2024-06-01T{hour}:00:00-05:00")) for hour in ("08", "17")] == [False, True]
    assert MOVED.working("east", when("2024-05-31T09:00:00-05:00")) == ("red",)
    assert MOVED.working("east", when("2024-06-01T09:00:00-05:00")) == ("blue",)
    assert MOVED.working("other", when("2024-06-01T11:00:00-05:00")) == ("red", "blue")


def test_targets_hold_by_date() -> None:
    def asked(on: str) -> list[Micros | None]:
        return [MOVED.target(code, "received_to_on_scene", day(on)) for code in ("red", "blue", "gone")]

    assert asked("2024-05-31") == [20 * MINUTE, None, None]
    assert asked("2024-06-01") == [10 * MINUTE, 40 * MINUTE, None]
    assert MOVED.target("red", "received_to_contact", day("2024-06-01")) is None


def test_the_shortest_target_is_of_the_teams_that_cover_the_area_then() -> None:
    assert MOVED.shortest_target("east", "received_to_on_scene", day("2024-05-31")) == 20 * MINUTE
    assert MOVED.shortest_target("east", "received_to_on_scene", day("2024-06-01")) == 40 * MINUTE
    assert MOVED.shortest_target("other", "received_to_on_scene", day("2024-06-01")) == 10 * MINUTE
    assert MOVED.shortest_target("east", "received_to_dispatched", day("2024-06-01")) is None


def test_a_team_that_is_gone_from_the_file_neither_works_nor_is_planned() -> None:
    noon = when("2024-06-01T12:00:00-05:00")
    assert not MOVED.open("gone", noon)
    assert MOVED.planned("gone", noon) == 0


# --- shifts --------------------------------------------------------------------------------------------------


def test_a_night_shift_belongs_to_the_day_on_which_it_begins() -> None:
    night = rules(team("red", shift("22:00", "06:00", ["fri"])))
    worked = {"2024-05-17T05:00": False, "2024-05-17T22:00": True, "2024-05-18T05:59": True, "2024-05-18T06:00": False}
    assert {text: night.open("red", when(f"{text}:00-05:00")) for text in worked} == worked


def test_a_shift_begun_on_the_last_night_ends_under_the_version_it_began_with() -> None:
    night = [shift("20:00", "04:00"), shift("20:00", "02:00")]
    plan = [shift("20:00", "04:00", units=3)]
    old = team("red", night[0], until="2024-06-01", staffing=plan)
    new = team("red", night[1], since="2024-06-01", staffing=[shift("20:00", "02:00", units=1)])
    small = rules(old, new)
    for hour, units in (("03", 3), ("04", 0), ("19", 0), ("20", 1)):
        at = when(f"2024-06-01T{hour}:00:00-05:00")
        assert small.planned("red", at) == units
        assert small.open("red", at) is (units > 0)
    after = when("2024-06-02T03:00:00-05:00")
    assert not small.open("red", after)
    ended = rules(old)
    assert ended.open("red", when("2024-06-01T03:59:59-05:00"))
    assert not ended.open("red", when("2024-06-01T20:00:00-05:00"))


def test_the_last_night_of_a_team_is_worked_to_its_end() -> None:
    """Coverage is of the day on which a call begins; hours, and the areas worked for, of the day on which the shift did."""
    red = team("red", shift("20:00", "04:00"), until="2024-06-01")
    blue = team("blue", shift("08:00", "16:00"), since="2024-06-01")
    small = rules(red, blue)
    assert small.working("east", when("2024-05-31T23:59:59-05:00")) == ("red",)
    assert small.working("east", when("2024-06-01T01:00:00-05:00")) == ("red",)
    assert small.working("east", when("2024-06-01T05:00:00-05:00")) == ()
    assert small.covering("east", day("2024-06-01")) == ("blue",)


def test_plans_that_overlap_add_up() -> None:
    small = rules(
        team(
            "red",
            shift("08:00", "16:00"),
            staffing=[shift("08:00", "16:00", units=2), shift("12:00", "00:00", units=1)],
        )
    )
    at = {hour: small.planned("red", when(f"2024-05-15T{hour}:00:00-05:00")) for hour in ("07", "08", "12", "16", "23")}
    assert at == {"07": 0, "08": 2, "12": 3, "16": 1, "23": 1}
    assert small.planned("red", when("2024-05-16T00:00:00-05:00")) == 0


# --- nights on which the clocks change -----------------------------------------------------------------------


def worked(small: Rules, begins: str, hours: int) -> float:
    """Hours that red works from a time on, looked at by the minute."""
    first = when(begins)
    return sum(small.open("red", first + minute * MINUTE) for minute in range(hours * 60)) / 60


@pytest.mark.parametrize(
    ("until", "hours"),
    [("01:00", 3), ("01:30", 3.5), ("02:00", 5), ("06:00", 9)],  # 01:00 to 02:00 comes twice
)
def test_an_overnight_shift_of_the_autumn_night_is_one_shift(until: str, hours: float) -> None:
    small = rules(team("red", shift("22:00", until, ["sat"])))
    begins = when("2024-11-02T22:00:00-05:00")
    assert worked(small, "2024-11-02T12:00:00-05:00", 24) == hours
    assert small.open("red", begins)
    assert small.open("red", begins + round(hours * HOUR) - 1)
    assert not small.open("red", begins + round(hours * HOUR))


def test_a_shift_that_begins_in_the_hour_that_comes_twice_begins_once() -> None:
    small = rules(team("red", shift("01:30", "04:00", ["sun"])))
    assert worked(small, "2024-11-03T00:00:00-05:00", 24) == 3.5
    assert small.open("red", when("2024-11-03T01:30:00-05:00"))
    assert small.open("red", when("2024-11-03T01:00:00-06:00"))


@pytest.mark.parametrize(
    ("from_", "until", "hours"),
    [
        ("22:00", "06:00", 7),
        ("22:00", "02:30", 4),
        ("22:00", "02:00", 4),
        ("22:00", "03:00", 4),
    ],  # 02:00 to 03:00 is skipped
)
def test_an_overnight_shift_of_the_spring_night_is_an_hour_shorter(from_: str, until: str, hours: float) -> None:
    small = rules(team("red", shift(from_, until, ["sat"])))
    assert worked(small, "2024-03-09T12:00:00-06:00", 24) == hours


def test_a_shift_that_would_begin_in_the_hour_that_is_skipped_begins_after_it() -> None:
    small = rules(team("red", shift("02:30", "04:00", ["sun"])))
    assert worked(small, "2024-03-10T00:00:00-06:00", 24) == 1
    assert small.open("red", when("2024-03-10T03:00:00-05:00"))
    assert not small.open("red", when("2024-03-10T01:59:59-06:00"))


@pytest.mark.parametrize(
    "zone", ["America/Chicago", "America/Santiago", "Africa/Cairo", "Asia/Beirut", "America/Havana"]
)
def test_a_team_that_works_round_the_clock_never_stops(zone: str) -> None:
    always = shift("00:00", "00:00", units=2)
    small = rules(team("red", shift("00:00", "00:00"), staffing=[always]), timezone=zone)
    start = when("2024-01-01T12:00:00Z")
    for quarter in range(366 * 96):
        at = start + quarter * 15 * MINUTE
        assert (small.open("red", at), small.planned("red", at)) == (True, 2), utc(at)


# --- when anything changes -----------------------------------------------------------------------------------


def test_changes_are_hours_plans_and_midnight() -> None:
    small = rules(team("red", shift("08:00", "16:00", ["wed"]), staffing=[shift("22:00", "02:00", ["wed"], units=1)]))
    at = when("2024-05-15T07:00:00-05:00")  # a Wednesday
    found = []
    for _ in range(7):
        at = small.changes(at)
        found.append(utc(at).astimezone(small.profile.zone).strftime("%a %H:%M"))
    assert found == ["Wed 08:00", "Wed 16:00", "Wed 22:00", "Thu 00:00", "Thu 02:00", "Fri 00:00", "Sat 00:00"]


times_of_day = st.times().map(
    lambda each: each.replace(minute=each.minute // 15 * 15, second=0, microsecond=0).isoformat("minutes")
)
shifts_of_any = st.builds(
    shift, times_of_day, times_of_day, st.lists(st.sampled_from(ALL_DAYS), min_size=1, unique=True)
)
dates = st.dates(date(2024, 1, 1), date(2024, 12, 31))


@st.composite
def any_rules(draw: st.DrawFn) -> Rules:
    """Two teams, one of them with two versions."""
    turn = draw(dates)
    versions = [("red", {"until": turn.isoformat()}), ("red", {"since": turn.isoformat()}), ("blue", {})]
    teams = []
    for code, dated in versions:
        hours = draw(st.lists(shifts_of_any, min_size=1, max_size=2))
        plans = [each | {"units": draw(st.integers(0, 3))} for each in draw(st.lists(shifts_of_any, max_size=2))]
        areas = draw(st.sampled_from([("east",), ("east", "west"), ("west",)]))
        teams.append(team(code, *hours, areas=areas, staffing=plans, **dated))
    return rules(*teams, timezone=draw(zones))


moments_of_2024 = st.integers(when("2024-01-02T00:00:00Z") // MINUTE, when("2024-12-30T00:00:00Z") // MINUTE).map(
    lambda minute: minute * MINUTE
)


def answers(small: Rules, at: Micros) -> list[Any]:
    teams = [(small.open(code, at), small.planned(code, at)) for code in ("red", "blue")]
    return [*teams, *(small.working(area, at) for area in ("east", "west", "other"))]


@settings(max_examples=examples(100))
@given(any_rules(), moments_of_2024)
def test_nothing_changes_between_changes(small: Rules, at: Micros) -> None:
    until = small.changes(at)
    assert at < until <= at + DAY + 2 * HOUR
    inside = [at + (until - at) * part // 7 for part in range(7)] + [until - 1]
    assert all(answers(small, each) == answers(small, at) for each in inside)


@settings(max_examples=examples(100))
@given(any_rules(), moments_of_2024)
def test_hours_are_those_of_the_wall_clock(small: Rules, at: Micros) -> None:
    """Where the clocks do not change: said another way, by the shifts of the version of the day on which each begins."""
    zone = small.profile.zone
    now = utc(at).astimezone(zone)
    midnight = now.replace(hour=0, minute=0, second=0, tzinfo=None)
    whole = {(midnight + timedelta(days=days)).replace(tzinfo=zone).utcoffset() for days in range(-1, 3)}
    if len(whole) > 1:
        return
    for code in ("red", "blue"):
        open_, planned = False, 0
        for begun in (now.date() - timedelta(days=1), now.date()):
            for each in (each for each in small.profile.teams if each.code == code and each.active(begun)):
                for window in (*each.hours, *each.staffing):
                    begins = datetime.combine(begun, window.from_)
                    longer = timedelta(days=0 if window.from_ < window.until else 1)
                    ends = datetime.combine(begun + longer, window.until)
                    if DAYS[begun.weekday()] in window.days and begins <= now.replace(tzinfo=None) < ends:
                        open_ = open_ or window in each.hours
                        planned += getattr(window, "units", 0)
        assert (small.open(code, at), small.planned(code, at)) == (open_, planned)


@settings(max_examples=examples(100))
@given(any_rules(), moments_of_2024)
def test_who_works_covers_the_area_and_is_open(small: Rules, at: Micros) -> None:
    for area in ("east", "west", "other"):
        covering = small.covering(area, small.day(at))
        assert small.working(area, at) == tuple(code for code in covering if small.open(code, at))


# --- stale ---------------------------------------------------------------------------------------------------


def test_stale_after() -> None:
    assert (rules().stale_call, rules().stale_unit) == (12 * HOUR, 16 * HOUR)
    told = rules(stale_after={"call": "90min"})
    assert (told.stale_call, told.stale_unit) == (90 * MINUTE, 16 * HOUR)
