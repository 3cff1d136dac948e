"""Rules of the contract's section 3 that the cases of everyday work do not ask about, in the second implementation."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.cases import PROGRAMS, moment
from tests.second import LABELS, call, case, numbers, unit

TEXT = (PROGRAMS / "seattle.toml").read_text(encoding="utf-8")
DAY = moment("2026-03-04T00:00:00-08:00")


def at(time: str) -> str:
    hours, minutes = time.split(":")
    return (DAY + timedelta(hours=int(hours), minutes=int(minutes))).isoformat()


def said(type: str, time: str, call: str = "A1", /, **fields: Any) -> dict[str, Any]:
    """An event about a call, or the case or unit that it names; its id is its type, time and record."""
    event: dict[str, Any] = {"type": type, "program": "seattle", "at": at(time)}
    event |= fields if "case" in fields or type == "unit_status" else {"call": call} | fields
    if type == "call_received":
        event = {"area": "downtown", "call_type": "mental_health"} | event
    if type == "unit_status":
        event = {"team": "ccr"} | event
    return {"id": f"{type}-{time}-{event.get('case', call)}-{event.get('unit', '')}"} | event


def of(events: list[dict[str, Any]], time: str, id: str = "A1", text: str = TEXT) -> dict[str, Any]:
    found = call(events, text, moment(at(time)), id)
    assert found is not None
    return found


def total(events: list[dict[str, Any]], time: str, metric: str, /, text: str = TEXT, **labels: str) -> float:
    cells = numbers(events, [(DAY, text)], moment(at(time))).get(metric, {})
    return sum(
        value
        for key, value in cells.items()
        if not isinstance(value, tuple) and labels.items() <= dict(zip(LABELS[metric], key[1:], strict=True)).items()
    )


RECEIVED = said("call_received", "13:00")
SENT = said("unit_dispatched", "13:02", unit="M1", team="ccr")


def test_a_unit_sent_elsewhere_before_it_arrived_is_diverted_and_the_call_waits() -> None:
    events = [RECEIVED, SENT, said("unit_dispatched", "13:05", "B1", unit="M1")]
    assert of(events, "13:04")["stage"] == "dispatched"
    assert of(events, "13:05")["stage"] == "waiting"
    assert total(events, "13:06", "care_units_diverted_total", team="ccr") == 1
    cleared = [*events, said("unit_cleared", "13:06", unit="M1")]
    assert total(cleared, "13:06", "care_units_diverted_total", team="ccr") == 1


def test_a_diverted_unit_that_arrives_all_the_same_is_not_diverted() -> None:
    events = [RECEIVED, SENT, said("unit_dispatched", "13:05", "B1", unit="M1")]
    events.append(said("unit_on_scene", "13:10", unit="M1"))
    assert total(events, "13:11", "care_units_diverted_total") == 0
    assert of(events, "13:11")["stage"] == "on_scene"
    assert len(of(events, "13:11")["responses"]) == 1


def test_a_stacked_dispatch_is_shown_from_when_the_unit_leaves() -> None:
    events = [
        RECEIVED,
        said("unit_on_scene", "13:10", unit="M1"),
        said("call_received", "13:20", "B1"),
        said("unit_dispatched", "13:25", "B1", unit="M1"),
        said("call_received", "13:26", "C1"),
        said("unit_dispatched", "13:30", "C1", unit="M1"),
    ]
    assert [of(events, "13:35", id)["stage"] for id in ("A1", "B1", "C1")] == ["on_scene", "waiting", "waiting"]
    assert total(events, "13:35", "care_units_diverted_total") == 0
    events.append(said("unit_cleared", "13:40", unit="M1"))
    assert of(events, "13:40", "B1")["stage"] == "dispatched"


def test_a_dispatch_after_work_ended_begins_another_response() -> None:
    events = [
        RECEIVED,
        SENT,
        said("unit_cleared", "13:10", unit="M1"),
        said("unit_dispatched", "13:20", unit="M1", team="ccr"),
        said("unit_on_scene", "13:30", unit="M1"),
    ]
    found = of(events, "13:31")
    assert len(found["responses"]) == 2
    lasts = [lasts for _, name, lasts in found["intervals"] if name == "dispatched_to_on_scene"]
    assert lasts == [timedelta(minutes=10)]


def test_a_clear_before_all_else_belongs_to_the_response_that_follows() -> None:
    events = [RECEIVED, said("unit_cleared", "13:01", unit="M1"), SENT]
    assert of(events, "13:03")["disorder"] == ["dispatched_to_cleared"]
    assert of(events, "13:03")["stage"] == "dispatched"
    assert of(events[:2], "13:03")["responses"] == []


def test_available_ends_work_and_a_later_point_resumes_it() -> None:
    events = [RECEIVED, SENT, said("unit_status", "13:06", unit="M1", status="available")]
    assert of(events, "13:06")["stage"] == "waiting"
    events.append(said("unit_staged", "13:08", unit="M1"))
    assert of(events, "13:08")["stage"] == "staged"
    assert len(of(events, "13:08")["responses"]) == 1


@pytest.mark.parametrize(("time", "reopened"), [("14:01", 0), ("14:02", 1)])
def test_a_unit_reopens_a_call_more_than_a_minute_after_its_close(time: str, reopened: int) -> None:
    events = [RECEIVED, said("call_closed", "14:00"), said("unit_dispatched", time, unit="M1")]
    assert total(events, "14:03", "care_calls_reopened_total", area="downtown") == reopened
    assert of(events, "14:03")["open"] == bool(reopened)
    assert total(events, "14:03", "care_calls_closed_total") == 1


def test_a_close_before_the_receipt_is_undone_by_a_reopening_only() -> None:
    events = [said("call_closed", "12:50"), RECEIVED, said("unit_dispatched", "13:05", unit="M1")]
    assert not of(events, "13:06")["open"]
    assert total(events, "13:06", "care_data_quality_total", problem="closed_before_received") == 1
    assert of([*events, said("call_reopened", "13:07")], "13:08")["open"]


def test_the_last_close_gives_date_and_outcome_while_the_first_counts_until_then() -> None:
    events = [
        RECEIVED,
        said("call_closed", "14:00", outcome="no_contact"),
        said("call_reopened", "15:00"),
    ]
    assert total(events, "15:30", "care_calls_closed_total", outcome="no_contact") == 1
    assert of(events, "15:30")["waits_since"] == moment(at("15:00"))
    events += [said("unit_on_scene", "15:40", unit="M1"), said("call_closed", "16:00", outcome="services")]
    assert total(events, "16:00", "care_calls_closed_total") == 1
    assert total(events, "16:00", "care_calls_closed_total", outcome="services") == 1
    assert of(events, "16:00")["closed"] == moment(at("16:00"))
    assert not [name for _, name, _ in of(events, "16:00")["intervals"] if name.startswith("received_to")]


def test_a_merged_call_counts_for_the_other_one() -> None:
    events = [
        RECEIVED,
        said("call_received", "13:01", "B1"),
        said("unit_on_scene", "13:10", "B1", unit="M1"),
        said("needles_collected", "13:20", "B1", count=3),
        said("call_merged", "13:30", "B1", into="A1"),
        said("call_closed", "13:40", outcome="services"),
        said("call_closed", "13:40", "B1", outcome="services"),
    ]
    assert total(events, "14:00", "care_calls_received_total") == 2
    assert total(events, "14:00", "care_calls_closed_total") == 1
    assert total(events, "14:00", "care_demand_total", result="duplicate") == 1
    assert total(events, "14:00", "care_demand_total", result="served") == 1
    assert total(events, "14:00", "care_calls_merged_total") == 1
    assert total(events, "14:00", "care_needles_collected_total") == 3
    assert total(events, "14:00", "care_cases_active") == 1
    undone = [*events, said("call_reopened", "13:50", "B1")]
    assert total(undone, "14:00", "care_calls_merged_total") == 0
    assert total(undone, "14:00", "care_demand_total", result="served") == 1
    assert total(undone, "14:00", "care_calls_reopened_total") == 1


def test_merges_into_nothing_itself_and_a_circle_hide_nothing() -> None:
    events = [
        RECEIVED,
        said("call_received", "13:01", "B1"),
        said("call_received", "13:02", "C1"),
        said("call_merged", "13:10", into="B1"),
        said("call_merged", "13:11", "B1", into="A1"),
        said("call_merged", "13:12", "C1", into="C1"),
        said("call_merged", "13:13", "C1", into="nowhere"),
    ]
    assert total(events, "13:20", "care_calls_open") == 3
    assert total(events, "13:20", "care_data_quality_total", problem="merge_ignored") == 4
    known = [*events, said("call_received", "13:03", "nowhere")]
    assert total(known, "13:20", "care_calls_open") == 3
    assert total(known, "13:20", "care_data_quality_total", problem="merge_ignored") == 3


def test_a_call_solved_by_phone_is_served_remotely() -> None:
    events = [RECEIVED, said("contact_made", "13:05", channel="phone", team="ccr")]
    assert of(events, "13:06")["stage"] == "wrapping_up"
    events.append(said("call_closed", "13:10", outcome="services"))
    assert of(events, "13:10")["result"] == "served_remotely"
    assert of(events, "13:10")["team"] == "ccr"


def test_services_with_a_unit_that_was_not_cancelled_is_served() -> None:
    events = [RECEIVED, SENT, said("call_closed", "13:30", outcome="services")]
    assert of(events, "13:30")["result"] == "served"
    events.append(said("unit_cancelled", "13:03", unit="M1"))
    assert of(events, "13:30")["result"] == "served_remotely"


def test_the_reason_counts_where_nobody_was_reached_and_is_compared_without_case() -> None:
    events = [RECEIVED, said("call_closed", "13:30", unserved_reason=" All_Units_Busy ")]
    assert of(events, "13:30")["result"] == "all_units_busy"
    served = [RECEIVED, said("call_closed", "13:30", unserved_reason="served")]
    assert of(served, "13:30")["result"] == "no_unit_on_duty"


def test_nobody_on_duty_and_nobody_free_are_told_apart() -> None:
    closed = said("call_closed", "13:30")
    busy = said("unit_status", "12:30", unit="M1", status="on_scene")
    free = said("unit_status", "12:30", unit="M2", status="available")
    assert of([RECEIVED, closed], "13:30")["result"] == "no_unit_on_duty"
    assert of([RECEIVED, closed, busy], "13:30")["result"] == "all_units_busy"
    assert of([RECEIVED, closed, busy, free], "13:30")["result"] == "not_triaged"
    triaged = said("call_triaged", "13:01", eligible=True)
    assert of([RECEIVED, triaged, closed, busy, free], "13:30")["result"] == "unknown"
    unknown = said("call_received", "13:00", area="nowhere")
    assert of([unknown, triaged, closed], "13:30")["result"] == "unknown"


def test_a_call_of_which_nothing_is_said_for_twelve_hours_is_stale() -> None:
    events = [RECEIVED, SENT]
    assert of(events, "25:01")["stage"] == "dispatched"
    assert of(events, "25:02")["stage"] == "stale"
    assert of(events, "13:05", text='stale_after = { call = "3min" }\n' + TEXT)["stage"] == "stale"


def test_an_ineligible_call_is_shown_only_while_care_works_on_it() -> None:
    events = [RECEIVED, said("call_triaged", "13:01", eligible=False)]
    assert of(events, "13:05")["stage"] is None
    events += [SENT, said("unit_cleared", "13:20", unit="M1")]
    assert of(events, "13:05")["stage"] == "dispatched"
    assert of(events, "13:20")["stage"] is None


@pytest.mark.parametrize(
    ("edits", "involvement"),
    [
        ([], "none"),
        ([("unit_dispatched", "13:02")], "cancelled"),
        ([("unit_on_scene", "13:05"), ("unit_cleared", "13:10")], "released"),
        ([("unit_on_scene", "13:05"), ("unit_cleared", "13:40")], "stayed"),
        ([("unit_on_scene", "13:05")], "unknown"),
    ],
)
def test_police(edits: list[tuple[str, str]], involvement: str) -> None:
    events = [
        RECEIVED,
        said("unit_on_scene", "13:06", unit="M1"),
        said("unit_cleared", "13:40", unit="M1"),
        said("call_closed", "13:40"),
        *(said(type, time, unit="P7", agency="police") for type, time in edits),
    ]
    assert of(events, "13:40")["police"] == involvement


def test_referrals_count_once_a_service_and_partner() -> None:
    events = [
        RECEIVED,
        said("referral_made", "13:10", service="housing"),
        said("referral_made", "13:11", service=" Housing", result="accepted"),
        said("referral_made", "13:12", service="housing", partner="Hope House"),
        said("referral_made", "13:13", service="food"),
    ]
    assert total(events, "14:00", "care_referrals_total", service="housing") == 2
    assert total(events, "14:00", "care_referrals_total") == 3
    assert total(events, "14:00", "care_calls_with_referral_total") == 1


def test_a_unit_is_stale_after_sixteen_hours_and_its_status_adds_no_more_time() -> None:
    events = [said("unit_status", "01:00", unit="M1", status="available")]
    found = unit(events, TEXT, moment(at("17:00")), "M1")
    assert found is not None
    assert found["stale"]
    assert total(events, "20:00", "care_unit_seconds_total", team="ccr") == 16 * 3600
    events.append(said("unit_status", "22:00", unit="M1", status="off_duty"))
    assert total(events, "23:00", "care_unit_seconds_total", status="available") == 16 * 3600
    assert total(events, "63:00", "care_units_stale") == 0


def test_staffing() -> None:
    events = [
        said("unit_status", "11:00", unit="M1", status="available"),
        said("unit_status", "13:00", unit="M1", status="unavailable"),
    ]
    what = {
        name: total(events, "14:00", "care_staffing_seconds_total", team="ccr", what=name) / 3600
        for name in ("planned", "on_duty", "available", "missing", "none_available")
    }
    assert what == {"planned": 12, "on_duty": 3, "available": 2, "missing": 10, "none_available": 1}


def test_a_rescheduled_follow_up_keeps_the_gap_of_the_plan() -> None:
    events = [
        said("case_opened", "10:00", case="K1", kind="encounter", team="ccr"),
        said("followup_rescheduled", "11:00", case="K1", followup="7d", due=at("240:00")),
    ]
    found = case(events, TEXT, moment(at("12:00")), "K1")
    assert found is not None
    followup = found["followups"][0]
    assert (followup["due"], followup["lapses"]) == (moment(at("240:00")), moment(at("408:00")))


def test_a_missed_follow_up_is_shown_for_thirty_days_and_stays_missed_in_what_was_due() -> None:
    events = [said("case_opened", "10:00", case="K1", kind="case_management", team="ccr")]
    lapse, month = 14 * 24 + 9, 30 * 24
    assert total(events, f"{lapse - 1}:59", "care_followups", state="overdue") == 1
    assert total(events, f"{lapse}:00", "care_followups", state="missed") == 1
    assert total(events, f"{lapse + month}:00", "care_followups") == 0
    closed = [*events, said("case_closed", f"{lapse + 1}:00", case="K1")]
    assert total(closed, f"{lapse + 2}:00", "care_followups") == 0
    assert total(closed, f"{lapse + 2}:00", "care_followups_due", window="30d", result="missed") == 1


def test_an_encounter_that_nobody_closes_is_done_thirty_days_after_its_last_lapse() -> None:
    events = [said("case_opened", "10:00", case="K1", kind="encounter", team="ccr")]
    end = (14 + 30) * 24 + 9
    assert total(events, f"{end - 1}:59", "care_cases_active", kind="encounter") == 1
    assert total(events, f"{end}:00", "care_cases_active") == 0


def test_what_is_said_of_a_case_never_opened_is_counted_and_the_case_is_not_active() -> None:
    events = [
        said("followup_attempted", "10:00", case="K1", followup="7d", result="no_contact"),
        said("outreach_attempted", "10:01", case="K1", located=True),
    ]
    assert total(events, "12:00", "care_followup_attempts_total", followup="7d") == 1
    assert total(events, "12:00", "care_outreach_located_total") == 1
    assert total(events, "12:00", "care_cases_active") == 0


def test_a_corrected_outcome_takes_its_case_away_and_withdrawn_calls_do_not_exist() -> None:
    closed = said("call_closed", "13:30", outcome="services", person="tok-1")
    events = [RECEIVED, SENT, closed]
    assert total(events, "14:00", "care_cases_active") == 1
    assert total([*events, closed | {"outcome": "refused"}], "14:00", "care_cases_active") == 0
    gone = [
        {"id": f"w{n}", "type": "withdrawn", "program": "seattle", "at": at("15:00"), "call": "A1", "of": event["id"]}
        for n, event in enumerate(events)
    ]
    assert call([*gone, *events], TEXT, moment(at("16:00")), "A1") is None


def test_revisions() -> None:
    first, second = RECEIVED | {"area": "sodo"}, RECEIVED | {"area": "north"}
    assert of([first, second], "13:01")["area"] == "north"
    assert of([first, second, first], "13:01")["area"] == "north"
    assert of([first, second, first | {"revision": 1}], "13:01")["area"] == "sodo"
    assert of([second | {"revision": 2}, first], "13:01")["area"] == "north"
    upto = {"id": "w", "type": "withdrawn", "program": "seattle", "at": at("14:00"), "call": "A1", "of": first["id"]}
    assert call([first, upto | {"upto": 0}], TEXT, DAY, "A1") is None
    assert of([first, upto | {"upto": 0}, second | {"revision": 1}], "13:01")["area"] == "north"


def test_a_person_who_is_forgotten_is_nobody_from_then_back() -> None:
    forgotten = {"id": "f", "type": "person_forgotten", "program": "seattle", "at": at("15:00"), "person": "tok-1"}
    before = said("call_closed", "14:00", person="tok-1")
    after = said("call_closed", "16:00", "B1", person="tok-1")
    assert total([RECEIVED, before, forgotten], "17:00", "care_people_served") == 0
    assert total([RECEIVED, before, after, forgotten], "17:00", "care_people_served") == 1


def test_a_unit_has_one_team_and_agency_on_a_call_in_all_its_responses() -> None:
    events = [
        RECEIVED,
        said("unit_dispatched", "13:02", unit="M1", team="ccr"),
        said("unit_cleared", "13:10", unit="M1"),
        said("unit_dispatched", "13:20", unit="M1"),
        said("unit_status", "13:15", unit="M1", status="available", team="nobody"),
    ]
    assert [response["team"] for response in of(events, "13:21")["responses"]] == ["ccr", "ccr"]
    events.append(said("unit_en_route", "13:25", unit="M1", agency="fire"))
    assert [response["agency"] for response in of(events, "13:26")["responses"]] == ["fire", "fire"]


def test_the_status_at_the_first_point_there_tells_the_team_that_no_dispatch_tells() -> None:
    events = [
        RECEIVED,
        said("unit_status", "12:00", unit="M1", status="available"),
        said("unit_en_route", "13:02", unit="M1"),
        said("unit_status", "13:15", unit="M1", status="available", team="nobody"),
        said("unit_en_route", "13:20", unit="M1"),
    ]
    assert [response["team"] for response in of(events, "13:21")["responses"]] == ["ccr", "ccr"]


def test_what_is_told_where_a_unit_still_is_does_not_take_it_from_a_stacked_call() -> None:
    events = [
        RECEIVED,
        said("unit_on_scene", "13:10", unit="M1"),
        said("call_received", "13:20", "B1"),
        said("unit_dispatched", "13:25", "B1", unit="M1"),
        said("unit_en_route", "13:27", unit="M1"),
        said("unit_on_scene", "13:30", unit="M1"),
        said("unit_cleared", "13:40", unit="M1"),
        said("unit_status", "13:40", unit="M1", status="available"),
    ]
    assert of(events, "13:35", "B1")["stage"] == "waiting"
    assert of(events, "13:40", "B1")["stage"] == "dispatched"
    assert of(events, "13:40", "B1")["responses"][0]["shown_from"] == moment(at("13:40"))


@pytest.mark.parametrize(
    "told",
    [
        said("unit_status", "13:30", unit="M1", status="off_duty"),
        said("unit_en_route", "13:40", "C1", unit="M1"),
        said("unit_on_scene", "13:40", "C1", unit="M1"),
        said("unit_status", "13:45", unit="M1", status="available"),
    ],
    ids=lambda told: told["id"],
)
def test_a_stacked_call_loses_its_unit(told: dict[str, Any]) -> None:
    events = [
        RECEIVED,
        said("unit_on_scene", "13:10", unit="M1"),
        said("call_received", "13:20", "B1"),
        said("unit_dispatched", "13:25", "B1", unit="M1"),
        said("unit_cleared", "13:40", unit="M1"),
        told,
    ]
    assert of(events, "13:50", "B1")["stage"] == "waiting"
    assert of(events[:-1], "13:50", "B1")["stage"] == "dispatched"


def test_of_a_clear_and_a_cancellation_at_once_the_clear_ended_it() -> None:
    events = [RECEIVED, SENT, said("unit_cancelled", "13:05", unit="M1"), said("unit_cleared", "13:05", unit="M1")]
    assert of(events, "13:06")["responses"][0]["ended"] == (moment(at("13:05")), "cleared")


def test_only_a_call_that_is_not_merged_wants_a_receipt() -> None:
    events = [RECEIVED, said("call_merged", "13:30", "B1", into="A1")]
    assert total(events, "14:00", "care_data_quality_total", problem="no_receipt") == 0
    assert total(events[1:], "14:00", "care_data_quality_total", problem="no_receipt") == 1


def test_a_merge_that_is_passed_over_ends_no_spell_and_leaves_the_one_before() -> None:
    received = said("call_received", "13:01", "B1")
    unknown = said("call_merged", "13:20", "B1", into="nowhere")
    again = said("call_reopened", "13:40", "B1")
    events = [RECEIVED, received, said("call_merged", "13:10", "B1", into="A1"), unknown]
    assert total(events, "14:00", "care_calls_merged_total") == 1
    assert total(events, "14:00", "care_data_quality_total", problem="merge_ignored") == 1
    undone = [received, unknown, again]
    assert total(undone, "14:00", "care_calls_reopened_total") == 0
    assert total(undone, "14:00", "care_data_quality_total", problem="merge_ignored") == 0
    itself = [received, said("call_merged", "13:20", "B1", into="B1"), again]
    assert total(itself, "14:00", "care_data_quality_total", problem="merge_ignored") == 1


TARGETS = 'targets = { received_to_dispatched = "5min", on_scene_to_cleared = "20min", received_to_contact = "30min" }'
WITH_TARGETS = re.sub(r"targets = \{.*\}", TARGETS, TEXT)


def test_the_targets_of_a_reopened_call_are_ended_by_what_comes_after() -> None:
    events = [
        RECEIVED,
        said("unit_on_scene", "13:04", unit="M1"),
        said("call_closed", "13:30"),
        said("call_reopened", "13:40"),
        said("unit_cleared", "13:41", unit="M1"),
    ]
    assert of(events, "13:50", text=WITH_TARGETS)["missed"] == {"received_to_dispatched"}
    there = [*events[:-1], said("unit_transporting", "13:41", unit="M1"), said("unit_cleared", "13:42", unit="M1")]
    assert of(there, "13:50", text=WITH_TARGETS)["missed"] == set()


def test_while_a_unit_is_on_its_way_the_dispatch_is_no_target_and_the_contact_is() -> None:
    assert of([RECEIVED], "13:40", text=WITH_TARGETS)["missed"] == {"received_to_dispatched", "received_to_contact"}
    assert of([RECEIVED, SENT], "13:40", text=WITH_TARGETS)["missed"] == {"received_to_contact"}
    phoned = [RECEIVED, SENT, said("contact_made", "13:05", channel="phone")]
    assert of(phoned, "13:40", text=WITH_TARGETS)["missed"] == set()


def test_a_told_clear_ends_the_target_of_clearing_though_the_unit_goes_on() -> None:
    events = [RECEIVED, SENT, said("unit_on_scene", "13:04", unit="M1")]
    assert of(events, "13:40", text=WITH_TARGETS)["missed"] == {"on_scene_to_cleared"}
    events += [said("unit_cleared", "13:10", unit="M1"), said("unit_transporting", "13:12", unit="M1")]
    assert of(events, "13:40", text=WITH_TARGETS)["missed"] == set()


def test_services_that_the_program_does_not_know_are_told_apart_and_partners_compared_as_codes() -> None:
    events = [
        said("referral_made", "13:10", service="odd"),
        said("referral_made", "13:11", service=" ODD"),
        said("referral_made", "13:12", service="odder"),
        said("referral_made", "13:13", service="odder", partner="Hope House"),
        said("referral_made", "13:14", service="odder", partner="hope house "),
    ]
    assert total(events, "14:00", "care_referrals_total", service="other") == 3


def test_hours_of_the_week_go_back_on_the_wall_clock() -> None:
    """The clock is put forward on 8 March, so 28 days are 671 hours."""
    events = [said("call_received", "13:00"), said("call_closed", "13:30")]
    spring = (28 * 24) + 13 - 1
    assert total(events, f"{spring - 1}:59", "care_demand_hour_of_week") == 1
    assert total(events, f"{spring}:00", "care_demand_hour_of_week") == 0


def test_what_is_said_of_a_case_never_opened_counts_for_other() -> None:
    events = [
        said("followup_attempted", "10:00", case="K1", followup="7d", result="no_contact"),
        said("outreach_attempted", "10:01", case="K1", located=True),
    ]
    assert total(events, "12:00", "care_followup_attempts_total", team="other") == 1
    assert total(events, "12:00", "care_outreach_located_total", area="other") == 1


def test_a_case_that_is_told_to_be_opened_began_so_whatever_its_call_says() -> None:
    events = [
        RECEIVED,
        SENT,
        said("call_closed", "13:30", outcome="services", person="tok-1"),
        said("case_closed", "14:00", case="A1"),
        said("case_opened", "15:00", case="A1", kind="case_management", team="ccr"),
    ]
    found = case(events, TEXT, moment(at("16:00")), "A1")
    assert found is not None
    assert (found["opened"], found["kind"], found["closed"]) == (moment(at("15:00")), "case_management", [])
    assert (found["area"], found["person"]) == ("downtown", "tok-1")


def test_the_plan_of_a_case_that_opens_again_is_that_of_its_first_opening() -> None:
    events = [
        said("case_opened", "10:00", case="K1", kind="case_management", team="ccr"),
        said("case_closed", "11:00", case="K1"),
        said("case_opened", "12:00", case="K1", kind="overdose", team="ccr"),
    ]
    first, again = (case(told, TEXT, moment(at("13:00")), "K1") for told in (events[:1], events))
    assert first is not None
    assert again is not None
    assert again["kind"] == "overdose"
    assert [each["due"] for each in again["followups"]] == [each["due"] for each in first["followups"]]


def test_each_older_case_of_a_person_is_superseded_by_the_next() -> None:
    """The first is superseded by the second, though it would have lapsed by the time of the third."""
    text = TEXT.replace('lapses = "14d"', 'lapses = "14d", per = "person"')
    assert text != TEXT
    opened = [
        said("case_opened", time, case=id, kind="encounter", team="ccr", person="tok-1")
        for id, time in (("K1", "10:00"), ("K2", "34:00"), ("K3", f"{20 * 24}:00"))
    ]
    late = moment(at(f"{21 * 24}:00"))
    superseded = []
    for id in ("K1", "K2", "K3"):
        found = case(opened, text, late, id)
        assert found is not None
        superseded.append(any(each["superseded"] for each in found["followups"]))
    assert superseded == [True, False, False]


def test_off_duty_told_on_scene_holds_from_when_the_unit_leaves() -> None:
    events = [said("unit_on_scene", "13:00", unit="M1"), said("unit_status", "13:05", unit="M1", status="off_duty")]
    assert total(events, "13:10", "care_units") == 0
    assert total([*events, said("unit_cleared", "13:20", unit="M1")], "13:21", "care_units", status="off_duty") == 1


def test_a_shift_that_begins_at_a_time_that_is_skipped_begins_with_the_skip() -> None:
    text = re.sub(r"from = [\d:]+", "from = 02:30:00", TEXT)
    for time, open in (("97:59", 0), ("98:00", 1)):
        assert total([], time, "care_team_open", text=text, team="ccr") == open


# Whatever is said

_units = st.sampled_from(["M1", "M2", "P7"])
_calls = st.sampled_from(["A1", "B1", "C1"])
_of_a_unit = st.sampled_from(
    [
        "unit_dispatched",
        "unit_en_route",
        "unit_on_scene",
        "unit_staged",
        "unit_transporting",
        "unit_at_destination",
        "unit_cleared",
        "unit_cancelled",
        "contact_made",
    ]
)
_of_a_call = st.sampled_from(
    [
        {"type": "call_received", "area": "downtown", "call_type": "mental_health"},
        {"type": "call_received", "area": "nowhere", "call_type": "x", "source": "self"},
        {"type": "call_triaged", "eligible": False},
        {"type": "call_triaged", "eligible": True},
        {"type": "call_closed", "outcome": "services", "person": "tok-1"},
        {"type": "call_closed"},
        {"type": "call_reopened"},
        {"type": "call_merged", "into": "A1"},
        {"type": "call_merged", "into": "B1"},
        {"type": "needles_collected", "count": 2},
    ]
)
_of_a_case = st.sampled_from(
    [
        {"type": "case_opened", "kind": "encounter", "team": "ccr"},
        {"type": "followup_attempted", "followup": "7d", "result": "completed"},
        {"type": "followup_rescheduled", "followup": "7d", "due": at("100:00")},
        {"type": "case_closed"},
        {"type": "case_reopened"},
        {"type": "case_transferred", "team": "nobody"},
    ]
)
_statuses = st.sampled_from(["available", "on_scene", "unavailable", "off_duty"])
_told = st.one_of(
    st.builds(lambda kind, call, unit: {"type": kind, "call": call, "unit": unit}, _of_a_unit, _calls, _units),
    st.builds(lambda event, call: event | {"call": call}, _of_a_call, _calls),
    st.builds(lambda event, case: event | {"case": case}, _of_a_case, _calls),
    st.builds(
        lambda unit, status: {"type": "unit_status", "unit": unit, "team": "ccr", "status": status}, _units, _statuses
    ),
)
_events = st.lists(st.tuples(_told, st.integers(0, 90)), max_size=25).map(
    lambda told: [
        event | {"id": f"e{n}", "program": "seattle", "at": at(f"13:{minutes}")}
        for n, (event, minutes) in enumerate(told)
    ]
)
NOW = moment(at("15:00"))


@settings(max_examples=150, deadline=None)
@given(_events, st.randoms(use_true_random=False))
def test_any_order_and_any_repeat_give_the_same(events: list[dict[str, Any]], random: Any) -> None:
    again = events + random.sample(events, len(events) // 2)
    random.shuffle(again)
    assert numbers(again, [(DAY, TEXT)], NOW) == numbers(events, [(DAY, TEXT)], NOW)


@settings(max_examples=150, deadline=None)
@given(_events)
def test_numbers_agree_with_each_other(events: list[dict[str, Any]]) -> None:
    found = numbers(events, [(DAY, TEXT)], NOW)

    def value(metric: str) -> float:
        return sum(value for value in found.get(metric, {}).values() if not isinstance(value, tuple))

    # Each call that was closed or merged has one result; a call is closed, merged, open, or hidden as ineligible.
    assert value("care_demand_total") == value("care_calls_closed_total") + value("care_calls_merged_total")
    assert value("care_police_involvement_total") == value("care_calls_closed_total")
    needles = sum(event.get("count", 0) for event in events)
    assert value("care_needles_collected_total") == needles
    on_duty = sum(
        lasts
        for key, lasts in found.get("care_unit_seconds_total", {}).items()
        if key[2] != "off_duty" and not isinstance(lasts, tuple)
    )
    staffed = sum(
        lasts
        for key, lasts in found.get("care_staffing_seconds_total", {}).items()
        if key[2] == "on_duty" and not isinstance(lasts, tuple)
    )
    assert on_duty == staffed


@settings(max_examples=150, deadline=None)
@given(_events, st.data())
def test_what_was_taken_back_or_corrected_was_never_said(events: list[dict[str, Any]], data: Any) -> None:
    """The newest time heard of stays: a feed that tells a withdrawal is alive."""
    all_told, holding = list(events), []
    for n, event in enumerate(events):
        fate = data.draw(st.sampled_from(["holds", "withdrawn", "moved"]))
        kind = next(name for name in ("case", "call", "unit") if name in event)
        if fate == "withdrawn":
            back = {"id": f"w{n}", "type": "withdrawn", "program": "seattle", "of": event["id"], "at": event["at"]}
            all_told.insert(data.draw(st.integers(0, len(all_told))), back | {kind: event[kind]})
        elif fate == "moved":
            right = event | {"at": at("14:00"), "revision": 1}
            all_told.insert(data.draw(st.integers(0, len(all_told))), right)
            holding.append(right)
        else:
            holding.append(event)
    left, right = (numbers(told, [(DAY, TEXT)], NOW) for told in (all_told, holding))
    for found in (left, right):
        found.pop("care_feed_last_event_timestamp_seconds", None)
    assert left == right
