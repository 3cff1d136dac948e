"""Series that Prometheus records, because what is made from them over days would be too slow from the raw ones."""

from __future__ import annotations

from dashboards.catalogue.promql import everywhere, latest, select, total
from streams import metrics as m
from streams.metrics import Metric

AVAILABLE = Metric(
    "program_team:care_units_available:sum", "gauge", ("program", "team"), "Units with the status available."
)
ON_DUTY = Metric(
    "program_team:care_units_on_duty:sum", "gauge", ("program", "team"), "Units with any status but off_duty."
)
WAITING = Metric("program:care_calls_waiting:sum", "gauge", ("program",), "Open calls with no CARE unit dispatched.")
NO_UNIT = Metric(
    "program_team:care_no_unit_available:bool",
    "gauge",
    ("program", "team"),
    "1 while the staffing plan wants units on duty and none is available, else 0.",
)
RECEIVED = Metric(
    "program_area:care_calls_received:sum", "counter", ("program", "area"), "Calls received over all types and sources."
)
SEEN = Metric(
    "program:care_seen_timestamp_seconds:max",
    "gauge",
    ("program",),
    "When the program's numbers were last scraped.",
)
INTERVAL = Metric(
    "program_team_interval:care_call_interval_seconds_bucket:sum",
    "counter",
    ("program", "team", "interval", "le"),
    "Buckets of the intervals over all areas.",
)
UNMET = Metric(
    "program:care_demand_unmet:sum",
    "counter",
    ("program",),
    "Calls closed that no CARE unit reached; without those triaged ineligible and those received outside the hours.",
)
WITHIN_HOURS = Metric(
    "program:care_demand_within_hours:sum",
    "counter",
    ("program",),
    "Calls closed, without those triaged ineligible and those received outside the hours.",
)
CLOSED = Metric(
    "program_team_area_outcome:care_calls_closed:sum",
    "counter",
    ("program", "team", "area", "outcome"),
    "Calls closed over all call types.",
)

#: Results of calls that a program could have served and did not.
RESULT_UNMET = 'result!~"served|ineligible|outside_hours"'
#: Results of calls that a program could have served.
RESULT_WITHIN_HOURS = 'result!~"ineligible|outside_hours"'
_AVAILABLE = total("program team", latest(m.UNITS, 'status="available"'))
_PLANNED = latest(m.UNITS_PLANNED)

#: Recorded every two minutes: graphs of weeks are drawn from them, and read every value on their way.
SELDOM = (INTERVAL,)
#: What is recorded, by the series.
RECORDED: dict[Metric, str] = {
    series: everywhere(expr)
    for series, expr in (
        (AVAILABLE, _AVAILABLE),
        (ON_DUTY, total("program team", latest(m.UNITS, 'status!="off_duty"'))),
        (WAITING, total("program", latest(m.CALLS_OPEN, 'stage="waiting"'))),
        (NO_UNIT, f"({_PLANNED} > bool 0) * on (program, team) ({_AVAILABLE} == bool 0)"),
        (UNMET, total("program", latest(m.DEMAND, RESULT_UNMET))),
        (WITHIN_HOURS, total("program", latest(m.DEMAND, RESULT_WITHIN_HOURS))),
        (RECEIVED, total("program area", latest(m.RECEIVED))),
        (CLOSED, total("program team area outcome", latest(m.CLOSED))),
        (SEEN, f"max by (program) (timestamp({select(m.PEOPLE)}))"),
        (INTERVAL, total("program team interval le", latest(m.INTERVAL, part="_bucket"))),
    )
}
