"""Units: the latest status holds, time is added up in between, and the past can be asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import units
from streams.units import SEGMENT, Entry, Unit
from tests.unit.strategies import MINUTE, NOON, Bench, Store, numbers, status


def spent(bench: Bench, minutes: float = 240, running_to: float | None = None) -> dict[tuple[str, ...], float]:
    """(team, status) -> minutes."""
    limit = None if running_to is None else NOON + round(running_to * MINUTE)
    found = numbers(bench.state, NOON + round(minutes * MINUTE), limit)
    return {k[1]: v / 60 for k, v in found.items() if k[0] == "care_unit_seconds_total" and v}


def test_the_status_with_the_latest_time_holds(bench: Bench) -> None:
    bench(status(5, "on_scene", area="north"), status(3, "available", area="north"))
    assert bench.show("care_units") == {("alpha", "north", "on_scene"): 1}


def test_units_are_counted_by_team_area_and_status(bench: Bench) -> None:
    bench(status(0, "available", "U1", area="n"), status(0, "available", "U2", area="north"))
    bench(status(0, "off_duty", "U3", "beta", area="south"), status(0, "available", "U4", "beta"))
    assert bench.show("care_units") == {
        ("alpha", "north", "available"): 2,
        ("beta", "south", "off_duty"): 1,
        ("beta", "other", "available"): 1,
    }


def test_a_status_without_an_area_leaves_the_unit_where_it_was(bench: Bench) -> None:
    bench(status(0, "available", area="north"), status(5, "dispatched"))
    assert bench.show("care_units") == {("alpha", "north", "dispatched"): 1}
    bench(status(3, "available", area="far"))  # late, and still the last area given
    assert bench.show("care_units") == {("alpha", "far", "dispatched"): 1}


def test_time_is_added_up_between_consecutive_statuses(bench: Bench) -> None:
    bench(status(0, "available"), status(10, "dispatched"), status(12, "available"), status(20, "off_duty"))
    assert spent(bench, 30) == {
        ("alpha", "available"): 18,
        ("alpha", "dispatched"): 2,
        ("alpha", "off_duty"): 10,
    }


def test_the_running_status_is_included_up_to_now_or_to_what_is_known(bench: Bench) -> None:
    bench(status(0, "available"))
    assert spent(bench, 7) == {("alpha", "available"): 7}
    assert spent(bench, 7, running_to=4) == {("alpha", "available"): 4}
    assert spent(bench, 3, running_to=4) == {("alpha", "available"): 3}
    assert spent(bench, -5) == {}  # the clock is behind


def test_the_same_status_again_adds_up_the_same(bench: Bench) -> None:
    bench(status(0, "available"), status(4, "available"), status(9, "on_scene"))
    assert spent(bench, 9) == {("alpha", "available"): 9}


def test_a_late_status_moves_no_time(bench: Bench) -> None:
    bench(status(0, "available"), status(10, "on_scene"), status(5, "dispatched"))
    assert spent(bench, 12) == {("alpha", "available"): 10, ("alpha", "on_scene"): 2}


def test_time_goes_to_the_team_of_the_status(bench: Bench) -> None:
    bench(status(0, "available"), status(10, "available", team="beta"))
    assert spent(bench, 12) == {("alpha", "available"): 10, ("beta", "available"): 2}


@pytest.mark.parametrize("first", [0, 1])
def test_of_two_statuses_at_the_same_time_the_same_one_holds_whichever_comes_first(first: int) -> None:
    two = [status(0, "available", id="x"), status(0, "on_scene", id="y")]
    bench, other = Bench(), Bench()
    bench(two[0], two[1])
    other(two[1], two[0])
    assert bench.show("care_units") == other.show("care_units")


def test_many_statuses_survive_a_restart() -> None:
    bench, store = Bench(), Store()
    for minute in range(3 * SEGMENT + 5):
        bench(status(minute, ("available", "on_scene")[minute % 2]))
        store.put(bench.state.flush().items())
    assert sorted(store.records) == [f"u/{n}/U1" for n in range(4)]
    now = NOON + 300 * MINUTE
    assert numbers(store.restart(), now) == numbers(bench.state, now)


# --- the past ------------------------------------------------------------------------------------------------


def unit(*told: tuple[int, str, str]) -> Unit:
    """A unit of (time, status, team) in the order of arrival."""
    found = Unit()
    for id, (at, code, team) in enumerate(told, 1):
        found.append(Entry(at, id, found.is_late(at, id), code, team, "", "", at))
    return found


def test_what_was_known_at_a_time() -> None:
    found = unit((20, "on_scene", "beta"), (10, "available", "alpha"))
    assert [found.known_at(at) for at in (9, 10, 19, 20, 99)] == [
        None,
        ("available", "alpha"),
        ("available", "alpha"),
        ("on_scene", "beta"),
        ("on_scene", "beta"),
    ]


def test_the_team_at_a_time_is_that_of_the_last_status_else_of_the_first_after() -> None:
    found = unit((20, "on_scene", "beta"), (10, "available", "alpha"))
    assert [found.team_at(at) for at in (9, 10, 20)] == ["alpha", "alpha", "beta"]
    assert Unit().team_at(9) == "other"


@given(st.lists(st.tuples(st.integers(1, 30), st.sampled_from("abc"), st.sampled_from(("alpha", "beta")))))
def test_the_past_is_sorted_whatever_the_order_of_arrival(told: list[tuple[int, str, str]]) -> None:
    found = unit(*told)
    by_time = sorted((at, id, code, team) for id, (at, code, team) in enumerate(told, 1))
    for at in range(32):
        known = [(code, team) for when, _, code, team in by_time if when <= at]
        assert found.known_at(at) == (known[-1] if known else None)
    if told:
        assert found.held is not None
        assert (found.held.at, found.held.id) == by_time[-1][:2]
        # each step to a later status adds its time: all of it, from the first that came to the one that holds
        assert sum(found.micros.values()) == found.held.at - told[0][0]


@given(
    st.lists(
        st.tuples(st.integers(1, 30), st.sampled_from("abc"), st.just("alpha")),
        min_size=1,
        max_size=3 * SEGMENT,
    ),
    st.integers(0, 31),
)
def test_archiving_keeps_the_totals_and_what_holds(told: list[tuple[int, str, str]], before: int) -> None:
    found = unit(*told)
    gone = found.expired(31, before)
    assert gone == list(range(len(gone)))
    if gone:
        rest = found.without(gone)
        assert rest.archive.segments == len(gone)
        assert rest.micros == found.micros
        assert rest.held == found.held
        assert rest.segments.keys() == found.segments.keys() - set(gone)
        assert rest.append(Entry(99, 99, False, "a", "alpha", "", "", 99)) == found.append(
            Entry(99, 99, False, "a", "alpha", "", "", 99)
        )


@given(
    st.lists(st.tuples(st.integers(1, 30), st.sampled_from("abc"), st.sampled_from(("alpha", "beta")))),
    st.booleans(),
)
def test_a_unit_from_its_records_is_the_one_before_it(told: list[tuple[int, str, str]], packed: bool) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(units, "SEGMENT", 2)
        found = unit(*told)
        records = {number: record for number in found.segments if (record := found.record(number))}
        again = Unit(None, records)
        for each in (found, again) if packed else (again,):
            assert {number: each.record(number) for number in each.segments} == records
        for each in (found, again):
            assert each.append(Entry(99, 99, False, "a", "alpha", "", "", 99)) == len(told) // 2
        assert [again.entries(number) for number in again.segments] == [
            found.entries(number) for number in found.segments
        ]
        assert (again.held, again.micros, again.teams, again.newest) == (
            found.held,
            found.micros,
            found.teams,
            found.newest,
        )
        assert [again.known_at(at) for at in range(32)] == [found.known_at(at) for at in range(32)]
        ids = range(len(told) + 2)
        assert [again.knows(id) for id in ids] == [found.knows(id) for id in ids] == [0 < id <= len(told) for id in ids]


def test_a_full_segment_is_kept_as_its_record() -> None:
    found = unit(*((at, "a", "alpha") for at in range(1, SEGMENT + 2)))
    assert isinstance(found.segments[0], list)  # its record was not made yet
    record = found.record(0)
    assert record is not None
    assert found.segments == {0: record, 1: found.entries(1)}
    assert found.record(0) is record
    found.record(1)
    assert isinstance(found.segments[1], list)  # it grows
