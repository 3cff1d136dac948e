"""The meaning of calls, sentence by sentence of the contract (section 3)."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest

from streams import events as e
from streams.clock import DAY
from tests.unit.strategies import (
    MINUTE,
    NOON,
    Bench,
    at_destination,
    cleared,
    closed,
    dispatched,
    en_route,
    local,
    make,
    on_scene,
    opened,
    profile,
    received,
    status,
    transporting,
    triaged,
)

# --- call ----------------------------------------------------------------------------------------------------


def test_the_earliest_time_wins_for_each_time_point(bench: Bench) -> None:
    bench(received(3), received(1), received(2))
    bench(on_scene(9), on_scene(7), on_scene(8))
    bench(cleared(20), closed(30), closed(25), closed(28))
    call = bench.state._find("c/C1")
    assert call
    assert (call.received, call.closed) == (NOON + MINUTE, NOON + 25 * MINUTE)
    assert call.legs["U1"].at[2] == NOON + 7 * MINUTE


def test_a_later_reception_or_triage_corrects_type_and_area(bench: Bench) -> None:
    bench(received(0))
    assert bench.show("care_calls_open") == {("north", "crisis", "waiting"): 1}
    bench(triaged(1, area="south"))
    assert bench.show("care_calls_open") == {("south", "crisis", "waiting"): 1}
    bench(received(2, call_type="check", area="far"))
    assert bench.show("care_calls_open") == {("far", "check", "waiting"): 1}
    bench(triaged(1, area="north", call_type="crisis"))  # an older one that comes late
    assert bench.show("care_calls_open") == {("far", "check", "waiting"): 1}


def test_a_second_reception_is_not_counted(bench: Bench) -> None:
    bench(received(0, source="988"), received(1, area="south"))
    assert bench.show("care_calls_received_total") == {("north", "crisis", "988"): 1}


def test_a_correction_after_closing_does_not_count(bench: Bench) -> None:
    bench(received(0), closed(5))
    assert bench(received(6, area="south")) == ["late"]
    assert bench.show("care_calls_today") == {("none", "north", "unrecorded"): 1}


def test_a_correction_from_before_the_end_completes_the_record_but_moves_no_counter(bench: Bench) -> None:
    bench(received(0), closed(5))
    assert bench(triaged(1, area="south")) == ["late"]
    assert bench.show("care_calls_today") == {("none", "south", "unrecorded"): 1}
    assert bench.show("care_calls_closed_total") == {("none", "north", "crisis", "unrecorded"): 1}


def test_an_event_of_a_call_never_received_makes_it_without_counting_it(bench: Bench) -> None:
    bench(dispatched(0))
    assert bench.show("care_calls_open") == {("other", "other", "dispatched"): 1}
    assert bench.show("care_calls_received_total") == {}
    assert bench.show("care_unmapped_values_total") == {}  # no code was given, so none was unknown
    bench(on_scene(3), closed(9))
    assert bench.show("care_calls_closed_total") == {("other", "other", "other", "unrecorded"): 1}
    assert bench.show("care_demand_hour_of_week") == {}


def test_a_reception_that_comes_second_is_counted_then(bench: Bench) -> None:
    bench(dispatched(2), received(0))
    assert bench.show("care_calls_received_total") == {("north", "crisis", "other"): 1}
    assert bench.intervals() == {("other", "north", "received_to_dispatched"): (1, 120)}


def test_late_events_complete_the_record_and_move_no_counter(bench: Bench) -> None:
    bench(received(0), closed(30, outcome="services"))
    before = {
        name: bench.show(name)
        for name in (
            "care_calls_received_total",
            "care_calls_closed_total",
            "care_demand_total",
            "care_call_interval_seconds",
            "care_transports_total",
            "care_use_of_force_total",
            "care_needles_collected_total",
            "care_referrals_total",
            "care_police_involvement_total",
            "care_unmapped_values_total",
        )
    }
    late = [
        dispatched(1, team="nobody"),
        on_scene(5),
        transporting(6, destination="odd"),
        make(e.UseOfForce, 7, call="C1", level=2),
        make(e.NeedlesCollected, 7, call="C1", count=3),
        make(e.ReferralMade, 8, call="C1", service="housing"),
        dispatched(3, "P1", agency="police"),
        closed(29),
        received(0),
    ]
    assert bench(*late) == ["late"] * len(late)
    assert {name: bench.show(name) for name in before} == before
    # the gauges know better
    assert bench.show("care_calls_today") == {("other", "north", "services"): 1}
    assert bench.show("care_demand_hour_of_week") == {("wed", "12", "served"): 1}


def test_a_reception_after_the_closing_is_late(bench: Bench) -> None:
    assert bench(closed(9), received(0)) == ["applied", "late"]
    assert bench.show("care_calls_received_total") == {}
    assert bench.show("care_calls_today") == {("none", "north", "unrecorded"): 1}


def test_a_duplicate_changes_nothing(bench: Bench) -> None:
    events = [
        received(0),
        make(e.NeedlesCollected, 1, call="C1", count=3),
        make(e.UseOfForce, 2, call="C1", level=1),
        make(e.ReferralMade, 3, call="C1", service="housing"),
        status(3, "available", team="nobody"),
        opened(4, team="nobody"),
        closed(5),
    ]
    bench(*events)
    assert bench(*events) == ["duplicate"] * len(events)
    bench.state.flush()
    assert bench(*events) == ["duplicate"] * len(events)
    assert bench.show("care_needles_collected_total") == {("north",): 3}
    assert bench.show("care_use_of_force_total") == {("1",): 1}
    assert bench.show("care_referrals_total") == {("housing",): 1}
    assert bench.show("care_unmapped_values_total") == {("team",): 2}
    assert bench.show("care_calls_closed_total") == {("none", "north", "crisis", "unrecorded"): 1}


def test_the_same_id_on_another_call_is_another_event(bench: Bench) -> None:
    assert bench(received(0, id="same"), received(0, id="same", call="C2")) == ["applied", "applied"]


# --- team of a call ------------------------------------------------------------------------------------------


def team_of(bench: Bench) -> str:
    ((team, *_),) = bench.show("care_calls_closed_total")
    return team


def test_the_team_is_that_of_the_first_care_unit_on_scene(bench: Bench) -> None:
    bench(received(0), dispatched(1, "U1", team="alpha"), dispatched(2, "U2", team="beta"))
    bench(on_scene(9, "U1"), on_scene(8, "U2"), closed(20))
    assert team_of(bench) == "beta"


def test_else_of_the_first_dispatched(bench: Bench) -> None:
    bench(received(0), dispatched(3, "U1", team="alpha"), dispatched(2, "U2", team="beta"), closed(20))
    assert team_of(bench) == "beta"


def test_else_none(bench: Bench) -> None:
    bench(received(0), dispatched(1, "P1", agency="police", team="alpha"), on_scene(2, "P1"), closed(20))
    assert team_of(bench) == "none"


def test_the_team_of_a_unit_is_from_its_last_status_where_its_dispatch_says_none(bench: Bench) -> None:
    bench(status(-9, "available", team="alpha"), status(-5, "available", team="beta"))
    bench(received(0), dispatched(1), closed(20))
    assert team_of(bench) == "beta"


def test_the_dispatch_goes_before_the_status(bench: Bench) -> None:
    bench(status(-9, "available", team="beta"), received(0), dispatched(1, team="alpha"), closed(20))
    assert team_of(bench) == "alpha"


def test_a_unit_without_either_is_of_another_team(bench: Bench) -> None:
    bench(received(0), dispatched(1), closed(20))
    assert team_of(bench) == "other"


def test_a_status_that_comes_late_moves_the_calls_of_today(bench: Bench) -> None:
    bench(received(0), dispatched(1), closed(20), status(-5, "available", team="beta"))
    assert bench.show("care_calls_today") == {("beta", "north", "unrecorded"): 1}
    assert team_of(bench) == "other"


@pytest.mark.parametrize("agency", ["police", "fire", "ems"])
def test_only_care_units_make_stages_intervals_and_served(bench: Bench, agency: str) -> None:
    bench(received(0), dispatched(1, agency=agency))
    bench(en_route(2), on_scene(3), transporting(4, destination="shelter"))  # known by its dispatch
    assert bench.stages() == {"waiting": 1}
    bench(cleared(5), closed(9))
    assert bench.intervals() == {}
    assert bench.show("care_transports_total") == {}
    assert ("north", "served") not in bench.results()


def test_the_results_of_today_are_by_what_is_known_now(bench: Bench) -> None:
    bench(received(0), closed(20))
    assert bench.show("care_demand_today") == {("north", "no_unit_on_duty"): 1}
    bench(status(-5, "dispatched", team="alpha"))  # late, and before the call
    assert bench.show("care_demand_today") == {("north", "all_units_busy"): 1}
    assert bench.results() == {("north", "no_unit_on_duty"): 1}  # a counter tells what was known at the close
    bench(on_scene(9))
    assert bench.show("care_demand_today") == {("north", "served"): 1}
    assert bench.show("care_demand_today", at=NOON + DAY) == {}


# --- stage ---------------------------------------------------------------------------------------------------


def test_the_stage_is_the_furthest_reached(bench: Bench) -> None:
    steps = [
        (received(0), "waiting"),
        (dispatched(1), "dispatched"),
        (en_route(2), "en_route"),
        (on_scene(3), "on_scene"),
        (transporting(4), "transporting"),
        (at_destination(5), "transporting"),
        (cleared(6), "waiting"),
    ]
    for event, stage in steps:
        bench(event)
        assert bench.stages() == {stage: 1}
    bench(closed(7))
    assert bench.stages() == {}


def test_the_stage_is_that_of_the_units_not_yet_cleared(bench: Bench) -> None:
    bench(received(0), on_scene(3, "U1"), en_route(4, "U2"))
    assert bench.stages() == {"on_scene": 1}
    bench(cleared(5, "U1"))
    assert bench.stages() == {"en_route": 1}


def test_a_step_that_was_not_reported_does_not_hide_the_stage(bench: Bench) -> None:
    bench(received(0), on_scene(3), dispatched(1))
    assert bench.stages() == {"on_scene": 1}


def test_ineligible_calls_are_left_out(bench: Bench) -> None:
    bench(received(0), dispatched(1), triaged(2, eligible=False))
    assert bench.stages() == {}
    bench(triaged(3, eligible=True))
    assert bench.stages() == {"dispatched": 1}
    bench(triaged(1, eligible=False))  # an older one that comes late
    assert bench.stages() == {"dispatched": 1}


# --- intervals -----------------------------------------------------------------------------------------------


def test_each_interval_of_a_call(bench: Bench) -> None:
    bench(received(0), dispatched(1, team="alpha"), en_route(3), on_scene(7), cleared(15))
    assert bench.intervals() == {
        ("alpha", "north", "received_to_dispatched"): (1, 60),
        ("alpha", "north", "received_to_on_scene"): (1, 420),
        ("alpha", "north", "dispatched_to_en_route"): (1, 120),
        ("alpha", "north", "en_route_to_on_scene"): (1, 240),
        ("alpha", "north", "on_scene_to_cleared"): (1, 480),
        ("alpha", "north", "dispatched_to_cleared"): (1, 840),
    }


def test_the_first_two_are_of_the_first_unit_and_the_others_of_each(bench: Bench) -> None:
    bench(received(0), dispatched(1, "U1", team="alpha"), dispatched(2, "U2", team="beta"))
    bench(en_route(3, "U1"), en_route(4, "U2"), on_scene(6, "U2"), on_scene(9, "U1"))
    assert bench.intervals() == {
        ("alpha", "north", "received_to_dispatched"): (1, 60),
        ("beta", "north", "received_to_on_scene"): (1, 360),
        ("alpha", "north", "dispatched_to_en_route"): (1, 120),
        ("beta", "north", "dispatched_to_en_route"): (1, 120),
        ("alpha", "north", "en_route_to_on_scene"): (1, 360),
        ("beta", "north", "en_route_to_on_scene"): (1, 120),
    }


def test_an_interval_is_observed_once(bench: Bench) -> None:
    bench(received(0), dispatched(2), dispatched(1), dispatched(0.5, "U2"), received(-1))
    assert bench.intervals() == {("other", "north", "received_to_dispatched"): (1, 120)}


def test_an_interval_waits_for_its_start(bench: Bench) -> None:
    bench(received(0), cleared(9))
    assert bench.intervals() == {}
    bench(on_scene(5))
    assert bench.intervals() == {
        ("other", "north", "received_to_on_scene"): (1, 300),
        ("other", "north", "on_scene_to_cleared"): (1, 240),
    }


def test_an_interval_of_no_time_is_observed(bench: Bench) -> None:
    bench(received(0), dispatched(0))
    assert bench.intervals() == {("other", "north", "received_to_dispatched"): (1, 0)}


def test_a_negative_interval_is_disorder(bench: Bench) -> None:
    bench(received(0), dispatched(-1), en_route(-2))
    assert bench.intervals() == {}
    assert bench.show("care_interval_disorder_total") == {
        ("received_to_dispatched",): 1,
        ("dispatched_to_en_route",): 1,
    }
    bench(dispatched(-1.5), received(-5))  # counted already
    assert sum(bench.show("care_interval_disorder_total").values()) == 2
    assert bench.intervals() == {}


# --- result of a call ----------------------------------------------------------------------------------------


def reason(text: str) -> dict[str, Any]:
    return {"unserved_reason": text}


ON_DUTY = status(-60, "available", "U9")
RESULTS: list[tuple[str, list[Any]]] = [
    ("served", [received(0), on_scene(3), triaged(4, eligible=False), closed(9, **reason("cancelled"))]),
    ("ineligible", [received(0), triaged(1, eligible=False), closed(9, **reason("all_units_busy"))]),
    ("all_units_busy", [received(0), closed(9, outcome="cancelled", **reason("all_units_busy"))]),
    ("outside_hours", [received(0), closed(9, **reason("outside_hours"))]),
    ("handled_by_other", [received(0), closed(9, outcome="resolved_by_other")]),
    ("cancelled", [received(0, area="far"), closed(9, outcome="cancelled")]),
    ("outside_area", [received(0, area="far"), closed(9)]),
    ("outside_hours", [received(local("2024-05-15T10:29")), closed(9)]),
    ("no_unit_on_duty", [received(0), closed(9)]),
    ("no_unit_on_duty", [status(-60, "off_duty"), received(0), closed(9)]),
    ("no_unit_on_duty", [status(1, "available"), received(0), closed(9)]),
    ("all_units_busy", [status(-60, "on_scene"), received(0), closed(9)]),
    ("all_units_busy", [status(-60, "unavailable"), status(-60, "off_duty", "U2"), received(0), closed(9)]),
    ("all_units_busy", [status(-60, "available"), status(0, "dispatched"), received(0), closed(9)]),
    ("not_triaged", [ON_DUTY, received(0), closed(9)]),
    ("unknown", [ON_DUTY, received(0), triaged(1), closed(9)]),
    ("unknown", [ON_DUTY, received(0), triaged(1), closed(9, outcome="services")]),
    ("unknown", [ON_DUTY, received(0), triaged(1), closed(9, **reason("rained"))]),
    ("unknown", [ON_DUTY, received(0), triaged(1), closed(9, **reason("served"))]),
]


@pytest.mark.parametrize(("result", "events"), RESULTS, ids=lambda v: v if isinstance(v, str) else "")
def test_the_first_result_that_fits(bench: Bench, result: str, events: list[Any]) -> None:
    bench(*events)
    assert {found for _, found in bench.results()} == {result}
    assert sum(bench.results().values()) == 1


def test_only_teams_that_cover_the_area_are_asked_for_units(bench: Bench) -> None:
    bench(status(-60, "available", team="alpha"))
    bench(
        received(0, area="south"),
        closed(9),
        received(0, call="C2"),
        triaged(1, call="C2"),
        closed(9, call="C2"),
    )
    assert bench.results() == {("south", "no_unit_on_duty"): 1, ("north", "unknown"): 1}


def test_units_are_asked_as_they_were_when_the_call_was_received(bench: Bench) -> None:
    bench(status(-60, "available"), received(0), triaged(1), status(2, "off_duty"), closed(9))
    assert bench.results() == {("north", "unknown"): 1}


def test_a_program_that_does_not_triage_has_no_untriaged_calls() -> None:
    bench = Bench(profile(triages=False))
    bench(ON_DUTY, received(0), closed(9))
    assert bench.results() == {("north", "unknown"): 1}


@pytest.mark.parametrize(
    ("at", "outside"),
    [
        ("2024-05-15T10:29:59", True),
        ("2024-05-15T10:30:00", False),
        ("2024-05-15T15:59:59", False),
        ("2024-05-15T16:00:00", True),
        ("2024-05-18T12:00:00", True),  # Saturday
    ],
)
def test_outside_hours_is_by_the_local_time_of_the_reception(bench: Bench, at: str, outside: bool) -> None:
    minute = local(at)
    bench(received(minute), closed(minute + 600))
    assert bench.results() == {("north", "outside_hours" if outside else "no_unit_on_duty"): 1}


def test_a_result_is_counted_once(bench: Bench) -> None:
    bench(received(0), closed(9), on_scene(3), closed(8))
    assert bench.results() == {("north", "no_unit_on_duty"): 1}


# --- outcome, police -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("outcome", "label"),
    [
        (None, "unrecorded"),
        ("services", "services"),
        ("svc", "services"),
        ("refused", "refused"),
        ("odd", "other"),
    ],
)
def test_outcomes_are_mapped(bench: Bench, outcome: str | None, label: str) -> None:
    bench(received(0), closed(9, outcome=outcome))
    assert bench.show("care_calls_closed_total") == {("none", "north", "crisis", label): 1}
    assert bench.show("care_unmapped_values_total") == ({("outcome",): 1} if label == "other" else {})


def test_a_later_outcome_is_known_but_not_counted(bench: Bench) -> None:
    bench(received(0), closed(9), closed(12, outcome="services"), closed(11, outcome="refused"))
    assert bench.show("care_calls_today") == {("none", "north", "refused"): 1}
    assert bench.show("care_calls_closed_total") == {("none", "north", "crisis", "unrecorded"): 1}


def police(there: float | None, gone: float | None, unit: str = "P1") -> list[Any]:
    """A police unit dispatched at 2, on scene and cleared at these minutes."""
    events = [dispatched(2, unit, agency="police")]
    events += [on_scene(there, unit)] if there else []
    return [*events, cleared(gone, unit)] if gone else events


CARE = [dispatched(1), on_scene(5), cleared(40)]
POLICE: list[tuple[str, float, list[Any]]] = [
    ("none", 0, CARE),
    ("none", 0, [*CARE, dispatched(2, "F1", agency="fire"), on_scene(3, "F1")]),
    ("cancelled", 0, [*CARE, *police(None, 4)]),
    ("released", 1200, [*CARE, *police(6, 20)]),
    ("released", 600, [*CARE, *police(6, 20), *police(7, 30, "P2")]),
    ("released", 1200, [*CARE, *police(6, 20), *police(None, 50, "P2")]),
    ("released", 1800, [*CARE, cleared(50, "U2"), *police(6, 20)]),
    ("stayed", 0, [*CARE, *police(6, None)]),
    ("stayed", 0, [*CARE, *police(6, 40)]),
    ("stayed", 0, [*CARE, *police(6, 41)]),
    ("stayed", 0, [*CARE, *police(6, 20), *police(7, None, "P2")]),
    ("stayed", 0, police(6, 20)),
]


@pytest.mark.parametrize(("involvement", "freed", "events"), POLICE)
def test_police_on_a_call(bench: Bench, involvement: str, freed: float, events: list[Any]) -> None:
    bench(received(0), *events)
    assert bench.show("care_police_involvement_total") == {}
    bench(closed(60))
    assert bench.show("care_police_involvement_total") == {("north", involvement): 1}
    assert bench.show("care_police_freed_seconds_total") == ({(): freed} if freed else {})


# --- other counted facts -------------------------------------------------------------------------------------


def test_transports_are_counted_once_a_unit(bench: Bench) -> None:
    bench(received(0), transporting(5, destination="shelter"), transporting(6, destination="shelter"))
    bench(transporting(7, "U2", destination="moon"), transporting(8, "U3"))
    assert bench.show("care_transports_total") == {("other", "shelter"): 1, ("other", "other"): 2}
    assert bench.show("care_unmapped_values_total") == {("destination",): 1}


def test_needles_referrals_and_force_are_counted_each_time(bench: Bench) -> None:
    bench(received(0), *(make(e.NeedlesCollected, at, call="C1", count=4) for at in (1, 2)))
    bench(*(make(e.ReferralMade, at, call="C1", service=s) for at, s in ((1, "housing"), (2, "housing"), (3, "odd"))))
    bench(*(make(e.UseOfForce, at, call="C1", level=level) for at, level in ((1, 1), (2, 3), (3, 3))))
    assert bench.show("care_needles_collected_total") == {("north",): 8}
    assert bench.show("care_referrals_total") == {("housing",): 2, ("other",): 1}
    assert bench.show("care_use_of_force_total") == {("1",): 1, ("3",): 2}
    assert bench.show("care_unmapped_values_total") == {("service",): 1}


def test_unmapped_codes_count_under_other_and_are_handed_out_for_the_log(bench: Bench) -> None:
    applied = bench.state.apply(received(0, call_type="odd", area="moon"), NOON)
    assert applied == ("applied", (("call_type", "odd"), ("area", "moon")))
    assert bench.state.apply(dispatched(1, team="gone"), NOON).unmapped == (("team", "gone"),)
    assert bench.state.apply(status(1, "available", team="gone", area="moon"), NOON).unmapped == (
        ("team", "gone"),
        ("area", "moon"),
    )
    assert bench.state.apply(opened(1, team="gone", area="moon"), NOON).unmapped == (
        ("team", "gone"),
        ("area", "moon"),
    )
    assert bench.show("care_calls_received_total") == {("other", "other", "other"): 1}
    assert bench.show("care_units") == {("other", "other", "available"): 1}
    assert bench.show("care_unmapped_values_total") == {("call_type",): 1, ("area",): 3, ("team",): 3}


def test_local_codes_are_mapped(bench: Bench) -> None:
    bench(received(0, call_type="welfare", area="n", source="911"))
    assert bench.show("care_calls_received_total") == {("north", "check", "911"): 1}
    assert bench.show("care_unmapped_values_total") == {}


def test_people_are_distinct_over_calls_and_cases(bench: Bench) -> None:
    bench(received(0), closed(1, person="a"), received(0, call="C2"), closed(1, call="C2", person="a"))
    bench(closed(1, call="C3", person="b"), opened(1, person="a"), opened(1, case="K2", person="c"))
    assert bench.show("care_people_served") == {(): 3}
    bench(closed(0.5, call="C3", person="a"))  # the earliest that names one holds
    assert bench.show("care_people_served") == {(): 2}


def test_no_token_is_kept(bench: Bench) -> None:
    bench(received(0), closed(1, person="JANE-DOE"), opened(1, person="JANE-DOE"))
    assert b"JANE" not in b"".join(filter(None, bench.state.flush().values()))


# --- time ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("closed_at", "now", "today"),
    [
        ("2024-05-15T00:00:00-05:00", "2024-05-15T23:59:59-05:00", 1),
        ("2024-05-14T23:59:59-05:00", "2024-05-15T00:00:00-05:00", 0),
        ("2024-03-10T00:00:00-06:00", "2024-03-10T23:59:59-05:00", 1),  # the day of 23 hours
        ("2024-03-09T23:59:59-06:00", "2024-03-10T12:00:00-05:00", 0),
        ("2024-11-03T00:00:00-05:00", "2024-11-03T23:59:59-06:00", 1),  # the day of 25 hours
        ("2024-11-02T23:59:59-05:00", "2024-11-03T12:00:00-06:00", 0),
        ("2024-11-03T23:30:00-06:00", "2024-11-04T00:00:00-06:00", 0),
    ],
)
def test_today_starts_at_local_midnight(bench: Bench, closed_at: str, now: str, today: int) -> None:
    bench(closed(local(closed_at, "")))
    shown = bench.show("care_calls_today", local(now, ""))
    assert shown == ({("none", "other", "unrecorded"): 1} if today else {})


@pytest.mark.parametrize(
    ("received_at", "cell"),
    [
        ("2024-03-10T07:59:59+00:00", ("sun", "01")),  # before the clocks go forward
        ("2024-03-10T08:00:00+00:00", ("sun", "03")),
        ("2024-11-03T06:30:00+00:00", ("sun", "01")),  # the hour that comes twice
        ("2024-11-03T07:30:00+00:00", ("sun", "01")),
        ("2024-11-03T08:30:00+00:00", ("sun", "02")),
        ("2024-05-13T05:00:00+00:00", ("mon", "00")),
        ("2024-05-13T04:59:59+00:00", ("sun", "23")),
    ],
)
def test_the_hour_of_the_week_is_local(bench: Bench, received_at: str, cell: tuple[str, str]) -> None:
    minute = local(received_at, "")
    bench(received(minute), on_scene(minute + 1), closed(minute + 2))
    assert bench.show("care_demand_hour_of_week", minute + 60) == {(*cell, "served"): 1}


@pytest.mark.parametrize(
    ("received_at", "now"),
    [
        ("2024-05-15T12:00:00-05:00", "2024-06-12T12:00:00-05:00"),
        ("2024-02-15T12:30:00-06:00", "2024-03-14T12:30:00-05:00"),  # 28 local days, an hour less
        ("2024-10-20T12:30:00-05:00", "2024-11-17T12:30:00-06:00"),  # an hour more
    ],
)
def test_the_window_is_28_local_days_to_the_instant(bench: Bench, received_at: str, now: str) -> None:
    start, end = local(received_at, ""), local(now, "")
    bench(received(start), on_scene(start), closed(start + 1))
    bench(received(start - 0.001, call="C2"), on_scene(start, call="C2"), closed(start + 1, call="C2"))
    assert sum(bench.show("care_demand_hour_of_week", end).values()) == 1
    assert bench.show("care_demand_hour_of_week", end + 0.001) == {}
    assert sum(bench.show("care_demand_hour_of_week", end - 0.001).values()) == 2


def test_demand_by_hour_leaves_out_ineligible_and_sorts_the_rest(bench: Bench) -> None:
    bench(received(0), triaged(1, eligible=False), closed(2))
    bench(received(0, call="C2"), closed(2, call="C2"))
    bench(received(0, call="C3"), on_scene(1, call="C3"), closed(2, call="C3"))
    evening = local("2024-05-15T22:10")
    bench(received(evening, call="C4"), closed(evening + 2, call="C4"))
    assert bench.show("care_demand_hour_of_week", evening + 9) == {
        ("wed", "12", "unmet"): 1,
        ("wed", "12", "served"): 1,
        ("wed", "22", "outside_hours"): 1,
    }


def test_now_is_passed_in(bench: Bench) -> None:
    bench(received(0), closed(1))
    assert bench.show("care_calls_today", at=NOON) != {}
    assert bench.show("care_calls_today", at=NOON + DAY) == {}


def test_a_state_goes_when_nothing_refers_to_it(bench: Bench) -> None:
    """Without the garbage collector, which the worker rarely asks: states are dropped with each rebalance."""
    bench(received(0), status(1, "available"), closed(2))
    bench.show("care_calls_open")
    gone = weakref.ref(bench.state)
    gc.disable()
    try:
        del bench.state
        assert gone() is None
    finally:
        gc.enable()
