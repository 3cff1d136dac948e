"""What a call is, by what was said about it: each rule of the contract's section 3 in the words of the field."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams.clock import NEVER, SECOND, Micros, micros
from streams.derive.call import derive_call
from streams.entries import Asks, Call
from streams.events import Agency, Channel, ReferralResult, Source, UnitStatusCode
from streams.programs import Listed, load
from streams.rules import Rules
from streams.said import (
    AnyOfCall,
    AtDestination,
    Cancelled,
    Cleared,
    Closed,
    Contact,
    Dispatched,
    EnRoute,
    Force,
    Merged,
    Needles,
    OnScene,
    PoliceRequested,
    Received,
    Referral,
    Reopened,
    Staged,
    Status,
    Transporting,
    Triaged,
    place,
)
from tests.unit.examples import examples
from tests.unit.plain_past import PlainPast

PROGRAMS = Path(__file__).parents[2] / "programs"
#: One team, ccr, noon to 22:00 every day, covers every area.
SEATTLE = load(PROGRAMS / "seattle.toml")
RULES = Rules(SEATTLE)
#: 1 p.m. of a Wednesday in Seattle.
ONE: Micros = micros(datetime(2026, 3, 4, 21, tzinfo=UTC))
DAY = RULES.day(ONE)


def at(minute: float) -> Micros:
    """So many minutes after one o'clock."""
    return ONE + round(minute * 60) * SECOND


def minute(when: Micros | None) -> float | None:
    """The minute after one o'clock of a time."""
    return None if when is None else (when - ONE) / (60 * SECOND)


# What is said; its id tells what and when, unless a test gives another.


def received(
    m: float, area: str = "downtown", source: Source | None = None, scheduled: float | None = None
) -> Received:
    when = None if scheduled is None else at(scheduled)
    return Received(f"received {m}", at(m), 0, "mental_health", area, source, when)


def triaged(m: float, eligible: bool = True, call_type: str | None = None, area: str | None = None) -> Triaged:
    return Triaged(f"triaged {m}", at(m), 0, eligible, call_type, area)


def dispatched(m: float, unit: str = "M1", agency: Agency | None = None, team: str | None = "ccr") -> Dispatched:
    return Dispatched(f"dispatched {unit} {m}", at(m), 0, unit, agency, team if agency in (None, "care") else None)


def en_route(m: float, unit: str = "M1", agency: Agency | None = None) -> EnRoute:
    return EnRoute(f"en route {unit} {m}", at(m), 0, unit, agency)


def staged(m: float, unit: str = "M1") -> Staged:
    return Staged(f"staged {unit} {m}", at(m), 0, unit)


def on_scene(m: float, unit: str = "M1", agency: Agency | None = None) -> OnScene:
    return OnScene(f"on scene {unit} {m}", at(m), 0, unit, agency)


def contact(m: float, unit: str | None = "M1", channel: Channel = "in_person", team: str | None = None) -> Contact:
    return Contact(f"contact {unit} {m}", at(m), 0, unit, team, channel)


def transporting(m: float, unit: str = "M1", to: str | None = None) -> Transporting:
    return Transporting(f"transporting {unit} {m}", at(m), 0, unit, None, to)


def at_destination(m: float, unit: str = "M1", to: str | None = None) -> AtDestination:
    return AtDestination(f"at destination {unit} {m}", at(m), 0, unit, None, to)


def cleared(m: float, unit: str = "M1") -> Cleared:
    return Cleared(f"cleared {unit} {m}", at(m), 0, unit)


def cancelled(m: float, unit: str = "M1") -> Cancelled:
    return Cancelled(f"cancelled {unit} {m}", at(m), 0, unit)


def closed(m: float, outcome: str | None = "services", reason: str | None = None, **more: Any) -> Closed:
    return Closed(f"closed {m}", at(m), 0, outcome, reason, **more)


def reopened(m: float) -> Reopened:
    return Reopened(f"reopened {m}", at(m), 0)


def merged(m: float, into: str = "B1") -> Merged:
    return Merged(f"merged {into} {m}", at(m), 0, into)


def referral(
    m: float, service: str = "housing", result: ReferralResult = "offered", partner: str | None = None
) -> Referral:
    return Referral(f"referral {service} {m}", at(m), 0, service, partner, result)


def status(m: float, status: UnitStatusCode, team: str = "ccr") -> Status:
    return Status(f"{status} {m}", at(m), 0, status, team)


def call(
    *said: AnyOfCall,
    others: Mapping[str, Sequence[Any]] | None = None,  # of calls, as all that is told here
    statuses: Mapping[str, Sequence[Status]] | None = None,
    rules: Rules = RULES,
    into: str | None = None,
) -> Call:
    """Call A1, told in any order."""
    walk = sorted(said, key=place)
    past = PlainPast(rules, walk, others, statuses)
    return derive_call("A1", walk, rules, past, into, {"A1", "B1", "C1"}.__contains__)


def facts(entry: Call, code: str) -> list[tuple[str | int, ...]]:
    """What is counted under a code: local day after DAY, labels, amount."""
    return [(int(day) - DAY, *rest) for found, day, *rest in entry.facts if found == code]


def seconds(entry: Call) -> dict[str, float]:
    """The intervals of a call with one response."""
    found = {str(interval): int(length) / SECOND for _, _, _, interval, length in facts(entry, "interval")}
    assert len(found) == len(facts(entry, "interval")), "an interval twice: ask the facts"
    return found


def problems(entry: Call) -> list[str]:
    return [str(problem) for _, problem, _ in facts(entry, "problem")]


def of_program(**changed: Any) -> Rules:
    return Rules(msgspec.structs.replace(SEATTLE, **changed))


SERVED = (received(0), triaged(1), dispatched(2), en_route(3), on_scene(10), cleared(40), closed(41))

# --- the common way -----------------------------------------------------------------------------------------


def test_a_call_from_its_receipt_to_its_close() -> None:
    entry = call(*SERVED)
    assert (entry.state, entry.team, entry.area, entry.call_type) == ("closed", "ccr", "downtown", "mental_health")
    assert (entry.served, entry.result, entry.outcome, minute(entry.closed)) == ("served", "served", "services", 41)
    assert facts(entry, "received") == [(0, "downtown", "mental_health", "other", 1)]
    assert facts(entry, "closed") == [(0, "ccr", "downtown", "mental_health", "services", "served", "none", 1)]
    assert seconds(entry) == {
        "received_to_dispatched": 120,
        "eligible_to_dispatched": 120,
        "received_to_on_scene": 600,
        "eligible_to_on_scene": 600,
        "received_to_contact": 600,
        "dispatched_to_on_scene": 480,
        "dispatched_to_en_route": 60,
        "en_route_to_on_scene": 420,
        "on_scene_to_cleared": 1800,
        "dispatched_to_cleared": 2280,
    }
    assert entry.case is not None
    assert (minute(entry.case.at), entry.case.team, entry.case.area) == (41, "ccr", "downtown")
    assert problems(entry) == []


def test_a_call_that_was_just_received_waits() -> None:
    entry = call(received(0))
    assert (entry.state, minute(entry.since), entry.team) == ("open", 0, "none")
    assert entry.dispatch_open
    assert entry.arrival_open
    assert (entry.closed, entry.result, entry.outcome, entry.case) == (None, None, None, None)
    assert len(entry.facts) == 1


def test_a_call_that_was_never_received_is_one_all_the_same() -> None:
    entry = call(dispatched(2), on_scene(10))
    assert (entry.state, entry.area, entry.call_type, minute(entry.since)) == ("open", "other", "other", 2)
    assert facts(entry, "received") == []
    assert problems(entry) == ["no_receipt"]
    assert "received_to_on_scene" not in seconds(entry)


def test_as_a_call_goes_on_its_facts_are_only_added_to() -> None:
    said = (*SERVED[:5], dispatched(11, "M2"), contact(12), on_scene(15, "M2"), *SERVED[5:])
    before = call(said[0]).facts
    for n in range(2, len(said) + 1):
        after = call(*said[:n]).facts
        # until a contact is told, the arrival stands for it
        assert after[: len(before)] == before or said[n - 1] == contact(12)
        before = after


def test_an_entry_survives_its_record() -> None:
    entry = call(*SERVED)
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(entry), type=Call) == entry


# --- fields -------------------------------------------------------------------------------------------------


def test_the_last_in_the_walk_tells_area_and_type_and_the_earliest_receipt_the_time() -> None:
    entry = call(
        received(0, area="sodo"), triaged(1, call_type="intoxication", area="downtown"), received(-1, area="ballard")
    )
    assert (entry.area, entry.call_type, minute(entry.received)) == ("downtown", "intoxication", -1)
    assert facts(entry, "received") == [(0, "downtown", "intoxication", "other", 1)]


def test_codes_that_the_program_does_not_know_count_once_a_statement() -> None:
    entry = call(received(0, area="atlantis"), triaged(1, area="atlantis"), referral(5, "moon"), closed(9, "SVC-2026"))
    assert (entry.area, entry.outcome) == ("other", "other")
    assert facts(entry, "unmapped") == [(0, "area", 1), (0, "area", 1), (0, "service", 1), (0, "outcome", 1)]


# --- spells -------------------------------------------------------------------------------------------------


def test_a_later_close_corrects_what_the_call_was_closed_with_and_not_when() -> None:
    entry = call(received(0), on_scene(5), closed(30, "no_contact"), closed(120, "services", person=7))
    assert (minute(entry.closed), entry.outcome, entry.people) == (30, "services", (7,))
    assert len(facts(entry, "closed")) == 1


def test_an_outcome_that_a_later_close_does_not_tell_stays() -> None:
    assert call(received(0), closed(30, "refused"), closed(40, None)).outcome == "refused"


def test_a_call_is_reopened_by_word_and_judged_from_then_on() -> None:
    entry = call(*SERVED, reopened(60))
    assert (entry.state, entry.spell, minute(entry.since)) == ("open", 1, 60)
    assert (entry.served, entry.served_in_spell) == ("served", "no")
    assert entry.dispatch_open
    assert facts(entry, "reopened") == [(0, "downtown", 1)]
    assert len(facts(entry, "closed")) == 1, "the earlier close keeps counting"
    assert minute(entry.closed) == 41
    assert entry.case is not None


def test_the_close_of_the_last_spell_gives_date_and_outcome() -> None:
    entry = call(received(0), closed(30, "no_contact"), reopened(40), on_scene(50), closed(60, "services"))
    assert (entry.state, minute(entry.closed), entry.outcome, entry.result) == ("closed", 60, "services", "served")
    assert len(facts(entry, "closed")) == 1


def test_an_outcome_of_an_earlier_spell_does_not_stand_in() -> None:
    entry = call(received(0), closed(30, "no_contact"), reopened(40), closed(60, None))
    assert entry.outcome == "unrecorded"
    assert problems(entry) == ["unrecorded_outcome"]


@pytest.mark.parametrize("goes", [dispatched, en_route, on_scene])
def test_a_unit_that_goes_again_reopens_the_call(goes: Any) -> None:
    entry = call(received(0), closed(30), goes(32))
    assert (entry.state, minute(entry.since), len(facts(entry, "reopened"))) == ("open", 32, 1)


def test_police_that_go_again_reopen_it_too() -> None:
    assert call(received(0), closed(30), dispatched(40, "P1", "police")).state == "open"


@pytest.mark.parametrize(
    "said",
    [
        [dispatched(31)],  # 60 s after the close, not more
        [closed(35), en_route(36)],  # the close that counts is the last before it
        [received(40)],  # a second receipt
        [staged(40)],
        [cleared(40)],
        [contact(40)],
    ],
)
def test_nothing_else_reopens_a_call(said: list[AnyOfCall]) -> None:
    assert call(received(0), closed(30), *said).state == "closed"


def test_a_reopening_of_an_open_call_says_nothing() -> None:
    entry = call(received(0), reopened(10))
    assert (entry.spell, facts(entry, "reopened")) == (0, [])


def test_a_close_before_the_receipt_closes_and_only_a_word_undoes_it() -> None:
    entry = call(closed(-5), received(0), dispatched(10), on_scene(20))
    assert (entry.state, minute(entry.closed), entry.result) == ("closed", -5, "served")
    assert problems(entry) == ["closed_before_received"]
    assert call(closed(-5), received(0), reopened(10)).state == "open"


def test_without_a_receipt_a_close_is_as_any_other() -> None:
    assert call(closed(-5), dispatched(10)).state == "open"


# --- merged -------------------------------------------------------------------------------------------------


def test_a_merged_call_is_a_duplicate_and_never_counts_as_closed() -> None:
    said = (received(0), dispatched(2), merged(5), closed(6, person=9))
    entry = call(*said, into="B1")
    assert (entry.state, entry.into, entry.responses, entry.case) == ("merged", "B1", (), None)
    assert facts(entry, "received") == [(0, "downtown", "mental_health", "other", 1)]
    assert facts(entry, "merged") == facts(entry, "duplicate") == [(0, "downtown", 1)]
    assert facts(entry, "closed") == facts(entry, "interval") == []
    assert entry.people == (9,)
    assert problems(entry) == []


def test_what_units_did_on_a_merged_call_is_walked_with_the_other() -> None:
    entry = call(
        received(0), on_scene(10, "M2"), closed(30, None)
    )  # the arrival was told of a call merged into this one
    assert (entry.result, entry.team) == ("served", "other")


def test_a_merge_that_does_not_hold_hides_nothing_and_is_a_problem() -> None:
    entry = call(received(0), merged(5, into="A1"), merged(6, into="unheard-of"))
    assert (entry.state, entry.into) == ("open", None)
    assert problems(entry) == ["merge_ignored", "merge_ignored"]


def test_only_a_word_undoes_a_merge() -> None:
    said = (received(0), merged(5), dispatched(10), reopened(20))
    assert call(*said[:3], into="B1").state == "merged"
    entry = call(*said)
    assert (entry.state, minute(entry.since), len(facts(entry, "reopened"))) == ("open", 20, 1)
    assert (facts(entry, "merged"), problems(entry)) == ([], [])
    assert len(entry.responses) == 1, "what its units did is its own again"


def test_of_several_merges_the_last_counts_and_the_first_ends_the_spell() -> None:
    night = 11 * 60  # midnight
    said = (received(0), merged(5, "C1"), closed(7), merged(night, "B1"), merged(night + 1, "unheard-of"))
    entry = call(*said, into="B1")
    assert facts(entry, "merged") == [(1, "downtown", 1)]
    assert problems(entry) == ["merge_ignored"]
    assert call(*said, reopened(night + 2)).spell == 1


@pytest.mark.parametrize(("into", "undone_too"), [("A1", ["merge_ignored"]), ("unheard-of", [])])
def test_a_merge_that_is_passed_over_ends_no_spell_also_where_it_was_undone(into: str, undone_too: list[str]) -> None:
    entry = call(received(0), merged(5, into), dispatched(10))
    assert (entry.state, problems(entry)) == ("open", ["merge_ignored"])
    entry = call(received(0), merged(5, into), reopened(20))
    assert (entry.spell, minute(entry.since), problems(entry)) == (0, 0, undone_too)


def test_calls_that_are_merged_in_a_circle_are_not_merged() -> None:
    entry = call(received(0), merged(4, "C1"), merged(5, "B1"), into=None)
    assert (entry.state, problems(entry)) == ("open", ["merge_ignored", "merge_ignored"])


# --- units on a call ----------------------------------------------------------------------------------------


def test_of_two_arrivals_in_one_response_the_earlier_holds() -> None:
    entry = call(received(0), dispatched(2), on_scene(12), on_scene(10))
    assert [minute(each.on_scene) for each in entry.responses] == [10]


def test_a_unit_that_cleared_and_goes_again_responds_twice() -> None:
    entry = call(received(0), dispatched(2), on_scene(10), cleared(20), en_route(30), on_scene(40))
    assert [(minute(each.begins), minute(each.on_scene), each.ended) for each in entry.responses] == [
        (2, 10, "cleared"),
        (30, 40, "works"),
    ]


def test_a_point_told_after_a_clear_goes_on_with_the_same_response() -> None:
    (response,) = call(received(0), dispatched(2), on_scene(10), cleared(20), contact(25), cleared(30)).responses
    assert (minute(response.ends), response.ended, minute(response.cleared)) == (30, "cleared", 20)
    (response,) = call(received(0), dispatched(2), cleared(20), on_scene(25)).responses
    assert (response.ends, response.ended) == (NEVER, "works")


def test_a_clear_after_the_end_is_told_and_no_more() -> None:
    others = {"B1": [dispatched(8)]}
    (response,) = call(received(0), dispatched(5), cleared(20), others=others).responses
    assert (response.ended, minute(response.ends), minute(response.cleared)) == ("diverted", 8, 20)
    (response,) = call(received(0), dispatched(5), cancelled(20), others=others).responses
    assert (response.ended, minute(response.ends), minute(response.cancelled)) == ("diverted", 8, 20)
    (response,) = call(received(0), dispatched(5), cleared(7), others=others).responses
    assert (response.ended, minute(response.ends)) == ("cleared", 7), "it ended before the unit was sent elsewhere"
    (response,) = call(received(0), dispatched(5), on_scene(10), cleared(20), cleared(30)).responses
    assert (response.ended, minute(response.ends)) == ("cleared", 20)
    (response,) = call(received(0), dispatched(5), cleared(20), on_scene(25), cleared(30), others=others).responses
    assert (response.ended, minute(response.ends)) == ("cleared", 30), "its arrival resumed the response"


def test_who_sets_out_after_a_clear_that_came_after_the_end_responds_anew() -> None:
    entry = call(received(0), dispatched(5), cleared(20), en_route(30), others={"B1": [dispatched(8)]})
    assert [(each.ended, minute(each.begins)) for each in entry.responses] == [("diverted", 5), ("works", 30)]


def test_a_clear_before_all_else_belongs_to_the_response_that_follows() -> None:
    (response,) = call(cleared(1), dispatched(2), on_scene(10)).responses
    assert (minute(response.begins), minute(response.cleared), response.ended) == (2, 1, "works")
    assert call(received(0), cleared(1)).responses == ()


def test_a_clear_and_a_cancellation_at_once_are_a_clear() -> None:
    for said in ((cleared(5), cancelled(5)), (cancelled(5), Cleared("a", at(5), 0, "M1"))):
        assert call(received(0), dispatched(2), *said).responses[0].ended == "cleared"


def test_a_unit_works_on_the_call_that_it_arrived_at_last() -> None:
    others = {"B1": [dispatched(25), on_scene(40)]}
    entry = call(received(0), dispatched(5), on_scene(10), others=others)
    assert [(each.ended, minute(each.ends)) for each in entry.responses] == [("on_scene_elsewhere", 40)]
    assert problems(entry) == ["unit_on_two_scenes"]
    assert not entry.arrival_open


def test_a_unit_that_is_en_route_elsewhere_left_its_scene() -> None:
    entry = call(received(0), dispatched(5), on_scene(10), others={"B1": [en_route(40)]})
    assert (entry.responses[0].ended, problems(entry)) == ("elsewhere", [])


def test_a_diverted_unit_leaves_the_call_waiting_again() -> None:
    entry = call(received(0), dispatched(5), en_route(6), others={"B1": [dispatched(8)]})
    assert [(each.ended, minute(each.ends)) for each in entry.responses] == [("diverted", 8)]
    assert facts(entry, "diverted") == [(0, "ccr", 1)]
    assert entry.dispatch_open
    assert entry.arrival_open


def test_police_that_are_diverted_do_not_count() -> None:
    entry = call(received(0), dispatched(5, "P1", "police"), others={"B1": [dispatched(8, "P1", "police")]})
    assert (entry.responses[0].ended, facts(entry, "diverted")) == ("diverted", [])


def test_what_is_told_elsewhere_at_the_time_of_a_point_here_ends_nothing() -> None:
    entry = call(received(0), dispatched(5), en_route(8), others={"B1": [dispatched(8)]})
    assert entry.responses[0].ended == "works"


def test_a_unit_that_was_diverted_and_comes_all_the_same() -> None:
    others = {"B1": [dispatched(8), cleared(9)]}
    entry = call(received(0), dispatched(5), on_scene(20), others=others)
    assert [each.ended for each in entry.responses] == ["works"], "its arrival resumes the response"
    entry = call(received(0), dispatched(5), en_route(10), on_scene(20), others=others)
    assert [each.ended for each in entry.responses] == ["diverted", "works"], "to set out anew begins another"


def test_an_available_unit_has_left() -> None:
    entry = call(
        received(0), dispatched(5), on_scene(10), statuses={"M1": [status(0, "available"), status(50, "available")]}
    )
    assert (entry.responses[0].ended, minute(entry.responses[0].ends)) == ("available", 50)


def test_a_unit_off_duty_is_taken_away_only_before_it_reached_the_call() -> None:
    off = {"M1": [status(9, "off_duty")]}
    assert call(received(0), dispatched(5), statuses=off).responses[0].ended == "off_duty"
    assert call(received(0), dispatched(5), staged(8), statuses=off).responses[0].ended == "works"


def test_a_stacked_dispatch_is_shown_from_when_the_unit_leaves() -> None:
    others = {"B1": [on_scene(1), cleared(30)]}
    (response,) = call(received(0), dispatched(5), others=others).responses
    assert (minute(response.begins), minute(response.shown_from), response.ended) == (5, 30, "works")
    (response,) = call(received(0), dispatched(5), en_route(20), others=others).responses
    assert minute(response.shown_from) == 20
    (response,) = call(received(0), dispatched(5), others={"B1": [on_scene(1)]}).responses
    assert response.shown_from == NEVER


def test_the_status_with_which_a_stacked_unit_leaves_does_not_take_it_away() -> None:
    others = {"B1": [staged(1), on_scene(7)]}
    statuses = {"M1": [status(30, "available")]}
    (response,) = call(received(0), dispatched(5), others=others, statuses=statuses).responses
    assert (minute(response.shown_from), response.ended) == (30, "works")
    statuses = {"M1": [status(30, "available"), status(33, "available")]}
    (response,) = call(received(0), dispatched(5), others=others, statuses=statuses).responses
    assert (response.ended, minute(response.ends)) == ("available", 33)


def test_a_stacked_unit_that_goes_to_a_third_call_is_taken_away() -> None:
    others: dict[str, Sequence[Any]] = {"B1": [on_scene(1)], "C1": [dispatched(6), en_route(30)]}
    (response,) = call(received(0), dispatched(5), others=others).responses
    assert (response.ended, minute(response.ends)) == ("elsewhere", 30)


def test_a_stacked_unit_that_goes_off_duty_is_taken_away() -> None:
    (response,) = call(
        received(0), dispatched(5), others={"B1": [on_scene(1)]}, statuses={"M1": [status(9, "off_duty")]}
    ).responses
    assert response.ended == "off_duty"


def test_the_en_route_of_a_stacked_unit_belongs_to_its_dispatch() -> None:
    entry = call(
        received(0),
        dispatched(5),
        en_route(31),
        others={"B1": [on_scene(1), cleared(30)]},
        statuses={"M1": [status(30, "available")]},
    )
    assert seconds(entry)["dispatched_to_en_route"] == 26 * 60


def test_a_cancelled_unit_was_not_sent() -> None:
    entry = call(received(0), dispatched(2), cancelled(3), closed(9, "services"))
    assert (entry.responses[0].ended, entry.result, entry.team) == ("cancelled", "served_remotely", "none")
    assert call(received(0), dispatched(2), closed(9, "services")).result == "served"


def test_a_call_whose_only_unit_was_taken_away_is_open_to_its_targets_again() -> None:
    assert not call(received(0), dispatched(2)).dispatch_open
    assert call(received(0), dispatched(2), cancelled(3)).dispatch_open
    assert call(received(0), dispatched(2)).arrival_open
    assert not call(received(0), dispatched(2), contact(9)).arrival_open
    assert not call(received(0), transporting(9)).dispatch_open, "a later point is known"
    assert call(received(0), contact(9, None, "phone")).arrival_open


def test_a_unit_on_its_way_since_before_the_reopening_is_still_sent() -> None:
    entry = call(received(0), dispatched(2), closed(5), reopened(6))
    assert (entry.dispatch_open, entry.arrival_open, entry.responses[0].spell) == (False, True, 0)


def test_agency_and_team_of_a_unit() -> None:
    units = {"P1": Listed(agency="police"), "M1": Listed(aliases=("Medic 1",), team="ccr")}
    rules = of_program(units=units)
    said: list[AnyOfCall] = [received(0), on_scene(5, "P1"), on_scene(10, " MEDIC 1"), on_scene(11, "M2")]
    entry = call(*said, rules=rules, statuses={"M2": [status(11, "on_scene", "ccr")]})
    assert [(each.unit, each.agency, each.team) for each in entry.responses] == [
        ("P1", "police", "other"),
        ("M1", "care", "ccr"),
        ("M2", "care", "ccr"),
    ]
    told = call(received(0), dispatched(2, "P1", "care", team=None), on_scene(5, "P1"), rules=rules)
    assert told.responses[0].agency == "care", "as told there"
    late = call(received(0), on_scene(11, "M2"), rules=rules, statuses={"M2": [status(12, "on_scene")]})
    assert late.responses[0].team == "other", "its status came after its first point"


# --- served, team of the call -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "how"),
    [
        ([on_scene(5)], "served"),
        ([transporting(5)], "served"),
        ([at_destination(5)], "served"),
        ([contact(5)], "served"),
        ([contact(5, None)], "served"),
        ([dispatched(5), closed(9, "services_transfer")], "served"),
        ([closed(9, "services")], "served_remotely"),
        ([contact(5, None, "phone")], "served_remotely"),
        ([contact(5, "M1", "video")], "served_remotely"),
        ([staged(5)], "no"),
        ([dispatched(5), closed(9, "refused")], "no"),
        ([on_scene(5, "P1", "police")], "no"),
        ([on_scene(5, "P1", "police"), contact(6, "P1")], "no"),
        ([], "no"),
    ],
)
def test_served(said: list[AnyOfCall], how: str) -> None:
    assert call(received(0), *said).served == how


def test_team_of_the_call() -> None:
    teams = {"M1": "ccr", "M2": "two", "M3": "three"}
    profile = msgspec.structs.replace(
        SEATTLE, teams=tuple(msgspec.structs.replace(SEATTLE.teams[0], code=code) for code in teams.values())
    )

    def team(*said: AnyOfCall) -> str:
        sent = [dispatched(m, unit, team=teams[unit]) for m, unit in ((1, "M3"), (2, "M2"), (2, "M1"))]
        return call(received(0), *sent, *said, rules=Rules(profile)).team

    assert team(contact(3, "M3"), transporting(4, "M2"), on_scene(5, "M1")) == "ccr", "first on scene"
    assert team(contact(3, "M3"), transporting(4, "M2")) == "two", "else on transport"
    assert team(contact(3, "M3"), contact(4, None, team="two")) == "three", "else in contact"
    assert team(contact(4, None, "phone", team="two")) == "two", "else the first contact"
    assert team() == "three", "else first dispatched"
    assert team(cancelled(9, "M3")) == "ccr", "cancelled ones do not count; of two at once the first id"
    assert team(*(cancelled(9, unit) for unit in teams)) == "none"
    assert team(on_scene(9, "M2"), on_scene(9, "M1")) == "ccr"


# --- intervals ----------------------------------------------------------------------------------------------


def test_a_call_that_the_team_came_upon_tells_nothing_of_waiting() -> None:
    waits = {"received_to_dispatched", "received_to_on_scene", "received_to_contact", "eligible_to_dispatched"}
    assert not waits & seconds(call(received(0, source="self"), dispatched(2), on_scene(9))).keys()
    assert not waits & seconds(call(received(0, scheduled=60), dispatched(62), on_scene(70))).keys()
    assert not waits & seconds(call(received(1), on_scene(0))).keys(), "there 60 s before the receipt"
    assert facts(call(received(1), on_scene(0)), "disorder") == []
    assert facts(call(received(1.1), on_scene(0)), "disorder") == [
        (0, "received_to_on_scene", 1),
        (0, "eligible_to_on_scene", 1),
        (0, "received_to_contact", 1),
    ]


def test_the_first_spell_of_a_reopened_call_counts() -> None:
    entry = call(received(0), closed(30, "no_contact"), dispatched(40), on_scene(50))
    assert seconds(entry) == {}
    entry = call(received(0), dispatched(2), closed(30, "no_contact"), reopened(40), dispatched(42), on_scene(50))
    assert seconds(entry)["received_to_dispatched"] == 120
    assert "received_to_on_scene" not in seconds(entry)


def test_intervals_of_two_units() -> None:
    entry = call(received(0), dispatched(2, "M1"), dispatched(3, "M2"), on_scene(9, "M2"), on_scene(10, "M1"))
    assert facts(entry, "interval")[2:6] == [
        (0, "ccr", "downtown", "received_to_on_scene", 540 * SECOND),
        (0, "ccr", "downtown", "eligible_to_on_scene", 540 * SECOND),
        (0, "ccr", "downtown", "received_to_contact", 540 * SECOND),
        (0, "ccr", "downtown", "dispatched_to_on_scene", 360 * SECOND),
    ]


def test_without_its_own_dispatch_the_first_arrival_has_no_way() -> None:
    entry = call(received(0), dispatched(2, "M1"), on_scene(9, "M2"))
    assert "dispatched_to_on_scene" not in seconds(entry)


def test_other_agencies_make_no_intervals() -> None:
    entry = call(received(0), dispatched(2, "P1", "police"), on_scene(9, "P1"), cleared(20, "P1"), contact(15, "P1"))
    assert seconds(entry) == {}


def test_a_contact_by_phone_is_a_contact() -> None:
    entry = call(received(0), contact(4, None, "phone"), dispatched(5), on_scene(10))
    assert seconds(entry)["received_to_contact"] == 240


# --- results ------------------------------------------------------------------------------------------------


def test_ineligible_goes_before_the_reason_and_that_before_the_outcome() -> None:
    end = closed(30, "cancelled", " All_Units_Busy")
    assert call(received(0), triaged(1, False), end).result == "ineligible"
    assert call(received(0), triaged(1), end).result == "all_units_busy"
    assert call(received(0), triaged(1), closed(30, "cancelled", "served")).result == "cancelled"
    assert call(received(0), triaged(1), closed(30, "cancelled", "the tea was hot")).result == "cancelled"
    assert call(received(0), triaged(1), closed(30, "resolved_by_other")).result == "handled_by_other"


def test_hours_are_those_of_when_the_call_became_eligible() -> None:
    assert call(received(-65), triaged(-64), closed(5, None)).result == "outside_hours"
    later = call(received(-65), triaged(-64, False), triaged(1), closed(5, None))
    assert later.result != "outside_hours"
    assert minute(later.since) == 1
    scheduled = call(received(-65, scheduled=30), triaged(-64), closed(40, None))
    assert (minute(scheduled.since), scheduled.result) == (30, "no_unit_on_duty")


def test_an_area_that_no_team_covers() -> None:
    teams = tuple(msgspec.structs.replace(team, areas=("sodo",)) for team in SEATTLE.teams)
    entry = call(received(0), triaged(1), closed(30, None), rules=of_program(teams=teams))
    assert (entry.result, entry.asks) == ("outside_area", None)


@pytest.mark.parametrize(
    ("said", "result"),
    [
        ([], "no_unit_on_duty"),
        ([status(-9, "off_duty")], "no_unit_on_duty"),
        ([status(-9, "unavailable")], "out_of_service"),
        ([status(-9, "on_scene")], "all_units_busy"),
        ([status(-9, "available")], "unknown"),
    ],
)
def test_what_units_did_then(said: list[Status], result: str) -> None:
    entry = call(received(0), triaged(1), closed(30, None), statuses={"M1": said})
    assert (entry.result, entry.asks) == (result, Asks(ONE, ("ccr",)))


def test_what_is_asked_without_units() -> None:
    silent = of_program(feeds=("dispatch",))
    assert call(received(0), triaged(1), closed(30, None), rules=silent).result == "unknown"
    assert call(received(0), closed(30, None), rules=silent).result == ("not_triaged" if SEATTLE.triages else "unknown")
    entry = call(received(0, area="atlantis"), triaged(1), closed(30, None))
    assert (entry.result, entry.asks) == ("unknown", None)


# --- police -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "police", "freed"),
    [
        ([], "none", None),
        ([dispatched(2, "P1", "police"), cleared(9, "P1")], "cancelled", None),
        ([on_scene(5, "P1", "police"), cleared(15, "P1")], "released", 45),
        ([on_scene(5, "P1", "police"), cleared(70, "P1")], "stayed", None),
        ([on_scene(5, "P1", "police"), cleared(60, "P1")], "stayed", None),
        ([on_scene(5, "P1", "police")], "unknown", None),
        (
            [on_scene(5, "P1", "police"), cleared(15, "P1"), on_scene(9, "P2", "police"), cleared(20, "P2")],
            "released",
            40,
        ),
        ([on_scene(5, "P1", "police"), cleared(15, "P1"), on_scene(59, "M2")], "unknown", None),
    ],
)
def test_police(said: list[AnyOfCall], police: str, freed: int | None) -> None:
    entry = call(received(0), on_scene(10), cleared(60), closed(80), *said)
    assert facts(entry, "closed")[0][-2] == police
    assert facts(entry, "freed") == ([] if freed is None else [(0, freed * 60 * SECOND)])


@pytest.mark.parametrize("left", [cleared, cancelled])
def test_police_of_which_only_a_clear_is_told_were_cancelled(left: Any) -> None:
    entry = call(received(0), left(9, "P1"), closed(30), rules=of_program(units={"P1": Listed(agency="police")}))
    assert (facts(entry, "closed")[0][-2], entry.responses) == ("cancelled", ())


def test_police_without_care() -> None:
    entry = call(received(0), on_scene(5, "P1", "police"), cleared(15, "P1"), closed(30, None))
    assert facts(entry, "closed")[0][-2] == "stayed"


# --- counted things -----------------------------------------------------------------------------------------


def test_what_is_filed_after_the_close_counts() -> None:
    late: list[AnyOfCall] = [Force("f", at(90), 0, 2), Needles("n", at(91), 0, 7), referral(92)]
    entry = call(*SERVED, *late, PoliceRequested("p", at(20), 0), PoliceRequested("q", at(21), 0))
    assert facts(entry, "force") == [(0, "2", 1)]
    assert facts(entry, "needles") == [(0, "downtown", 7)]
    assert facts(entry, "referral") == [(0, "housing", "offered", 1)]
    assert facts(entry, "police_requested") == [(0, "downtown", 1)]


def test_referrals_count_once_a_service_and_partner_with_their_latest_result() -> None:
    entry = call(
        received(0),
        referral(5, "housing"),
        referral(24 * 60, "HOUSING ", "accepted"),
        referral(6, "food", partner="St. Mary"),
        referral(7, "food", "declined", partner="st. mary"),
        referral(8, "food"),
    )
    assert facts(entry, "referral") == [
        (0, "housing", "accepted", 1),
        (0, "food", "declined", 1),
        (0, "food", "offered", 1),
    ]
    assert facts(entry, "with_referral") == [(0, "downtown", 1)]


def test_a_transport_counts_once_a_response_with_its_latest_destination() -> None:
    entry = call(received(0), transporting(20, to="hospital"), at_destination(24 * 60, to="shelter"))
    assert facts(entry, "transport") == [(0, "ccr" if entry.team == "ccr" else "other", "shelter", 1)]
    assert facts(call(received(0), transporting(20)), "transport")[0][2] == "other"
    assert facts(call(received(0), dispatched(1, "P1", "police"), transporting(20, "P1")), "transport") == []


def test_an_involuntary_call_counts_by_what_is_said_last() -> None:
    day_after = 24 * 60
    assert facts(call(received(0), closed(30, involuntary=True), closed(day_after)), "involuntary") == [
        (0, "downtown", 1)
    ]
    assert (
        facts(call(received(0), closed(30, involuntary=True), closed(day_after, involuntary=False)), "involuntary")
        == []
    )


def test_a_close_that_opens_a_case_without_a_team() -> None:
    entry = call(received(0), closed(30, "services"))
    assert entry.case is not None
    assert (entry.team, entry.case.team) == ("none", "ccr")
    none = of_program(teams=tuple(msgspec.structs.replace(team, areas=("sodo",)) for team in SEATTLE.teams))
    entry = call(received(0), closed(30, "services"), rules=none)
    assert entry.case is not None
    assert entry.case.team is None
    entry = call(received(0, area="atlantis"), closed(30, "services"))
    assert entry.case is not None
    assert entry.case.team is None


def test_facts_are_of_the_local_day_of_what_they_count() -> None:
    night = 11 * 60  # midnight
    entry = call(
        received(night - 130), dispatched(night - 128), on_scene(night - 122), cleared(night + 20), closed(night + 20)
    )
    assert facts(entry, "received")[0][0] == 0
    assert facts(entry, "closed")[0][0] == 1
    assert {interval: day for day, _, _, interval, _ in facts(entry, "interval")} == {
        "received_to_dispatched": 0,
        "eligible_to_dispatched": 0,
        "received_to_on_scene": 0,
        "eligible_to_on_scene": 0,
        "received_to_contact": 0,
        "dispatched_to_on_scene": 0,
        "on_scene_to_cleared": 1,
        "dispatched_to_cleared": 1,
    }


# --- cases of everyday work ---------------------------------------------------------------------------------


def test_cleared_but_not_closed() -> None:
    entry = call(received(0), triaged(1), dispatched(2), en_route(3), on_scene(10), cleared(60))
    assert (entry.state, entry.served_in_spell) == ("open", "served")
    assert not entry.arrival_open


def test_closed_before_cleared() -> None:
    police = (dispatched(2, "P7", "police"), on_scene(5, "P7"), cleared(15, "P7"))
    entry = call(received(0), triaged(1), dispatched(2), *police, on_scene(10), closed(60), cleared(60 + 5 / 60))
    assert entry.state == "closed"
    assert seconds(entry)["on_scene_to_cleared"] == 3005
    assert facts(entry, "freed") == [(0, 2705 * SECOND)]


def test_a_call_that_becomes_care_s_later() -> None:
    police = (dispatched(5, "P7", "police"), on_scene(10, "P7"))
    entry = call(received(0), triaged(1, False), *police, triaged(40, True, "mental_health"))
    assert (minute(entry.since), entry.eligible, entry.dispatch_open) == (40, True, True)
    end = (dispatched(42), on_scene(50), cleared(70), closed(70))
    entry = call(received(0), triaged(1, False), *police, triaged(40, True, "mental_health"), *end)
    assert (seconds(entry)["eligible_to_dispatched"], seconds(entry)["eligible_to_on_scene"]) == (120, 600)


def test_a_unit_that_waits_nearby() -> None:
    found = seconds(call(received(0), dispatched(2), en_route(3), staged(8), on_scene(35), cleared(60), closed(60)))
    assert (found["en_route_to_staged"], found["staged_to_on_scene"]) == (300, 1620)
    assert "en_route_to_on_scene" not in found


def test_a_wrong_unit_that_was_removed() -> None:
    wrong = (dispatched(1, "M2"), cancelled(1.2, "M2"))
    assert call(received(0), *wrong).dispatch_open
    assert seconds(call(received(0), dispatched(10), on_scene(20)))["received_to_dispatched"] == 600
    assert call(received(0), *wrong, dispatched(10), on_scene(20), closed(40)).team == "ccr"


def test_someone_calls_back() -> None:
    entry = call(received(0), received(10), received(20), dispatched(22), on_scene(30), cleared(40), closed(40))
    assert len(facts(entry, "received")) == 1
    assert seconds(entry)["received_to_dispatched"] == 1320


def test_an_arrival_stamp_that_is_missing() -> None:
    said = (received(0), dispatched(2), en_route(3), contact(12), transporting(40, to="shelter"), at_destination(55))
    entry = call(*said, cleared(60), closed(60, "services_transport"))
    assert entry.result == "served"
    assert facts(entry, "transport") == [(0, "ccr", "shelter", 1)]
    assert not call(*said[:4]).arrival_open


def test_a_team_that_changes_while_it_is_on_its_way() -> None:
    chicago = Rules(load(PROGRAMS / "chicago.toml"))
    said = (received(0, area="loop"), dispatched(5, "U5", team=None), on_scene(15, "U5"))
    statuses = {"U5": [status(-30, "available", "art"), status(10, "available", "mdrt")]}
    assert call(*said, statuses=statuses, rules=chicago).team == "art"


def test_a_unit_cancelled_by_another_s_work() -> None:
    entry = call(received(0), triaged(1), dispatched(5), en_route(6), cleared(12), closed(12, "resolved_by_other"))
    assert entry.result == "handled_by_other"


# --- any statements -----------------------------------------------------------------------------------------

_times = st.integers(-3, 6).map(lambda m: at(m / 2)) | st.just(-1)
_units = st.sampled_from(("M1", "M2", "P1"))
_statement: st.SearchStrategy[AnyOfCall] = st.one_of(
    st.builds(Received, st.just(""), _times, st.just(0), st.just("x"), st.sampled_from(("downtown", "x"))),
    st.builds(Triaged, st.just(""), _times, st.just(0), st.booleans()),
    *(
        st.builds(kind, st.just(""), _times, st.just(0), _units)
        for kind in (Dispatched, EnRoute, Staged, OnScene, Transporting, AtDestination, Cleared, Cancelled)
    ),
    st.builds(
        Contact, st.just(""), _times, st.just(0), st.none() | _units, st.none(), st.sampled_from(("in_person", "phone"))
    ),
    st.builds(Closed, st.just(""), _times, st.just(0), st.sampled_from((None, "services", "refused", "x"))),
    st.builds(Reopened, st.just(""), _times, st.just(0)),
    st.builds(Merged, st.just(""), _times, st.just(0), st.sampled_from(("A1", "B1", "C1"))),
    st.builds(PoliceRequested, st.just(""), _times, st.just(0)),
    st.builds(Force, st.just(""), _times, st.just(0), st.integers(1, 3)),
    st.builds(Needles, st.just(""), _times, st.just(0), st.integers(1, 9)),
    st.builds(Referral, st.just(""), _times, st.just(0), st.sampled_from(("housing", "x"))),
)
_call = st.lists(_statement, min_size=1, max_size=14).map(
    lambda said: [msgspec.structs.replace(each, id=f"e{index}") for index, each in enumerate(said)]
)
_words: st.SearchStrategy[UnitStatusCode] = st.sampled_from(("available", "on_scene", "off_duty", "unavailable"))
_statuses = st.lists(st.tuples(_times, _words), max_size=4).map(
    lambda told: [Status(f"s{i}", when, 0, word, "ccr") for i, (when, word) in enumerate(told)]
)
POLICE = of_program(units={"P1": Listed(agency="police")})


def _merged_into(said: Sequence[AnyOfCall]) -> str | None:
    """The call that a call is merged into: the last in the walk that was not undone, but for itself."""
    into = None
    for each in said:
        if isinstance(each, Reopened):
            into = None
        elif isinstance(each, Merged) and each.into != "A1":
            into = each.into
    return into


@given(said=_call, other=_call, statuses=_statuses, shuffle=st.randoms(use_true_random=False))
@settings(deadline=None, max_examples=examples(250))
def test_any_statements_make_a_call(
    said: list[AnyOfCall], other: list[AnyOfCall], statuses: list[Status], shuffle: Any
) -> None:
    into = _merged_into(sorted(said, key=place))
    context: dict[str, Any] = {"others": {"B1": other}, "statuses": {"M1": statuses}, "rules": POLICE, "into": into}
    entry = call(*said, **context)
    mixed = list(said)
    shuffle.shuffle(mixed)
    assert call(*mixed, **context) == entry

    assert (entry.state == "merged") == (into is not None)
    assert len(facts(entry, "received")) == any(isinstance(each, Received) for each in said)
    assert len(facts(entry, "closed")) == (entry.closed is not None) == (entry.result is not None)
    assert entry.closed is None or entry.state != "merged"
    assert entry.spell == len(facts(entry, "reopened"))
    assert (entry.result in ("served", "served_remotely")) <= (entry.served != "no")
    for response in entry.responses:
        assert response.begins <= response.shown_from
        assert (response.ended == "works") == (response.ends == NEVER)
        assert response.begins <= response.ends
    for interval in facts(entry, "interval"):
        assert int(interval[-1]) >= 0


@given(said=_call, more=_call)
@settings(deadline=None, max_examples=examples(100))
def test_what_another_unit_did_changes_nothing_of_a_unit_s_responses(
    said: list[AnyOfCall], more: list[AnyOfCall]
) -> None:
    units = (Dispatched, EnRoute, Staged, OnScene, Transporting, AtDestination, Cleared, Cancelled)
    own = [each for each in said if isinstance(each, units) and each.unit == "M1"]
    others = [each for each in more if isinstance(each, units) and each.unit != "M1"]
    others = [msgspec.structs.replace(each, id=f"o{each.id}") for each in others]
    if own:
        alone = [each for each in call(*own).responses if each.unit == "M1"]
        assert [each for each in call(*own, *others).responses if each.unit == "M1"] == alone
