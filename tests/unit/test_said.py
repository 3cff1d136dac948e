"""Statements: what each event type says, how it is packed, what stands for its content."""

from __future__ import annotations

import json
from datetime import datetime
from hashlib import blake2b
from typing import Any, Literal, get_args, get_origin

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams import door, said
from streams import events_next as e
from streams.clock import SECOND, Micros, micros
from streams.door import Rejected
from streams.said import AnySaid, Said
from tests.unit.examples import examples

AT = "2024-05-15T12:00:00-05:00"
NOON: Micros = micros(datetime.fromisoformat(AT))
LATER, LATEST = NOON + 3600 * SECOND, NOON + 7200 * SECOND
KINDS: tuple[type[Said], ...] = get_args(AnySaid)
PACKED: msgspec.msgpack.Decoder[AnySaid] = msgspec.msgpack.Decoder(AnySaid)


def entered(topic: e.Topic, kind: str, /, **fields: Any) -> e.AnyEvent:
    """An event as it comes through the door."""
    raw = json.dumps({"id": "e1", "type": kind, "program": "chicago", "at": AT, **fields}).encode()
    found = door.enter_next(topic, b"chicago", raw, {"chicago"}, LATEST)
    assert not isinstance(found, Rejected), found
    assert found[1] == NOON
    return found[0]


def told(topic: e.Topic, kind: str, /, **fields: Any) -> AnySaid:
    return said.of(entered(topic, kind, **fields), NOON)


SOMEONE = int.from_bytes(blake2b(b"chicago/p-17", digest_size=8).digest(), "big")
C, U = {"call": "C1"}, {"call": "C1", "unit": "U1"}
START = ("e1", NOON, 0)
#: What comes: topic, type and fields; what it says.
SAYS: list[tuple[e.Topic, str, dict[str, Any], Said]] = [
    ("dispatch", "call_received", C | {"call_type": "mh", "area": "loop"}, said.Received(*START, "mh", "loop")),
    (
        "dispatch",
        "call_received",
        C | {"call_type": "mh", "area": "a", "source": "self", "priority": 2, "scheduled_for": "2024-05-15T18:00:00Z"},
        said.Received(*START, "mh", "a", "self", LATER, 2),
    ),
    ("dispatch", "call_triaged", C | {"eligible": False}, said.Triaged(*START, False)),
    (
        "dispatch",
        "call_triaged",
        C | {"eligible": True, "call_type": "mh", "area": "loop"},
        said.Triaged(*START, True, "mh", "loop"),
    ),
    ("dispatch", "unit_dispatched", U | {"team": "art"}, said.Dispatched(*START, "U1", None, "art")),
    ("dispatch", "unit_en_route", U | {"agency": "police"}, said.EnRoute(*START, "U1", "police")),
    ("dispatch", "unit_staged", U, said.Staged(*START, "U1")),
    ("dispatch", "unit_on_scene", U | {"agency": "fire"}, said.OnScene(*START, "U1", "fire")),
    ("dispatch", "contact_made", C, said.Contact(*START, None, None, "in_person")),
    (
        "dispatch",
        "contact_made",
        U | {"team": "art", "channel": "video"},
        said.Contact(*START, "U1", "art", "video"),
    ),
    (
        "dispatch",
        "unit_transporting",
        U | {"destination": "shelter"},
        said.Transporting(*START, "U1", None, "shelter"),
    ),
    (
        "dispatch",
        "unit_at_destination",
        U | {"agency": "care", "destination": "detox"},
        said.AtDestination(*START, "U1", "care", "detox"),
    ),
    ("dispatch", "unit_cleared", U, said.Cleared(*START, "U1")),
    ("dispatch", "unit_cancelled", U | {"agency": "ems"}, said.Cancelled(*START, "U1", "ems")),
    ("dispatch", "call_closed", C, said.Closed(*START)),
    (
        "dispatch",
        "call_closed",
        C | {"outcome": "svc", "unserved_reason": "cancelled", "person": "p-17", "involuntary": False},
        said.Closed(*START, "svc", "cancelled", SOMEONE, False),
    ),
    ("dispatch", "call_reopened", C, said.Reopened(*START)),
    ("dispatch", "call_merged", C | {"into": "C2"}, said.Merged(*START, "C2")),
    ("dispatch", "police_requested", C, said.PoliceRequested(*START)),
    ("dispatch", "use_of_force", C | {"level": 2}, said.Force(*START, 2)),
    ("dispatch", "needles_collected", C | {"count": 12}, said.Needles(*START, 12)),
    ("dispatch", "referral_made", C | {"service": "food"}, said.Referral(*START, "food", None, "offered")),
    (
        "dispatch",
        "referral_made",
        C | {"service": "food", "partner": "pantry", "result": "accepted"},
        said.Referral(*START, "food", "pantry", "accepted"),
    ),
    (
        "status",
        "unit_status",
        {"unit": "U1", "team": "art", "status": "available", "area": "loop", "crew": 2},
        said.Status(*START, "available", "art", "loop", 2),
    ),
    (
        "followup",
        "case_opened",
        {"case": "K1", "kind": "overdose", "team": "ort", "area": "loop", "person": "p-17", "call": "C1"},
        said.Opened(*START, "overdose", "ort", "loop", SOMEONE, "C1"),
    ),
    (
        "followup",
        "followup_attempted",
        {"case": "K1", "followup": "7d", "result": "no_contact"},
        said.Attempted(*START, "7d", "no_contact"),
    ),
    ("followup", "outreach_attempted", {"case": "K1", "located": True}, said.Outreach(*START, True)),
    (
        "followup",
        "followup_rescheduled",
        {"case": "K1", "followup": "7d", "due": "2024-05-15T13:00:00-05:00"},
        said.Rescheduled(*START, "7d", LATER),
    ),
    (
        "followup",
        "followup_rescheduled",
        {"case": "K1", "followup": "7d", "due": "2024-05-15T18:00:00Z", "lapses": "2024-05-15T19:00:00Z"},
        said.Rescheduled(*START, "7d", LATER, LATEST),
    ),
    ("followup", "case_transferred", {"case": "K1", "team": "mdrt"}, said.Transferred(*START, "mdrt")),
    ("followup", "case_closed", {"case": "K1", "reason": "moved"}, said.CaseClosed(*START, "moved")),
    ("followup", "case_reopened", {"case": "K1"}, said.CaseReopened(*START)),
]


@pytest.mark.parametrize(("topic", "kind", "fields", "statement"), SAYS)
def test_what_an_event_says(topic: e.Topic, kind: str, fields: dict[str, Any], statement: Said) -> None:
    assert told(topic, kind, **fields) == statement
    revised = told(topic, kind, **fields, id="other", revision=7)
    assert revised == msgspec.structs.replace(statement, id="other", revision=7)


def test_every_event_that_says_something_is_shown() -> None:
    assert {kind for _, kind, _, _ in SAYS} == {e.tag_of(kind) for kind in e.STATEMENTS}
    assert {type(statement) for *_, statement in SAYS} == set(KINDS)


@pytest.mark.parametrize(
    ("topic", "kind", "fields"),
    [
        ("status", "heartbeat", {"topic": "status"}),
        ("dispatch", "withdrawn", {"of": "e0", "call": "C1"}),
        ("followup", "person_forgotten", {"person": "p-17"}),
    ],
)
def test_what_is_no_statement(topic: e.Topic, kind: str, fields: dict[str, Any]) -> None:
    with pytest.raises(KeyError):
        said.of(entered(topic, kind, **fields), NOON)


# --- codes and persons ---------------------------------------------------------------------------------------


def test_codes_are_cut_and_lose_their_outer_blanks() -> None:
    received = told("dispatch", "call_received", **C, call_type="  MH 1\t", area="x" * 5000)
    assert received == said.Received(*START, "MH 1", "x" * 64)
    assert told("dispatch", "call_closed", **C, outcome=" " * 100 + "svc") == said.Closed(*START, "svc")


def test_an_optional_code_of_blanks_was_not_told() -> None:
    assert told("dispatch", "call_closed", **C, outcome="", unserved_reason="  ") == said.Closed(*START)
    assert told("dispatch", "call_received", **C, call_type="", area=" ") == said.Received(*START, "", "")


def test_ids_are_as_told() -> None:
    assert told("dispatch", "unit_en_route", call="C1", unit=" Medic 1 ") == said.EnRoute(*START, " Medic 1 ")


def test_of_a_person_there_is_a_hash_keyed_by_the_program() -> None:
    assert said.person("chicago", "p-17") == SOMEONE
    assert len({said.person(program, token) for program in ("a", "b") for token in ("p", "q")}) == 4
    packed = msgspec.msgpack.encode(told("dispatch", "call_closed", **C, person="p-17"))
    assert b"p-17" not in packed


# --- packed --------------------------------------------------------------------------------------------------


def values(of: Any) -> st.SearchStrategy[Any]:
    """Any value of a field's type, within what msgpack can hold."""
    if of is int:
        return st.integers(-(2**63), 2**63 - 1)
    if of is str:
        return st.text(max_size=70)
    if get_origin(of) is Literal:
        return st.sampled_from(get_args(of))
    return st.one_of(*(values(each) for each in get_args(of))) if get_args(of) else st.from_type(of)


def statements(kind: type[Said]) -> st.SearchStrategy[Said]:
    return st.builds(kind, **{field.name: values(field.type) for field in msgspec.structs.fields(kind)})


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@settings(max_examples=examples(30))
@given(data=st.data())
def test_a_statement_survives_packing(kind: type[Said], data: st.DataObject) -> None:
    statement = data.draw(statements(kind))
    packed = msgspec.msgpack.encode(statement)
    assert PACKED.decode(packed) == statement
    assert type(PACKED.decode(packed)) is kind


OF_CALLS = """
    Received Triaged Dispatched EnRoute Staged OnScene Contact Transporting AtDestination
    Cleared Cancelled Closed Reopened Merged PoliceRequested Force Needles Referral
"""
OF_CASES = "Opened Attempted Outreach Rescheduled Transferred CaseClosed CaseReopened"


def test_tags_never_change_their_meaning() -> None:
    tags = {kind.__struct_config__.tag: kind.__name__ for kind in KINDS}
    known = dict(enumerate(OF_CALLS.split(), 1)) | {20: "Status"} | dict(enumerate(OF_CASES.split(), 30))
    assert tags == known


# --- content -------------------------------------------------------------------------------------------------


any_statement = st.sampled_from(KINDS).flatmap(statements)


@settings(max_examples=examples(200))
@given(any_statement, st.text(max_size=10), st.integers(0, 2**31 - 1))
def test_content_is_all_but_id_and_revision(statement: Said, id: str, revision: int) -> None:
    same = msgspec.structs.replace(statement, id=id, revision=revision)
    assert said.content(same) == said.content(statement)
    assert len(said.content(statement)) == 8


@settings(max_examples=examples(200))
@given(st.data())
def test_other_content_is_told_apart(data: st.DataObject) -> None:
    statement = data.draw(any_statement)
    fields = [field for field in msgspec.structs.fields(type(statement)) if field.name not in ("id", "revision")]
    changed = data.draw(st.sampled_from(fields))
    other = msgspec.structs.replace(statement, **{changed.name: data.draw(values(changed.type))})
    assert (said.content(other) == said.content(statement)) is (other == statement)


def test_the_same_fields_of_another_type_are_other_content() -> None:
    assert said.content(said.EnRoute(*START, "U1")) != said.content(said.OnScene(*START, "U1"))


def test_content_stays_when_a_field_is_added() -> None:
    class Needles(Said, frozen=True, tag=17):
        count: int
        kind: str | None = None

    assert said.content(Needles(*START, 3)) == said.content(said.Needles(*START, 3))
    assert said.content(Needles(*START, 3, "sharp")) != said.content(said.Needles(*START, 3))


# --- the walk ------------------------------------------------------------------------------------------------


def test_the_walk_is_by_time_then_life_cycle_then_id() -> None:
    cleared, closed = said.Cleared("b", NOON, 0, "U1"), said.Closed("a", NOON, 0)
    earlier, tie = said.Reopened("z", NOON - 1, 0), said.Cancelled("a", NOON, 0, "U1")
    assert sorted([closed, cleared, tie, earlier], key=said.place) == [earlier, tie, cleared, closed]
