"""The words of the contract: label names of each number, types of statements, results, stages."""

from __future__ import annotations

#: Label names after `program`, in the order of the contract's table (section 4).
LABELS: dict[str, tuple[str, ...]] = {
    "care_units": ("team", "area", "status"),
    "care_units_planned": ("team",),
    "care_unit_seconds_total": ("team", "status"),
    "care_calls_open": ("area", "call_type", "stage"),
    "care_call_oldest_waiting_timestamp_seconds": ("area",),
    "care_calls_over_target": ("area", "interval"),
    "care_interval_target_seconds": ("team", "interval"),
    "care_calls_received_total": ("area", "call_type", "source"),
    "care_calls_closed_total": ("team", "area", "outcome"),
    "care_data_quality_total": ("problem",),
    "care_calls_with_referral_total": ("area",),
    "care_police_requested_total": ("area",),
    "care_involuntary_total": ("area",),
    "care_people_repeat": ("window",),
    "care_calls_reopened_total": ("area",),
    "care_calls_merged_total": ("area",),
    "care_calls_stale": ("area",),
    "care_units_stale": ("team",),
    "care_units_diverted_total": ("team",),
    "care_team_open": ("team",),
    "care_staffing_seconds_total": ("team", "what"),
    "care_calls_today": ("team", "area", "outcome"),
    "care_demand_total": ("area", "result"),
    "care_demand_hour_of_week": ("day", "hour", "result"),
    "care_call_interval_seconds": ("team", "interval"),
    "care_transports_total": ("team", "destination"),
    "care_police_involvement_total": ("area", "involvement"),
    "care_police_freed_seconds_total": (),
    "care_use_of_force_total": ("level",),
    "care_needles_collected_total": ("area",),
    "care_referrals_total": ("service",),
    "care_followups": ("team", "area", "followup", "state"),
    "care_followup_next_lapse_timestamp_seconds": ("team",),
    "care_followups_due": ("team", "followup", "window", "result"),
    "care_followup_attempts_total": ("team", "followup", "result"),
    "care_outreach_attempts_total": ("area",),
    "care_outreach_located_total": ("area",),
    "care_cases_active": ("kind",),
    "care_people_served": (),
    "care_unmapped_values_total": ("field",),
    "care_interval_disorder_total": ("interval",),
    "care_feed_last_event_timestamp_seconds": ("topic",),
}

#: What a statement may tell, by type (the contract, section 2). All else is dropped at the door.
FIELDS: dict[str, tuple[str, ...]] = {
    "call_received": ("call_type", "area", "priority", "source", "scheduled_for"),
    "call_triaged": ("eligible", "call_type", "area"),
    "unit_dispatched": ("unit", "agency", "team"),
    "unit_en_route": ("unit", "agency"),
    "unit_on_scene": ("unit", "agency"),
    "unit_staged": ("unit", "agency"),
    "unit_transporting": ("unit", "agency", "destination"),
    "unit_at_destination": ("unit", "agency", "destination"),
    "unit_cleared": ("unit", "agency"),
    "unit_cancelled": ("unit", "agency"),
    "contact_made": ("unit", "team", "channel"),
    "call_closed": ("outcome", "unserved_reason", "person", "involuntary"),
    "call_reopened": (),
    "call_merged": ("into",),
    "police_requested": (),
    "use_of_force": ("level",),
    "needles_collected": ("count",),
    "referral_made": ("service", "partner", "result"),
    "unit_status": ("team", "status", "area", "crew"),
    "case_opened": ("kind", "team", "area", "person", "call"),
    "followup_attempted": ("followup", "result"),
    "outreach_attempted": ("located",),
    "followup_rescheduled": ("followup", "due", "lapses"),
    "case_transferred": ("team",),
    "case_closed": ("reason",),
    "case_reopened": (),
}
OF_CASES = frozenset(name for name in FIELDS if name.startswith(("case_", "followup_")) or name == "outreach_attempted")
TIMES = frozenset({"scheduled_for", "due", "lapses"})

#: The place of a statement among others of the same time.
PLACE: dict[str, int] = {
    "call_received": 0,
    "call_triaged": 1,
    "unit_dispatched": 2,
    "unit_en_route": 3,
    "unit_staged": 4,
    "unit_on_scene": 5,
    "contact_made": 6,
    "unit_transporting": 7,
    "unit_at_destination": 8,
    "police_requested": 9,
    "use_of_force": 9,
    "needles_collected": 9,
    "referral_made": 9,
    "unit_cleared": 10,
    "unit_cancelled": 10,
    "call_closed": 11,
    "call_merged": 11,
    "call_reopened": 12,
    "unit_status": 0,
    "case_opened": 0,
    "case_transferred": 1,
    "followup_rescheduled": 2,
    "followup_attempted": 3,
    "outreach_attempted": 3,
    "case_closed": 4,
    "case_reopened": 5,
}

#: What counts for the call that another one is merged into.
MOVES_WITH_MERGE = frozenset(
    {name for name in FIELDS if name.startswith("unit_") and name != "unit_status"}
    | {"contact_made", "use_of_force", "needles_collected", "referral_made", "police_requested"}
)

OUTCOMES = (
    "services",
    "services_transport",
    "services_transfer",
    "refused",
    "no_contact",
    "resolved_by_other",
    "cancelled",
)
SERVICES = ("services", "services_transport", "services_transfer")

#: Results that an `unserved_reason` may name.
REASONS = (
    "duplicate",
    "ineligible",
    "handled_by_other",
    "cancelled",
    "outside_area",
    "outside_hours",
    "no_unit_on_duty",
    "out_of_service",
    "all_units_busy",
    "not_triaged",
    "unknown",
)

OTHER = "other"
NONE = "none"
UNRECORDED = "unrecorded"
