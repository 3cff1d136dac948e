"""Colours, units and words, the same on every dashboard.

The colours are those of Okabe and Ito, which people with any colour vision can tell apart. A colour never says anything
alone: beside it is a word, a number with the limit in the title, or a line of another shape.
"""

from __future__ import annotations

from typing import NamedTuple

from dashboards.catalogue.signal import Unit

BLUE = "#0072B2"
SKY = "#56B4E9"
GREEN = "#009E73"
YELLOW = "#F0E442"
ORANGE = "#E69F00"
RED = "#D55E00"
PURPLE = "#CC79A7"
GREY = "#7F7F7F"
CLEAR = "transparent"
PALETTE = (BLUE, SKY, GREEN, YELLOW, ORANGE, RED, PURPLE, GREY)


class Look(NamedTuple):
    """How Grafana writes a value: its unit's id, and decimals (none: as many as it needs)."""

    unit: str
    decimals: int | None


#: Counts are whole numbers, without `k` for thousands.
LOOKS: dict[Unit, Look] = {
    "count": Look("locale", 0),
    "seconds": Look("s", 1),
    "timestamp": Look("time:D MMM HH:mm", None),
    "ratio": Look("percentunit", 0),
    "per_second": Look("eps", 1),
    "minutes": Look("m", 1),
}

#: Words for the codes of closed sets, in the order in which they are shown.
STATUSES = {
    "available": "Available",
    "dispatched": "Dispatched",
    "en_route": "En route",
    "on_scene": "On scene",
    "transporting": "Transporting",
    "at_destination": "At destination",
    "unavailable": "Unavailable",
    "off_duty": "Off duty",
}
STAGES = {
    "waiting": "Waiting",
    "dispatched": "Dispatched",
    "en_route": "En route",
    "on_scene": "On scene",
    "transporting": "Transporting",
}
OUTCOMES = {
    "services": "Services",
    "services_transport": "Services and transport",
    "services_transfer": "Services and transfer",
    "refused": "Refused",
    "no_contact": "No contact",
    "resolved_by_other": "Resolved by other",
    "cancelled": "Cancelled",
    "other": "Unknown code",
    "unrecorded": "Not recorded",
}
RESULTS = {
    "served": "Served",
    "ineligible": "Ineligible",
    "handled_by_other": "Handled by other",
    "cancelled": "Cancelled",
    "outside_area": "Outside area",
    "outside_hours": "Outside hours",
    "no_unit_on_duty": "No unit on duty",
    "all_units_busy": "All units busy",
    "not_triaged": "Not triaged",
    "unknown": "Reason unknown",
}
INVOLVEMENTS = {
    "none": "None dispatched",
    "cancelled": "Cancelled before the scene",
    "released": "Released before CARE cleared",
    "stayed": "Stayed",
}
INTERVALS = {
    "received_to_dispatched": "Received to dispatched",
    "received_to_on_scene": "Received to on scene",
    "dispatched_to_en_route": "Dispatched to en route",
    "en_route_to_on_scene": "En route to on scene",
    "on_scene_to_cleared": "On scene to cleared",
    "dispatched_to_cleared": "Dispatched to cleared",
}
FOLLOWUP_STATES = {"scheduled": "Scheduled", "open": "Open", "overdue": "Overdue", "missed": "Missed"}
ATTEMPT_RESULTS = {"completed": "Completed", "no_contact": "No contact", "declined": "Declined"}
DUE_RESULTS = {
    "completed": "Completed",
    "completed_late": "Completed late",
    "declined": "Declined",
    "closed": "Closed with case",
    "missed": "Missed",
    "pending": "Pending",
}
DAYS = {"mon": "Mon", "tue": "Tue", "wed": "Wed", "thu": "Thu", "fri": "Fri", "sat": "Sat", "sun": "Sun"}
TOPICS = {"dispatch": "Dispatch", "status": "Unit status", "followup": "Follow-up"}

CASE_KINDS = {"encounter": "Encounter", "overdose": "Overdose", "case_management": "Case management"}
SEVERITIES = {"critical": "Critical", "warning": "Warning", "none": "No other fires"}
REASONS = {
    "not_json": "Not JSON",
    "not_an_object": "Not an object",
    "missing_field": "Field missing",
    "invalid_field": "Field invalid",
    "unknown_type": "Type unknown",
    "unknown_program": "Program unknown",
    "wrong_key": "Wrong key",
    "future": "In the future",
    "too_large": "Too large",
    "record_full": "Call or case full",
}
NEVER_ENDING = {"open_calls": "Open calls", "endless_cases": "Cases without an end", "units": "Units"}
FIELDS = {
    "area": "Area",
    "call_type": "Call type",
    "team": "Team",
    "outcome": "Outcome",
    "service": "Service",
    "destination": "Destination",
}

#: Names of columns.
LABELS = {
    "program": "Program",
    "team": "Team",
    "area": "Area",
    "interval": "Interval",
    "followup": "Follow-up",
    "window": "Days",
    "topic": "Feed",
    "reason": "Reason",
    "field": "Field",
    "kind": "Kind",
    "hour": "Hour",
    "level": "Level",
    "instance": "Worker",
    "version": "Version",
    "alertname": "Alert",
    "severity": "Severity",
    "place": "Where",
}


#: The longest text of columns of names that are all short. Others share the room that is left.
SHORT = {
    "program": "a_program_12",
    "followup": "365 days",
    "window": "30 days",
    "topic": "Unit status",
    "level": "3",
    "version": "10.10.10",
    "severity": "Warning",
}


def words(seconds: float) -> str:
    """A time for titles: `10 min`, `5 min`, `90 s`."""
    if seconds >= 60 and seconds % 60 == 0:
        return f"{seconds / 60:g} min"
    return f"{seconds:g} s"
