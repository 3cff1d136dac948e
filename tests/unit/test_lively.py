"""A demo lives at any hour: crews around the clock, calls as the crews can take them, time that runs faster, any program."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from feeds.errors import FeedError
from feeds.invented import invented, simulation_of
from feeds.lively import busy, faster, sooner
from feeds.simulate import builtin, load_simulation, simulate
from feeds.simulation import check_against
from feeds.wire import encode, topic_of
from streams import door, programs
from streams.clock import micros
from streams.events import CallReceived, CallTriaged, CaseOpened, Event, Heartbeat, UnitDispatched
from streams.programs import Profile, duration
from tests.unit.lively import FOLDER, PROGRAMS, lively
from tests.unit.strategies import SMALL

#: A night, a Sunday, the nights on which clocks change, noon of a holiday.
HOURS = [
    datetime(2026, 11, 25, 9, 50, tzinfo=UTC),
    datetime(2026, 11, 29, 5, 59, tzinfo=UTC),
    datetime(2026, 11, 1, 6, 30, tzinfo=UTC),
    datetime(2027, 3, 14, 8, 1, tzinfo=UTC),
    datetime(2026, 12, 25, 18, 0, tzinfo=UTC),
]


@pytest.mark.parametrize("program", PROGRAMS)
def test_without_a_change_the_program_is_the_same(program: str) -> None:
    assert lively(program, around_the_clock=False) == programs.load(FOLDER / f"{program}.toml")


@pytest.mark.parametrize("at", HOURS, ids=str)
@pytest.mark.parametrize("program", PROGRAMS)
def test_every_team_in_force_works_at_any_hour(program: str, at: datetime) -> None:
    profile = lively(program)
    before = programs.load(FOLDER / f"{program}.toml")
    local = at.astimezone(profile.zone)
    active = [team for team in profile.teams if team.active(local.date())]
    assert active
    for team in active:
        assert team.works(local)
        planned = max([shift.units for old in before.teams if old.code == team.code for shift in old.staffing])
        assert 2 <= team.planned(local) <= max(2, planned)


def test_with_more_speed_targets_and_followups_come_sooner() -> None:
    slow, fast = lively("chicago"), lively("chicago", speed=10)
    for key, target in slow.targets.items():
        assert fast.targets[key] * 10 == target
    for one, other in zip(slow.teams, fast.teams, strict=True):
        for point, quick in zip(one.followups, other.followups, strict=True):
            assert (point.id, point.kinds) == (quick.id, quick.kinds)
            assert duration(quick.due) * 10 == duration(point.due)


@pytest.mark.parametrize(
    ("text", "speed", "result"),
    [("8min", 1, "8min"), ("8min", 10, "48s"), ("3s", 60, "1s"), ("90d", 1.5, "86400min"), ("1d", 7, "12343s")],
)
def test_a_duration_gets_shorter(text: str, speed: float, result: str) -> None:
    assert sooner(text, speed) == result


def day(profile: Profile, at: datetime, speed: float = 1.0) -> Counter[type[Event]]:
    """A simulated day."""
    simulation = faster(busy(simulation_of(profile), profile, at.astimezone(profile.zone)), speed)
    return Counter(type(event) for event in simulate(profile, simulation, at, at + timedelta(days=1 / speed), 1))


@pytest.mark.parametrize("program", PROGRAMS)
def test_calls_come_at_any_hour_and_crews_can_take_them(program: str) -> None:
    profile = lively(program)
    found = day(profile, HOURS[0])
    assert found[CallReceived] > 20
    assert found[UnitDispatched] > found[CallReceived] / 4
    simulation = busy(simulation_of(profile), profile, HOURS[0].astimezone(profile.zone))
    assert {simulation.calls_per_hour(at) for at in HOURS} == {simulation.calls_per_hour(HOURS[0])}
    assert simulation.calls_per_hour(HOURS[0]) == pytest.approx(simulation.peak_per_hour)


def test_a_simulated_day_has_as_many_calls_at_any_speed() -> None:
    slow = day(lively("seattle"), HOURS[0])[CallReceived]
    fast = day(lively("seattle", speed=12), HOURS[0], 12)[CallReceived]
    assert slow / 1.5 < fast < slow * 1.5


# --- programs without a simulation of their own -----------------------------------------------------------------


def test_any_program_can_be_simulated() -> None:
    simulation = invented(SMALL)
    check_against(simulation, SMALL)
    start = datetime(2025, 3, 3, 12, tzinfo=UTC)
    end = start + timedelta(days=3)
    events = [event for event in simulate(SMALL, simulation, start, end, 1) if not isinstance(event, Heartbeat)]
    assert Counter(type(event) for event in events)[CallTriaged] > 10
    assert any(isinstance(event, CaseOpened) and event.kind == "case_management" for event in events)
    for event in events:
        decoded = door.decode(topic_of(event), b"small", encode(event), {"small": SMALL}, micros(end))
        assert decoded == event
    areas = {event.area for event in events if isinstance(event, CallReceived)}
    assert areas == {"north", "south"}, "those that a team covers"


def test_the_simulation_that_comes_with_a_program_is_taken_if_it_fits() -> None:
    chicago = programs.load(FOLDER / "chicago.toml")
    assert simulation_of(chicago) == load_simulation(builtin("chicago"))
    with pytest.raises(FeedError):
        builtin("small")
    assert simulation_of(SMALL).program == "small"


def test_a_file_of_the_same_name_and_another_city_gets_one_of_its_own(tmp_path: Path) -> None:
    text = (FOLDER / "chicago.toml").read_text()
    file = tmp_path / "chicago.toml"
    file.write_text(text.replace("mental_health = {", "crisis = {"))
    simulation = simulation_of(programs.load(file))
    assert "crisis" in simulation.call_types
