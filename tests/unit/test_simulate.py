"""The simulator: the same each time, in order, accepted at the door, with everything in it that a program has."""

from __future__ import annotations

import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest

from feeds.errors import FeedError
from feeds.simulate import builtin, load_simulation, simulate
from feeds.wire import encode, topic_of
from streams import door, events, programs
from streams.clock import micros
from streams.events import Event, Heartbeat

PROFILES = programs.load_all(Path(__file__).parents[2] / "programs")
PROGRAMS = ["cambridge", "chicago", "seattle"]
START = datetime(2025, 3, 3, 7, 30, tzinfo=UTC)  # a Monday, 1:30 in Chicago; daylight saving begins on Sunday
WEEK = timedelta(days=7)


@cache
def week(program: str, seed: int = 1) -> list[Event]:
    return list(simulate(PROFILES[program], load_simulation(builtin(program)), START, START + WEEK, seed))


def kinds(program: str) -> Counter[type[Event]]:
    return Counter(type(event) for event in week(program))


@pytest.mark.parametrize("program", PROGRAMS)
def test_the_same_seed_gives_the_same_events(program: str) -> None:
    simulation = load_simulation(builtin(program))
    day = START + timedelta(days=1)
    first = list(simulate(PROFILES[program], simulation, START, day, 1))
    assert first == week(program)[: len(first)], "whatever the end is"
    assert first != list(simulate(PROFILES[program], simulation, START, day, 2))


@pytest.mark.parametrize("program", PROGRAMS)
def test_in_time_order_and_inside_the_period(program: str) -> None:
    times = [micros(event.at) for event in week(program)]
    assert times == sorted(times)
    assert times[0] == micros(START)
    assert times[-1] < micros(START + WEEK)


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_event_is_accepted(program: str) -> None:
    now = micros(START + WEEK)
    for event in week(program):
        key, value = program.encode(), encode(event)
        assert door.decode(topic_of(event), key, value, PROFILES, now) == event
    assert len({event.id for event in week(program)}) == len(week(program))


@pytest.mark.parametrize("program", PROGRAMS)
def test_heartbeats_each_minute_on_each_topic(program: str) -> None:
    beats = [(event.at, event.topic) for event in week(program) if isinstance(event, Heartbeat)]
    minutes = [START + timedelta(minutes=m) for m in range(7 * 24 * 60)]
    assert beats == list(itertools.product(minutes, ("dispatch", "status", "followup")))


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_week_has_what_a_program_has(program: str) -> None:
    found = kinds(program)
    for kind in (
        events.CallTriaged, events.UnitEnRoute, events.UnitOnScene, events.ContactMade, events.UnitTransporting,
        events.UnitAtDestination, events.CallClosed, events.ReferralMade, events.UnitStatus, events.FollowupAttempted,
    ):  # fmt: skip
        assert found[kind], kind
    assert found[events.CallReceived] >= found[events.CallClosed] > 0.9 * found[events.CallReceived]
    assert found[events.UnitDispatched] - found[events.UnitCleared] < 10
    assert bool(found[events.NeedlesCollected]) == (program == "cambridge")
    assert bool(found[events.OutreachAttempted]) == (program == "chicago")
    cases = {event.kind for event in week(program) if isinstance(event, events.CaseOpened)}
    assert cases == {"chicago": {"overdose"}, "cambridge": {"case_management"}, "seattle": set()}[program]
    closed = [event for event in week(program) if isinstance(event, events.CallClosed)]
    assert any(event.person for event in closed)
    assert any(event.outcome is None for event in closed)
    assert any(event.unserved_reason for event in closed)


@pytest.mark.parametrize(("program", "least", "most"), [("cambridge", 4, 10), ("chicago", 7, 15), ("seattle", 18, 32)])
def test_volumes_are_realistic(program: str, least: float, most: float) -> None:
    eligible = [
        event
        for event in week(program)
        if isinstance(event, events.CallTriaged)
        and event.eligible
        and event.at.astimezone(PROFILES[program].zone).weekday() < 5
    ]
    assert least <= len(eligible) / 5 <= most


@pytest.mark.parametrize("program", PROGRAMS)
def test_units_work_one_call_at_a_time_and_in_their_shifts(program: str) -> None:
    """A unit is sent only when it is available; its statuses follow its calls."""
    status: dict[str, str] = {}
    profile = PROFILES[program]
    for event in week(program):
        if isinstance(event, events.UnitDispatched) and event.agency is None:
            assert status[event.unit] == "available"
            assert any(t.code == event.team and t.works(event.at.astimezone(profile.zone)) for t in profile.teams)
        elif isinstance(event, events.UnitStatus):
            if event.status in ("unavailable", "off_duty"):
                assert status[event.unit] == "available", "not in the middle of a call"
            status[event.unit] = event.status
    assert set(status.values()) <= {
        "available",
        "off_duty",
        "unavailable",
        "on_scene",
        "en_route",
        "dispatched",
    }


def test_staffing_follows_the_plan_but_not_always() -> None:
    """Off duty outside the hours; on weekdays mostly as many units as planned."""
    profile = PROFILES["chicago"]
    on_duty: set[str] = set()
    gaps = Counter[bool]()
    stream = iter(week("chicago"))
    event = next(stream)
    for minute in range(0, 5 * 24 * 60, 10):
        now = START + timedelta(minutes=minute)
        while event.at <= now:
            if isinstance(event, events.UnitStatus):
                (on_duty.discard if event.status == "off_duty" else on_duty.add)(event.unit)
            event = next(stream)
        local = now.astimezone(profile.zone)
        planned = sum(team.planned(local) for team in profile.teams)
        if planned:
            gaps[len(on_duty) < planned] += 1
        elif local.hour in (2, 20):
            assert not on_duty
    assert gaps[False] > gaps[True] > 0


def test_police_are_sent_at_the_same_moment_in_seattle() -> None:
    sent: dict[str, dict[str, datetime]] = {}
    for event in week("seattle"):
        if isinstance(event, events.UnitDispatched):
            sent.setdefault(event.call, {}).setdefault(event.agency or "care", event.at)
    dual = [times for times in sent.values() if "care" in times]
    assert len(dual) > 50
    assert all(times["police"] == times["care"] for times in dual)


def test_disorder_and_duplicates_come_in_the_shares_asked_for() -> None:
    profile, simulation = PROFILES["seattle"], load_simulation(builtin("seattle"))
    mixed = list(simulate(profile, simulation, START, START + WEEK, 1, disorder=0.1, duplicates=0.05))
    counts = Counter(event.id for event in mixed)
    assert set(counts) == {event.id for event in week("seattle")}, "the same events, none lost"
    n = len(counts)
    assert max(counts.values()) == 2
    assert 0.04 < sum(count == 2 for count in counts.values()) / n < 0.06
    newest, late, seen = 0, 0, set[str]()
    for event in mixed:
        at = micros(event.at)
        if event.id not in seen:
            late += at < newest
            assert newest - at <= 5 * 60_000_000 + 60_000_000
        seen.add(event.id)
        newest = max(newest, at)
    assert 0.09 < late / n < 0.11
    by_id = {event.id: event for event in week("seattle")}
    assert all(event == by_id[event.id] for event in mixed), "the same bytes"


def test_runs_without_an_end() -> None:
    far = datetime(9000, 1, 1, tzinfo=UTC)
    stream = simulate(PROFILES["chicago"], load_simulation(builtin("chicago")), START, far, 7, disorder=0.1)
    assert len(list(itertools.islice(stream, 5_000))) == 5_000


def test_arguments_that_do_not_fit_are_refused() -> None:
    chicago = load_simulation(builtin("chicago"))
    profile = PROFILES["chicago"]
    with pytest.raises(FeedError, match="the profile is of 'seattle'"):
        simulate(PROFILES["seattle"], chicago, START, START + WEEK, 1)
    with pytest.raises(FeedError, match="has no offset"):
        simulate(profile, chicago, START.replace(tzinfo=None), START + WEEK, 1)
    with pytest.raises(FeedError, match="disorder: 2 is no share"):
        simulate(profile, chicago, START, START + WEEK, 1, disorder=2)
    with pytest.raises(FeedError, match="no simulation comes with this program"):
        builtin("atlantis")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("corrected = 0.06", "corrected = 6", "calls.corrected: Expected `float` <= 1"),
        ("corrected = 0.06", "corected = 0.06", "calls: Object "),
        ('drive = { median = "11min"', 'drive = { median = "11 minutes"', "delays.drive: '11 minutes' is no"),
        (", sun = 12.0", "", "calls.per_day: 'sun' is missing"),
        ("weekday = [1.2, ", "weekday = [", "calls.weekday: Expected `array` of length >= 24"),
        ("on_time = 0.78", "on_time = 0.98", "followups: on_time, late and after_lapse add up"),
        ("[calls]", "[calls", "not valid TOML"),
    ],
)
def test_a_bad_file_says_where(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = builtin("chicago").read_text()
    assert old in text
    file = tmp_path / "chicago.toml"
    file.write_text(text.replace(old, new))
    with pytest.raises(FeedError) as error:
        load_simulation(file)
    assert str(error.value).startswith(f"{file}: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_codes_that_the_profile_does_not_have_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "chicago.toml"
    file.write_text(builtin("chicago").read_text().replace("shelter = 2.0", "mars = 2.0"))
    with pytest.raises(FeedError, match=r"destinations\.mars: not in the profile"):
        simulate(PROFILES["chicago"], load_simulation(file), START, START + WEEK, 1)
