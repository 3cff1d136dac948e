"""What one scrape shows belongs together, and what it remembers does not show."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents import collector
from agents.checks import Checks
from agents.collector import Collector, ProgramSheets
from agents.owner import Owner
from agents.pipeline import Pipeline
from agents.place import Places
from agents.recovery import RecoveryWatch
from agents.settings import Settings
from agents.skew import Skew
from carewatch.settings import PROGRAMS
from streams.clock import DAY
from streams.events import CallReceived
from streams.programs import load_all
from streams.state import ProgramState
from tests.unit.examples import examples
from tests.unit.strategies import HOUR, NOON, SMALL, Step, hostile, received, years


class Worker:
    """What the collector needs of one, with all programs of its profiles."""

    def __init__(self, profiles: Any) -> None:
        self.owner = Owner(profiles, 8)
        self.owner.take({partition: {} for partition in range(8)})
        self.pipeline = Pipeline()
        self.recovery = RecoveryWatch(lambda: 0)
        self.places, self.skew = (
            Places(lambda topic, partition: None, lambda topic, partition: None, lambda topic: ""),
            Skew(),
        )
        self.places.take(dict.fromkeys(range(8)))
        self.checks = Checks(Settings(programs=Path()), str, "")

    @property
    def ready(self) -> bool:
        return self.owner.ready

    def caught_up(self, program: str) -> bool:
        return True


def lines(page: list[bytes]) -> list[str]:
    """The lines of a page, but for the time of units: it depends on what was shown before."""
    return [line for line in b"".join(page).decode().splitlines() if not line.startswith("care_unit_seconds_total")]


def test_an_event_that_is_counted_is_in_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events are applied between one program's turn and the next; those must not be counted in this scrape."""
    worker: Any = Worker(load_all(PROGRAMS))
    update = ProgramSheets.update

    async def meanwhile(self: ProgramSheets, state: ProgramState, *args: Any) -> None:
        worker.pipeline.applied["dispatch"][state.profile.program, CallReceived] += 1
        await update(self, state, *args)

    monkeypatch.setattr(ProgramSheets, "update", meanwhile)
    page = asyncio.run(Collector(worker, "1").page(NOON, openmetrics=False))
    counts = [line for line in lines(page) if line.startswith("care_events_total{")]
    assert {line.rpartition(" ")[2] for line in counts} == {"0.0"}
    assert worker.pipeline.applied["dispatch"].total() == 3


@pytest.mark.slow
@given(steps=st.one_of(years(), hostile().map(lambda told: [Step(event, NOON) for event in told])))
@settings(deadline=None, max_examples=examples(60))
def test_a_page_from_the_one_before_is_the_page_made_anew(steps: list[Step]) -> None:
    worker: Any = Worker({"small": SMALL})
    state = worker.owner.state("small")

    async def run() -> None:
        kept = Collector(worker, "1")
        for event, now in steps:
            state.apply(event, now)
            for later in (0, 0, 29 * DAY):
                ours = await kept.page(now + later, openmetrics=False)
                assert lines(ours) == lines(await Collector(worker, "1").page(now + later, openmetrics=False))

    monkey = pytest.MonkeyPatch()
    with monkey.context() as patch:
        # a new collector must find all of it, though the other one has asked what has changed
        patch.setattr(collector, "Pace", Hasty)
        asyncio.run(run())


class Hasty:
    """A pace without rests."""

    async def rest(self) -> None:
        pass


def test_a_scrape_that_was_given_up_leaves_no_old_line(monkeypatch: pytest.MonkeyPatch) -> None:
    worker: Any = Worker({"small": SMALL})
    state = worker.owner.state("small")

    async def run() -> None:
        kept = Collector(worker, "1")
        await kept.page(NOON, openmetrics=False)
        state.apply(received(0), NOON)
        with monkeypatch.context() as patch:
            patch.setattr(collector, "Pace", Broken)
            with pytest.raises(asyncio.CancelledError):
                await kept.page(NOON, openmetrics=False)
        ours = await kept.page(NOON + HOUR, openmetrics=False)
        assert lines(ours) == lines(await Collector(worker, "1").page(NOON + HOUR, openmetrics=False))
        assert any(line.startswith("care_calls_received_total") and line.endswith(" 1.0") for line in lines(ours))

    asyncio.run(run())


class Broken(Hasty):
    """A scrape whose client has gone."""

    async def rest(self) -> None:
        raise asyncio.CancelledError


def test_what_is_not_owned_any_more_goes() -> None:
    worker: Any = Worker(load_all(PROGRAMS))

    async def run() -> None:
        kept = Collector(worker, "1")
        assert any('program="chicago"' in line for line in lines(await kept.page(NOON, openmetrics=False)))
        worker.owner.drop()
        page = lines(await kept.page(NOON, openmetrics=False))
        assert not any("program=" in line for line in page)
        assert "care_worker_ready 0.0" in page

    asyncio.run(run())


def test_what_is_given_away_in_the_middle_of_a_scrape_goes_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """Was: the counts of its events stayed on the page, which said that the worker was ready."""
    worker: Any = Worker(load_all(PROGRAMS))
    update = ProgramSheets.update

    async def given_away(self: ProgramSheets, *args: Any) -> None:
        await update(self, *args)
        worker.owner.drop()

    monkeypatch.setattr(ProgramSheets, "update", given_away)
    page = lines(asyncio.run(Collector(worker, "1").page(NOON, openmetrics=False)))
    assert not any("program=" in line for line in page)
    assert "care_worker_ready 0.0" in page
