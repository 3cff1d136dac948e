"""The reference of signals and alerts, as Markdown for people."""

from __future__ import annotations

from dashboards.alerts import ALERTS, Alert
from dashboards.catalogue import SIGNALS, Signal
from dashboards.catalogue.recorded import RECORDED
from dashboards.thresholds import Thresholds

_NOTE = "Made by `carewatch dashboards build` from `dashboards/`; do not edit."


def signals() -> str:
    """Every signal with its definition and its PromQL."""
    by_module: dict[str, list[Signal]] = {}
    for signal in SIGNALS.values():
        by_module.setdefault(signal.home.rpartition(".")[2], []).append(signal)
    parts = [
        f"""# Signals

{_NOTE} A signal is a number that people act on, defined once; the dashboards and the
[alerts](alerts.md) show nothing else. The [metrics](metrics.md) that they are made from are those of a worker.

In the PromQL, `$program`, `$team` and `$area` are the dashboard's filters and `$__range` is the chosen time."""
    ]
    for module, group in by_module.items():
        parts.append(f"## {module.capitalize()}")
        parts += [_signal(signal) for signal in group]
    parts.append("## Recorded series\n\nPrometheus records these, so that what is made from them over days is quick.")
    parts += [f"### {series.name}\n\n{series.help}\n\n{_promql(expr)}" for series, expr in RECORDED.items()]
    return "\n\n".join(parts) + "\n"


def _signal(signal: Signal) -> str:
    facts = f"Unit: {signal.unit}. Labels: {', '.join(f'`{label}`' for label in signal.labels) or 'none'}."
    return f"### {signal.name}\n\n**{signal.title}.** {signal.description} {facts}\n\n{_promql(signal.expr)}"


def alerts(thresholds: Thresholds) -> str:
    """Every alert: when it fires, who is told, and why the limits are what they are."""
    parts = [
        f"""# Alerts

{_NOTE} Limits are set in `dashboards/thresholds.toml`. The [signals](signals.md) say what the numbers
mean, the [runbooks](../runbooks/README.md) what to do.

| alert | severity | who is told | held back while silent |
|---|---|---|---|
"""
        + "\n".join(
            f"| [{alert.name}](#{alert.name.lower()}) | {alert.severity} | {alert.audience.replace('_', ' ')} "
            f"| {', '.join(alert.feeds) or '-'} |"
            for alert in ALERTS
        )
    ]
    return "\n\n".join([*parts, *(_alert(alert, thresholds) for alert in ALERTS)]) + "\n"


def _alert(alert: Alert, thresholds: Thresholds) -> str:
    timing = thresholds.alerts[alert.name]
    looks_at = ", ".join(f"[{signal.name}](signals.md#{signal.name})" for signal in alert.signals) or "nothing"
    lines = [
        f"## {alert.name}",
        f"Looks at {looks_at}. [Runbook](../runbooks/{alert.name}.md).",
        f"Fires after {timing.for_}, goes on for {timing.keep_firing_for}. {timing.timing}",
    ]
    if timing.limits:
        rows = (f"| {n} | {x.value:g} | {x.unit} | {x.reason} | {x.set_by} |" for n, x in timing.limits.items())
        lines.append("\n".join(["| limit | value | unit | why | who sets it |", "|---|---|---|---|---|", *rows]))
    return "\n\n".join([*lines, _promql(alert.expr(timing))])


def _promql(expr: str) -> str:
    return f"```promql\n{expr}\n```"
