"""Counters as sums of facts: what is corrected, what a record keeps of it, what is archived."""

from __future__ import annotations

from collections import Counter
from itertools import accumulate
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams import catalogue as m
from streams.catalogue import values
from streams.catalogue.metric import Labels, Metric
from streams.clock import SECOND
from streams.entries import Fact
from streams.views import rows
from streams.views.counts import Counts, Row
from tests.unit.examples import examples
from tests.unit.strategies import SMALL

MONDAY, TUESDAY = 738_000, 738_001
BOUNDS = (60 * SECOND, 300 * SECOND)
RECEIVED: Fact = ("received", MONDAY, "north", "crisis", "911", 1)
CLOSED: Fact = ("closed", MONDAY, "alpha", "north", "crisis", "no_contact", "served", "none", 1)
CORRECTED: Fact = ("closed", MONDAY, "alpha", "north", "crisis", "services", "served", "none", 1)


def interval(seconds: float, day: int = MONDAY, area: str = "north") -> Fact:
    return ("interval", day, "alpha", area, "received_to_dispatched", round(seconds * SECOND))


def counts(bounds: tuple[int, ...] = BOUNDS) -> Counts:
    return Counts(m.PROGRAM, bounds)


def sums(of: Counts, metric: Metric) -> dict[Labels, Any]:
    return {cell.labels: cell.value for cell in of.all(metric)}


def corrected(of: Counts) -> dict[Labels, int]:
    return sums(of, m.CORRECTED)


# --- what is new ---------------------------------------------------------------------------------------------


def test_a_new_fact_is_added_to_every_metric_that_sums_it() -> None:
    found = counts()
    assert found.change((), (RECEIVED, CLOSED)) == []
    assert sums(found, m.RECEIVED) == {("north", "crisis", "911"): 1}
    assert sums(found, m.CLOSED) == {("alpha", "north", "no_contact"): 1}
    assert sums(found, m.DEMAND) == {("north", "served"): 1}
    assert sums(found, m.POLICE) == {("north", "none"): 1}
    assert corrected(found) == {}


def test_what_stays_is_counted_once_wherever_it_stands() -> None:
    found = counts()
    found.change((), (RECEIVED,))
    found.change((RECEIVED,), (RECEIVED, CLOSED))
    assert found.change((RECEIVED, CLOSED), (interval(10), CLOSED, RECEIVED)) == []
    assert sums(found, m.RECEIVED) == {("north", "crisis", "911"): 1}
    assert sums(found, m.CLOSED) == {("alpha", "north", "no_contact"): 1}
    assert corrected(found) == {}


def test_equal_facts_of_one_record_count_each() -> None:
    force: Fact = ("force", MONDAY, "1", 1)
    found = counts()
    found.change((), (force, force))
    assert found.change((force, force), (force,)) == [("care_use_of_force_total", MONDAY, "1", 1)]
    assert sums(found, m.FORCE) == {("1",): 2}
    assert corrected(found) == {("care_use_of_force_total", "", "", "", "", "1"): 1}


def test_a_duplicate_is_demand_too() -> None:
    found = counts()
    found.change((), (("merged", MONDAY, "north", 1), ("duplicate", MONDAY, "north", 1)))
    assert sums(found, m.DEMAND) == {("north", "duplicate"): 1}
    assert sums(found, m.MERGED) == {("north",): 1}


def test_facts_that_no_metric_sums_are_no_error() -> None:
    found = counts()
    assert found.change((), (("of_the_days_only", MONDAY, "north", 1),)) == []


# --- what is no longer so ------------------------------------------------------------------------------------


def test_a_corrected_outcome_moves_the_calls_closed_and_nothing_else() -> None:
    found = counts()
    found.change((), (CLOSED,))
    taken = found.change((CLOSED,), (CORRECTED,))
    assert taken == [("care_calls_closed_total", MONDAY, "alpha", "north", "no_contact", 1)]
    assert sums(found, m.CLOSED) == {("alpha", "north", "no_contact"): 1, ("alpha", "north", "services"): 1}
    assert corrected(found) == {("care_calls_closed_total", "alpha", "north", "no_contact", "", ""): 1}
    assert sums(found, m.DEMAND) == {("north", "served"): 1}


def test_what_no_metric_tells_apart_is_no_correction() -> None:
    """The day of the close and the type of the call are in the days only."""
    found = counts()
    found.change((), (CLOSED, interval(50)))
    other: Fact = ("closed", TUESDAY, "alpha", "north", "check", "no_contact", "served", "none", 1)
    assert found.change((CLOSED, interval(50)), (other, interval(50, TUESDAY, "south"))) == []
    assert sums(found, m.CLOSED) == {("alpha", "north", "no_contact"): 1}
    assert sum(sums(found, m.INTERVAL)["alpha", "received_to_dispatched"][:-1]) == 1


def test_a_record_that_is_gone_takes_all_back() -> None:
    found = counts()
    found.change((), (RECEIVED, CLOSED))
    found.change((RECEIVED, CLOSED), ())
    assert corrected(found) == {
        ("care_calls_received_total", "", "north", "", "", "crisis/911"): 1,
        ("care_calls_closed_total", "alpha", "north", "no_contact", "", ""): 1,
        ("care_demand_total", "", "north", "", "served", ""): 1,
        ("care_police_involvement_total", "", "north", "", "", "none"): 1,
    }


def test_needles_are_corrected_by_whole_facts() -> None:
    found = counts()
    before, after = (("needles", MONDAY, "north", 50),), (("needles", MONDAY, "north", 5),)
    found.change((), before)
    found.change(before, after)
    assert sums(found, m.NEEDLES) == {("north",): 55}
    assert corrected(found) == {("care_needles_collected_total", "", "north", "", "", ""): 50}


@pytest.mark.parametrize(("was", "becomes", "shown", "taken_back"), [(600, 500, 600, 100), (500, 600, 600, 0)])
def test_seconds_are_corrected_by_the_fall_of_the_net_value(
    was: int, becomes: int, shown: int, taken_back: int
) -> None:
    found = counts()
    before, after = (("freed", MONDAY, was * SECOND),), (("freed", MONDAY, becomes * SECOND),)
    found.change((), before)
    found.change(before, after)
    assert sums(found, m.FREED) == {(): shown * SECOND}
    assert sum(corrected(found).values()) == taken_back * SECOND


def test_an_interval_is_taken_back_in_the_histogram_of_corrections() -> None:
    found = counts()
    found.change((), (interval(50),))
    taken = found.change((interval(50),), (interval(250),))
    cell = ("alpha", "received_to_dispatched")
    assert taken == [
        ("care_call_interval_seconds_bucket", MONDAY, *cell, 60 * SECOND, 1),
        ("care_call_interval_seconds_sum", MONDAY, *cell, 50 * SECOND),
    ]
    assert sums(found, m.INTERVAL) == {cell: [1, 1, 0, 300 * SECOND]}
    assert sums(found, m.INTERVAL_CORRECTED) == {cell: [1, 0, 0, 50 * SECOND]}
    assert corrected(found) == {}


def test_time_that_fell_elsewhere_is_counted_in_the_same_place() -> None:
    found = counts()
    found.correct(m.STAFFING_SECONDS, ("alpha", "on_duty"), 3 * SECOND)
    assert corrected(found) == {("care_staffing_seconds_total", "alpha", "", "", "", "on_duty"): 3 * SECOND}


# --- the start, the page -------------------------------------------------------------------------------------


def test_all_that_is_possible_is_there_at_the_start_and_keeps_what_was_counted() -> None:
    found = counts()
    found.change((), (RECEIVED, interval(1)))
    found.start(SMALL)
    assert sums(found, m.RECEIVED)["north", "crisis", "911"] == 1
    assert sums(found, m.RECEIVED)["other", "other", "self"] == 0
    assert sums(found, m.INTERVAL)["alpha", "received_to_dispatched"] == [1, 0, 0, SECOND]
    assert sums(found, m.INTERVAL)["other", "staged_to_on_scene"] == [0, 0, 0, 0]
    assert not sums(found, m.CORRECTED)
    assert not sums(found, m.INTERVAL_CORRECTED)


def test_what_has_changed_is_told_once() -> None:
    found = counts()
    found.change((), (CLOSED,))
    found.changed()
    assert found.changed() == []
    found.change((CLOSED,), (CORRECTED,))
    assert {(cell.metric, cell.labels) for cell in found.changed()} == {
        (m.CLOSED, ("alpha", "north", "services")),
        (m.CORRECTED, ("care_calls_closed_total", "alpha", "north", "no_contact", "", "")),
    }


# --- archived days -------------------------------------------------------------------------------------------


def test_a_day_keeps_the_labels_that_no_metric_has() -> None:
    found = counts()
    found.archive((CLOSED, interval(50), interval(70, area="south")), ())
    day = found.archived.day(MONDAY)
    assert day is not None
    assert dict(day.sums) == {("closed", "alpha", "north", "crisis", "no_contact", "served", "none"): 1}
    assert dict(day.rows) == {
        ("interval", "alpha", "north", "received_to_dispatched"): [1, 0, 0, 50 * SECOND],
        ("interval", "alpha", "south", "received_to_dispatched"): [0, 1, 0, 70 * SECOND],
    }
    assert found.archived.day(TUESDAY) is None


def test_only_days_that_changed_are_stored_again() -> None:
    found = counts()
    found.archive((RECEIVED, interval(50, TUESDAY)), ())
    assert [day for day, _ in found.archived.pack()] == [MONDAY, TUESDAY]
    assert [*found.archived.pack()] == []
    found.archive((RECEIVED,), ())
    ((day, packed),) = found.archived.pack()
    again = counts()
    again.restore_day(day, packed)
    assert sums(again, m.RECEIVED) == {("north", "crisis", "911"): 2}
    assert found.archived.days() == [MONDAY, TUESDAY]


def test_archiving_moves_no_counter() -> None:
    found = counts()
    found.change((), (RECEIVED, interval(50)))
    found.changed()
    found.archive((RECEIVED, interval(50)), ())
    assert found.changed() == []


def test_a_stored_day_with_other_edges_goes_to_the_next_bound_up() -> None:
    stored = counts((60 * SECOND, 300 * SECOND))
    stored.archive((interval(50), interval(200), interval(400)), ())
    ((day, packed),) = stored.archived.pack()
    now = counts((100 * SECOND, 200 * SECOND, 600 * SECOND))
    now.restore_day(day, packed)
    (row,) = sums(now, m.INTERVAL).values()
    assert row == [1, 0, 1, 1, 650 * SECOND]
    now.archive((interval(150),), ())
    (stored_again,) = now.archived.pack()
    last = counts(now.bounds)
    last.restore_day(*stored_again)
    assert sums(last, m.INTERVAL) == {("alpha", "received_to_dispatched"): [1, 1, 1, 1, 800 * SECOND]}


# --- rows ----------------------------------------------------------------------------------------------------


def observed(bounds: tuple[int, ...], took: list[int]) -> list[int]:
    row = rows.empty(bounds)
    for each in took:
        rows.observe(row, bounds, each)
    return row


def test_an_observation_at_a_bound_is_within_it() -> None:
    assert observed((10, 20), [0, 10, 11, 20, 21]) == [2, 2, 1, 62]


@pytest.mark.parametrize(
    ("stored", "mine", "row"),
    [
        ((10, 20), (10, 20), [2, 1, 1, 66]),
        ((10, 20), (10, 15, 20), [2, 0, 1, 1, 66]),  # a new bound: the counts stay at the old one
        ((10, 20), (10,), [2, 2, 66]),  # a bound went, the last: up to +Inf
        ((10, 20), (20,), [3, 1, 66]),  # a bound went: to the next one up
        ((10, 20), (12, 22), [2, 1, 1, 66]),
        ((10, 20), (5,), [0, 4, 66]),
        ((10, 20), (), [4, 66]),
        ((), (10, 20), [0, 0, 4, 66]),
    ],
)
def test_a_count_goes_to_the_next_bound_up(stored: tuple[int, ...], mine: tuple[int, ...], row: list[int]) -> None:
    merged = rows.empty(mine)
    rows.merge(merged, mine, observed(stored, [5, 10, 20, 31]), stored)
    assert merged == row


_bounds = st.lists(st.integers(1, 40), unique=True, max_size=6).map(lambda found: tuple(sorted(found)))


@given(_bounds, _bounds, st.lists(st.integers(0, 50)))
@settings(max_examples=examples(100))
def test_merging_keeps_count_and_sum_and_is_right_at_the_bounds_that_stay(
    stored: tuple[int, ...], mine: tuple[int, ...], took: list[int]
) -> None:
    row, true = rows.empty(mine), observed(mine, took)
    rows.merge(row, mine, observed(stored, took), stored)
    assert (sum(row[:-1]), row[-1]) == (len(took), sum(took))
    for bound, shown, really in zip(mine, accumulate(row[:-1]), accumulate(true[:-1]), strict=False):
        assert shown <= really  # never better than it was
        if bound in stored:
            assert shown == really


def test_edges_are_the_base_ones_and_every_target() -> None:
    base = {edge * SECOND for edge in values.BASE_EDGES}
    assert set(values.edges([])) == base
    assert set(values.edges([SMALL])) == base | {420 * SECOND}
    assert list(values.edges([SMALL])) == sorted(values.edges([SMALL]))


# --- any history ---------------------------------------------------------------------------------------------

_day = st.sampled_from((MONDAY, TUESDAY))
_area = st.sampled_from(("north", "south"))
_type = st.sampled_from(("crisis", "check"))
_team = st.sampled_from(("alpha", "none"))
_one = st.just(1)
_fact: st.SearchStrategy[Fact] = st.one_of(
    st.tuples(st.just("received"), _day, _area, _type, st.just("911"), _one),
    st.tuples(
        st.just("closed"),
        _day,
        _team,
        _area,
        _type,
        st.sampled_from(("services", "refused")),
        st.sampled_from(("served", "unknown")),
        st.sampled_from(("none", "stayed")),
        _one,
    ),
    st.tuples(st.just("duplicate"), _day, _area, _one),
    st.tuples(st.just("needles"), _day, _area, st.integers(1, 3)),
    st.tuples(st.just("freed"), _day, st.integers(0, 3)),
    st.tuples(st.just("referral"), _day, st.just("housing"), st.sampled_from(("offered", "accepted")), _one),
    st.tuples(st.just("interval"), _day, _team, _area, st.just("received_to_dispatched"), st.integers(0, 40)),
)
#: What some records are, one after the other: the record, its facts from then on, whether it is archived at the end.
_history = st.lists(st.tuples(st.integers(0, 2), st.lists(_fact, max_size=6).map(tuple)), max_size=8)
_SMALL_BOUNDS = (10, 20)


def shown(of: Counts) -> dict[str, Any]:
    """Every number, without those at zero."""
    found: dict[str, Any] = {}
    for metric in m.PROGRAM:
        if not of.has(metric):
            continue
        if metric.kind == "histogram":
            found[metric.name] = {labels: list(row) for labels, row in sums(of, metric).items() if any(row)}
        else:
            found[metric.name] = {labels: n for labels, n in sums(of, metric).items() if n}
    return {name: cells for name, cells in found.items() if cells}


def so_now(records: dict[int, tuple[Fact, ...]]) -> dict[Any, Any]:
    """The numbers of these facts, summed without the product's code."""
    found: Counter[Any] = Counter()
    for fact in (fact for facts in records.values() for fact in facts):
        code, _, *labels, amount = fact
        assert isinstance(amount, int)
        if code == "received":
            found[m.RECEIVED, *labels] += amount
        if code == "closed":
            team, area, _, outcome, result, police = labels
            found[m.CLOSED, team, area, outcome] += 1
            found[m.DEMAND, area, result] += 1
            found[m.POLICE, area, police] += 1
        if code == "duplicate":
            found[m.DEMAND, labels[0], "duplicate"] += 1
        if code == "needles":
            found[m.NEEDLES, labels[0]] += amount
        if code == "freed":
            found[m.FREED,] += amount
        if code == "referral":
            found[m.REFERRALS, labels[0]] += 1
        if code == "interval":
            place = 0 if amount <= 10 else 1 if amount <= 20 else 2
            found[m.INTERVAL, labels[0], labels[2], place] += 1
            found[m.INTERVAL, labels[0], labels[2], 3] += amount
    return {key: n for key, n in found.items() if n}


def net(of: Counts) -> dict[Any, Any]:
    """Every number less what was corrected of it."""
    found: Counter[Any] = Counter()
    by_name: dict[str, Metric] = {metric.name: metric for metric in m.PROGRAM}
    for metric in m.PROGRAM:
        if not metric.sums:
            continue
        if metric.kind == "histogram":
            for labels, row in sums(of, metric).items():
                found.update({(metric, *labels, place): n for place, n in enumerate(row)})
        else:
            found.update({(metric, *labels): n for labels, n in sums(of, metric).items()})
    for (name, team, area, outcome, result, code), n in sums(of, m.CORRECTED).items():
        metric = by_name[name]
        told = {"team": team, "area": area, "outcome": outcome, "result": result}
        rest = iter(code.split("/"))
        found[metric, *(told[label] if label in told else next(rest) for label in metric.values.labels)] -= n
    for labels, row in sums(of, m.INTERVAL_CORRECTED).items():
        found.subtract({(m.INTERVAL, *labels, place): n for place, n in enumerate(row)})
    return {key: n for key, n in found.items() if n}


@given(_history, st.sets(st.integers(0, 2)), st.booleans())
@settings(max_examples=examples(200))
def test_any_history_is_what_its_last_facts_say_and_restores_exactly(
    history: list[tuple[int, tuple[Fact, ...]]], archived: set[int], stored: bool
) -> None:
    found = Counts(m.PROGRAM, _SMALL_BOUNDS)
    records: dict[int, tuple[Fact, ...]] = {}
    taken: dict[int, list[Fact]] = {}
    mirror: dict[Metric, dict[Labels, Any]] = {}
    for record, facts in history:
        before = shown(found)
        taken.setdefault(record, []).extend(found.change(records.get(record, ()), facts))
        records[record] = facts
        after = shown(found)
        for name, cells in before.items():  # a counter never falls
            for labels, n in cells.items():
                assert after[name][labels] >= n if isinstance(n, int) else sum(after[name][labels]) >= sum(n)
        for cell in found.changed():
            value = list(cell.value) if isinstance(cell, Row) else cell.value
            mirror.setdefault(cell.metric, {})[cell.labels] = value
    assert net(found) == so_now(records)

    again = Counts(m.PROGRAM, _SMALL_BOUNDS)
    for record, facts in records.items():
        if record in archived:
            found.archive(facts, taken[record])
            if stored:
                assert [*found.archived.pack()] or not (facts or taken[record])
        else:
            again.restore(facts, taken[record])
    for day in found.archived.days():
        found.archive((("received", day, "north", "crisis", "911", 0),), ())  # so that each is stored once more
    for day, packed in found.archived.pack():
        again.restore_day(day, packed)
    assert shown(again) == shown(found)
    page = {metric.name: {labels: n for labels, n in cells.items() if _counts(n)} for metric, cells in mirror.items()}
    assert {name: cells for name, cells in page.items() if cells} == shown(found)  # the page, from what changed alone


def _counts(number: Any) -> bool:
    return any(number) if isinstance(number, list) else bool(number)


@given(_history)
@settings(max_examples=examples(100))
def test_changes_in_larger_groups_come_to_the_same_net(history: list[tuple[int, tuple[Fact, ...]]]) -> None:
    one, other = Counts(m.PROGRAM, _SMALL_BOUNDS), Counts(m.PROGRAM, _SMALL_BOUNDS)
    records: dict[int, tuple[Fact, ...]] = {}
    for record, facts in history:
        one.change(records.get(record, ()), facts)
        records[record] = facts
    for facts in records.values():
        other.change((), facts)
    assert net(one) == net(other)
