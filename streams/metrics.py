"""The catalogue of the worker's metrics: name, kind, labels, help. The one place that names them.

Help texts say from what to what a time runs and what is left out. Streams know no Prometheus library; the collector
in `agents/` turns these into its families.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["gauge", "counter", "histogram"]


class Metric(NamedTuple):
    """One metric family. A counter's name ends in `_total`, a histogram's in its unit."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str


def _m(name: str, kind: Kind, labels: str, help: str) -> Metric:
    return Metric(name, kind, tuple(labels.split()), help)


UNITS = _m("care_units", "gauge", "program team area status", "Units by the status with the latest time.")
UNITS_PLANNED = _m(
    "care_units_planned", "gauge", "program team", "Units that the staffing plan wants on duty at this minute."
)
UNIT_SECONDS = _m(
    "care_unit_seconds_total",
    "counter",
    "program team status",
    "Time of units in each status, between consecutive statuses; the status that still runs is included.",
)
CALLS_OPEN = _m(
    "care_calls_open",
    "gauge",
    "program area call_type stage",
    "Open calls by the furthest stage of a CARE unit not yet cleared; calls triaged ineligible are left out.",
)
OLDEST_WAITING = _m(
    "care_call_oldest_waiting_timestamp_seconds",
    "gauge",
    "program area",
    "When the longest-waiting open call was received; no sample when none waits. Calls triaged ineligible are left out.",
)
OVER_TARGET = _m(
    "care_calls_over_target",
    "gauge",
    "program area interval",
    "Open calls past the target for an interval that has not ended; calls triaged ineligible are left out.",
)
TARGET = _m(
    "care_interval_target_seconds",
    "gauge",
    "program team interval",
    "Target for an interval, from the program's profile.",
)
RECEIVED = _m("care_calls_received_total", "counter", "program area call_type source", "Calls received.")
CLOSED = _m(
    "care_calls_closed_total",
    "counter",
    "program team area call_type outcome",
    "Calls closed, by outcome; team is that of the first CARE unit on scene, else of the first dispatched, else none.",
)
TODAY = _m(
    "care_calls_today", "gauge", "program team area outcome", "Calls closed since local midnight, by what is known now."
)
DEMAND = _m(
    "care_demand_total",
    "counter",
    "program area result",
    "Calls closed by result: served, or the first reason why not.",
)
DEMAND_TODAY = _m(
    "care_demand_today",
    "gauge",
    "program area result",
    "Calls closed since local midnight by result, as care_demand_total has it, by what is known now.",
)
DEMAND_HOUR = _m(
    "care_demand_hour_of_week",
    "gauge",
    "program day hour result",
    "Eligible calls received in the last 28 days and closed, by local hour of week; unmet is every result but "
    "served, outside_hours and ineligible.",
)
INTERVAL = _m(
    "care_call_interval_seconds",
    "histogram",
    "program team area interval",
    "Time from the interval's first named point to its second, observed once when both are known; received_to_... is "
    "to the first CARE unit, the others are of each CARE unit; negative ones are left out.",
)
TRANSPORTS = _m("care_transports_total", "counter", "program team destination", "Transports by CARE units.")
POLICE = _m(
    "care_police_involvement_total",
    "counter",
    "program area involvement",
    "Calls closed by police involvement: none dispatched, cancelled before the scene, released before the last CARE "
    "unit cleared, or stayed.",
)
FREED = _m(
    "care_police_freed_seconds_total",
    "counter",
    "program",
    "Time from the last police unit cleared to the last CARE unit cleared, for released calls.",
)
FORCE = _m("care_use_of_force_total", "counter", "program level", "Uses of force by level.")
NEEDLES = _m("care_needles_collected_total", "counter", "program area", "Needles collected.")
REFERRALS = _m("care_referrals_total", "counter", "program service", "Referrals to services.")
FOLLOWUPS = _m(
    "care_followups",
    "gauge",
    "program team area followup state",
    "Follow-ups neither completed, declined nor closed: scheduled before their opening, open until due, overdue until "
    "they lapse, then missed for 30 days at most.",
)
NEXT_LAPSE = _m(
    "care_followup_next_lapse_timestamp_seconds",
    "gauge",
    "program team",
    "When the next open or overdue follow-up lapses; no sample when none is open or overdue.",
)
FOLLOWUPS_DUE = _m(
    "care_followups_due",
    "gauge",
    "program team followup window result",
    "Follow-ups that came due in the last 7 or 30 days (of 24 hours) up to now, by what became of them: completed before "
    "they were due, completed_late, declined, closed with their case, missed, or pending.",
)
ATTEMPTS = _m(
    "care_followup_attempts_total",
    "counter",
    "program team followup result",
    "Attempts at follow-ups, by the team that the case had when both were known; other if it never opened.",
)
OUTREACH = _m(
    "care_outreach_attempts_total",
    "counter",
    "program area",
    "Attempts to find a person, by the area that the case had when both were known.",
)
LOCATED = _m(
    "care_outreach_located_total",
    "counter",
    "program area",
    "Outreach attempts that located the individual, not family or friends.",
)
CASES_ACTIVE = _m(
    "care_cases_active",
    "gauge",
    "program kind",
    "Cases opened and not closed. Case management counts until it is closed, other kinds until 30 days after their last "
    "follow-up lapsed at most.",
)
PEOPLE = _m("care_people_served", "gauge", "program", "Distinct people (tokens) over the kept calls and cases.")
UNMAPPED = _m(
    "care_unmapped_values_total", "counter", "program field", "Codes that the program's profile does not know."
)
CONFLICTS = _m(
    "care_partition_conflicts_total",
    "counter",
    "program",
    "Records found on another partition than the program's own; they were sent on to it.",
)
DISORDER = _m(
    "care_interval_disorder_total", "counter", "program interval", "Intervals whose end came before their start."
)
FEED = _m(
    "care_feed_last_event_timestamp_seconds",
    "gauge",
    "program topic",
    "Newest event time of a feed that the program has, heartbeats included; 0 before the first event.",
)
RECORDS = _m(
    "care_program_records",
    "gauge",
    "program kind",
    "Records that never end by themselves: open calls, cases under case management that are not closed, units.",
)
RECORDS_LIMIT = _m(
    "care_program_records_limit",
    "gauge",
    "program kind",
    "How many of these records a program may have; beyond it the stalest are archived.",
)
ARCHIVED_EARLY = _m(
    "care_records_archived_early_total",
    "counter",
    "program kind",
    "Records archived because there were too many: their counts stay, and they left the gauges.",
)
TEAM_INFO = _m("care_team_info", "gauge", "program team name", "The name of a team for people, to join on; always 1.")
AREA_INFO = _m("care_area_info", "gauge", "program area name", "The name of an area for people, to join on; always 1.")
FOLLOWUP_INFO = _m(
    "care_followup_info", "gauge", "program followup name", "The name of a follow-up for people, to join on; always 1."
)
CODE_INFO = _m(
    "care_code_info",
    "gauge",
    "program kind code name",
    "The name of a code for people, to join on; kind is call_type, destination or service; always 1.",
)
#: The names that people use, from the program file.
NAMES = (TEAM_INFO, AREA_INFO, FOLLOWUP_INFO, CODE_INFO)
#: What one program's state shows; the rest is about the pipeline.
PROGRAM_METRICS = (
    *NAMES,
    UNITS,
    UNITS_PLANNED,
    UNIT_SECONDS,
    CALLS_OPEN,
    OLDEST_WAITING,
    OVER_TARGET,
    TARGET,
    RECEIVED,
    CLOSED,
    TODAY,
    DEMAND,
    DEMAND_TODAY,
    DEMAND_HOUR,
    INTERVAL,
    TRANSPORTS,
    POLICE,
    FREED,
    FORCE,
    NEEDLES,
    REFERRALS,
    FOLLOWUPS,
    NEXT_LAPSE,
    FOLLOWUPS_DUE,
    ATTEMPTS,
    OUTREACH,
    LOCATED,
    CASES_ACTIVE,
    PEOPLE,
    UNMAPPED,
    DISORDER,
    FEED,
    RECORDS,
    RECORDS_LIMIT,
    ARCHIVED_EARLY,
)

EVENTS = _m("care_events_total", "counter", "program topic type", "Events applied.")
REJECTED = _m("care_events_rejected_total", "counter", "topic reason", "Records sent to the dead-letter topic.")
DUPLICATE = _m(
    "care_events_duplicate_total", "counter", "topic", "Events that were applied before; they changed nothing."
)
LATE = _m(
    "care_events_late_total",
    "counter",
    "topic",
    "Events of a closed call; they completed its record and moved no counter.",
)
LOST = _m(
    "care_records_lost_total",
    "counter",
    "topic partition",
    "Records of an input that were removed before they were read: what they said is missing. Kept with the state.",
)
LAST_LOST = _m(
    "care_records_last_lost_timestamp_seconds",
    "gauge",
    "topic partition",
    "When such records were last found to be gone; no sample where none ever were.",
)
ARCHIVED = _m(
    "care_events_archived_total",
    "counter",
    "topic",
    "Events about a call, case or time of a unit that was archived early; they changed nothing.",
)
DELAY = _m("care_event_delay_seconds", "histogram", "topic", "Time from an event's `at` to its being applied.")
RECOVERY_REMAINING = _m(
    "care_recovery_remaining_records",
    "gauge",
    "",
    "Changelog records that the recovery under way still has to read; 0 when none is.",
)
RECOVERY_RECORDS = _m("care_recovery_records_total", "counter", "", "Changelog records read in recoveries.")
RECOVERY_COMPLETED = _m("care_recovery_completed_total", "counter", "", "Recoveries completed.")
RECOVERY_SECONDS = _m(
    "care_recovery_duration_seconds",
    "gauge",
    "",
    "Time from the assignment of programs to their numbers being there again, of the last recovery; no sample before it.",
)
DAMAGED = _m(
    "care_state_damaged",
    "gauge",
    "program",
    "1 if this worker should serve the program and cannot read its state; nothing else is shown of it then.",
)
SKEW = _m(
    "care_clock_skew_seconds",
    "gauge",
    "",
    "This machine's clock minus the broker's, at the least; 0 while they agree as far as can be told.",
)
BROKER_PROBLEMS = _m(
    "care_broker_problems",
    "gauge",
    "problem",
    "Topics that are not set as they have to be, by what is wrong; of away: 1 while the broker does not answer. The log says "
    "which topic, and how to mend it.",
)
READY = _m("care_worker_ready", "gauge", "", "1 once the worker is assigned and recovered.")
BUILD = _m("care_build_info", "gauge", "version", "The version that runs; always 1.")
PIPELINE_METRICS = (
    EVENTS,
    REJECTED,
    DUPLICATE,
    LATE,
    ARCHIVED,
    CONFLICTS,
    LOST,
    LAST_LOST,
    DELAY,
    RECOVERY_REMAINING,
    RECOVERY_RECORDS,
    RECOVERY_COMPLETED,
    RECOVERY_SECONDS,
    DAMAGED,
    SKEW,
    BROKER_PROBLEMS,
    READY,
    BUILD,
)


def reference() -> str:
    """The metric reference, as Markdown."""
    rows = "\n".join(
        f"| `{metric.name}` | {', '.join(metric.labels) or '-'} | {metric.kind} | {metric.help} |"
        for metric in (*PROGRAM_METRICS, *PIPELINE_METRICS)
    )
    return f"""# Metrics of a worker

Generated from `streams/metrics.py`; do not edit. Served at `/metrics` in the Prometheus text format and OpenMetrics.

Every combination that a program's profile makes possible is there from the start at 0. Nothing of a program is there
while this worker does not own it or is not recovered. Codes that the profile does not know count under `other`. Times
are timestamps, not ages. There are no ids in labels, ever. Names
(`care_*_info`) are those of the program file, and no two codes of a program have one.

Counters of calls, units and cases survive restarts, kills and a
move to another worker exactly; `care_events_*` and `care_partition_conflicts_total` are of the process.

| metric | labels | kind | what |
|---|---|---|---|
{rows}
"""
