"""The journal: the order of a flush, batches that leave, and crashes in the middle of them."""

from __future__ import annotations

from datetime import timedelta

import pytest

from streams.clock import DAY, Micros, micros
from streams.core import Core
from streams.journal import ORDER, Journal, Redo
from streams.packed import pack
from tests.unit.lives import NOON, Event, enter, net, new_core, profile

SMALL = profile()
NOW: Micros = micros(NOON) + DAY


def kinds(changes: dict[str, bytes | None]) -> list[str]:
    return [key.partition("/")[0] for key in changes]


# --- the order ----------------------------------------------------------------------------------------------


def test_what_only_moved_is_stored_before_what_was_said() -> None:
    journal = Journal()
    for key in ("call/said", "unit/U1", "case/said"):
        journal.said(key)
    for key in ("call/moved", "case/moved", "call/said"):
        journal.moved(key)
    moved, said = journal.changed()
    assert moved == ["case/moved", "call/moved"]
    assert said == ["case/said", "call/said", "unit/U1"]
    changes = journal.flush(dict.fromkeys(moved, b"m"), dict.fromkeys(said, b"s"))
    assert list(changes) == [*moved, *said]


def test_what_was_changed_is_told_once() -> None:
    journal = Journal()
    journal.said("call/A")
    journal.changed()
    assert journal.changed() == ([], [])


def test_records_are_handed_out_in_the_order_to_store_them() -> None:
    journal = Journal({f"{kind}/1": b"x" for kind in reversed(ORDER) if kind != "redo"})
    assert [key for key, _ in journal.in_order()] == [f"{kind}/1" for kind in ORDER if kind != "redo"]


def test_a_kind_without_its_place_is_no_record() -> None:
    journal = Journal()
    journal.said("unheard-of/1")
    with pytest.raises(KeyError):
        journal.changed()


def test_a_batch_is_stored_first_and_its_keys_go_last() -> None:
    journal = Journal({"call/A": b"a", "call/B": b"b"})
    journal.leave(Redo({"gone/0": b"g", "day/7": b"d"}, ["call/A"]))
    journal.said("call/B")
    _, said = journal.changed()
    changes = journal.flush({}, dict.fromkeys(said, b"new"))
    assert list(changes) == ["redo/", "day/7", "gone/0", "call/B", "call/A"]
    assert changes["call/A"] is None
    assert dict(journal.in_order()).keys() == {"redo/", "day/7", "gone/0", "call/B"}


def test_a_batch_is_over_with_the_next_flush() -> None:
    journal = Journal({"call/A": b"a"})
    journal.leave(Redo({"day/7": b"d"}, ["call/A"]))
    journal.flush({}, {})
    assert journal.flush({}, {}) == {"redo/": None}
    assert journal.flush({}, {}) == {}


def test_the_end_of_a_batch_comes_after_the_next_one_was_begun() -> None:
    journal = Journal({"call/A": b"a", "call/B": b"b"})
    journal.leave(Redo({"day/7": b"1"}, ["call/A"]))
    journal.flush({}, {})
    journal.leave(Redo({"day/7": b"2"}, ["call/B"]))
    changes = journal.flush({}, {})
    assert changes.pop("redo/") is not None
    assert changes == {"day/7": b"2", "call/B": None}
    assert journal.flush({}, {}) == {"redo/": None}


def test_the_end_of_a_batch_is_stored_before_what_follows_it() -> None:
    journal = Journal({"call/A": b"a", "people/7": b"Ann"})
    journal.leave(Redo({"people/7": b"Ann"}, ["call/A"]))
    journal.flush({}, {})
    assert list(journal.flush({}, {"people/7": None, "forgotten/": b"Ann"})) == ["redo/", "people/7", "forgotten/"]


def test_what_left_is_not_stored_again() -> None:
    journal = Journal({"call/A": b"a"})
    journal.said("call/A")
    journal.moved("call/A")
    journal.leave(Redo({}, ["call/A"]))
    assert journal.changed() == ([], [])


def test_a_batch_done_twice_changes_nothing() -> None:
    batch = Redo({"day/7": b"d", "gone/0": b"g"}, ["call/A", "call/B"])
    begun = {"redo/": pack(batch), "call/A": b"a", "call/C": b"c"}
    once = Journal(dict(begun))
    stored = {key: packed for key, packed in once.flush({}, {}).items() if packed is not None}
    twice = Journal({**stored, "redo/": begun["redo/"], "call/C": b"c"})  # a crash before the end of the batch
    assert list(twice.flush({}, {}))[-1] == "redo/"
    assert dict(once.in_order()) == dict(twice.in_order())
    assert dict(twice.in_order()).keys() == {"day/7", "gone/0", "call/C"}


# --- crashes ------------------------------------------------------------------------------------------------


def event(id: str, kind: str, minutes: int, /, **fields: object) -> Event:
    at = NOON.replace(hour=17 + minutes // 60, minute=minutes % 60)
    return {"id": id, "type": kind, "program": "small", "at": at.isoformat(), **fields}


def call(id: str, minutes: int, **closed: object) -> list[Event]:
    unit = {"call": id, "unit": "U1"}
    return [
        event("r", "call_received", minutes, call=id, call_type="crisis", area="north"),
        event("d", "unit_dispatched", minutes + 2, **unit),
        event("o", "unit_on_scene", minutes + 6, **unit),
        event("c", "unit_cleared", minutes + 20, **unit),
        event("x", "call_closed", minutes + 20, call=id, **closed),
    ]


#: Two calls, one of which opens a case of a person; a call of the same unit that is corrected; statuses of it.
LIVES = [
    event("s1", "unit_status", 0, unit="U1", team="alpha", status="available"),
    *call("C1", 5, outcome="services", person="Ann"),
    *call("C2", 30, outcome="odd"),
    event("s2", "unit_status", 55, unit="U1", team="alpha", status="off_duty"),
    event("w", "withdrawn", 56, call="C2", of="d"),
]


def heartbeat(core: Core, now: Micros) -> None:
    entered = enter(event("h", "heartbeat", 0, topic="status"), now)
    core.apply(entered.event, now, entered.at)


def tell(core: Core, found: list[Event], now: Micros) -> None:
    for each in found:
        entered = enter(each, now)
        core.apply(entered.event, now, entered.at)


def stored_after(stored: dict[str, bytes], changes: list[tuple[str, bytes | None]]) -> dict[str, bytes]:
    stored = dict(stored)
    for key, packed in changes:
        if packed is None:
            stored.pop(key, None)
        else:
            stored[key] = packed
    return stored


def crash_everywhere(core: Core, again: list[Event], now: Micros) -> None:
    """The worker is killed after each record of its next flush; what was not acknowledged comes again."""
    before = dict(core.records())
    changes = list(core.flush().items())
    expected = net(core, now)
    assert len(changes) > 3
    for prefix in range(len(changes) + 1):
        restarted = new_core(SMALL, stored_after(before, changes[:prefix]))
        heartbeat(restarted, now)
        tell(restarted, again, now)
        restarted.flush()
        assert net(restarted, now) == expected, changes[: prefix + 1][-1:]
        assert net(new_core(SMALL, dict(restarted.records())), now) == expected


def test_killed_after_any_record_of_a_flush() -> None:
    core = new_core(SMALL)
    tell(core, LIVES[:4], NOW)
    core.flush()
    tell(core, LIVES[4:], NOW)
    crash_everywhere(core, LIVES[4:], NOW)


def test_killed_after_any_record_of_a_flush_with_a_batch() -> None:
    core = new_core(SMALL)
    tell(core, LIVES, NOW)
    core.flush()
    later = NOW + 60 * DAY
    new = call("C3", 10)
    heartbeat(core, later)
    tell(core, new, later)
    crash_everywhere(core, new, later)


def test_killed_in_the_second_of_two_batches() -> None:
    core = new_core(SMALL)
    tell(core, LIVES, NOW)
    core.flush()
    tell(core, call("C3", 10), NOW + 10 * DAY)
    core.flush()
    heartbeat(core, NOW + 60 * DAY)
    core.flush()
    assert "redo/" in dict(core.records())
    heartbeat(core, NOW + 61 * DAY)
    tell(core, call("C4", 10), NOW + 61 * DAY)
    core.flush()
    heartbeat(core, NOW + 120 * DAY)
    crash_everywhere(core, [], NOW + 120 * DAY)


def test_killed_while_a_person_is_forgotten_after_a_batch() -> None:
    core = new_core(SMALL)
    tell(core, LIVES, NOW)
    core.flush()
    heartbeat(core, NOW + 60 * DAY)
    core.flush()
    assert {"redo/"} < {key.partition("/")[0] + "/" for key, _ in core.records() if key.startswith(("redo", "people"))}
    forgotten = event("f", "person_forgotten", 56, person="Ann")
    tell(core, [forgotten, event("new", "call_received", 57, call="C5", call_type="crisis", area="n")], NOW + 60 * DAY)
    before = dict(core.records())
    changes = list(core.flush().items())
    for prefix in range(len(changes) + 1):
        restarted = new_core(SMALL, stored_after(before, changes[:prefix]))
        tell(restarted, [forgotten], NOW + 60 * DAY)
        restarted.flush()
        assert not any(key.startswith("people/") for key, _ in restarted.records())


def test_archived_records_are_no_longer_there_but_counted() -> None:
    core = new_core(SMALL)
    tell(core, LIVES, NOW)
    counted = net(core, NOW + 60 * DAY)["care_demand_total"]
    core.flush()
    heartbeat(core, NOW + 60 * DAY)
    changes = core.flush()
    assert next(iter(changes)) == "redo/"
    assert {"call/C1", "call/C2"} <= {key for key, packed in changes.items() if packed is None}
    assert not any(key.startswith("call/") for key, _ in core.records())
    assert net(core, NOW + 60 * DAY)["care_demand_total"] == counted


def test_statuses_of_a_long_time_leave_a_month_at_a_time() -> None:
    """Else a backfill of years would be one message, which no broker takes."""
    core = new_core(SMALL)
    days = [(NOON - timedelta(days=days)).isoformat() for days in range(200, 45, -1)]
    told = [
        event(f"s{number}", "unit_status", 0, unit="U1", team="alpha", status=word) | {"at": at}
        for number, at in enumerate(days)
        for word in (("available", "off_duty")[number % 2],)
    ]
    tell(core, told, NOW)
    core.flush()
    later = NOW + 60 * DAY
    heartbeat(core, later)
    expected = net(core, later)
    left = []
    while len(changes := core.flush()) > 1:
        left.append(sum(key.startswith("day/") for key in changes))
        assert net(core, later) == expected
    assert len(left) > 5
    assert max(left) <= 32
    assert net(new_core(SMALL, dict(core.records())), later) == expected


def test_statuses_that_just_came_do_not_leave() -> None:
    core = new_core(SMALL)
    heartbeat(core, NOW)
    core.flush()
    tell(core, LIVES[:1], NOW)
    for _ in range(3):
        core.flush()
    entered = enter(LIVES[0] | {"id": "other"}, NOW)
    assert core.apply(entered.event, NOW, entered.at) == "applied"
