"""The contract's documents: valid, up to date, and saying what the door does."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Container
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from streams import clock, door, events, notices, schema

ROOT = Path(schema.__file__).resolve().parent.parent
VALIDATORS = {topic: Draft202012Validator(schema.topic_schema(topic)) for topic in events.TOPICS}
EXAMPLES: list[tuple[events.Topic, dict[str, Any]]] = [
    (events.TOPIC_OF_TYPE.get(example["type"]) or example["topic"], example) for example in schema.examples()
]


class Everything(Container[str]):
    """Every program is loaded."""

    def __contains__(self, item: object) -> bool:
        return True


def accepted(topic: events.Topic, event: dict[str, Any]) -> bool:
    """What the door says when it can only judge by what a schema sees."""
    program = event.get("program")
    key = program.encode() if isinstance(program, str) else b""
    result = door.decode(topic, key, json.dumps(event).encode(), Everything(), clock.wall())
    return isinstance(result, events.Event)


@pytest.mark.parametrize("topic", events.TOPICS)
def test_schema_is_a_schema(topic: events.Topic) -> None:
    made = schema.topic_schema(topic)
    Draft202012Validator.check_schema(made)
    for definition in made["$defs"].values():
        assert definition["title"]
        assert definition["description"]
        assert definition["additionalProperties"] is True
        assert {"id", "type", "program", "at"} <= set(definition["required"])
    tags = [definition["properties"]["type"]["const"] for definition in made["$defs"].values()]
    assert tags == [events.tag_of(kind) for kind in events.KINDS[topic]]


@pytest.mark.parametrize(("topic", "example"), EXAMPLES, ids=lambda p: p["id"] if isinstance(p, dict) else "")
def test_examples_fit_their_topic_only(topic: events.Topic, example: dict[str, Any]) -> None:
    for name, validator in VALIDATORS.items():
        assert validator.is_valid(example) == accepted(name, example) == (name == topic)
    assert VALIDATORS[topic].is_valid(example | {"narrative": "dropped"})


@pytest.mark.parametrize(("topic", "example"), EXAMPLES, ids=lambda p: p["id"] if isinstance(p, dict) else "")
def test_schema_and_door_agree_on_dropped_fields(topic: events.Topic, example: dict[str, Any]) -> None:
    kind = next(kind for kind in events.KINDS[topic] if events.tag_of(kind) == example["type"])
    required = set(schema.topic_schema(topic)["$defs"][kind.__name__]["required"])
    for name in example:
        rest = {key: value for key, value in example.items() if key != name}
        assert VALIDATORS[topic].is_valid(rest) == accepted(topic, rest) == (name not in required)


#: Whole floats are left out: JSON Schema calls 1.0 an integer, the door does not.
values = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False).filter(lambda number: not number.is_integer())
    | st.text(max_size=140)
    | st.lists(st.text(max_size=3), max_size=2)
    | st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=2)
    | st.sampled_from(["911", "care", "available", "encounter", "completed", "2024-05-01T10:00:00"])
)


@given(st.data())
def test_schema_and_door_agree_on_changed_fields(data: st.DataObject) -> None:
    topic, example = data.draw(st.sampled_from(EXAMPLES))
    kind = next(kind for kind in events.KINDS[topic] if events.tag_of(kind) == example["type"])
    names = st.sampled_from([*kind.__struct_fields__, "type", "extra"])
    changed = {**example, **data.draw(st.dictionaries(names, values, min_size=1, max_size=2))}
    assert VALIDATORS[topic].is_valid(changed) == accepted(topic, changed), changed


def test_asyncapi_has_every_channel_and_message() -> None:
    document = schema.asyncapi()
    assert document["asyncapi"] == "3.0.0"
    addresses = {channel["address"] for channel in document["channels"].values()}
    assert addresses == {"care.dispatch", "care.status", "care.followup", "care.notices", "care.deadletter"}
    for topic in events.TOPICS:
        names = list(document["channels"][topic]["messages"])
        assert names == [events.tag_of(kind) for kind in events.KINDS[topic]]
    actions = {name: operation["action"] for name, operation in document["operations"].items()}
    assert actions.pop("send_deadletter") == actions.pop("send_notices") == "send"
    notice_types = [kind.__struct_config__.tag for kind in notices.KINDS]
    assert list(document["channels"]["notices"]["messages"]) == notice_types
    assert set(actions.values()) == {"receive"}
    assert all(message["examples"] for message in document["components"]["messages"].values())
    assert all("key" in message["bindings"]["kafka"] for message in document["components"]["messages"].values())


@pytest.mark.parametrize("tag", schema.notice_examples())
def test_example_notices_are_notices(tag: str) -> None:
    example = schema.notice_examples()[tag]
    Draft202012Validator(schema.notices_schema(), format_checker=FormatChecker()).validate(example)
    notice = msgspec.convert(example, notices.AnyNotice)
    assert msgspec.to_builtins(notice) == example


def test_asyncapi_tells_what_a_rejected_record_carries() -> None:
    headers = schema.asyncapi()["components"]["messages"]["rejected"]["headers"]
    assert headers["required"] == ["reason", "detail", "topic", "partition", "offset"]
    assert headers["properties"]["reason"]["enum"] == list(get_args(door.Reason))


def test_files_are_up_to_date() -> None:
    stale = [file.name for file, content in schema.documents().items() if file.read_bytes() != content]
    assert not stale, "run: python -m streams.schema --write docs/reference"


@pytest.mark.parametrize("seed", ["1", "2"])
def test_files_do_not_depend_on_the_process(seed: str) -> None:
    command = [sys.executable, "-m", "streams.schema", "--check", str(schema.REFERENCE)]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "PYTHONHASHSEED": seed}, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


def test_check_says_in_one_line_what_differs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    examples = tmp_path / "examples"
    examples.mkdir()
    for file in (schema.REFERENCE / "examples").glob("*.jsonl"):
        (examples / file.name).write_bytes(file.read_bytes())
    assert schema.main(["--check", str(tmp_path)]) == 1
    assert schema.main(["--write", str(tmp_path)]) == 0
    capsys.readouterr()
    assert schema.main(["--check", str(tmp_path)]) == 0
    assert capsys.readouterr().err == ""
    (tmp_path / "asyncapi.json").write_text("{}")
    assert schema.main(["--check", str(tmp_path)]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "asyncapi.json" in error
    assert "--write" in error


def test_a_type_without_an_example_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert schema.main(["--check", str(tmp_path)]) == 1
    assert "no example of call_received" in capsys.readouterr().err
