"""The core, the whole way: events in, numbers out, through flushes, restarts and other program files."""

from __future__ import annotations

import json
import tomllib
from bisect import bisect_left
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from streams import door
from streams import events_next as events
from streams.catalogue.program import PROGRAM
from streams.catalogue.reading import Reading
from streams.catalogue.values import edges
from streams.clock import DAY, SECOND, Micros, micros
from streams.core import Core
from streams.programs import Profile
from streams.record import Effect
from tests.cases import CASES, FOLDER, Case, Question, come_by, moment
from tests.unit.examples import examples
from tests.unit.lives import NOON, Event, net, new_core, profile, shift

SMALL = profile()
AT = "2024-05-15T12:{:02}:00-05:00"
NOW: Micros = micros(NOON) + 3600 * SECOND


def event(id: str, kind: str, minute: int, /, **fields: Any) -> Event:
    return {"id": id, "type": kind, "program": "small", "at": AT.format(minute), **fields}


def apply(core: Core, told: Event, now: Micros = NOW) -> Effect | None:
    """What it did; None: it did not get past the door."""
    topic = events.topic_of(told)
    assert topic is not None
    program = told["program"]
    entered = door.enter_next(topic, program.encode(), json.dumps(told).encode(), {program}, now)
    return None if isinstance(entered, door.Rejected) else core.apply(entered[0], now, entered[1])


def lived(*told: Event, of: Profile = SMALL, groups: int = 1000) -> Core:
    core = new_core(of)
    for number, each in enumerate(told, 1):
        apply(core, each)
        if number % groups == 0:
            core.flush()
    core.flush()
    return core


def restarted(core: Core, of: Profile = SMALL) -> Core:
    core.flush()
    return new_core(of, dict(core.records()))


def read(core: Core, name: str, now: Micros = NOW) -> dict[tuple[str, ...], Any]:
    """The samples of a number that are not zero, as they are shown: without the program."""
    core.settle()
    families = Reading(PROGRAM, core.rules, core.counts, core.views).all(now)
    samples = next(samples for metric, samples in families if metric.name == name)
    return {labels[1:]: value for labels, value in samples if value}


CORRECTED = "care_facts_corrected_total"
C1 = {"call": "C1"}
RECEIVED = event("r", "call_received", 0, **C1, call_type="crisis", area="north", source="911")
LIFE = [
    RECEIVED,
    event("t", "call_triaged", 1, **C1, eligible=True),
    event("d", "unit_dispatched", 2, **C1, unit="U1"),
    event("e", "unit_en_route", 3, **C1, unit="U1"),
    event("o", "unit_on_scene", 8, **C1, unit="U1"),
    event("c", "unit_cleared", 30, **C1, unit="U1"),
    event("x", "call_closed", 31, **C1, outcome="no_contact", person="Ann"),
]


# --- corrections --------------------------------------------------------------------------------------------


def test_a_life_as_told_has_no_corrections_in_whatever_groups() -> None:
    for groups in (1, 2, 1000):
        core = lived(*LIFE, groups=groups)
        assert read(core, CORRECTED) == {}
        assert read(core, "care_calls_closed_total") == {("alpha", "north", "no_contact"): 1}


def test_an_outcome_put_right_counts_once_and_the_wrong_one_as_corrected_with_its_labels() -> None:
    core = lived(*LIFE)
    apply(core, LIFE[-1] | {"outcome": "services"})
    assert read(core, "care_calls_closed_total") == {
        ("alpha", "north", "no_contact"): 1,
        ("alpha", "north", "services"): 1,
    }
    assert read(core, CORRECTED) == {("care_calls_closed_total", "alpha", "north", "no_contact", "", ""): 1}
    assert read(core, "care_cases_active") == {("encounter",): 1}
    again = restarted(core)
    assert read(again, CORRECTED) == read(core, CORRECTED)
    assert read(again, "care_calls_closed_total") == read(core, "care_calls_closed_total")


def test_labels_without_a_column_are_joined_as_code() -> None:
    core = lived(*LIFE)
    apply(core, RECEIVED | {"area": "south", "source": "988"})
    core.settle()
    assert read(core, CORRECTED) == {
        ("care_calls_received_total", "", "north", "", "", "crisis/911"): 1,
        ("care_calls_closed_total", "alpha", "north", "no_contact", "", ""): 1,
        ("care_demand_total", "", "north", "", "served", ""): 1,
        ("care_police_involvement_total", "", "north", "", "", "none"): 1,
    }


def test_an_interval_that_is_taken_back_goes_to_the_histogram_of_corrections() -> None:
    core = lived(*LIFE)
    apply(core, LIFE[4] | {"at": AT.format(18)})
    back = read(core, "care_call_interval_corrected_seconds")
    assert back["alpha", "received_to_on_scene"].sum == 480
    assert sum(back["alpha", "received_to_on_scene"].counts) == 1
    shown = read(core, "care_call_interval_seconds")["alpha", "received_to_on_scene"]
    assert (sum(shown.counts), shown.sum) == (2, 480 + 1080)
    assert read(restarted(core), "care_call_interval_corrected_seconds").keys() == back.keys()


def test_needles_are_corrected_by_whole_facts() -> None:
    core = lived(*LIFE, event("n", "needles_collected", 9, **C1, count=7))
    apply(core, event("n", "needles_collected", 9, **C1, count=5))
    assert read(core, "care_needles_collected_total") == {("north",): 12}
    assert read(core, CORRECTED) == {("care_needles_collected_total", "", "north", "", "", ""): 7}


def test_a_withdrawn_call_is_no_more_and_all_it_counted_is_corrected() -> None:
    core = lived(*LIFE)
    for told in LIFE:
        assert apply(core, event("w" + told["id"], "withdrawn", 40, **C1, of=told["id"])) == "withdrawn"
    assert not any(name.startswith(("care_call", "care_demand", "care_people")) for name in net(core, NOW))
    again = restarted(core)
    assert net(again, NOW) == net(core, NOW)
    assert read(again, CORRECTED) == read(core, CORRECTED)
    assert apply(again, LIFE[0]) == "duplicate"  # its withdrawal still holds
    assert "care_calls_received_total" not in net(again, NOW)


def test_a_withdrawal_alone_makes_no_record() -> None:
    core = lived(event("w", "withdrawn", 1, call="C7", of="r"), event("v", "withdrawn", 1, case="K7", of="r"))
    assert set(net(core, NOW)) <= set(net(lived(), NOW))
    apply(core, RECEIVED | {"call": "C7"})  # came before what it takes back
    assert "care_calls_received_total" not in net(restarted(core), NOW)


def test_every_telling_again_of_a_flush_that_was_lost_counts_nothing_twice() -> None:
    core = lived(*LIFE)
    effects = [apply(core, told) for told in LIFE]
    assert set(effects) == {"duplicate"}
    assert core.flush() == {}


def test_a_record_that_is_corrected_for_ever_does_not_grow_for_ever() -> None:
    core, restarts = lived(*LIFE), 0
    sizes = []
    for revision in range(1, 301):
        minute, area = 8 + revision % 20, ("south", "north")[revision % 2]
        apply(core, LIFE[4] | {"at": AT.format(minute), "revision": revision})
        apply(core, RECEIVED | {"area": area, "revision": revision})
        core.flush()
        sizes.append(len(dict(core.records())["call/C1"]))
        if revision % 100 == 0:
            core = restarted(core)
            restarts += 1
    assert max(sizes[100:]) < max(sizes[:100]) + 100
    assert read(core, CORRECTED)["care_calls_received_total", "", "north", "", "", "crisis/911"] == 150
    shown = read(core, "care_call_interval_seconds")["alpha", "received_to_on_scene"]
    back = read(core, "care_call_interval_corrected_seconds")["alpha", "received_to_on_scene"]
    assert (sum(shown.counts), sum(back.counts)) == (301, 300)
    assert shown.sum - back.sum == 8 * 60
    assert [a - b for a, b in zip(shown.counts, back.counts, strict=True)].count(0) == len(shown.counts) - 1


def test_what_was_taken_back_is_archived_too() -> None:
    core = lived(*LIFE)
    apply(core, LIFE[4] | {"at": AT.format(18)})
    apply(core, RECEIVED | {"area": "south"})
    names = (CORRECTED, "care_call_interval_seconds", "care_call_interval_corrected_seconds")
    core.flush()
    expected = [read(core, name) for name in names]
    later = NOW + 60 * DAY
    apply(core, event("h", "heartbeat", 0, topic="status"), later)
    for _ in range(2):
        core.flush()
    assert not any(key.startswith("call/") for key, _ in core.records())
    assert [read(core, name, later) for name in names] == expected
    assert [read(restarted(core), name, later) for name in names] == expected


# --- time that units spent ----------------------------------------------------------------------------------


def status(id: str, minute: int, word: str, unit: str = "U1", team: str = "alpha") -> Event:
    return event(id, "unit_status", minute, unit=unit, team=team, status=word)


def test_a_late_status_lowers_no_counter_and_the_fall_is_corrected() -> None:
    core = lived(status("a", 0, "available"))
    assert read(core, "care_unit_seconds_total") == {("alpha", "available"): 3600}
    apply(core, status("b", 30, "unavailable"))
    assert read(core, "care_unit_seconds_total") == {("alpha", "available"): 3600, ("alpha", "unavailable"): 1800}
    assert read(core, CORRECTED)["care_unit_seconds_total", "alpha", "", "", "", "available"] == 1800
    assert read(restarted(core), "care_unit_seconds_total") == read(core, "care_unit_seconds_total")


@st.composite
def reads(draw: st.DrawFn) -> list[tuple[str, Any]]:
    """Statuses of two units in any order, corrected and withdrawn ones among them, with reads and restarts between."""
    told = [*draw(shift("U1")), *(each | {"id": "u" + each["id"]} for each in draw(shift("U2")))]
    told += [each | {"team": "beta"} for each in told if not draw(st.integers(0, 3))]
    common = {"program": "small", "type": "withdrawn"}
    told += [
        common | {"id": "w" + each["id"], "at": each["at"], "unit": each["unit"], "of": each["id"]}
        for each in told[:3]
        if draw(st.booleans())
    ]
    return [
        (draw(st.sampled_from(("goes on", "read", "read", "restarted"))), each) for each in draw(st.permutations(told))
    ]


@settings(deadline=None, max_examples=examples(80), suppress_health_check=list(HealthCheck))
@given(reads())
def test_counters_of_time_never_fall_and_less_corrections_are_exact(found: list[tuple[str, Any]]) -> None:
    core = new_core(SMALL)
    shown: dict[tuple[str, ...], float] = {}
    now = micros(NOON) + 2 * DAY
    for how, told in found:
        now += 60 * SECOND
        apply(core, told, now)
        if how == "restarted":
            core = restarted(core)
        if how != "goes on":
            new = {
                (name, *labels): value
                for name in ("care_unit_seconds_total", "care_staffing_seconds_total", CORRECTED)
                for labels, value in read(core, name, now).items()
            }
            assert {key: value for key, value in shown.items() if new.get(key, 0) < value - 1e-6} == {}
            shown = new
    plain = new_core(SMALL)
    for _, told in found:
        apply(plain, told, now)
    assert net(core, now) == net(plain, now)


# --- cases of everyday work ---------------------------------------------------------------------------------


def of_text(text: str) -> Profile:
    return msgspec.convert(tomllib.loads(text), Profile)


def core_of(case: Case, at: datetime, *, restarts: bool = False) -> tuple[Core, list[Effect | None]]:
    """The core of a case with all that has come by a time; under its last program file from that time on."""
    first, *later = (of_text(text) for text in case.texts())
    core, effects = new_core(first), []
    last: Micros = 0
    for told, came in zip(*come_by(case.events(), at), strict=True):
        last = max(last, micros(came))
        effects.append(apply(core, told, last))
        if restarts:
            core = restarted(core, first)
        else:
            core.flush()
    for of in later:
        core = restarted(core, of)
    heartbeat = {"id": "h", "type": "heartbeat", "program": first.program, "topic": "dispatch", "at": at.isoformat()}
    apply(core, heartbeat, max(last, micros(at)))
    core.flush()
    return core, effects


def wrong(case: Case, core: Core, question: Question) -> str:
    """What came out in the place of what must; nothing: it is right."""
    metric = PROGRAM[question.metric]
    found: list[Any] = []
    for labels, value in net(core, micros(moment(question.at))).get(question.metric, {}).items():
        if question.labels.items() <= dict(zip(metric.labels, labels, strict=True)).items():
            found.append(value)
    if isinstance(question.expected, tuple):
        return _wrong_spread(core, question.expected, found)
    return "" if sum(found) == question.expected else f"{question}: {found}"


def _wrong_spread(core: Core, expected: tuple[float, ...], found: list[Any]) -> str:
    bounds = edges([core.rules.profile])
    counts = [0] * (len(bounds) + 1)
    for seconds in expected:
        counts[bisect_left(bounds, round(seconds * SECOND))] += 1
    mine = [sum(row) for row in zip(*(row for row, _ in found), strict=True)] or [0] * len(counts)
    right = mine == counts and sum(total for _, total in found) == sum(expected)
    return "" if right else f"{expected}: {found}"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_case_of_everyday_work(case: Case) -> None:
    by_time: dict[str, list[Question]] = {}
    for question in case.questions:
        by_time.setdefault(question.at, []).append(question)
    answers = []
    for at, questions in by_time.items():
        core, _ = core_of(case, moment(at))
        answers += [wrong(case, core, question) for question in questions]
    assert not any(answers), "\n".join(filter(None, answers))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_case_with_a_restart_after_each_event(case: Case) -> None:
    at = max(moment(question.at) for question in case.questions)
    core, _ = core_of(case, at, restarts=True)
    again = restarted(core, core.files._profile)
    for question in case.questions:
        if moment(question.at) == at:
            assert not wrong(case, core, question)
            assert not wrong(case, again, question)


def case_of(name: str) -> Case:
    return next(case for case in CASES if case.name == name)


def test_an_area_renamed_moves_what_was_counted_and_corrects_it() -> None:
    at = moment("2026-07-15T13:05:00-05:00")
    core, _ = core_of(case_of("52-area-renamed"), at)
    now = micros(at)
    assert read(core, "care_calls_open", now) == {("east_side", "wellness_check", "waiting"): 1}
    assert read(core, CORRECTED, now) == {
        ("care_calls_received_total", "", "east", "", "", "wellness_check/other"): 2,
        ("care_calls_closed_total", "none", "east", "unrecorded", "", ""): 1,
        ("care_demand_total", "", "east", "", "unknown", ""): 1,
        ("care_police_involvement_total", "", "east", "", "", "none"): 1,
    }
    again = restarted(core, core.files._profile)
    assert again.files.before is None
    assert read(again, CORRECTED, now) == read(core, CORRECTED, now)
    assert net(again, now) == net(core, now)


def test_a_team_removed_keeps_what_it_owes_as_retired_until_that_is_done() -> None:
    case, at = case_of("53-team-removed"), moment("2026-07-20T14:00:00-05:00")
    core, _ = core_of(case, at)
    assert core.files.retired.teams == ("art",)
    assert read(core, CORRECTED, micros(at)) == {}
    assert read(core, "care_calls_closed_total", micros(at)) == {("art", "west", "services"): 1}
    done = {"id": "f", "type": "followup_attempted", "program": "springfield", "case": "A1", "followup": "7d"}
    apply(core, done | {"result": "completed", "at": "2026-07-22T14:00:00-05:00"}, micros(at) + 3 * DAY)
    assert read(core, "care_followup_attempts_total", micros(at) + 3 * DAY) == {("art", "7d", "completed"): 1}
    assert read(core, "care_followups", micros(at) + 3 * DAY) == {}
    later = micros(at) + 100 * DAY
    apply(
        core,
        {"id": "h", "type": "heartbeat", "program": "springfield", "topic": "dispatch"}
        | {"at": "2026-07-30T00:00:00Z"},
        later,
    )
    for _ in range(2):
        core.flush()
    again = restarted(core, core.files._profile)
    assert again.files.retired.teams == ()
    assert read(again, "care_calls_closed_total", later) == {("art", "west", "services"): 1}


def test_sent_again_after_45_days_five_statements_are_archived() -> None:
    case = case_of("55-sent-again-after-45-days")
    core, effects = core_of(case, moment("2026-05-01T12:02:00-05:00"))
    assert effects[5:] == ["applied", *["archived"] * 5]
    assert not any(key.startswith("call/") for key, _ in core.records())


def test_all_cases_are_asked_about() -> None:
    assert {case.name for case in CASES} == {folder.name for folder in Path(FOLDER).iterdir()}
