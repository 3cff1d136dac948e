"""Staffing and demand: what a program manager looks at. Dashboard `care-staffing`."""

from __future__ import annotations

from dashboards.catalogue import recorded
from dashboards.catalogue.promql import counted, latest, ratio, select, since, total
from dashboards.catalogue.signal import Definer, Signal
from streams import metrics as m

_signal = Definer(__name__)

#: Statuses of a unit that is on a call.
_COMMITTED = 'status=~"dispatched|en_route|on_scene|transporting|at_destination"'
_ON_DUTY = 'status!="off_duty"'

UNITS_PLANNED = _signal(
    "units_planned",
    "Units planned",
    "count",
    "program team",
    latest(m.UNITS_PLANNED),
    "Units that the staffing plan of the program's profile wants on duty at this minute.",
)
UNITS_ON_DUTY = _signal(
    "units_on_duty",
    "Units on duty",
    "count",
    "program team",
    total("program team", latest(m.UNITS, _ON_DUTY, all_areas=True)),
    "CARE units with any status but off_duty; unavailable ones are included.",
)
STAFFING_GAP = _signal(
    "staffing_gap",
    "Units missing against the plan",
    "count",
    "program team",
    f"clamp_min({UNITS_PLANNED.expr} - on (program, team) {UNITS_ON_DUTY.expr}, 0)",
    "Units planned at this minute minus units on duty; 0 if as many or more are on duty.",
)
AVAILABLE_OVER_TIME = _signal(
    "units_available_over_time",
    "Units available over time",
    "count",
    "program team",
    select(recorded.AVAILABLE),
    "CARE units whose latest status is available, recorded by Prometheus.",
)
ON_DUTY_OVER_TIME = _signal(
    "units_on_duty_over_time",
    "Units on duty over time",
    "count",
    "program team",
    select(recorded.ON_DUTY),
    "CARE units with any status but off_duty, recorded by Prometheus; unavailable ones are included.",
)
MINUTES_WITHOUT_UNIT = _signal(
    "minutes_without_unit",
    "Minutes with no unit available in planned hours",
    "minutes",
    "program team",
    # both ends of the time may be looked at
    f"clamp_max(sum by (program, team) (sum_over_time({select(recorded.NO_UNIT)}[$__range:1m])), $__range_s / 60)",
    "Minutes of the chosen time in which the staffing plan wanted units on duty and none was available, looked at once a "
    "minute. Minutes in which Prometheus had no numbers are left out.",
)
RECEIVED = _signal(
    "calls_received",
    "Calls received",
    "count",
    "program area",
    total("program area", counted(recorded.RECEIVED)),
    "Calls received in the chosen time. Every call received counts, eligible or not.",
)
DEMAND_TODAY = _signal(
    "demand_today",
    "Demand of today by result",
    "count",
    "program result",
    total("program result", latest(m.DEMAND_TODAY)),
    "Calls closed since local midnight of the program by result, as known now: served by a CARE unit, or the first reason "
    "why not.",
)
DEMAND_BY_RESULT = _signal(
    "demand_by_result",
    "Calls closed by result",
    "count",
    "program result",
    total("program result", counted(m.DEMAND)),
    "Calls closed in the chosen time, each with the first result that fits: served if a CARE unit was on scene, "
    "ineligible if triaged so, else why it was not served.",
)
UNMET_BY_REASON = _signal(
    "unmet_by_reason",
    "Unmet calls by reason",
    "count",
    "program result",
    total("program result", counted(m.DEMAND, recorded.RESULT_UNMET)),
    "Calls closed in the chosen time that no CARE unit reached, by the first reason that fits. Calls triaged ineligible "
    "and calls received outside the program's hours are left out.",
)
UNMET_SHARE = _signal(
    "unmet_share",
    "Share of calls unmet",
    "ratio",
    "program",
    ratio(
        total("program", counted(m.DEMAND, recorded.RESULT_UNMET)),
        total("program", counted(m.DEMAND, recorded.RESULT_WITHIN_HOURS)),
    ),
    "Calls closed in the chosen time that no CARE unit reached, out of all closed. Calls triaged ineligible and calls "
    "received outside the program's hours are left out of both. No value without calls.",
)


def _recent(over: str, name: str, words: str) -> tuple[Signal, Signal]:
    """Share unmet and calls over a fixed time, for the alert: no values before Prometheus has seen so much."""
    unmet = total("program", since(recorded.UNMET, over))
    eligible = total("program", since(recorded.WITHIN_HOURS, over))
    return (
        _signal(
            f"unmet_share_{name}",
            f"Share of calls unmet, {words}",
            "ratio",
            "program",
            ratio(unmet, eligible),
            f"Calls closed in the {words} that no CARE unit reached, out of all closed. Calls triaged ineligible and calls "
            "received outside the program's hours are left out of both.",
        ),
        _signal(
            f"calls_within_hours_{name}",
            f"Eligible calls closed, {words}",
            "count",
            "program",
            eligible,
            f"Calls closed in the {words}. Calls triaged ineligible and calls received outside the program's hours are "
            "left out.",
        ),
    )


UNMET_DAY, ELIGIBLE_DAY = _recent("1d", "day", "last 24 hours")
UNMET_WEEK, ELIGIBLE_WEEK = _recent("7d", "week", "last 7 days")
DEMAND_HOUR_OF_WEEK = _signal(
    "demand_hour_of_week",
    "Eligible calls by hour of week",
    "count",
    "program day hour",
    total("program day hour", latest(m.DEMAND_HOUR)),
    "Calls received in the last 28 days and closed, by the local hour of the week in which they were received. Calls "
    "triaged ineligible are left out; calls outside the program's hours are included.",
)
UNMET_HOUR_OF_WEEK = _signal(
    "unmet_hour_of_week",
    "Unmet calls by hour of week",
    "count",
    "program day hour",
    total("program day hour", latest(m.DEMAND_HOUR, 'result="unmet"')),
    "Calls received in the last 28 days that no CARE unit reached, by the local hour of the week in which they were "
    "received. Calls triaged ineligible and calls outside the program's hours are left out.",
)
UTILISATION = _signal(
    "utilisation",
    "Utilisation: committed time out of on-duty time",
    "ratio",
    "program team",
    ratio(
        total("program team", counted(m.UNIT_SECONDS, _COMMITTED)),
        total("program team", counted(m.UNIT_SECONDS, _ON_DUTY)),
    ),
    "Time of the team's units from dispatched to cleared or at the destination (statuses dispatched, en_route, on_scene, "
    "transporting, at_destination), out of their time on duty (every status but off_duty), in the chosen time. "
    "No value while no unit was on duty.",
)
