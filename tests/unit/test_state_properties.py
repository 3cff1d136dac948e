"""What holds for every history: order, duplicates, restarts, crashes, archiving, and a second opinion."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams import events as e
from streams import metrics as m
from streams import tally, units
from streams.clock import DAY, Micros, micros
from streams.state import ARCHIVE_EVERY, KEPT, ProgramState
from tests.unit.examples import examples
from tests.unit.strategies import (
    HOUR,
    NOON,
    SMALL,
    Bench,
    Numbers,
    Step,
    Store,
    histories,
    hostile,
    numbers,
    plausible,
    with_duplicates,
    years,
)

LATER = NOON + 3 * DAY
GAUGES = [metric.name for metric in m.PROGRAM_METRICS if metric.kind == "gauge"]

relaxed = settings(deadline=None, max_examples=examples(60), suppress_health_check=list(HealthCheck))
thorough = settings(relaxed, max_examples=examples(120))


@pytest.fixture(autouse=True, scope="module")
def _short_segments() -> Iterator[None]:
    """Segments of a unit's statuses that fill up within a test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(units, "SEGMENT", 2)
        yield


def fresh() -> ProgramState:
    return ProgramState(SMALL, tally.edges([SMALL]))


def after(events: Sequence[Any], now: Micros = NOON) -> ProgramState:
    """The state after events, all applied at one time of the clock."""
    state = fresh()
    for event in events:
        state.apply(event, now)
    return state


# --- order and duplicates ------------------------------------------------------------------------------------


@given(data=st.data(), history=histories)
@thorough
def test_gauges_depend_only_on_the_set_of_events(data: st.DataObject, history: list[Any]) -> None:
    shuffled = data.draw(st.permutations(history))
    mixed = with_duplicates(data.draw, shuffled)
    now = NOON + data.draw(st.sampled_from((0, 10 * HOUR, 12 * HOUR, 3 * DAY, 29 * DAY)))
    assert numbers(after(mixed), now, kind="gauge") == numbers(after(history), now, kind="gauge")


@given(data=st.data(), history=histories)
@relaxed
def test_duplicates_change_no_number(data: st.DataObject, history: list[Any]) -> None:
    mixed = with_duplicates(data.draw, history)
    assert numbers(after(mixed), LATER) == numbers(after(history), LATER)


@given(data=st.data(), history=histories)
@relaxed
def test_an_event_that_was_applied_is_called_a_duplicate(data: st.DataObject, history: list[Any]) -> None:
    bench = Bench()
    bench(*history, now=NOON)
    bench.state.flush()
    again = [x for x in data.draw(st.permutations(history)) if not isinstance(x, e.Heartbeat)]
    assert set(bench(*again, now=NOON)) <= {"duplicate"}
    assert bench.state.flush() == {}


@pytest.mark.slow
@given(steps=years())
@thorough
def test_reading_in_between_changes_no_number(steps: list[Step]) -> None:
    """What the read model keeps from one reading to the next is what it would find anew."""
    once, often = fresh(), fresh()
    for event, now in steps:
        once.apply(event, now)
        often.apply(event, now)
        for later in (0, HOUR, 29 * DAY):
            numbers(often, now + later)
    for later in (0, HOUR // 4, HOUR, 29 * DAY):
        end = steps[-1].now + later
        assert numbers(often, end) == numbers(once, end)


# --- restarts and crashes ------------------------------------------------------------------------------------


def restarted(data: st.DataObject, steps: list[Step]) -> None:
    """Flushes and restarts at any points, also with many events to a flush; clock jumps over months."""
    choice = st.sampled_from(("", "", "", "flush", "restart"))
    plan = data.draw(st.lists(choice, min_size=len(steps), max_size=len(steps)))
    always, state, store = fresh(), fresh(), Store()
    for (event, now), what in zip(steps, plan, strict=True):
        assert always.apply(event, now).effect == state.apply(event, now).effect
        if what:
            store.put(state.flush().items())
        if what == "restart":
            state = store.restart()
            assert numbers(state, now) == numbers(always, now)
        assert state.kept_calls == always.kept_calls
    assert numbers(state, steps[-1].now) == numbers(always, steps[-1].now)


@given(data=st.data(), steps=years())
@thorough
def test_restarts_change_no_number(data: st.DataObject, steps: list[Step]) -> None:
    restarted(data, steps)


@given(data=st.data(), steps=years(most=14))
@thorough
def test_a_crash_at_any_record_changes_no_number(data: st.DataObject, steps: list[Step]) -> None:
    """Each prefix of the records is a state from which the events, read again, lead to the same numbers."""
    state = fresh()
    end = steps[-1].now
    written: list[tuple[int, str, bytes | None]] = []  # (index of the event, record)
    for i, (event, now) in enumerate(steps):
        state.apply(event, now)
        written += [(i, key, value) for key, value in state.flush().items()]
    expected = numbers(state, end)
    crashes = data.draw(st.lists(st.integers(0, len(written)), min_size=1, max_size=4, unique=True))
    for crash in crashes:
        store = Store()
        store.put([(key, value) for _, key, value in written[:crash]])
        at = written[crash - 1][0] if crash else 0
        # ids are known for 45 days, so what is read again must not be older
        known = [i for i in range(at + 1) if steps[i].now > steps[at].now - KEPT + ARCHIVE_EVERY]
        again = store.restart()
        for event, now in steps[data.draw(st.sampled_from(known)) :]:
            again.apply(event, now)
            store.put(again.flush().items())
        assert numbers(again, end) == expected
        assert numbers(store.restart(), end) == expected


@given(data=st.data(), steps=years(most=14))
@relaxed
def test_a_crash_while_recovering_from_a_crash(data: st.DataObject, steps: list[Step]) -> None:
    """Two crashes, the second before everything was read again."""
    expected = fresh()
    for event, now in steps:
        expected.apply(event, now)
    store, start = Store(), 0
    for _ in range(3):
        state = store.restart()
        written: list[tuple[int, str, bytes | None]] = []
        for i, (event, now) in list(enumerate(steps))[start:]:
            state.apply(event, now)
            written += [(i, key, value) for key, value in state.flush().items()]
        crash = data.draw(st.integers(0, len(written)))
        store.put([(key, value) for _, key, value in written[:crash]])
        start = written[crash - 1][0] if crash else start
    state = store.restart()
    for event, now in steps[start:]:
        state.apply(event, now)
        store.put(state.flush().items())
    end = steps[-1].now
    assert numbers(state, end) == numbers(expected, end)
    assert numbers(store.restart(), end) == numbers(expected, end)


@given(data=st.data(), steps=years())
@thorough
def test_a_crash_in_the_middle_of_a_group_changes_no_number(data: st.DataObject, steps: list[Step]) -> None:
    """One flush for many events: each prefix of its records is valid, and its events are read again."""
    end = steps[-1].now
    state, stored = fresh(), Store()
    start = data.draw(st.integers(0, len(steps) - 1))  # the group: from here, not longer than ids are known
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


# --- archiving -----------------------------------------------------------------------------------------------


@given(history=histories)
@relaxed
def test_archived_counts_stay_and_closed_calls_go(history: list[Any]) -> None:
    state = after(history)
    before = numbers(state, LATER, running_to=0)
    far = NOON + KEPT + 4 * DAY
    beat = e.Heartbeat(id="beat", program="small", at=history[0].at, topic="status") if history else None
    if beat:
        state.apply(beat, far)
    left = numbers(state, LATER, running_to=0)
    shown = {m.FOLLOWUPS.name, m.FOLLOWUPS_DUE.name, m.NEXT_LAPSE.name, m.CASES_ACTIVE.name}
    gone = {"care_people_served", m.TODAY.name, m.DEMAND_TODAY.name, m.DEMAND_HOUR.name, m.FEED.name} | shown
    # those of cases that were never opened are counted only now
    gone |= (late := {m.ATTEMPTS.name, m.OUTREACH.name, m.LOCATED.name})
    assert all(left[k] >= v for k, v in before.items() if k[0] in late)
    # a case under case management goes all the same if an earlier close opened it too
    endless = (m.RECORDS.name, ("endless_cases",))
    kept = left.pop(endless)
    assert kept <= before.pop(endless)
    assert {k: v for k, v in left.items() if k[0] not in gone} == {k: v for k, v in before.items() if k[0] not in gone}
    if beat:
        assert kept == len(state.cases.records)
        assert state.kept_calls == len(state.open)
        assert not any(v for k, v in left.items() if k[0] in gone - shown - late - {"care_people_served", m.FEED.name})
        for name, kind in ((m.ATTEMPTS.name, e.FollowupAttempted), (m.OUTREACH.name, e.OutreachAttempted)):
            assert sum(v for k, v in left.items() if k[0] == name) == sum(isinstance(x, kind) for x in history)
        kinds = {x.kind for x in history if isinstance(x, e.CaseOpened)}
        assert {k[1][0] for k, v in left.items() if k[0] == m.CASES_ACTIVE.name and v} <= kinds & {"case_management"}
        openings = [state.cases.opening(id) for id in state.cases.records]
        assert all(opening and opening.kind == "case_management" for opening in openings)
        people = {x.person for x in history if isinstance(x, e.CaseOpened) and x.person}
        assert left["care_people_served", ()] <= len(people)  # case management goes on until it is closed


@given(steps=years())
@relaxed
def test_a_restored_state_is_the_one_before_it_inside_too(steps: list[Step]) -> None:
    """What a restore reads from the head of a call's record is what the whole record says now."""
    state, store = fresh(), Store()
    for event, now in steps:
        state.apply(event, now)
        store.put(state.flush().items())
        again = store.restart()
        assert again.closed_on == state.closed_on
        assert again.people == state.people
        assert again.newest == state.newest
        assert again.cases.by_calls == state.cases.by_calls
        assert again.demand.since(now, 60) == state.demand.since(now, 60)
        heirs = [{unit: calls for unit, calls in each._heirs.items() if calls} for each in (state, again)]
        assert heirs[0] == heirs[1]


# --- counters ------------------------------------------------------------------------------------------------


@given(steps=years())
@relaxed
def test_counters_never_fall(steps: list[Step]) -> None:
    state = fresh()
    seen: list[Numbers] = [numbers(state, NOON, running_to=0)]
    for event, now in steps:
        state.apply(event, now)
        seen.append(numbers(state, now, running_to=0))
    for old, new in pairwise(seen):
        for key, value in old.items():
            if key[0].endswith("_total"):
                assert new[key] >= value, key
            elif isinstance(value, tuple):
                assert all(a <= b for a, b in zip(value[0], new[key][0], strict=True))
                assert new[key][1] >= value[1]


@given(history=plausible())
@relaxed
def test_running_time_never_falls_when_statuses_are_in_order(history: list[Any]) -> None:
    state = fresh()
    last: dict[tuple[str, ...], float] = {}
    for event in history:
        state.apply(event, micros(event.at))
        found = numbers(state, micros(event.at))
        spent = {key[1]: value for key, value in found.items() if key[0] == m.UNIT_SECONDS.name}
        assert all(spent[labels] >= value for labels, value in last.items())
        last = spent


@given(history=hostile())
@relaxed
def test_every_interval_is_in_one_bucket_or_disorder(history: list[Any]) -> None:
    """Sums of the histogram are those of the facts that the calls keep."""
    state = after(history)
    state.flush()
    records = [state._find(f"c/{call}") for call in ("C1", "C2", "C/3")]
    facts = [fact for call in records if call for fact in call.facts]
    found = numbers(state, LATER)
    spreads = [value for value in found.values() if isinstance(value, tuple)]
    took = [int(fact[-1]) for fact in facts if fact[0] == tally.INTERVAL]
    assert sum(sum(counts) for counts, _ in spreads) == len(took)
    assert sum(total for _, total in spreads) == pytest.approx(sum(took) / 1e6)
    assert all(t >= 0 for t in took)
    disorder = sum(v for k, v in found.items() if k[0] == m.DISORDER.name)
    assert disorder == sum(fact[0] == tally.DISORDER for fact in facts)


@given(history=histories)
@relaxed
def test_every_possible_combination_is_there_from_the_start(history: list[Any]) -> None:
    start = numbers(fresh(), LATER)
    then = numbers(after(history), LATER)
    assert start.keys() <= then.keys()
    assert all(not (any(v[0]) if isinstance(v, tuple) else v) for k, v in start.items() if k[0] not in GAUGES)


# --- a second opinion, written from the contract -------------------------------------------------------------


class Model:
    """Contract section 3 from the full list of events, the slow and simple way; ties go to the greatest label."""

    def __init__(self, events: Sequence[Any]) -> None:
        self.events = events
        self.statuses = sorted(
            (micros(x.at), int.from_bytes(_hash(x.id)), x) for x in events if isinstance(x, e.UnitStatus)
        )

    def of(self, call: str) -> list[Any]:
        return [x for x in self.events if getattr(x, "call", None) == call and not isinstance(x, e.CaseOpened)]

    def calls(self) -> list[str]:
        return sorted({x.call for x in self.events if hasattr(x, "call") and not isinstance(x, e.CaseOpened)})

    def first(self, events: list[Any], kind: Any) -> Micros | None:
        return min((micros(x.at) for x in events if isinstance(x, kind)), default=None)

    def latest(self, call: str, field: str) -> str:
        end = self.first(self.of(call), e.CallClosed)
        claims = [
            (micros(x.at), SMALL.label_of(field, code))
            for x in self.of(call)
            if isinstance(x, (e.CallReceived, e.CallTriaged)) and (code := getattr(x, field))
        ]
        return max((c for c in claims if end is None or c[0] <= end), default=(0, "other"))[1]

    def eligible(self, call: str) -> bool:
        return max(
            ((micros(x.at), x.eligible) for x in self.of(call) if isinstance(x, e.CallTriaged)),
            default=(0, True),
        )[1]

    def legs(self, call: str, agency: str = "care") -> dict[str, list[Any]]:
        """Unit -> its events on the call; agency by its earliest event that names one."""
        legs: dict[str, list[Any]] = {}
        for x in self.of(call):
            if isinstance(x, e.UnitEvent):
                legs.setdefault(x.unit, []).append(x)
        named = {
            u: min(((micros(x.at), x.agency) for x in leg if x.agency), default=(0, "care"))[1]
            for u, leg in legs.items()
        }
        return {unit: leg for unit, leg in legs.items() if named[unit] == agency}

    def stage(self, call: str) -> str:
        reached = [
            4 if self.first(leg, (e.UnitTransporting, e.UnitAtDestination)) is not None
            else 3 if self.first(leg, e.UnitOnScene) is not None
            else 2 if self.first(leg, e.UnitEnRoute) is not None
            else 1
            for leg in self.legs(call).values()
            if self.first(leg, e.UnitCleared) is None
        ]  # fmt: skip
        return ("waiting", "dispatched", "en_route", "on_scene", "transporting")[max(reached, default=0)]

    def team(self, call: str) -> str:
        for kind in (e.UnitOnScene, e.UnitDispatched):
            there = [(at, u) for u, leg in self.legs(call).items() if (at := self.first(leg, kind)) is not None]
            if there:
                unit = min(there)[1]
                leg = self.legs(call)[unit]
                named = [(micros(x.at), SMALL.label_of("team", x.team)) for x in leg if getattr(x, "team", None)]
                if named:
                    return min(named)[1]
                mine = [(at, x.team) for at, _, x in self.statuses if x.unit == unit]
                start = min(micros(x.at) for x in leg)
                known = [team for at, team in mine if at <= start] or [team for _, team in mine[:1]]
                return SMALL.label_of("team", known[-1]) if known else "other"
        return "none"

    def outcome(self, call: str) -> str:
        given = [
            (micros(x.at), SMALL.label_of("outcome", x.outcome)) for x in self.of(call) if getattr(x, "outcome", None)
        ]
        return min(given, default=(0, "unrecorded"))[1]

    def result(self, call: str) -> str:
        mine = self.of(call)
        if any(self.first(leg, e.UnitOnScene) is not None for leg in self.legs(call).values()):
            return "served"
        if not self.eligible(call):
            return "ineligible"
        allowed = set(tally.RESULTS) - {"served", "ineligible"}
        reasons = [(micros(x.at), x.unserved_reason) for x in mine if getattr(x, "unserved_reason", None) in allowed]
        if reasons:
            return str(min(reasons)[1])
        if self.outcome(call) in ("resolved_by_other", "cancelled"):
            return {"resolved_by_other": "handled_by_other", "cancelled": "cancelled"}[self.outcome(call)]
        received = self.first(mine, e.CallReceived)
        start = min(micros(x.at) for x in mine) if received is None else received
        teams = SMALL.covering(self.latest(call, "area"), SMALL.local(start))
        if not teams:
            return "outside_area"
        if not any(team.works(SMALL.local(start)) for team in teams):
            return "outside_hours"
        known = {x.unit: x for at, _, x in self.statuses if at <= start}
        at_work = [x.status for x in known.values() if x.team in {t.code for t in teams} and x.status != "off_duty"]
        if not at_work:
            return "no_unit_on_duty"
        if "available" not in at_work:
            return "all_units_busy"
        return "unknown" if any(isinstance(x, e.CallTriaged) for x in mine) else "not_triaged"

    def at_close(self) -> Iterator[tuple[str, Model]]:
        """Each call that was closed, and what was known when the first closing event came."""
        told: set[str] = set()
        for i, x in enumerate(self.events):
            if isinstance(x, e.CallClosed) and x.call not in told:
                told.add(x.call)
                yield x.call, Model(self.events[: i + 1])


def _hash(id: str) -> bytes:
    from streams.state import hash8  # ties between equal times are by this

    return hash8(id)


def nonzero(found: Numbers, metric: m.Metric) -> dict[tuple[str, ...], float]:
    return {key[1]: value for key, value in found.items() if key[0] == metric.name and value}


@given(history=histories)
@thorough
def test_the_model_agrees_on_calls(history: list[Any]) -> None:
    model = Model(history)
    now = NOON + 5 * HOUR
    found = numbers(after(history), now)
    open = [c for c in model.calls() if model.first(model.of(c), e.CallClosed) is None]
    assert nonzero(found, m.CALLS_OPEN) == Counter(
        (model.latest(c, "area"), model.latest(c, "call_type"), model.stage(c)) for c in open if model.eligible(c)
    )
    assert nonzero(found, m.CLOSED) == Counter(
        (known.team(c), known.latest(c, "area"), known.latest(c, "call_type"), known.outcome(c))
        for c, known in model.at_close()
    )
    assert nonzero(found, m.DEMAND) == Counter(
        (known.latest(c, "area"), known.result(c)) for c, known in model.at_close()
    )
    midnight = NOON - 12 * HOUR
    ends = {c: model.first(model.of(c), e.CallClosed) for c in model.calls()}
    assert nonzero(found, m.TODAY) == Counter(
        (model.team(c), model.latest(c, "area"), model.outcome(c))
        for c, end in ends.items()
        if end is not None and midnight <= end < midnight + DAY
    )


@given(history=histories)
@thorough
def test_the_model_agrees_on_units(history: list[Any]) -> None:
    model = Model(history)
    found = numbers(after(history), LATER)
    held = {x.unit: x for _, _, x in model.statuses}
    units_by_status: Counter[tuple[str, str]] = Counter()
    for (team, _, code), n in nonzero(found, m.UNITS).items():
        units_by_status[team, code] += int(n)
    assert units_by_status == Counter((SMALL.label_of("team", x.team), x.status) for x in held.values())

    in_order = [x for _, _, x in model.statuses]
    spent: Counter[tuple[str, str]] = Counter()
    for unit in held:
        mine = [x for x in in_order if x.unit == unit]
        for x, at in zip(mine, [*(micros(y.at) for y in mine[1:]), LATER], strict=True):
            spent[SMALL.label_of("team", x.team), x.status] += at - micros(x.at)
    found = numbers(after(in_order), LATER)
    assert nonzero(found, m.UNIT_SECONDS) == {k: v / 1e6 for k, v in spent.items() if v}
