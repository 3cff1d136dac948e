"""Sums over units: the same as counting at each time, whatever came in between and whenever it was asked."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.clock import NEVER, Micros
from streams.derive.unit import rederive_unit
from streams.entries import Span
from streams.views.units import Units
from tests.unit.unit_rules import (
    DAY_OF_TICKS,
    RULES,
    STALE,
    TEAMS,
    TICK,
    History,
    Told,
    at_once,
    held,
    statuses,
    ticks,
)

Asked = int
HISTORIES = st.lists(
    st.builds(Told, st.sampled_from(["m1", "m2", "m3"]), statuses()) | st.integers(0, 3 * DAY_OF_TICKS), max_size=25
)


def played(history: list[Told | Asked]) -> Units:
    """A view that was changed, and asked in between."""
    view, told = Units(RULES), History()
    for one in history:
        if isinstance(one, Told):
            said = told.tell(one)
            at = one.status.at
            view.change(one.unit, *rederive_unit(view.spans(one.unit), said, RULES, at_once, at, at))
        else:
            view.settle(one * TICK)
    return view


def spans_of(view: Units) -> dict[str, list[Span]]:
    return {unit: list(spans) for unit in ("m1", "m2", "m3") if (spans := view.spans(unit))}


def result_at(units: dict[str, list[Span]], at: Micros, teams: tuple[str, ...]) -> str | None:
    there = [span for spans in units.values() if (span := held(spans, at)) and span.team in teams]
    on_duty = [span.status for span in there if span.status != "off_duty"]
    if not on_duty:
        return "no_unit_on_duty"
    if all(status == "unavailable" for status in on_duty):
        return "out_of_service"
    return None if "available" in on_duty else "all_units_busy"


def span(begins: int, until: int, status: str = "available", team: str = "alpha") -> Span:
    return Span(begins * TICK, until if until == NEVER else until * TICK, status, team, "north")  # type: ignore[arg-type]  # any text


@settings(deadline=None)  # it asks at each tick of days
@given(HISTORIES, st.integers(0, 4 * DAY_OF_TICKS))
def test_counts_stale_and_seconds_are_those_of_each_unit(history: list[Told | Asked], tick: int) -> None:
    view, now = played(history), tick * TICK
    units = spans_of(view)
    last = [spans[-1] for spans in units.values()]
    stale = [one for one in last if one.status != "off_duty" and one.begins + STALE <= now]
    assert view.counts(now) == Counter((s.team, s.area, s.status) for s in last if s not in stale)
    assert view.stale(now) == Counter((s.team,) for s in stale)
    spent = Counter[tuple[str, str]]()
    for spans in units.values():
        for one in spans:
            end = one.until if one.status == "off_duty" else min(one.until, one.begins + STALE)
            spent[one.team, one.status] += max(0, min(end, now) - one.begins)
    assert +view.seconds(now) == +spent
    assert min(view.seconds(now).values(), default=0) >= 0
    assert view.first == min((spans[0].begins for spans in units.values()), default=NEVER)


@settings(deadline=None)  # it asks at each tick of days
@given(HISTORIES, st.lists(st.integers(-1, 4 * DAY_OF_TICKS), min_size=1, max_size=30))
def test_results_and_statuses_at_any_time(history: list[Told | Asked], asked: list[int]) -> None:
    view = played(history)
    units = spans_of(view)
    for tick in asked:
        at = tick * TICK
        for teams in (("alpha",), ("beta",), TEAMS):
            assert view.result(at, teams) == result_at(units, at, teams)
        for unit, spans in units.items():
            assert view.known_at(unit, at) == next((s for s in spans if s.begins <= at < s.until), None)


@settings(deadline=None)  # it asks at each tick of days
@given(HISTORIES, st.builds(Told, st.just("m1"), statuses()))
def test_results_change_only_in_what_is_touched(history: list[Told | Asked], one: Told) -> None:
    view, told = Units(RULES), History()
    for before in history:
        if isinstance(before, Told):
            told.tell(before)
    changes = {unit: rederive_unit((), said, RULES, at_once, -NEVER, NEVER) for unit, said in told.said.items()}
    for unit, change in changes.items():
        view.change(unit, *change)
    was = spans_of(view)
    change = rederive_unit(view.spans("m1"), told.tell(one), RULES, at_once, one.status.at, one.status.at)
    view.change("m1", *change)
    now = spans_of(view)
    touched = view.touched(*change)
    for at in ticks(0, 4 * DAY_OF_TICKS * TICK):
        for team in TEAMS:
            if not any(range.team == team and range.begin <= at < range.end for range in touched):
                mine = [held(units.get("m1", []), at) for units in (was, now)]
                duties = [  # in and out of it alike
                    (s.team, s.status in ("available", "unavailable") and s.status)
                    for s in mine
                    if s and s.team == team and s.status != "off_duty"
                ]
                assert duties == 2 * duties[:1]
    for range in touched:
        assert range.begin < range.end


def test_a_status_that_is_the_same_to_a_call_touches_only_when_the_unit_would_be_stale() -> None:
    view = Units(RULES)
    was, ended, new = span(0, NEVER, "dispatched"), span(0, 9, "dispatched"), span(9, NEVER, "en_route")
    assert view.touched([was], [ended, new]) == [(STALE, 9 * TICK + STALE, "alpha")]
    assert view.touched([], [new]) == [(9 * TICK, 9 * TICK + STALE, "alpha")]
    late = span(200, NEVER, "en_route")  # it was stale by then
    assert view.touched([was], [span(0, 200, "dispatched"), late]) == [(200 * TICK, 200 * TICK + STALE, "alpha")]
    assert not view.touched([span(0, NEVER, "off_duty")], [span(0, 9, "off_duty"), span(9, NEVER, "off_duty")])
    other = span(9, NEVER, "available", "beta")
    assert view.touched([was], [ended, other]) == [
        (9 * TICK, STALE, "alpha"),
        (9 * TICK, 9 * TICK + STALE, "beta"),
    ]


def test_a_unit_that_is_gone_leaves_nothing() -> None:
    view = Units(RULES)
    view.change("m1", [], [span(0, NEVER)])
    view.settle(10 * STALE)
    view.change("m1", [span(0, NEVER)], [])
    assert not view.counts(0)
    assert not view.stale(10 * STALE)
    assert not +view.seconds(10 * STALE)
    assert view.known_at("m1", 0) is None
    assert view.first == NEVER


def test_a_thousand_units_of_one_time() -> None:
    view = Units(RULES)
    for unit in range(1000):
        view.change(f"{unit}", [], [span(1, NEVER, "unavailable")])
    assert view.result(TICK, ["alpha"]) == "out_of_service"
    assert view.result(TICK - 1, ["alpha"]) == "no_unit_on_duty"
    view.change("0", [span(1, NEVER, "unavailable")], [span(1, 2, "unavailable"), span(2, NEVER, "on_scene")])
    assert view.result(2 * TICK, ["alpha"]) == "all_units_busy"
    assert view.counts(2 * TICK) == {("alpha", "north", "unavailable"): 999, ("alpha", "north", "on_scene"): 1}
