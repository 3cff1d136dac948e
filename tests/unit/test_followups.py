"""Cases and the clock of their follow-ups: the contract's sentences, and a reference model over random histories."""

from __future__ import annotations

import itertools
from bisect import bisect_right
from collections import Counter
from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carewatch.settings import PROGRAMS
from streams import events as e
from streams import times
from streams.cases import Opening
from streams.clock import DAY, SECOND, Micros, micros, utc
from streams.followups import MISSED_FOR, RESULTS, STATES, Plans
from streams.programs import duration, load
from streams.state import KEPT
from tests.unit.examples import examples
from tests.unit.strategies import (
    HOUR,
    MINUTE,
    NOON,
    PROGRAM,
    SMALL,
    Bench,
    Store,
    attempted,
    case_closed,
    closed,
    dispatched,
    make,
    numbers,
    on_scene,
    opened,
    outreach,
    profile,
    received,
    status,
    when,
    with_duplicates,
)

CHECKPOINT = PROGRAM["teams"][0]["followups"][0]
#: Minutes of an hour and a day, for the builders.
H, D = 60, 24 * 60


def states(bench: Bench, minutes: float) -> dict[str, str]:
    """Checkpoint -> state, of a bench with one case."""
    return {labels[2]: labels[3] for labels in bench.show("care_followups", minutes)}


def results(bench: Bench, minutes: float, window: str = "30d") -> dict[str, str]:
    """Checkpoint -> what became of it, of a bench with one case."""
    found = bench.show("care_followups_due", minutes)
    return {labels[1]: labels[3] for labels in found if labels[2] == window}


def beat(bench: Bench, minutes: float) -> None:
    """Let the clock be looked at."""
    bench(make(e.Heartbeat, minutes, topic="status"))


# --- automatic cases -----------------------------------------------------------------------------------------


def served(bench: Bench, outcome: str | None = "services", **fields: Any) -> None:
    """A call that alpha served, closed one hour after noon."""
    bench(received(0), dispatched(1, team="alpha"), on_scene(5), closed(60, outcome=outcome, **fields), now=NOON + HOUR)


def test_a_call_closed_with_a_followup_outcome_opens_a_case(bench: Bench) -> None:
    served(bench)
    assert bench.show("care_followups", 60) == {
        ("alpha", "north", "1d", "scheduled"): 1,
        ("alpha", "north", "7d", "scheduled"): 1,
    }
    assert bench.show("care_cases_active", 60) == {("encounter",): 1}


@pytest.mark.parametrize("outcome", ["cancelled", "odd", None])
def test_other_outcomes_open_none(bench: Bench, outcome: str | None) -> None:
    served(bench, outcome)
    assert bench.show("care_followups", 60) == bench.show("care_cases_active", 60) == {}


def test_a_local_code_of_the_outcome_opens_one_too(bench: Bench) -> None:
    served(bench, "svc")
    assert states(bench, 60) == {"1d": "scheduled", "7d": "scheduled"}


def test_the_checkpoints_of_a_call_count_from_its_close(bench: Bench) -> None:
    served(bench)
    assert states(bench, 60 + 12 * H)["1d"] == "open"
    assert states(bench, 60 + 12 * H - 1 / 60)["1d"] == "scheduled"


def test_an_automatic_case_has_no_record_of_its_own_until_an_event_of_it_comes(bench: Bench) -> None:
    store = Store()
    served(bench)
    changes = bench.state.flush()
    assert list(changes) == ["c/C1", "u/0/U1"][:1]
    store.put(changes.items())
    bench(attempted(13 * H, case="C1"))
    changes = bench.state.flush()
    assert list(changes) == ["k/C1"]
    store.put(changes.items())
    again = Bench(records=store.records)
    assert states(again, 13 * H) == states(bench, 13 * H) == {"7d": "scheduled"}


@pytest.mark.parametrize("late", [False, True], ids=["first", "corrected"])
def test_a_late_correction_of_the_call_moves_its_case(bench: Bench, late: bool) -> None:
    if not late:
        bench(received(0, area="south"), on_scene(1, "U2"), status(0, "available", "U2", "beta"))
    served(bench)
    if late:  # an earlier unit of another team, and an earlier closing
        bench(status(0, "available", "U2", "beta"), on_scene(1, "U2"), closed(30, outcome="services"))
        assert bench.show("care_followups", 60) == {}
        bench(dispatched(1, "U2", team="alpha"))
        assert states(bench, 30 + 12 * H)["1d"] == "open"
    else:
        assert bench.show("care_followups", 60) == {}  # beta follows up overdoses only


def test_an_outcome_that_comes_late_opens_the_case(bench: Bench) -> None:
    served(bench, None)
    assert states(bench, 61) == {}
    bench(closed(90, outcome="services"))
    assert states(bench, 60 + 12 * H) == {"1d": "open", "7d": "scheduled"}  # at the close time, which is the earliest


def test_an_outcome_that_is_corrected_closes_nothing_that_never_was(bench: Bench) -> None:
    served(bench)
    bench(closed(59, outcome="cancelled"))  # the earlier one holds
    assert bench.show("care_followups", 61) == bench.show("care_cases_active", 61) == {}


def test_a_status_that_changes_the_team_of_the_call_changes_that_of_its_case(bench: Bench) -> None:
    bench(received(0), on_scene(5), closed(60, outcome="services"), now=NOON + HOUR)
    assert bench.show("care_followups", 60) == {}
    bench(status(1, "available", team="alpha"), now=NOON + HOUR)
    assert states(bench, 60) == {"1d": "scheduled", "7d": "scheduled"}


# --- opened ones ---------------------------------------------------------------------------------------------


def test_case_opened_opens_others(bench: Bench) -> None:
    bench(opened(0, area="n"), opened(0, case="K2", kind="overdose", team="beta"))
    assert bench.show("care_followups", 1) == {
        ("alpha", "north", "1d", "scheduled"): 1,
        ("alpha", "north", "7d", "scheduled"): 1,
        ("beta", "other", "72h", "scheduled"): 1,
    }
    assert bench.show("care_cases_active", 1) == {("encounter",): 1, ("overdose",): 1}


def test_a_plan_is_for_the_kinds_that_it_names(bench: Bench) -> None:
    bench(opened(0, kind="case_management"))
    assert states(bench, 1) == {"7d": "scheduled"}


def test_a_team_that_the_profile_does_not_know_has_no_plan(bench: Bench) -> None:
    bench(opened(0, team="gone"))
    assert bench.show("care_followups", 1) == {}
    assert bench.show("care_cases_active", 1) == {("encounter",): 1}


def test_of_two_openings_the_earlier_one_holds(bench: Bench) -> None:
    served(bench)
    bench(opened(90, case="C1", kind="case_management"))
    assert states(bench, 61) == {"1d": "scheduled", "7d": "scheduled"}
    bench(opened(30, case="C1", kind="case_management"))
    assert states(bench, 61) == {"7d": "scheduled"}
    assert bench.show("care_cases_active", 61) == {("case_management",): 1}


def test_the_version_of_the_team_in_force_at_the_opening_decides(bench: Bench) -> None:
    alpha, beta = PROGRAM["teams"]
    old = {**alpha, "until": "2024-05-16", "followups": alpha["followups"][:1]}
    new = {**alpha, "since": "2024-05-16"}
    bench = Bench(profile(teams=[old, new, beta]))
    bench(opened(11 * H + 59))  # 23:59 in Chicago
    assert states(bench, 3 * D) == {"1d": "missed"}
    bench(opened(12 * H, case="K2"))
    assert bench.show("care_followups", 3 * D)["alpha", "other", "7d", "scheduled"] == 1


# --- the four states -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("minutes", "state"),
    [
        (-60, "scheduled"),
        (12 * H - 1 / 60, "scheduled"),
        (12 * H, "open"),
        (24 * H - 1 / 60, "open"),
        (24 * H, "overdue"),
        (48 * H - 1 / 60, "overdue"),
        (48 * H, "missed"),
        (48 * H + 30 * D - 1 / 60, "missed"),
        (48 * H + 30 * D, None),
    ],
)
def test_a_state_flips_at_the_second_without_any_event(bench: Bench, minutes: float, state: str | None) -> None:
    bench(opened(0))
    asked = [states(bench, at) for at in (minutes, 100 * D, -D, minutes)]  # whatever was asked before
    assert asked[0].get("1d") == asked[-1].get("1d") == state


def test_due_and_lapse_at_once_are_never_overdue(bench: Bench) -> None:
    bench(opened(0, kind="overdose", team="beta"))
    assert states(bench, 72 * H - 1 / 60) == {"72h": "open"}
    assert states(bench, 72 * H) == {"72h": "missed"}


@pytest.mark.parametrize("result", ["completed", "declined"])
@pytest.mark.parametrize("at", [-60, 1, 13 * H, 30 * H, 60 * H], ids=["before", "early", "open", "overdue", "missed"])
def test_completed_and_declined_resolve(bench: Bench, result: str, at: float) -> None:
    bench(opened(0), attempted(at, "1d", result))
    assert states(bench, 60 * H) == {"7d": "scheduled"}


def test_no_contact_does_not_resolve(bench: Bench) -> None:
    bench(opened(0), attempted(25 * H, "1d", "no_contact"), attempted(26 * H, "1d", "no_contact"))
    assert states(bench, 27 * H) == {"1d": "overdue", "7d": "scheduled"}


def test_closing_resolves_all_of_the_case(bench: Bench) -> None:
    bench(opened(0), opened(0, case="K2"), case_closed(60 * H))
    assert bench.show("care_followups", 61 * H) == {
        ("alpha", "other", "1d", "missed"): 1,
        ("alpha", "other", "7d", "scheduled"): 1,
    }
    assert bench.show("care_cases_active", 61 * H) == {("encounter",): 1}


def test_a_missed_one_stays_until_it_is_completed_late(bench: Bench) -> None:
    bench(opened(0))
    assert states(bench, 20 * D)["1d"] == "missed"
    bench(attempted(20 * D))
    assert "1d" not in states(bench, 20 * D)
    assert results(bench, 20 * D)["1d"] == "completed_late"


def test_a_result_may_arrive_before_its_case(bench: Bench) -> None:
    bench(attempted(25 * H), case_closed(26 * H, case="K2"), now=NOON)
    assert bench.show("care_followups", 27 * H) == bench.show("care_cases_active", 27 * H) == {}
    bench(opened(0), opened(0, case="K2"), now=NOON)
    assert states(bench, 27 * H) == {"7d": "scheduled"}
    assert bench.show("care_cases_active", 27 * H) == {("encounter",): 1}


def test_other_checkpoints_and_other_cases_are_not_resolved(bench: Bench) -> None:
    bench(opened(0), attempted(1, "odd"), attempted(1, case="K2"))
    assert states(bench, 13 * H) == {"1d": "open", "7d": "scheduled"}


# --- next lapse ----------------------------------------------------------------------------------------------


def test_the_next_lapse_of_open_and_overdue_ones(bench: Bench) -> None:
    def lapse(minutes: float) -> dict[tuple[str, ...], float]:
        return bench.show("care_followup_next_lapse_timestamp_seconds", minutes)

    bench(opened(0), opened(60, case="K2"))
    assert lapse(12 * H - 1) == {}
    assert lapse(12 * H) == lapse(47 * H) == {("alpha",): (NOON + 48 * HOUR) / SECOND}
    assert lapse(48 * H) == {("alpha",): (NOON + 49 * HOUR) / SECOND}
    assert lapse(49 * H) == {}
    bench(attempted(13 * H))
    assert lapse(13 * H) == {("alpha",): (NOON + 49 * HOUR) / SECOND}


# --- what came due -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("events", "result"),
    [
        ((), "pending"),
        ((attempted(23.9 * H),), "completed"),
        ((attempted(24 * H),), "completed_late"),
        ((attempted(1, result="no_contact"), attempted(47 * H)), "completed_late"),
        ((attempted(25 * H, result="declined"),), "declined"),
        ((case_closed(2 * H),), "closed"),
        ((case_closed(2 * H), attempted(3 * H)), "closed"),
        ((case_closed(2 * H), attempted(2 * H)), "completed"),
        ((attempted(2 * H, result="declined"), attempted(1 * H)), "completed"),
    ],
)
def test_what_became_of_a_followup_that_came_due(bench: Bench, events: tuple[Any, ...], result: str) -> None:
    bench(opened(0), *events)
    assert results(bench, 24 * H - 1) == {}
    assert results(bench, 24 * H) == results(bench, 47.9 * H) == {"1d": result}
    assert results(bench, 48 * H)["1d"] == ("missed" if result == "pending" else result)


@pytest.mark.parametrize("events", [(), (attempted(30),)], ids=["missed", "completed"])
def test_windows_are_of_the_due_time(bench: Bench, events: tuple[Any, ...]) -> None:
    bench(opened(0), *events)
    assert "1d" in results(bench, 24 * H + 7 * D - 1, "7d")
    assert "1d" not in results(bench, 24 * H + 7 * D, "7d")
    assert "1d" in results(bench, 24 * H + 30 * D - 1)
    assert "1d" not in results(bench, 24 * H + 30 * D)


# --- active cases --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "team", "days"),
    [("encounter", "alpha", 9 + 30), ("overdose", "beta", 3 + 30), ("overdose", "alpha", 30)],
)
def test_a_case_that_nobody_closes_is_active_until_nothing_of_it_is_shown(
    bench: Bench, kind: str, team: str, days: int
) -> None:
    bench(opened(0, kind=kind, team=team))
    assert bench.show("care_cases_active", days * D - 1) == {(kind,): 1}
    assert bench.show("care_cases_active", days * D) == {}


def test_case_management_is_active_until_it_is_closed(bench: Bench) -> None:
    bench(opened(0, kind="case_management", person="p"))
    beat(bench, 400 * D)
    for each in (bench, Bench(records={k: v for k, v in bench.state.flush().items() if v})):
        assert each.show("care_cases_active", 400 * D) == {("case_management",): 1}
        each(case_closed(400 * D))
        assert each.show("care_cases_active", 400 * D) == {}
        assert each.show("care_people_served", 400 * D) == {(): 1}
        beat(each, 445 * D + H)
        assert not each.state.cases.records
        assert each.show("care_people_served", 445 * D) == {}


# --- counters ------------------------------------------------------------------------------------------------


def test_attempts_and_outreach_count_under_team_and_area_of_the_case(bench: Bench) -> None:
    bench(opened(0, kind="overdose", team="beta", area="south"))
    bench(outreach(1, located=False), outreach(2), attempted(2, "72h"), attempted(3, "72h"), attempted(3, "odd"))
    assert bench.show("care_followup_attempts_total") == {
        ("beta", "72h", "completed"): 2,
        ("beta", "other", "completed"): 1,
    }
    assert bench.show("care_outreach_attempts_total") == {("south",): 2}
    assert bench.show("care_outreach_located_total") == {("south",): 1}


def test_an_attempt_waits_for_its_case_to_know_its_team(bench: Bench) -> None:
    bench(attempted(1), outreach(2))
    assert bench.show("care_followup_attempts_total") == bench.show("care_outreach_attempts_total") == {}
    bench(opened(0, area="south"))
    assert bench.show("care_followup_attempts_total") == {("alpha", "1d", "completed"): 1}
    assert bench.show("care_outreach_attempts_total") == bench.show("care_outreach_located_total") == {("south",): 1}


def test_an_attempt_that_comes_before_the_close_of_its_call_counts_under_the_team_of_the_call(bench: Bench) -> None:
    """Was: counted under `other` for ever, and `carewatch verify`, which folds the calls first, said NOT EQUAL."""
    bench(received(0), dispatched(1, team="alpha"), on_scene(5), attempted(70, case="C1"), outreach(71, case="C1"))
    bench(closed(60, outcome="services"), attempted(90, case="C1"))
    assert bench.show("care_followup_attempts_total") == {("alpha", "1d", "completed"): 2}
    assert bench.show("care_outreach_attempts_total") == {("north",): 1}


_FOLLOWUPS = [
    attempted(70, case="C1"),
    attempted(71, "7d", "no_contact", case="C1"),
    outreach(72, case="C1"),
    case_closed(73, case="C1"),
    opened(0, area="south"),
    attempted(74, "1d", "declined"),
    attempted(75, case="K9"),  # never opened
]
_CALL = [received(0), dispatched(1, team="alpha"), on_scene(5), closed(60, outcome="services")]


@pytest.mark.slow
@settings(deadline=None, max_examples=examples(60))
@given(followups=st.permutations(_FOLLOWUPS), turns=st.lists(st.booleans(), min_size=len(_FOLLOWUPS) + len(_CALL)))
def test_attempts_do_not_depend_on_the_order_of_arrival(followups: list[Any], turns: list[bool]) -> None:
    """The events of a call in their order, those of cases anywhere; a crash at any record, and both read again."""
    rest, calls = list(followups), list(_CALL)
    events = [(calls if calls and (turn or not rest) else rest).pop(0) for turn in turns[: len(_FOLLOWUPS + _CALL)]]
    bench = Bench()
    bench(*_CALL, *_FOLLOWUPS, now=NOON)
    expected = counts(bench)
    assert expected == {
        ("alpha", "1d", "completed"): 1,
        ("alpha", "7d", "no_contact"): 1,
        ("alpha", "1d", "declined"): 1,
        ("north",): 1,
    }
    live, written = Bench(), list[tuple[str, bytes | None]]()
    for event in events:
        live(event, now=NOON)
        written += live.state.flush().items()
    assert counts(live) == expected
    for length in range(len(written) + 1):
        store = Store()
        store.put(written[:length])
        again = Bench(records=dict(store.records))
        assert all(n <= expected[labels] for labels, n in counts(again).items())
        again(*events, now=NOON)
        assert counts(again) == expected


def counts(bench: Bench) -> dict[tuple[str, ...], int]:
    return bench.show("care_followup_attempts_total") | bench.show("care_outreach_attempts_total")


def test_an_attempt_at_a_case_that_never_opens_is_counted_in_the_end(bench: Bench) -> None:
    store = Store()
    bench(attempted(1), outreach(2))
    store.put(bench.state.flush().items())
    beat(bench, 45 * D + H)
    changes = bench.state.flush()
    assert list(changes) == ["g", "k/K1", "f"]
    for length in range(len(changes) + 1):
        torn = Store()
        torn.put([*store.records.items(), *list(changes.items())[:length]])
        again = Bench(records=dict(torn.records))
        beat(again, 45 * D + H)
        assert counts(again) == {("other", "1d", "completed"): 1, ("other",): 1}


def test_a_profile_that_lets_calls_open_cases_from_now_on_counts_what_waited() -> None:
    before, store = Bench(profile(followup_outcomes=[])), Store()
    before(received(0), dispatched(1, team="alpha"), closed(60, outcome="services"), attempted(70, case="C1"))
    store.put(before.state.flush().items())
    assert counts(before) == {}
    for _ in range(2):  # and no second time
        bench = Bench(records=dict(store.records))
        assert counts(bench) == {("alpha", "1d", "completed"): 1}
        store.put(bench.state.flush().items())


def test_the_same_event_counts_once(bench: Bench) -> None:
    bench(opened(0))
    attempt, visit = attempted(1, result="no_contact"), outreach(2)
    assert bench(attempt, visit, attempt, visit) == ["applied", "applied", "duplicate", "duplicate"]
    assert sum(bench.show("care_followup_attempts_total").values()) == 1
    assert sum(bench.show("care_outreach_attempts_total").values()) == 1


def test_the_same_event_counts_once_while_it_waits(bench: Bench) -> None:
    attempt = attempted(1)
    assert bench(attempt, attempt, opened(0), attempt) == ["applied", "duplicate", "applied", "duplicate"]
    assert sum(bench.show("care_followup_attempts_total").values()) == 1


def test_counts_of_archived_cases_stay(bench: Bench) -> None:
    store = Store()
    bench(opened(0, person="p"), attempted(1), outreach(2))
    store.put(bench.state.flush().items())
    before = numbers(bench.state, NOON + 100 * DAY, kind="counter")
    beat(bench, 45 * D + H)
    assert not bench.state.cases.records
    changes = bench.state.flush()
    assert list(changes) == ["g", "k/K1", "f"]
    for length in range(len(changes) + 1):
        torn = Store()
        torn.put([*store.records.items(), *list(changes.items())[:length]])
        found = numbers(torn.restart(), NOON + 100 * DAY, kind="counter")
        assert found == before


# --- what is kept --------------------------------------------------------------------------------------------

LONG = profile(
    teams=[
        {
            **PROGRAM["teams"][0],
            "followups": [{"id": "40d", "kinds": ["encounter"], "opens": "1d", "due": "20d", "lapses": "40d"}],
        }
    ]
)


@pytest.mark.parametrize("late", [attempted(20 * D, "7d", "no_contact"), outreach(20 * D), attempted(20 * D)])
def test_a_case_is_kept_45_days_from_its_last_event(bench: Bench, late: Any) -> None:
    bench(opened(0), attempted(0, "odd"), late)
    for minutes, kept in ((46 * D, True), (65 * D - H, True), (65 * D + H, False)):
        beat(bench, minutes)
        assert ("K1" in bench.state.cases.records) is kept


def test_case_management_that_is_closed_goes_then(bench: Bench) -> None:
    bench(opened(0, kind="case_management"), attempted(1))
    beat(bench, 100 * D)
    bench(case_closed(101 * D))
    for minutes, kept in ((145 * D, True), (147 * D, False)):
        beat(bench, minutes)
        assert ("K1" in bench.state.cases.records) is kept


def test_a_call_is_kept_as_long_as_its_missed_followup_is_shown() -> None:
    """A call goes 45 days after its close, a follow-up that lapses after 40 days is shown for 30 more."""
    bench, store = Bench(LONG), Store()
    served(bench)
    beat(bench, 60 * D)
    store.put(bench.state.flush().items())
    for each in (bench, Bench(LONG, dict(store.records))):
        beat(each, 70 * D)
        assert states(each, 70 * D) == {"40d": "missed"}
        assert each.state.kept_calls == 1
        beat(each, 70 * D + 2 * H)
        assert states(each, 70 * D + 2 * H) == {}
        assert each.state.kept_calls == 0


def test_a_completed_followup_does_not_come_back_when_its_record_grows_old() -> None:
    bench = Bench(LONG)
    served(bench)
    bench(attempted(10 * D, "40d", case="C1"))
    for day in (46, 56, 69):
        beat(bench, day * D)
        assert states(bench, day * D) == {}
    beat(bench, 71 * D)
    assert not bench.state.cases.records
    assert not bench.state.cases.by_calls


# --- local time ----------------------------------------------------------------------------------------------

PLAN = profile(
    teams=[
        {
            **PROGRAM["teams"][0],
            "followups": [
                {"id": "days", "kinds": ["encounter"], "opens": "1d", "due": "7d", "lapses": "9d"},
                {"id": "hours", "kinds": ["encounter"], "opens": "24h", "due": "168h", "lapses": "216h"},
                {"id": "mixed", "kinds": ["encounter"], "opens": "24h", "due": "1d", "lapses": "24h"},
            ],
        }
    ]
)


@pytest.mark.parametrize(
    ("start", "days", "hours"),
    [
        ("2024-03-08T15:00:00-06:00", "2024-03-15T15:00:00-05:00", "2024-03-15T16:00:00-05:00"),
        ("2024-11-01T15:00:00-05:00", "2024-11-08T15:00:00-06:00", "2024-11-08T14:00:00-06:00"),
        ("2024-05-15T15:00:00-05:00", "2024-05-22T15:00:00-05:00", "2024-05-22T15:00:00-05:00"),
        # a week later this time is not there: what would be 2:30 is 3:30
        ("2024-03-03T02:30:00-06:00", "2024-03-10T03:30:00-05:00", "2024-03-10T03:30:00-05:00"),
        # a week later it is there twice: the first one
        ("2024-10-27T01:30:00-05:00", "2024-11-03T01:30:00-05:00", "2024-11-03T01:30:00-05:00"),
        # the second half past one
        ("2024-11-03T01:30:00-06:00", "2024-11-10T01:30:00-06:00", "2024-11-10T01:30:00-06:00"),
    ],
)
def test_days_are_local_calendar_days_and_hours_are_hours(start: str, days: str, hours: str) -> None:
    bench = Bench(PLAN)
    bench(opened((when(start) - NOON) / MINUTE))
    for checkpoint, due in (("days", when(days)), ("hours", when(hours))):
        before, then = (numbers(bench.state, at) for at in (due - SECOND, due))
        assert before["care_followups", ("alpha", "other", checkpoint, "open")] == 1
        assert then["care_followups", ("alpha", "other", checkpoint, "overdue")] == 1


def test_a_day_of_23_hours_keeps_the_order_of_the_times() -> None:
    bench = Bench(PLAN)
    start = when("2024-03-09T15:00:00-06:00")
    bench(opened((start - NOON) / MINUTE))
    found = numbers(bench.state, start + 24 * HOUR - SECOND)
    assert found["care_followups", ("alpha", "other", "mixed", "scheduled")] == 1
    found = numbers(bench.state, start + 24 * HOUR)
    assert found["care_followups", ("alpha", "other", "mixed", "missed")] == 1


@pytest.mark.parametrize("zone", ["America/Chicago", "Australia/Lord_Howe", "Asia/Kathmandu"])
@pytest.mark.parametrize("change", ["2024-03-10", "2024-04-07", "2024-10-06", "2024-11-03"])
def test_cases_of_one_day_have_the_plan_that_the_calendar_gives_each(zone: str, change: str) -> None:
    """What is kept for a day, and for a case, is what would be made anew, over the days when clocks change too."""
    there = msgspec.structs.replace(PLAN, timezone=zone)
    plans = Plans(there)
    first = when(f"{change}T00:00Z") - 11 * DAY
    for start in range(first, first + 14 * DAY, 25 * MINUTE):
        (days, hours, _) = plans.of(Opening(start, "encounter", "alpha", "other"))
        begun = there.local(start)
        assert [days.opens, days.due, days.lapses] == [micros(begun + timedelta(days=n)) for n in (1, 7, 9)]
        assert [hours.opens, hours.due, hours.lapses] == [start + n * DAY for n in (1, 7, 9)]


def test_a_new_version_of_a_team_has_its_own_plan_from_midnight_on() -> None:
    old, new = ({**PROGRAM["teams"][0], "followups": [{**CHECKPOINT, "id": id}]} for id in ("old", "new"))
    plans = Plans(profile(teams=[{**old, "until": "2024-05-16"}, {**new, "since": "2024-05-16"}]))
    midnight = when("2024-05-16T00:00-05:00")
    found = [plans.of(Opening(at, "encounter", "alpha", "north")) for at in (midnight - SECOND, midnight, midnight - 1)]
    assert [each.checkpoint for (each,) in found] == ["old", "new", "old"]


@pytest.mark.parametrize(
    ("program", "team", "kind", "start", "checkpoint", "expected"),
    [
        ("chicago", "art", "encounter", "2024-03-08T15:30", "1d", ("03-09T03:30", "03-09T15:30", "03-10T16:30")),
        ("chicago", "art", "encounter", "2024-03-08T15:30", "7d", ("03-14T15:30", "03-15T15:30", "03-17T15:30")),
        ("chicago", "art", "encounter", "2024-03-08T15:30", "30d", ("04-05T15:30", "04-07T15:30", "04-12T15:30")),
        ("chicago", "ort", "overdose", "2024-06-03T22:10", "72h", ("06-04T22:10", "06-06T22:10", "06-06T22:10")),
        ("cambridge", "care", "encounter", "2024-06-03T11:00", "7d", ("06-08T11:00", "06-10T11:00", "06-17T11:00")),
        ("cambridge", "care", "encounter", "2024-06-03T11:00", "30d", ("07-01T11:00", "07-03T11:00", "07-13T11:00")),
        ("seattle", "ccr", "encounter", "2025-10-29T18:00", "7d", ("11-03T18:00", "11-05T18:00", "11-12T18:00")),
    ],
)
def test_the_worked_examples_of_the_documentation(
    program: str, team: str, kind: str, start: str, checkpoint: str, expected: tuple[str, ...]
) -> None:
    """docs/followups.md."""
    shipped = load(PROGRAMS / f"{program}.toml")
    at = micros(datetime.fromisoformat(start).replace(tzinfo=shipped.zone))
    (found,) = [each for each in Plans(shipped).of(Opening(at, kind, team, "other")) if each.checkpoint == checkpoint]
    times = found.opens, found.due, found.lapses
    assert tuple(f"{shipped.local(each):%m-%dT%H:%M}" for each in times) == expected


# --- a second opinion ----------------------------------------------------------------------------------------

_minutes = st.one_of(
    st.integers(-30, 30), st.integers(-3 * D, 60 * D), st.sampled_from((0, 12 * H, 24 * H, 48 * H, 7 * D, 9 * D))
)


@st.composite
def case_histories(draw: st.DrawFn) -> list[Any]:
    """Events of two cases, one of them of a call, in any order."""
    told: list[Any] = []
    for case in ("K1", "C1"):
        if case == "C1" and draw(st.booleans()):
            at = draw(_minutes)
            told += [dispatched(at - 9, team=draw(st.sampled_from(("alpha", "beta")))), on_scene(at - 5)]
            told += [closed(at, outcome=draw(st.sampled_from(("services", "svc", "cancelled", None))))]
        for _ in range(draw(st.integers(0, 2))):
            team, kind = draw(st.sampled_from(("alpha", "beta", "gone"))), draw(st.sampled_from(e.CASE_KINDS))
            told.append(opened(draw(_minutes), case, team=team, kind=kind))
        for _ in range(draw(st.integers(0, 4))):
            result, checkpoint = (
                draw(st.sampled_from(e.ATTEMPT_RESULTS)),
                draw(st.sampled_from(("1d", "7d", "72h", "odd"))),
            )
            told.append(attempted(draw(_minutes), checkpoint, result, case))
        if draw(st.integers(0, 3)) == 0:
            told.append(case_closed(draw(_minutes), case))
    return draw(st.permutations(told))


def model(events: list[Any], now: Micros) -> tuple[Counter[Any], Counter[Any]]:
    """Contract section 3 in ten lines: (team, checkpoint, state) and (team, checkpoint, result), over all cases."""
    shown, due = Counter[Any](), Counter[Any]()
    ends = [x for x in events if isinstance(x, e.CallClosed)]
    team = next((x.team for x in events if isinstance(x, e.UnitDispatched)), None)
    for case in ("K1", "C1"):
        mine = [x for x in events if getattr(x, "case", "") == case]
        begun: list[Any] = [(micros(x.at), 0, x.kind, x.team) for x in mine if isinstance(x, e.CaseOpened)]
        begun += [
            (micros(x.at), 1, "encounter", team) for x in ends if case == "C1" and x.outcome in ("services", "svc")
        ]
        start, _, kind, owner = min(begun, default=(0, 0, "", ""))
        for point in [p for t in SMALL.teams if t.code == owner for p in t.followups if kind in p.kinds]:
            opens, comes_due, lapses = (start + duration(text) for text in (point.opens, point.due, point.lapses))
            done: list[Any] = [
                (micros(x.at), 0, x.result)
                for x in mine
                if isinstance(x, e.FollowupAttempted) and x.followup == point.id and x.result != "no_contact"
            ]
            done = sorted(done + [(micros(x.at), 1, "closed") for x in mine if isinstance(x, e.CaseClosed)])
            state = STATES[bisect_right((opens, comes_due, lapses), now)]
            if not done and now < lapses + 30 * DAY:
                shown[owner, point.id, state] += 1
            if now - 30 * DAY < comes_due <= now:
                late = "_late" if done and done[0][2] == "completed" and done[0][0] >= comes_due else ""
                due[owner, point.id, done[0][2] + late if done else "missed" if state == "missed" else "pending"] += 1
    return shown, due


@pytest.mark.slow
@given(data=st.data(), history=case_histories())
@settings(deadline=None, max_examples=examples(1000))
def test_a_thousand_histories_agree_with_the_model(data: st.DataObject, history: list[Any]) -> None:
    bench = Bench()
    bench(*with_duplicates(data.draw, history, most=3), now=NOON + 60 * DAY)
    for now in (NOON + data.draw(_minutes) * MINUTE, NOON + data.draw(_minutes) * MINUTE):
        shown, due = model(history, now)
        found = bench.show("care_followups", at=now)
        assert Counter({(t, p, s): n for (t, _, p, s), n in found.items()}) == shown
        found = bench.show("care_followups_due", at=now)
        assert Counter({(t, p, r): n for (t, p, w, r), n in found.items() if w == "30d"}) == due


@given(data=st.data(), history=case_histories())
@settings(deadline=None, max_examples=examples(100))
def test_a_restart_in_the_middle_changes_nothing(data: st.DataObject, history: list[Any]) -> None:
    bench, store = Bench(), Store()
    cut = data.draw(st.integers(0, len(history)))
    bench(*history[:cut], now=NOON + 60 * DAY)
    store.put(bench.state.flush().items())
    again = Bench(records=store.records)
    for each in (bench, again):
        each(*history[cut:], now=NOON + 60 * DAY)
    now = NOON + data.draw(_minutes) * MINUTE
    assert numbers(again.state, now) == numbers(bench.state, now)


# --- work ----------------------------------------------------------------------------------------------------


def test_a_scrape_does_not_walk_the_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    """The work of a scrape is that of its rows of labels, however many cases there are."""
    asked = 0

    def counted(row: Any, at: Micros) -> int:
        nonlocal asked
        asked += 1
        return bisect_right(row, at)

    monkeypatch.setattr(times, "bisect_right", counted)
    work: list[int] = []
    for cases in (10, 3000):
        bench = Bench()
        for n in range(cases):
            start = utc(NOON + n * MINUTE)
            event = e.CaseOpened(
                id=f"o{n}", program="small", at=start, case=f"case{n}", kind="encounter", team="alpha", area="north"
            )
            bench(event, now=NOON)
        board = bench.state.cases.board
        board.states(NOON), board.due(NOON), board.active(NOON)  # takes in what came
        asked = 0
        now = NOON + 30 * HOUR
        assert sum(board.states(now).values()) == 2 * cases
        assert sum(board.active(now).values()) == cases
        assert board.next_lapse(now)
        assert board.due(now)
        work.append(asked)
    assert work[0] == work[1] < 100


def test_every_state_and_result_is_there_at_zero(bench: Bench) -> None:
    found = numbers(bench.state, NOON)
    for team, area, checkpoint in [("alpha", "north", "1d"), ("alpha", "other", "7d"), ("beta", "south", "72h")]:
        assert all(found["care_followups", (team, area, checkpoint, state)] == 0 for state in STATES)
        for window in ("7d", "30d"):
            assert all(found["care_followups_due", (team, checkpoint, window, result)] == 0 for result in RESULTS)
        for result in e.ATTEMPT_RESULTS:
            assert found["care_followup_attempts_total", (team, checkpoint, result)] == 0
    # an attempt may name a checkpoint of another team's plan: that series must not be born at 1
    for team, checkpoint in itertools.product(("alpha", "beta", "none", "other"), ("1d", "7d", "72h", "other")):
        assert found["care_followup_attempts_total", (team, checkpoint, "completed")] == 0
    assert all(found["care_cases_active", (kind,)] == 0 for kind in e.CASE_KINDS)
    assert ("care_followups", ("alpha", "south", "1d", "open")) not in found


def test_what_is_shown_ends_before_the_records_go() -> None:
    assert MISSED_FOR < KEPT
    assert datetime(2024, 1, 1) + timedelta(microseconds=MISSED_FOR) == datetime(2024, 1, 31)  # noqa: DTZ001
