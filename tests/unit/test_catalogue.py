"""The catalogue: every number of the contract, what a program file makes possible, and the recipe for a new one."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from math import prod
from typing import Any, NamedTuple

import msgspec
import pytest

from carewatch.settings import PROGRAMS
from streams import catalogue as m
from streams.catalogue import size, values
from streams.catalogue.catalogue import Catalogue
from streams.catalogue.metric import Labels, Metric, corrected_as, each, facts, some
from streams.catalogue.reading import Reading, Spread, Value
from streams.catalogue.reference import reference
from streams.clock import SECOND, Micros
from streams.followups import RESULTS as FOLLOWUP_RESULTS
from streams.followups import STATES as FOLLOWUP_STATES
from streams.programs import NO_TEAM, OTHER, Coded, Profile, ProfileError, load_all
from streams.rules import Rules
from streams.views.counts import Counts
from tests.unit.strategies import NOON, SMALL

SHIPPED = load_all(PROGRAMS)
ALL = (*m.PROGRAM, *m.PIPELINE)
BY_NAME = {metric.name: metric for metric in ALL}

#: The table of the contract, section 4 (version 2): names and labels. `care_program_info` comes with the dated program files.
CONTRACT = """
care_units program team area status
care_units_planned program team
care_unit_seconds_total program team status
care_calls_open program area call_type stage
care_call_oldest_waiting_timestamp_seconds program area
care_calls_over_target program area interval
care_interval_target_seconds program team interval
care_calls_received_total program area call_type source
care_calls_closed_total program team area outcome
care_facts_corrected_total program metric team area outcome result code
care_call_interval_corrected_seconds program team interval
care_events_archived_total topic
care_events_withdrawn_total topic
care_events_corrected_total topic
care_data_quality_total program problem
care_calls_with_referral_total program area
care_police_requested_total program area
care_involuntary_total program area
care_people_repeat program window
care_calls_reopened_total program area
care_calls_merged_total program area
care_calls_stale program area
care_units_stale program team
care_units_diverted_total program team
care_team_open program team
care_staffing_seconds_total program team what
care_calls_today program team area outcome
care_demand_total program area result
care_demand_hour_of_week program day hour result
care_call_interval_seconds program team interval
care_transports_total program team destination
care_police_involvement_total program area involvement
care_police_freed_seconds_total program
care_use_of_force_total program level
care_needles_collected_total program area
care_referrals_total program service
care_followups program team area followup state
care_followup_next_lapse_timestamp_seconds program team
care_followups_due program team followup window result
care_followup_attempts_total program team followup result
care_outreach_attempts_total program area
care_outreach_located_total program area
care_cases_active program kind
care_people_served program
care_events_total program topic type
care_events_rejected_total topic reason
care_events_duplicate_total topic
care_events_late_total topic
care_team_info program team name
care_area_info program area name
care_followup_info program followup name
care_code_info program kind code name
care_unmapped_values_total program field
care_partition_conflicts_total program
care_interval_disorder_total program interval
care_feed_last_event_timestamp_seconds program topic
care_event_delay_seconds topic
care_worker_ready
care_build_info version
"""


class Sums(NamedTuple):
    """Staffing of a team."""

    planned: Micros = 5 * SECOND
    on_duty: Micros = 4 * SECOND
    available: Micros = 3 * SECOND
    missing: Micros = 2 * SECOND
    none_available: Micros = 1 * SECOND


class Fake:
    """Views that all say what they were given, and else nothing."""

    def __init__(self, **says: Any) -> None:
        self._says = says
        self.units = self.staffing = self.open_calls = self.closed = self.hours = self
        self.followups = self.people = self.feeds = self.kept = self

    def __getattr__(self, name: str) -> Any:
        def say(*at: Micros) -> Any:
            self._says.setdefault("asked", []).append((name, *at))
            return self._says.get(name, 0 if name == "served" else {})

        return say


def reading(catalogue: Catalogue = m.PROGRAM, profile: Profile = SMALL, **says: Any) -> tuple[Counts, Reading]:
    counts = Counts(catalogue, values.edges([profile]))
    counts.start(profile)
    views: Any = Fake(**says)
    return counts, Reading(catalogue, Rules(profile), counts, views)


def read(of: Reading, **when: Any) -> dict[Metric, dict[Labels, Value]]:
    return {metric: dict(samples) for metric, samples in of.all(NOON, **when)}


# --- declarations --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", CONTRACT.strip().splitlines())
def test_every_number_of_the_contract_is_declared(line: str) -> None:
    name, *labels = line.split()
    assert BY_NAME[name].labels == tuple(labels)


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric.name)
def test_a_declaration_is_whole(metric: Metric) -> None:
    assert metric.help.endswith(".")
    assert "  " not in metric.help
    told_by_the_worker = metric in {*m.PIPELINE}
    constant = metric.start == 1
    corrections = metric in {m.CORRECTED, m.INTERVAL_CORRECTED}
    sources = (bool(metric.sums), metric.read is not None, told_by_the_worker, constant, corrections)
    assert sum(sources) == 1, "a number comes from one place"
    if not told_by_the_worker:
        assert metric.micros == metric.name.removesuffix("_total").endswith("_seconds")


@pytest.mark.parametrize("metric", ALL, ids=lambda metric: metric.name)
@pytest.mark.parametrize("profile", [SMALL, SHIPPED["chicago"]], ids=["small", "chicago"])
def test_possible_values_have_the_labels_and_are_there_once(metric: Metric, profile: Profile) -> None:
    possible = [*metric.values.of(profile)]
    assert {len(labels) for labels in possible} <= {len(metric.values.labels)}
    assert len(set(possible)) == len(possible)


def test_contradictions_are_found_at_once() -> None:
    mine = m.PROGRAM.copy()
    with pytest.raises(ValueError, match="declared twice"):
        mine.gauge("care_units", each(), "Again.")
    with pytest.raises(ValueError, match="ends in _total"):
        mine.counter("care_more", each(), "No total.", facts("more"))
    with pytest.raises(ValueError, match="ends in _total"):
        mine.gauge("care_more_total", each(), "No counter.")
    with pytest.raises(ValueError, match="'closed' have the labels"):
        mine.counter("care_more_total", each(area=values.areas), "Other labels.", facts("closed", "area"))
    with pytest.raises(ValueError, match="'more' do not tell area"):
        mine.counter("care_more_total", each(area=values.areas), "A label more.", facts("more", "team"))
    assert "care_more_total" not in {metric.name for metric in m.PROGRAM}


def test_words_are_the_same_everywhere() -> None:
    assert values.FOLLOWUP_STATES == FOLLOWUP_STATES
    assert values.FOLLOWUP_RESULTS == FOLLOWUP_RESULTS


@pytest.mark.parametrize(
    ("metric", "labels", "corrected"),
    [
        (m.RECEIVED, ("loop", "crisis", "911"), ("", "loop", "", "", "crisis/911")),
        (m.CLOSED, ("art", "loop", "services"), ("art", "loop", "services", "", "")),
        (m.ATTEMPTS, ("art", "7d", "declined"), ("art", "", "", "declined", "7d")),
        (m.UNIT_SECONDS, ("art", "on_scene"), ("art", "", "", "", "on_scene")),
        (m.FREED, (), ("", "", "", "", "")),
    ],
)
def test_a_corrected_fact_has_the_labels_of_the_contract(
    metric: Metric, labels: Labels, corrected: tuple[str, ...]
) -> None:
    assert corrected_as(metric, labels) == (metric.name, *corrected)


def test_the_reference_has_a_row_for_each_number() -> None:
    page = reference()
    for metric in ALL:
        assert page.count(f"| `{metric.name}` |") == 1


# --- the recipe: docs/how-to/add-a-number.md -----------------------------------------------------------------


def test_a_counter_and_a_gauge_by_the_recipe() -> None:
    catalogue = m.PROGRAM.copy()
    handovers = catalogue.counter(
        "care_handovers_total",
        each(area=values.areas, to=("police", "ems")),
        "Calls handed to another agency.",
        facts("handover", "area to"),
    )
    longest = catalogue.gauge(
        "care_longest_scene_timestamp_seconds",
        each(team=values.own_teams),
        "When the unit arrived that has been on scene longest; 0 when none is.",
        lambda look: look.views.units.counts(look.now),
        micros=True,
    )
    counts, of = reading(catalogue, counts={("alpha",): 7 * SECOND})
    handed = ("handover", 738_000, "north", "police", 1)
    counts.change((), (handed,))
    taken = counts.change((handed,), (("handover", 738_000, "south", "police", 1),))
    found = read(of)
    assert found[handovers] == {
        ("small", area, to): float((area, to) in {("north", "police"), ("south", "police")})
        for area in (*SMALL.areas, OTHER)
        for to in ("police", "ems")
    }
    assert found[m.CORRECTED] == {("small", "care_handovers_total", "", "north", "", "", "police"): 1}
    assert taken == [("care_handovers_total", 738_000, "north", "police", 1)]
    assert found[longest] == {("small", "alpha"): 7.0, ("small", "beta"): 0}
    assert "care_handovers_total" not in {metric.name for metric in m.PROGRAM}  # a copy is another one


# --- reading -------------------------------------------------------------------------------------------------

#: What each view says, and the samples that it makes.
SAID: list[tuple[str, Any, Metric, Mapping[Labels, Value]]] = [
    ("counts", {("alpha", "north", "available"): 2}, m.UNITS, {("alpha", "north", "available"): 2}),
    ("seconds", {("alpha", "on_scene"): 90 * SECOND}, m.UNIT_SECONDS, {("alpha", "on_scene"): 90.0}),
    ("stages", {("north", "crisis", "stale"): 1}, m.CALLS_OPEN, {("north", "crisis", "stale"): 1}),
    ("oldest", {("other",): NOON}, m.OLDEST_WAITING, {("other",): NOON / SECOND}),
    ("past_target", {("north", "received_to_dispatched"): 3}, m.OVER_TARGET, {("north", "received_to_dispatched"): 3}),
    ("today", {("none", "far", "refused"): 4}, m.TODAY, {("none", "far", "refused"): 4}),
    ("demand", {("far", "unknown"): 4, ("north", "unknown"): 1}, m.DEMAND_TODAY, {("unknown",): 5}),
    ("since", {("mon", "09", "unmet"): 6}, m.DEMAND_HOUR, {("mon", "09", "unmet"): 6}),
    ("states", {("alpha", "north", "1d", "open"): 1}, m.FOLLOWUPS, {("alpha", "north", "1d", "open"): 1}),
    ("next_lapse", {("alpha",): NOON}, m.NEXT_LAPSE, {("alpha",): NOON / SECOND}),
    ("due", {("alpha", "1d", "7d", "missed"): 1}, m.FOLLOWUPS_DUE, {("alpha", "1d", "7d", "missed"): 1}),
    ("active", {("overdose",): 2}, m.CASES_ACTIVE, {("overdose",): 2}),
    ("served", 9, m.PEOPLE, {(): 9}),
    ("repeat", {("30d",): 2}, m.PEOPLE_REPEAT, {("30d",): 2}),
    ("newest", {("status",): NOON, ("unlisted",): NOON}, m.FEED, {("status",): NOON / SECOND}),
    ("endless", {("units",): 3}, m.RECORDS, {("units",): 3}),
    ("archived_early", {("units",): 3}, m.ARCHIVED_EARLY, {("units",): 3}),
    ("totals", {"alpha": Sums()}, m.STAFFING_SECONDS, {("alpha", "missing"): 2.0, ("alpha", "none_available"): 1.0}),
]


@pytest.mark.parametrize(("method", "says", "metric", "shown"), SAID, ids=[metric.name for _, _, metric, _ in SAID])
def test_what_a_view_says_is_shown(method: str, says: Any, metric: Metric, shown: Mapping[Labels, Value]) -> None:
    _, of = reading(**{method: says})
    found = read(of)[metric]
    assert {("small", *labels): value for labels, value in shown.items()}.items() <= found.items()
    extra = {labels: value for labels, value in found.items() if value and labels[1:] not in shown}
    assert not extra or metric is m.STAFFING_SECONDS
    assert {len(labels) for labels in found} == {len(metric.labels)}


def test_stale_calls_and_stale_units_are_asked_apart() -> None:
    asked: list[Any] = []
    _, of = reading(asked=asked)
    read(of)
    assert asked.count(("stale", NOON)) == 2


def test_time_that_still_runs_is_added_up_as_far_as_time_is_known() -> None:
    asked: list[Any] = []
    _, of = reading(asked=asked)
    read(of, upto=NOON - SECOND)
    assert ("seconds", NOON - SECOND) in asked
    assert ("totals", NOON - SECOND) in asked
    asked.clear()
    read(of, upto=NOON + SECOND)
    assert ("seconds", NOON) in asked


def test_what_the_program_file_says_is_shown() -> None:
    _, of = reading()
    found = read(of)
    assert found[m.UNITS_PLANNED] == {("small", "alpha"): 2, ("small", "beta"): 0}
    assert found[m.TEAM_OPEN] == {("small", "alpha"): 1, ("small", "beta"): 1}
    assert found[m.TARGET]["small", "alpha", "en_route_to_on_scene"] == 420.0
    assert found[m.RECORDS_LIMIT]["small", "open_calls"] == 50_000
    assert found[m.AREA_INFO]["small", "north", "North"] == 1


def test_counters_are_in_their_units() -> None:
    counts, of = reading()
    freed = ("freed", 738_000, 90 * SECOND)
    took = ("interval", 738_000, "alpha", "north", "received_to_dispatched", 45 * SECOND)
    counts.change((), (freed, took, ("needles", 738_000, "north", 12)))
    counts.change((freed, took), ())
    found = read(of)
    assert found[m.FREED] == {("small",): 90.0}
    assert found[m.NEEDLES]["small", "north"] == 12
    assert found[m.CORRECTED] == {("small", m.FREED.name, "", "", "", "", ""): 90.0}
    spread = found[m.INTERVAL]["small", "alpha", "received_to_dispatched"]
    assert isinstance(spread, Spread)
    assert spread.sum == 45.0
    assert spread.counts[spread.bounds.index(60.0)] == 1
    assert found[m.INTERVAL_CORRECTED] == {("small", "alpha", "received_to_dispatched"): spread}


def test_only_changed_cells_are_read_when_asked() -> None:
    counts, of = reading()
    counts.changed()
    counts.change((), (("needles", 738_000, "north", 12),))
    found = {metric: samples for metric, samples in of.counted(counts.changed()) if samples}
    assert found == {m.NEEDLES: [(("small", "north"), 12)]}


# --- the page ------------------------------------------------------------------------------------------------


def lines(profile: Profile, bounds: tuple[Micros, ...]) -> Counter[Metric]:
    """The samples of an empty page, family by family."""
    counts = Counts(m.PROGRAM, bounds)
    counts.start(profile)
    views: Any = Fake()
    found: Counter[Metric] = Counter()
    for metric, samples in Reading(m.PROGRAM, Rules(profile), counts, views).all(NOON):
        found[metric] = sum(len(v.counts) + 2 if isinstance(v, Spread) else 1 for _, v in samples)
    return found


@pytest.mark.parametrize("profile", [*SHIPPED.values(), SMALL], ids=lambda profile: profile.program)
def test_the_count_from_the_file_is_that_of_the_page(profile: Profile) -> None:
    bounds = values.edges([profile])
    counted, shown = size.samples(profile, bounds), lines(profile, bounds)
    for metric in m.PROGRAM:
        if metric.values.from_the_start:
            assert counted[metric] == shown[metric], metric.name
        elif metric is not m.TARGET:
            assert not shown[metric], metric.name


def test_an_empty_chicago_shows_less_than_half_of_what_it_did() -> None:
    before = 10_484  # with six intervals by area, and closed calls by type
    pipeline = sum(
        prod(map(len, block))
        for metric in m.PIPELINE
        for block in metric.values.blocks(SHIPPED["chicago"])
        if metric.values.from_the_start and metric.kind != "histogram"
    )
    shown = lines(SHIPPED["chicago"], values.edges(SHIPPED.values())).total() + pipeline
    assert shown < before / 2


CODES = {"team", "area", "call_type", "followup", "destination", "service"}
NAMES = {m.TEAM_INFO, m.AREA_INFO, m.FOLLOWUP_INFO}
CODED = [
    each for each in m.PROGRAM if CODES & {*each.values.labels} and each.values.from_the_start and each not in NAMES
]


@pytest.mark.parametrize("metric", CODED, ids=lambda metric: metric.name)
def test_what_a_file_does_not_know_is_at_zero_in_counters_and_absent_in_gauges(metric: Metric) -> None:
    at_zero = any(OTHER in labels for labels in metric.values.of(SMALL))
    assert at_zero == (metric.kind != "gauge" and metric is not m.STAFFING_SECONDS)  # no plan is of an unknown team


def test_a_team_is_possible_where_it_covers_the_area() -> None:
    closings = {labels[:2] for labels in m.CLOSED.values.of(SMALL)}
    assert ("alpha", "north") in closings
    assert ("alpha", "south") not in closings
    assert (NO_TEAM, "far") in closings


def test_a_call_can_be_outside_only_where_no_team_covers_for_good() -> None:
    outside = {area for area, _, stage in m.CALLS_OPEN.values.of(SMALL) if stage == "outside_area"}
    assert outside == {"far"}


def big(types: int, areas: int, teams: int) -> Profile:
    """The small program with so many entries in its lists."""
    names = tuple(f"a{n}" for n in range(areas))
    return msgspec.structs.replace(
        SMALL,
        call_types={f"k{n}": Coded(label=f"K{n}") for n in range(types)},
        areas={name: Coded(label=name) for name in names},
        teams=tuple(msgspec.structs.replace(SMALL.teams[0], code=f"t{n}", areas=names) for n in range(teams)),
    )


def test_the_shipped_programs_are_small() -> None:
    assert size.check(SHIPPED, "programs") == []


def test_many_samples_are_a_warning() -> None:
    (line,) = size.check({"small": big(200, 10, 3)}, "programs")
    assert line.startswith("programs: program 'small' makes ")
    assert "above 20,000" in line
    assert (
        "care_calls_open alone has 22,000, of 10 areas x 200 call types: have fewer call types in [call_types]" in line
    )


def test_too_many_samples_are_refused_before_anything_is_made() -> None:
    with pytest.raises(ProfileError) as raised:
        size.check({"small": big(600, 770, 12)}, "programs")
    line = str(raised.value)
    assert " samples on /metrics, and 200,000 are the most" in line
    assert "of 770 areas x 600 call types: have fewer areas in [areas]" in line
    assert len(line.splitlines()) == 1


def test_combinations_are_counted_without_being_made() -> None:
    assert some("a b", lambda _: [(range(10**6), range(10**6))]).labels == ("a", "b")  # type: ignore[list-item]  # not made
    found = size.samples(big(10**5, 1, 1), values.edges([]))
    assert found[m.CALLS_OPEN] == 10**5 * 11
