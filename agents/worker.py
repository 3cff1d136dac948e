"""One worker process: its web first, then the broker, then Faust until a signal ends it."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Coroutine, Iterator, Mapping
from typing import Any

import structlog
from aiokafka import AIOKafkaClient
from aiokafka.errors import KafkaError

from agents.app import Worker
from agents.settings import Settings, WorkerError
from agents.web import Web
from streams.programs import Profile

log = structlog.get_logger()

#: Seconds between tries to reach the broker.
RETRY = 1.0
#: Seconds to leave the group and flush; after that the session timeout does it.
STOP_WITHIN = 10.0


async def wait_for_topics(settings: Settings) -> None:
    """Wait until the broker answers, then check the input topics.

    Raises WorkerError if one is missing or has another number of partitions than the settings.
    """
    told = False
    while (counts := await _partitions(settings)) is None:
        if not told:
            told = True
            log.warning("the broker does not answer; trying until it does", broker=settings.broker)
        await asyncio.sleep(RETRY)
    for topic, count in counts.items():
        if count == 0:
            raise WorkerError(f"topic {topic} is not there; run: carewatch topics create --broker {settings.broker}")
        if count != settings.partitions:
            raise WorkerError(
                f"topic {topic} has {count} partitions, not {settings.partitions}; set CAREWATCH_PARTITIONS={count} "
                "if all input topics have that many"
            )


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the Kafka client's own log lines out while we look whether the broker is there: we say it in one."""
    client = logging.getLogger("aiokafka")
    before = client.level
    client.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        client.setLevel(before)


async def _partitions(settings: Settings) -> dict[str, int] | None:
    """Number of partitions of each topic that the worker needs, 0 where missing; None if no broker answers."""
    client = AIOKafkaClient(bootstrap_servers=settings.bootstrap)
    outputs = [settings.deadletter, settings.notices]
    topics = [*settings.inputs, *outputs]
    try:
        with quiet():
            await client.bootstrap()
            await client.set_topics(topics)
        counts = {topic: len(client.cluster.partitions_for_topic(topic) or ()) for topic in topics}
        return counts | {topic: settings.partitions if counts[topic] else 0 for topic in outputs}
    except (KafkaError, OSError):
        return None
    finally:
        with contextlib.suppress(Exception):
            await client.close()


async def run(settings: Settings, profiles: Mapping[str, Profile], version: str) -> None:
    """Run a worker until SIGINT or SIGTERM.

    Raises WorkerError if it cannot start. If it has to end, it says why in one line and ends the process with status 2.
    """
    worker = Worker(settings, profiles)
    web = Web(worker, version)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    await web.start()
    log.info("listening", address=web.address)
    try:
        if await _first(wait_for_topics(settings), stop.wait()):
            await _consume(worker, stop)
    finally:
        await web.stop()


async def _consume(worker: Worker, stop: asyncio.Event) -> None:
    app = worker.app
    app.in_worker = True
    app.finalize()
    try:
        await _first(app.start(), stop.wait())
        telling = asyncio.ensure_future(worker.teller.run(app.crash_soon))
        try:
            await _first(app._crashed.wait(), stop.wait())
        finally:
            telling.cancel()
    except Exception as error:  # noqa: BLE001  # told in one line when all is stopped
        app.crashed_by = app.crashed_by or error
    if app._crashed.is_set() and app.crashed_by is None:
        app.crashed_by = app.crash_reason or RuntimeError("unknown")
    if app.crashed_by is None and await worker.stop_taking(STOP_WITHIN / 2):
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(app.stop(), STOP_WITHIN)
            return
    # Not an exception: clients that wait for a broker may keep the process from ending, in the group and with records
    # in their buffers that must not be written after another worker has taken over.
    reason = repr(app.crashed_by) if app.crashed_by else "the broker does not take the last records"
    print(f"carewatch: the worker had to end: {reason}; its state is safe, start it again", file=sys.stderr, flush=True)
    os._exit(2)


async def _first(work: Coroutine[Any, Any, Any], stop: Coroutine[Any, Any, Any]) -> bool:
    """Wait for the work or for the signal to stop, cancel the other; whether the work was done."""
    tasks = [asyncio.ensure_future(work), asyncio.ensure_future(stop)]
    await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    done = tasks[0].done()
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)
    if done:
        tasks[0].result()
    return done
