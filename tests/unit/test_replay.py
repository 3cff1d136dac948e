"""Event files: reading, writing, pacing."""

from __future__ import annotations

import gzip
import io
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from feeds.errors import FeedError
from feeds.replay import live, paced, parted, read_events, write_events
from feeds.wire import Line, encode, topic_of
from streams.events import CallReceived, CaseClosed, Event, Heartbeat, UnitStatus

START = datetime(2025, 3, 3, tzinfo=UTC)


def heartbeat(seconds: float) -> Heartbeat:
    return Heartbeat(id=f"h{seconds}", program="p", at=START + timedelta(seconds=seconds), topic="status")


EVENTS: list[Event] = [
    CallReceived(id="1", program="p", at=START, call="c", call_type="t", area="a"),
    UnitStatus(id="2", program="p", at=START, unit="u", team="t", status="available"),
    CaseClosed(id="3", program="p", at=START, case="c"),
    heartbeat(0),
]


class FakeClock:
    """Time passes while somebody sleeps."""

    def __init__(self, now: float = 0.0) -> None:
        self.time = now

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.time += seconds


def arrivals(stream: Iterator[Event], clock: FakeClock) -> list[float]:
    start = clock.time
    return [round(clock.time - start, 6) for _ in stream]


@pytest.mark.parametrize("name", ["events.jsonl", "events.jsonl.gz"])
def test_what_is_written_is_read(tmp_path: Path, name: str) -> None:
    file = tmp_path / name
    out = io.BytesIO()
    assert write_events(EVENTS, out) == {"dispatch": 1, "status": 2, "followup": 1}
    file.write_bytes(gzip.compress(out.getvalue()) if name.endswith(".gz") else out.getvalue())
    lines = list(read_events(file))
    assert [line.event for line in lines] == EVENTS
    assert [line.topic for line in lines] == ["dispatch", "status", "followup", "status"]
    assert [line.value for line in lines] == [encode(event) for event in EVENTS]
    assert [topic_of(event) for event in EVENTS] == [line.topic for line in lines]


def test_byte_order_mark_empty_lines_and_line_ends_are_taken(tmp_path: Path) -> None:
    file = tmp_path / "windows.jsonl"
    file.write_bytes(b"\xef\xbb\xbf" + encode(EVENTS[0]) + b"\r\n\r\n" + encode(EVENTS[1]))
    assert [line.event for line in read_events(file)] == EVENTS[:2]


def test_fields_that_no_type_lists_are_not_in_the_event(tmp_path: Path) -> None:
    file = tmp_path / "extra.jsonl"
    file.write_bytes(encode(EVENTS[0])[:-1] + b',"address":"1 Secret St"}\n')
    (line,) = read_events(file)
    assert line.event == EVENTS[0]
    assert b"Secret" not in encode(line.event)


BAD = [
    (b"{", "dispatch", "truncated"),
    (b"[1]", "dispatch", "Expected `object`"),
    (b'{"type":"nothing","id":"1"}', "dispatch", "invalid value at `$.type`"),
    (
        b'{"type":"unit_status","id":"1","program":"p","at":"2025-03-03T00:00:00Z"}',
        "status",
        "missing required field",
    ),
    (
        b'{"type":"case_closed","id":"1","program":"p","at":"2025-03-03T00:00:00","case":"c"}',
        "followup",
        "at `$.at`",
    ),
    (
        b'{"type":"heartbeat","id":"","program":"p","at":"2025-03-03T00:00:00Z","topic":"followup"}',
        "followup",
        "$.id",
    ),
    (b'{"type":"unit_status","id":"' + b"1" * 70_000 + b'"}', "status", "70030 bytes"),
    (b'{"type":7}', "dispatch", "Expected `str`"),
    (b"\xff\xfe", "dispatch", "malformed"),
]


@pytest.mark.parametrize(("bad", "topic", "reason"), BAD)
def test_a_bad_line_stops_the_reading_and_says_where(tmp_path: Path, bad: bytes, topic: str, reason: str) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_bytes(encode(EVENTS[0]) + b"\n" + bad + b"\n" + encode(EVENTS[1]) + b"\n")
    lines = read_events(file)
    assert next(lines).event == EVENTS[0]
    with pytest.raises(FeedError) as error:
        next(lines)
    assert str(error.value).startswith(f"{file}: line 2: no event: ")
    assert reason in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(("bad", "topic", "reason"), BAD)
def test_a_bad_line_is_passed_on_raw_when_told_to(tmp_path: Path, bad: bytes, topic: str, reason: str) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_bytes(encode(EVENTS[0]) + b"\n" + bad + b"\n" + encode(EVENTS[1]) + b"\n")
    assert list(read_events(file, on_bad="pass"))[1] == Line(bad, topic, None)  # type: ignore[arg-type]


def test_the_error_has_no_value_of_the_line(tmp_path: Path) -> None:
    file = tmp_path / "bad.jsonl"
    file.write_bytes(encode(EVENTS[1]).replace(b"available", b"Jane Doe"))
    with pytest.raises(FeedError) as error:
        list(read_events(file))
    assert "Jane" not in str(error.value)
    assert "status" in str(error.value)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FeedError, match="No such file"):
        list(read_events(tmp_path / "nothing.jsonl"))
    cut = tmp_path / "cut.jsonl.gz"
    cut.write_bytes(gzip.compress(b"\n".join(map(encode, EVENTS * 100)))[:-20])
    with pytest.raises(FeedError, match="cannot be read"):
        list(read_events(cut))
    long = tmp_path / "long.jsonl"
    long.write_bytes(b"x" * 3_000_000)
    with pytest.raises(FeedError, match="line 1: over 1 MB"):
        list(read_events(long, on_bad="pass"))


def test_an_endless_line_that_is_packed_costs_no_more_than_its_bound(tmp_path: Path) -> None:
    file = tmp_path / "endless.jsonl.gz"
    with gzip.open(file, "wb", compresslevel=1) as packed:
        packed.write(encode(EVENTS[0]) + b"\n")
        for _ in range(100):
            packed.write(b"x" * 1_000_000)
    tracemalloc.start()
    try:
        with pytest.raises(FeedError, match="line 2: over 1 MB"):
            list(read_events(file, on_bad="pass"))
        assert tracemalloc.get_traced_memory()[1] < 30_000_000
    finally:
        tracemalloc.stop()


def test_pace_as_it_happened_and_faster() -> None:
    events = [heartbeat(s) for s in (0, 60, 30, 120)]  # the third one is late: nobody waits
    assert arrivals(paced(events, 1, clock := FakeClock(100)), clock) == [0, 60, 60, 120]
    assert arrivals(paced(events, 60, clock := FakeClock(100)), clock) == [0, 1, 1, 2]
    assert arrivals(paced(events, "max", clock := FakeClock(100)), clock) == [0, 0, 0, 0]


def test_lines_are_paced_too() -> None:
    lines = [
        Line(b"", "dispatch", heartbeat(0)),
        Line(b"{", "dispatch", None),
        Line(b"", "dispatch", heartbeat(5)),
    ]
    clock = FakeClock()
    assert list(paced(lines, 1, clock)) == lines
    assert clock.time == 5


def test_live_waits_for_the_clock() -> None:
    clock = FakeClock(START.timestamp() + 100)
    events = [heartbeat(s) for s in (0, 100, 130, 250)]
    assert arrivals(live(events, clock), clock) == [0, 0, 30, 150]


@pytest.mark.parametrize("speed", [0, -1, float("inf"), float("nan")])
def test_a_bad_speed_is_refused(speed: float) -> None:
    with pytest.raises(FeedError, match="is no speed"):
        paced(EVENTS, speed, FakeClock())


def test_what_has_happened_is_parted_from_what_is_still_to_come() -> None:
    events = [heartbeat(seconds) for seconds in (0, 20, 10, 50, 30, 60)]
    past, coming = parted(iter(events), START + timedelta(seconds=40))
    assert [list(past), list(coming)] == [events[:3], events[3:]]
    past, coming = parted(iter(events), START + timedelta(seconds=90))
    assert [list(past), list(coming)] == [events, []]
