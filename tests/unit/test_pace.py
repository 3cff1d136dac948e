"""Scrapes go before events, and not for ever."""

from __future__ import annotations

import asyncio

import pytest

from agents import pace
from agents.pace import RightOfWay
from tests.unit.loop_clock import LoopClock


async def _events(way: RightOfWay, log: list[str], count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)
        await way.free()
        log.append("event")


async def _scrape(way: RightOfWay, log: list[str], count: int) -> None:
    """A scrape with events that come meanwhile, until they are there too."""
    with way.taken():
        events = asyncio.ensure_future(_events(way, log, count))
        for _ in range(5):
            await asyncio.sleep(0)
        log.append("scrape")
    await events


def test_events_wait_until_a_scrape_is_over() -> None:
    async def run() -> list[str]:
        way, log = RightOfWay(), list[str]()
        await _scrape(way, log, 2)
        return log

    assert asyncio.run(run()) == ["scrape", "event", "event"]


def test_a_slow_client_holds_events_up_for_so_long_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "HELD", 0.01)

    async def run() -> list[str]:
        way, log = RightOfWay(), list[str]()
        with way.taken():
            await _events(way, log, 3)
            log.append("scrape")
        return log

    assert asyncio.run(run()) == ["event", "event", "event", "scrape"]


def test_scrape_upon_scrape_leaves_half_of_the_time_to_events(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "HELD", 1000.0)  # the steps below are so long that no slow machine adds to them

    async def run() -> list[str]:
        clock, way, log = LoopClock(monkeypatch), RightOfWay(), list[str]()
        with way.taken():
            clock.move(500)
        clock.move(300)
        with way.taken():  # too soon
            await _events(way, log, 1)
        clock.move(300)
        await _scrape(way, log, 1)
        return log

    assert asyncio.run(run()) == ["event", "scrape", "event"]


def test_two_scrapes_at_once_and_one_that_is_given_up() -> None:
    async def run() -> list[str]:
        way, log = RightOfWay(), list[str]()

        async def scrape() -> None:
            with way.taken():
                await asyncio.sleep(60)

        scrapes = [asyncio.ensure_future(scrape()) for _ in range(2)]
        await asyncio.sleep(0)
        for each in scrapes:
            each.cancel()
        await asyncio.wait(scrapes)
        await asyncio.wait_for(_events(way, log, 1), 5)
        return log

    assert asyncio.run(run()) == ["event"]
