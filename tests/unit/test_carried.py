"""Records of the version before are carried over once: what they counted stays, what they owed is owed, nothing counts twice."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams import events as e
from streams import state as state_before
from streams.catalogue.program import PROGRAM
from streams.catalogue.reading import Reading, Spread
from streams.clock import DAY, Micros
from streams.core import Core
from streams.limits import Limit
from streams.record import Effect
from streams.state import ProgramState
from tests.unit import strategies as old
from tests.unit.examples import examples
from tests.unit.lives import enter, net, new_core
from tests.unit.strategies import HOUR, MINUTE, NOON, SMALL, Step

LATER: Micros = NOON + 3 * DAY
relaxed = settings(deadline=None, max_examples=examples(100), suppress_health_check=list(HealthCheck))

Numbers = dict[tuple[str, tuple[str, ...]], Any]
#: Families that both versions have, with the same labels.
SAME = (
    "care_calls_received_total",
    "care_demand_total",
    "care_call_interval_seconds",
    "care_transports_total",
    "care_police_involvement_total",
    "care_police_freed_seconds_total",
    "care_use_of_force_total",
    "care_needles_collected_total",
    "care_referrals_total",
    "care_followup_attempts_total",
    "care_outreach_attempts_total",
    "care_outreach_located_total",
    "care_unmapped_values_total",
    "care_interval_disorder_total",
    "care_unit_seconds_total",
    "care_records_archived_early_total",
)


def state_of(events: Iterable[Any], now: Micros = NOON) -> ProgramState:
    """The state of the version before."""
    bench = old.Bench()
    for event in events:
        bench.state.apply(event, now)
    bench.state.flush()
    return bench.state


def carried(state: ProgramState) -> Core:
    """The same, carried over."""
    state.flush()
    return new_core(SMALL, dict(state.records()))


def again(core: Core, events: Iterable[Any], now: Micros = LATER) -> list[Effect]:
    """Send events (of the version before) to a core; what each did."""
    effects: list[Effect] = []
    for event in events:
        if getattr(event, "count", 1):  # no needles are no event any more
            told, at = enter(json.loads(msgspec.json.encode(event)), max(now, LATER) + 400 * DAY)
            effects.append(core.apply(told, now, at))
    core.flush()
    return effects


def shown_before(state: ProgramState, now: Micros) -> Numbers:
    """Counters and histograms of the version before, but zeros; of closed calls without their type, of intervals without area."""
    found: Numbers = {}
    for (name, labels), value in old.numbers(state, now).items():
        if name == "care_calls_closed_total":
            labels = (labels[0], labels[1], labels[3])
        elif name == "care_call_interval_seconds":
            labels = (labels[0], labels[2])
        elif name not in SAME:
            continue
        if isinstance(value, tuple):
            counts, total = found.get((name, labels), ((0,) * len(value[0]), 0.0))
            value = tuple(a + b for a, b in zip(counts, value[0], strict=True)), round(total + value[1], 6)
        else:
            value = round(found.get((name, labels), 0) + value, 6)
        found[name, labels] = value
    return {key: value for key, value in found.items() if (any(value[0]) if isinstance(value, tuple) else value)}


def shown(core: Core, now: Micros) -> Numbers:
    """The same of a core, what was taken back included."""
    core.settle()
    found: Numbers = {}
    for metric, samples in Reading(PROGRAM, core.rules, core.counts, core.views).all(now):
        if metric.name in SAME or metric.name == "care_calls_closed_total":
            for labels, value in samples:
                shown = (tuple(value.counts), round(value.sum, 6)) if isinstance(value, Spread) else round(value, 6)
                found[metric.name, labels[1:]] = shown
    return found


def of_both(core: Core, now: Micros, but: Sequence[str] = ()) -> Numbers:
    """Net values of the families that both have, but zeros."""
    numbers = {
        (name, labels[1:]): value
        for name, values in net(core, now).items()
        if name in SAME or name == "care_calls_closed_total"
        for labels, value in values.items()
    }
    new = ("eligible_to_dispatched", "eligible_to_on_scene", "received_to_contact", "dispatched_to_on_scene")
    return {key: value for key, value in numbers.items() if key[0] not in but and not set(new) & set(key[1])}


def gauge(core: Core, name: str, now: Micros = LATER) -> dict[tuple[str, ...], Any]:
    return {labels[1:]: value for labels, value in net(core, now).get(name, {}).items()}


# --- an everyday program ------------------------------------------------------------------------------------

DAY_OF_WORK = [
    old.status(-60, "available", area="north"),
    old.received(0, source="911"),
    old.triaged(1),
    old.dispatched(2, team="alpha"),
    old.status(2, "dispatched"),
    old.en_route(3),
    old.on_scene(10),
    old.on_scene(11, "P1", agency="police"),
    old.cleared(15, "P1", agency="police"),
    old.make(e.UseOfForce, 16, call="C1", level=1),
    old.make(e.NeedlesCollected, 17, call="C1", count=3),
    old.make(e.ReferralMade, 18, call="C1", service="housing"),
    old.transporting(20, destination="shelter"),
    old.at_destination(30),
    old.cleared(40),
    old.status(40, "available"),
    old.closed(41, outcome="services", person="p1"),
    old.received(50, call="C2", area="moon", call_type="odd"),
    old.dispatched(51, "U2", call="C2"),
    old.received(60, call="C3"),
    old.closed(70, call="C3", unserved_reason="all_units_busy"),
    old.opened(80, "K1", kind="overdose", team="beta", area="south", person="p2"),
    old.attempted(90, "72h", "no_contact"),
    old.outreach(95),
    old.attempted(100, "1d", "completed", case="C1"),
]


def test_a_day_of_work_is_carried_over() -> None:
    state = state_of(DAY_OF_WORK)
    now = NOON + 2 * HOUR
    core = carried(state)
    assert of_both(core, now) == shown_before(state, now)
    assert gauge(core, "care_facts_corrected_total") == {}
    assert gauge(core, "care_calls_open", now) == {("other", "other", "dispatched"): 1}
    assert gauge(core, "care_cases_active", now) == {("encounter",): 1, ("overdose",): 1}
    assert gauge(core, "care_people_served", now) == {(): 2}
    assert gauge(core, "care_units", now) == {("alpha", "north", "available"): 1}
    owed = {("alpha", "north", "7d", "scheduled"): 1, ("beta", "south", "72h", "scheduled"): 1}
    assert gauge(core, "care_followups", now) == owed
    assert core.views.feeds.newest() == {(topic,): at for topic, at in state.newest.items()}


def test_events_sent_again_change_nothing() -> None:
    now = NOON + 2 * HOUR
    core = carried(state_of(DAY_OF_WORK))
    expected, raw = net(core, now), shown(core, now)
    assert set(again(core, DAY_OF_WORK, now)) == {"duplicate"}
    assert (net(core, now), shown(core, now)) == (expected, raw)
    restored = new_core(SMALL, dict(core.records()))
    assert set(again(restored, DAY_OF_WORK, now)) == {"duplicate"}
    assert (net(restored, now), shown(restored, now)) == (expected, raw)


def test_work_goes_on() -> None:
    now = NOON + 2 * HOUR
    core = carried(state_of(DAY_OF_WORK))
    more = [
        old.cleared(110, "U2", call="C2"),
        old.closed(111, call="C2", outcome="services"),
        old.status(115, "off_duty"),
    ]
    assert again(core, more, now) == ["applied"] * 3
    assert gauge(core, "care_calls_open", now) == {}
    assert gauge(core, "care_units", now) == {("alpha", "north", "off_duty"): 1}
    assert gauge(core, "care_cases_active", now) == {("encounter",): 2, ("overdose",): 1}


def test_the_old_records_go_once_the_new_ones_are_stored() -> None:
    state = state_of(DAY_OF_WORK)
    core = carried(state)
    expected = net(core, LATER)
    stored = dict(state.records())
    flushes = [list(core.flush().items()), list(core.flush().items()), list(core.flush().items())]
    assert flushes[2] == []
    for key, packed in (change for flush in flushes for change in flush):
        if packed is None:
            stored.pop(key, None)
        else:
            stored[key] = packed
        restored = new_core(SMALL, dict(stored))
        restored.flush()
        assert net(restored, LATER) == expected, key
        assert set(again(restored, DAY_OF_WORK)) == {"duplicate"}, key
    assert not any(len(key) == 1 or key[1] == "/" for key in stored)
    assert "carried/" not in stored


def test_a_call_that_is_closed_stays_so() -> None:
    state = state_of([old.received(0), old.closed(10), old.on_scene(20), old.closed(40, outcome="services")])
    core = carried(state)
    assert gauge(core, "care_calls_open") == {}
    assert gauge(core, "care_calls_reopened_total") == {("north",): 1}


def test_what_was_said_to_notices_stays() -> None:
    state = state_of([old.opened(0)])
    state.remember(state_before.Told(NOON, {"alpha": 5}))
    state.flush()
    core = carried(state)
    core.flush()
    assert core.journal.records["told/"] == state.records()["n"]


def test_what_went_early_stays_gone() -> None:
    told = [old.received(n, call=f"C{n}") for n in range(4)]
    told += [old.opened(n, f"K{n}", kind="case_management") for n in range(3)]
    told += [old.status(n, "available", f"U{n}") for n in range(4)]
    with pytest.MonkeyPatch.context() as patch:
        for name in ("OPEN_CALLS", "ENDLESS_CASES", "UNITS"):
            patch.setattr(state_before, name, Limit(2, 1))
        state = state_of(told)
    core = carried(state)
    before = shown_before(state, NOON)
    assert of_both(core, NOON, but=["care_records_archived_early_total"]) == {
        key: value for key, value in before.items() if key[0] != "care_records_archived_early_total"
    }
    expected = shown(core, NOON)
    for each in (core, new_core(SMALL, dict(flushed(core).records()))):
        assert shown(each, NOON) == expected
        early = {kind: number for (kind,), number in each.views.kept.archived_early().items()}
        assert early == {"open_calls": 2, "endless_cases": 1, "units": 2}
        effects = again(each, told, NOON)
        assert (
            effects
            == ["archived"] * 2
            + ["duplicate"] * 2
            + ["archived"]
            + ["duplicate"] * 2
            + ["archived"] * 2
            + ["duplicate"] * 2
        )
        assert shown(each, NOON) == expected


def flushed(core: Core) -> Core:
    core.flush()
    core.flush()
    return core


# --- any history --------------------------------------------------------------------------------------------


def assert_no_counter_fell(core: Core, state: ProgramState, now: Micros) -> None:
    found = shown(core, now)
    for (name, labels), value in shown_before(state, now).items():
        mine = found[name, labels]
        if isinstance(value, tuple):
            assert all(a >= b for a, b in zip(mine[0], value[0], strict=True)), (name, labels)
            assert mine[1] >= value[1] - 1e-6, (name, labels)
        else:
            assert mine >= value - 1e-6, (name, labels)


@given(old.histories, st.sampled_from((0, 10, 3000)))
@relaxed
def test_no_counter_falls_and_nothing_counts_twice(history: list[Any], later: int) -> None:
    state = state_of(history)
    now = NOON + later * MINUTE
    core = carried(state)
    assert_no_counter_fell(core, state, core.now)
    expected, raw = net(core, now), shown(core, now)
    assert set(again(core, history, now)) <= {"duplicate", "applied"}, "heartbeats are applied"
    assert shown(core, now) == raw
    assert net(core, now) == expected
    restored = new_core(SMALL, dict(flushed(core).records()))
    assert (net(restored, now), shown(restored, now)) == (expected, raw)


@given(old.plausible())
@relaxed
def test_what_is_carried_over_is_what_was_said(history: list[Any]) -> None:
    """Of lives as they go all is kept: the same numbers as if they had been told to this version."""
    # of statuses of one time the ids decide, which were not kept
    history = [
        msgspec.structs.replace(each, at=each.at + timedelta(milliseconds=number))
        for number, each in enumerate(history)
    ]
    core = carried(state_of(history))
    told = new_core(SMALL)
    again(told, history, NOON)
    assert net(core, LATER) == net(told, LATER)


@given(old.years())
@relaxed
def test_what_was_archived_still_counts(steps: list[Step]) -> None:
    bench = old.Bench()
    for event, now in steps:
        bench.state.apply(event, now)
    end = steps[-1].now
    core = carried(bench.state)
    assert_no_counter_fell(core, bench.state, core.now)
    restored = new_core(SMALL, dict(flushed(core).records()))
    assert shown(restored, end) == shown(core, end)
    assert net(restored, end) == net(core, end)
