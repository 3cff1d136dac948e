"""The scenes answer as Grafana would be answered, and say what is true; the filling is that of a real Grafana."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboards.build import ROOT
from tests.grafana.blocks import Change, Labels, Span, write_block
from tests.grafana.filling import answer, interval, long, short
from tests.grafana.judged import rules
from tests.grafana.scenes import DOWN, NAMES, NOW, WAITED, Scene, Stage, ask
from tests.grafana.told import DAY, HOUR, MINUTE
from tests.integration.harness import require_prometheus
from tests.rules.tools import run

pytestmark = pytest.mark.grafana

BOARDS = {file.stem: json.loads(file.read_text()) for file in (ROOT / "dashboards/grafana/dashboards").glob("*.json")}


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    binaries = require_prometheus()
    with Stage(tmp_path_factory.mktemp("scenes"), binaries) as stage:
        yield stage


def vector(scene: Scene, expr: str, at: float | None = None) -> list[tuple[dict[str, str], float]]:
    """The answer to a query at one time."""
    found = answer(scene.prometheus, "/api/v1/query", {"query": expr, "time": f"{scene.now if at is None else at}"})
    return [(one["metric"], float(one["value"][1])) for one in found["result"]]


@pytest.mark.parametrize("name", NAMES)
def test_every_panel_is_answered(stage: Stage, name: str) -> None:
    scene = stage.scene(name)
    empty = set[str]()
    for uid, dashboard in BOARDS.items():
        asked = ask(scene, dashboard)
        assert [one.panel["title"] for one in asked] == [panel["title"] for panel in dashboard["panels"]]
        empty |= {
            f"{uid}: {one.panel['title']}" for one in asked if not any(d["result"] for _, d in one.answers.values())
        }
    if name in ("week", "gap-start", "gap-middle"):
        assert not empty
    if name == "nothing":
        assert len(empty) == sum(len(dashboard["panels"]) for dashboard in BOARDS.values())


@pytest.mark.parametrize("name", ["week", "gap-start", "gap-middle", "down", "start", "many", "one"])
def test_counters_agree_with_the_truth(stage: Stage, name: str) -> None:
    """What was closed between the first sample and now, by program and outcome."""
    scene = stage.scene(name)
    first = scene.known(scene.now - 7 * DAY)[1]
    last = scene.now if name != "down" else scene.now - DOWN - 1
    closed = Counter[tuple[str, str]]()
    for at, sign in ((last, 1), (first, -1)):
        for has, value in vector(scene, "sum by (program, outcome) (care_calls_closed_total)", at):
            closed[has["program"], has["outcome"]] += sign * int(value)
    read = last - last % 15  # the page is read so often at the end
    assert +closed == scene.truth.closed(first, read)
    if name in ("week", "many"):
        assert sum(closed.values()) > 100


def test_the_truth_of_what_is_received_and_waits(stage: Stage) -> None:
    scene = stage.scene("week")
    since = scene.now - 7 * DAY
    expr = f"sum by (program) (care_calls_received_total - care_calls_received_total offset {7 * DAY}s)"
    new = f"sum by (program) (care_calls_received_total unless care_calls_received_total offset {7 * DAY}s)"
    found = Counter[str]()
    for has, value in [*vector(scene, expr), *vector(scene, new)]:
        found[has["program"]] += int(value)
    assert found == scene.truth.received(since, scene.now)
    ((_, waiting),) = vector(scene, 'sum(care_calls_open{stage="waiting"})')
    assert waiting == len(scene.truth.waiting(scene.now))
    ((_, oldest),) = vector(scene, f"{scene.now} - min(care_call_oldest_waiting_timestamp_seconds)")
    assert oldest == scene.now - min(scene.truth.waiting(scene.now).values()) >= WAITED - 2


def test_the_worker_is_down(stage: Stage) -> None:
    scene = stage.scene("down")
    assert vector(scene, "up")[0][1] == 0
    assert not vector(scene, "care_calls_open")
    assert vector(scene, "care_calls_open", scene.now - DOWN - 1)
    assert ("WorkerDown", "critical") in scene.firing
    assert ("CallWaitingTooLong", "critical") in scene.firing


def test_alerts_of_several_severities_fire(stage: Stage) -> None:
    scene = stage.scene("week")
    assert {severity for _, severity in scene.firing} == {"none", "warning", "critical"}
    shown = {(has["alertname"], has["severity"]) for has, _ in vector(scene, 'ALERTS{alertstate="firing"}')}
    assert shown == scene.firing


def test_what_was_recorded_is_what_the_rules_give(stage: Stage) -> None:
    for name in ("week", "many"):
        scene = stage.scene(name)
        for rule in rules("record"):
            by_rule = sorted((sorted(has.items()), value) for has, value in vector(scene, rule["expr"]))
            found = vector(scene, rule["record"])
            assert by_rule == sorted((sorted(set(has.items()) - {("__name__", rule["record"])}), v) for has, v in found)
            assert by_rule


def test_gaps_and_beginnings(stage: Stage) -> None:
    week = NOW - 7 * DAY
    assert stage.scene("week").known(week) == (week, week)
    assert stage.scene("gap-start").known(week) == (week - 10 * MINUTE, week + 10 * MINUTE)
    assert stage.scene("start").known(week) == (NOW - 3 * MINUTE, NOW - 3 * MINUTE)
    assert not vector(stage.scene("gap-start"), "up", week)
    assert not vector(stage.scene("gap-middle"), "up", NOW - 4 * DAY + HOUR)
    assert vector(stage.scene("start"), "sum(care_events_total)")[0][1] > 1000


def test_many_programs_have_long_names(stage: Stage) -> None:
    found = vector(stage.scene("many"), "count by (program, team) (care_units_planned)")
    assert len({has["program"] for has, _ in found}) == 20
    assert {len(has["team"]) for has, _ in found} == {40}
    assert {has["program"] for has, _ in vector(stage.scene("one"), "care_people_served")} == {"seattle"}


def test_a_block_is_read_by_promtool(tmp_path: Path) -> None:
    series: dict[Labels, list[Change]] = {
        (("__name__", "a"), ("x", "1")): [(0, 1.0)],
        (("__name__", "a"), ("x", "2")): [(100, 2.0), (200, 0.1), (260, None), (400, -7.25), (1010, 1e9)],
    }
    assert write_block(tmp_path, [(series, [Span(60, 600, 60), Span(1000, 1020, 10)])]) == 13 + 3 + 1 + 4 + 3
    (tmp_path / "wal").mkdir()
    lines = run(require_prometheus().promtool, "tsdb", "dump", tmp_path).splitlines()
    found = [line.split()[-2:] for line in lines if 'x="2"' in line]
    assert found == [
        *(["2", f"{at}000"] for at in (120, 180)),
        *(["0.1", "240000"], ["NaN", "300000"]),
        *(["-7.25", f"{at}000"] for at in (420, 480, 540, 600, 1000)),
        *(["1e+09", f"{at}000"] for at in (1010, 1020)),
    ]


# --- filling ------------------------------------------------------------------------------------------------------


def test_intervals() -> None:
    week = 7 * DAY * 1000
    assert [interval(week, points, 15_000) // 1000 for points in (1920, 947, 805, 500, 100)] == [
        300,
        600,
        900,
        1200,
        7200,
    ]
    assert [interval(hours * HOUR * 1000, 947, 15_000) // 1000 for hours in (1, 3, 6, 24)] == [15, 15, 20, 120]
    assert interval(week, 947, HOUR * 1000) == HOUR * 1000
    assert [short(ms) for ms in (15_000, 90_000, 600_000, 3_600_000, DAY * 1000)] == ["15s", "1m", "10m", "1h", "1d"]
    assert [long(ms) for ms in (35_000, 60_000, 615_000, 3_615_000)] == ["35s", "1m0s", "10m15s", "1h0m15s"]


VARIABLES = [
    {"name": "program", "multi": True, "includeAll": True, "allValue": ".*", "current": {"value": ["$__all"]}},
    {"name": "interval", "multi": False, "includeAll": False, "current": {"value": "received_to_on_scene"}},
]
