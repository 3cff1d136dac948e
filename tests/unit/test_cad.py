"""CAD exports: a made-up file for the mapping's rules, and two weeks of a real fire department where they are there."""

from __future__ import annotations

import gzip
import re
import tracemalloc
from collections import Counter, defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from feeds.cad import Mapping, Summary, load_mapping, read_cad
from feeds.errors import FeedError
from feeds.rows import STAGES
from feeds.wire import encode, topic_of
from streams import door, events, programs
from streams.clock import micros
from streams.events import Event, UnitStatus, tag_of

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
MAPPINGS = ROOT / "feeds" / "mappings"
SF_FILE = MAPPINGS / "data" / "sf_fire_week.csv.gz"
TINY: dict[str, Any] = {
    "program": "tiny",
    "name": "Tiny",
    "timezone": "America/Los_Angeles",
    "triages": False,
    "areas": {"here": {"label": "Here"}},
    "teams": [
        {
            "code": "van",
            "label": "Vans",
            "areas": ["here"],
            "hours": [{"days": ["mon"], "from": "08:00:00", "until": "09:00:00"}],
        }
    ],
    "call_types": {"check": {"label": "Check"}},
    "outcomes": {"services": {"label": "Services", "codes": ["done"]}},
    "destinations": {"hospital": {"label": "Hospital", "codes": ["General"]}},
}


def tiny() -> tuple[Mapping, programs.Profile]:
    return load_mapping(HERE / "data" / "cad_small.toml"), msgspec.convert(TINY, programs.Profile)


def read_small() -> tuple[list[Event], Summary]:
    reports: list[Summary] = []
    found = list(read_cad(HERE / "data" / "cad_small.csv", *tiny(), reports.append))
    assert len(reports) == 1
    return found, reports[0]


def of_call(found: list[Event], call: str) -> list[tuple[str, str, datetime]]:
    """(type, unit, at) of the events of a call, statuses left out."""
    return [(tag_of(type(e)), getattr(e, "unit", ""), e.at) for e in found if getattr(e, "call", None) == call]


def at(hour: int, minute: int) -> datetime:
    """On the day that daylight saving ends, UTC."""
    return datetime(2024, 11, 3, hour, minute, tzinfo=UTC)


def test_events_of_a_call_in_the_hour_that_comes_twice() -> None:
    found, _ = read_small()
    # received and dispatched before the change (-07:00); on scene at 01:10 must be the second time (-08:00)
    assert of_call(found, "C1") == [
        ("call_received", "", at(8, 40)),
        ("unit_dispatched", "V1", at(8, 50)),
        ("unit_dispatched", "P9", at(8, 50)),
        ("unit_on_scene", "P9", at(8, 55)),
        ("unit_cleared", "P9", at(9, 5)),
        ("unit_on_scene", "V1", at(9, 10)),
        ("unit_transporting", "V1", at(9, 30)),
        ("unit_at_destination", "V1", at(10, 10)),
        ("unit_cleared", "V1", at(10, 20)),
        ("call_closed", "", at(10, 20)),
    ]


def test_a_time_that_spring_leaves_out_is_read_with_the_offset_before() -> None:
    found, _ = read_small()
    assert of_call(found, "C7")[0] == ("call_received", "", datetime(2024, 3, 10, 10, 30, tzinfo=UTC))


def test_nothing_is_known_before_its_time() -> None:
    found, _ = read_small()
    for event in found:
        outcome, destination = getattr(event, "outcome", None), getattr(event, "destination", None)
        assert outcome is None or isinstance(event, events.CallClosed)
        assert destination is None or isinstance(event, events.UnitTransporting)
    assert [e.destination for e in found if isinstance(e, events.UnitTransporting)] == ["General"]


def test_missing_times_make_no_events() -> None:
    found, summary = read_small()
    assert [kind for kind, _, _ in of_call(found, "C3")] == ["call_received", "unit_dispatched"]
    assert summary.unclosed == 1
    assert [kind for kind, _, _ in of_call(found, "C9")] == ["unit_dispatched", "unit_cleared", "call_closed"]


def test_every_row_is_counted() -> None:
    found, summary = read_small()
    assert (summary.rows, summary.responses, summary.calls) == (12, 7, 6)
    assert (summary.duplicates, summary.disordered, summary.events) == (1, 1, len(found))
    assert summary.skipped == {
        "bad time in column 'Dispatched': expected %Y-%m-%d %H:%M:%S": 1,
        "no call id or no unit id": 1,
        "column 'Type' has more than 64 characters: no code or id": 1,
        "an agency that the mapping's values do not map": 1,
    }
    assert sorted(summary.first_rows.values()) == [7, 8, 9, 10]
    assert summary.unmapped == {("area", "nowhere"): 1, ("team", "X"): 1}
    summary.unmapped["area", "12 Elm St\x1b[2J, Jane"] = 1
    said = "\n".join(summary.lines())
    assert "area 'nowhere' (1 times)" in said
    assert "area '(19 characters, not a code: " in said
    text = "\n".join(summary.lines())
    assert "12 rows, 7 unit responses of 6 calls" in text
    assert "4 rows skipped" in text
    assert "first in row 7: bad time" in text


def test_the_board_follows_the_units() -> None:
    found, _ = read_small()
    board = [(e.status, e.at) for e in found if isinstance(e, UnitStatus) and e.unit == "V1"]
    assert board == [
        ("dispatched", at(8, 50)),
        ("on_scene", at(9, 10)),
        ("transporting", at(9, 30)),
        ("at_destination", at(10, 10)),
        ("dispatched", at(10, 19)),  # sent on before the first call was cleared at 10:20: not available then
        ("on_scene", at(10, 30)),
        ("available", at(10, 40)),
    ]
    # on scene after it was cleared: a clerk's slip, not a status
    v5 = [e.status for e in found if isinstance(e, UnitStatus) and e.unit == "V5"]
    assert v5 == ["dispatched", "available", "dispatched", "available"]
    assert not [e for e in found if isinstance(e, UnitStatus) and e.unit == "P9"], "police are not on the board"


def test_addresses_and_narrative_stay_in_the_file() -> None:
    found, summary = read_small()
    everything = b"\n".join(encode(event) for event in found) + "\n".join(summary.lines()).encode()
    assert b"Secret" not in everything
    assert b"Jane" not in everything


def test_the_same_ids_each_time_and_no_rejects() -> None:
    first, _ = read_small()
    second, _ = read_small()
    assert first == second
    assert len({event.id for event in first}) == len(first)
    assert_accepted(first, "tiny")


def test_a_second_response_of_a_unit_to_a_call_has_ids_of_its_own(tmp_path: Path) -> None:
    lines = (HERE / "data" / "cad_small.csv").read_text().splitlines()
    again = lines[4].replace("02:19:00", "02:50:00").replace("02:30:00", "02:55:00").replace("02:40:00", "02:59:00")
    file = tmp_path / "again.csv"
    file.write_text("\n".join([lines[0], lines[4], again]))
    found = list(read_cad(file, *tiny(), lambda _: None))
    assert Counter(kind for kind, _, _ in of_call(found, "C2")) == {
        "call_received": 1, "unit_dispatched": 2, "unit_on_scene": 2, "unit_cleared": 2, "call_closed": 1,
    }  # fmt: skip
    assert len({event.id for event in found}) == len(found)


def test_missing_columns_are_named(tmp_path: Path) -> None:
    file = tmp_path / "short.csv"
    file.write_text("Call,Unit,Kind,Agency,Type,Area,Received,Dispatched,Arrived,Left,Clear,Disposition\n")
    with pytest.raises(FeedError, match=r"short\.csv: missing columns: 'Hospital Name', 'At Hospital'; mend"):
        read_cad(file, *tiny())


def test_a_file_of_which_nothing_can_be_used_is_an_error(tmp_path: Path) -> None:
    lines = (HERE / "data" / "cad_small.csv").read_text().splitlines()
    file = tmp_path / "bad.csv"
    file.write_text("\n".join([lines[0], lines[6], lines[7]]))
    with pytest.raises(FeedError, match="none of 2 rows can be used"):
        read_cad(file, *tiny())


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FeedError, match="No such file"):
        read_cad(tmp_path / "nothing.csv", *tiny())
    broken = tmp_path / "broken.csv.gz"
    broken.write_bytes(b"no gzip")
    with pytest.raises(FeedError, match="cannot be read"):
        read_cad(broken, *tiny())
    sf = programs.load(MAPPINGS / "programs" / "sf_fire.toml")
    with pytest.raises(FeedError, match="use a pair"):
        read_cad(broken, tiny()[0], sf)


def small() -> bytes:
    return (HERE / "data" / "cad_small.csv").read_bytes()


def refused(file: Path) -> str:
    """What is said of a file that cannot be read, which must not cost more memory than some megabytes."""
    tracemalloc.start()
    try:
        with pytest.raises(FeedError) as raised:
            read_cad(file, *tiny())
        assert tracemalloc.get_traced_memory()[1] < 30_000_000
    finally:
        tracemalloc.stop()
    return str(raised.value)


@pytest.mark.parametrize("lines", [b"", small()], ids=["header", "row"])
def test_an_endless_line_is_an_error_with_its_place(tmp_path: Path, lines: bytes) -> None:
    file = tmp_path / "endless.csv.gz"
    with gzip.open(file, "wb", compresslevel=1) as packed:
        packed.write(lines)
        for _ in range(100):
            packed.write(b"x" * 1_000_000)
    number = len(lines.splitlines()) + 1
    assert refused(file) == f"{file}: line {number}: over 1 MB; a CAD export has one row a line: export it anew"


@pytest.mark.parametrize("head", [b'"', small() + b'"'], ids=["header", "row"])
def test_a_quote_that_is_never_closed_is_an_error_with_its_place(tmp_path: Path, head: bytes) -> None:
    file = tmp_path / "open.csv"
    file.write_bytes(head + b"a line of text\n" * 1_000_000)
    said = refused(file)
    assert re.match(rf"{re.escape(str(file))}: line \d+: field larger than field limit", said)
    assert "mend the line" in said


def test_a_hundred_thousand_columns_are_read(tmp_path: Path) -> None:
    header, *rows = small().splitlines()
    file = tmp_path / "wide.csv"
    file.write_bytes(b"\n".join([header + b",x" * 100_000, *(row + b",y" * 100_000 for row in rows[:2])]))
    assert list(read_cad(file, *tiny(), lambda summary: None))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('Call" }\ncall_type', 'Call", value = "x" }\ncall_type', "call.id: has a column and a value"),
        ("Los_Angeles", "Nowhere", "timezone: 'America/Nowhere' is no time zone"),
        ('P = "police"', 'P = "sheriff"', "unit.agency: 'sheriff' is not known"),
        ("[times]", "[times]\nunit_home = 'x'", "unit_home"),
        ('unit_cleared = "Clear"', "", "times.unit_cleared: is missing"),
        ("[unit]", "[unit]\nname = 'x'", "unit: Object contains unknown field `name`"),
    ],
)
def test_a_bad_mapping_says_where(tmp_path: Path, old: str, new: str, message: str) -> None:
    text = (HERE / "data" / "cad_small.toml").read_text()
    assert old in text
    file = tmp_path / "mapping.toml"
    file.write_text(text.replace(old, new))
    with pytest.raises(FeedError) as error:
        load_mapping(file)
    assert str(error.value).startswith(f"{file}: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


# --- a week of San Francisco ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def san_francisco() -> tuple[list[Event], Summary]:
    profile = programs.load(MAPPINGS / "programs" / "sf_fire.toml")
    reports: list[Summary] = []
    found = list(read_cad(SF_FILE, load_mapping(MAPPINGS / "sf_fire.toml"), profile, reports.append))
    return found, reports[0]


def test_the_week_that_comes_with_carewatch_is_small_and_packed_the_same_each_time() -> None:
    packed = SF_FILE.read_bytes()
    assert len(packed) < 300_000
    assert packed[4:8] == bytes(4), "gzip's time"


def test_san_francisco_is_complete(san_francisco: tuple[list[Event], Summary]) -> None:
    found, summary = san_francisco
    assert (summary.rows, summary.responses, summary.calls) == (5_272, 5_272, 2_776)
    assert (summary.duplicates, summary.disordered, summary.unclosed) == (0, 6, 0)
    assert not summary.skipped
    assert set(summary.unmapped) == {("outcome", "Other"), ("area", "None")}
    counts = Counter(type(event) for event in found)
    assert counts[events.CallReceived] == 2_776
    assert counts[events.CallClosed] == 2_776
    assert counts[events.UnitDispatched] == 5_272
    assert counts[events.UnitCleared] == 5_272
    assert len({event.id for event in found}) == len(found) == summary.events
    assert len({event.unit for event in found if isinstance(event, UnitStatus)}) == 195


def test_san_francisco_is_in_order(san_francisco: tuple[list[Event], Summary]) -> None:
    found, _ = san_francisco
    times = [micros(event.at) for event in found]
    assert times == sorted(times)
    order = {stage: number for number, stage in enumerate((*STAGES, "call_closed"))}
    received: set[str] = set()
    responses: dict[tuple[str, str], list[int]] = defaultdict(list)
    for event in found:
        if isinstance(event, events.CallReceived):
            received.add(event.call)
        elif isinstance(event, events.CallEvent):
            assert event.call in received, "nothing before the call is received"
            if isinstance(event, events.UnitEvent):
                responses[event.call, event.unit].append(order[tag_of(type(event))])
    # no event before its row's earlier ones, but for the rows whose own times go back
    assert sum(stages != sorted(stages) for stages in responses.values()) == 6


def test_san_francisco_is_accepted(san_francisco: tuple[list[Event], Summary]) -> None:
    found, _ = san_francisco
    assert_accepted(found, "sf_fire")


def assert_accepted(found: list[Event], program: str) -> None:
    now = max(micros(event.at) for event in found)
    for event in found:
        assert door.decode(topic_of(event), program.encode(), encode(event), {program}, now) == event
