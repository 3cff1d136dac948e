"""The Faust app of a worker: three agents, one table, and what ties them to the states."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Mapping
from typing import Any, cast

import faust
import structlog
from faust.types.tables import TableT

from agents.intake import Intake
from agents.order import Order
from agents.owner import Owner, forget
from agents.pipeline import Pipeline
from agents.settings import Settings
from agents.transport import Consumer, Progress, Transport
from streams.events import TOPICS, Topic
from streams.programs import Profile

log = structlog.get_logger()

#: The largest record that we write; a call's record grows with its events.
MAX_RECORD_BYTES = 8 * 1024 * 1024


class App(faust.App):
    """Faust's app with our consumer."""

    fetch_wait: float
    crashed_by: BaseException | None = None

    def _new_transport(self) -> Transport:
        transport = Transport(self.conf.broker_consumer, self)
        transport.fetch_wait_ms = int(self.fetch_wait * 1000)
        return transport

    def crash_soon(self, error: BaseException) -> None:
        """End the worker: what is in memory can no longer be trusted."""
        if self.crashed_by is None:
            self.crashed_by = error
            log.error("the worker ends: a record could not be stored", error=repr(error))
            asyncio.ensure_future(self.crash(error))


def memory(table: TableT[bytes, bytes]) -> dict[bytes, bytes]:
    """The dict of a table's memory store."""
    return cast("dict[bytes, bytes]", cast(Any, table).data.data)


class TableSink:
    """The table and the producer, as the intake wants them."""

    def __init__(self, app: App, table: TableT[bytes, bytes]) -> None:
        """A sink into a table of the app."""
        self._app = app
        self._table = table

    @property
    def records(self) -> dict[bytes, bytes]:
        """What the table holds."""
        return memory(self._table)

    def store(self, partition: int, key: bytes, value: bytes | None) -> Awaitable[Any]:
        """Write past Faust's dict interface: it hides the future that says when the changelog has the record."""
        if value is None:
            self.records.pop(key, None)
            return self._table.send_changelog(partition, key, None, value_serializer="raw")
        self.records[key] = value
        return self._table.send_changelog(partition, key, value)

    def send(
        self, topic: str, partition: int | None, key: bytes | None, value: bytes | None, headers: list[tuple[str, bytes]]
    ) -> Awaitable[Any]:
        """Send a record as it is."""
        channel = self._app.topic(topic, key_serializer="raw", value_serializer="raw", partitions=None)
        return channel.send_soon(key=key, value=value, partition=partition, headers=headers, force=True)


class Worker:
    """What runs in one worker process; the command line and the tests start its `app`."""

    def __init__(self, settings: Settings, profiles: Mapping[str, Profile]) -> None:
        """A worker that is not started."""
        self.settings = settings
        self.owner = Owner(profiles, settings.partitions)
        self.pipeline = Pipeline()
        self.app = _app(settings)
        self.order = Order(self._progress, self._handed_out)
        self.table = self.app.Table(
            "state",
            key_type=bytes,
            value_type=bytes,
            partitions=settings.partitions,
            # the names of faust.Schema's codecs: bytes go in and out untouched
            schema=faust.Schema(key_type=bytes, value_type=bytes, key_serializer="raw", value_serializer="raw"),
            extra_topic_configs={"max.message.bytes": MAX_RECORD_BYTES},
        )
        sink = TableSink(self.app, self.table)
        self.intake = Intake(self.owner, self.pipeline, self.order, sink, settings.deadletter, settings.prefix)
        for topic in TOPICS:
            self._add_agent(topic)
        self.app.on_partitions_revoked.connect(self._on_revoked, weak=False)
        self.table.on_recover(self._on_recovered)

    def caught_up(self, program: str) -> bool:
        """Whether every status of the program that is known to be there is applied."""
        return self.order.caught_up("status", self.owner.homes[program])

    def _add_agent(self, topic: Topic) -> None:
        channel = self.app.topic(
            self.settings.topic(topic), key_serializer="raw", value_serializer="raw", key_type=bytes, value_type=bytes
        )

        async def agent(stream: Any) -> AsyncIterator[None]:
            async for event in stream.noack().events():
                await self.intake.take(topic, event)
                yield

        self.app.agent(channel, name=topic)(agent)

    async def _on_revoked(self, *args: Any, **kwargs: Any) -> None:
        self.owner.drop()
        self.order.reset()

    async def _on_recovered(self) -> None:
        inputs = self.settings.inputs
        mine = {tp.partition for tp in self.app.consumer.assignment() if tp.topic in inputs}
        records = memory(self.table)
        forget(mine, records)
        self.owner.take(mine, records)
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
        datadir=tempfile.gettempdir(),
        topic_partitions=settings.partitions,
        topic_replication_factor=settings.replication,
        topic_disable_leader=True,
        # Faust's own web would serve the table to anyone; ours is in web.py
        web_enabled=False,
        web_tables_enabled=False,
        web_bind=settings.web_host,
        broker_session_timeout=settings.session_timeout,
        broker_heartbeat_interval=settings.heartbeat_interval,
        broker_rebalance_timeout=settings.rebalance_timeout,
        broker_commit_interval=1.0,
        producer_acks=-1,
        producer_linger=0.002,
        producer_max_request_size=MAX_RECORD_BYTES,
        consumer_max_fetch_size=4 * 1024 * 1024,
        stream_wait_empty=False,
        stream_recovery_delay=0.0,
        worker_redirect_stdouts=False,
    )
    app.fetch_wait = settings.fetch_wait
    return app
