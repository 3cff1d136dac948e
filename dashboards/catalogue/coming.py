"""Metrics of the contract that the collector does not export yet. To be removed with the last of them."""

from streams.metrics import Metric

FOLLOWUPS = Metric("care_followups", "gauge", ("program", "team", "area", "followup", "state"), "")
NEXT_LAPSE = Metric("care_followup_next_lapse_timestamp_seconds", "gauge", ("program", "team"), "")
FOLLOWUPS_DUE = Metric("care_followups_due", "gauge", ("program", "team", "followup", "window", "result"), "")
ATTEMPTS = Metric("care_followup_attempts_total", "counter", ("program", "team", "followup", "result"), "")
OUTREACH = Metric("care_outreach_attempts_total", "counter", ("program", "area"), "")
LOCATED = Metric("care_outreach_located_total", "counter", ("program", "area"), "")
CASES = Metric("care_cases_active", "gauge", ("program", "kind"), "")

COMING = (FOLLOWUPS, NEXT_LAPSE, FOLLOWUPS_DUE, ATTEMPTS, OUTREACH, LOCATED, CASES)
