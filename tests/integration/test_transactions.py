"""Producers that use Kafka's transactions: what was aborted never happened, and what is open holds up nobody else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer

from agents.order import PATIENCE
from streams.events import Topic
from tests.integration.harness import Broker, Site, Worker, eventually

pytestmark = [pytest.mark.integration, pytest.mark.slow]

PROGRAM = "cambridge"


def event(type: str, id: str, **fields: Any) -> bytes:
    at = datetime.now(UTC).isoformat()
    return json.dumps({"id": id, "type": type, "program": PROGRAM, "at": at, **fields}).encode()


def received(call: str) -> bytes:
    return event("call_received", f"received {call}", call=call, call_type="assist", area="the_port")


def available(unit: str) -> bytes:
    return event("unit_status", f"available {unit}", unit=unit, team="care", status="available")


@asynccontextmanager
async def transactional(site: Site) -> AsyncIterator[AIOKafkaProducer]:
    """A producer of a city that uses transactions."""
    producer = AIOKafkaProducer(bootstrap_servers=site.bootstrap, transactional_id=f"{site.prefix}cad")
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def send(producer: AIOKafkaProducer, site: Site, topic: Topic, *values: bytes) -> None:
    for value in values:
        await producer.send_and_wait(site.prefix + topic, value, PROGRAM.encode())


def calls(worker: Worker) -> float:
    return worker.total("care_calls_received_total", program=PROGRAM)


def units(worker: Worker) -> float:
    return worker.total("care_units", program=PROGRAM, status="available")


@pytest.mark.parametrize("path", ["batch", pytest.param("plain", marks=pytest.mark.full)])
def test_what_was_aborted_is_not_counted(kafka: Broker, tmp_path: Path, path: str) -> None:
    with Site(kafka.bootstrap, tmp_path) as site:

        async def feed() -> None:
            async with transactional(site) as producer:
                for call in ("a", "b", "c"):
                    async with producer.transaction():
                        await send(producer, site, "dispatch", received(call))
                    await producer.begin_transaction()
                    await send(producer, site, "dispatch", received(f"{call} aborted"))
                    await producer.abort_transaction()

        asyncio.run(feed())
        worker = site.worker_of(path).ready()
        eventually(lambda: calls(worker) == 3, "the committed calls")
        asyncio.run(feed())  # live, and each is known by its id
        site.send_raw("dispatch", received("plain"), PROGRAM.encode())
        eventually(lambda: calls(worker) == 4, "a call without a transaction")
        assert not worker.total("care_events_rejected_total")
        site.verify([worker])
        worker.kill()
        again = site.worker_of(path).ready()
        assert calls(again) == 4
        site.send_raw("dispatch", received("after"), PROGRAM.encode())
        eventually(lambda: calls(again) == 5, "a call after the restart")


@pytest.mark.full
def test_an_open_transaction_holds_up_no_other_topic(kafka: Broker, tmp_path: Path) -> None:
    """Calls wait for the statuses before them: for those that can be read, not for those that may never be."""
    with Site(kafka.bootstrap, tmp_path) as site:
        worker = site.worker().ready()

        async def feed() -> None:
            async with transactional(site) as producer:
                await producer.begin_transaction()
                await send(producer, site, "status", available("hangs"))
                site.send_raw("dispatch", received("meanwhile"), PROGRAM.encode())
                what = "a call while a transaction is open on the statuses"
                await asyncio.to_thread(eventually, lambda: calls(worker) == 1, what, PATIENCE / 2)
                assert units(worker) == 0
                done = await asyncio.to_thread(site.verify, [worker])
                assert "1 events applied" in done
                await producer.commit_transaction()

        asyncio.run(feed())
        eventually(lambda: units(worker) == 1, "the status, once its transaction is committed")
        assert "records lag behind" not in worker.log
        site.verify([worker])
