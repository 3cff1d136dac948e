"""The records of a state: what is written when, what a crash between two of them leaves, what archiving keeps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from streams import events as e
from streams import units
from streams.calls import Call
from streams.clock import DAY
from streams.state import ARCHIVE_EVERY, KEPT, ProgramState
from tests.unit.strategies import (
    ALWAYS,
    HOUR,
    MINUTE,
    NOON,
    PROGRAM,
    Bench,
    Store,
    closed,
    dispatched,
    local,
    make,
    numbers,
    on_scene,
    opened,
    profile,
    received,
    status,
    triaged,
)

#: Archiving is due for what was last touched at noon.
GONE = NOON + KEPT


@pytest.fixture(autouse=True)
def _short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(units, "SEGMENT", 2)


def beat(at: float = 0) -> Any:
    return make(e.Heartbeat, at, topic="status")


def prefixes(changes: dict[str, bytes | None], before: dict[str, bytes]) -> Iterator[Store]:
    """The store after each number of the records, none and all of them too."""
    for length in range(len(changes) + 1):
        store = Store()
        store.put(before.items())
        store.put(list(changes.items())[:length])
        yield store


# --- what is written -----------------------------------------------------------------------------------------


def test_an_event_changes_one_record() -> None:
    bench = Bench()
    for event, key in [
        (received(0), "c/C1"),
        (status(1, "available"), "u/0/U1"),
        (on_scene(2), "c/C1"),
        (closed(3), "c/C1"),
        (opened(4), "k/K1"),
        (beat(5), "f"),
        (status(6, "available", unit="a/b"), "u/0/a/b"),
        (received(7, call="x/y"), "c/x/y"),
    ]:
        bench(event)
        assert list(bench.state.flush()) == [key]


def test_a_flush_hands_out_a_change_once() -> None:
    bench = Bench()
    bench(received(0), closed(1))
    assert list(bench.state.flush()) == ["c/C1"]
    assert bench.state.flush() == {}


def test_a_duplicate_or_an_old_heartbeat_writes_nothing() -> None:
    bench = Bench()
    event, late = received(5), beat(3)
    bench(event, beat(4))
    bench.state.flush()
    assert bench(event, late) == ["duplicate", "applied"]
    assert bench.state.flush() == {}


def test_statuses_start_a_new_record_when_one_is_full() -> None:
    bench = Bench()
    written = []
    for minute in range(5):
        bench(status(minute, "available"))
        written += list(bench.state.flush())
    assert written == ["u/0/U1", "u/0/U1", "u/1/U1", "u/1/U1", "u/2/U1"]


def test_closed_calls_are_kept_before_and_after_a_flush() -> None:
    bench = Bench()
    bench(received(0), closed(1), received(2, call="C2"))
    assert bench.state.kept_calls == 2
    bench.state.flush()
    assert bench.state.kept_calls == 2


def test_calls_are_written_before_the_statuses_that_came_after_them() -> None:
    """Was: in the order of the first change, so a crash could leave a status that came after a call ended, and the
    call's end, read again, knew of it.
    """
    group = [status(-9, "available"), received(0), triaged(1), closed(2), status(-5, "off_duty")]
    bench = Bench()
    bench(*group)
    changes = bench.state.flush()
    assert list(changes) == ["c/C1", "u/0/U1"]
    for left in prefixes(changes, {}):
        again = Bench(records=left.records)
        again(*group)
        assert again.results() == {("north", "unknown"): 1}


# --- archiving -----------------------------------------------------------------------------------------------


def test_a_closed_call_goes_45_days_after_it_was_last_touched() -> None:
    bench = Bench()
    bench(received(0), closed(0, person="p"), now=NOON)
    bench(on_scene(0), now=NOON + DAY)
    bench(beat(1), now=GONE + DAY - 1)
    assert bench.state.kept_calls == 1
    assert bench.show("care_people_served") == {(): 1}
    bench(beat(2), now=GONE + DAY)
    assert bench.state.kept_calls == 0
    assert bench.show("care_people_served") == {}
    assert bench.show("care_calls_closed_total") == {("none", "north", "crisis", "unrecorded"): 1}


def test_an_open_call_does_not_go() -> None:
    bench = Bench()
    bench(received(0), now=NOON)
    bench(beat(), now=GONE + 300 * DAY)
    assert bench.stages() == {"waiting": 1}


def test_archiving_is_by_the_hour_of_the_clock_so_that_a_restart_changes_nothing() -> None:
    """Was: by the hour since the last time, so a restarted worker archived earlier than one that went on."""
    bench, store = Bench(), Store()
    bench(received(0), closed(0, person="p"), now=NOON + MINUTE)
    bench(beat(1), now=GONE)
    store.put(bench.state.flush().items())
    again = Bench(records=store.records)
    for each in (bench, again):
        each(beat(2), now=GONE + 2 * MINUTE)
        assert each.show("care_people_served") == {(): 1}
        each(beat(3), now=GONE + ARCHIVE_EVERY)
        assert each.show("care_people_served") == {}


def test_each_prefix_of_an_archiving_is_a_valid_state() -> None:
    bench, store = Bench(), Store()
    for call in ("C1", "C2", "C3"):
        bench(received(0, call=call), closed(1, call=call), now=NOON)
    for minute, code in enumerate(("available", "dispatched", "en_route", "on_scene", "available")):
        bench(status(minute, code, team="nobody"), now=NOON)
    store.put(bench.state.flush().items())
    bench(status(6, "off_duty"), now=NOON + DAY)  # the record of the status that holds is not old
    store.put(bench.state.flush().items())
    before = numbers(bench.state, GONE, running_to=0)
    bench(beat(7), now=GONE + ARCHIVE_EVERY)
    changes = bench.state.flush()
    assert list(changes) == ["g", "c/C1", "c/C2", "c/C3", "a/U1", "u/0/U1", "u/1/U1", "f"]
    feed = {key for key in before if key[0] == "care_feed_last_event_timestamp_seconds"}
    for left in prefixes(changes, store.records):
        found = numbers(left.restart(), GONE, running_to=0)
        assert {k: v for k, v in found.items() if k not in feed} == {k: v for k, v in before.items() if k not in feed}


def test_a_call_that_comes_back_after_its_archiving_survives_a_restart() -> None:
    """Was: its new record was taken for the archived one and dropped."""
    bench, store = Bench(), Store()
    bench(received(0), closed(0), now=NOON)
    store.put(bench.state.flush().items())
    bench(received(0), now=GONE)
    changes = bench.state.flush()
    assert list(changes) == ["g", "c/C1"]
    *_, full = prefixes(changes, store.records)
    for state in (bench.state, full.restart()):
        found = numbers(state, GONE)
        assert found["care_calls_received_total", ("north", "crisis", "other")] == 2
        assert found["care_calls_open", ("north", "crisis", "waiting")] == 1
    bench(closed(0), now=GONE)
    full.put(bench.state.flush().items())
    bench(beat(3), now=GONE + KEPT)
    full.put(bench.state.flush().items())
    for state in (bench.state, full.restart()):
        assert numbers(state, GONE)["care_calls_received_total", ("north", "crisis", "other")] == 2
        assert state.kept_calls == 0


def test_a_record_that_a_crash_left_behind_does_not_come_back_with_the_next_archiving() -> None:
    """Was: counted again once another archiving had replaced the list of what is gone."""
    bench, store = Bench(), Store()
    bench(received(0), closed(0), now=NOON)
    bench(received(0, call="C2"), closed(0, call="C2"), now=NOON + DAY)
    store.put(bench.state.flush().items())
    bench(beat(2), now=GONE)
    changes = bench.state.flush()
    assert list(changes) == ["g", "c/C1", "f"]
    store.put([("g", changes["g"])])  # and here it crashes
    again = Bench(records=store.records)
    again(beat(3), now=GONE + DAY)
    store.put(again.state.flush().items())
    assert sorted(store.records) == ["f", "g"]
    assert numbers(store.restart(), GONE)["care_calls_received_total", ("north", "crisis", "other")] == 2


def test_a_change_that_is_archived_before_it_is_written_is_only_in_the_archive() -> None:
    """Was: its record went before the archive had its counts."""
    bench, store = Bench(), Store()
    bench(received(0), closed(0), now=NOON)
    for minute in range(5):
        bench(status(minute, "available"), now=NOON)
    store.put(bench.state.flush().items())
    bench(on_scene(2), now=NOON + MINUTE)
    bench(beat(3), now=GONE + DAY)
    changes = bench.state.flush()
    assert list(changes)[:2] == ["g", "c/C1"]
    for left in prefixes(changes, store.records):
        assert numbers(left.restart(), GONE)["care_calls_closed_total", ("none", "north", "crisis", "unrecorded")] == 1


# --- archiving of statuses -----------------------------------------------------------------------------------


def test_an_archived_unit_keeps_its_area() -> None:
    """Was: `other` once the status that had named the area was archived."""
    bench, store = Bench(), Store()
    bench(status(0, "available", area="south", team="beta"), now=NOON)
    for minute in range(1, 6):
        bench(status(minute, "available", team="beta"), now=NOON)
    bench(beat(6), now=GONE + ARCHIVE_EVERY)
    store.put(bench.state.flush().items())
    assert "a/U1" in store.records
    again = Bench(records=store.records)
    for each in (bench, again):
        assert each.show("care_units") == {("beta", "south", "available"): 1}
        each(status(-1, "available", area="north", team="beta"), now=GONE + ARCHIVE_EVERY)  # older than the archived
        assert each.show("care_units") == {("beta", "south", "available"): 1}
        each(status(3, "available", area="north", team="beta"), now=GONE + ARCHIVE_EVERY)
        assert each.show("care_units") == {("beta", "north", "available"): 1}


def test_old_statuses_that_were_read_today_are_kept() -> None:
    """Was: archived at once, so a history that is read in lost its units, and read again was counted twice."""
    bench, store = Bench(), Store()
    now = NOON + 400 * DAY
    history = [status(minute, "en_route", team="nobody") for minute in range(5)]
    bench(*history, received(2), now=now)
    store.put(bench.state.flush().items())
    again = Bench(records=store.records)
    for each in (bench, again):
        assert each(*history, now=now + HOUR) == ["duplicate"] * 5
        assert each.show("care_unmapped_values_total") == {("team",): 5}
        assert each.state.units["U1"].known_at(NOON + 2 * MINUTE) == ("en_route", "other")


def test_calls_today_move_when_the_statuses_that_named_their_team_are_archived() -> None:
    """Was: the call stayed under the old team, and a late event took it off the new one, below zero."""
    bench, store = Bench(), Store()
    bench(status(-1, "available", team="alpha"), now=NOON)
    for minute in range(1, 6):
        bench(status(minute, "available", team="beta"), now=NOON)
    bench(on_scene(0), now=NOON)
    later = (GONE - NOON) / MINUTE + 61
    bench(closed(later))
    store.put(bench.state.flush().items())
    again = Bench(records=store.records)
    for each in (bench, again):
        before = each.show("care_calls_today", later)
        each(dispatched(later, call="C1", unit="U2", team="beta"))
        assert each.show("care_calls_today", later) == before == {("beta", "other", "unrecorded"): 1}


def test_a_profile_that_changed_says_what_calls_of_before_show() -> None:
    bench, store = Bench(), Store()
    evening = local("2024-05-15T22:10")
    bench(received(evening), closed(evening + 2, outcome="cancelled"))
    bench(received(evening, call="C2"), closed(evening + 2, call="C2", outcome="services"))
    store.put(bench.state.flush().items())
    now = NOON + round((evening + 9) * MINUTE)
    hours, active = "care_demand_hour_of_week", "care_cases_active"
    before = numbers(bench.state, now)
    assert before[hours, ("wed", "22", "outside_hours")] == 1
    assert before[active, ("encounter",)] == 1
    teams = [team | {"hours": [ALWAYS]} for team in PROGRAM["teams"]]
    after = numbers(store.restart(profile(teams=teams, followup_outcomes=["cancelled", "services"])), now)
    assert after[hours, ("wed", "22", "unmet")] == 2
    assert after[active, ("encounter",)] == 2


# --- work ----------------------------------------------------------------------------------------------------


def test_a_status_in_order_looks_at_no_closed_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Was: once a unit had changed its team, each of its statuses looked at all of its calls of 45 days."""
    bench = Bench()
    bench(status(0, "available", team="alpha"), status(1, "available", team="beta"))
    for call in ("C1", "C2", "C3"):
        bench(received(2, call=call), on_scene(3, call=call), closed(4, call=call))
    asked: list[str] = []
    find = bench.state._find

    def looked(_: ProgramState, key: str) -> Call | None:
        asked.append(key)
        return find(key)

    monkeypatch.setattr(ProgramState, "_find", looked)
    bench(status(5, "available", team="alpha"))
    assert asked == []
    bench(status(2, "available", team="alpha"))
    assert asked == ["c/C1", "c/C2", "c/C3"]
    assert bench.show("care_calls_today") == {("alpha", "north", "unrecorded"): 3}


def test_a_heartbeat_does_not_write_the_archived_counts_again() -> None:
    """Was: one record of both, some 100 kB with each heartbeat once calls were archived."""
    bench, store = Bench(), Store()
    bench(received(0), closed(0), now=NOON)
    bench(beat(1), now=GONE)
    store.put(bench.state.flush().items())
    bench(beat(2), now=GONE)
    changes = bench.state.flush()
    assert [(key, len(packed or b"") < 50) for key, packed in changes.items()] == [("f", True)]
    store.put(changes.items())
    assert numbers(store.restart(), GONE) == numbers(bench.state, GONE)
