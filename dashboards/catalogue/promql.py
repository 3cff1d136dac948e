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

from streams import metrics as m
from streams.metrics import PEOPLE, Metric

#: How long rules hold the last value while nobody shows the program: longer than it takes `FeedSilent` to fire.
HOLD = "15m"
#: How far back a counter's value at an edge of a time range may lie: Prometheus's own look-back.
LOOK_BACK = "5m"
#: Labels that a dashboard can filter by: each has a variable of its name.
VARIABLES = ("program", "team", "area")

#: Where the names of a label's codes are: the metric, its label of the code, and matchers.
INFO: dict[str, tuple[Metric, str, *tuple[str, ...]]] = {
    "team": (m.TEAM_INFO, "team"),
    "area": (m.AREA_INFO, "area"),
    "followup": (m.FOLLOWUP_INFO, "followup"),
    "destination": (m.CODE_INFO, "code", 'kind="destination"'),
    "service": (m.CODE_INFO, "code", 'kind="service"'),
}

_VARIABLE = re.compile(r'(\w+)=~"\$(\w+)\|?",?')
_SELECTOR = r"(\w+(?:\{[^}]*\})?)"
_LATEST = re.compile(rf"max by \((program[\w, ]*)\) \({_SELECTOR}\)")
_SERIES = re.compile(r"[\w:]+\{[^}]*\}")
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


def counted(metric: Metric, *matchers: str, part: str = "") -> str:
    """How much a counter of facts grew in the chosen time: the difference of two values, so exact and whole.

    Only for counters that survive a restart: these never fall, whichever worker shows them. `increase()` would guess at
    the edges, and lose what is counted while a program moves.

    Where Prometheus has no value at the start of the chosen time, it is counted from the first one after it: what came
    before is not known to be of that time. The first value is the lowest, as the counter never falls. It is looked for at
    each `$__interval`, as reading every sample of a week would take too long, and then at each minute of the last one.
    """
    labels, selector = _labels(metric, part), select(metric, *matchers, part=part)
    end = f"max by ({labels}) (last_over_time({selector}[{LOOK_BACK}]))"
    start = f"max by ({labels}) (last_over_time({selector}[{LOOK_BACK}] offset $__range))"
    first = " or ".join(
        f"min by ({labels}) (min_over_time({selector}[{window}]))"
        for window in ("$__range:$__interval", "$__interval:1m")
    )
    return f"({end} - ({start} or {first}))"


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


def named(expr: str, labels: Iterable[str]) -> str:
    """The expression with a label more beside each of `labels` that has names: `team_name` beside `team`.

    A code without a name, such as one that is gone from the program file, is its own name. Which codes there are says the
    first series that the expression asks for, over the chosen time if it looks at that.
    """
    there = list(labels)
    first = _SERIES.search(expr)
    window = "$__range:$__interval" if "$__range" in expr else LOOK_BACK
    for label in [label for label in there if label in INFO]:
        assert first, expr
        info, code, *matchers = INFO[label]
        on = ", ".join([*(["program"] if "program" in there else []), label])
        wanted = ",".join(('program=~"$program"', *matchers))
        name = f"last_over_time({info.name}{{{wanted}}}[{LOOK_BACK}])"
        if code != label:
            name = f'label_replace({name}, "{label}", "$1", "{code}", "(.*)")'
        # one name a code: while workers change, or after a change of the file, there may be two
        name = f'label_replace(topk by ({on}) (1, {name}), "{label}_name", "$1", "name", "(.*)")'
        bare = f'label_replace(group by ({on}) (last_over_time({first[0]}[{window}])), "{label}_name", "$1", "{label}", "(.*)")'
        expr = f"({expr}) * on ({on}) group_left ({label}_name) ({name} or on ({on}) {bare})"
        there.append(f"{label}_name")
    return expr


def _labels(metric: Metric, part: str = "") -> str:
    return ", ".join((*metric.labels, "le") if part == "_bucket" else metric.labels)
