"""Prometheus rules, from the alerts and the recorded series."""

from __future__ import annotations

from typing import Any, get_args

from dashboards import alerts
from dashboards.alerts import ALERTS, Alert
from dashboards.catalogue.recorded import RECORDED, SELDOM
from dashboards.thresholds import Links, Thresholds, Timing
from streams.metrics import Metric

#: Seconds between evaluations of a group, where the server's own interval would be more work than use.
INTERVALS = {"recorded": "15s", "recorded-seldom": "2m", "outcomes": "1m", "pipeline": "15s"}


def rules(thresholds: Thresholds) -> dict[str, Any]:
    """The rule file. Raises ThresholdError."""
    alerts.check(thresholds)
    often = [_record(series) for series in RECORDED if series not in SELDOM]
    groups = [_group("recorded", often), _group("recorded-seldom", [_record(series) for series in SELDOM])]
    for name in get_args(alerts.Group):
        found = [_rule(a, thresholds.alerts[a.name], thresholds.links) for a in ALERTS if a.group == name]
        groups.append(_group(name, found))
    return {"groups": groups}


def _group(name: str, found: list[dict[str, Any]]) -> dict[str, Any]:
    every = {"interval": INTERVALS[name]} if name in INTERVALS else {}
    return {"name": f"carewatch-{name}", **every, "rules": found}


def _record(series: Metric) -> dict[str, Any]:
    return {"record": series.name, "expr": RECORDED[series]}


def _rule(alert: Alert, timing: Timing, links: Links) -> dict[str, Any]:
    times = {"for": timing.for_, "keep_firing_for": timing.keep_firing_for}
    return {
        "alert": alert.name,
        "expr": alert.expr(timing),
        **{key: text for key, text in times.items() if not text.startswith("0")},
        "labels": alert.labels(),
        "annotations": alert.annotations(links),
    }
