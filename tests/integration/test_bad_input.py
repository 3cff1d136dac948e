"""What is no event goes to the dead-letter topic as it came; what is one is applied, whatever came before it."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from streams.door import REASONS
from streams.events import Topic
from tests.integration.harness import Broker, Site, Worker, eventually

pytestmark = [pytest.mark.integration, pytest.mark.slow]

KEY = b"seattle"


@pytest.fixture(scope="module")
def site(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(kafka.bootstrap, tmp_path_factory.mktemp("bad")) as site:
        yield site


@pytest.fixture(scope="module")
def worker(site: Site) -> Worker:
    return site.worker().ready()


def event(type: str, id: str, **fields: Any) -> dict[str, Any]:
    return {"id": id, "type": type, "program": "seattle", "at": datetime.now(UTC).isoformat(), **fields}


def received(id: str, **fields: Any) -> dict[str, Any]:
    return event("call_received", id, **({"call": id, "call_type": "assist", "area": "north"} | fields))


def raw(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode()


def without(value: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: kept for key, kept in value.items() if key != name}


SOON = datetime.now(UTC) + timedelta(hours=1)
BAD: list[tuple[str, Topic, bytes | None, bytes | None]] = [
    ("not_json", "dispatch", b"{not json", KEY),
    ("not_json", "status", b"\xff\xfe\x00", KEY),
    ("not_json", "dispatch", None, KEY),
    ("not_json", "followup", b"", KEY),
    ("not_an_object", "dispatch", b"[1, 2]", KEY),
    ("not_an_object", "status", b'"text"', KEY),
    ("missing_field", "dispatch", raw(without(received("m"), "area")), KEY),
    ("missing_field", "followup", raw(without(event("case_closed", "m", case="1"), "id")), KEY),
    ("invalid_field", "dispatch", raw(received("i") | {"at": "yesterday"}), KEY),
    ("invalid_field", "dispatch", raw(received("i") | {"at": "2026-01-01T00:00:00"}), KEY),
    ("invalid_field", "dispatch", raw(event("use_of_force", "i", call="1", level=4)), KEY),
    ("invalid_field", "status", raw(event("unit_status", "i", unit="1", team="ccr", status="lunch")), KEY),
    ("unknown_type", "dispatch", raw(event("call_teleported", "t")), KEY),
    ("unknown_type", "status", raw(received("t")), KEY),
    ("unknown_program", "dispatch", raw(received("p") | {"program": "atlantis"}), b"atlantis"),
    ("wrong_key", "dispatch", raw(received("k")), b"chicago"),
    ("wrong_key", "dispatch", raw(received("k")), None),
    ("wrong_key", "dispatch", raw(received("k")), b"\xff\x00"),
    ("future", "dispatch", raw(received("f") | {"at": SOON.isoformat()}), KEY),
    ("too_large", "dispatch", raw(received("l", narrative="x" * 65_536)), KEY),
    ("too_large", "dispatch", b"\x00" * 900_000, KEY),
]


def test_every_reason_has_a_record() -> None:
    assert {reason for reason, *_ in BAD} == set(REASONS) - {"record_full"}  # tests/accidents/test_full_record.py


def test_rejected_records_are_kept_as_they_came(site: Site, worker: Worker) -> None:
    before = {
        (topic, reason): worker.total("care_events_rejected_total", topic=topic, reason=reason)
        for reason, topic, *_ in BAD
    }
    for _, topic, value, key in BAD:
        site.post(topic, value, key, partition=3)
    site.send_raw("dispatch", raw(received("good")), KEY)
    letters = site.deadletters(len(BAD))
    assert len(letters) == len(BAD)
    left = list(letters)
    originals = {
        (name, x.partition, x.offset): (x.value, x.key)
        for name in {site.prefix + topic for _, topic, *_ in BAD}
        for x in site.records(name)
    }
    for reason, topic, value, key in BAD:
        headers = {"reason": reason, "topic": site.prefix + topic, "partition": "3"}
        letter = next(
            (x for x in left if (x.value, x.key) == (value, key) and headers.items() <= x.headers.items()),
            None,
        )
        assert letter, f"{reason}: {(value or b'')[:80]!r} {key!r} is not among {[x.headers for x in left]}"
        left.remove(letter)
        assert letter.headers.keys() == {"reason", "detail", "topic", "partition", "offset"}
        assert letter.headers["detail"]
        place = letter.headers["topic"], int(letter.headers["partition"]), int(letter.headers["offset"])
        assert originals[place] == (value, key), "partition and offset lead to the original"
    rejected = worker.scrape().numbers
    for topic, reason in before:
        count = sum((r, t) == (reason, topic) for r, t, *_ in BAD)
        name, labels = "care_events_rejected_total", (("reason", reason), ("topic", topic))
        assert rejected[name, labels] == before[topic, reason] + count
    eventually(lambda: worker.total("care_calls_received_total", program="seattle", area="north"), "the good event")
    assert worker.child.alive
    assert "Traceback" not in worker.log


def test_unknown_codes_count_as_other(site: Site, worker: Worker) -> None:
    site.send_raw("dispatch", raw(received("u1", call_type="ufo", area="mars")), KEY)
    site.send_raw("dispatch", raw(event("call_closed", "u2", call="u1", outcome="vanished")), KEY)
    closed = eventually(
        lambda: worker.total("care_calls_closed_total", program="seattle", area="other", call_type="other"),
        "the call to be closed",
    )
    numbers = worker.scrape().numbers
    assert closed == 1
    for field in ("call_type", "area", "outcome"):
        assert numbers["care_unmapped_values_total", (("field", field), ("program", "seattle"))] == 1
    told = [json.loads(line) for line in worker.log.splitlines() if line.startswith("{")]
    assert {"ufo", "mars", "vanished"} <= {entry.get("code") for entry in told}
    assert not [x for x in site.deadletters() if b"vanished" in (x.value or b"")]


def test_duplicates_change_nothing(site: Site, worker: Worker) -> None:
    call = raw(received("d1", area="south"))
    for _ in range(5):
        site.send_raw("dispatch", call, KEY)
    # the same id again, with other fields: still the event that was applied
    site.send_raw("dispatch", raw(received("d1", area="sodo")), KEY)
    eventually(lambda: worker.total("care_events_duplicate_total", topic="dispatch") == 5, "five duplicates")
    numbers = worker.scrape().numbers
    received_in = {
        dict(labels)["area"]
        for (name, labels), value in numbers.items()
        if name == "care_calls_received_total" and value and ("call_type", "assist") in labels
    }
    assert received_in == {"north", "south"}
    assert worker.total("care_calls_received_total", area="south") == 1


def test_what_no_type_lists_is_kept_nowhere(site: Site, worker: Worker) -> None:
    marker = "Jane-Marker-Doe"
    extra: dict[str, Any] = {
        "name": marker,
        "address": f"1 {marker} St",
        "narrative": {"text": [marker]},
        marker: 1,
    }
    letters = len(site.deadletters())
    changes = len(site.records(site.changelog))
    applied = worker.total("care_events_total", program="seattle")
    rejected = raw(received("x5") | {"at": marker, "area": 7})
    valid: list[tuple[Topic, dict[str, Any]]] = [
        ("dispatch", received("x1", **extra)),
        ("dispatch", event("call_closed", "x2", call="x1", outcome="services", person=marker, **extra)),
        ("status", event("unit_status", "x3", unit="C1", team="ccr", status="available", **extra)),
        (
            "followup",
            event("case_opened", "x4", case="x", kind="encounter", team="ccr", person=marker, **extra),
        ),
    ]
    for topic, value in valid:
        site.send_raw(topic, raw(value), KEY)
    site.send_raw("dispatch", rejected, KEY)
    eventually(lambda: worker.total("care_events_total", program="seattle") >= applied + 4, "the events")
    changelog = eventually(
        lambda: found if len(found := site.records(site.changelog)) > changes else None, "the changelog"
    )
    stored = b"".join((record.key or b"") + (record.value or b"") for record in changelog)
    assert b"x1" in stored, "the call is there"
    verified = site.verify([worker])
    with urllib.request.urlopen(worker.url + "/board/events", timeout=10) as stream:
        shown = b"".join(iter(stream.readline, b"event: moment\n")) + stream.readline()
    assert b'"program":"seattle"' in shown
    for text in (worker.log, worker.get("/metrics")[1], worker.get("/board/own.json")[1], verified):
        assert marker not in text
    for place in (stored, shown):
        assert marker.encode() not in place
    texts = [x for x in site.deadletters(letters + 1) if marker.encode() in (x.value or b"") + str(x.headers).encode()]
    assert [x.value for x in texts] == [rejected], "the rejected record alone, as it came"
    assert marker not in str(texts[0].headers)
