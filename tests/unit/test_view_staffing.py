"""Staffing: integrals that are the same as adding up at each time."""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce

from hypothesis import given, settings
from hypothesis import strategies as st

from streams.clock import DAY, NEVER, Micros
from streams.derive.unit import rederive_unit
from streams.entries import Span
from streams.programs import OTHER
from streams.views.staffing import Staffing, Sums
from streams.views.units import Units
from tests.unit.test_view_units import HISTORIES, Asked, span, spans_of
from tests.unit.unit_rules import (
    DAY_OF_TICKS,
    MIDNIGHT,
    RULES,
    STALE,
    TEAMS,
    TICK,
    CountedRules,
    History,
    Told,
    at_once,
    held,
    ticks,
)

EVERY = (*TEAMS, OTHER)


def played(history: list[Told | Asked]) -> tuple[Units, Staffing, History]:
    """Views that were changed, and read in between."""
    units, told = Units(RULES), History()
    staffing = Staffing(RULES, units)
    go_on(history, units, staffing, told)
    return units, staffing, told


def go_on(history: list[Told | Asked], units: Units, staffing: Staffing, told: History) -> None:
    for one in history:
        if isinstance(one, Told):
            said, at = told.tell(one), one.status.at
            units.change(one.unit, *rederive_unit(units.spans(one.unit), said, RULES, at_once, at, at))
        else:
            staffing.totals(one * TICK)


def added_up(units: Mapping[str, list[Span]], team: str, begin: Micros, end: Micros, archived: Micros = -NEVER) -> Sums:
    """Tick by tick."""
    sums = Sums()
    begin = max(begin, archived, min((spans[0].begins for spans in units.values()), default=NEVER))
    for at in ticks(begin, end):
        there = [s.status for spans in units.values() if (s := held(spans, at)) and s.team == team]
        on_duty, available = sum(status != "off_duty" for status in there), there.count("available")
        planned = RULES.planned(team, at)
        none = RULES.open(team, at) and not available
        short = planned > on_duty
        now = planned, on_duty, available, (planned - on_duty) * short, none, short
        sums = sums.plus(Sums._make(number * TICK for number in now))
    return sums


@settings(deadline=None)  # it asks at each tick of days
@given(HISTORIES, st.integers(0, 4 * DAY_OF_TICKS), st.integers(0, 4 * DAY_OF_TICKS))
def test_seconds_are_those_of_each_tick(history: list[Told | Asked], one: int, other: int) -> None:
    units, staffing, _ = played(history)
    spans = spans_of(units)
    begin, end = sorted((one * TICK, other * TICK))
    for team in EVERY:
        assert staffing.seconds(team, begin, end) == added_up(spans, team, begin, end)
    totals = staffing.totals(end)
    assert [totals[team] for team in TEAMS] == [added_up(spans, team, 0, end) for team in TEAMS]


@settings(deadline=None)  # it asks at each tick of days
@given(HISTORIES, st.integers(0, 4), HISTORIES)
def test_what_is_archived_and_the_rest_are_the_whole(
    history: list[Told | Asked], days: int, then: list[Told | Asked]
) -> None:
    upto = MIDNIGHT + days * DAY
    units, staffing, told = played(history)
    now = 5 * DAY
    whole = {team: staffing.seconds(team, 0, now) for team in EVERY}
    by_day = {
        (team, day): staffing.seconds(team, MIDNIGHT + day * DAY, MIDNIGHT + (day + 1) * DAY)
        for team in EVERY
        for day in range(-1, days)
    }
    archived = staffing.archive(upto)
    assert archived == {key: sums for key, sums in by_day.items() if any(sums)}
    for team in EVERY:
        rest = staffing.seconds(team, -NEVER, now)
        assert whole[team] == reduce(Sums.plus, [s for (of, _), s in archived.items() if of == team], rest)
    go_on(then, units, staffing, told)
    spans = spans_of(units)
    for team in TEAMS:
        assert staffing.seconds(team, -NEVER, now) == added_up(spans, team, upto, now, upto)


@settings(deadline=None)  # it asks at each tick of days
@given(HISTORIES, st.lists(st.integers(0, 4 * DAY_OF_TICKS), min_size=1, max_size=4))
def test_a_gap_is_since_it_is_short_without_a_break(history: list[Told | Asked], asked: list[int]) -> None:
    units, staffing, _ = played(history)
    spans = spans_of(units)
    first = min((of[0].begins for of in spans.values()), default=NEVER)
    for tick in asked:
        now = since = tick * TICK
        for team in TEAMS:
            short = [
                at for at in ticks(0, now + TICK) if at >= first and on_duty(spans, team, at) < RULES.planned(team, at)
            ]
            since = now
            while since in short:
                since -= TICK
            assert staffing.short_since(team, now) == (since + TICK if since < now else None)


def on_duty(units: Mapping[str, list[Span]], team: str, at: Micros) -> int:
    return sum(bool((s := held(spans, at)) and s.team == team and s.status != "off_duty") for spans in units.values())


def test_a_gap_stays_where_it_began_as_time_passes() -> None:
    units = Units(RULES)
    staffing = Staffing(RULES, units)
    assert staffing.short_since("beta", 0) is None  # nothing is known yet
    units.change("m1", [], [span(10, NEVER, "available", "beta")])
    assert staffing.short_since("beta", STALE) is None
    gone = 10 * TICK + STALE
    assert [staffing.short_since("beta", gone + more) for more in (-1, 0, 1, DAY, 40 * DAY)] == [None, *[gone] * 4]
    units.change(
        "m1",
        [span(10, NEVER, "available", "beta")],
        [span(10, 20, "available", "beta"), span(20, NEVER, "off_duty", "beta")],
    )
    assert staffing.short_since("beta", 40 * DAY) == 20 * TICK


def test_days_long_ago_cost_little() -> None:
    """A status with a wrong year brings years of plans, which are added up once."""
    asked: list[Micros] = []

    class Counts(CountedRules):
        def changes(self, after: Micros) -> Micros:
            asked.append(after)
            return super().changes(after)

    rules = Counts()
    units = Units(rules)
    staffing = Staffing(rules, units)
    units.change("m1", [], [span(0, NEVER, "off_duty", "beta")])
    years = 20 * 365 * DAY
    assert staffing.totals(years)["beta"].planned == years
    asked.clear()
    assert staffing.totals(years + TICK)["beta"].planned == years + TICK
    assert len(asked) < 20
