"""What happens to one record: decode it, send it on if it is on the wrong partition, apply it, store what changed.

A record is acknowledged when everything that came of it is durable at the broker: its changelog records, its dead
letter or its copy on the right partition. A crash before that reads it again, and the state knows its id.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, Protocol

import structlog

from agents.order import Order
from agents.owner import Owner, table_key
from agents.pipeline import Pipeline
from streams import door, events
from streams.clock import SECOND, Micros, micros, wall
from streams.events import Topic

log = structlog.get_logger()

#: Header of a record that was sent on from another partition than its program's.
MOVED = "carewatch-moved-from"
#: How many records may be on their way to the broker before the agents wait.
IN_FLIGHT = 2000
#: How many different unknown codes are logged.
MOST_TOLD = 1000


class Sink(Protocol):
    """Where the outcomes go. Each future is done when the broker has the record."""

    def store(self, partition: int, key: bytes, value: bytes | None) -> Awaitable[Any]:
        """Store a record in the table and its changelog."""

    def send(
        self, topic: str, partition: int | None, key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]
    ) -> Awaitable[Any]:
        """Send a record to a topic."""

    @property
    def records(self) -> dict[bytes, bytes]:
        """What the table holds."""


class Intake:
    """The way of every record into the states."""

    def __init__(self, owner: Owner, pipeline: Pipeline, order: Order, sink: Sink, deadletter: str, prefix: str) -> None:
        """An intake for the programs of an owner."""
        self._owner = owner
        self._pipeline = pipeline
        self._order = order
        self._sink = sink
        self._deadletter = deadletter
        self._prefix = prefix
        self._told: set[tuple[str, str, str]] = set()
        self._room = asyncio.Semaphore(IN_FLIGHT)

    async def take(self, topic: Topic, event: Any) -> None:
        """Take one Faust event; it is acknowledged later, when all that came of it is durable."""
        message = event.message
        if topic == "dispatch":
            await self._order.statuses_first(message.partition, message.offset)
        try:
            pending = self._handle(topic, message)
        finally:
            self._order.handled(topic, message.partition, message.offset)
        if pending is None:
            return  # not ours any more: the new owner reads it
        if not pending:
            event.ack()
            return
        await self._room.acquire()
        asyncio.gather(*pending).add_done_callback(lambda done: self._finish(event, done))

    def _finish(self, event: Any, done: asyncio.Future[list[Any]]) -> None:
        self._room.release()
        if done.cancelled():
            return
        if error := done.exception():
            # memory is ahead of the changelog now; only a restart from the changelog puts that right
            event.app.crash_soon(error)
            return
        event.ack()

    def _handle(self, topic: Topic, message: Any) -> list[Awaitable[Any]] | None:
        now = arrival(message.timestamp)
        decoded = door.decode(topic, message.key, message.value, self._owner.profiles, now)
        if isinstance(decoded, door.Rejected):
            return [self._reject(topic, message, decoded)]
        home = self._owner.homes[decoded.program]
        headers = dict(message.headers or {})
        if home != message.partition:
            moved = [*headers.items(), (MOVED, str(message.partition).encode())]
            return [self._sink.send(self._prefix + topic, home, message.key, message.value, moved)]
        state = self._owner.state(decoded.program)
        if state is None:
            return None
        if MOVED in headers:
            self._pipeline.conflicts[decoded.program] += 1
        try:
            applied = state.apply(decoded, now)
            changed = state.flush()
        except Exception:
            # a bug of ours must not stop the feed, nor leave a half-applied event behind
            log.exception("an event could not be applied", topic=topic, partition=message.partition, offset=message.offset)
            self._owner.rebuild(decoded.program, self._sink.records)
            return [self._reject(topic, message, door.Rejected("invalid_field", "could not be applied; see the log"))]
        self._count(topic, decoded, applied.effect)
        for field, code in applied.unmapped:
            self._tell(decoded.program, field, code)
        return [
            self._sink.store(home, table_key(home, decoded.program, key), value) for key, value in changed.items()
        ]

    def _count(self, topic: Topic, event: events.AnyEvent, effect: str) -> None:
        if effect == "duplicate":
            self._pipeline.duplicate[topic] += 1
            return
        if effect == "late":
            self._pipeline.late[topic] += 1
        self._pipeline.applied[event.program, topic, type(event)] += 1
        self._pipeline.observe_delay(topic, (wall() - micros(event.at)) / SECOND)

    def _tell(self, program: str, field: str, code: str) -> None:
        """Log an unknown code, once a process: a feed may send it with every call."""
        if len(self._told) < MOST_TOLD and (program, field, code) not in self._told:
            self._told.add((program, field, code))
            log.warning("unknown code, counted as other", program=program, field=field, code=code)

    def _reject(self, topic: Topic, message: Any, rejected: door.Rejected) -> Awaitable[Any]:
        self._pipeline.rejected[topic, rejected.reason] += 1
        place = {"topic": self._prefix + topic, "partition": message.partition, "offset": message.offset}
        log.warning("record rejected", reason=rejected.reason, detail=rejected.detail, **place)
        fields = {"reason": rejected.reason, "detail": rejected.detail, **place}
        headers = [(name, str(value).encode()) for name, value in fields.items()]
        return self._sink.send(self._deadletter, None, message.key, message.value, headers)


def arrival(timestamp: float | None) -> Micros:
    """*Now* for a record: when it reached the broker (seconds; none or negative: unknown), never later than the clock.

    Not the clock alone: a record must mean the same when it is read again after a crash, or by `carewatch verify`.
    """
    now = wall()
    return now if timestamp is None or timestamp <= 0 else min(int(timestamp * SECOND), now)
