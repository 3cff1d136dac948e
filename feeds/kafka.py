"""The producer: events and lines of event files to the input topics, in order, none lost, none doubled.

A topic keeps its order by itself; between topics the client sends batches when they are full. So what a record may ask for
is confirmed by the broker before the record is sent: statuses before the calls that come after them, both before cases. In
bulk some thousands of events are sent by topic, so that this is a matter of one wait a topic: statuses may run ahead, as the
worker asks which one held at a time (docs/decisions/0003-statuses-first.md).
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Any

from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError
from kafka.partitioner.default import murmur2

from feeds.brokers import CONNECT_MS, connection, reachable, topic_names
from feeds.errors import FeedError
from feeds.topics import partitions_of
from feeds.wire import Line, encode, topic_of
from streams.events import IN_ORDER, Event, Topic

#: Events of a bulk that are sent by topic.
ROUND = 5_000
#: The client's buffer has no limit of its own: at most this many records are unconfirmed.
MAX_UNCONFIRMED = 20_000
PROGRESS_EVERY = 2_000
#: How long a broker may be away before sending fails.
DELIVERY_MS = 60_000
CONFIRM_SECONDS = DELIVERY_MS / 1000 + 15


def send_all(
    events: Iterable[Event | Line],
    broker: str,
    prefix: str = "care.",
    *,
    bulk: bool = False,
    progress: Callable[[int], None] | None = None,
    connect_ms: int = CONNECT_MS,
) -> dict[Topic, int]:
    """Send everything and wait until the broker has confirmed it; returns the records sent to each topic.

    The key is the program id (default partitioner, murmur2, so that a program has one partition number). An event is
    encoded anew, so fields that no event type lists never reach the broker; a line that is no event is sent as it is,
    without a key. `bulk`: none of the events is waited for, so they can be sent by topic, thousands at a time. `progress`
    hears the count sent so far, every 2,000 records. If the events end with an exception, those before it are sent and
    confirmed first. Raises FeedError: broker not there or lost, topic missing.
    """
    names = topic_names(prefix)
    with reachable(broker, "cannot send"):
        partitions = _partitions(broker, names, connect_ms)
        producer = KafkaProducer(
            **connection(broker, connect_ms),
            acks="all",
            enable_idempotence=True,
            delivery_timeout_ms=DELIVERY_MS,
            linger_ms=20,
            batch_size=256 * 1024,
            allow_auto_create_topics=False,
            metrics_enabled=False,
        )
        try:
            return _Sending(producer, names, partitions, progress).all(events, ROUND if bulk else 1)
        except KafkaError:
            # else the client waits for each batch's own timeout, and complains when it is collected
            producer._sender.force_close()
            raise
        finally:
            producer.close(timeout=5)  # everything is confirmed or has failed by now


class _Sending:
    """What was sent of some events, and what of it the broker has not confirmed yet."""

    def __init__(
        self,
        producer: KafkaProducer,
        names: dict[Topic, str],
        partitions: int,
        progress: Callable[[int], None] | None,
    ) -> None:
        self._producer = producer
        self._names = names
        self._partitions = partitions
        self._progress = progress
        self._counts: Counter[Topic] = Counter(dict.fromkeys(names, 0))
        self._routes: dict[str, tuple[bytes, int]] = {}
        self._unconfirmed: deque[tuple[Topic, Any]] = deque()
        self._awaited: Counter[Topic] = Counter()  # records unconfirmed

    def all(self, events: Iterable[Event | Line], size: int) -> dict[Topic, int]:
        """Send all, in rounds of so many."""
        share: list[Event | Line] = []
        try:
            try:
                for item in events:
                    share.append(item)
                    if len(share) == size:
                        self._round(share)
            finally:
                self._round(share)  # the events may have ended with an exception
        except KafkaError:
            self._unconfirmed.clear()  # the broker is lost: nothing more to wait for
            raise
        finally:
            self._confirm_all()
        return dict(self._counts)

    def _round(self, share: list[Event | Line]) -> None:
        """Send by topic; nothing is left in the share."""
        by_topic: dict[Topic, list[Event | Line]] = {topic: [] for topic in IN_ORDER}
        for item in share:
            by_topic[item.topic if isinstance(item, Line) else topic_of(item)].append(item)
        share.clear()  # what fails now is not sent again
        for topic, items in by_topic.items():
            for item in items:
                self._send(topic, item)

    def _send(self, topic: Topic, item: Event | Line) -> None:
        event, value = (item.event, item.value) if isinstance(item, Line) else (item, b"")
        if any(self._awaited[before] for before in IN_ORDER[: IN_ORDER.index(topic)]):
            self._producer.flush(timeout=CONFIRM_SECONDS)
            self._confirm_all()
        key, partition = None, None
        if event is not None:
            if event.program not in self._routes:
                self._routes[event.program] = _route(event.program, self._partitions)
            key, partition = self._routes[event.program]
            value = encode(event)
        self._unconfirmed.append((topic, self._producer.send(self._names[topic], value, key, partition=partition)))
        self._awaited[topic] += 1
        self._counts[topic] += 1
        # a live feed is slow: what failed must show at once, not when the buffer is full
        while self._unconfirmed and (self._unconfirmed[0][1].is_done or len(self._unconfirmed) > MAX_UNCONFIRMED):
            self._confirm()
        sent = self._counts.total()
        if self._progress and sent % PROGRESS_EVERY == 0:
            self._progress(sent)

    def _confirm_all(self) -> None:
        while self._unconfirmed:
            self._confirm()

    def _confirm(self) -> None:
        """Wait for the oldest record to be at the broker; raises the client's error if it failed."""
        topic, future = self._unconfirmed.popleft()
        future.get(timeout=CONFIRM_SECONDS)
        self._awaited[topic] -= 1


def _route(program: str, partitions: int) -> tuple[bytes, int]:
    """Key and partition of a program, as Kafka's default partitioner has it; once, not for each record: it is slow."""
    key = program.encode()
    return key, (murmur2(key) & 0x7FFFFFFF) % partitions


def _partitions(broker: str, names: dict[Topic, str], connect_ms: int) -> int:
    """The number of partitions, the same for all input topics."""
    admin = KafkaAdminClient(**connection(broker, connect_ms))
    try:
        existing = partitions_of(admin, list(names.values()))
    finally:
        admin.close()
    if missing := [name for name in names.values() if name not in existing]:
        raise FeedError(
            f"{broker}: missing topics: {', '.join(missing)}; run: carewatch topics create --broker {broker}"
        )
    if len(set(existing.values())) > 1:
        found = ", ".join(f"{name} {count}" for name, count in existing.items())
        raise FeedError(f"{broker}: topics with different numbers of partitions: {found}; create them anew with one")
    return next(iter(existing.values()))
