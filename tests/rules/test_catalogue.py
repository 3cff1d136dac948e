"""Every signal can be asked for: the metrics are exported, the labels are there, the result has those it is said to."""

from __future__ import annotations

import re

import pytest

from dashboards.catalogue import SIGNALS, Signal
from dashboards.catalogue.promql import INFO
from dashboards.catalogue.recorded import RECORDED
from streams.metrics import PIPELINE_METRICS, PROGRAM_METRICS, Metric
from tests.rules.promql import Query

EXPORTED = (*PROGRAM_METRICS, *PIPELINE_METRICS)


@pytest.mark.parametrize("signal", SIGNALS.values(), ids=lambda signal: signal.name)
@pytest.mark.parametrize("expr", ["expr", "rule_expr"])
def test_asks_for_what_is_there(signal: Signal, expr: str) -> None:
    query = Query(getattr(signal, expr))
    assert not query.problems
    assert query.labels == set(signal.labels)


@pytest.mark.parametrize(("series", "expr"), RECORDED.items(), ids=lambda value: getattr(value, "name", ""))
def test_records_what_is_there(series: Metric, expr: str) -> None:
    query = Query(expr)
    assert not query.problems
    assert query.labels == set(series.labels)


@pytest.mark.parametrize("signal", SIGNALS.values(), ids=lambda signal: signal.name)
def test_says_what_it_is(signal: Signal) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]+", signal.name)
    assert not signal.title[0].islower()
    assert signal.description.endswith(".")
    assert "response time" not in signal.title.lower(), "a time says from what to what"


def test_names_are_given_once() -> None:
    titles = [signal.title for signal in SIGNALS.values()]
    assert len(set(titles)) == len(titles)
    assert len(SIGNALS) > 50


def test_rules_look_everywhere() -> None:
    assert not [
        signal.name for signal in SIGNALS.values() if re.search(r"\$(program|team|area)|\{\}|,\}", signal.rule_expr)
    ]


def test_every_metric_is_used() -> None:
    used = {info.name for info, *_ in INFO.values()}
    used |= {name for text in (*(s.expr for s in SIGNALS.values()), *RECORDED.values()) for name in Query(text).names}
    unused = {metric.name for metric in EXPORTED if not any(name.startswith(metric.name) for name in used)}
    assert not unused, "a metric that no signal uses is not shown to anybody"


@pytest.mark.parametrize(
    ("expr", "problem"),
    [
        ("care_unit", "care_unit is exported by nobody"),
        ('care_units{colour="red"}', "a matcher of care_units names colour"),
        ("sum by (call) (care_calls_open)", "sum names call"),
        ("sum by (program) (care_units) / sum by (team) (care_units)", "/ of series with labels"),
        ("sum by (program) (care_units) * on (team) sum by (program) (care_units)", "on () of * names team"),
        ("histogram_quantile(0.5, care_call_interval_seconds_count)", "histogram_quantile names le"),
        ("care_call_interval_seconds", "care_call_interval_seconds is exported by nobody"),
    ],
)
def test_finds_what_is_wrong(expr: str, problem: str) -> None:
    assert Query(expr).problems[0].startswith(problem)


def test_no_query() -> None:
    with pytest.raises(ValueError, match="unclosed"):
        Query("sum by (")
