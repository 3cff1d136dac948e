"""How the consumer's thread polls: beyond Faust's way, and without a broker."""

from __future__ import annotations

import asyncio
from itertools import permutations
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import FetchError, FetchResult
from aiokafka.errors import KafkaError
from aiokafka.protocol.fetch import FetchRequest
from faust.transport.drivers import aiokafka as driver

from agents.lease import Lease
from agents.transport import ConsumerThread, Progress

PLACE = TopicPartition("care.dispatch", 0)
OLD = {PLACE}


class Group:
    """A coordinator that answers at once."""

    async def _do_heartbeat(self) -> bool:
        return True

    async def _on_join_complete(self, *args: Any) -> None:
        pass


class Fetcher:
    """A fetcher whose broker has nothing, and which keeps what it was asked for."""

    def __init__(self) -> None:
        self._records: dict[TopicPartition, object] = {}
        self.asked: list[str] = []

    async def _proc_fetch_request(self, assignment: object, node: int, request: FetchRequest) -> bool:
        self.asked = [topic for topic, _ in request.topics]
        return False


def test_it_ends_when_the_group_has_shared_them_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A poll for partitions that are shared out anew: a recovery reads the changelog with the next one, and waits for it.

    Was: it waited its second out, so that each program was shown by nobody for half a second more.
    """

    async def connect(self: object) -> None:
        pass

    async def fetch(self: object, *args: object) -> Any:
        return await asyncio.Event().wait()

    async def run() -> Any:
        monkeypatch.setattr(driver.AIOKafkaConsumerThread, "on_start", connect)
        monkeypatch.setattr(driver.AIOKafkaConsumerThread, "_fetch_records", fetch)
        thread = ConsumerThread.__new__(ConsumerThread)
        group = Group()
        thread._consumer = cast(Any, SimpleNamespace(_coordinator=group, _fetcher=Fetcher()))
        thread.transport = cast(Any, SimpleNamespace(lease=Lease(10), batched=False))
        await thread.on_start()
        await group._on_join_complete()  # the first time: no poll yet
        poll = asyncio.create_task(thread._fetch_records(cast(Any, None), OLD, 1.0))
        await asyncio.sleep(0)
        assert thread._poll, "it waits"
        await group._on_join_complete()
        return await poll

    assert asyncio.run(asyncio.wait_for(run(), 5)) == {}


@pytest.mark.parametrize("topics", [*permutations(("care.followup", "care.dispatch", "care.status", "other"))])
def test_a_broker_is_asked_for_statuses_after_the_calls_that_ask_for_them(topics: tuple[str, ...]) -> None:
    """Was: in any order, so that now and then a call came without the status that was in the log before it."""
    fetcher, thread = Fetcher(), ConsumerThread.__new__(ConsumerThread)
    asked_last = {"care.status": -1, "care.dispatch": -2, "care.followup": -3}
    thread.transport = cast(Any, SimpleNamespace(batched=False, asked_last=asked_last))
    thread._fetch_our_way(fetcher)
    request = FetchRequest(25, 1, 1000, 1, [(topic, [(0, 0, 1000)]) for topic in topics])
    asyncio.run(fetcher._proc_fetch_request(None, 1, request))
    assert fetcher.asked == ["care.followup", "care.dispatch", "care.status", "other"]


@pytest.mark.parametrize(
    ("found", "fetched"),
    [
        (None, False),
        (FetchError(error=KafkaError(), backoff=0.1), False),
        (FetchResult(PLACE, assignment=None, partition_records=None, backoff=0.1), True),
    ],
)
def test_progress_says_whether_records_have_come_that_were_not_given_to_us(found: object, fetched: bool) -> None:
    state = SimpleNamespace(position=7, highwater=12, lso=11, timestamp=1000, has_valid_position=True)
    assignment = SimpleNamespace(tps={PLACE}, state_value=lambda _: state)
    subscription = SimpleNamespace(subscription=SimpleNamespace(assignment=assignment))
    thread, fetcher = ConsumerThread.__new__(ConsumerThread), Fetcher()
    if found:
        fetcher._records[PLACE] = found
    thread._consumer = cast(Any, SimpleNamespace(_subscription=subscription, _fetcher=fetcher))
    assert thread.progress(*PLACE) == Progress(7, 11, 1000, -1, fetched)
