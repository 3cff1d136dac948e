"""A record: each sentence of the contract's *Statements, corrections, order*, and what holds in whatever order it comes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.clock import DAY, SECOND, Micros
from streams.record import KEPT, KEPT_OF_OLD, MOST, MOST_BYTES, MOST_OF_ANY, Record
from streams.said import AnyOfCall, Closed, Force, Merged, OnScene, Received, Reopened, place
from tests.unit.examples import examples

NOW: Micros = 20_000 * DAY
AT: Micros = NOW - 3600 * SECOND


def arrival(id: str = "e1", at: Micros = AT, revision: int = 0, unit: str = "U1") -> OnScene:
    return OnScene(id, at, revision, unit)


def told(*said: AnyOfCall) -> Record[AnyOfCall]:
    record: Record[AnyOfCall] = Record()
    for each in said:
        record.put(each, NOW)
    return record


def stored(record: Record[AnyOfCall]) -> Record[AnyOfCall]:
    """The same after a restart."""
    withdrawals = [(id, of, upto) for id, (of, upto) in record.withdrawals.items()]
    return Record(record.said.values(), withdrawals, dict(record.replaced), record.touched, record.fresh)


# --- the same id --------------------------------------------------------------------------------------------


def test_the_same_id_with_the_same_content_changes_nothing() -> None:
    record = told(arrival())
    assert record.put(arrival(), NOW + DAY) == "duplicate"
    assert record.holds() == [arrival()]
    assert record.touched == NOW


def test_with_a_higher_revision_only_the_revision_rises() -> None:
    record = told(arrival())
    assert record.put(arrival(revision=3), NOW) == "raised"
    assert record.holds() == [arrival(revision=3)]
    assert record.put(arrival(revision=2), NOW) == "duplicate"


def test_other_content_is_a_correction() -> None:
    record = told(arrival())
    assert record.put(arrival(at=AT + SECOND), NOW) == "corrected"
    assert record.holds() == [arrival(at=AT + SECOND)]


def test_another_type_under_the_same_id_is_a_correction() -> None:
    record = told(arrival())
    assert record.put(Reopened("e1", AT, 0), NOW) == "corrected"
    assert record.holds() == [Reopened("e1", AT, 0)]


@pytest.mark.parametrize("later", [-SECOND, SECOND])
def test_the_higher_revision_holds_whichever_comes_last(later: Micros) -> None:
    high, low = arrival(at=AT + later, revision=2), arrival(revision=1)
    assert told(high, low).holds() == told(low, high).holds() == [high]


def test_a_lower_revision_with_other_content_is_a_duplicate() -> None:
    record = told(arrival(revision=2))
    assert record.put(arrival(at=AT + SECOND, revision=1), NOW) == "duplicate"


def test_of_equal_revisions_the_later_in_the_log_holds() -> None:
    first, second = arrival(), arrival(unit="U2")
    assert told(first, second).holds() == [second]
    assert told(second, first).holds() == [first]


def test_a_replaced_telling_that_comes_again_is_a_duplicate() -> None:
    first, second, third = arrival(), arrival(unit="U2"), arrival(unit="U3")
    record = told(first, second, third)
    for _ in range(2):
        assert [record.put(each, NOW) for each in (first, second, third)] == ["duplicate"] * 3
        assert record.holds() == [third]
        record = stored(record)  # it knows so after a restart too


def test_to_go_back_raise_the_revision() -> None:
    first, second = arrival(), arrival(unit="U2")
    record = told(first, second)
    assert record.put(arrival(revision=1), NOW) == "corrected"
    assert record.holds() == [arrival(revision=1)]
    assert record.put(second, NOW) == "duplicate"


def test_what_an_older_revision_replaced_may_be_told_of_the_new_one() -> None:
    record = told(arrival(), arrival(unit="U2"), arrival(unit="U3", revision=1))
    assert record.put(arrival(unit="U2", revision=1), NOW) == "corrected"
    assert record.holds() == [arrival(unit="U2", revision=1)]


def test_a_raised_revision_forgets_what_was_replaced() -> None:
    record = told(arrival(), arrival(unit="U2"), arrival(unit="U2", revision=1))
    assert record.put(arrival(), NOW) == "duplicate"  # the revision is lower
    assert record.put(arrival(revision=1), NOW) == "corrected"


def test_ids_are_of_their_own_record() -> None:
    one, other = told(arrival()), told(arrival(unit="U2"))
    assert one.holds() == [arrival()]
    assert other.holds() == [arrival(unit="U2")]


# --- withdrawn ----------------------------------------------------------------------------------------------


def test_withdrawn_takes_back_the_statement_that_came_before() -> None:
    record = told(arrival(), arrival("e2"))
    assert record.withdraw("w", "e1", None, NOW) == "withdrawn"
    assert record.holds() == [arrival("e2")]


def test_withdrawn_takes_back_the_statement_that_comes_after() -> None:
    record = told(arrival("e2"))
    record.withdraw("w", "e1", None, NOW)
    assert record.put(arrival(), NOW) == "applied"
    assert record.put(arrival(revision=7, unit="U2"), NOW) == "corrected"
    assert record.holds() == [arrival("e2")]
    assert stored(record).holds() == [arrival("e2")]


def test_upto_takes_back_revisions_up_to_that_one() -> None:
    record = told(arrival(revision=2))
    record.withdraw("w", "e1", 2, NOW)
    assert record.holds() == []
    record.put(arrival(revision=3), NOW)
    assert record.holds() == [arrival(revision=3)]


def test_upto_of_a_lower_revision_takes_nothing_back() -> None:
    record = told(arrival(revision=2))
    record.withdraw("w", "e1", 1, NOW)
    assert record.holds() == [arrival(revision=2)]


def test_upto_0_is_not_all() -> None:
    record = told(arrival())
    record.withdraw("w", "e1", 0, NOW)
    assert record.holds() == []
    record.put(arrival(revision=1), NOW)
    assert record.holds() == [arrival(revision=1)]


@pytest.mark.parametrize("order", [(1, 3, None), (None, 3, 1), (3, None, 1)])
def test_of_several_withdrawals_the_farthest_holds(order: Sequence[int | None]) -> None:
    record = told(arrival(revision=9))
    for number, upto in enumerate(order):
        record.withdraw(f"w{number}", "e1", upto, NOW)
    assert record.holds() == []


def test_a_withdrawal_cannot_be_corrected() -> None:
    record = told(arrival(), arrival("e2"))
    record.withdraw("w", "e1", None, NOW)
    assert record.withdraw("w", "e2", None, NOW) == "duplicate"
    assert record.holds() == [arrival("e2")]


def test_a_withdrawal_cannot_be_withdrawn() -> None:
    record = told(arrival())
    record.withdraw("w", "e1", None, NOW)
    record.withdraw("w2", "w", None, NOW)
    assert record.holds() == []


def test_ids_of_withdrawals_are_a_space_of_their_own() -> None:
    record = told(arrival(), arrival("e2"))
    assert record.withdraw("e1", "e2", None, NOW) == "withdrawn"
    assert record.holds() == [arrival()]


# --- when it is full ----------------------------------------------------------------------------------------


def full(number: int = MOST_OF_ANY) -> Record[AnyOfCall]:
    return Record(arrival(f"e{each}") for each in range(number))


def test_beyond_4000_only_receipt_close_and_reopening_are_taken() -> None:
    record = full()
    assert record.put(arrival("new"), NOW) == "full"
    assert record.put(Merged("new", AT, 0, "C2"), NOW) == "full"
    assert record.put(Received("r", AT, 0, "mh", "loop"), NOW) == "applied"
    assert record.put(Closed("c", AT, 0), NOW) == "applied"
    assert record.put(Reopened("o", AT, 0), NOW) == "applied"
    assert len(record.said) == MOST_OF_ANY + 3


def test_the_4000th_is_taken() -> None:
    record = full(MOST_OF_ANY - 1)
    assert record.put(arrival("new"), NOW) == "applied"
    assert record.put(arrival("newer"), NOW) == "full"


def test_beyond_4096_no_new_statement_is_taken() -> None:
    record = full()
    for number in range(MOST - MOST_OF_ANY):
        assert record.put(Closed(f"c{number}", AT, 0), NOW) == "applied"
    assert record.put(Closed("new", AT, 0), NOW) == "full"
    assert len(record.said) == MOST


def test_a_full_record_still_takes_corrections_duplicates_and_withdrawals() -> None:
    record = full(MOST)
    assert record.put(arrival("e7"), NOW) == "duplicate"
    assert record.put(arrival("e7", unit="U2"), NOW) == "corrected"
    assert record.put(arrival("e7", unit="U2", revision=2), NOW) == "raised"
    assert record.withdraw("w", "e7", None, NOW) == "withdrawn"
    assert len(record.holds()) == MOST - 1


def long(id: str, unit: str = "U", at: Micros = AT) -> OnScene:
    return arrival(id.ljust(128, "."), at=at, unit=unit.ljust(128, "."))


def size(said: Iterable[AnyOfCall]) -> int:
    return sum(len(msgspec.json.encode(each)) for each in said)


def test_256_kib_are_full_before_4000_statements_are() -> None:
    record: Record[AnyOfCall] = Record()
    taken = 0
    while record.put(long(f"e{taken}"), NOW) == "applied":
        taken += 1
    assert taken < MOST_OF_ANY
    assert MOST_BYTES * 0.9 < size(record.said.values()) <= MOST_BYTES
    assert record.put(arrival("short"), NOW) in ("applied", "full")
    closes = 0
    while record.put(Closed(f"c{closes}".ljust(128, "."), AT, 0), NOW) == "applied":
        closes += 1
    assert closes > 50
    assert MOST_BYTES - 200 < size(record.said.values()) <= MOST_BYTES


def test_letters_that_take_more_bytes_fill_it_sooner() -> None:
    plain, wide = told(), told()
    plain_taken = next(n for n in range(MOST) if plain.put(long(f"e{n}"), NOW) == "full")
    wide_taken = next(n for n in range(MOST) if wide.put(arrival(f"e{n}", unit="€" * 128), NOW) == "full")
    assert wide_taken < plain_taken
    assert size(wide.said.values()) <= MOST_BYTES


def close(number: int, outcome: str = "x", reason: str | None = None, revision: int = 0) -> Closed:
    return Closed(f"c{number}".ljust(128, "."), AT, revision, outcome * 64, reason)


def brimful() -> Record[AnyOfCall]:
    """Not a byte more fits."""
    record: Record[AnyOfCall] = Record()
    number = 0
    while record.put(close(number), NOW) == "applied":
        number += 1
    left = MOST_BYTES - size(record.said.values())
    for letter in range(left, 0, -64):  # in steps, as a code has 64 characters
        number -= 1
        record.put(close(number, revision=0, reason="y" * min(64, letter)), NOW)
    return record


def test_a_correction_applies_where_it_fits() -> None:
    record = brimful()
    longer = close(0, reason="y" * 64)
    assert record.put(longer, NOW) == "full"
    assert record.said[longer.id] == close(0)
    assert record.put(Closed(close(1).id, AT, 0), NOW) == "corrected"
    assert record.put(longer, NOW) == "corrected"  # the other has made room
    assert size(record.said.values()) <= MOST_BYTES


def test_a_correction_that_does_not_fit_leaves_no_trace() -> None:
    record = brimful()
    record.put(close(0, "z"), NOW)
    before = dict(record.replaced)
    for revision in (0, 1):
        assert record.put(close(0, reason="y" * 64, revision=revision), NOW) == "full"
        assert record.replaced == before
    assert record.put(close(0), NOW) == "duplicate"  # still known as replaced


def test_replaced_tellings_are_bounded() -> None:
    record = told(*(arrival(f"e{number}") for number in range(100)))
    effects = {record.put(arrival(f"e{n % 100}", unit=f"U{n + 2}"), NOW) for n in range(2 * MOST)}
    assert effects == {"corrected", "full"}
    assert sum(map(len, record.replaced.values())) == 8 * MOST
    assert record.put(arrival("e0", revision=1), NOW) == "corrected"  # a raised revision always helps


def test_withdrawals_are_bounded() -> None:
    record = told(arrival())
    for number in range(MOST):
        assert record.withdraw(f"w{number}", "e1", None, NOW) == "withdrawn"
    assert record.withdraw("new", "e1", None, NOW) == "full"
    long_ids = told(arrival())
    taken = next(n for n in range(MOST) if long_ids.withdraw(f"w{n}".ljust(128), "€" * 128, None, NOW) == "full")
    assert taken == MOST_BYTES // (128 + 128 * 3)


def test_restored_it_is_as_full_as_before() -> None:
    record: Record[AnyOfCall] = Record()
    taken = 0
    while record.put(long(f"e{taken}"), NOW) == "applied":
        taken += 1
    assert stored(record).put(long(f"e{taken}"), NOW) == "full"


# --- late, kept ---------------------------------------------------------------------------------------------


def test_late_is_older_than_the_newest_statement() -> None:
    record = told(arrival())
    assert record.put(arrival("e2", at=AT - 1), NOW) == "late"
    assert record.put(arrival("e3"), NOW) == "applied"
    record.put(arrival("e1", at=AT - 9, revision=1), NOW)
    record.put(arrival("e3", at=AT - 9, revision=1), NOW)
    assert record.put(arrival("e4", at=AT - 1), NOW) == "applied"  # the newest was corrected to an earlier time


def test_it_is_kept_45_days_after_its_last_new_statement() -> None:
    record = told(arrival())
    assert record.kept_until == NOW + KEPT == NOW + 45 * DAY
    record.put(arrival(), NOW + DAY)
    assert record.kept_until == NOW + KEPT
    record.put(arrival("e2"), NOW + 2 * DAY)
    assert record.kept_until == NOW + 2 * DAY + KEPT


def test_a_backfill_is_kept_7_days() -> None:
    record = told(arrival(at=NOW - KEPT))
    assert record.kept_until == NOW + KEPT_OF_OLD == NOW + 7 * DAY
    record.put(arrival("e2", at=NOW - KEPT + 1), NOW)
    assert record.kept_until == NOW + KEPT


def test_a_correction_and_a_withdrawal_keep_it_longer() -> None:
    record = told(arrival())
    record.put(arrival(unit="U2"), NOW + DAY)
    assert record.kept_until == NOW + DAY + KEPT
    record.withdraw("w", "e1", None, NOW + 2 * DAY)
    assert record.kept_until == NOW + 2 * DAY + KEPT


# --- the walk -----------------------------------------------------------------------------------------------


def test_statements_are_walked_by_time_then_life_cycle_then_id() -> None:
    received, first, second = Received("z", AT, 0, "mh", "loop"), arrival("a"), arrival("b")
    early = Closed("c", AT - 1, 0)
    assert told(second, first, received, early).holds() == [early, received, first, second]


# --- whatever the order -------------------------------------------------------------------------------------


@st.composite
def tellings(draw: st.DrawFn) -> list[Any]:
    """Tellings of a few ids, each revision of an id with one content; and withdrawals, each id once."""
    found: list[Any] = []
    for id in ("e1", "e2"):
        for revision in draw(st.lists(st.integers(0, 3), unique=True, max_size=4)):
            at = AT + draw(st.integers(0, 2))
            kind = draw(st.sampled_from((arrival(id, at, revision), Force(id, at, revision, 1))))
            found += [kind] * draw(st.integers(1, 2))
    for number in range(draw(st.integers(0, 3))):
        of, upto = draw(st.sampled_from(("e1", "e2", "e9"))), draw(st.sampled_from((None, 0, 1, 3)))
        found += [(f"w{number}", of, upto)] * draw(st.integers(1, 2))
    return found


def heard(found: Iterable[Any]) -> Record[AnyOfCall]:
    record: Record[AnyOfCall] = Record()
    for each in found:
        if isinstance(each, tuple):
            id, of, upto = each
            record.withdraw(id, of, upto, NOW)
        else:
            record.put(each, NOW)
    return record


@settings(deadline=None, max_examples=examples(300))
@given(tellings(), st.data())
def test_what_holds_does_not_depend_on_the_order_of_arrival(found: list[Any], data: st.DataObject) -> None:
    shuffled = data.draw(st.permutations(found))
    one, other = heard(found), heard(shuffled)
    assert one.holds() == other.holds()
    assert one.newest == other.newest
    assert one.said == other.said
    # and it is what the sentences say, said plainly
    expected = []
    for id in ("e1", "e2"):
        highest = max((s for s in found if not isinstance(s, tuple) and s.id == id), key=_revision, default=None)
        taken = [w[2] for w in found if isinstance(w, tuple) and w[1] == id]
        if highest is not None and not any(upto is None or highest.revision <= upto for upto in taken):
            expected.append(highest)
    assert one.holds() == sorted(expected, key=place)


def _revision(said: AnyOfCall) -> int:
    return said.revision


@settings(deadline=None, max_examples=examples(200))
@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 2), st.integers(0, 3)), max_size=12), st.data())
def test_sent_again_nothing_changes(found: list[tuple[int, int, int]], data: st.DataObject) -> None:
    """As a crash does: what was told from some point on comes once more, in the order in which it came."""
    said = [arrival(f"e{id}", AT + content, revision) for id, revision, content in found]
    record = told(*said)
    again = said[data.draw(st.integers(0, len(said))) :]
    effects = [record.put(each, NOW + DAY) for each in again]
    assert set(effects) <= {"duplicate"}
    assert record.holds() == told(*said).holds()
    assert record.touched in (0, NOW)
