"""Dispatch waits for the statuses that were in the log before it, and follow-ups for dispatch."""

from __future__ import annotations

import asyncio

import pytest

from agents import order
from agents.order import Order
from agents.transport import Progress
from streams.events import TOPICS, Topic


class Feeds:
    """What the consumer would say of partition 0."""

    def __init__(self) -> None:
        self.progress: dict[Topic, Progress | None] = {"dispatch": Progress(10, 10, 1000), "status": None}
        self.handed: dict[Topic, int | None] = dict.fromkeys(TOPICS)
        self.order = Order(lambda topic, _: self.progress[topic], lambda topic, _: self.handed[topic])

    async def passes(self, offset: int = 5, topic: Topic = "dispatch") -> bool:
        """Whether a record goes without anything more happening."""
        task = asyncio.create_task(self.order.earlier_first(topic, 0, offset))
        done, _ = await asyncio.wait([task], timeout=0.05)
        if not done:
            task.cancel()
        return bool(done)


def test_waits_for_a_poll_of_the_statuses() -> None:
    async def run() -> None:
        feeds = Feeds()
        assert not await feeds.passes()
        feeds.progress["status"] = Progress(0, 0, 999)  # a poll from before the dispatch record was fetched
        assert not await feeds.passes()
        feeds.progress["status"] = Progress(0, 0, 1000)
        assert await feeds.passes()

    asyncio.run(run())


def test_a_log_that_ends_in_no_record_is_up_to_date_once_it_is_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        feeds = Feeds()
        up_to_date = feeds.order.up_to_date
        feeds.progress["dispatch"] = Progress(9, 10, 1000)
        assert not up_to_date("dispatch", 0)
        feeds.progress["dispatch"] = Progress(10, 10, 1000)  # read to the end; the last offset may be no record
        feeds.order.handled("dispatch", 0, 8)
        assert not up_to_date("dispatch", 0)
        monkeypatch.setattr(order, "QUIET", 0.01)
        await asyncio.sleep(0.02)
        assert up_to_date("dispatch", 0)
        feeds.progress["dispatch"] = Progress(11, 11, 1000)
        assert not up_to_date("dispatch", 0)
        feeds.order.handled("dispatch", 0, 10)
        assert up_to_date("dispatch", 0)
        assert not up_to_date("status", 0)  # not polled yet

    asyncio.run(run())


def test_followups_wait_for_dispatch_and_statuses_for_nothing() -> None:
    async def run() -> None:
        feeds = Feeds()
        feeds.progress |= {"followup": Progress(3, 3, 1000), "status": Progress(3, 3, 1000)}
        assert await feeds.passes(2, "status")
        assert not await feeds.passes(2, "followup")
        feeds.order.handled("dispatch", 0, 9)
        assert await feeds.passes(2, "followup")

    asyncio.run(run())


def test_waits_until_the_statuses_are_applied_not_only_read() -> None:
    async def run() -> None:
        feeds = Feeds()
        feeds.progress["status"] = Progress(8, 8, 1000)
        feeds.order.handled("status", 0, 6)
        assert not await feeds.passes()
        feeds.order.handled("status", 0, 7)
        assert await feeds.passes()

    asyncio.run(run())


def test_starts_at_the_committed_offset() -> None:
    async def run() -> None:
        feeds = Feeds()
        feeds.progress["status"] = Progress(8, 8, 1000)
        feeds.handed["status"] = 8  # all of it was applied before the restart
        assert await feeds.passes()

    asyncio.run(run())


def test_one_wait_clears_the_whole_poll() -> None:
    async def run() -> None:
        feeds = Feeds()
        feeds.progress["status"] = Progress(0, 0, 1000)
        assert await feeds.passes(5)
        feeds.progress["status"] = Progress(3, 3, 1001)  # a status that came later
        assert await feeds.passes(9)  # below the position of the dispatch feed at the wait
        assert not await feeds.passes(10)

    asyncio.run(run())


def test_offsets_that_are_no_records_do_not_hold_it_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order, "SETTLED", 0.01)

    async def run() -> None:
        feeds = Feeds()
        feeds.progress["status"] = Progress(8, 8, 1000)  # the last one is a transaction marker
        feeds.order.handled("status", 0, 6)
        assert await feeds.passes()

    asyncio.run(run())


def test_gives_up_when_nothing_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(order, "PATIENCE", 0.02)

    async def run() -> None:
        assert await Feeds().passes()

    asyncio.run(run())
