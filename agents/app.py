"""The Faust app of a worker: three agents, one table, and what ties them to the states."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from typing import Any, cast

import faust
import structlog
from aiokafka.errors import KafkaError
from faust.types import TP
from yarl import URL

from agents import heap
from agents.changelog import Applied, Changelog, Records
from agents.checks import Checks
from agents.damage import damages, newest
from agents.fence import MAX_BATCH_BYTES, MAX_RECORD_BYTES, Claims
from agents.intake import Headers, Intake
from agents.lease import Lease
from agents.local_copy import LocalCopy
from agents.notices import Teller
from agents.order import Order
from agents.owner import Owner
from agents.pace import RightOfWay
from agents.pipeline import Pipeline
from agents.place import KEY, Log, Places, begin, pack
from agents.recovery import RecoveryWatch
from agents.settings import Settings, WorkerError
from agents.skew import Skew
from agents.store import RECOVERY_BUFFER, Table
from agents.transport import MAX_BATCH, Consumer, Progress, TableManager, Transport, Untouched
from agents.turns import MOST, Turns
from streams.clock import SECOND, wall
from streams.events import IN_ORDER, TOPICS, Topic
from streams.programs import Profile, digest

log = structlog.get_logger()

#: Records of one poll, which costs a hop to the consumer's thread and back.
MAX_POLL_RECORDS = 1000
#: How long the changelog keeps the end of a record after compaction; a local copy must not be older (local_copy.py).
DELETE_RETENTION_MS = 24 * 3600 * 1000
#: Seconds that a broker may be away before a record counts as not stored, and the worker ends.
PRODUCER_TIMEOUT = 120.0
#: Messages (records, or batches of them) that may be applied and not yet durable, for each partition.
MAX_WAITING = {False: 2000, True: 80}
#: The part of the time for a rebalance that the changelog may take to be written; the broker may be away.
WRITTEN_WITHIN = 0.5
#: Seconds between the beginnings of two groups of changes of a partition; numbers are seen before they are durable.
GROUPS_APART = 0.05


class App(faust.App):
    """Faust's app with our transport."""

    ours: Settings
    lease: Lease
    #: For the transport, which Faust makes late.
    recovered: Callable[[], bool]
    begin: Callable[[TP, int | None, Log], int]
    lost: Callable[[TP, int], None]
    crashed_by: BaseException | None = None
    _crashing: asyncio.Future[None] | None = None

    def _new_transport(self) -> Transport:
        transport = Transport(self.conf.broker_consumer, self)
        transport.fetch_wait_ms = int(self.ours.fetch_wait * 1000)
        transport.batched = self.ours.batched
        transport.asked_last = {self.ours.topic(topic): -place for place, topic in enumerate(IN_ORDER, 1)}
        transport.lease = self.lease
        transport.recovered, transport.begin, transport.lost = self.recovered, self.begin, self.lost
        return transport

    async def _producer_flush(self, logger: Any) -> None:
        """Not Faust's way: it waits for the broker before we hear of a rebalance. We drain the changelog ourselves."""

    def crash_soon(self, error: BaseException) -> None:
        """End the worker: what is in memory can no longer be trusted."""
        if self.crashed_by is None:
            self.crashed_by = error
            log.error("the worker ends", error=repr(error))
            self._crashing = asyncio.ensure_future(self.crash(error))


class Producer:
    """The app's Kafka producer, for what Faust's own interface hides: when a record is durable."""

    def __init__(self, app: App, missing: Callable[[str], bool], skew: Skew) -> None:
        """A producer of records that are not the changelog's. `missing`: whether a topic is known to be gone."""
        self._app = app
        self._missing = missing
        self._skew = skew

    def send(
        self, topic: str, partition: int | None, key: bytes | None, value: bytes | None, headers: Headers
    ) -> Awaitable[Any]:
        """Send a record as it is; the awaitable is done when it is durable. One for a topic that is gone waits for it."""
        return asyncio.ensure_future(self._send(topic, partition, key, value, headers))

    async def _send(
        self, topic: str, partition: int | None, key: bytes | None, value: bytes | None, headers: Headers
    ) -> Any:
        kafka = cast(Any, self._app.producer)._ensure_producer()
        while True:
            try:
                # the broker's time: it takes no record of a clock that is an hour ahead
                stamp = (wall() - self._skew.now) // 1000
                return await kafka.send_and_wait(
                    topic, value=value, key=key, partition=partition, timestamp_ms=stamp, headers=list(headers)
                )
            except KafkaError:
                if not self._missing(topic):
                    raise


class Worker:
    """What runs in one worker process; the command line and the tests start its `app`."""

    def __init__(self, settings: Settings, profiles: Mapping[str, Profile]) -> None:
        """A worker that is not started."""
        self.settings = settings
        self.programs = digest(profiles)
        self.owner = Owner(profiles, settings.partitions)
        self.pipeline = Pipeline()
        self.way = RightOfWay()
        self.app = _app(settings)
        self.app.recovered = lambda: self.owner.ready
        self.app.begin, self.app.lost = self._begin, self._lose
        self.order = Order(self._progress, self._began, lambda: self._consumer.silence())
        self.table = cast(
            Table,
            self.app.Table(
                "state",
                partitions=settings.partitions,
                schema=Untouched(),
                recovery_buffer_size=RECOVERY_BUFFER if settings.batched else 1000,
                extra_topic_configs={
                    "max.message.bytes": MAX_RECORD_BYTES,
                    "delete.retention.ms": DELETE_RETENTION_MS,
                    # the broker's time, not ours: it takes no record of a clock that is an hour ahead, and tells us its own
                    "message.timestamp.type": "LogAppendTime",
                },
            ),
        )
        self.skew = Skew()
        self.claims = Claims(settings, self.table.changelog_topic.get_topic_name, self.skew)
        self.checks = Checks(settings, self.table.changelog_topic.get_topic_name, self.programs)
        tables = cast(TableManager, self.app.tables)
        tables.before_recovery = self._before_recovery
        self.table.watch = self.recovery = RecoveryWatch(lambda: tables.recovery.active_remaining_total())
        self.table.local = LocalCopy(settings.data, self._changelog_id) if settings.data else None
        self.places = Places(
            self._reached,
            self._durable,
            lambda topic: self.checks.id_of(settings.topic(topic)),
        )
        self.changelog = Changelog(
            self._write, self._changes, self.app.crash_soon, MAX_WAITING[settings.batched], GROUPS_APART
        )
        producer = Producer(self.app, self.checks.missing, self.skew)
        self.intake = Intake(
            self.owner,
            self.pipeline,
            self.order,
            self.changelog,
            producer,
            lambda partition: self.table.store.partitions[partition],
            lambda message: message.generation_id == self.app.consumer_generation_id,
            inputs=settings.inputs,
            deadletter=settings.deadletter,
        )
        self.turns = Turns(
            self._take,
            self.app.crash_soon,
            lambda tp: self._consumer.on_buffer_full(tp),
            lambda tp: self._consumer.on_buffer_drop(tp),
            MOST[settings.batched],
        )
        self._taking: Iterator[str] | None = None
        self._begun: dict[TP, int] = {}
        self._naming: asyncio.Task[None] | None = None
        self.teller = Teller(
            self.owner,
            self.changelog,
            producer,
            self.up_to_date,
            settings.notices,
            round(settings.staffing_gap * SECOND),
        )
        for topic in TOPICS:
            self._add_agent(topic)
        self.app.on_partitions_revoked.connect(self._on_revoked, weak=False)
        self.table.on_recover(self._on_recovered)

    @property
    def ready(self) -> bool:
        """Whether its numbers are there and its own to show."""
        return self.owner.ready and self.app.lease.held and self.app.crashed_by is None

    @property
    def why_not(self) -> str:
        """Why it is not ready, for people."""
        if self.checks.stranger:
            return "workers with other program files are in the group; waiting until they have left"
        return "no programs assigned yet, or still recovering"

    @property
    def address(self) -> str:
        """Where the group is told that this worker's web is. With it goes which program files it runs, as the fragment."""
        return _address(str(self.app.conf.canonical_url))

    @address.setter
    def address(self, url: str) -> None:
        self.app.conf.canonical_url = URL(url).with_fragment(self.programs)

    def owners(self) -> dict[str, str]:
        """The address of each program's worker, as the group's last assignment has it; nothing of those that nobody has.

        Faust's leader tells every worker who has which partition, with the address that each gave of itself.
        """
        topic = self.settings.topic("dispatch")
        homes = {
            partition: _address(url)
            for url, topics in cast(Any, self.app.assignor).external_topics_metadata().items()
            for partition in topics.get(topic, ())
        }
        return {program: homes[home] for program, home in self.owner.homes.items() if home in homes}

    def caught_up(self, program: str) -> bool:
        """Whether every status of the program that is known to be there is applied."""
        return self.order.caught_up("status", self.owner.homes[program])

    def up_to_date(self, program: str) -> bool:
        """Whether the program is ours now, and every record of it that is known to be there is applied."""
        return self.ready and all(self.order.caught_up(topic, self.owner.homes[program]) for topic in TOPICS)

    def _add_agent(self, topic: Topic) -> None:
        async def agent(stream: Any) -> AsyncIterator[None]:
            async for event in stream.noack().events():
                if self.owner.ready:
                    self.turns.add(event)
                yield

        self.app.agent(self.app.topic(self.settings.topic(topic), schema=Untouched()), name=topic)(agent)

    def _changelog_id(self) -> str:
        return self.checks.id_of(self.table.changelog_topic.get_topic_name())

    def _changes(self, partition: int) -> Records:
        """What changed in a partition, and then how far it goes: whatever is cut off its end, the rest is right."""
        changes = self.owner.changes(partition)
        place = self.table.store.places[partition] = self.places.now(partition)
        changes[KEY] = pack(place)
        return changes

    async def _take(self, event: Any) -> None:
        await self.way.free()
        await self.intake.take(event)

    async def _write(self, partition: int, records: Records) -> None:
        began = wall()
        offset = await self.claims.write(partition, records)
        await self.table.store.written(partition, records, offset, began)

    async def _on_revoked(self, *args: Any, **kwargs: Any) -> None:
        if not await self.stop_taking(self.settings.rebalance_timeout * WRITTEN_WITHIN):
            log.warning("the broker is slow: the changelog was not written before the programs are shared out anew")
            self.table.store.ahead = True

    async def stop_taking(self, within: float) -> bool:
        """Own nothing any more, once what was applied is durable; False if that took too long (seconds)."""
        self.owner.ready = False
        self._taking = None
        self.turns.clear()
        drained = await self.changelog.drain(within)
        self.changelog.forget()
        self.owner.drop()
        self.order.reset()
        self.recovery.give_up()
        return drained

    async def _before_recovery(self, partitions: set[int]) -> None:
        self.recovery.begin()
        await self.claims.take(partitions)
        self.table.store.fall_back()

    async def _on_recovered(self) -> None:
        try:
            await self._take_over()
        except Exception as error:  # noqa: BLE001  # Faust does not look at what a callback raises
            self.app.crash_soon(error)

    async def _take_over(self) -> None:
        if self._consumer.sharing_out:
            return  # a rebalance has begun again, and another recovery comes after it
        if not self._alike():
            return
        # Faust now seeks the inputs to the committed offsets and empties the agents' queues, with the fetcher running
        # on: what it reads in between would be lost. Faust itself lets it flow again after that.
        self._consumer.stop_flow()
        self.changelog.forget()
        inputs, changelog = self.settings.inputs, self.table.changelog_topic.get_topic_name()
        assigned = self.app.consumer.assignment()
        mine = {tp.partition for tp in assigned if tp.topic in inputs}
        if bare := mine - {tp.partition for tp in assigned if tp.topic == changelog}:
            raise WorkerError(
                f"partitions {sorted(bare)} were assigned without the changelog {changelog}, which is gone or was made just "
                "now; start the worker again: it makes the state from the inputs anew, as far as these reach"
            )
        self._begun.clear()
        self.places.take({number: self.table.store.places.get(number) for number in mine})
        taking = self._taking = self.owner.taking({number: self.table.store.partitions[number] for number in mine})
        with heap.unwatched():
            for _ in taking:
                await asyncio.sleep(0)  # a state may take a while to build; /healthz is to be answered meanwhile
                if self._taking is not taking:
                    return  # the partitions were revoked
        heap.settle()
        if self.owner.damaged:
            self._naming = asyncio.create_task(self._name_damage())
        programs = sorted(state.profile.program for state in self.owner.states())
        took = self.recovery.end()
        log.info("recovered", partitions=sorted(mine), programs=programs, seconds=round(took, 3))

    def _alike(self) -> bool:
        """Whether all members have our program files. Those that come later wait outside (checks.py), so others can only have
        joined in the same moment: of these the one with the lowest digest goes on. Raises WorkerError where we are not that.
        """
        members = cast(Any, self.app.assignor).external_topics_metadata()
        others = {URL(url).fragment for url in members} - {self.programs}
        if others and min(others) < self.programs:
            raise WorkerError(
                "workers with other program files joined the group in the same moment; give all the same files (--programs), and "
                "start this one again"
            )
        return not others

    async def _name_damage(self) -> None:
        """Say which records cannot be read: the changelog is read once more for that."""
        hurt = {self.owner.homes[program] for program in self.owner.damaged}
        with contextlib.suppress(KafkaError):
            found = await newest(self.settings, self.table.changelog_topic.get_topic_name(), hurt)
            profiles = {program: self.owner.profiles[program] for program in self.owner.damaged}
            for each in await asyncio.to_thread(damages, found, profiles, self.settings.partitions):
                log.error(f"damage in the changelog: {each}; run: carewatch state check")

    def _begin(self, tp: TP, committed: int | None, there: Log) -> int:
        """Where to read an input on. Faust may ask more than once."""
        if tp not in self._begun:
            topic = self.settings.inputs[tp.topic]
            store = self.table.store
            stored = store.place(tp.partition, {} if committed is None else {topic: committed})
            found = begin(stored, topic, committed, there._replace(id=self.checks.id_of(tp.topic)))
            self._begun[tp] = found.offset
            if found.why:
                place = {"topic": tp.topic, "partition": tp.partition, "offset": found.offset}
                log.warning("reading again, from where the state ends", why=found.why, committed=committed, **place)
            if found.lost:
                self._lose(tp, found.lost)
        return self._begun[tp]

    def _lose(self, tp: TP, records: int) -> None:
        """Records are gone that were never read: nothing brings them back, so it is said as loud as can be."""
        self.places.lose(self.settings.inputs[tp.topic], tp.partition, records, wall())
        programs = [program for program, home in self.owner.homes.items() if home == tp.partition]
        log.error(
            "records were removed before they were read; what they said is missing from all numbers",
            topic=tp.topic,
            partition=tp.partition,
            records=records,
            programs=programs,
        )
        self.changelog.add(
            tp.partition, Applied(None, lambda: None, [])
        )  # so that it is stored, and never counted again

    def _reached(self, topic: Topic, partition: int) -> int | None:
        """The next offset to apply: of what was applied here, or of where the reading begins, or of what is stored."""
        if (reached := self.order.reached(topic, partition)) is not None:
            return reached
        place = self.table.store.places.get(partition)
        return self._begun.get(TP(self.settings.topic(topic), partition), place.offsets.get(topic) if place else None)

    def _durable(self, topic: Topic, partition: int) -> int | None:
        """The next offset of which all that came is durable: of what was applied here, or of what is stored."""
        if (durable := self.order.durable(topic, partition)) is not None:
            return durable
        place = self.table.store.places.get(partition)
        return place.done.get(topic) if place else None

    def _progress(self, topic: Topic, partition: int) -> Progress | None:
        return self._consumer.progress(self.settings.topic(topic), partition)

    def _began(self, topic: Topic, partition: int) -> int | None:
        return self._consumer.began(self.settings.topic(topic), partition)

    @property
    def _consumer(self) -> Consumer:
        return cast(Consumer, self.app.consumer)


def _address(told: str) -> str:
    """The address in what a worker tells the group of itself."""
    return told.partition("#")[0].rstrip("/")  # yarl writes an empty path as one


def buffer_messages(partitions: int, *, batched: bool) -> int:
    """Messages that an agent's queue takes. A put that has to wait would stop the reading of every other topic, and
    calls would wait for statuses that are never read: Faust takes a partition out of the poll at a put into a queue
    that is four fifths full, so the last fifth has room for what one more poll finds of each partition.
    """
    return 5 * partitions * (MAX_POLL_RECORDS // MAX_BATCH + 1 if batched else MAX_POLL_RECORDS)


def _app(settings: Settings) -> App:
    app = App(
        settings.group,
        broker=settings.broker if "://" in settings.broker else f"kafka://{settings.broker}",
        store="memory://",
        Table=Table,
        TableManager=TableManager,
        datadir=tempfile.gettempdir(),
        topic_partitions=settings.partitions,
        topic_replication_factor=settings.replication,
        topic_disable_leader=True,
        table_standby_replicas=0,
        # Faust's own web would serve the table to anyone; ours is in web.py
        web_enabled=False,
        web_tables_enabled=False,
        web_bind=settings.web_host,
        broker_session_timeout=settings.session_timeout,
        broker_heartbeat_interval=settings.heartbeat_interval,
        broker_rebalance_timeout=settings.rebalance_timeout,
        broker_commit_interval=1.0,
        broker_max_poll_records=MAX_POLL_RECORDS,
        producer_acks=-1,
        producer_linger=0,
        producer_request_timeout=PRODUCER_TIMEOUT,
        producer_max_batch_size=MAX_BATCH_BYTES,
        producer_max_request_size=MAX_RECORD_BYTES,
        consumer_max_fetch_size=1024 * 1024,
        stream_wait_empty=False,
        stream_buffer_maxsize=buffer_messages(settings.partitions, batched=settings.batched),
        stream_recovery_delay=0.0,
        worker_redirect_stdouts=False,
    )
    app.ours = settings
    app.lease = Lease(settings.session_timeout)
    return app
