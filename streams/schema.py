"""The event contract as documents, made from the event types: a JSON Schema per topic and an AsyncAPI 3 document.

    python -m streams.schema --write docs/reference
    python -m streams.schema --check docs/reference

A schema says what a producer should send. The door takes a little more (such as a space for the T of a time) and
checks what a schema cannot: the loaded programs, the record's key, the clock.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, get_args

import msgspec

from streams import door, events, metrics, notices

Json = dict[str, Any]

#: Version of the contract, not of the software: it moves when an event type or a channel does.
VERSION = "1.1.0"
PREFIX = "care."
PARTITIONS = 8
REFERENCE = Path(__file__).resolve().parent.parent / "docs" / "reference"

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_KAFKA = "0.5.0"  # version of the Kafka bindings
#: `format` is only a note to most validators; the pattern makes them hold the offset.
_TIME = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}([.][0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})$"
_ABOUT: Mapping[events.Topic, str] = {
    "dispatch": "What happens to a call.",
    "status": "What happens to a unit.",
    "followup": "What happens to a person's case after the call.",
}
_ABOUT_NOTICES = "One record each time a follow-up becomes overdue or missed, or a staffing gap opens or closes."
_INFO = """\
Events of community crisis response programs, for carewatch, and what it says of them.

Every record is one event: a UTF-8 JSON object of at most 64 KiB, with the program's id as its key. One program is one
ordered log, so all input topics have the same number of partitions and producers use the murmur2 partitioner
(`murmur2_random` for librdkafka clients).

Delivery is at least once. Every event has a unique `id`, and an event whose `id` was already applied to its call, unit
or case changes nothing: send again whenever in doubt.

Extra fields are accepted, dropped and never stored. What cannot be taken goes to the dead-letter channel unchanged.
Topic prefix, partitions and servers are the deployment's.
"""
_KEY: Json = {"type": "string", "minLength": 1, "maxLength": 64, "description": "The event's `program`."}


def topic_schema(topic: events.Topic) -> Json:
    """The JSON Schema (draft 2020-12) of a topic's events."""
    about = f"{_ABOUT[topic]} Fields that are not listed are accepted and dropped."
    return _schema(topic, about, _definitions(topic))


def notices_schema() -> Json:
    """The JSON Schema (draft 2020-12) of the notices."""
    return _schema("notices", f"{_ABOUT_NOTICES} Fields may be added; take no notice of those.", _notices())


def _schema(topic: str, about: str, found: dict[str, Json]) -> Json:
    return {
        "$schema": _DIALECT,
        "$id": f"urn:carewatch:events:{topic}",
        "title": f"{PREFIX}{topic}",
        "description": about,
        "oneOf": [{"$ref": f"#/$defs/{name}"} for name in found],
        "$defs": found,
    }


def examples(folder: Path = REFERENCE / "examples") -> list[Json]:
    """The example events: every line of the folder's event files."""
    lines = (line for file in sorted(folder.glob("*.jsonl")) for line in file.read_bytes().splitlines())
    return [msgspec.json.decode(line, type=Json) for line in lines]


def asyncapi(folder: Path = REFERENCE / "examples") -> Json:
    """The AsyncAPI 3.0 document, with the first example of each event type."""
    first: dict[str, Json] = {}
    for example in examples(folder):
        first.setdefault(_message(_topic(example), example["type"]), example)
    channels: Json = {}
    operations: Json = {}
    messages: Json = {}
    schemas: Json = {}
    for topic in events.TOPICS:
        names: Json = {}
        for kind, schema in zip(events.KINDS[topic], _definitions(topic).values(), strict=True):
            tag = events.tag_of(kind)
            name = _message(topic, tag)
            names[tag] = {"$ref": f"#/components/messages/{name}"}
            schemas[name] = schema
            messages[name] = _json_message(tag, name, schema, first[name])
        channels[topic] = _channel(topic, _ABOUT[topic], names)
        operations[f"receive_{topic}"] = _operation("receive", topic, f"Take events: {_ABOUT[topic]}", names)
    names = {}
    for each, schema in zip(notices.KINDS, _notices().values(), strict=True):
        tag = str(each.__struct_config__.tag)
        names[tag] = {"$ref": f"#/components/messages/{tag}"}
        schemas[tag] = schema
        messages[tag] = _json_message(tag, tag, schema, notice_examples()[tag])
    channels["notices"] = _channel("notices", _ABOUT_NOTICES, names)
    operations["send_notices"] = _operation("send", "notices", f"Tell pagers and case systems: {_ABOUT_NOTICES}", names)
    messages["rejected"] = _rejected()
    names = {"rejected": {"$ref": "#/components/messages/rejected"}}
    channels["deadletter"] = _channel("deadletter", "Every rejected record, unchanged, and why.", names)
    operations["send_deadletter"] = _operation("send", "deadletter", "Put a rejected record aside.", names)
    return {
        "asyncapi": "3.0.0",
        "id": "urn:carewatch:events",
        "info": {
            "title": "carewatch events",
            "version": VERSION,
            "description": _INFO,
            "license": {"name": "MIT"},
            "tags": [{"name": "kafka"}],
        },
        "defaultContentType": "application/json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages, "schemas": schemas},
    }


def notice_examples() -> dict[str, Json]:
    """A notice of each type."""
    followup = {
        "case": "C-24-118204",
        "team": "art",
        "area": "loop",
        "followup": "1d",
        "due": "2024-05-16T17:04:12Z",
        "lapses": "2024-05-17T17:04:12Z",
    }
    gap = {"team": "mdrt", "planned": 2}
    made: dict[str, Json] = {
        "followup_overdue": {"at": followup["due"], **followup},
        "followup_missed": {"at": followup["lapses"], **followup},
        "staffing_gap_opened": {"at": "2024-05-15T15:30:00Z", **gap, "on_duty": 1},
        "staffing_gap_closed": {"at": "2024-05-15T15:41:07Z", **gap, "on_duty": 2},
    }
    return {
        tag: {"id": f"{number:032x}", "type": tag, "program": "chicago", **fields}
        for number, (tag, fields) in enumerate(made.items(), start=0x9F2C)
    }


def documents(reference: Path = REFERENCE) -> dict[Path, bytes]:
    """Every generated file of the reference folder, by path; the bytes depend on nothing but the code and examples."""
    made = {reference / "schemas" / f"{topic}.json": topic_schema(topic) for topic in events.TOPICS}
    made[reference / "asyncapi.json"] = asyncapi(reference / "examples")
    made[reference / "schemas" / "notices.json"] = notices_schema()
    files = {file: msgspec.json.format(msgspec.json.encode(made[file]), indent=2) + b"\n" for file in made}
    return files | {reference / "metrics.md": metrics.reference().encode()}


def main(argv: Sequence[str] | None = None) -> int:
    """Write the documents or check that they are up to date."""
    parser = argparse.ArgumentParser(prog="python -m streams.schema", description=main.__doc__)
    choice = parser.add_mutually_exclusive_group(required=True)
    for name, text in (
        ("write", "write the documents to DIR"),
        ("check", "exit 1 if what is in DIR differs"),
    ):
        choice.add_argument(f"--{name}", type=Path, nargs="?", const=REFERENCE, metavar="DIR", help=text)
    args = parser.parse_args(argv)
    reference: Path = args.write or args.check
    try:
        made = documents(reference)
    except KeyError as error:
        print(
            f"{reference / 'examples'}: no example of {error.args[0]}; add one to a .jsonl file",
            file=sys.stderr,
        )
        return 1
    if args.write:
        for file, content in made.items():
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        return 0
    stale = [str(file) for file, content in made.items() if not file.is_file() or file.read_bytes() != content]
    if stale:
        print(
            f"out of date: {', '.join(stale)}; run: python -m streams.schema --write {reference}",
            file=sys.stderr,
        )
        return 1
    return 0


def _definitions(topic: events.Topic) -> dict[str, Json]:
    """The schema of each event type of a topic, in the order of the types; common fields come first."""
    kinds = events.KINDS[topic]
    _, components = msgspec.json.schema_components(kinds)
    return {kind.__name__: _definition(topic, components[kind.__name__]) for kind in kinds}


def _notices() -> dict[str, Json]:
    """The schema of each type of notice."""
    _, components = msgspec.json.schema_components(notices.KINDS)
    return {kind.__name__: _definition("notices", components[kind.__name__]) for kind in notices.KINDS}


def _definition(topic: str, schema: Json) -> Json:
    fields: Json = dict(schema["properties"])
    common = {name: fields.pop(name) for name in ("id", "type", "program", "at")}
    what = "event" if topic in events.TOPICS else "notice"
    common["type"] = {"description": f"The {what} type.", "const": common["type"]["enum"][0]}
    common["program"] = {**common["program"], "description": "The program's id; also the key of the record."}
    common["at"] = {**common["at"], "pattern": _TIME}
    if schema["title"] == events.Heartbeat.__name__:
        fields["topic"] = {"description": "The topic that the heartbeat is on.", "const": topic}
    properties = common | fields
    return {
        "title": schema["title"],
        "description": schema["description"],
        "type": "object",
        "properties": properties,
        "required": [name for name in properties if name in schema["required"]],
        "additionalProperties": True,
    }


def _json_message(tag: str, name: str, schema: Json, example: Json) -> Json:
    return {
        "name": tag,
        "title": schema["title"],
        "summary": schema["description"],
        "contentType": "application/json",
        "payload": {"$ref": f"#/components/schemas/{name}"},
        "bindings": {"kafka": {"key": _KEY, "bindingVersion": _KAFKA}},
        "examples": [{"name": tag, "payload": example}],
    }


def _topic(example: Json) -> events.Topic:
    topic: events.Topic = events.TOPIC_OF_TYPE.get(example["type"]) or example["topic"]
    return topic


def _message(topic: str, tag: str) -> str:
    """The name of a message in the whole document: types are unique but for the heartbeat, which is on each topic."""
    return tag if tag in events.TOPIC_OF_TYPE else f"{topic}_{tag}"


def _channel(name: str, about: str, messages: Json) -> Json:
    return {
        "address": f"{PREFIX}{name}",
        "title": f"{PREFIX}{name}",
        "description": about,
        "messages": messages,
        "bindings": {"kafka": {"topic": f"{PREFIX}{name}", "partitions": PARTITIONS, "bindingVersion": _KAFKA}},
    }


def _operation(action: str, channel: str, summary: str, messages: Json) -> Json:
    return {
        "action": action,
        "channel": {"$ref": f"#/channels/{channel}"},
        "summary": summary,
        "messages": [{"$ref": f"#/channels/{channel}/messages/{name}"} for name in messages],
    }


def _rejected() -> Json:
    topics = [f"{PREFIX}{topic}" for topic in events.TOPICS]
    headers: Json = {
        "reason": {
            "type": "string",
            "enum": list(get_args(door.Reason)),
            "description": "Why it was rejected.",
        },
        "detail": {
            "type": "string",
            "description": "A plain line for people, without any value of the record.",
        },
        "topic": {"type": "string", "enum": topics, "description": "The topic that the record was on."},
        "partition": {"type": "string", "pattern": "^[0-9]+$", "description": "Its partition."},
        "offset": {"type": "string", "pattern": "^[0-9]+$", "description": "Its offset."},
    }
    values = ("unknown_program", "no profile of this program is loaded", topics[0], "3", "1042")
    return {
        "name": "rejected",
        "title": "Rejected",
        "summary": "A rejected record: the bytes and the key that came, with the reason in the headers.",
        "contentType": "application/octet-stream",
        "headers": {"type": "object", "properties": headers, "required": list(headers)},
        "payload": {"description": "The original bytes, unchanged; they may be no JSON at all."},
        "bindings": {
            "kafka": {"key": {"type": "string", "description": "The original key."}, "bindingVersion": _KAFKA}
        },
        "examples": [{"name": "rejected", "headers": dict(zip(headers, values, strict=True)), "payload": "{}"}],
    }


if __name__ == "__main__":
    sys.exit(main())
