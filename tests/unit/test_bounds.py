"""A record is bounded: what it takes when it is nearly full, what it refuses, and that a restart says the same."""

from __future__ import annotations

from typing import Any

import pytest

from streams import bounds
from streams import events as e
from streams.clock import DAY
from streams.packed import pack
from streams.state import KEPT, ProgramState
from tests.unit.strategies import (
    NOON,
    Bench,
    Store,
    attempted,
    case_closed,
    closed,
    dispatched,
    make,
    numbers,
    opened,
    outreach,
    received,
)


def force(n: int) -> list[Any]:
    return [make(e.UseOfForce, 0, call="C1", level=1) for _ in range(n)]


def visits(n: int) -> list[Any]:
    return [outreach(0) for _ in range(n)]


@pytest.mark.parametrize(
    ("many", "end", "begin", "counted"),
    [
        (force, closed, received, "care_use_of_force_total"),
        (visits, case_closed, opened, "care_outreach_attempts_total"),
    ],
)
def test_a_nearly_full_record_can_still_be_ended_and_a_full_one_takes_nothing(
    many: Any, end: Any, begin: Any, counted: str
) -> None:
    bench, store = Bench(), Store()
    assert set(bench(begin(0), *many(bounds.MOST_OF_ANY - 1))) == {"applied"}
    assert set(bench(*many(3))) == {"full"}
    assert bench(end(1)) == ["applied"]
    ends = [end(2) for _ in range(bounds.MOST - bounds.MOST_OF_ANY - 1)]
    assert not {"full", "duplicate"} & set(bench(*ends))
    assert set(bench(end(3), begin(3), *many(2))) == {"full"}
    assert bench(ends[0]) == ["duplicate"]
    store.put(bench.state.flush().items())
    again = Bench(records=store.records)
    for each in (bench, again):
        assert set(each(end(3), *many(2))) == {"full"}
        assert sum(each.show(counted).values()) == bounds.MOST_OF_ANY - 1
        assert each.state.flush() == {}, "a refused event leaves nothing behind"
    assert numbers(again.state, NOON) == numbers(bench.state, NOON)


def test_a_record_ends_at_its_bytes_too() -> None:
    bench = Bench()
    done: list[str] = []
    for n in range(2000):
        done += bench(dispatched(0, unit=f"{n:0>125}"))  # few, and each a new unit with a long name
    fits = done.index("full")
    assert set(done[fits:]) == {"full"}
    call = bench.state.open["c/C1"]
    assert bounds.LOOK < len(call.ids) < 8 * bounds.MOST_OF_ANY
    assert bounds.MOST_BYTES_OF_ANY <= len(pack(call)) < bounds.MOST_BYTES
    assert bench(closed(1)) == ["applied"]
    while bench(closed(1)) == ["late"]:
        pass
    found = bench.state._find("c/C1")
    assert found
    assert len(pack(found)) < 256 * 1024


def test_no_record_is_too_large_before_it_is_looked_at() -> None:
    """The largest that an event can add, below the number of statements from which records are measured."""
    bench = Bench()
    for n in range(bounds.LOOK // 8 // 2 - 1):
        unit = "\U0001f691" * 124 + f"{n:0>4}"
        bench(make(e.UnitDispatched, 0, call="C1", unit=unit, agency="care", team="alpha"))
        bench(make(e.UnitOnScene, 1, call="C1", unit=unit, agency="care"))
    assert len(pack(bench.state.open["c/C1"])) < bounds.MOST_BYTES_OF_ANY


def test_the_newest_event_of_a_feed_is_not_one_that_was_refused() -> None:
    bench = Bench()
    bench(*force(bounds.MOST_OF_ANY))
    before = dict(bench.state.newest)
    bench(make(e.UseOfForce, 30, call="C1", level=1))
    assert bench.state.newest == before


def test_a_record_of_before_that_is_too_large_is_never_written_again_and_goes_in_time() -> None:
    bench, store = Bench(), Store()
    bench(received(0), opened(0))
    call, case = bench.state.open["c/C1"], bench.state.cases.records["K1"]
    call.ids += b"12345678" * 70_000
    case.ids += b"12345678" * 70_000
    store.put(bench.state.flush().items())
    again = Bench(records=store.records)
    assert set(again(received(1), closed(1), attempted(1), case_closed(1), now=NOON)) == {"full"}
    assert again.state.flush() == {}
    far = NOON + KEPT + 60 * DAY
    again(make(e.Heartbeat, 0, topic="status"), now=far)
    changes = again.state.flush()
    assert changes["k/K1"] is None, "the encounter is over and goes; the open call stays"
    assert again.show("care_calls_received_total") == {("north", "crisis", "other"): 1}


def test_a_refused_event_of_a_closed_call_does_not_decode_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Was: a record of a quarter of a megabyte was decoded for each duplicate and each refused event."""
    bench = Bench()
    known = force(bounds.MOST_OF_ANY)
    bench(*known, closed(1))
    bench.state.flush()
    looked: list[str] = []
    find = bench.state._find_closed

    def counted(_: ProgramState, key: str) -> Any:
        if key not in bench.state._hot:
            looked.append(key)
        return find(key)

    monkeypatch.setattr(ProgramState, "_find_closed", counted)
    assert set(bench(*force(50))) == {"full"}
    assert set(bench(*known[:50])) == {"duplicate"}
    assert looked == ["c/C1"]
