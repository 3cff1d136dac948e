"""Writes the changelog as the one owner of a partition. The broker refuses whoever owned it before.

A worker may freeze (a suspended machine, a stopped process) for longer than the group waits for it, lose its partitions
to another and wake up in the middle of a write. No clock of its own can stop it in time, so the broker does: whoever
takes a partition over claims it, which raises the partition's *producer epoch*, and writes a mark with it. From the mark
on the broker takes no record of an older epoch. The changelog is read after that, so nothing can follow what was read.
See docs/decisions/0009-fencing.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable
from typing import Any

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import InvalidTimestampError, KafkaError, ProducerFenced

from agents.changelog import Records
from agents.settings import Settings, WorkerError
from agents.skew import Skew
from streams.clock import wall

log = structlog.get_logger()

#: A produce request; below what a broker takes by default (1 MiB) for topics of others.
MAX_BATCH_BYTES = 1_000_000
#: The largest record that we write; a call's record grows with its events.
MAX_RECORD_BYTES = 8 * 1024 * 1024
#: Seconds that the broker may take for one request; a record that it did not take is sent again, in its place.
REQUEST_TIMEOUT = 40.0
#: Seconds between tries while the broker is away; whoever waits for us gives up after a while.
RETRY = 1.0
#: Seconds after which a claim is made again: a broker forgets claims that are not used (`transactional.id.expiration.ms`,
#: 7 days; `producer.id.expiration.ms`, 1 day without a record), and with them who must be refused.
RENEW_AFTER = 6 * 3600.0
#: The type of a record's time that the broker set (Kafka's `LogAppendTime`).
APPENDED = 1
#: Said where the changelog is of before the broker's time was asked for, and the broker refuses ours.
CLOCK_AHEAD = (
    "this machine's clock is an hour or more ahead of the broker's, which refuses the changelog's records by their time; set the "
    "clock right (NTP), and start the worker again: its state is safe"
)
#: Key of the mark. It has no value, so compaction takes it out.
MARK = b"owner"


def clock() -> float:
    """Seconds of a clock that goes on while the machine is suspended."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


def now_ms() -> int:
    """The wall clock, which the records' times are of; milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


class FencedError(Exception):
    """Another worker has written to a partition that we took for ours."""


class Claim:
    """One partition of the changelog, claimed."""

    def __init__(self, settings: Settings, topic: str, partition: int, skew: Skew) -> None:
        """Not yet claimed. `skew` is told when the broker wrote what we sent."""
        self._settings = settings
        self._topic = topic
        self._partition = partition
        self._kafka: Any = None
        self._since = 0.0
        self._next: int | None = None  # the offset that the next record has to get
        self._skew = skew

    async def make(self) -> None:
        """Claim the partition; returns when the mark is durable. Raises WorkerError where the broker cannot do that."""
        await self.drop()
        while self._kafka is None:
            try:
                self._kafka = await self._start()
            except KafkaError as error:
                if not error.retriable:
                    raise WorkerError(
                        f"the broker does not let the changelog be claimed ({error}); allow the transactional id "
                        f"{self._name}, or set CAREWATCH_FENCING=off for a broker without transactions (not for data)"
                    ) from error
                await asyncio.sleep(RETRY)
        self._since = clock()
        await self._send({MARK: None})

    async def write(self, records: Records) -> int:
        """Write records in their order; returns the offset of the last one when all are durable. Raises FencedError."""
        if clock() - self._since > RENEW_AFTER:
            await self.make()  # the mark has to follow our last record, or somebody else has written
        return await self._send(records)

    async def drop(self) -> None:
        """Close the connections."""
        if self._kafka is not None:
            kafka, self._kafka = self._kafka, None
            await kafka.stop()

    @property
    def _name(self) -> str:
        return f"{self._topic}-{self._partition}"

    async def _start(self) -> Any:
        """A producer with the next epoch. Raises KafkaError."""
        kafka: Any = AIOKafkaProducer(
            bootstrap_servers=self._settings.bootstrap,
            transactional_id=self._name if self._settings.fencing else None,
            acks="all",
            linger_ms=0,
            max_batch_size=MAX_BATCH_BYTES,
            max_request_size=MAX_RECORD_BYTES,
            request_timeout_ms=int(REQUEST_TIMEOUT * 1000),
        )
        try:
            await kafka.start()
        except BaseException:
            await kafka.stop()
            raise
        if kafka._txn_manager is not None:
            # from here on it is a plain idempotent producer: the epoch is all that we want of transactions
            kafka._txn_manager.transactional_id = None
        return kafka

    async def _send(self, records: Records) -> int:
        kafka, batch, last = self._kafka, None, -1
        for key, value in records.items():
            if batch is None or batch.append(timestamp=None, key=key, value=value) is None:
                if batch is not None:  # one after the other: if one fails, none that came after it may be there
                    last = await self._send_batch(batch)
                batch = kafka.create_batch()
                batch.append(timestamp=None, key=key, value=value)
        return last if batch is None else await self._send_batch(batch)

    async def _send_batch(self, batch: Any) -> int:
        began, kafka = wall(), self._kafka
        try:
            stored = await (await kafka.send_batch(batch, self._topic, partition=self._partition))
        except ProducerFenced as error:
            raise FencedError(f"another worker took over partition {self._partition} of the changelog") from error
        except InvalidTimestampError as error:
            raise WorkerError(CLOCK_AHEAD) from error
        if self._kafka is not kafka:
            raise FencedError(f"the claim of partition {self._partition} of the changelog was given up meanwhile")
        if stored.timestamp_type == APPENDED:
            self._skew.measure(self._partition, began, stored.timestamp * 1000, wall())
        if stored.offset < 0:  # sent twice because an answer was lost; the broker no longer knows where it put it
            self._next = None
            return -1
        if self._next is not None and stored.offset != self._next:
            raise FencedError(f"another worker wrote to partition {self._partition} of the changelog")
        self._next = stored.offset + int(batch.record_count())
        return self._next - 1


class Claims:
    """The partitions of the changelog that this worker owns."""

    def __init__(self, settings: Settings, topic: Callable[[], str], skew: Skew) -> None:
        """None claimed yet. `topic` is asked when it is needed: Faust names it late."""
        self._skew = skew
        self._settings = settings
        self._topic = topic
        self._claims: dict[int, Claim] = {}
        self._claiming = asyncio.Lock()

    async def take(self, partitions: Iterable[int]) -> None:
        """Claim these partitions anew, and no others. Raises WorkerError."""
        async with self._claiming:
            await self._drop()
            claims = {number: Claim(self._settings, self._topic(), number, self._skew) for number in partitions}
            self._claims = claims
            self._skew.keep(set(claims))
            await asyncio.gather(*(claim.make() for claim in claims.values()))

    async def write(self, partition: int, records: Records) -> int:
        """Write records to a claimed partition, see `Claim.write`."""
        return await self._claims[partition].write(records)

    async def close(self) -> None:
        """Close all connections; the claims are void."""
        async with self._claiming:
            await self._drop()

    async def _drop(self) -> None:
        claims, self._claims = self._claims, {}
        for claim in claims.values():
            with contextlib.suppress(KafkaError):  # it was closed for good; whoever comes next claims it again
                await claim.drop()
