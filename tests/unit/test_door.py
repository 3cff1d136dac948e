"""The door: each reason, its boundary, and what never gets past it."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any, get_args

import pytest
from hypothesis import example as case
from hypothesis import given
from hypothesis import strategies as st

from streams import clock, door, events, schema
from streams.door import Rejected

NOW = clock.micros(datetime.fromisoformat("2024-05-15T12:00:00-05:00"))
MARK = "JANE-DOE-12-ELM-ST"
RECEIVED: dict[str, Any] = {
    "id": "e1",
    "type": "call_received",
    "program": "chicago",
    "at": "2024-05-15T11:00:00-05:00",
    "call": "C1",
    "call_type": "mental_health",
    "area": "loop",
}


def decode(
    value: bytes | dict[str, Any] | None,
    topic: events.Topic = "dispatch",
    key: bytes | None = b"chicago",
    now: int = NOW,
) -> events.AnyEvent | Rejected:
    raw = json.dumps(value).encode() if isinstance(value, dict) else value
    return door.decode(topic, key, raw, {"chicago", "seattle"}, now)


def reason(value: bytes | dict[str, Any] | None, **kwargs: Any) -> str | None:
    result = decode(value, **kwargs)
    return result.reason if isinstance(result, Rejected) else None


def received(**changes: Any) -> dict[str, Any]:
    return RECEIVED | changes


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in RECEIVED.items() if key != name}


def with_raw(text: bytes) -> bytes:
    """A good event and one more field, written by hand."""
    return json.dumps(RECEIVED).encode()[:-1] + b', "extra": ' + text + b"}"


def force(level: Any) -> dict[str, Any]:
    return {**without("area"), "type": "use_of_force", "level": level}


def test_a_good_event_comes_in() -> None:
    assert isinstance(decode(RECEIVED), events.CallReceived)


NOT_JSON = {
    "none": None,
    "empty": b"",
    "blank": b"  ",
    "text": b"call_received",
    "cut off": json.dumps(RECEIVED).encode()[:-1],
    "more after it": json.dumps(RECEIVED).encode() * 2,
    "byte order mark": b"\xef\xbb\xbf" + json.dumps(RECEIVED).encode(),
    "UTF-16": json.dumps(RECEIVED).encode("utf-16"),
    "NaN": with_raw(b"NaN"),
    "latin-1 in a field": json.dumps(received(area="@")).encode().replace(b"@", b"\xe9"),
    "latin-1 in an extra field": with_raw(b'"\xe9"'),
    "latin-1 beside a bad field": json.dumps(received(area=1)).encode()[:-1] + b', "extra": "\xe9"}',
    "half of a surrogate pair": with_raw(b'"\\ud800"'),
    "deep object": b'{"a":' * 10_000,
    "deep list": b"[" * 10_000 + b"]" * 10_000,
    "deep in an extra field": with_raw(b"[" * 10_000 + b"]" * 10_000),
    "deep beside a bad field": json.dumps(received(area=1)).encode()[:-1]
    + b', "extra": '
    + b"[" * 10_000
    + b"]" * 10_000
    + b"}",
    "list cut off": b"[1, 2",
    "bad field, then cut off": b'{"type": "call_received", "id": 1, "at"',
    "unknown type, then cut off": b'{"type": "party", "id": ',
}


@pytest.mark.parametrize("value", NOT_JSON.values(), ids=NOT_JSON)
def test_not_json(value: bytes | None) -> None:
    assert reason(value) == "not_json"


@pytest.mark.parametrize("value", [b"null", b"true", b"3", b"1e400", b'"call"', b"[]", b"[{}]"])
def test_not_an_object(value: bytes) -> None:
    assert reason(value) == "not_an_object"


@pytest.mark.parametrize("name", RECEIVED)
def test_missing_field(name: str) -> None:
    result = decode(without(name))
    assert result == Rejected("missing_field", f"Object missing required field `{name}`")


def test_missing_everything() -> None:
    assert reason({}) == "missing_field"


INVALID: dict[str, dict[str, Any]] = {
    "number for text": received(call=7),
    "null for text": received(area=None),
    "list for text": received(id=["e1"]),
    "object for text": received(program={"id": "chicago"}),
    "number for type": received(type=1),
    "null for type": received(type=None),
    "text for a number": force("2"),
    "bool for a number": force(True),
    "fraction": force(1.5),
    "below the range": force(0),
    "above the range": force(4),
    "beyond 64 bits": force(10**30),
    "beyond every number": received(priority=10**4000),
    "needles below 0": {**without("area"), "type": "needles_collected", "count": -1},
    "text for a bool": {**RECEIVED, "type": "call_triaged", "eligible": "yes"},
    "unknown source": received(source="twitter"),
    "empty id": received(id=""),
    "long id": received(id="x" * 129),
    "long code": received(area="x" * 65),
    "long priority": received(priority="x" * 65),
    "time as a number": received(at=1_715_788_800),
    "no time": received(at=""),
    "date alone": received(at="2024-05-15"),
    "no offset": received(at="2024-05-15T11:00:00"),
    "no such day": received(at="2024-02-30T11:00:00Z"),
    "no such hour": received(at="2024-05-15T25:00:00Z"),
    "no such offset": received(at="2024-05-15T11:00:00+25:00"),
    "year beyond the calendar": received(at="10000-01-01T00:00:00Z"),
    "last instant rounded up": received(at="9999-12-31T23:59:59.9999999Z"),
    "the epoch": received(at="1970-01-01T00:00:00Z"),
    "before the epoch": received(at="1969-12-31T23:59:59Z"),
    "year one": received(at="0001-01-01T00:00:00+23:59"),
}


@pytest.mark.parametrize("value", INVALID.values(), ids=INVALID)
def test_invalid_field(value: dict[str, Any]) -> None:
    assert reason(value) == "invalid_field"


def test_limits_are_inside() -> None:
    for good in (
        received(id="x" * 128),
        received(area="x" * 64),
        force(1),
        force(3),
        received(at="1970-01-02T00:00:00Z"),
    ):
        assert reason(good) is None, good


def test_details_say_where_and_what() -> None:
    assert decode(received(call=7)) == Rejected("invalid_field", "`$.call`: Expected `str`")
    assert decode(force(9)) == Rejected("invalid_field", "`$.level`: Expected `int` <= 3")
    assert decode(received(at="2024-05-15T11:00:00")) == Rejected(
        "invalid_field", "`$.at`: Expected `datetime` with a timezone component"
    )


@pytest.mark.parametrize(
    ("topic", "kind"),
    [
        ("dispatch", "party"),
        ("dispatch", ""),
        ("dispatch", "CALL_RECEIVED"),
        ("dispatch", "unit_status"),
        ("dispatch", "case_opened"),
        ("status", "call_received"),
        ("followup", "unit_status"),
    ],
)
def test_unknown_type(topic: events.Topic, kind: str) -> None:
    assert reason(received(type=kind), topic=topic) == "unknown_type"


def test_unknown_program() -> None:
    assert reason(received(program="gotham"), key=b"gotham") == "unknown_program"


@pytest.mark.parametrize("key", [None, b"", b"seattle", b"Chicago", b"chicago ", b'"chicago"', b"\xff"])
def test_wrong_key(key: bytes | None) -> None:
    assert reason(RECEIVED, key=key) == "wrong_key"


@pytest.mark.parametrize(("ahead", "expected"), [(-1, None), (0, None), (1, "future")])
def test_future_begins_after_ten_minutes(ahead: int, expected: str | None) -> None:
    at = clock.utc(NOW) + timedelta(minutes=10, microseconds=ahead)
    assert reason(received(at=at.isoformat())) == expected


@pytest.mark.parametrize("at", ["9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59Z"])
def test_the_end_of_the_calendar_is_future(at: str) -> None:
    assert reason(received(at=at)) == "future"


@pytest.mark.parametrize(("size", "expected"), [(65_535, None), (65_536, None), (65_537, "too_large")])
def test_too_large_begins_after_64_kib(size: int, expected: str | None) -> None:
    bare = len(json.dumps(received(narrative="")))
    raw = json.dumps(received(narrative="x" * (size - bare))).encode()
    assert len(raw) == size
    assert reason(raw) == expected


def test_too_large_is_said_before_a_look_inside() -> None:
    assert reason(b"\xff" * 65_537) == "too_large"


@pytest.mark.parametrize("topic", events.TOPICS)
@pytest.mark.parametrize("named", events.TOPICS)
def test_heartbeat_names_its_own_topic(topic: events.Topic, named: str) -> None:
    beat = {
        "id": "b",
        "type": "heartbeat",
        "program": "chicago",
        "at": "2024-05-15T11:00:00Z",
        "topic": named,
    }
    assert reason(beat, topic=topic) == (None if topic == named else "invalid_field")


# --- what never gets past it ---------------------------------------------------------------------------------

KINDS = [
    (topic, example)
    for topic in events.TOPICS
    for example in schema.examples()
    if (events.TOPIC_OF_TYPE.get(example["type"]) or example["topic"]) == topic
]
NUMBER = 424_242_424_242_424_242
scalars = (
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=20)
)
values = st.recursive(scalars, lambda v: st.lists(v, max_size=4) | st.dictionaries(st.text(max_size=8), v, max_size=4))
secrets = st.sampled_from(
    [
        MARK,
        f"{MARK} - at `$.type`",
        f"{MARK}, got `str` - at `$`",
        f"x` {MARK}",
        [MARK],
        {MARK: MARK},
        {"type": MARK},
        NUMBER,
        float(NUMBER),
    ]
)
fields = st.sampled_from(
    sorted({name for kinds in events.KINDS.values() for kind in kinds for name in kind.__struct_fields__} | {"type"})
)


@pytest.mark.parametrize("name", ["name", "address", "narrative", "phone", "Type", "AREA", "caller"])
@pytest.mark.parametrize(("topic", "example"), KINDS, ids=lambda p: p["id"] if isinstance(p, dict) else "")
def test_extra_fields_are_dropped(topic: events.Topic, example: dict[str, Any], name: str) -> None:
    now = clock.wall()
    raw = json.dumps({**example, name: MARK, f"{name}_2": {"deep": [MARK]}}).encode()
    event = door.decode(topic, example["program"].encode(), raw, {example["program"]}, now)
    assert isinstance(event, events.Event)
    assert MARK not in repr(event)


@given(st.sampled_from(KINDS), st.dictionaries(fields, secrets, min_size=1, max_size=3), st.booleans())
def test_details_never_hold_a_value(
    kind: tuple[events.Topic, dict[str, Any]], planted: dict[str, Any], keyed: bool
) -> None:
    topic, example = kind
    result = decode({**example, **planted}, topic=topic, key=MARK.encode() if keyed else b"chicago")
    if isinstance(result, Rejected):
        assert "JANE" not in result.detail
        assert str(NUMBER)[:6] not in result.detail
        assert "\n" not in result.detail


@given(st.sampled_from(events.TOPICS), st.none() | st.binary(max_size=20), st.none() | st.binary(max_size=400))
@case("dispatch", None, b"[" * 65_536)
@case("status", b"chicago", b'{"":' * 16_384)
@case("followup", b"chicago", b"9" * 65_536)
@case("followup", b"chicago", b'{"id": ' + b"9" * 65_000 + b"}")
def test_bytes_never_raise(topic: events.Topic, key: bytes | None, value: bytes | None) -> None:
    assert isinstance(decode(value, topic=topic, key=key), Rejected)


@given(st.sampled_from(events.TOPICS), values)
def test_json_never_raises(topic: events.Topic, value: Any) -> None:
    assert isinstance(decode(json.dumps(value).encode(), topic=topic), Rejected)


@given(st.sampled_from(KINDS), st.dictionaries(fields, values, max_size=4))
def test_almost_events_never_raise(kind: tuple[events.Topic, dict[str, Any]], changes: dict[str, Any]) -> None:
    topic, example = kind
    result = decode({**example, **changes}, topic=topic)
    assert isinstance(result, events.Event) or result.reason in get_args(door.Reason)
