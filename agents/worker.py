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

from agents import heap
from agents.app import Worker
from agents.fence import FencedError
from agents.settings import Settings, WorkerError
from agents.web import Web
from streams.programs import Profile

log = structlog.get_logger()

#: Seconds between tries to reach the broker.
RETRY = 1.0
#: Seconds between looks for a topic that was just made.
LOOK = 0.05
#: Seconds to leave the group and flush; after that the session timeout does it.
STOP_WITHIN = 10.0


async def wait_for_topics(settings: Settings) -> None:
    """Wait until the broker answers, then check the input topics.

    Raises WorkerError if one is missing or has another number of partitions than the settings.
    """
    told, outputs = False, (settings.deadletter, settings.notices)
    while (counts := await _partitions(settings, [*settings.inputs, *outputs])) is None:
        if not told:
            told = True
            log.warning("the broker does not answer; trying until it does", broker=settings.broker)
        await asyncio.sleep(RETRY)
    for topic in outputs:
        if counts[topic]:
            del counts[topic]  # it may have any number
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


async def _make_changelog(worker: Worker) -> None:
    """Make the changelog's topic if it is not there, and wait until the broker tells of it.

    Faust makes it too, and joins the group at once. Whoever shares out may not have heard of the topic by then and leaves
    it out, and partitions would be taken over without their changelog.
    """
    topic = worker.table.changelog_topic
    await topic.maybe_declare()
    name = topic.get_topic_name()
    while True:
        counts = await _partitions(worker.settings, [name])
        if counts and counts[name]:
            return
        await asyncio.sleep(LOOK)


async def _partitions(settings: Settings, topics: list[str]) -> dict[str, int] | None:
    """Number of partitions of each of these topics, 0 where missing; None if no broker answers."""
    client = AIOKafkaClient(bootstrap_servers=settings.bootstrap)
    try:
        with quiet():
            await client.bootstrap()
            await client.set_topics(topics)
        return {topic: len(client.cluster.partitions_for_topic(topic) or ()) for topic in topics}
    except (KafkaError, OSError):
        return None
    finally:
        with contextlib.suppress(Exception):
            await client.close()


async def run(settings: Settings, profiles: Mapping[str, Profile], version: str) -> None:
    """Run a worker until SIGINT or SIGTERM.

    Raises WorkerError if it cannot start. If it has to end, it says why in one line and ends the process with status 2.
    """
    heap.tune()
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
        if await _first(_make_changelog(worker), stop.wait()):
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
            await worker.claims.close()
            return
    # Not an exception: clients that wait for a broker may keep the process from ending, in the group and with records
    # in their buffers that must not be written after another worker has taken over.
    reason = _said(app.crashed_by) if app.crashed_by else "the broker does not take the last records"
    print(f"carewatch: the worker had to end: {reason}; its state is safe, start it again", file=sys.stderr, flush=True)
    os._exit(2)


def _said(error: BaseException) -> str:
    """An error of ours in its words, any other with its type."""
    return str(error) if isinstance(error, (WorkerError, FencedError)) else repr(error)


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
