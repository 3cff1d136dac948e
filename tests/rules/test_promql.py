"""The building blocks of PromQL, on a real Prometheus's engine: what they give, for series that a Prometheus may have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from dashboards.catalogue.pipeline import SILENT_SINCE
from dashboards.catalogue.promql import counted, named
from dashboards.catalogue.recorded import CLOSED, SEEN
from dashboards.grafana.shown import or_none
from streams import metrics as m
from tests.integration.harness import require_prometheus
from tests.rules.tools import run

FILLED = {"$__range": "20m", "$__interval": "5m", "$program": ".*", "$team": ".*", "$area": ".*"}
UNITS = 'care_units_planned{program="p",team="%s"}'
INFO = 'care_team_info{program="p",team="%s",name="%s",instance="%s"}'


def gives(folder: Path, expr: str, series: dict[str, str], wanted: dict[str, float], at: str = "30m") -> None:
    """Check what an expression gives for series with a sample a minute, in promtool's notation."""
    for name, value in FILLED.items():
        expr = expr.replace(name, value)
    samples = [{"labels": labels, "value": value} for labels, value in wanted.items()]
    test: dict[str, Any] = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [{"expr": expr, "eval_time": at, "exp_samples": samples}],
    }
    file = folder / "test.yml"
    file.write_text(yaml.dump({"evaluation_interval": "1m", "tests": [test]}))
    run(require_prometheus().promtool, "test", "rules", file)


def planned(name: str, value: float, team: str) -> dict[str, float]:
    return {f'{{program="p",team="{team}",team_name="{name}"}}': value}


EXPR = named('max by (program, team) (care_units_planned{program=~"$program"})', ["program", "team"])


def test_a_code_has_its_name_beside_it(tmp_path: Path) -> None:
    series = {UNITS % "a": "2x40", INFO % ("a", "Alpha", "w1"): "1x40"}
    gives(tmp_path, EXPR, series, planned("Alpha", 2, "a"))


def test_two_workers_with_two_names_give_one_row(tmp_path: Path) -> None:
    series = {UNITS % "a": "2x40", INFO % ("a", "Old", "w1"): "1x40", INFO % ("a", "Old", "w2"): "1x40"}
    gives(tmp_path, EXPR, series, planned("Old", 2, "a"))
    both = {UNITS % "a": "2x40", INFO % ("a", "Old", "w1"): "1x40", INFO % ("a", "New", "w2"): "1x40"}
    gives(tmp_path, f"count({EXPR})", both, {"{}": 1})


def test_a_code_that_is_gone_is_its_own_name(tmp_path: Path) -> None:
    series = {UNITS % "a": "2x40", UNITS % "gone": "3x40", INFO % ("a", "Alpha", "w1"): "1x40"}
    gives(tmp_path, EXPR, series, {**planned("Alpha", 2, "a"), **planned("gone", 3, "gone")})


def test_a_code_that_is_gone_since_the_time_began_is_its_own_name(tmp_path: Path) -> None:
    over = named(
        'sum by (program, team) (sum_over_time(care_units_planned{program=~"$program"}[$__range:1m]))',
        ["program", "team"],
    )
    series = {UNITS % "gone": "1x20 stale", INFO % ("a", "Alpha", "w1"): "1x40"}
    gives(tmp_path, f"{over} > 0", series, planned("gone", 11, "gone"))


CLOSED_SERIES = f'{CLOSED.name}{{program="p",team="t",area="a",outcome="services"}}'
COUNT = f"sum by (program) ({counted(CLOSED)})"


@pytest.mark.parametrize(
    ("values", "at", "grown"),
    [
        ("100+1x40", "30m", 20),  # a value at the start
        ("100+1x6 _x10 117+1x40", "30m", 24),  # a short gap over the start: the last value before it
        ("100+1x3 _x10 114+1x40", "30m", 15),  # a longer one: from the first step of five minutes that has a value
        ("_x12 100+1x40", "30m", 15),  # nothing before
        ("_x27 500+1x10", "29m", 2),  # it began within the last step: from its first minute
        ("100+1x15 _x4 120+1x20", "30m", 20),  # a gap in the middle
        ("_x30 500", "30m", 0),
    ],
)
def test_how_much_a_counter_grew(tmp_path: Path, values: str, at: str, grown: int) -> None:
    """Over 20 minutes, in steps of five."""
    gives(tmp_path, COUNT, {CLOSED_SERIES: values}, {'{program="p"}': grown}, at)


def test_a_program_that_moves_counts_once(tmp_path: Path) -> None:
    name = 'care_needles_collected_total{program="p",area="a",instance="%s"}'
    series = {name % "w1": "0+1x25 _x20", name % "w2": "_x24 24+1x20"}
    gives(tmp_path, f"sum by (program) ({counted(m.NEEDLES)})", series, {'{program="p"}': 20})


PEOPLE = 'care_people_served{program="p"}'
SEEN_SERIES = f'{SEEN.name}{{program="p"}}'


def test_since_when_a_program_is_unknown(tmp_path: Path) -> None:
    gives(tmp_path, SILENT_SINCE.expr, {PEOPLE: "1x40", SEEN_SERIES: "0+60x40"}, {})
    gives(tmp_path, SILENT_SINCE.expr, {PEOPLE: "1x20 stale", SEEN_SERIES: "0+60x20 stale"}, {'{program="p"}': 1200})
    after_days = {PEOPLE: "1x20 stale", SEEN_SERIES: "0+60x20 stale"}
    gives(tmp_path, f"count({SILENT_SINCE.expr})", after_days, {"{}": 1}, at="3d")


def test_none_is_said_only_while_all_report(tmp_path: Path) -> None:
    expr = or_none('care_call_oldest_waiting_timestamp_seconds{program=~"$program"}')
    reports = {PEOPLE: "1x40", SEEN_SERIES: "0+60x40"}
    gives(tmp_path, expr, reports, {'{program="all programs"}': -1})
    other = {PEOPLE.replace('"p"', '"q"'): "1x20 stale", SEEN_SERIES.replace('"p"', '"q"'): "0+60x20 stale"}
    gives(tmp_path, expr, {**reports, **other}, {})
    gives(tmp_path, expr, {}, {})
