"""What Prometheus would have recorded by the shipped rules, and which alerts it would have had: asked of Prometheus itself.

promtool makes no alerts of the past, so their `for` and `keep_firing_for` are counted here, as Prometheus counts them.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Any

import yaml

from dashboards.build import ROOT
from tests.grafana.blocks import Change, Labels, Series, Span
from tests.grafana.filling import answer, milliseconds
from tests.grafana.told import INSTANCE, named, times

RULES = ROOT / "dashboards" / "prometheus" / "rules.yml"
Rule = dict[str, Any]
TARGET = [label for label, _ in INSTANCE]
#: A rule that adds up what several workers may show at once.
_ADDS = re.compile(r"sum by \(([\w, ]+)\) \(max by \(([\w, ]+)\) \((\w+)(\{.*\})?\)\)")
#: The values of each series by time.
_Found = dict[Labels, dict[int, float]]


@cache
def rules(kind: str) -> list[Rule]:
    """The shipped rules of a kind: `record` or `alert`."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"] if kind in rule]


def added(series: Series) -> dict[Labels, list[Change]]:
    """What the recording rules give that only add up the series of one worker: their sums, without asking anybody.

    Prometheus takes minutes over the thousands of series of a week. `test_scenes` asks it for a moment.
    """
    found: dict[Labels, list[Change]] = {}
    for rule in rules("record"):
        if not (match := _ADDS.fullmatch(rule["expr"])):
            continue
        by, inner, name, matchers = match[1].split(", "), match[2].split(", "), match[3], match[4] or ""
        wanted = [_wants(text) for text in re.findall(r'\w+(?:=~|!~|!=|=)"[^"]*"', matchers)]
        parts: dict[Labels, list[Sequence[Change]]] = {}
        for labels, changes in series.items():
            if labels[0][1] == name and all(want(dict(labels)) for want in wanted):
                has = dict(labels)
                assert set(has) - set(TARGET) <= {*inner, "__name__"}, f"{rule['record']} takes a maximum of several"
                parts.setdefault(named(rule["record"], *((key, has[key]) for key in by)), []).append(changes)
        found |= {labels: _sum(changes) for labels, changes in parts.items()}
    return found


def looked_at(series: Series) -> Series:
    """What the rules ask Prometheus for, of these series."""
    names = {word for rule in [*_others(), *rules("alert")] for word in re.findall(r"[\w:]+", rule["expr"])}
    return {labels: changes for labels, changes in series.items() if labels[0][1] in names}


def recorded(prometheus: str, spans: Sequence[Span]) -> dict[Labels, list[Change]]:
    """What the other recording rules give at these times. No alert asks for it: the server does not have it."""
    at = times(spans)
    for rule in _others():
        assert not any(rule["record"] in alert["expr"] for alert in rules("alert"))
    return {
        named(rule["record"], *labels): _changes(at, [values.get(moment) for moment in at])
        for rule, series in _asked(prometheus, _others(), spans)
        for labels, values in series.items()
    }


def alerts(prometheus: str, spans: Sequence[Span]) -> dict[Labels, list[Change]]:
    """The series ALERTS at these times."""
    at = times(spans)
    found: dict[Labels, list[Change]] = {}
    for rule, series in _asked(prometheus, rules("alert"), spans):
        wait, hold = (milliseconds(rule.get(key, "0s")) // 1000 for key in ("for", "keep_firing_for"))
        for labels, values in series.items():
            states = _states(at, values, wait, hold)
            own = {**dict(labels), **rule["labels"], "alertname": rule["alert"]}
            for state in ("pending", "firing"):
                values_of = [1.0 if one == state else None for one in states]
                if any(values_of):
                    found[named("ALERTS", *own.items(), ("alertstate", state))] = _changes(at, values_of)
    return found


def _others() -> list[Rule]:
    return [rule for rule in rules("record") if not _ADDS.fullmatch(rule["expr"])]


def _asked(prometheus: str, asked: list[Rule], spans: Sequence[Span]) -> list[tuple[Rule, _Found]]:
    """Each rule with its series. Two at a time: Prometheus works on a query with one core."""
    with ThreadPoolExecutor(2) as pool:
        return list(zip(asked, pool.map(lambda rule: _values(prometheus, rule["expr"], spans), asked), strict=True))


def _wants(matcher: str) -> Callable[[dict[str, str]], bool]:
    match = re.fullmatch(r'(\w+)(=~|!~|!=|=)"([^"]*)"', matcher)
    assert match
    label, how, text = match.groups()
    pattern = re.compile(text if "~" in how else re.escape(text))
    return lambda has: bool(pattern.fullmatch(has.get(label, ""))) is (how in ("=", "=~"))


def _sum(parts: Iterable[Sequence[Change]]) -> list[Change]:
    """The sum of series: none where none of them is there."""
    steps: defaultdict[int, tuple[float, int]] = defaultdict(lambda: (0.0, 0))
    for changes in parts:
        before: float | None = None
        for at, value in changes:
            by, there = steps[at]
            there += (value is not None) - (before is not None)
            steps[at] = by + (value or 0.0) - (before or 0.0), there
            before = value
    total, present = 0.0, 0
    found: list[Change] = []
    for at in sorted(steps):
        total, present = total + steps[at][0], present + steps[at][1]
        value = total if present else None
        if not found or found[-1][1] != value:
            found.append((at, value))
    return found


def _states(at: Iterable[int], there: dict[int, float], wait: int, hold: int) -> list[str]:
    """`pending`, `firing` or nothing at each time."""
    states: list[str] = []
    state, since, gone = "", 0, 0
    for moment in at:
        if moment in there:
            gone = 0
            if not state:
                state, since = "pending", moment
            if moment - since >= wait:
                state = "firing"
        elif state == "firing" and hold:
            gone = gone or moment
            state = "firing" if moment - gone < hold else ""
        else:
            state = ""
        states.append(state)
    return states


def _changes(at: Sequence[int], values: Sequence[float | None]) -> list[Change]:
    found: list[Change] = []
    for moment, value in zip(at, values, strict=True):
        if not found or found[-1][1] != value:
            found.append((moment, value))
    return found


def _values(prometheus: str, expr: str, spans: Iterable[Span]) -> _Found:
    found: _Found = {}
    for start, end, step in spans:
        asked = {"query": expr, "start": f"{start}", "end": f"{end}", "step": f"{step}"}
        for series in answer(prometheus, "/api/v1/query_range", asked)["result"]:
            labels = tuple(sorted(pair for pair in series["metric"].items() if pair[0] != "__name__"))
            found.setdefault(labels, {}).update((int(moment), float(value)) for moment, value in series["values"])
    return found
