"""Dispatch waits for the statuses that were in the log before it, and follow-ups for dispatch."""

from __future__ import annotations

import asyncio

import pytest

from agents import order
from agents.order import Order
from agents.transport import Progress
from streams.events import TOPICS, Topic
from tests.unit.loop_clock import LoopClock


class Feeds:
    """What the consumer would say of partition 0."""

    def __init__(self) -> None:
        self.progress: dict[Topic, Progress | None] = {"dispatch": Progress(10, 10, 1000, 9), "status": None}
        self.began: dict[Topic, int | None] = dict.fromkeys(TOPICS)
        self.silence = 0.0
        self.order = Order(
            lambda topic, _: self.progress[topic], lambda topic, _: self.began[topic], lambda: self.silence
        )

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
        feeds.progress["status"] = Progress(0, 0, 999, -1)  # a poll from before the dispatch record was fetched
        assert not await feeds.passes()
        feeds.progress["status"] = Progress(0, 0, 1000, -1)
        assert await feeds.passes()

    asyncio.run(run())


def test_followups_wait_for_dispatch_and_statuses_for_nothing() -> None:
    async def run() -> None:
        feeds = Feeds()
        feeds.progress |= {"followup": Progress(3, 3, 1000, 2), "status": Progress(3, 3, 1000, 2)}
        assert await feeds.passes(2, "status")
        assert not await feeds.passes(2, "followup")
        feeds.order.handled("dispatch", 0, 9)
        assert await feeds.passes(2, "followup")

    asyncio.run(run())


def test_waits_until_the_statuses_are_applied_not_only_read() -> None:
    async def run() -> None:
        feeds = Feeds()
        feeds.progress["status"] = Progress(8, 8, 1000, 7)
        feeds.order.handled("status", 0, 6)
        assert not await feeds.passes()
        feeds.order.handled("status", 0, 7)
        assert await feeds.passes()

    asyncio.run(run())


def test_what_waits_while_the_partitions_are_shared_out_anew_clears_nothing() -> None:
    async def run() -> None:
        feeds = Feeds()
        feeds.progress["status"] = Progress(8, 8, 1000, 7)
        waiting = asyncio.create_task(feeds.order.earlier_first("dispatch", 0, 5))
        await asyncio.sleep(0)
        feeds.order.reset()
        await asyncio.wait_for(waiting, 1.0)  # whoever waits is to drop the record now
        assert not await feeds.passes()  # it was read again, and the statuses too
        feeds.order.handled("status", 0, 7)
        assert await feeds.passes()

    asyncio.run(run())


def test_starts_at_the_committed_offset() -> None:
    async def run() -> None:
        feeds = Feeds()
        feeds.progress["status"] = Progress(8, 8, 1000, 7)
        feeds.began["status"] = 8  # all of it was applied before the restart
        assert await feeds.passes()

    asyncio.run(run())


def test_one_wait_clears_the_whole_poll() -> None:
    async def run() -> None:
        feeds = Feeds()
        feeds.progress["status"] = Progress(0, 0, 1000, -1)
        assert await feeds.passes(5)
        feeds.progress["status"] = Progress(3, 3, 1001, 2)  # a status that came later
        assert await feeds.passes(9)  # below the position of the dispatch feed at the wait
        assert not await feeds.passes(10)

    asyncio.run(run())


def test_offsets_that_are_no_records_do_not_hold_it_up() -> None:
    async def run() -> None:
        feeds = Feeds()
        feeds.progress["status"] = Progress(8, 8, 1000, 6)  # the last one is a transaction marker
        feeds.order.handled("status", 0, 5)
        assert not await feeds.passes()
        assert not feeds.order.caught_up("status", 0)
        feeds.order.handled("status", 0, 6)
        assert await feeds.passes()
        assert feeds.order.caught_up("status", 0)

    asyncio.run(run())


def test_gives_up_when_nothing_moves(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        clock, feeds = LoopClock(monkeypatch), Feeds()
        task = asyncio.create_task(feeds.order.earlier_first("dispatch", 0, 5))
        await clock.pass_by(0)
        assert not task.done()
        await clock.pass_by(order.PATIENCE)
        await asyncio.wait_for(task, 60)

    asyncio.run(run())


@pytest.mark.parametrize(
    "statuses",
    [
        Progress(0, 8, 1000, -1, fetched=True),  # in the consumer's buffer
        Progress(8, 8, 1000, 7),  # given to us, not applied yet
        Progress(0, 8, 999, -1, fetched=True),  # in the buffer, so that there was no newer fetch
    ],
)
def test_statuses_that_are_here_are_waited_for_by_a_machine_that_is_slow(
    statuses: Progress, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Was: calls went on without them after five seconds in which a busy machine handed out the calls of one poll."""

    async def run() -> None:
        clock, feeds = LoopClock(monkeypatch), Feeds()
        feeds.progress["status"] = statuses
        task = asyncio.create_task(feeds.order.earlier_first("dispatch", 0, 5))
        for _ in range(5):
            await clock.pass_by(order.PATIENCE)
            assert not task.done()
        await clock.pass_by(order.LONGEST)  # not for ever
        await asyncio.wait_for(task, 60)

    asyncio.run(run())


def test_waits_while_the_statuses_of_other_partitions_are_applied(monkeypatch: pytest.MonkeyPatch) -> None:
    """Was: gave up after five seconds of a backlog in which the other partitions' statuses came first."""

    async def run() -> None:
        clock, feeds = LoopClock(monkeypatch), Feeds()
        feeds.progress["status"] = Progress(8, 8, 1000, 7)
        feeds.order.handled("status", 0, 3)
        now = asyncio.get_running_loop().time
        started = now()
        task = asyncio.create_task(feeds.order.earlier_first("dispatch", 0, 5))
        offset = 0
        while not task.done():
            feeds.order.handled("status", 1, offset := offset + 1)
            await clock.pass_by(1)
        assert now() - started >= order.LONGEST  # and not for ever

    asyncio.run(run())


def test_followups_wait_while_dispatch_waits_for_statuses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Was: in a backlog of statuses no call moves, so follow-ups went before the calls that open their cases."""

    async def run() -> None:
        clock, feeds = LoopClock(monkeypatch), Feeds()
        feeds.progress["followup"] = Progress(3, 3, 1000, 2)
        task = asyncio.create_task(feeds.order.earlier_first("followup", 0, 2))
        for offset in range(60):
            feeds.order.handled("status", 0, offset)
            await clock.pass_by(1)
        assert not task.done()
        feeds.order.handled("dispatch", 0, 9)
        await asyncio.wait_for(task, 60)

    asyncio.run(run())


def test_followups_do_not_wait_for_ever_for_calls_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """The statuses of a live feed always move; that says nothing of calls whose partition has no leader."""

    async def run() -> None:
        clock, feeds = LoopClock(monkeypatch), Feeds()
        feeds.progress["followup"] = Progress(3, 3, 1000, 2)
        task = asyncio.create_task(feeds.order.earlier_first("followup", 0, 2))
        for offset in range(400):
            feeds.order.handled("status", 0, offset)
            if task.done():
                break
            await clock.pass_by(1)
        assert task.done()

    asyncio.run(run())


def test_a_broker_that_is_away_is_no_feed_that_lags(monkeypatch: pytest.MonkeyPatch) -> None:
    """Was: calls that were fetched before a broker went away went on after five seconds, without their statuses."""

    async def run() -> None:
        clock, feeds = LoopClock(monkeypatch), Feeds()
        feeds.silence = 1000.0
        task = asyncio.create_task(feeds.order.earlier_first("dispatch", 0, 5))
        for _ in range(20):
            await clock.pass_by(1)
        assert not task.done()
        feeds.silence = 0.0  # it is back, and other partitions come first: the time counts from here
        await clock.pass_by(1)
        assert not task.done()
        await clock.pass_by(order.PATIENCE)
        await asyncio.wait_for(task, 60)

    asyncio.run(run())
