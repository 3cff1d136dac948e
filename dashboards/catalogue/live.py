"""Live load: what a supervisor looks at. Dashboard `care-live`."""

from __future__ import annotations

from dashboards.catalogue import recorded, staffing
from dashboards.catalogue.promql import latest, select, total
from dashboards.catalogue.signal import Definer
from streams import metrics as m

_signal = Definer(__name__)

UNITS_BY_STATUS = _signal(
    "units_by_status",
    "Units by status",
    "count",
    "program team status",
    total("program team status", latest(m.UNITS)),
    "CARE units by the status with the latest time. Police, fire and EMS units are left out.",
)
UNITS_AVAILABLE = _signal(
    "units_available",
    "Units available",
    "count",
    "program team",
    total("program team", latest(m.UNITS, 'status="available"', all_areas=True)),
    "CARE units whose latest status is available. Units that are on a call, unavailable or off duty are left out.",
)
#: Shown in place of a number while a team is not wanted.
NOT_PLANNED = -1
AVAILABILITY = _signal(
    "units_available_or_not_planned",
    "Units available now",
    "count",
    "program team",
    f"{UNITS_AVAILABLE.expr} - on (program, team) ({staffing.UNITS_PLANNED.expr} == bool 0) * on (program, team) "
    f"({staffing.UNITS_ON_DUTY.expr} == bool 0)",
    "CARE units whose latest status is available. A team that the staffing plan does not want now and that has "
    "no unit on duty is not planned (-1). Units that are on a call, unavailable or off duty are left out.",
)
CALLS_OPEN = _signal(
    "calls_open",
    "Open calls by stage",
    "count",
    "program stage",
    total("program stage", latest(m.CALLS_OPEN)),
    "Calls received and not closed, by the furthest stage of a CARE unit that has not cleared; waiting if there is none. "
    "Calls triaged ineligible are left out.",
)
CALLS_WAITING = _signal(
    "calls_waiting",
    "Calls waiting",
    "count",
    "program area",
    total("program area", latest(m.CALLS_OPEN, 'stage="waiting"')),
    "Open calls with no CARE unit dispatched. Calls triaged ineligible are left out; calls not triaged yet count.",
)
WAITING_OVER_TIME = _signal(
    "calls_waiting_over_time",
    "Calls waiting over time",
    "count",
    "program",
    select(recorded.WAITING),
    "Open calls with no CARE unit dispatched, recorded by Prometheus. Calls triaged ineligible are left out; calls not "
    "triaged yet count.",
)
OLDEST_WAITING = _signal(
    "oldest_waiting_seconds",
    "Longest wait of an open call since it was received",
    "seconds",
    "program area",
    f"time() - min by (program, area) ({latest(m.OLDEST_WAITING)})",
    "Time from when the longest-waiting call was received until now, of open calls with no CARE unit dispatched. "
    "No value when none waits. Calls triaged ineligible are left out.",
)
LONGEST_WAIT = _signal(
    "longest_wait_seconds",
    "Longest wait of an open call of the program since it was received",
    "seconds",
    "program",
    f"max by (program) ({OLDEST_WAITING.expr})",
    "Time from when the program's longest-waiting call was received until now, of open calls with no CARE unit dispatched. "
    "No value when none waits. Calls triaged ineligible are left out.",
)
CALLS_OVER_TARGET = _signal(
    "calls_over_target",
    "Open calls past a target",
    "count",
    "program area interval",
    total("program area interval", latest(m.OVER_TARGET)),
    "Open calls for which an interval has not ended and has run longer than its target, by interval. Before a unit is "
    "assigned the shortest target of the teams that cover the area counts. Calls triaged ineligible are left out.",
)
CALLS_NOT_ON_SCENE = _signal(
    "calls_past_on_scene_target",
    "Open calls past the target from received to on scene",
    "count",
    "program area",
    total("program area", latest(m.OVER_TARGET, 'interval="received_to_on_scene"')),
    "Open calls received longer ago than the target from received to on scene, with no CARE unit on scene yet. "
    "Calls triaged ineligible are left out.",
)
#: Which team covers which area: 1 for each pair. The calls of today are there at 0 for all of them.
_COVERS = "group by (program, team, area) (" + latest(m.TODAY, 'team!~"none|other"') + ")"

NO_UNIT_CALLS = _signal(
    "calls_waiting_without_unit",
    "Calls waiting for a team with no unit available",
    "count",
    "program team",
    "("
    + total("program team", f"{_COVERS} * on (program, area) group_left () {CALLS_WAITING.expr}")
    + f" and on (program, team) ({latest(m.UNITS_PLANNED)} > 0)"
    + f" and on (program, team) ({UNITS_AVAILABLE.expr} == 0))",
    "Open calls with no CARE unit dispatched, in the areas that a team covers, while the staffing plan wants the team on "
    "duty and no unit of it is available. A call in an area of two teams counts for both. No value outside the planned "
    "hours or while a unit is available. Calls triaged ineligible are left out.",
)
CALLS_TODAY = _signal(
    "calls_closed_today",
    "Calls closed today by outcome",
    "count",
    "program outcome",
    total("program outcome", latest(m.TODAY)),
    "Calls closed since local midnight of the program, by outcome as known now; unrecorded if none was given. Calls "
    "triaged ineligible are included.",
)
