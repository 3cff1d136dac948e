"""One worker process: its web first, then the broker, then Faust until a signal ends it."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Coroutine, Mapping
from typing import Any

import structlog

from agents import heap
from agents.app import Worker
from agents.fence import FencedError
from agents.settings import Settings, WorkerError
from agents.web import Web
from streams.programs import Profile

log = structlog.get_logger()

#: Seconds between looks for a topic that was just made.
LOOK = 0.05
#: Said where a start is all that is needed: the changelog has the state.
SAFE = "its state is safe, start it again"
#: Seconds to leave the group and flush; after that the session timeout does it.
STOP_WITHIN = 10.0


async def _make_changelog(worker: Worker) -> None:
    """Make the changelog's topic if it is not there, and wait until the broker tells of it.

    Faust makes it too, and joins the group at once. Whoever shares out may not have heard of the topic by then and leaves
    it out, and partitions would be taken over without their changelog.
    """
    await worker.table.changelog_topic.maybe_declare()
    while True:
        if await worker.checks.changelog():
            return
        await asyncio.sleep(LOOK)


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
        worker.app.in_worker = True
        worker.app.finalize()
        if await _first(worker.checks.inputs(), stop.wait()):
            await _consume(worker, stop)
    finally:
        await worker.checks.close()
        await web.stop()


async def _consume(worker: Worker, stop: asyncio.Event) -> None:
    app = worker.app
    beside = [asyncio.create_task(worker.checks.run(app.crash_soon))]
    try:
        if await _first(_make_changelog(worker), stop.wait()):
            await _first(app.start(), stop.wait())
        beside.append(asyncio.create_task(worker.teller.run(app.crash_soon)))
        try:
            await _first(app._crashed.wait(), stop.wait())
        finally:
            for task in beside:
                task.cancel()
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
    cause = await worker.checks.reason(app.crashed_by)
    reason = _said(cause) if cause else f"the broker does not take the last records; {SAFE}"
    print(f"carewatch: the worker had to end: {reason}", file=sys.stderr, flush=True)
    os._exit(2)


def _said(error: BaseException) -> str:
    """A WorkerError in its words, which say what to do; of others, that the changelog has the state."""
    if isinstance(error, WorkerError):
        return str(error)
    return f"{error if isinstance(error, FencedError) else repr(error)}; {SAFE}"


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
