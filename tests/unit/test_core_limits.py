"""What never ends has a limit: beyond it the stalest are archived, exactly, and what comes about them is counted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams import limits
from streams.catalogue.program import PROGRAM
from streams.clock import DAY, Micros, micros
from streams.core import Core
from streams.limits import Kind, Limit
from tests.unit.examples import examples
from tests.unit.lives import MINUTE, NOON, Event, Numbers, enter, lives, net, new_core, profile

SMALL = profile()
EARLY = "care_records_archived_early_total"
T0: Micros = micros(NOON)
_ids = count(1)
relaxed = settings(deadline=None, max_examples=examples(60), suppress_health_check=list(HealthCheck))


@pytest.fixture(autouse=True)
def _few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that are reached within a test."""
    monkeypatch.setitem(limits.LIMITS, "open_calls", Limit(2, 1))
    monkeypatch.setitem(limits.LIMITS, "endless_cases", Limit(1, 1))
    monkeypatch.setitem(limits.LIMITS, "units", Limit(2, 1))


def said(minute: float, kind: str, /, **fields: Any) -> Event:
    """An event with an id of its own, at minutes after noon."""
    at = (NOON + timedelta(minutes=minute)).isoformat()
    return {"id": f"e{next(_ids)}", "type": kind, "program": "small", "at": at, **fields}


def received(minute: float, call: str) -> Event:
    return said(minute, "call_received", call=call, call_type="crisis", area="north")


def managed(minute: float, case: str) -> Event:
    return said(minute, "case_opened", case=case, kind="case_management", team="alpha")


def status(minute: float, code: str, unit: str) -> Event:
    return said(minute, "unit_status", unit=unit, team="alpha", status=code)


def tell(core: Core, *told: Event, now: Micros | None = None) -> list[str]:
    """Apply events, by default at their own time, and flush; what each did."""
    effects: list[str] = []
    for each in told:
        event, at = enter(each, T0 + DAY)
        effects.append(core.apply(event, at if now is None else now, at))
    core.flush()
    return effects


def shown(core: Core, name: str, minute: float = 240) -> dict[tuple[str, ...], Any]:
    """The net values of a metric, without the program."""
    return {labels[1:]: value for labels, value in net(core, T0 + round(minute * MINUTE)).get(name, {}).items()}


def early(core: Core) -> dict[str, int]:
    return {kind: number for (kind,), number in core.views.kept.archived_early().items() if number}


def both(core: Core) -> Iterator[Core]:
    """A core, and what is restored of it."""
    again = dict(core.records())
    yield core
    yield new_core(SMALL, again)


def test_the_stalest_open_call_goes_and_its_counts_stay() -> None:
    core = new_core(SMALL)
    tell(core, received(0, "C1"), received(1, "C2"), said(5, "unit_on_scene", call="C1", unit="U1"))
    tell(core, received(6, "C3"))
    for each in both(core):
        assert sorted(each.calls.live) == ["C1", "C3"]
        assert shown(each, "care_calls_received_total") == {("north", "crisis", "other"): 3}
        assert early(each) == {"open_calls": 1}
        closed = said(7, "call_closed", call="C2")
        assert tell(each, closed, received(8, "C2")) == ["archived", "archived"]
        assert shown(each, "care_calls_closed_total") == {}
        assert shown(each, "care_program_records") == {("open_calls",): 2}


def test_a_call_of_which_something_is_said_stays() -> None:
    core = new_core(SMALL)
    tell(core, received(0, "C1"), received(1, "C2"))
    tell(core, received(2, "C3"), said(9, "call_triaged", call="C1", eligible=True))
    assert sorted(core.calls.live) == ["C1", "C3"], "what was said in the same flush counts"


def test_the_stalest_endless_case_goes_and_its_counts_stay() -> None:
    core = new_core(SMALL)
    attempt = said(1, "followup_attempted", case="K1", followup="7d", result="no_contact")
    tell(core, managed(0, "K1"), attempt, managed(2, "K2"))
    for each in both(core):
        assert sorted(each.cases.live) == ["K2"]
        assert shown(each, "care_cases_active") == {("case_management",): 1}
        assert shown(each, "care_followup_attempts_total") == {("alpha", "7d", "no_contact"): 1}
        assert tell(each, said(3, "case_closed", case="K1"), attempt) == ["archived", "archived"]
        assert early(each) == {"endless_cases": 1}
        assert tell(each, said(3, "case_closed", case="K2"), managed(4, "K3")) == ["applied", "applied"]
        assert early(each) == {"endless_cases": 1}


def test_a_case_that_went_is_not_opened_again_by_its_call() -> None:
    core = new_core(SMALL)
    call = [received(0, "K1"), said(1, "unit_on_scene", call="K1", unit="U1")]
    tell(core, *call, said(2, "call_closed", call="K1", outcome="services"), managed(3, "K1"), managed(50, "K2"))
    for each in both(core):
        assert shown(each, "care_cases_active") == {("case_management",): 1}
        tell(each, said(60, "call_closed", call="K1", outcome="svc"), said(61, "call_reopened", call="K1"))
        assert shown(each, "care_cases_active") == {("case_management",): 1}


def test_units_off_duty_go_first_and_come_back_with_their_time() -> None:
    core = new_core(SMALL)
    tell(core, status(0, "available", "U1"), status(1, "available", "U2"), status(2, "off_duty", "U2"))
    tell(core, status(3, "available", "U3"))
    for each in both(core):
        assert shown(each, "care_units") == {("alpha", "other", "available"): 2}
        spent = {key: took / 60 for key, took in shown(each, "care_unit_seconds_total", 10).items()}
        assert spent == {("alpha", "available"): 10 + 1 + 7, ("alpha", "off_duty"): 1}
        assert early(each) == {"units": 1}
        assert tell(each, status(2, "off_duty", "U2")) == ["archived"]
        assert tell(each, status(5, "available", "U2")) == ["applied"], "U1 goes for it, silent the longest"
        spent = {key: took / 60 for key, took in shown(each, "care_unit_seconds_total", 10).items()}
        assert spent == {("alpha", "available"): 5 + 7 + 1 + 5, ("alpha", "off_duty"): 1}
        assert tell(each, status(1.5, "on_scene", "U2")) == ["archived"]
        assert early(each) == {"units": 2}


def test_the_time_on_duty_of_a_unit_that_went_stays_with_its_team() -> None:
    core, kept = new_core(SMALL), new_core(SMALL)
    told = [status(0, "available", "U1"), status(2, "off_duty", "U2"), status(30, "on_scene", "U2")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(limits.LIMITS, "units", Limit(9, 1))
        tell(kept, *told, status(60, "available", "U3"))
    tell(core, *told)
    tell(core, status(60, "available", "U3"))
    assert early(core) == {"units": 1}
    for each in both(core):
        assert shown(each, "care_staffing_seconds_total", 60) == shown(kept, "care_staffing_seconds_total", 60)
        assert shown(each, "care_unit_seconds_total", 60) == shown(kept, "care_unit_seconds_total", 60)


def counters(core: Core, now: Micros) -> Numbers:
    """Counters and histograms, net."""
    return {name: values for name, values in net(core, now).items() if PROGRAM[name].kind != "gauge"}


@relaxed
@given(lives())
def test_no_counter_moves_when_records_go(found: list[Event]) -> None:
    now = T0 + 13 * DAY
    core = new_core(SMALL)
    for each in found:
        event, at = enter(each, now)
        core.apply(event, now, at)
    expected = counters(core, now)
    core.flush()
    assert counters(core, now) == expected
    assert counters(new_core(SMALL, dict(core.records())), now) == expected
    kept = {kind: number for (kind,), number in core.views.kept.endless().items()}
    assert kept["units"] <= 2
    assert kept["endless_cases"] <= 1


@relaxed
@given(lives(), st.data())
def test_restarts_change_no_number(found: list[Event], data: st.DataObject) -> None:
    core, again = new_core(SMALL), new_core(SMALL)
    now = T0 + 13 * DAY
    for each in found:
        event, at = enter(each, now)
        for one in (core, again):
            one.apply(event, now, at)
        if data.draw(st.booleans()):
            core.flush()
            again.flush()
            again = new_core(SMALL, dict(again.records()))
    core.flush()
    again.flush()
    assert net(again, now) == net(core, now)
    assert early(again) == early(core)


@relaxed
@given(lives(), st.data())
def test_a_crash_in_the_middle_of_a_flush_changes_no_number(found: list[Event], data: st.DataObject) -> None:
    now = T0 + 13 * DAY
    applied = [enter(each, now) for each in found]
    core = new_core(SMALL)
    start = data.draw(st.integers(0, len(applied) - 1))
    for event, at in applied[:start]:
        core.apply(event, now, at)
        core.flush()
    stored = dict(core.records())
    for event, at in applied[start:]:
        core.apply(event, now, at)
    changes = list(core.flush().items())
    expected = net(core, now)
    for length in {0, len(changes), *data.draw(st.sets(st.integers(0, len(changes)), max_size=3))}:
        torn = dict(stored)
        for key, packed in changes[:length]:
            if packed is None:
                torn.pop(key, None)
            else:
                torn[key] = packed
        again = new_core(SMALL, torn)
        for event, at in applied[start:]:
            again.apply(event, now, at)
        again.flush()
        assert net(again, now) == expected, [key for key, _ in changes[:length]]


def test_many_that_never_end_stay_within_the_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    most: dict[Kind, int] = {"open_calls": 500, "endless_cases": 500, "units": 300}
    for kind in most:
        monkeypatch.setitem(limits.LIMITS, kind, Limit(most[kind], most[kind] // 20))
    core = new_core(SMALL)
    for number in range(2001):
        for each in (
            received(number, f"C{number}"),
            managed(number, f"K{number}"),
            status(number, "available", f"U{number}"),
        ):
            event, at = enter(each, T0 + 3 * DAY)
            core.apply(event, T0 + 2 * DAY, at)
        if number % 100 == 0:
            core.flush()
    core.flush()
    found = {kind: number for (kind,), number in core.views.kept.endless().items()}
    assert all(0.9 * most[kind] <= found[kind] <= most[kind] for kind in most)
    assert early(core) == {kind: 2001 - kept for kind, kept in found.items()}
    stored = dict(core.records())
    kinds = [key.partition("/")[0] for key in stored]
    counted = [kinds.count(kind) for kind in ("call", "case", "status")]
    assert counted == [found["open_calls"], found["endless_cases"], found["units"]]
