"""Sums of facts, and what becomes of a stored histogram when targets have moved its bounds."""

from __future__ import annotations

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.clock import SECOND
from streams.tally import BASE_EDGES, INTERVAL, NEEDLES, RECEIVED, Tally, edges, possible
from tests.unit.strategies import PROGRAM, SMALL, profile

CELL = (INTERVAL, "alpha", "north", "received_to_dispatched")


def observed(bounds: tuple[int, ...], took: list[int]) -> Tally:
    tally = Tally(bounds)
    for each in took:
        tally.add((*CELL, each))
    return tally


def test_facts_are_added_up() -> None:
    tally = Tally(())
    for amount in (3, 0, 4):
        tally.add((NEEDLES, "north", amount))
    assert tally.cells == {(NEEDLES, "north"): 7}


def test_an_observation_at_a_bound_is_within_it() -> None:
    assert observed((10, 20), [0, 10, 11, 20, 21]).spread == {CELL: [2, 2, 1, 62]}


def test_starting_keeps_what_is_there() -> None:
    tally = observed((10,), [5])
    tally.add((RECEIVED, "north", "crisis", "911", 2))
    tally.start(possible(SMALL))
    assert tally.spread[CELL] == [1, 0, 5]
    assert tally.cells[RECEIVED, "north", "crisis", "911"] == 2
    assert tally.cells[RECEIVED, "south", "crisis", "911"] == 0


def test_edges_are_the_base_ones_and_every_target() -> None:
    alpha, beta = PROGRAM["teams"]
    odd = profile(teams=[{**alpha, "targets": {"dispatched_to_cleared": "97s"}}, beta])
    assert edges([]) == tuple(edge * SECOND for edge in BASE_EDGES)
    assert set(edges([SMALL, odd])) - set(edges([])) == {97 * SECOND, 420 * SECOND}
    assert list(edges([SMALL, odd])) == sorted(edges([SMALL, odd]))


# --- merge ---------------------------------------------------------------------------------------------------


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
    tally = Tally(mine)
    tally.merge(CELL, stored, observed(stored, [5, 10, 20, 31]).spread[CELL])
    assert tally.spread == {CELL: row}


def test_merging_adds_to_what_is_there() -> None:
    tally = observed((10, 20), [1, 15])
    tally.merge(CELL, (10, 20), [1, 2, 3, 100])
    assert tally.spread == {CELL: [2, 3, 3, 116]}


_bounds = st.lists(st.integers(1, 40), unique=True, max_size=6).map(lambda found: tuple(sorted(found)))


@given(_bounds, _bounds, st.lists(st.integers(0, 50)))
def test_merging_keeps_count_and_sum_and_is_right_at_the_bounds_that_stay(
    stored: tuple[int, ...], mine: tuple[int, ...], took: list[int]
) -> None:
    tally, exact = Tally(mine), observed(mine, took)
    tally.merge(CELL, stored, observed(stored, took).row(CELL))
    row, true = tally.row(CELL), exact.row(CELL)
    assert (sum(row[:-1]), row[-1]) == (len(took), sum(took))
    for bound, shown, really in zip(mine, accumulate(row[:-1]), accumulate(true[:-1]), strict=False):
        assert shown <= really  # never better than it was
        if bound in stored:
            assert shown == really


@given(_bounds, st.lists(st.integers(0, 50)))
def test_merging_with_the_same_bounds_is_exact(bounds: tuple[int, ...], took: list[int]) -> None:
    tally = Tally(bounds)
    tally.merge(CELL, bounds, observed(bounds, took).row(CELL))
    assert tally.row(CELL) == observed(bounds, took).row(CELL)
