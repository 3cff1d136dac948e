"""Every event type: from the wire and back, with nothing but its own fields."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from streams import clock, door, events, schema

EXAMPLES = schema.examples()
ANY: msgspec.json.Decoder[events.AnyEvent] = msgspec.json.Decoder(events.AnyEvent)


def _topic(example: dict[str, Any]) -> events.Topic:
    topic: events.Topic = events.TOPIC_OF_TYPE.get(example["type"]) or example["topic"]
    return topic


def test_examples_have_every_type_on_every_topic() -> None:
    shown = {(_topic(example), example["type"]) for example in EXAMPLES}
    assert shown == {(topic, events.tag_of(kind)) for topic in events.TOPICS for kind in events.KINDS[topic]}


def test_example_ids_are_unique() -> None:
    ids = [example["id"] for example in EXAMPLES]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("file", sorted((schema.REFERENCE / "examples").glob("*.jsonl")), ids=lambda f: f.stem)
def test_example_files_are_in_order(file: Any) -> None:
    times = [ANY.decode(line).at for line in file.read_bytes().splitlines()]
    assert times == sorted(times)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda e: e["id"])
def test_event_survives_the_way_in_and_out(example: dict[str, Any]) -> None:
    raw = json.dumps(example).encode()
    event = door.decode(_topic(example), example["program"].encode(), raw, {example["program"]}, clock.wall())
    assert isinstance(event, events.Event)
    assert type(event) in events.KINDS[_topic(example)]
    assert events.tag_of(type(event)) == example["type"]
    written = msgspec.json.encode(event)
    assert json.loads(written) == example  # nothing lost, nothing made up
    assert ANY.decode(written) == event


def test_every_type_has_one_topic_but_the_heartbeat() -> None:
    kinds = [kind for topic in events.TOPICS for kind in events.KINDS[topic] if kind is not events.Heartbeat]
    assert len(kinds) == len(set(kinds)) == len(events.TOPIC_OF_TYPE) == 18
    assert all(events.Heartbeat in events.KINDS[topic] for topic in events.TOPICS)


def test_optional_fields_may_be_null() -> None:
    raw = b'{"id":"1","type":"call_closed","program":"p","at":"2024-05-01T10:00:00Z","call":"c","outcome":null}'
    event = ANY.decode(raw)
    assert isinstance(event, events.CallClosed)
    assert event.outcome is None
    assert b"outcome" not in msgspec.json.encode(event)


def test_events_cannot_be_changed() -> None:
    event = ANY.decode(json.dumps(EXAMPLES[0]).encode())
    with pytest.raises(AttributeError):
        event.id = "another"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("2024-05-01T10:00:00.123456-05:00", "2024-05-01T15:00:00.123456Z"),
        ("2024-05-01T10:00:00.1234567-05:00", "2024-05-01T15:00:00.123457Z"),
        ("2024-05-01t10:00:00z", "2024-05-01T10:00:00Z"),
        ("2024-05-01 10:00:00+05:30", "2024-05-01T04:30:00Z"),
    ],
)
def test_times_are_instants(text: str, same: str) -> None:
    def at(value: str) -> int:
        return clock.micros(msgspec.convert(value, events.At))

    assert at(text) == at(same)
