"""Events as records: bytes, topic, key. One line of an event file is one record's value."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from streams import events
from streams.events import Event, Heartbeat, Topic

_encoder = msgspec.json.Encoder()
_TOPIC_OF_KIND: dict[type[Event], Topic] = {
    kind: topic for topic, kinds in events.KINDS.items() for kind in kinds if kind is not Heartbeat
}


class Line(NamedTuple):
    """One line of an event file. `event` is None for a line that is no event and is passed on as it is."""

    value: bytes
    topic: Topic
    event: Event | None


def encode(event: Event) -> bytes:
    """The event as UTF-8 JSON; fields without a value are left out."""
    return _encoder.encode(event)


def topic_of(event: Event) -> Topic:
    """The topic that carries the event; a heartbeat says its own."""
    return event.topic if isinstance(event, Heartbeat) else _TOPIC_OF_KIND[type(event)]
