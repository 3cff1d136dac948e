"""What we need of Faust's Kafka consumer beyond its settings: batches, a short fetch wait, and how far it has read.

With Faust, together with `store.py`, the only module that knows its internals. Faust is pinned to one version;
`tests/unit/test_transport.py` fails loudly when a name used here is gone. See docs/decisions/0007-batches.md.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, NamedTuple, TypeVar, cast

import faust
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRecord, TopicPartition
from aiokafka.consumer.fetcher import FetchResult
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError
from faust.tables import manager, recovery
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from agents.fence import clock
from agents.lease import Lease
from agents.place import Log
from streams.clock import SECOND, wall

log = structlog.get_logger()

T = TypeVar("T")

#: Seconds between tries while a broker is away.
RETRY = 1.0
#: Seconds that a poll waits while some partitions are left out because their agents are behind: their turn comes soon.
SHORT_POLL = 0.02
#: A producer that aborted a transaction has said that its records never happened.
ISOLATION = "read_committed"
#: Records of one message, which are applied in one go: some milliseconds, and then it is others' turn.
MAX_BATCH = 250


class Progress(NamedTuple):
    """How far a partition was read, as of the last poll that we have the records of."""

    position: int  # all records below it are with us
    end: int  # of what can be read of the log
    polled_at: int  # milliseconds since the epoch
    last: int  # offset of the last record that we were given; -1: none
    fetched: bool = False  # whether records that we were not given yet have come


class Untouched(faust.Schema[Any, Any]):
    """Keys and values as they came: bytes, or in a batch the list of its records."""

    def loads_key(self, app: Any, message: Any, **kwargs: Any) -> Any:
        """The message's key."""
        return message.key

    def loads_value(self, app: Any, message: Any, **kwargs: Any) -> Any:
        """The message's value."""
        return message.value


async def _persist(do: Callable[[], Awaitable[T]], give_up: Callable[[], Awaitable[None]] | None = None) -> T:
    """Do something again until no broker that is away or has just started is in its way; `give_up` clears up a failed try."""
    while True:
        try:
            return await do()
        except Exception as error:
            if not _passes(error):
                raise
            if give_up:
                await give_up()
        await asyncio.sleep(RETRY)


def _passes(error: Exception) -> bool:
    """Whether an error comes of a broker that is away. Faust says that it finds no controller with a bare Exception."""
    if isinstance(error, KafkaError):
        return bool(error.retriable)
    return isinstance(error, OSError) or type(error) is Exception or "Invalid controller" in str(error)


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """The consumer's thread, with a fetch wait that is ours (Faust's is 1,500 ms, fixed), and without what was aborted."""

    #: The poll that waits for records, if one does.
    _poll: asyncio.Task[Any] | None = None

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = cast(Transport, self.transport).fetch_wait_ms
        consumer._isolation_level = ISOLATION
        return consumer

    async def on_start(self) -> None:
        """Connect, and keep the lease: it runs from when a heartbeat that the group answers was sent."""
        await _persist(super().on_start, self._give_up)
        coordinator: Any = cast(Any, self._consumer)._coordinator
        beat, joined = coordinator._do_heartbeat, coordinator._on_join_complete
        lease = cast(Transport, self.transport).lease

        async def heartbeat() -> bool:
            sent = clock()
            alive = bool(await beat())
            if alive:
                lease.renew(sent)
            return alive

        async def join_complete(*args: Any) -> None:
            lease.renew(clock())
            if self._poll:
                self._poll.cancel()  # it waits for partitions that we had, up to a second, and the recovery for it
            await joined(*args)

        coordinator._do_heartbeat, coordinator._on_join_complete = heartbeat, join_complete
        self._fetch_our_way(cast(Any, self._consumer)._fetcher)

    async def _give_up(self) -> None:
        await cast(Any, self._consumer).stop()

    def _fetch_our_way(self, fetcher: Any) -> None:
        """Ask for statuses after calls, and for calls after cases; in batches, leave out an object a record.

        A broker looks at the topics of a request one after another, and aiokafka shuffles them: a call that came meanwhile
        would be there without the status that came before it.

        The object that aiokafka makes of each record costs more than to read it, and three fields do. A record of a
        batch has offset, timestamp, key, value and headers; topic and partition are the message's.
        """
        fetch = fetcher._proc_fetch_request
        transport = cast(Transport, self.transport)

        async def ours(assignment: Any, node: int, request: Any) -> Any:
            request.topics.sort(key=lambda asked: transport.asked_last.get(asked[0], 0))
            woken = await fetch(assignment, node, request)
            if transport.batched:
                for found in fetcher._records.values():
                    if isinstance(found, FetchResult) and found._partition_records is not None:
                        found._partition_records._consumer_record = _as_it_is
            return woken

        fetcher._proc_fetch_request = ours

    async def _fetch_records(
        self,
        consumer: AIOKafkaConsumer,
        active_partitions: set[TP],
        timeout: float | None = None,  # noqa: ASYNC109  # Faust's signature
        max_records: int | None = None,
    ) -> Any:
        """Fetch from these partitions and no others.

        Faust's set changes while a fetch waits, and to aiokafka an empty one means all: a fetch that waits while the
        partitions are shared out anew would take, and lose, the first changelog records of the recovery.
        """
        wanted = set(active_partitions)
        if not wanted:
            return {}
        poll = self._poll = asyncio.ensure_future(super()._fetch_records(consumer, wanted, timeout, max_records))
        try:
            await asyncio.wait([poll])
        finally:
            poll.cancel()  # without effect on one that is done
            self._poll = None
        return {} if poll.cancelled() else poll.result()

    async def _commit(self, offsets: Any) -> bool:
        """Commit, or leave it to a later time if the broker does not answer: what is not committed is read again."""
        consumer, assigned = self._ensure_consumer(), self.assignment()
        mine = {TopicPartition(*tp): offset for tp, offset in offsets.items() if tp in assigned}
        self.tp_last_committed_at.update(dict.fromkeys(mine, time.monotonic()))
        try:
            await consumer.commit(mine)
        except (CommitFailedError, IllegalStateError):
            return False  # shared out anew: whoever owns it now commits
        except KafkaError as error:
            if not error.retriable:
                raise
            return False
        return True

    def progress(self, topic: str, partition: int) -> Progress | None:
        """Progress of an assigned partition; None before its first poll and when it is not assigned."""
        assignment = self._assigned()
        tp = TopicPartition(topic, partition)
        if assignment is None or tp not in assignment.tps:
            return None
        state = assignment.state_value(tp)
        if state is None or state.highwater is None or not state.has_valid_position:
            return None
        # the consumer's thread goes on meanwhile: the records are not newer than the time, and the end is not older
        position, polled_at = state.position, state.timestamp
        fetched = isinstance(cast(Any, self._consumer)._fetcher._records.get(tp), FetchResult)
        return Progress(position, readable_end(state.highwater, state.lso), polled_at, -1, fetched)

    def silence(self) -> float:
        """Seconds since a broker last answered a fetch of an assigned partition; before the first answer since the epoch."""
        assignment = self._assigned()
        states = [assignment.state_value(tp) for tp in assignment.tps] if assignment else []
        return wall() / SECOND - max((state.timestamp or 0 for state in states if state), default=0) / 1000

    def _assigned(self) -> Any:
        subscription = self._consumer._subscription.subscription if self._consumer else None
        return subscription.assignment if subscription else None


def readable_end(end: int, stable: int | None) -> int:
    """Up to where a log can be read now: to its end, or to the first transaction that is still open, if the broker says."""
    return end if stable is None or stable < 0 else min(end, stable)


def _as_it_is(tp: TP, record: Any) -> Any:
    return record


class Consumer(driver.Consumer):
    """Consumer that hands out what one poll found of a partition as one message, if its transport says so.

    The value of such a message is the list of records, its offset that of the last one. Batches that are out are
    kept in order: an offset is committed only when its batch and all before it are acknowledged. Offsets that no
    record has (compaction, transaction markers) need no care then, as a batch ends with a record.
    """

    _thread: ConsumerThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """See Faust's consumer."""
        super().__init__(*args, **kwargs)
        self._out: defaultdict[TP, deque[int]] = defaultdict(deque)
        self._room = asyncio.Event()
        self._reached: dict[TP, Progress] = {}
        self._began: dict[TP, int | None] = {}
        self._sought: dict[TP, int] = {}  # where the reading of our inputs began
        self._holes: defaultdict[TP, list[range]] = defaultdict(list)
        self._asking: dict[TP, asyncio.Task[None]] = {}

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def progress(self, topic: str, partition: int) -> Progress | None:
        """Progress of an assigned partition; None before its first poll and when it is not assigned.

        Not what the consumer's thread knows now: its position is ahead of the records that are on their way to us.
        """
        now, then = self._thread.progress(topic, partition), self._reached.get(TP(topic, partition))
        return then and now and now._replace(position=then.position, last=then.last)

    def silence(self) -> float:
        """Seconds since a broker last answered a fetch of an assigned partition; before the first answer since the epoch."""
        return self._thread.silence()

    def began(self, topic: str, partition: int) -> int | None:
        """Where the reading of a partition began, or begins; not where it is: what was given to an agent may wait."""
        tp = TP(topic, partition)
        return self._began[tp] if tp in self._began else self._read_offset[tp]

    @property
    def batched(self) -> bool:
        """Whether a message is a batch."""
        return cast(Transport, self.transport).batched

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:  # noqa: ASYNC109  # Faust's signature
        """What one poll finds of each partition, as a message or a few."""
        if not self.batched:
            async for tp, record in super().getmany(timeout):
                self._began.setdefault(tp, self._read_offset[tp])
                yield tp, record
            return
        records, active = await self._wait_next_records(SHORT_POLL if self._buffered_partitions else timeout)
        if not records or self.should_stop:
            return
        if not self.flow_active:
            with contextlib.suppress(Exception):  # as Faust does: the rebalance that stopped the flow seeks anyway
                await self.perform_seek()
            return
        generation = self.app.consumer_generation_id
        for tp, found in records.items():
            if tp in active or tp in self._buffered_partitions:
                for start in range(0, len(found), MAX_BATCH):
                    if not self._flows(generation):
                        return
                    batch = found[start : start + MAX_BATCH]
                    message = self._batch_message(tp, batch)
                    if self.app.topics.acks_enabled_for(tp.topic):
                        self._check(tp, message.offset)
                        self._out[tp].append(message.offset)
                    self._began.setdefault(tp, self._read_offset[tp])
                    yield tp, message

    def _batch_message(self, tp: TP, batch: list[Any]) -> Any:
        last = batch[-1]
        whole: Any = (last.timestamp_type, None, batch, None, -1, -1, ())
        return self._to_message(tp, ConsumerRecord(*tp, last.offset, last.timestamp, *whole))

    def _check(self, tp: TP, offset: int) -> None:
        """A log that went back (its topic was made anew): Faust would drop its records without a word. Take them."""
        read = self._read_offset[tp]
        if read is not None and offset < read:
            log.error("a log went back; reading on from there", topic=tp.topic, partition=tp.partition, offset=offset)
            self._read_offset[tp] = self._committed_offset[tp] = self._began[tp] = None
            self._out[tp].clear()
            self._acked_index[tp].clear()

    def _flows(self, generation: int) -> bool:
        """Whether no rebalance has begun since this generation."""
        return self.flow_active and self.app.consumer_generation_id == generation

    async def _wait_next_records(self, timeout: float) -> tuple[Any, Any]:  # noqa: ASYNC109  # Faust's signature
        # all agents are behind: wait for the first that is not, where Faust would sleep a second
        while self._buffered_partitions and not self._get_active_partitions() and not self.should_stop:
            self._room.clear()
            with contextlib.suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._room.wait(), SHORT_POLL)
        records, active = await super()._wait_next_records(timeout)
        for tp in self.assignment():
            if self.app.topics.acks_enabled_for(tp.topic) and (progress := self._thread.progress(*tp)):
                found = (records or {}).get(tp)
                before = self._reached.get(tp)
                last = found[-1].offset if found else before.last if before else -1
                expected = before.last + 1 if before and before.last >= 0 else self._sought.get(tp)
                if found and expected is not None and expected < found[0].offset:
                    self._hole(tp, range(expected, found[0].offset))
                self._reached[tp] = progress._replace(last=last)
        return records, active

    def _hole(self, tp: TP, offsets: range) -> None:
        """No record has these offsets: they are of transactions, or somebody removed records before we read them."""
        self._holes[tp].append(offsets)
        if tp not in self._asking:
            self._asking[tp] = asyncio.create_task(self._look_at_holes(tp))

    async def _look_at_holes(self, tp: TP) -> None:
        try:
            while holes := self._holes.pop(tp, None):
                start = (await self._thread.earliest_offsets(tp))[tp]
                if lost := sum(max(0, min(start, hole.stop) - hole.start) for hole in holes):
                    cast(Transport, self.transport).lost(tp, lost)
        except (KafkaError, TimeoutError, IllegalStateError):
            log.warning("records may be missing: the broker does not say", topic=tp.topic, partition=tp.partition)
        finally:
            del self._asking[tp]

    def on_buffer_drop(self, tp: TP) -> None:
        """An agent has room again."""
        super().on_buffer_drop(tp)
        self._room.set()

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        if not self.batched:
            await super()._add_gap(tp, offset_from, offset_to)

    def _new_offset(self, tp: TP) -> int | None:
        if not self.batched:
            return super()._new_offset(tp)
        out, acked = self._out[tp], self._acked_index[tp]
        committed = self._committed_offset[tp] or 0
        last = None
        while out and (out[0] in acked or out[0] < committed):
            head = out.popleft()
            acked.discard(head)
            last = max(head, committed - 1)
        self._acked[tp].clear()
        return None if last is None else last + 1

    async def perform_seek(self) -> None:
        """Go to where the states end (see place.py), which is hardly ever elsewhere than the committed offsets.

        Faust leaves a partition without a commit where it is. What was read of it meanwhile is lost with the agents'
        queues, which Faust empties when it resumes.
        """
        self._out.clear()
        self._acked_index.clear()
        self._reached.clear()
        self._began.clear()
        self._buffered_partitions.clear()  # nothing waits for an agent any more
        await super().perform_seek()
        inputs = [tp for tp in self.assignment() if self.app.topics.acks_enabled_for(tp.topic)]
        self._sought.clear()
        transport = cast(Transport, self.transport)
        if not inputs or not transport.recovered():
            return  # what is read until then is thrown away
        starts, ends = await self._thread.earliest_offsets(*inputs), await self._thread.highwaters(*inputs)
        for tp in inputs:
            offset = self._sought[tp] = transport.begin(tp, self._read_offset[tp], Log(starts[tp], ends[tp]))
            if offset != self._read_offset[tp]:
                await self.seek(tp, offset)
                self._committed_offset[tp] = offset or None  # to be committed anew from there, if need be below

    @property
    def sharing_out(self) -> bool:
        """Whether the partitions are being shared out anew, so that the assignment is an old one."""
        consumer = self._thread._consumer
        return consumer is None or bool(consumer._subscription.reassignment_in_progress)


class Recovery(recovery.Recovery):
    """Recovery that claims the changelog before it reads it, and fails when the broker takes too long.

    Faust's ends its task without a word then, for good.
    """

    async def _build_highwaters(self, consumer: Any, tps: set[TP], destination: Any, title: str) -> None:
        await cast(TableManager, self.tables).before_recovery({tp.partition for tp in tps})
        await super()._build_highwaters(consumer, tps, destination, title)
        for tp in tps:
            store = cast(Any, self.tp_to_table[tp]).data
            self.active_offsets[tp] = store.persisted_offset(tp)  # Faust asked before that
            if (self.active_offsets[tp] or -1) > destination[tp]:
                log.error(
                    "the changelog went back (was its topic made anew?); reading all of it", partition=tp.partition
                )
            elif not store.too_old(tp.partition):  # else this worker was frozen for hours
                continue
            store.forget(tp.partition)
            self.active_offsets[tp] = cast(Any, None)

    async def _wait(self, coro: Any, timeout: Any = None) -> None:  # noqa: ASYNC109  # Faust's signature
        try:
            await super()._wait(coro, timeout)
        except recovery.ServiceStopped:
            if self.should_stop:
                raise
            raise TimeoutError(f"the broker took more than {timeout} s in a recovery") from None


class TableManager(manager.TableManager):
    """Tables with our recovery."""

    #: Called with our partitions of the changelog before their ends are looked up.
    before_recovery: Callable[[set[int]], Awaitable[None]]

    @property
    def recovery(self) -> Recovery:
        """The recovery."""
        if self._recovery is None:
            self._recovery = Recovery(self.app, self, beacon=self.beacon, loop=self.loop)
        return cast(Recovery, self._recovery)


class Producer(driver.Producer):
    """Producer that waits for a broker that is away when it starts."""

    async def on_start(self) -> None:
        """Connect."""
        await _persist(super().on_start, self._give_up)

    async def _give_up(self) -> None:
        await cast(Any, self._producer).stop()


class Transport(driver.Transport):
    """Transport with our consumer and producer, which makes the changelog's topic when the broker is there for it."""

    Consumer = Consumer
    Producer = Producer
    fetch_wait_ms = 500
    batched = False
    #: Input topics by name: the higher, the later the broker is asked for it in one request.
    asked_last: Mapping[str, int] = {}
    lease: Lease
    #: Whether the states of our partitions are there.
    recovered: Callable[[], bool]
    #: Where an input is to be read on, by what the group has committed.
    begin: Callable[[TP, int | None, Log], int]
    #: So many records of an input are gone, and were not read.
    lost: Callable[[TP, int], None]

    async def _create_topic(self, *args: Any, **kwargs: Any) -> None:
        await _persist(lambda: super(Transport, self)._create_topic(*args, **kwargs))
