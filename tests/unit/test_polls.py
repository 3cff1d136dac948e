"""A poll for partitions that are shared out anew: a recovery reads the changelog with the next one, and waits for it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import TopicPartition
from faust.transport.drivers import aiokafka as driver

from agents.lease import Lease
from agents.transport import ConsumerThread

OLD = {TopicPartition("care.dispatch", 0)}


class Group:
    """A coordinator that answers at once."""

    async def _do_heartbeat(self) -> bool:
        return True

    async def _on_join_complete(self, *args: Any) -> None:
        pass


def test_it_ends_when_the_group_has_shared_them_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Was: it waited its second out, so that each program was shown by nobody for half a second more."""

    async def connect(self: object) -> None:
        pass

    async def fetch(self: object, *args: object) -> Any:
        return await asyncio.Event().wait()

    async def run() -> Any:
        monkeypatch.setattr(driver.AIOKafkaConsumerThread, "on_start", connect)
        monkeypatch.setattr(driver.AIOKafkaConsumerThread, "_fetch_records", fetch)
        thread = ConsumerThread.__new__(ConsumerThread)
        group = Group()
        thread._consumer = cast(Any, SimpleNamespace(_coordinator=group))
        thread.transport = cast(Any, SimpleNamespace(lease=Lease(10), batched=False))
        await thread.on_start()
        await group._on_join_complete()  # the first time: no poll yet
        poll = asyncio.create_task(thread._fetch_records(cast(Any, None), OLD, 1.0))
        await asyncio.sleep(0)
        assert thread._poll, "it waits"
        await group._on_join_complete()
        return await poll

    assert asyncio.run(asyncio.wait_for(run(), 5)) == {}
