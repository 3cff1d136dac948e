"""The producer: events and lines of event files to the input topics, in order, none lost, none doubled."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable
from typing import Any

from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError
from kafka.partitioner.default import murmur2

from feeds.brokers import CONNECT_MS, addresses, reachable, topic_names
from feeds.errors import FeedError
from feeds.topics import partitions_of
from feeds.wire import Line, encode, topic_of
from streams.events import Event, Topic

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
    progress: Callable[[int], None] | None = None,
    connect_ms: int = CONNECT_MS,
) -> dict[Topic, int]:
    """Send everything and wait until the broker has confirmed it; returns the records sent to each topic.

    The key is the program id (default partitioner, murmur2, so that a program has one partition number). An event is
    encoded anew, so fields that no event type lists never reach the broker; a line that is no event is sent as it is,
    without a key. `progress` hears the count sent so far, every 2,000 records. If the events end with an exception
    (Ctrl-C too), what was sent before it is confirmed first. Raises FeedError: broker not there or lost, topic missing.
    """
    names = topic_names(prefix)
    with reachable(broker, "cannot send"):
        partitions = _partitions(broker, names, connect_ms)
        producer = KafkaProducer(
            bootstrap_servers=addresses(broker),
            bootstrap_timeout_ms=connect_ms,
            acks="all",
            enable_idempotence=True,
            delivery_timeout_ms=DELIVERY_MS,
            linger_ms=20,
            batch_size=256 * 1024,
            allow_auto_create_topics=False,
            metrics_enabled=False,
        )
        try:
            return _send(producer, events, names, partitions, progress)
        except KafkaError:
            # else the client waits for each batch's own timeout, and complains when it is collected
            producer._sender.force_close()
            raise
        finally:
            producer.close(timeout=5)  # everything is confirmed or has failed by now


def _send(
    producer: KafkaProducer,
    events: Iterable[Event | Line],
    names: dict[Topic, str],
    partitions: int,
    progress: Callable[[int], None] | None,
) -> dict[Topic, int]:
    counts: Counter[Topic] = Counter(dict.fromkeys(names, 0))
    routes: dict[str, tuple[bytes, int]] = {}
    unconfirmed: deque[Any] = deque()
    try:
        for sent, item in enumerate(events):
            if progress and sent and sent % PROGRESS_EVERY == 0:
                progress(sent)
            if isinstance(item, Line):
                topic, event, value = item.topic, item.event, item.value
            else:
                topic, event, value = topic_of(item), item, b""
            key, partition = None, None
            if event is not None:
                if event.program not in routes:
                    routes[event.program] = _route(event.program, partitions)
                key, partition = routes[event.program]
                value = encode(event)
            unconfirmed.append(producer.send(names[topic], value, key, partition=partition))
            counts[topic] += 1
            # a live feed is slow: what failed must show at once, not when the buffer is full
            while unconfirmed and (unconfirmed[0].is_done or len(unconfirmed) > MAX_UNCONFIRMED):
                _confirm(unconfirmed.popleft())
    except KafkaError:
        unconfirmed.clear()  # the broker is lost: nothing more to wait for
        raise
    finally:
        while unconfirmed:
            _confirm(unconfirmed.popleft())
    return dict(counts)


def _route(program: str, partitions: int) -> tuple[bytes, int]:
    """Key and partition of a program, as Kafka's default partitioner has it; once, not for each record: it is slow."""
    key = program.encode()
    return key, (murmur2(key) & 0x7FFFFFFF) % partitions


def _confirm(future: Any) -> None:
    """Wait for the broker; raises the client's error if the record failed."""
    future.get(timeout=CONFIRM_SECONDS)


def _partitions(broker: str, names: dict[Topic, str], connect_ms: int) -> int:
    """The number of partitions, the same for all input topics."""
    admin = KafkaAdminClient(bootstrap_servers=addresses(broker), bootstrap_timeout_ms=connect_ms)
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
