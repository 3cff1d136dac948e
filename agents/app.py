"""The Faust app of a worker: three agents, one table, and what ties them to the states."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Iterator, Mapping
from typing import Any, cast

import faust
import structlog
from yarl import URL

from agents import heap
from agents.changelog import Changelog, Records
from agents.fence import MAX_BATCH_BYTES, MAX_RECORD_BYTES, Claims
from agents.intake import Headers, Intake
from agents.lease import Lease
from agents.local_copy import LocalCopy
from agents.notices import Teller
from agents.order import Order
from agents.owner import Owner
from agents.pace import RightOfWay
from agents.pipeline import Pipeline
from agents.recovery import RecoveryWatch
from agents.settings import Settings, WorkerError
from agents.store import RECOVERY_BUFFER, Table
from agents.transport import MAX_BATCH, Consumer, Progress, TableManager, Transport, Untouched
from streams.clock import SECOND, wall
from streams.events import TOPICS, Topic
from streams.programs import Profile

log = structlog.get_logger()

#: Records of one poll, which costs a hop to the consumer's thread and back.
MAX_POLL_RECORDS = 1000
#: How long the changelog keeps the end of a record after compaction; a local copy must not be older (local_copy.py).
DELETE_RETENTION_MS = 24 * 3600 * 1000
#: Seconds that a broker may be away before a record counts as not stored, and the worker ends.
PRODUCER_TIMEOUT = 120.0
#: Messages (records, or batches of them) that may be applied and not yet durable, for each partition.
MAX_WAITING = {False: 2000, True: 80}
#: Seconds between the beginnings of two groups of changes of a partition; numbers are seen before they are durable.
GROUPS_APART = 0.05


class App(faust.App):
    """Faust's app with our transport."""

    ours: Settings
    lease: Lease
    crashed_by: BaseException | None = None
    _crashing: asyncio.Future[None] | None = None

    def _new_transport(self) -> Transport:
        transport = Transport(self.conf.broker_consumer, self)
        transport.fetch_wait_ms = int(self.ours.fetch_wait * 1000)
        transport.batched = self.ours.batched
        transport.lease = self.lease
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

    def __init__(self, app: App) -> None:
        """A producer of records that are not the changelog's."""
        self._app = app

    def send(
        self, topic: str, partition: int | None, key: bytes | None, value: bytes | None, headers: Headers
    ) -> Awaitable[Any]:
        """Send a record as it is; the awaitable is done when it is durable."""
        kafka = cast(Any, self._app.producer)._ensure_producer()
        sending = kafka.send_and_wait(topic, value=value, key=key, partition=partition, headers=list(headers))
        return cast(Awaitable[Any], asyncio.ensure_future(sending))


class Worker:
    """What runs in one worker process; the command line and the tests start its `app`."""

    def __init__(self, settings: Settings, profiles: Mapping[str, Profile]) -> None:
        """A worker that is not started."""
        self.settings = settings
        self.owner = Owner(profiles, settings.partitions)
        self.pipeline = Pipeline()
        self.way = RightOfWay()
        self.app = _app(settings)
        self.order = Order(self._progress, self._began, lambda: self._consumer.silence())
        self.table = cast(
            Table,
            self.app.Table(
                "state",
                partitions=settings.partitions,
                schema=Untouched(),
                recovery_buffer_size=RECOVERY_BUFFER if settings.batched else 1000,
                extra_topic_configs={"max.message.bytes": MAX_RECORD_BYTES, "delete.retention.ms": DELETE_RETENTION_MS},
            ),
        )
        self.claims = Claims(settings, self.table.changelog_topic.get_topic_name)
        tables = cast(TableManager, self.app.tables)
        tables.before_recovery = self._before_recovery
        self.table.watch = self.recovery = RecoveryWatch(lambda: tables.recovery.active_remaining_total())
        self.table.local = LocalCopy(settings.data) if settings.data else None
        self.changelog = Changelog(
            self._write, self.owner.changes, self.app.crash_soon, MAX_WAITING[settings.batched], GROUPS_APART
        )
        producer = Producer(self.app)
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
        self._taking: Iterator[str] | None = None
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
        return self.owner.ready and self.app.lease.held

    @property
    def address(self) -> str:
        """Where the group is told that this worker's web is."""
        return str(self.app.conf.canonical_url)

    @address.setter
    def address(self, url: str) -> None:
        self.app.conf.canonical_url = URL(url)

    def owners(self) -> dict[str, str]:
        """The address of each program's worker, as the group's last assignment has it; nothing of those that nobody has.

        Faust's leader tells every worker who has which partition, with the address that each gave of itself.
        """
        topic = self.settings.topic("dispatch")
        homes = {
            partition: url
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
                try:
                    await self.way.free()
                    await self.intake.take(event)
                except Exception as error:  # noqa: BLE001  # Faust would go on with the next one
                    self.app.crash_soon(error)
                yield

        self.app.agent(self.app.topic(self.settings.topic(topic), schema=Untouched()), name=topic)(agent)

    async def _write(self, partition: int, records: Records) -> None:
        began = wall()
        offset = await self.claims.write(partition, records)
        await self.table.store.written(partition, records, offset, began)

    async def _on_revoked(self, *args: Any, **kwargs: Any) -> None:
        if not await self.stop_taking(self.settings.rebalance_timeout / 2):
            self.app.crash_soon(
                RuntimeError("the changelog could not be written before the programs are shared out anew")
            )

    async def stop_taking(self, within: float) -> bool:
        """Own nothing any more, once what was applied is durable; False if that took too long (seconds)."""
        self.owner.ready = False
        self._taking = None
        drained = await self.changelog.drain(within)
        self.changelog.forget()
        self.owner.drop()
        self.order.reset()
        self.recovery.give_up()
        return drained

    async def _before_recovery(self, partitions: set[int]) -> None:
        self.recovery.begin()
        await self.claims.take(partitions)

    async def _on_recovered(self) -> None:
        try:
            await self._take_over()
        except Exception as error:  # noqa: BLE001  # Faust does not look at what a callback raises
            self.app.crash_soon(error)

    async def _take_over(self) -> None:
        if self._consumer.sharing_out:
            return  # a rebalance has begun again, and another recovery comes after it
        # Faust now seeks the inputs to the committed offsets and empties the agents' queues, with the fetcher running
        # on: what it reads in between would be lost. Faust itself lets it flow again after that.
        self._consumer.stop_flow()
        self.changelog.forget()
        inputs, changelog = self.settings.inputs, self.table.changelog_topic.get_topic_name()
        assigned = self.app.consumer.assignment()
        mine = {tp.partition for tp in assigned if tp.topic in inputs}
        if bare := mine - {tp.partition for tp in assigned if tp.topic == changelog}:
            raise WorkerError(f"partitions {sorted(bare)} were assigned without their changelog {changelog}")
        taking = self._taking = self.owner.taking({number: self.table.store.partitions[number] for number in mine})
        with heap.unwatched():
            for _ in taking:
                await asyncio.sleep(0)  # a state may take a while to build; /healthz is to be answered meanwhile
                if self._taking is not taking:
                    return  # the partitions were revoked
        heap.settle()
        programs = sorted(state.profile.program for state in self.owner.states())
        took = self.recovery.end()
        log.info("recovered", partitions=sorted(mine), programs=programs, seconds=round(took, 3))

    def _progress(self, topic: Topic, partition: int) -> Progress | None:
        return self._consumer.progress(self.settings.topic(topic), partition)

    def _began(self, topic: Topic, partition: int) -> int | None:
        return self._consumer.began(self.settings.topic(topic), partition)

    @property
    def _consumer(self) -> Consumer:
        return cast(Consumer, self.app.consumer)


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
