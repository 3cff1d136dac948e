"""The door as the next core has it: all event types of the contract, and each reason why something is none."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest

from streams import door
from streams import events_next as e
from streams.clock import Micros, micros, utc
from streams.door import Rejected

AT = "2024-05-15T12:00:00-05:00"
NOON: Micros = micros(datetime.fromisoformat(AT))
MARK = "JANE-DOE-12-ELM-ST"
C, U, K = {"call": "C1"}, {"call": "C1", "unit": "U1"}, {"case": "K1"}
#: What each type must have: topic, type, fields.
NEEDED: list[tuple[e.Topic, str, dict[str, Any]]] = [
    ("dispatch", "call_received", C | {"call_type": "mh", "area": "loop"}),
    ("dispatch", "call_triaged", C | {"eligible": True}),
    ("dispatch", "unit_dispatched", U),
    ("dispatch", "unit_en_route", U),
    ("dispatch", "unit_staged", U),
    ("dispatch", "unit_on_scene", U),
    ("dispatch", "contact_made", C),
    ("dispatch", "unit_transporting", U),
    ("dispatch", "unit_at_destination", U),
    ("dispatch", "unit_cleared", U),
    ("dispatch", "unit_cancelled", U),
    ("dispatch", "call_closed", C),
    ("dispatch", "call_reopened", C),
    ("dispatch", "call_merged", C | {"into": "C2"}),
    ("dispatch", "police_requested", C),
    ("dispatch", "use_of_force", C | {"level": 1}),
    ("dispatch", "needles_collected", C | {"count": 1}),
    ("dispatch", "referral_made", C | {"service": "food"}),
    ("dispatch", "withdrawn", C | {"of": "e0"}),
    ("dispatch", "heartbeat", {"topic": "dispatch"}),
    ("status", "unit_status", {"unit": "U1", "team": "art", "status": "available"}),
    ("status", "withdrawn", {"unit": "U1", "of": "e0"}),
    ("status", "heartbeat", {"topic": "status"}),
    ("followup", "case_opened", K | {"kind": "encounter", "team": "art"}),
    ("followup", "followup_attempted", K | {"followup": "7d", "result": "completed"}),
    ("followup", "outreach_attempted", K | {"located": False}),
    ("followup", "followup_rescheduled", K | {"followup": "7d", "due": "2024-05-20T12:00:00Z"}),
    ("followup", "case_transferred", K | {"team": "mdrt"}),
    ("followup", "case_closed", K),
    ("followup", "case_reopened", K),
    ("followup", "withdrawn", K | {"of": "e0"}),
    ("followup", "person_forgotten", {"person": "p-17"}),
    ("followup", "heartbeat", {"topic": "followup"}),
]
IDS = [f"{topic}-{kind}" for topic, kind, _ in NEEDED]
every_type = pytest.mark.parametrize(("topic", "kind", "fields"), NEEDED, ids=IDS)


def enter(
    topic: e.Topic, value: dict[str, Any] | bytes, key: bytes = b"chicago", now: Micros = NOON
) -> e.AnyEvent | Rejected:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    entered = door.enter_next(topic, key, raw, {"chicago", "seattle"}, now)
    return entered if isinstance(entered, Rejected) else entered[0]


def event(kind: str, fields: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "e1", "type": kind, "program": "chicago", "at": AT, **fields, **more}


def reason(topic: e.Topic, value: dict[str, Any] | bytes, **kwargs: Any) -> str | None:
    found = enter(topic, value, **kwargs)
    return found.reason if isinstance(found, Rejected) else None


@every_type
def test_what_is_needed_is_enough(topic: e.Topic, kind: str, fields: dict[str, Any]) -> None:
    found = enter(topic, event(kind, fields))
    assert isinstance(found, e.Event)
    assert type(found) in e.KINDS[topic]
    assert e.tag_of(type(found)) == kind
    assert json.loads(msgspec.json.encode(found)) == event(kind, fields)


def test_every_type_is_tried() -> None:
    assert {(topic, kind) for topic, kind, _ in NEEDED} == {
        (topic, e.tag_of(kind)) for topic in e.TOPICS for kind in e.KINDS[topic]
    }


@every_type
def test_each_field_is_needed(topic: e.Topic, kind: str, fields: dict[str, Any]) -> None:
    whole = event(kind, fields)
    for name in whole:
        without = {key: value for key, value in whole.items() if key != name}
        assert reason(topic, without) == "missing_field", name
        assert reason(topic, whole | {name: None}) in ("invalid_field", "missing_field"), name


@every_type
def test_optional_fields_may_be_null(topic: e.Topic, kind: str, fields: dict[str, Any]) -> None:
    bare = enter(topic, event(kind, fields))
    assert isinstance(bare, e.Event)
    optional = {field.name: None for field in msgspec.structs.fields(bare) if not field.required}
    assert "revision" in optional
    assert enter(topic, event(kind, fields) | optional) == bare


@every_type
def test_other_fields_stay_outside(topic: e.Topic, kind: str, fields: dict[str, Any]) -> None:
    assert MARK not in repr(enter(topic, event(kind, fields, narrative=MARK, address={"street": [MARK]})))


@every_type
def test_a_type_is_of_its_topic(topic: e.Topic, kind: str, fields: dict[str, Any]) -> None:
    for other in e.TOPICS:
        if other != topic and kind not in ("withdrawn", "heartbeat"):
            assert reason(other, event(kind, fields)) == "unknown_type"


@every_type
def test_what_every_event_may_be_refused_for(topic: e.Topic, kind: str, fields: dict[str, Any]) -> None:
    good = event(kind, fields)
    assert reason(topic, json.dumps(good).encode()[:-1]) == "not_json"
    assert reason(topic, json.dumps([good]).encode()) == "not_an_object"
    assert reason(topic, good | {"type": f"{kind}_"}) == "unknown_type"
    assert reason(topic, good | {"program": "gotham"}, key=b"gotham") == "unknown_program"
    assert reason(topic, good, key=b"seattle") == "wrong_key"
    assert reason(topic, good | {"narrative": "x" * 65_536}) == "too_large"
    late = utc(NOON) + timedelta(minutes=10)
    assert reason(topic, good | {"at": late.isoformat()}) is None
    assert reason(topic, good | {"at": (late + timedelta(microseconds=1)).isoformat()}) == "future"


@every_type
def test_revisions_are_bounded(topic: e.Topic, kind: str, fields: dict[str, Any]) -> None:
    for inside in (0, 2_147_483_647):
        found = enter(topic, event(kind, fields, revision=inside))
        assert isinstance(found, e.Event)
        assert found.revision == inside
    for outside in (-1, 2_147_483_648, 1.5, "1", True):
        assert reason(topic, event(kind, fields, revision=outside)) == "invalid_field", outside


NEED = {(topic, kind): fields for topic, kind, fields in NEEDED}


@pytest.mark.parametrize(
    ("topic", "kind", "name", "inside", "outside"),
    [
        ("dispatch", "call_received", "source", ["911", "988", "officer", "self", "other"], ["radio", "", 911]),
        ("dispatch", "call_received", "priority", ["1A", 2, "x" * 64], [1.5, True, "x" * 65, 2**31]),
        (
            "dispatch",
            "call_received",
            "scheduled_for",
            ["2024-05-15T17:00:00-05:00", "2030-01-01T00:00:00Z", "9998-12-31T23:59:59Z", "1970-01-02T00:00:00Z"],
            ["17:00", "2024-05-15T17:00:00", "9999-12-31T00:00:00Z", "1970-01-01T00:00:00Z", 1_715_788_800],
        ),
        ("dispatch", "call_triaged", "eligible", [True, False], ["yes", 1]),
        ("dispatch", "unit_dispatched", "agency", ["care", "police", "fire", "ems"], ["CARE", "sheriff", ""]),
        ("dispatch", "unit_dispatched", "unit", ["U", "x" * 128], ["", "x" * 129, 7]),
        ("dispatch", "contact_made", "channel", ["in_person", "phone", "video"], ["radio", True]),
        ("dispatch", "contact_made", "unit", ["U1"], ["", "x" * 129]),
        ("dispatch", "call_closed", "involuntary", [True, False], ["no", 0]),
        ("dispatch", "call_closed", "person", ["p", "x" * 128], ["", "x" * 129, 17]),
        ("dispatch", "call_merged", "into", ["C2", "C1"], ["", "x" * 129, ["C2"]]),
        ("dispatch", "use_of_force", "level", [1, 3], [0, 4, "1"]),
        ("dispatch", "needles_collected", "count", [1, 100_000], [0, -1, 100_001, 1.5]),
        ("dispatch", "referral_made", "result", ["offered", "accepted", "declined", "completed"], ["done"]),
        ("dispatch", "withdrawn", "of", ["e", "x" * 128], ["", "x" * 129, 1]),
        ("dispatch", "withdrawn", "upto", [0, 2_147_483_647], [-1, 2_147_483_648, "2"]),
        ("status", "withdrawn", "unit", ["U"], ["", "x" * 129]),
        ("status", "unit_status", "crew", [0, 20], [-1, 21, "2", 1.5]),
        ("status", "unit_status", "status", ["transporting", "off_duty"], ["busy", "Available"]),
        ("followup", "withdrawn", "upto", [0, 5], [-1, 0.5]),
        ("followup", "case_opened", "kind", ["overdose", "case_management"], ["visit"]),
        ("followup", "case_opened", "call", ["C1"], ["", "x" * 129]),
        ("followup", "followup_attempted", "result", ["no_contact", "declined"], ["done"]),
        (
            "followup",
            "followup_rescheduled",
            "due",
            ["2024-05-20T12:00:00+02:00"],
            ["soon", "2024-05-20", "9999-01-01T00:00:00Z"],
        ),
        ("followup", "followup_rescheduled", "lapses", ["2024-05-21T12:00:00Z"], ["2d", "1969-12-31T00:00:00Z"]),
        ("followup", "person_forgotten", "person", ["p", "x" * 128], ["", "x" * 129]),
    ],
)
def test_values_are_bounded(topic: e.Topic, kind: str, name: str, inside: list[Any], outside: list[Any]) -> None:
    for value in inside:
        found = enter(topic, event(kind, NEED[topic, kind] | {name: value}))
        assert isinstance(found, e.Event), value
        assert getattr(found, name) is not None
    for value in outside:
        assert reason(topic, event(kind, NEED[topic, kind] | {name: value})) == "invalid_field", value


@pytest.mark.parametrize(
    ("topic", "kind", "names"),
    [
        ("dispatch", "call_received", ["call_type", "area"]),
        ("dispatch", "call_triaged", ["call_type", "area"]),
        ("dispatch", "unit_dispatched", ["team"]),
        ("dispatch", "contact_made", ["team"]),
        ("dispatch", "unit_transporting", ["destination"]),
        ("dispatch", "unit_at_destination", ["destination"]),
        ("dispatch", "call_closed", ["outcome", "unserved_reason"]),
        ("dispatch", "referral_made", ["service", "partner"]),
        ("status", "unit_status", ["team", "area"]),
        ("followup", "case_opened", ["team", "area"]),
        ("followup", "followup_attempted", ["followup"]),
        ("followup", "followup_rescheduled", ["followup"]),
        ("followup", "case_transferred", ["team"]),
        ("followup", "case_closed", ["reason"]),
    ],
)
def test_codes_of_any_length_come_in(topic: e.Topic, kind: str, names: list[str]) -> None:
    for name in names:
        for code in ("", "x" * 65, "x" * 60_000):
            assert reason(topic, event(kind, NEED[topic, kind] | {name: code})) is None, (name, len(code))
        assert reason(topic, event(kind, NEED[topic, kind] | {name: 7})) == "invalid_field"


def test_details_say_where_and_hold_no_value() -> None:
    scheduled = event("call_received", NEED["dispatch", "call_received"], scheduled_for="9999-12-31T00:00:00Z")
    assert enter("dispatch", scheduled) == Rejected(
        "invalid_field", "`$.scheduled_for`: not between 1970-01-02 and 9998-12-31"
    )
    merged = enter("dispatch", event("call_merged", C | {"into": MARK * 10}))
    assert merged == Rejected("invalid_field", "`$.into`: Expected `str` of length <= 128")
    status = enter("status", event("unit_status", NEED["status", "unit_status"] | {"status": MARK}))
    assert status == Rejected("invalid_field", "`$.status`: invalid value")


# --- the topic of a withdrawal and of a heartbeat ------------------------------------------------------------


def test_a_withdrawal_with_a_call_and_a_unit_is_the_calls() -> None:
    both = event("withdrawn", U | {"of": "e0"})
    assert isinstance(enter("dispatch", both), e.CallWithdrawn)
    assert enter("status", both) == Rejected(
        "invalid_field", "`$.call`: what was said about a call is withdrawn on dispatch"
    )
    assert isinstance(enter("status", both | {"call": None}), e.StatusWithdrawn)
    assert reason("followup", both) == "missing_field"


def test_a_withdrawal_of_an_opening_may_name_its_call() -> None:
    assert isinstance(enter("followup", event("withdrawn", K | C | {"of": "e0"})), e.CaseWithdrawn)


@pytest.mark.parametrize("topic", e.TOPICS)
@pytest.mark.parametrize("named", e.TOPICS)
def test_a_heartbeat_names_its_own_topic(topic: e.Topic, named: e.Topic) -> None:
    assert reason(topic, event("heartbeat", {"topic": named})) == (None if topic == named else "invalid_field")


@every_type
def test_the_type_says_the_topic(topic: e.Topic, kind: str, fields: dict[str, Any]) -> None:
    assert e.topic_of(event(kind, fields)) == topic


@pytest.mark.parametrize(
    ("fields", "topic"),
    [
        (U, "dispatch"),
        (K | C, "followup"),
        ({"unit": "U1", "call": None}, "status"),
        ({"of": "e0"}, None),
    ],
)
def test_the_record_of_a_withdrawal_says_its_topic(fields: dict[str, Any], topic: e.Topic | None) -> None:
    assert e.topic_of(event("withdrawn", fields)) == topic


def test_what_says_no_topic() -> None:
    unknown: list[Any] = ["party", "", 7, None, ["call_received"]]
    assert [e.topic_of({"type": kind}) for kind in unknown] == [None] * 5
    assert e.topic_of({"type": "heartbeat", "topic": ["dispatch"]}) is None
    assert e.topic_of({}) is None


# --- today's door --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("topic", "kind"),
    [
        ("dispatch", "unit_staged"),
        ("dispatch", "call_reopened"),
        ("dispatch", "withdrawn"),
        ("status", "withdrawn"),
        ("followup", "case_reopened"),
        ("followup", "person_forgotten"),
    ],
)
def test_todays_door_takes_none_of_the_new_types(topic: e.Topic, kind: str) -> None:
    raw = json.dumps(event(kind, NEED[topic, kind])).encode()
    found = door.enter(topic, b"chicago", raw, {"chicago"}, NOON)
    assert isinstance(found, Rejected)
    assert found.reason == "unknown_type"
