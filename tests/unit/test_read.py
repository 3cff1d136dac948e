"""The read model: what is there from the start, waiting and over target, the staffing plan, feeds."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from streams import events as e
from streams import metrics as m
from streams import tally
from streams.events import SOURCES, STATUSES
from streams.programs import INTERVALS, OUTCOMES
from streams.read import Spread, read
from tests.unit.strategies import (
    MINUTE,
    NOON,
    OFFICE,
    PROGRAM,
    SMALL,
    Bench,
    cleared,
    closed,
    dispatched,
    en_route,
    local,
    make,
    numbers,
    on_scene,
    profile,
    received,
    status,
    transporting,
    triaged,
)

# --- what is there from the start ----------------------------------------------------------------------------


def test_every_family_of_a_program_is_read(bench: Bench) -> None:
    assert {metric for metric, _ in read(bench.state, NOON)} == set(m.PROGRAM_METRICS)


def test_samples_have_the_labels_of_their_family(bench: Bench) -> None:
    bench(received(0), status(0, "available"), triaged(1), make(e.Heartbeat, 0, topic="followup"))
    for metric, samples in read(bench.state, NOON):
        assert all(len(labels) == len(metric.labels) and labels[0] == "small" for labels, _ in samples), metric
        assert all(isinstance(value, Spread) == (metric.kind == "histogram") for _, value in samples), metric


@pytest.mark.parametrize(
    ("name", "labels"),
    [
        ("care_units", [("alpha", "north", s) for s in STATUSES] + [("beta", "south", s) for s in STATUSES]),
        ("care_units_planned", [("alpha",), ("beta",)]),
        ("care_unit_seconds_total", [(team, s) for team in ("alpha", "beta") for s in STATUSES]),
        (
            "care_calls_open",
            [(a, t, "waiting") for a in ("north", "far", "other") for t in ("crisis", "other")],
        ),
        ("care_calls_over_target", [("north", "received_to_dispatched"), ("south", "received_to_on_scene")]),
        ("care_calls_received_total", [("south", "check", source) for source in SOURCES]),
        (
            "care_calls_closed_total",
            [(t, "north", "crisis", o) for t in ("alpha", "beta", "none") for o in (*OUTCOMES, "unrecorded")],
        ),
        ("care_calls_today", [("none", "far", "unrecorded"), ("beta", "south", "services")]),
        ("care_demand_total", [(area, r) for area in ("north", "far", "other") for r in tally.RESULTS]),
        (
            "care_demand_hour_of_week",
            [("mon", "00", "unmet"), ("sun", "23", "served"), ("wed", "12", "outside_hours")],
        ),
        ("care_call_interval_seconds", [("alpha", "north", interval) for interval in INTERVALS]),
        ("care_transports_total", [("alpha", "shelter"), ("beta", "other")]),
        ("care_police_involvement_total", [("south", involvement) for involvement in tally.INVOLVEMENTS]),
        ("care_police_freed_seconds_total", [()]),
        ("care_use_of_force_total", [("1",), ("2",), ("3",)]),
        ("care_needles_collected_total", [("north",), ("other",)]),
        ("care_referrals_total", [("housing",), ("other",)]),
        ("care_people_served", [()]),
        ("care_unmapped_values_total", [("area",), ("call_type",), ("team",), ("outcome",), ("service",)]),
        ("care_interval_disorder_total", [(interval,) for interval in INTERVALS]),
    ],
)
def test_possible_combinations_are_there_at_zero(bench: Bench, name: str, labels: list[tuple[str, ...]]) -> None:
    found = numbers(bench.state, NOON - 720 * MINUTE)
    for each in labels:
        value = found[name, each]
        assert value == 0 or (sum(value[0]), value[1]) == (0, 0)


def test_a_team_is_not_shown_for_areas_that_it_never_covers(bench: Bench) -> None:
    assert ("care_units", ("alpha", "south", "available")) not in numbers(bench.state, NOON)


def test_nobody_waits_before_there_is_a_call(bench: Bench) -> None:
    assert bench.show("care_call_oldest_waiting_timestamp_seconds") == {}


# --- waiting -------------------------------------------------------------------------------------------------


def test_the_oldest_waiting_call_of_each_area(bench: Bench) -> None:
    bench(received(5), received(3, call="C2"), received(9, call="C3", area="south"))
    assert bench.show("care_call_oldest_waiting_timestamp_seconds") == {
        ("north",): (NOON + 3 * MINUTE) / 1e6,
        ("south",): (NOON + 9 * MINUTE) / 1e6,
    }
    bench(dispatched(10, call="C2"), closed(10, call="C3"))
    assert bench.show("care_call_oldest_waiting_timestamp_seconds") == {("north",): (NOON + 5 * MINUTE) / 1e6}
    bench(triaged(11, eligible=False), cleared(12, call="C2"))
    assert bench.show("care_call_oldest_waiting_timestamp_seconds") == {("north",): (NOON + 3 * MINUTE) / 1e6}


# --- over target ---------------------------------------------------------------------------------------------


def over(bench: Bench, minute: float) -> set[tuple[str, ...]]:
    return set(bench.show("care_calls_over_target", minute))


def test_a_call_is_over_target_after_the_shortest_target_of_its_area(bench: Bench) -> None:
    bench(received(0), received(0, call="C2", area="south"))
    assert over(bench, 5) == set()  # exactly the target
    assert over(bench, 5.01) == {("north", "received_to_dispatched")}
    assert over(bench, 20.01) == {("north", "received_to_dispatched"), ("north", "received_to_on_scene")}
    assert ("south", "received_to_on_scene") not in over(bench, 30)
    assert ("south", "received_to_on_scene") in over(bench, 30.01)


def test_an_interval_that_has_ended_is_not_over_target(bench: Bench) -> None:
    bench(received(0), dispatched(9))
    assert over(bench, 25) == {("north", "received_to_on_scene")}
    bench(on_scene(25))
    assert over(bench, 25) == set()


def test_the_target_of_a_unit_is_that_of_its_team(bench: Bench) -> None:
    bench(
        received(0),
        dispatched(1, team="alpha"),
        en_route(2),
        dispatched(1, "U2", team="beta"),
        en_route(2, "U2"),
    )
    assert over(bench, 9) == set()
    assert over(bench, 9.01) == {("north", "en_route_to_on_scene")}
    bench(on_scene(9.5))
    assert over(bench, 60) == set()  # beta has no target for it


def test_calls_are_counted_not_units(bench: Bench) -> None:
    bench(
        received(0),
        *(x(1, u, team="alpha") if x is dispatched else x(2, u) for u in ("U1", "U2") for x in (dispatched, en_route)),
    )
    assert bench.show("care_calls_over_target", 12) == {("north", "en_route_to_on_scene"): 1}  # fmt: skip


def test_a_unit_that_cleared_is_no_longer_over_target(bench: Bench) -> None:
    """Was: a unit sent back on its way kept its call over target to the end, for it never arrives."""
    bench(
        received(0),
        dispatched(1, team="alpha"),
        en_route(2),
        cleared(5),
        dispatched(5, "U2"),
        on_scene(8, "U2"),
    )
    assert over(bench, 60) == set()


def test_calls_that_are_closed_ineligible_or_were_never_received_are_not_over_target(bench: Bench) -> None:
    bench(received(0), closed(1), received(0, call="C2"), triaged(1, call="C2", eligible=False))
    bench(triaged(0, call="C3", area="north"))
    assert over(bench, 60) == set()


# --- targets and the plan ------------------------------------------------------------------------------------


def test_targets_are_shown_in_seconds(bench: Bench) -> None:
    assert bench.show("care_interval_target_seconds") == {
        ("alpha", "received_to_dispatched"): 300,
        ("alpha", "received_to_on_scene"): 1200,
        ("alpha", "en_route_to_on_scene"): 420,
        ("beta", "received_to_on_scene"): 1800,
    }


def test_the_histogram_has_an_edge_at_each_target(bench: Bench) -> None:
    spread = next(samples[0][1] for metric, samples in read(bench.state, NOON) if metric is m.INTERVAL)
    assert isinstance(spread, Spread)
    assert {300, 420, 1200, 1800} <= set(spread.bounds)
    assert (spread.bounds[0], spread.bounds[-1]) == (30, 4 * 3600)
    assert len(spread.counts) == len(spread.bounds) + 1


def test_an_interval_at_an_edge_is_within_it(bench: Bench) -> None:
    bench(received(0), dispatched(5), received(0, call="C2"), dispatched(5.001, call="C2"))
    state = bench.state
    samples = next(samples for metric, samples in read(state, NOON) if metric is m.INTERVAL)
    spread = dict(samples)["small", "other", "north", "received_to_dispatched"]
    assert isinstance(spread, Spread)
    assert (spread.counts[spread.bounds.index(300)], spread.counts[spread.bounds.index(420)]) == (1, 1)


def test_a_very_long_interval_is_in_the_last_bucket(bench: Bench) -> None:
    bench(received(0), dispatched(5000))
    ((counts, total),) = bench.show("care_call_interval_seconds").values()
    assert (counts[-1], total) == (1, 300_000)


@pytest.mark.parametrize(
    ("at", "planned"),
    [
        ("2024-05-15T10:29:59", 0),
        ("2024-05-15T10:30:00", 2),
        ("2024-05-15T16:00:00", 0),
        ("2024-05-18T12:00:00", 0),
        ("2024-05-30T12:00:00", 2),
        ("2024-05-31T12:00:00", 5),  # the day from which the new plan holds
        ("2024-06-28T12:00:00", 5),
        ("2024-07-01T12:00:00", 0),  # the day from which there is none
    ],
)
def test_the_plan_is_that_of_the_version_in_force(at: str, planned: int) -> None:
    alpha, beta = PROGRAM["teams"]
    small: Any = profile(
        teams=[
            {**alpha, "until": "2024-05-31"},
            {**alpha, "since": "2024-05-31", "until": "2024-07-01", "staffing": [{**OFFICE, "units": 5}]},
            beta,
        ]
    )
    found = numbers(Bench(small).state, NOON + round(local(at) * MINUTE))
    assert found["care_units_planned", ("alpha",)] == planned
    assert found["care_units_planned", ("beta",)] == 0


# --- feeds ---------------------------------------------------------------------------------------------------


def test_a_feed_that_was_never_heard_of_is_told_from_one_that_is_not_there(bench: Bench) -> None:
    feeds = numbers(bench.state, NOON)
    assert {k[1]: v for k, v in feeds.items() if k[0] == "care_feed_last_event_timestamp_seconds"} == {
        ("dispatch",): 0,
        ("status",): 0,
        ("followup",): 0,
    }


def test_a_feed_that_the_program_has_not_is_not_watched() -> None:
    bench = Bench(msgspec.structs.replace(SMALL, feeds=("dispatch", "status")))
    bench(received(1), make(e.CaseClosed, 4, case="K1"))
    assert set(bench.show("care_feed_last_event_timestamp_seconds")) == {("dispatch",)}  # those not 0
    names = {k[1] for k in numbers(bench.state, NOON) if k[0] == "care_feed_last_event_timestamp_seconds"}
    assert names == {("dispatch",), ("status",)}
    assert bench.show("care_cases_active") == {}


def test_the_newest_event_of_each_feed(bench: Bench) -> None:
    bench(make(e.Heartbeat, 1, topic="status"), make(e.Heartbeat, 7, topic="dispatch"), received(3))
    bench(status(2, "available"), make(e.CaseClosed, 4, case="K1"), transporting(0))
    assert bench.show("care_feed_last_event_timestamp_seconds") == {
        ("status",): (NOON + 2 * MINUTE) / 1e6,
        ("dispatch",): (NOON + 7 * MINUTE) / 1e6,
        ("followup",): (NOON + 4 * MINUTE) / 1e6,
    }
