"""The Faust app of a worker: three agents, one table, and what ties them to the states."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Mapping
from typing import Any, cast

import faust
import structlog

from agents.changelog import Changelog, Records
from agents.intake import Headers, Intake
from agents.notices import Teller
from agents.order import Order
from agents.owner import Owner
from agents.pipeline import Pipeline
from agents.settings import Settings
from agents.store import Table
from agents.transport import Consumer, Progress, TableManager, Transport, Untouched
from streams.clock import SECOND
from streams.events import TOPICS, Topic
from streams.programs import Profile

log = structlog.get_logger()

#: The largest record that we write; a call's record grows with its events.
MAX_RECORD_BYTES = 8 * 1024 * 1024
#: A produce request; below what a broker takes by default (1 MiB) for topics of others.
MAX_BATCH_BYTES = 1_000_000
#: Records of one poll: what is applied in one go keeps the loop for some ten milliseconds.
MAX_POLL_RECORDS = 1000
#: Seconds that a broker may be away before a record counts as not stored, and the worker ends.
PRODUCER_TIMEOUT = 120.0
#: Messages (records, or batches of them) that may be applied and not yet durable, for each partition.
MAX_WAITING = {False: 2000, True: 20}


class App(faust.App):
    """Faust's app with our transport."""

    ours: Settings
    crashed_by: BaseException | None = None
    _crashing: asyncio.Future[None] | None = None

    def _new_transport(self) -> Transport:
        transport = Transport(self.conf.broker_consumer, self)
        transport.fetch_wait_ms = int(self.ours.fetch_wait * 1000)
        transport.batched = self.ours.batched
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
    """The app's Kafka producer, for what Faust's own interface hides: when a record is durable, and batches."""

    def __init__(self, app: App, table: Table) -> None:
        """A producer to the table's changelog and to other topics."""
        self._app = app
        self._table = table

    @property
    def _kafka(self) -> Any:
        return cast(Any, self._app.producer)._ensure_producer()

    async def write(self, partition: int, records: Records) -> None:
        """Write changelog records in their order; returns when they are durable."""
        topic = self._table.changelog_topic.get_topic_name()
        kafka, batch = self._kafka, None
        for key, value in records.items():
            if batch is None or batch.append(timestamp=None, key=key, value=value) is None:
                if batch is not None:  # one after the other: if one fails, none that came after it may be there
                    await (await kafka.send_batch(batch, topic, partition=partition))
                batch = kafka.create_batch()
                batch.append(timestamp=None, key=key, value=value)
        if batch is not None:
            await (await kafka.send_batch(batch, topic, partition=partition))

    def send(
        self, topic: str, partition: int | None, key: bytes | None, value: bytes | None, headers: Headers
    ) -> Awaitable[Any]:
        """Send a record as it is; the awaitable is done when it is durable."""
        sending = self._kafka.send_and_wait(topic, value=value, key=key, partition=partition, headers=list(headers))
        return cast(Awaitable[Any], asyncio.ensure_future(sending))


class Worker:
    """What runs in one worker process; the command line and the tests start its `app`."""

    def __init__(self, settings: Settings, profiles: Mapping[str, Profile]) -> None:
        """A worker that is not started."""
        self.settings = settings
        self.owner = Owner(profiles, settings.partitions)
        self.pipeline = Pipeline()
        self.app = _app(settings)
        self.order = Order(self._progress, self._handed_out)
        self.table = cast(
            Table,
            self.app.Table(
                "state",
                partitions=settings.partitions,
                schema=Untouched(),
                extra_topic_configs={"max.message.bytes": MAX_RECORD_BYTES},
            ),
        )
        producer = Producer(self.app, self.table)
        self.changelog = Changelog(producer, self._changes, self.app.crash_soon, MAX_WAITING[settings.batched])
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

    def caught_up(self, program: str) -> bool:
        """Whether every status of the program that is known to be there is applied."""
        return self.order.caught_up("status", self.owner.homes[program])

    def up_to_date(self, program: str) -> bool:
        """Whether every record of the program that is known to be there is applied."""
        home = self.owner.homes[program]
        topics = [self.order.up_to_date(topic, home) for topic in TOPICS]  # each is asked, each time
        return all(topics)

    def _add_agent(self, topic: Topic) -> None:
        async def agent(stream: Any) -> AsyncIterator[None]:
            async for event in stream.noack().events():
                try:
                    await self.intake.take(event)
                except Exception as error:  # noqa: BLE001  # Faust would go on with the next one
                    self.app.crash_soon(error)
                yield

        self.app.agent(self.app.topic(self.settings.topic(topic), schema=Untouched()), name=topic)(agent)

    def _changes(self, partition: int) -> Records:
        changes = self.owner.changes(partition)
        self.table.store.put(partition, changes.items())
        return changes

    async def _on_revoked(self, *args: Any, **kwargs: Any) -> None:
        if not await self.stop_taking(self.settings.rebalance_timeout / 2):
            self.app.crash_soon(
                RuntimeError("the changelog could not be written before the programs are shared out anew")
            )

    async def stop_taking(self, within: float) -> bool:
        """Own nothing any more, once what was applied is durable; False if that took too long (seconds)."""
        self.owner.ready = False
        drained = await self.changelog.drain(within)
        self.changelog.forget()
        self.owner.drop()
        self.order.reset()
        return drained

    async def _on_recovered(self) -> None:
        try:
            self._take_over()
        except Exception as error:  # noqa: BLE001  # Faust does not look at what a callback raises
            self.app.crash_soon(error)

    def _take_over(self) -> None:
        if self._consumer.sharing_out:
            return  # a rebalance has begun again, and another recovery comes after it
        # Faust now seeks the inputs to the committed offsets and empties the agents' queues, with the fetcher running
        # on: what it reads in between would be lost. Faust itself lets it flow again after that.
        self._consumer.stop_flow()
        self.changelog.forget()
        inputs = self.settings.inputs
        mine = {tp.partition for tp in self.app.consumer.assignment() if tp.topic in inputs}
        self.owner.take({partition: self.table.store.partitions[partition] for partition in mine})
        log.info("recovered", partitions=sorted(mine), programs=sorted(s.profile.program for s in self.owner.states()))

    def _progress(self, topic: Topic, partition: int) -> Progress | None:
        return self._consumer.progress(self.settings.topic(topic), partition)

    def _handed_out(self, topic: Topic, partition: int) -> int | None:
        return self._consumer.handed_out(self.settings.topic(topic), partition)

    @property
    def _consumer(self) -> Consumer:
        return cast(Consumer, self.app.consumer)


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
        consumer_max_fetch_size=4 * 1024 * 1024,
        stream_wait_empty=False,
        # in messages; a batch is up to MAX_POLL_RECORDS records
        stream_buffer_maxsize=64 if settings.batched else 4096,
        stream_recovery_delay=0.0,
        worker_redirect_stdouts=False,
    )
    app.ours = settings
    return app
