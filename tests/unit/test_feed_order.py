"""What the producer waits for, without a broker: rounds by topic, and events that end with an error."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from feeds.errors import FeedError
from feeds.kafka import _Sending
from streams.events import TOPICS, Event, Heartbeat, Topic

_MIXED: tuple[Topic, ...] = ("followup", "dispatch", "status", "dispatch", "status", "dispatch")
_SLOW: tuple[Topic, ...] = ("status", "dispatch", "dispatch", "status", "followup")


class Broker:
    """Takes down what a client sends to it and what it waits for."""

    def __init__(self) -> None:
        self.done: list[str] = []

    def send(self, topic: str, value: bytes, key: bytes | None, partition: int | None) -> Future:
        self.done.append(topic)
        return Future()

    def flush(self, timeout: float) -> None:
        self.done.append("wait")


class Future:
    """A record that is confirmed only when somebody waits for it."""

    is_done = False

    def get(self, timeout: float) -> None:
        self.is_done = True


def beat(topic: Topic) -> Event:
    return Heartbeat(id="h", program="chicago", at=datetime.now(UTC), topic=topic)


def sending(broker: Any) -> _Sending:
    return _Sending(broker, {topic: topic for topic in TOPICS}, 8, None)


def test_a_bulk_goes_by_topic_and_waits_between_them() -> None:
    events = [beat(topic) for topic in _MIXED]
    broker = Broker()
    sending(broker).all(events, 5)
    wanted = ["status", "status", "wait", "dispatch", "dispatch", "wait", "followup", "dispatch"]
    assert broker.done == wanted, "a later round waits for nothing that may come after its records"


def test_one_by_one_waits_only_for_what_came_before() -> None:
    broker = Broker()
    sending(broker).all([beat(topic) for topic in _SLOW], 1)
    assert broker.done == ["status", "wait", "dispatch", "dispatch", "status", "wait", "followup"]


def test_what_came_before_a_bad_line_is_sent() -> None:
    def events() -> Iterator[Event]:
        yield beat("dispatch")
        yield beat("status")
        raise FeedError("line 3: no event")

    broker = Broker()
    ours = sending(broker)
    with pytest.raises(FeedError):
        ours.all(events(), 5_000)
    assert broker.done == ["status", "wait", "dispatch"]
    assert not ours._unconfirmed, "and confirmed"
