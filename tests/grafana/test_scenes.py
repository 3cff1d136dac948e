"""The scenes answer as Grafana would be answered, and say what is true; the filling is that of a real Grafana."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.grafana.blocks import Change, Labels, Span, write_block
from tests.grafana.filling import Json, View, answer, chosen, interval, long, pixels, questions, short
from tests.grafana.judged import rules
from tests.grafana.scenes import DOWN, NOW, WAITED, Scene, Stage
from tests.grafana.told import DAY, HOUR, MINUTE
from tests.integration.harness import require_prometheus
from tests.rules.tools import run

pytestmark = [pytest.mark.grafana, pytest.mark.slow, pytest.mark.full]


def vector(scene: Scene, expr: str, at: float | None = None) -> list[tuple[dict[str, str], float]]:
    """The answer to a query at one time."""
    found = answer(scene.prometheus, "/api/v1/query", {"query": expr, "time": f"{scene.now if at is None else at}"})
    return [(one["metric"], float(one["value"][1])) for one in found["result"]]


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
    """As a real Grafana 9 had them: the seconds of a range, the width of a panel in pixels, the interval in seconds."""
    week, hours, days = 7 * DAY, 6 * HOUR, 2 * DAY
    measured = [
        *((week, *each) for each in ((299, 1800), (375, 1800), (452, 1200), (605, 900), (758, 900), (912, 600))),
        *((week, *each) for each in ((1065, 600), (1218, 600), (1831, 300))),
        *((hours, *each) for each in ((299, 60), (452, 60), (605, 30), (912, 20))),
        *((days, *each) for each in ((299, 600), (452, 300), (605, 300), (912, 120))),
    ]
    assert [interval(shown * 1000, points, 5_000) for shown, points, _ in measured] == [
        s * 1000 for _, _, s in measured
    ]
    assert [pixels(columns, 1831) for columns in (4, 5, 6, 7, 8, 9, 10)] == [299, 375, 452, 528, 605, 682, 758]


def test_durations() -> None:
    assert [short(ms) for ms in (15_000, 90_000, 600_000, 3_600_000, DAY * 1000)] == ["15s", "1m", "10m", "1h", "1d"]
    assert [long(ms) for ms in (35_000, 60_000, 615_000, 3_615_000)] == ["35s", "1m0s", "10m15s", "1h0m15s"]


EVERYTHING = (
    "[$program|$interval|$__range|$__range_s|${__range_ms}|$__interval|$__interval_ms|$__rate_interval|"
    "${__from}|${__to}|${__from:date:seconds}|$unknown]"
)
VARIABLES = [
    {"name": "program", "multi": True, "includeAll": True, "allValue": ".*", "current": {"value": ["$__all"]}},
    {"name": "interval", "multi": False, "includeAll": False, "current": {"value": "received_to_on_scene"}},
]


@pytest.mark.parametrize("kind", ["instant", "range"])
def test_everything_is_filled(kind: str) -> None:
    dashboard: Json = {"templating": {"list": VARIABLES}}
    panel: Json = {"gridPos": {"w": 12}, "targets": [{"refId": "A", "expr": EVERYTHING, kind: True}]}
    since, until = 1_772_053_207.0, 1_772_658_007.0
    (question,) = questions(dashboard, panel, View(since, until, 1831, scrape="15s"))
    assert question.expr == (
        "[.*|received_to_on_scene|604800s|604800|604800000|10m|600000|10m15s|"
        "1772053207000|1772658007000|1772053207|$unknown]"
    )
    aligned = (1_772_053_200.0, 1_772_658_000.0, 600.0)
    assert question[3:] == (aligned if kind == "range" else (since, until, 600.0))


def test_what_is_chosen() -> None:
    program, interval = VARIABLES
    assert chosen(program, ["$__all"]) == ".*"
    assert chosen(program, "chicago") == chosen(program, ["chicago"]) == "chicago"
    assert chosen(program, ["chicago", "a.b"]) == r"(chicago|a\\.b)"
    assert chosen(interval, "on_scene_to_cleared") == "on_scene_to_cleared"


def test_a_panel_has_its_own_points_and_interval() -> None:
    dashboard: Json = {"templating": {"list": VARIABLES}}

    def step(**panel: object) -> float:
        targets = [{"refId": "A", "expr": "up", "range": True}]
        (question,) = questions(dashboard, {"gridPos": {"w": 12}, "targets": targets, **panel}, View(0, 7 * DAY, 1831))
        return question.step

    assert [step(), step(maxDataPoints=100), step(interval="1h")] == [600, 7200, 3600]
