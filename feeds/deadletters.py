"""What was rejected: the records of the dead-letter topic, and the events among them once more."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec
from kafka import KafkaConsumer, TopicPartition

from feeds.brokers import CONNECT_MS, connection, reachable, topic_names
from feeds.errors import FeedError
from feeds.wire import Line
from streams.events import AnyEvent, Topic

_decode = msgspec.json.Decoder(AnyEvent).decode
#: Milliseconds that a poll waits for records that are known to be there.
POLL_MS = 500


class DeadLetter(NamedTuple):
    """A rejected record: why, where it was, and its bytes (None: it was too large to be kept)."""

    reason: str
    detail: str
    topic: str
    partition: str
    offset: str
    value: bytes | None


def dead_letters(broker: str, prefix: str) -> Iterator[DeadLetter]:
    """All that are there now, by partition in their order. Raises FeedError: broker not there, topic missing."""
    topic = f"{prefix}deadletter"
    with reachable(broker, "cannot read the dead letters"):
        consumer = KafkaConsumer(
            **connection(broker, CONNECT_MS), enable_auto_commit=False, allow_auto_create_topics=False
        )
        try:
            numbers = consumer.partitions_for_topic(topic)
            if not numbers:
                raise FeedError(f"{topic}: no such topic; run: carewatch topics create --broker {broker}")
            places = [TopicPartition(topic, number) for number in sorted(numbers)]
            consumer.assign(places)
            consumer.seek_to_beginning(*places)
            ends = consumer.end_offsets(places)
            while any(consumer.position(place) < end for place, end in ends.items()):
                for records in consumer.poll(timeout_ms=POLL_MS).values():
                    for record in records:
                        told = {name: (value or b"").decode(errors="replace") for name, value in record.headers}
                        reason, detail, *place = (told.get(name, "") for name in DeadLetter._fields[:-1])
                        yield DeadLetter(reason, detail, place[0], place[1], place[2], record.value)
        finally:
            consumer.close()


def events_of(letters: Iterator[DeadLetter], prefix: str, left: list[DeadLetter]) -> Iterator[Line]:
    """The events among them, each once, for the topic that it came from; what is no event is put on `left`."""
    seen: set[tuple[str, str, str]] = set()  # what was sent again before and rejected again is there once more
    topics: dict[str, Topic] = {name: topic for topic, name in topic_names(prefix).items()}
    for letter in letters:
        try:
            event, topic = _decode(letter.value or b""), topics[letter.topic]
        except (KeyError, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            left.append(letter)
            continue
        if (id := (topic, event.program, event.id)) not in seen:
            seen.add(id)
            yield Line(letter.value or b"", topic, event)
