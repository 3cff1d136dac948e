"""What one program's state shows. Each number is declared here and nowhere else; docs/how-to/add-a-number.md is the recipe.

Help texts say from what to what a time runs and what is left out. Source: the contract, sections 3 and 4.
"""

from __future__ import annotations

from collections import Counter

from streams import names
from streams.catalogue import values as v
from streams.catalogue.catalogue import Catalogue
from streams.catalogue.metric import Labels, each, facts, some
from streams.catalogue.views import Numbers
from streams.events import ATTEMPT_RESULTS, CASE_KINDS, SOURCES, STATUSES
from streams.limits import LIMITS
from streams.programs import DAYS, FIELDS

PROGRAM = Catalogue()


def _over(place: int, numbers: Numbers) -> Numbers:
    """Sums over all labels but the one at a place."""
    sums: Counter[Labels] = Counter()
    for labels, number in numbers.items():
        sums[labels[place],] += number
    return sums


# --- names: always 1 ----------------------------------------------------------------------------------------

TEAM_INFO = PROGRAM.gauge(
    "care_team_info",
    some("team name", lambda profile: v.names(names.teams(profile))),
    "The name of a team for people, to join on; always 1.",
    start=1,
)
AREA_INFO = PROGRAM.gauge(
    "care_area_info",
    some("area name", lambda profile: v.names(names.areas(profile))),
    "The name of an area for people, to join on; always 1.",
    start=1,
)
FOLLOWUP_INFO = PROGRAM.gauge(
    "care_followup_info",
    some("followup name", lambda profile: v.names(names.followups(profile))),
    "The name of a follow-up for people, to join on; always 1.",
    start=1,
)
CODE_INFO = PROGRAM.gauge(
    "care_code_info",
    some("kind code name", lambda profile: v.names(names.codes(profile))),
    "The name of a code for people, to join on; kind is call_type, destination or service; always 1.",
    start=1,
)

# --- units --------------------------------------------------------------------------------------------------

UNITS = PROGRAM.gauge(
    "care_units",
    some("team area status", v.unit_places),
    "Units by the status with the latest time; stale units are left out (care_units_stale).",
    lambda look: look.views.units.counts(look.now),
)
UNITS_STALE = PROGRAM.gauge(
    "care_units_stale",
    each(team=v.own_teams),
    "Units that are not off duty and have sent no status for longer than the program allows (stale_after.unit).",
    lambda look: look.views.units.stale(look.now),
)
UNITS_PLANNED = PROGRAM.gauge(
    "care_units_planned",
    each(team=v.own_teams),
    "Units that the staffing plan wants on duty at this minute.",
    lambda look: {(team,): look.rules.planned(team, look.now) for team in look.rules.profile.team_codes},
)
TEAM_OPEN = PROGRAM.gauge(
    "care_team_open",
    each(team=v.own_teams),
    "1 while the team works by its hours, else 0.",
    lambda look: {(team,): int(look.rules.open(team, look.now)) for team in look.rules.profile.team_codes},
)
UNIT_SECONDS = PROGRAM.counter(
    "care_unit_seconds_total",
    each(team=v.teams, status=STATUSES),
    "Time of units in each status, between consecutive statuses. The running status is included; a stale one adds nothing.",
    read=lambda look: look.views.units.seconds(look.upto),
    micros=True,
)
STAFFING_SECONDS = PROGRAM.counter(
    "care_staffing_seconds_total",
    each(team=v.own_teams, what=v.STAFFING),
    "Unit time planned, on duty, available and missing (planned minus on duty, where positive); none_available is the "
    "time in working hours in which no unit of the team was available. From the program's first status on.",
    read=lambda look: {
        (team, what): getattr(sums, what)
        for team, sums in look.views.staffing.totals(look.upto).items()
        for what in v.STAFFING
    },
    micros=True,
)
DIVERTED = PROGRAM.counter(
    "care_units_diverted_total",
    each(team=v.teams),
    "CARE units that were sent to another call before they reached the one they were on their way to.",
    facts("diverted", "team"),
)

# --- open calls ---------------------------------------------------------------------------------------------

CALLS_OPEN = PROGRAM.gauge(
    "care_calls_open",
    some("area call_type stage", v.stages),
    "Open calls by stage. Merged calls are left out, and ineligible ones unless a CARE unit works on them.",
    lambda look: look.views.open_calls.stages(look.now),
)
OLDEST_WAITING = PROGRAM.gauge(
    "care_call_oldest_waiting_timestamp_seconds",
    each(area=v.areas).when_found(),
    "Since when the open call waits that has waited longest: its receipt, its triage as eligible, its scheduled time or "
    "its reopening. No sample when none waits.",
    lambda look: look.views.open_calls.oldest(look.now),
    micros=True,
)
OVER_TARGET = PROGRAM.gauge(
    "care_calls_over_target",
    some("area interval", v.call_targets),
    "Open calls past the target for an interval that has not ended. Calls that wait for no unit are left out.",
    lambda look: look.views.open_calls.past_target(look.now),
)
TARGET = PROGRAM.gauge(
    "care_interval_target_seconds",
    some("team interval", v.team_targets).when_found(),
    "The team's target for an interval, by the program file in force today.",
    lambda look: {
        (team, interval): target
        for team, interval in look.rules.profile.targets
        if (target := look.rules.target(team, interval, look.rules.day(look.now))) is not None
    },
    micros=True,
)
CALLS_STALE = PROGRAM.gauge(
    "care_calls_stale",
    each(area=v.own_areas),
    "Open calls of which nothing was said for longer than the program allows (stale_after.call): probably ended.",
    lambda look: look.views.open_calls.stale(look.now),
)

# --- calls received, closed, reopened, merged ---------------------------------------------------------------

_CLOSED = facts("closed", "team area call_type outcome result involvement")
# The version before archived these three apart (old_closed, old_demand, old_police): see streams/carried.py.

RECEIVED = PROGRAM.counter(
    "care_calls_received_total",
    each(area=v.areas, call_type=v.call_types, source=SOURCES),
    "Calls received, each once. Calls of which no receipt was told are left out.",
    facts("received", "area call_type source"),
)
CLOSED = PROGRAM.counter(
    "care_calls_closed_total",
    some("team area outcome", v.closings),
    "Calls closed, each once, by the outcome told last. Team is that of the first CARE unit on scene, else of the first "
    "contact, else of the first unit dispatched and not cancelled, else none. Merged calls are left out.",
    _CLOSED,
    facts("old_closed", "team area call_type outcome"),
)
REOPENED = PROGRAM.counter(
    "care_calls_reopened_total",
    each(area=v.areas),
    "Times that a closed call was opened again, by word or because a unit went to it.",
    facts("reopened", "area"),
)
MERGED = PROGRAM.counter(
    "care_calls_merged_total",
    each(area=v.areas),
    "Calls that were found to be of the same incident as another one.",
    facts("merged", "area"),
)
TODAY = PROGRAM.gauge(
    "care_calls_today",
    some("team area outcome", v.known_closings),
    "Calls closed since local midnight, as known now.",
    lambda look: look.views.closed.today(look.now),
)
DEMAND = PROGRAM.counter(
    "care_demand_total",
    each(area=v.areas, result=v.RESULTS),
    "Calls closed or merged by result: served, or the first reason why not.",
    _CLOSED,
    facts("duplicate", "area", result="duplicate"),
    facts("old_demand", "area result"),
)
DEMAND_TODAY = PROGRAM.gauge(
    "care_demand_today",
    each(result=v.RESULTS),
    "Calls closed or merged since local midnight by result, as known now; of all areas.",
    lambda look: _over(1, look.views.closed.demand(look.now)),
)
DEMAND_HOUR = PROGRAM.gauge(
    "care_demand_hour_of_week",
    each(day=DAYS, hour=v.HOURS_OF_DAY, result=v.REACHED),
    "Calls received in the last 28 days and closed, by local hour of week of their receipt. Served includes remotely; "
    "unmet is every other result but ineligible, duplicate and outside_area.",
    lambda look: look.views.hours.since(look.now),
)

# --- what was done on calls ---------------------------------------------------------------------------------

INTERVAL = PROGRAM.histogram(
    "care_call_interval_seconds",
    each(team=v.teams, interval=v.INTERVALS),
    "Time from the interval's first named point to its second, where both are known. received_to_..., eligible_to_... and "
    "dispatched_to_on_scene are of the first CARE unit; the others are of each response of a CARE unit. Negative ones are left "
    "out, and the first two kinds for scheduled calls and those that the team came upon.",
    facts("interval", "team area interval"),
)
INTERVAL_CORRECTED = PROGRAM.corrections(
    "care_call_interval_corrected_seconds",
    "Times of care_call_interval_seconds that are no longer so; to be subtracted from it.",
    of=INTERVAL,
)
DISORDER = PROGRAM.counter(
    "care_interval_disorder_total",
    each(interval=v.INTERVALS),
    "Intervals whose end was told before their start.",
    facts("disorder", "interval"),
)
TRANSPORTS = PROGRAM.counter(
    "care_transports_total",
    each(team=v.teams, destination=v.destinations),
    "Transports by CARE units, with the destination told last.",
    facts("transport", "team destination"),
)
POLICE = PROGRAM.counter(
    "care_police_involvement_total",
    each(area=v.areas, involvement=v.INVOLVEMENTS),
    "Calls closed by police involvement: none, cancelled before the scene, released before the last CARE unit cleared, "
    "stayed, or unknown where a clear is missing.",
    _CLOSED,
    facts("old_police", "area involvement"),
)
POLICE_REQUESTED = PROGRAM.counter(
    "care_police_requested_total",
    each(area=v.areas),
    "Calls on which the team asked for police.",
    facts("police_requested", "area"),
)
FREED = PROGRAM.counter(
    "care_police_freed_seconds_total",
    each(),
    "Time from the last police unit cleared to the last CARE unit cleared, for released calls.",
    facts("freed"),
    micros=True,
)
INVOLUNTARY = PROGRAM.counter(
    "care_involuntary_total",
    each(area=v.areas),
    "Calls with an involuntary transport or hold, by what was told last.",
    facts("involuntary", "area"),
)
FORCE = PROGRAM.counter(
    "care_use_of_force_total", each(level=v.FORCE_LEVELS), "Uses of force by level.", facts("force", "level")
)
NEEDLES = PROGRAM.counter(
    "care_needles_collected_total", each(area=v.areas), "Needles collected.", facts("needles", "area")
)
REFERRALS = PROGRAM.counter(
    "care_referrals_total",
    each(service=v.services),
    "Referrals to services: one for each call, service and partner.",
    facts("referral", "service result"),
)
WITH_REFERRAL = PROGRAM.counter(
    "care_calls_with_referral_total",
    each(area=v.areas),
    "Calls with a referral or more.",
    facts("with_referral", "area"),
)

# --- cases, people ------------------------------------------------------------------------------------------

FOLLOWUPS = PROGRAM.gauge(
    "care_followups",
    some("team area followup state", v.owed),
    "Follow-ups neither completed, declined nor closed: scheduled before their opening, open until due, overdue until "
    "they lapse, then missed for 30 days at most.",
    lambda look: look.views.followups.states(look.now),
)
NEXT_LAPSE = PROGRAM.gauge(
    "care_followup_next_lapse_timestamp_seconds",
    each(team=v.teams).when_found(),
    "When the next open or overdue follow-up lapses; no sample when none is open or overdue.",
    lambda look: look.views.followups.next_lapse(look.now),
    micros=True,
)
FOLLOWUPS_DUE = PROGRAM.gauge(
    "care_followups_due",
    some("team followup window result", v.came_due),
    "Follow-ups that came due in the last 7 or 30 days (of 24 hours) up to now, by what became of them: completed before "
    "they were due, completed_late, declined, closed with their case, missed, or pending.",
    lambda look: look.views.followups.due(look.now),
)
ATTEMPTS = PROGRAM.counter(
    "care_followup_attempts_total",
    each(team=v.teams_or_none, followup=v.followups, result=ATTEMPT_RESULTS),
    "Attempts at follow-ups, by the team of the case.",
    facts("attempt", "team followup result"),
)
OUTREACH = PROGRAM.counter(
    "care_outreach_attempts_total",
    each(area=v.areas),
    "Attempts to find a person, by the area of the case.",
    facts("outreach", "area"),
)
LOCATED = PROGRAM.counter(
    "care_outreach_located_total",
    each(area=v.areas),
    "Outreach attempts that located the individual, not family or friends.",
    facts("located", "area"),
)
CASES_ACTIVE = PROGRAM.gauge(
    "care_cases_active",
    each(kind=CASE_KINDS),
    "Cases opened and not closed. Case management counts until it is closed, other kinds until 30 days after their last "
    "follow-up lapsed at most.",
    lambda look: look.views.followups.active(look.now),
)
PEOPLE = PROGRAM.gauge(
    "care_people_served",
    each(),
    "Distinct people (tokens) over the kept calls and cases.",
    lambda look: {(): look.views.people.served()},
)
PEOPLE_REPEAT = PROGRAM.gauge(
    "care_people_repeat",
    each(window=v.REPEAT_WINDOWS),
    "People with calls or cases on two local days or more of the window. A case that a call opened is no second contact.",
    lambda look: look.views.people.repeat(look.now),
)

# --- data, records ------------------------------------------------------------------------------------------

CORRECTED = PROGRAM.corrections(
    "care_facts_corrected_total",
    "What a counter counted and is no longer so; to be subtracted from it. metric is its full name; code joins the values "
    "of its labels that have none here. No sample before the first correction.",
)
QUALITY = PROGRAM.counter(
    "care_data_quality_total",
    each(problem=v.PROBLEMS),
    "Contradictions in what was said, applied as far as they make sense.",
    facts("problem", "problem"),
)
UNMAPPED = PROGRAM.counter(
    "care_unmapped_values_total",
    each(field=FIELDS),
    "Codes that the program file does not know, one for each statement that tells one.",
    facts("unmapped", "field"),
)
FEED = PROGRAM.gauge(
    "care_feed_last_event_timestamp_seconds",
    each(topic=v.feeds),
    "Newest event time of a feed that the program has, heartbeats included; 0 before the first event.",
    lambda look: {
        labels: at for labels, at in look.views.feeds.newest().items() if labels[0] in look.rules.profile.feeds
    },
    micros=True,
)
RECORDS = PROGRAM.gauge(
    "care_program_records",
    each(kind=tuple(LIMITS)),
    "Records that never end by themselves: open calls, cases under case management that are not closed, units.",
    lambda look: look.views.kept.endless(),
)
RECORDS_LIMIT = PROGRAM.gauge(
    "care_program_records_limit",
    each(kind=tuple(LIMITS)),
    "How many of these records a program may have; beyond it the stalest are archived.",
    lambda _: {(kind,): limit.most for kind, limit in LIMITS.items()},
)
ARCHIVED_EARLY = PROGRAM.counter(
    "care_records_archived_early_total",
    each(kind=tuple(LIMITS)),
    "Records archived because there were too many: their counts stay, and they left the gauges.",
    read=lambda look: look.views.kept.archived_early(),
)
