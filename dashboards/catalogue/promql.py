"""The building blocks of the signals' PromQL. Labels come from the metric, so an expression cannot name a wrong one.

A program's series may move from one worker to another, and then both are there for a moment: the series are first made
one (`max by` all of the metric's own labels), so that nothing counts twice. And for some seconds, or for longer if a
worker ends and none takes over, nobody shows the program. Rules then hold its last values (`held`): an alert that ended
would say that all is well when nothing is known. After five minutes `FeedSilent` says what is wrong, and holds back what
depends on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from streams.metrics import PEOPLE, Metric

#: How long rules hold the last value while nobody shows the program: longer than it takes `FeedSilent` to fire.
HOLD = "15m"
#: How far back a counter's value at an edge of a time range may lie: Prometheus's own look-back.
LOOK_BACK = "5m"
#: Labels that a dashboard can filter by: each has a variable of its name.
VARIABLES = ("program", "team", "area")

_VARIABLE = re.compile(r'(\w+)=~"\$(\w+)\|?",?')
_SELECTOR = r"(\w+(?:\{[^}]*\})?)"
_LATEST = re.compile(rf"max by \((program[\w, ]*)\) \({_SELECTOR}\)")
_EMPTY = re.compile(r",?\{\}|,(?=\})")


def select(metric: Metric, *matchers: str, part: str = "", all_areas: bool = False) -> str:
    """A selector with the dashboard's filters, such as ``care_units{program=~"$program",...,status="available"}``.

    `matchers` are as in PromQL; `part` is of a histogram: ``_bucket``, ``_count`` or ``_sum``. `all_areas`: whatever area
    is chosen, for what is compared with a number of the whole team.
    """
    wanted = [label for label in VARIABLES if label in metric.labels and not (all_areas and label == "area")]
    filters = [f'{label}=~"${label}"' for label in wanted]
    inside = ",".join((*filters, *matchers))
    return metric.name + part + (f"{{{inside}}}" if inside else "")


def everywhere(expr: str) -> str:
    """The expression without the dashboard's filters: for rules, which look at every program, team and area."""
    return _EMPTY.sub("", _VARIABLE.sub("", expr))


def held(expr: str) -> str:
    """The expression with what `latest` gives held while nobody shows the program, and only then: series come and go."""
    old = rf"max by (\1) (last_over_time(\2[{HOLD}])) unless on (program) group by (program) ({PEOPLE.name})"
    return _LATEST.sub(rf"(max by (\1) (\2) or ({old}))", expr)


def latest(metric: Metric, *matchers: str, part: str = "", all_areas: bool = False) -> str:
    """Each series once, with its latest value."""
    return f"max by ({_labels(metric, part)}) ({select(metric, *matchers, part=part, all_areas=all_areas)})"


def counted(metric: Metric, *matchers: str, over: str = "$__range", part: str = "") -> str:
    """How much a counter of facts grew: the difference of two values, so exact and whole.

    Only for counters that survive a restart: these never fall, whichever worker shows them. `increase()` would guess at
    the edges, and lose what is counted while a program moves. Where Prometheus has no value at the start of the range,
    everything counted so far is taken.
    """
    labels, selector = _labels(metric, part), select(metric, *matchers, part=part)
    end = f"max by ({labels}) (last_over_time({selector}[{LOOK_BACK}]))"
    start = f"max by ({labels}) (last_over_time({selector}[{LOOK_BACK}] offset {over}))"
    return f"({end} - ({start} or {end} * 0))"


def since(recorded: Metric, over: str, *matchers: str) -> str:
    """How much a recorded counter of facts grew, exact and whole; no value before Prometheus has seen so long."""
    selector = select(recorded, *matchers)
    return f"({selector} - {selector} offset {over})"


def grown(metric: Metric, *matchers: str, over: str, part: str = "") -> str:
    """How much a counter grew, as Prometheus estimates it: for graphs, and for counters that restart with a worker."""
    return f"increase({select(metric, *matchers, part=part)}[{over}])"


def total(by: str | Iterable[str], expr: str) -> str:
    """The sum over everything but these labels."""
    labels = by.split() if isinstance(by, str) else by
    return f"sum by ({', '.join(labels)}) ({expr})"


def ratio(part: str, whole: str) -> str:
    """A share; no value where there is nothing to have a share of."""
    return f"{part} / ({whole} > 0)"


def _labels(metric: Metric, part: str = "") -> str:
    return ", ".join((*metric.labels, "le") if part == "_bucket" else metric.labels)
