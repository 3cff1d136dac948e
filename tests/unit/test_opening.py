"""The first minute of a demo has everything in it, on each program, at any hour, whenever the history has been told."""

from __future__ import annotations

import functools
from collections import Counter, defaultdict, deque
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from feeds.invented import simulation_of
from feeds.lively import busy, faster
from feeds.opening import SENT, WAITED_TOO_LONG, FirstMinute
from feeds.simulate import simulate
from feeds.world import MINUTE
from streams import events, metrics, tally
from streams.clock import SECOND, Micros, micros
from streams.events import AnyEvent, Event
from streams.read import Spread, read
from streams.state import ProgramState
from tests.unit.lively import PROGRAMS, lively

#: In the night, just before crews change at midnight and at noon, some weeks after a change of clocks, in the night of one.
HOURS = [
    datetime(2026, 11, 25, 9, 0, tzinfo=UTC),
    datetime(2026, 11, 29, 5, 58, tzinfo=UTC),
    datetime(2026, 11, 29, 17, 58, tzinfo=UTC),
    datetime(2027, 3, 20, 4, 50, tzinfo=UTC),
    datetime(2027, 3, 14, 8, 1, tzinfo=UTC),
]
Numbers = list[tuple[metrics.Metric, tuple[str, ...], float]]
#: The history took so long to tell.
TOOK = 9 * SECOND


@functools.cache
def told(program: str, at: datetime, days: float, speed: float) -> list[Event]:
    """All up to a minute and a half after the first minute begins."""
    profile = lively(program, speed=speed)
    simulation = faster(busy(simulation_of(profile), profile, at.astimezone(profile.zone)), speed)
    first = FirstMinute(at, lambda: micros(at) + TOOK)
    start, end = at - timedelta(days=days / speed), at + timedelta(seconds=100)
    return list(simulate(profile, simulation, start, end, 1, first_minute=first))


def shown(program: str, at: datetime, seconds: Sequence[int]) -> Iterator[Numbers]:
    """The numbers so many seconds after the beginning, with what was told by then."""
    profile = lively(program)
    state = ProgramState(profile, tally.edges([profile]))
    coming = deque(told(program, at, 8.0, 1))
    for second in seconds:
        now = micros(at) + TOOK + second * SECOND
        while coming and micros(coming[0].at) <= now:
            state.apply(cast("AnyEvent", coming.popleft()), now)
        yield [
            (metric, labels, value)
            for metric, samples in read(state, now)
            for labels, value in samples
            if not isinstance(value, Spread)
        ]


@pytest.mark.parametrize("speed", [1, 30])
@pytest.mark.parametrize("days", [8.0, 0.01])
@pytest.mark.parametrize("at", HOURS, ids=str)
@pytest.mark.parametrize("program", PROGRAMS)
def test_calls_come_units_move_an_outcome_is_recorded(program: str, at: datetime, days: float, speed: float) -> None:
    begins = micros(at) + TOOK
    minute = [event for event in told(program, at, days, speed) if begins <= micros(event.at) < begins + MINUTE]
    assert {type(event) for event in minute} >= {
        events.CallReceived,
        events.UnitDispatched,
        events.UnitCleared,
        events.UnitStatus,
        events.FollowupAttempted,
    }
    assert any(isinstance(event, events.CallClosed) and event.outcome for event in minute)


@pytest.mark.parametrize("at", HOURS, ids=str)
@pytest.mark.parametrize("program", PROGRAMS)
def test_an_alert_fires_and_ends(program: str, at: datetime) -> None:
    """What FollowupOverdue looks at: the overdue follow-ups of a team and checkpoint are none, then some, then none."""
    overdue: dict[tuple[str, str], list[bool]] = defaultdict(list)
    seconds = (0, 9, 25, 45)
    for numbers in shown(program, at, seconds):
        sums: Counter[tuple[str, str]] = Counter()
        for metric, (_, team, _, checkpoint, state), value in (
            each for each in numbers if each[0] is metrics.FOLLOWUPS
        ):
            assert metric
            sums[team, checkpoint] += round(value) if state == "overdue" else 0
        for key, count in sums.items():
            overdue[key].append(bool(count))
    assert [False, True, True, False] in overdue.values(), overdue


def test_a_call_gets_a_unit_after_it_has_waited_too_long() -> None:
    at, begins = HOURS[0], micros(HOURS[0]) + TOOK
    history = told("seattle", at, 8.0, 1)
    received = {event.call: micros(event.at) for event in history if isinstance(event, events.CallReceived)}
    dispatched: dict[str, Micros] = {}
    for event in history:
        if isinstance(event, events.UnitDispatched):
            dispatched.setdefault(event.call, micros(event.at))
    waits = [sent - received[call] for call, sent in dispatched.items() if sent == begins + SENT * SECOND]
    assert waits == [10 * MINUTE + (SENT - WAITED_TOO_LONG) * SECOND]


def test_the_same_with_any_end() -> None:
    at = HOURS[0]
    whole = told("chicago", at, 8.0, 1)
    profile = lively("chicago")
    simulation = busy(simulation_of(profile), profile, at.astimezone(profile.zone))
    first = FirstMinute(at, lambda: micros(at) + TOOK)
    part = list(simulate(profile, simulation, at - timedelta(days=8), at, 1, first_minute=first))
    assert part == whole[: len(part)]


def test_the_clock_is_asked_once_and_only_after_the_history() -> None:
    at = HOURS[0]
    asked: list[Micros] = []

    def clock() -> Micros:
        asked.append(micros(at))
        return micros(at) + TOOK

    profile = lively("seattle")
    simulation = busy(simulation_of(profile), profile, at.astimezone(profile.zone))
    first = FirstMinute(at, clock)
    for event in simulate(profile, simulation, at - timedelta(days=1), at, 1, first_minute=first):
        assert not asked, event
    for _ in simulate(profile, simulation, at - timedelta(days=1), at + timedelta(minutes=1), 1, first_minute=first):
        pass
    assert len(asked) == 1
