"""What a case is: the contract's sentences about cases and follow-ups, one example or two each, in words of the field."""

from __future__ import annotations

import itertools
from datetime import datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams import said as s
from streams.clock import DAY, NEVER, Micros, local_micros, micros
from streams.derive.case import derive_case, shown_until
from streams.derive.plan import Plans
from streams.entries import Case, Followup, Opening
from streams.programs import Profile
from streams.rules import Rules
from tests.unit.examples import examples

HOUR = DAY // 24
ALWAYS = {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "from": "00:00:00", "until": "00:00:00"}
PLAN = [
    {"id": "1d", "kinds": ["encounter"], "opens": "12h", "due": "24h", "lapses": "48h"},
    {
        "id": "7d",
        "kinds": ["encounter", "case_management"],
        "opens": "6d",
        "due": "7d",
        "lapses": "9d",
        "per": "person",
    },
]
LATER_PLAN = [{"id": "3d", "kinds": ["encounter"], "opens": "1d", "due": "3d", "lapses": "5d"}]


def team(code: str, **fields: Any) -> dict[str, Any]:
    return {"code": code, "label": code, "areas": ["north"], "hours": [ALWAYS], **fields}


ALPHA_UNTIL_JUNE = team("alpha", followups=PLAN, until="2026-06-01")
ALPHA_FROM_JUNE = team("alpha", followups=LATER_PLAN, since="2026-06-01")
BETA = team("beta", codes=["B7"], followups=LATER_PLAN)
BARE = team("bare")


def rules(*teams: dict[str, Any], areas: tuple[str, ...] = ("north", "south")) -> Rules:
    said = {
        "program": "small",
        "name": "Small",
        "timezone": "America/Chicago",
        "triages": True,
        "areas": {area: {"label": area, "codes": [area[0]]} for area in areas},
        "teams": list(teams or (ALPHA_UNTIL_JUNE, ALPHA_FROM_JUNE, BETA, BARE)),
        "call_types": {},
        "outcomes": {},
    }
    return Rules(msgspec.convert(said, Profile))


RULES = rules()
ids = (f"s{n}" for n in itertools.count())
#: A Tuesday at noon in Chicago; no clock changes for months.
NOON = micros(datetime.fromisoformat("2026-04-07T12:00:00-05:00"))
DAY_OF_NOON = RULES.day(NOON)


def at(days: float) -> Micros:
    """So many days after noon."""
    return NOON + round(days * DAY)


def opened(days: float = 0, team: str = "alpha", kind: Any = "encounter", **fields: Any) -> s.Opened:
    return s.Opened(next(ids), at(days), 0, kind=kind, team=team, **fields)


def attempt(days: float, result: Any = "completed", followup: str = "7d") -> s.Attempted:
    return s.Attempted(next(ids), at(days), 0, followup=followup, result=result)


def outreach(days: float, *, located: bool = False) -> s.Outreach:
    return s.Outreach(next(ids), at(days), 0, located=located)


def rescheduled(days: float, due: float, lapses: float | None = None, followup: str = "7d") -> s.Rescheduled:
    until = None if lapses is None else at(lapses)
    return s.Rescheduled(next(ids), at(days), 0, followup=followup, due=at(due), lapses=until)


def transferred(days: float, team: str = "beta") -> s.Transferred:
    return s.Transferred(next(ids), at(days), 0, team=team)


def closed(days: float) -> s.CaseClosed:
    return s.CaseClosed(next(ids), at(days), 0)


def reopened(days: float) -> s.CaseReopened:
    return s.CaseReopened(next(ids), at(days), 0)


def by_call(days: float = 0, team: str | None = "alpha", area: str = "north", person: int | None = None) -> Opening:
    return Opening(at(days), "encounter", team, area, person)


def case(
    *said: s.Said,
    by_call: Opening | None = None,
    rules: Rules = RULES,
    before: Case | None = None,
    forgotten: dict[int, Micros] | None = None,
) -> Case:
    found = derive_case("K1", sorted(said, key=s.place), by_call, rules, forgotten or {}, before)
    assert found is not None
    return found


def of(case: Case, checkpoint: str = "7d") -> Followup:
    return next(each for each in case.followups if each.checkpoint == checkpoint)


def times(each: Followup) -> list[float]:
    """Opens, due, lapses in days after noon."""
    return [(time - NOON) / DAY for time in (each.opens, each.due, each.lapses)]


def facts(case: Case, code: str) -> list[tuple[Any, ...]]:
    return [fact[2:] for fact in case.facts if fact[0] == code]


# --- how it begins -------------------------------------------------------------------------------------------


def test_of_nothing_said_there_is_no_case() -> None:
    assert derive_case("K1", [], None, RULES) is None


def test_a_call_opens_a_case_with_its_team_and_area() -> None:
    found = case(by_call=by_call(person=5))
    assert (found.state, found.kind, found.team, found.area, found.person) == (
        "active",
        "encounter",
        "alpha",
        "north",
        5,
    )
    assert found.call == "K1"
    assert found.last_said == NOON
    assert [each.checkpoint for each in found.followups] == ["1d", "7d"]
    assert times(of(found)) == [6, 7, 9]
    assert of(found).per == "person"


def test_a_call_without_a_team_opens_a_case_without_checkpoints() -> None:
    found = case(attempt(1), by_call=by_call(team=None))
    assert (found.state, found.team, found.followups) == ("active", "other", ())
    assert found.ends == at(30)
    assert facts(found, "attempt") == [("other", "7d", "completed", 1)]


def test_codes_are_mapped_and_what_is_not_told_is_other() -> None:
    assert case(opened(team=" b7 ", area="N")).team == "beta"
    assert case(opened(team=" b7 ", area="N")).area == "north"
    assert case(opened()).area == "other"


def test_case_opened_tells_how_a_case_of_a_call_began_too() -> None:
    found = case(opened(1, team="beta", kind="overdose"), by_call=by_call(person=5))
    assert found.opening == Opening(at(1), "overdose", "beta", "north", 5)
    assert found.call == "K1"


def test_a_case_whose_team_has_no_version_in_force_is_a_problem() -> None:
    problem = [("case_without_plan", 1)]
    assert facts(case(by_call=by_call(team=None)), "problem") == problem
    assert facts(case(opened(team="nobody")), "problem") == problem
    assert facts(case(opened(team="bare")), "problem") == [], "a plan without checkpoints is one"
    early = rules(team("alpha", followups=PLAN, since="2026-04-08"))
    assert case(opened(), rules=early).facts == (("problem", DAY_OF_NOON, "case_without_plan", 1),)
    assert facts(case(opened(1), rules=early), "problem") == []
    assert facts(case(attempt(1)), "problem") == [], "it was never opened"


def test_a_team_that_is_gone_from_the_file_had_its_plan() -> None:
    before = case(opened())
    assert case(opened(), rules=rules(BETA), before=before).facts == before.facts == ()
    early = rules(team("alpha", followups=PLAN, since="2026-04-08"))
    before = case(opened(), rules=early)
    assert facts(case(opened(), rules=rules(BETA), before=before), "problem") == [("case_without_plan", 1)]


def test_a_case_came_from_the_call_that_opened_it_else_from_the_one_that_its_last_opening_names() -> None:
    assert case(opened(call="c1"), opened(1), opened(2, call="c2"), opened(3)).call == "c2"
    assert case(opened(call="c1"), by_call=by_call(-1)).call == "K1"
    assert case(opened()).call is None


def test_of_two_openings_the_plan_stays_that_of_the_first() -> None:
    found = case(opened(person=1, area="n"), opened(2, team="beta", area="south", person=2))
    assert found.opening == Opening(at(0), "encounter", "alpha", "north", 1)
    assert times(of(found)) == [6, 7, 9]
    assert (found.team, found.area, found.person) == ("beta", "south", 2)
    assert of(found).team == "beta"


def test_what_a_later_opening_does_not_tell_stays_as_told() -> None:
    found = case(opened(person=1, area="n"), opened(2))
    assert (found.area, found.person) == ("north", 1)


def test_the_plan_is_that_of_the_version_in_force_on_the_local_day() -> None:
    last_hour = micros(datetime.fromisoformat("2026-05-31T23:30:00-05:00"))
    for later, checkpoints in ((0, ["1d", "7d"]), (HOUR, ["3d"])):
        opening = s.Opened("a", last_hour + later, 0, kind="encounter", team="alpha")
        assert [each.checkpoint for each in case(opening).followups] == checkpoints


def test_a_case_never_opened_counts_what_was_done_and_is_not_active() -> None:
    found = case(attempt(1), outreach(2, located=True))
    assert (found.state, found.opening, found.kind, found.followups) == ("never_opened", None, None, ())
    assert facts(found, "attempt") == [("other", "7d", "completed", 1)]
    assert facts(found, "outreach") == facts(found, "located") == [("other", 1)]
    assert case(closed(1)).state == "never_opened"
    assert case(closed(1), reopened(2)).state == "never_opened"


def test_a_person_who_is_forgotten_is_lost_by_statements_up_to_then() -> None:
    assert case(opened(person=7), forgotten={7: at(0)}).person is None
    assert case(opened(person=7), forgotten={7: at(0) - 1}).person == 7
    assert case(opened(person=7), forgotten={8: at(9)}).person == 7
    assert case(by_call=by_call(person=7), forgotten={7: at(0)}).person is None
    assert case(by_call=by_call(person=7), forgotten={7: at(-1)}).person == 7
    assert case(opened(person=7), opened(2, person=7), forgotten={7: at(1)}).person == 7


# --- attempts ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("days", "result", "resolution"),
    [
        (6.9, "completed", "completed"),
        (7, "completed", "completed_late"),
        (20, "completed", "completed_late"),
        (20, "declined", "declined"),
        (6.9, "no_contact", None),
    ],
)
def test_an_attempt_resolves_its_checkpoint(days: float, result: str, resolution: str | None) -> None:
    found = of(case(opened(), attempt(days, result)))
    assert (found.resolution, found.attempts) == (resolution, 1)
    assert found.at == (at(days) if resolution else None)


def test_the_later_of_completed_and_declined_holds() -> None:
    assert of(case(opened(), attempt(5, "declined"), attempt(6))).resolution == "completed"
    assert of(case(opened(), attempt(6, "declined"), attempt(5))).resolution == "declined"


def test_of_attempts_that_say_the_same_one_after_the_other_the_first_tells_when_it_was_done() -> None:
    found = of(case(opened(), attempt(5), attempt(5.5, "no_contact"), transferred(6), attempt(8)))
    assert (found.resolution, found.at, found.team) == ("completed", at(5), "alpha")
    found = of(case(opened(), attempt(5), attempt(6, "declined"), attempt(8)))
    assert (found.resolution, found.at) == ("completed_late", at(8))


def test_no_contact_never_undoes_what_was_completed() -> None:
    found = case(opened(), attempt(6), attempt(6.5, "no_contact"))
    assert (of(found).resolution, of(found).attempts) == ("completed", 2)
    assert facts(found, "attempt") == [("alpha", "7d", "completed", 1), ("alpha", "7d", "no_contact", 1)]


def test_an_attempt_says_nothing_about_other_checkpoints() -> None:
    found = case(opened(), attempt(1, "declined", "1d"))
    assert (of(found, "1d").resolution, of(found).resolution, of(found).attempts) == ("declined", None, 0)


def test_checkpoints_are_compared_without_case_and_blanks() -> None:
    found = case(opened(), attempt(6, followup=" 7D "), rescheduled(1, due=10, followup="7D"))
    assert of(found).resolution == "completed"
    assert of(found).due == at(10)
    assert facts(found, "attempt") == [("alpha", "7d", "completed", 1)]


def test_an_attempt_at_a_checkpoint_not_in_the_plan_is_counted() -> None:
    found = case(opened(), attempt(1, followup="3d"), attempt(1, followup="annual"))
    assert [each.resolution for each in found.followups] == [None, None]
    assert facts(found, "attempt") == [("alpha", "3d", "completed", 1), ("alpha", "other", "completed", 1)]


def test_visits_count_on_their_local_day_in_the_area_of_the_case() -> None:
    found = case(opened(area="south"), outreach(1), outreach(2, located=True))
    assert found.facts == (
        ("outreach", DAY_OF_NOON + 1, "south", 1),
        ("outreach", DAY_OF_NOON + 2, "south", 1),
        ("located", DAY_OF_NOON + 2, "south", 1),
    )


def test_unknown_codes_count_once_a_statement_that_tells_them() -> None:
    found = case(opened(team="zeta", area="moon"), opened(1, area="moon"), transferred(2, "zeta"))
    assert found.facts == (
        ("problem", DAY_OF_NOON, "case_without_plan", 1),
        ("unmapped", DAY_OF_NOON, "team", 1),
        ("unmapped", DAY_OF_NOON, "area", 1),
        ("unmapped", DAY_OF_NOON + 1, "area", 1),
        ("unmapped", DAY_OF_NOON + 2, "team", 1),
    )


# --- another team, another time ------------------------------------------------------------------------------


def test_after_a_transfer_follow_ups_stand_under_the_new_team_and_those_done_stay() -> None:
    found = case(opened(), attempt(1, followup="1d"), transferred(2), attempt(3, "no_contact"))
    assert found.team == "beta"
    assert (of(found, "1d").team, of(found).team) == ("alpha", "beta")
    assert [fact[0] for fact in facts(found, "attempt")] == ["alpha", "beta"]
    assert times(of(found)) == [6, 7, 9]


def test_what_is_closed_stays_with_the_team_that_closed_it() -> None:
    assert of(case(opened(), closed(2), transferred(3))).team == "alpha"
    assert of(case(opened(), transferred(2), closed(3))).team == "beta"


def test_an_attempt_before_the_opening_counts_for_the_team_that_opens() -> None:
    assert facts(case(attempt(-1), opened()), "attempt") == [("alpha", "7d", "completed", 1)]
    assert facts(case(attempt(-1), by_call=by_call()), "attempt") == [("alpha", "7d", "completed", 1)]


def test_a_team_told_before_a_call_opens_the_case_gives_way_to_the_team_of_the_call() -> None:
    assert case(transferred(-1), by_call=by_call()).team == "alpha"
    assert case(transferred(1), by_call=by_call()).team == "beta"


def test_a_time_agreed_with_the_person_replaces_due_and_lapse() -> None:
    assert times(of(case(opened(), rescheduled(1, due=8)))) == [6, 8, 10]
    assert times(of(case(opened(), rescheduled(1, due=8, lapses=20)))) == [6, 8, 20]
    assert times(of(case(opened(), rescheduled(1, due=8, lapses=7)))) == [6, 8, 8]


def test_a_time_agreed_earlier_opens_not_after_it_is_due() -> None:
    assert times(of(case(opened(), rescheduled(1, due=3)))) == [3, 3, 5]


def test_of_times_agreed_the_last_holds_and_decides_what_is_late() -> None:
    said = [opened(), rescheduled(1, due=8), rescheduled(2, due=10)]
    assert of(case(*said)).due == at(10)
    assert of(case(*said, attempt(9.9))).resolution == "completed"


def test_a_checkpoint_that_the_plan_does_not_have_cannot_be_rescheduled() -> None:
    assert [each.checkpoint for each in case(opened(), rescheduled(1, due=8, followup="3d")).followups] == ["1d", "7d"]


# --- closed and open -----------------------------------------------------------------------------------------


def test_a_close_ends_what_is_owed_and_what_had_lapsed_stays_missed() -> None:
    found = case(opened(), closed(8))
    assert (found.state, found.closed) == ("closed", at(8))
    assert (of(found, "1d").resolution, of(found).resolution) == ("missed", "closed")
    assert (of(found, "1d").at, of(found).at) == (at(8), at(8))


def test_a_follow_up_that_lapses_as_the_case_is_closed_is_missed() -> None:
    assert of(case(opened(), closed(2)), "1d").resolution == "missed"
    assert of(case(opened(), closed(1.9)), "1d").resolution == "closed"


def test_what_was_done_counts_as_done_also_after_the_close() -> None:
    assert of(case(opened(), closed(2), attempt(3))).resolution == "completed"
    assert of(case(opened(), attempt(2), closed(3))).resolution == "completed"


def test_what_fell_due_while_the_case_was_closed_stays_closed_and_the_rest_goes_on() -> None:
    found = case(opened(), closed(0.5), reopened(3))
    assert (found.state, found.closed) == ("active", None)
    assert (of(found, "1d").resolution, of(found, "1d").at) == ("closed", at(0.5))
    assert of(found).resolution is None


def test_what_was_due_or_missed_before_the_close_goes_on_after_the_reopening() -> None:
    assert of(case(opened(), closed(1.5), reopened(3)), "1d").resolution is None
    assert of(case(opened(), closed(2.5), reopened(3)), "1d").resolution is None


def test_falling_due_with_the_close_is_closed_and_with_the_reopening_is_owed() -> None:
    assert of(case(opened(), closed(7), reopened(8))).resolution == "closed"
    assert of(case(opened(), closed(6), reopened(7))).resolution is None


def test_case_opened_after_a_close_opens_it_again() -> None:
    found = case(opened(kind="case_management"), closed(2), opened(17, kind="case_management", team="beta"))
    assert (found.state, found.team, found.ends) == ("active", "beta", NEVER)
    assert of(found).resolution == "closed"


def test_a_close_before_the_opening_leaves_the_case_open() -> None:
    assert case(closed(-1), opened()).state == "active"
    assert case(closed(-1), by_call=by_call()).state == "active"


def test_at_equal_times_the_walk_decides() -> None:
    assert case(opened(), closed(0)).state == "closed"
    assert case(opened(), closed(1), reopened(1)).state == "active"
    assert case(closed(0), by_call=by_call()).state == "closed"


def test_a_reopening_of_an_open_case_says_nothing() -> None:
    assert case(opened(), reopened(1)).followups == case(opened()).followups


# --- how it ends by itself -----------------------------------------------------------------------------------


def test_a_case_is_done_thirty_days_after_its_last_lapse() -> None:
    assert case(opened()).ends == at(39)
    assert case(opened(), rescheduled(1, due=20)).ends == at(52)
    assert case(opened(team="bare")).ends == at(30)
    assert case(opened(kind="case_management")).ends == NEVER


def test_a_case_is_needed_as_long_as_it_goes_on_or_is_shown() -> None:
    assert shown_until(case(opened())) == at(39)
    assert shown_until(case(opened(kind="case_management"))) == NEVER
    assert shown_until(case(opened(kind="case_management"), closed(1))) == at(39)
    assert shown_until(case(outreach(1))) < NOON


# --- gone from the program file ------------------------------------------------------------------------------


def test_of_a_team_that_is_gone_the_follow_ups_stay() -> None:
    said = [opened(), attempt(1, followup="1d"), rescheduled(2, due=8)]
    before = case(*said)
    after = case(*said, rules=rules(BETA), before=before)
    assert after == before
    assert case(*said, attempt(7), rules=rules(BETA), before=after).followups[1].resolution == "completed"
    assert case(*said, rules=rules(BETA)).team == "other"
    assert case(*said, rules=rules(BETA)).followups == ()


def test_of_a_call_of_a_team_that_is_gone_the_case_stays() -> None:
    before = case(by_call=by_call())
    for gone in ("other", None):
        assert case(by_call=by_call(team=gone), rules=rules(BETA), before=before) == before
    assert case(by_call=by_call(team="beta"), rules=rules(BETA), before=before).team == "beta"
    assert case(by_call=by_call(1, team="other"), rules=rules(BETA), before=before).team == "other"


def test_a_retired_team_that_hands_over_keeps_the_plan() -> None:
    before = case(opened())
    found = case(opened(), transferred(1), rules=rules(BETA), before=before)
    assert found.team == "beta"
    assert [(each.checkpoint, each.team) for each in found.followups] == [("1d", "beta"), ("7d", "beta")]


def test_a_checkpoint_that_is_gone_stays_until_it_is_done() -> None:
    without = rules(team("alpha", followups=PLAN[:1]))
    before = case(opened(), attempt(1, "no_contact"))
    found = case(opened(), attempt(1, "no_contact"), rules=without, before=before)
    assert found == before
    assert [each.checkpoint for each in case(opened(), rules=without).followups] == ["1d"]


def test_a_checkpoint_of_another_version_is_not_retired() -> None:
    """The version of alpha from June on has other checkpoints; that of April has lost one that June has."""
    before = case(opened())
    moved = rules(
        team("alpha", followups=PLAN[:1], until="2026-06-01"), team("alpha", followups=PLAN, since="2026-06-01")
    )
    assert [each.checkpoint for each in case(opened(), rules=moved, before=before).followups] == ["1d"]


def test_an_area_that_is_gone_stays_the_area_of_the_case() -> None:
    for said, asked in (([opened(area="south")], None), ([], by_call(area="south"))):
        before = case(*said, by_call=asked)
        gone = asked and by_call(area="other")
        assert case(*said, by_call=gone, rules=rules(areas=("north",)), before=before).area == "south"


# --- plans ---------------------------------------------------------------------------------------------------


def test_days_are_local_calendar_days_and_hours_are_elapsed_time() -> None:
    friday = micros(datetime.fromisoformat("2026-03-06T15:30:00-06:00"))
    one_day, week = Plans(RULES.profile).of("alpha", "encounter", friday)
    assert one_day.lapses == micros(datetime.fromisoformat("2026-03-08T16:30:00-05:00"))  # one hour was skipped
    assert week.due == micros(datetime.fromisoformat("2026-03-13T15:30:00-05:00"))


@settings(max_examples=examples(200), deadline=None)
@given(st.integers(at(-60), at(240)), st.sampled_from(["alpha", "beta", "bare", "zeta"]))
def test_a_plan_shifted_from_midnight_is_the_plan_counted_anew(opening: Micros, team: str) -> None:
    plans = Plans(RULES.profile)
    counted = plans._count(team, "encounter", opening, local_micros(opening, RULES.profile.zone))
    assert plans.of(team, "encounter", opening) == counted


# --- anything at all -----------------------------------------------------------------------------------------

CODES = st.sampled_from(["alpha", "beta", "zeta", "b7", ""])
AREAS = st.sampled_from(["north", "s", "moon"])
LABELS = st.sampled_from(["north", "south", "other"])
CHECKPOINTS = st.sampled_from(["1d", "7d", "3d", "annual"])
AT = st.integers(-2, 90).map(lambda half: at(half / 2))
PERSONS = st.sampled_from([1, 2])
STATEMENT: st.SearchStrategy[s.Said] = st.one_of(
    st.builds(
        s.Opened,
        st.just(""),
        AT,
        st.just(0),
        kind=st.sampled_from(["encounter", "overdose", "case_management"]),
        team=CODES,
        area=st.none() | AREAS,
        person=st.none() | PERSONS,
        call=st.none() | st.just("c"),
    ),
    st.builds(
        s.Attempted,
        st.just(""),
        AT,
        st.just(0),
        followup=CHECKPOINTS,
        result=st.sampled_from(["completed", "no_contact", "declined"]),
    ),
    st.builds(s.Outreach, st.just(""), AT, st.just(0), located=st.booleans()),
    st.builds(s.Rescheduled, st.just(""), AT, st.just(0), followup=CHECKPOINTS, due=AT, lapses=st.none() | AT),
    st.builds(s.Transferred, st.just(""), AT, st.just(0), team=CODES),
    st.builds(s.CaseClosed, st.just(""), AT, st.just(0)),
    st.builds(s.CaseReopened, st.just(""), AT, st.just(0)),
)
#: Statements of a case in walk order, each with its own id.
STATEMENTS = st.lists(STATEMENT, max_size=8).map(
    lambda told: sorted((msgspec.structs.replace(x, id=f"{n}") for n, x in enumerate(told)), key=s.place)
)
ASKED = st.none() | st.builds(
    Opening, AT, st.just("encounter"), st.none() | st.sampled_from(["alpha", "beta"]), LABELS, st.none() | PERSONS
)


@settings(max_examples=examples(300), deadline=None)
@given(STATEMENTS, ASKED)
def test_whatever_is_said_a_case_is_whole(said: list[s.Said], asked: Opening | None) -> None:
    found = derive_case("K1", said, asked, RULES)
    if found is None:
        assert not said
        assert asked is None
        return
    has_opening = asked is not None or any(isinstance(x, s.Opened) for x in said)
    assert (found.state != "never_opened") == has_opening == (found.opening is not None) == (found.kind is not None)
    assert (found.state == "closed") == (found.closed is not None)
    assert len(facts(found, "attempt")) == sum(isinstance(x, s.Attempted) for x in said)
    for each in found.followups:
        assert each.opens <= each.due <= each.lapses
        assert (each.resolution is None) == (each.at is None)
        if found.state == "closed":
            assert each.resolution is not None
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(found), type=Case) == found


@settings(max_examples=examples(200), deadline=None)
@given(STATEMENTS, ASKED)
def test_what_it_was_changes_nothing_while_the_file_has_all(said: list[s.Said], asked: Opening | None) -> None:
    before = derive_case("K1", said[: len(said) // 2], asked, RULES)
    found = derive_case("K1", said, asked, RULES)
    assert derive_case("K1", said, asked, RULES, before=before) == found
    assert derive_case("K1", said, asked, RULES, before=found) == found
