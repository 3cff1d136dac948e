"""What never ends has a limit: beyond it the stalest are archived, exactly, and what comes about them is counted."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams import limits, state, units
from streams.limits import Limit
from streams.state import ARCHIVE_EVERY, KEPT
from tests.unit.strategies import (
    Bench,
    Step,
    Store,
    attempted,
    case_closed,
    closed,
    numbers,
    on_scene,
    opened,
    received,
    status,
    years,
)
from tests.unit.test_state_properties import fresh, restarted, thorough

EARLY = "care_records_archived_early_total"


@pytest.fixture(autouse=True, scope="module")
def _few() -> Iterator[None]:
    """Limits that are reached within a test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(units, "SEGMENT", 2)
        patch.setattr(state, "OPEN_CALLS", Limit(2, 1))
        patch.setattr(state, "ENDLESS_CASES", Limit(1, 1))
        patch.setattr(state, "UNITS", Limit(2, 1))
        patch.setattr(state, "CHUNK", 2)
        yield


def managed(at: float, case: str) -> Any:
    return opened(at, case=case, kind="case_management")


def test_the_stalest_open_call_goes_and_its_counts_stay() -> None:
    bench, store = Bench(), Store()
    bench(received(0, call="C1"), received(1, call="C2"), on_scene(5, call="C1"))
    bench(received(6, call="C3"))
    store.put(bench.state.flush().items())
    for each in (bench, Bench(records=store.records)):
        assert sorted(each.state.open) == ["c/C1", "c/C3"]
        assert each.show("care_calls_received_total") == {("north", "crisis", "other"): 3}
        assert each.show(EARLY) == {("open_calls",): 1}
        assert each(closed(7, call="C2"), received(8, call="C2")) == ["archived", "archived"]
        assert each.show("care_calls_closed_total") == {}
        assert each.show("care_program_records") == {("open_calls",): 2}


def test_the_stalest_endless_case_goes_and_its_counts_stay() -> None:
    bench, store = Bench(), Store()
    bench(managed(0, "K1"), attempted(1, "7d", "no_contact", case="K1"), managed(2, "K2"))
    store.put(bench.state.flush().items())
    for each in (bench, Bench(records=store.records)):
        assert sorted(each.state.cases.records) == ["K2"]
        assert each.show("care_cases_active") == {("case_management",): 1}
        assert each.show("care_followup_attempts_total") == {("alpha", "7d", "no_contact"): 1}
        assert each(case_closed(3, "K1")) == ["archived"]
        assert each(case_closed(3, "K2"), managed(4, "K3")) == ["applied", "applied"]
        assert sorted(each.state.cases.records) == ["K2", "K3"]
        assert each.show(EARLY) == {("endless_cases",): 1}


def test_units_off_duty_go_first_and_come_back_with_their_time() -> None:
    bench, store = Bench(), Store()
    bench(status(0, "available", "U1"), status(1, "available", "U2"), status(2, "off_duty", "U2"))
    bench(status(3, "available", "U3"))
    store.put(bench.state.flush().items())
    for each in (bench, Bench(records=store.records)):
        assert sorted(each.state.units) == ["U1", "U3"]
        assert each.show("care_units") == {("alpha", "other", "available"): 2}
        spent = {key: took / 60 for key, took in each.show("care_unit_seconds_total", 10).items()}
        assert spent == {("alpha", "available"): 10 + 1 + 7, ("alpha", "off_duty"): 1}
        assert each.show(EARLY) == {("units",): 1}
        assert each(status(2, "off_duty", "U2")) == ["archived"]
        assert each(status(5, "available", "U2")) == ["applied"], "U1 goes for it, silent the longest"
        assert sorted(each.state.units) == ["U2", "U3"]
        spent = {key: took / 60 for key, took in each.show("care_unit_seconds_total", 10).items()}
        assert spent == {("alpha", "available"): 5 + 7 + 1 + 5, ("alpha", "off_duty"): 1}
        assert each(status(1.5, "on_scene", "U2")) == ["archived"]


@given(data=st.data(), steps=years())
@thorough
def test_restarts_change_no_number(data: st.DataObject, steps: list[Step]) -> None:
    restarted(data, steps)


@given(data=st.data(), steps=years(most=14))
@thorough
def test_a_crash_in_the_middle_of_a_group_changes_no_number(data: st.DataObject, steps: list[Step]) -> None:
    end = steps[-1].now
    state, stored = fresh(), Store()
    start = data.draw(st.integers(0, len(steps) - 1))
    stop = max(i for i in range(len(steps)) if steps[i].now < steps[start].now + KEPT - ARCHIVE_EVERY or i == start) + 1
    stop = data.draw(st.integers(start + 1, max(start + 1, stop)))
    for event, now in steps[:start]:
        state.apply(event, now)
        stored.put(state.flush().items())
    for event, now in steps[start:stop]:
        state.apply(event, now)
    group = list(state.flush().items())
    for event, now in steps[stop:]:
        state.apply(event, now)
    for length in range(len(group) + 1):
        torn = Store()
        torn.put([*stored.records.items(), *group[:length]])
        again = torn.restart()
        for event, now in steps[start:]:
            again.apply(event, now)
        assert numbers(again, end) == numbers(state, end), [key for key, _ in group[:length]]


def test_a_million_that_never_end_stay_within_the_limits() -> None:
    """The limits as they are, with many more than a test of each could send: what is kept does not grow."""
    with pytest.MonkeyPatch.context() as patch:
        for name, limit in (("OPEN_CALLS", 500), ("ENDLESS_CASES", 500), ("UNITS", 300)):
            patch.setattr(state, name, Limit(limit, limit // 20))
        patch.setattr(state, "CHUNK", limits.CHUNK)
        bench, numbered = Bench(), count()
        for n in numbered:
            bench(received(n, call=f"C{n}"), managed(n, f"K{n}"), status(n, "available", f"U{n}"))
            if n % 100 == 0:
                bench.state.flush()
            if n == 5000:
                break
        found = bench.state.never_ending()
        assert all(most * 0.9 <= found[kind] <= most for kind, most in zip(found, (500, 500, 300), strict=True))
        assert bench.state.early == {kind: 5001 - kept for kind, kept in found.items()}
        bench.state.flush()
        stored = bench.state._records
        assert sum(key[0] in "cku" for key in stored) == sum(found.values())
        assert sum(key[0] == "e" for key in stored) == 3
        assert max(len(packed) for packed in stored.values()) <= 8 * limits.CHUNK
