"""The drawing of panels: what is known of Grafana comes out, and today's faults are seen."""

from __future__ import annotations

import copy
import json
import math
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import node
from tests.grafana.draw import HERE, SCRIPT, Answer, Drawing, Drawn, draw
from tests.node import give_up

#: `full`, as npm needs the network the first time.
pytestmark = [pytest.mark.slow, pytest.mark.full]

ROOT = Path(__file__).resolve().parents[2]
BOARDS = sorted((ROOT / "dashboards" / "grafana" / "dashboards").glob("*.json"))
NOW = 1_700_000_000.0
TEAM = ({"team": "North"}, 1)
STATUSES = ("available", "en_route", "on_scene")


@pytest.fixture(scope="module", autouse=True)
def installed() -> None:
    try:
        node.installed(HERE, SCRIPT)
    except node.UnavailableError as reason:
        give_up(str(reason))


def vector(*series: tuple[dict[str, str], float | str]) -> dict[str, Any]:
    return {
        "resultType": "vector",
        "result": [{"metric": labels, "value": [NOW, str(value)]} for labels, value in series],
    }


def matrix(labels: dict[str, str], values: list[float]) -> dict[str, Any]:
    points = [[NOW + 60 * i, str(value)] for i, value in enumerate(values)]
    return {"resultType": "matrix", "result": [{"metric": labels, "values": points}]}


def panel(kind: str, **rest: Any) -> dict[str, Any]:
    size = {"x": 0, "y": 0, "w": 12, "h": 8}
    target = {"refId": "A", "expr": "up", "format": "table" if kind == "table" else "time_series"}
    return {"type": kind, "title": "Units", "gridPos": size, "targets": [target], **rest}


def scene(panel: dict[str, Any], data: dict[str, Any], **rest: Any) -> Drawing:
    """A panel with the answer to its only target."""
    if data["resultType"] == "matrix":
        return Drawing(panel, [Answer("A", "up", data, NOW, NOW + 3600, 60.0)], **rest)
    return Drawing(panel, [Answer("A", "up", data)], **rest)


def one(panel: dict[str, Any], data: dict[str, Any], **rest: Any) -> Drawn:
    return draw([scene(panel, data, **rest)])[0]


def board_panel(title: str) -> dict[str, Any]:
    boards = [json.loads(file.read_bytes()) for file in BOARDS]
    return next(panel for board in boards for panel in board["panels"] if panel["title"] == title)


def without_merge(panel: dict[str, Any]) -> dict[str, Any]:
    found = copy.deepcopy(panel)
    found["transformations"] = [step for step in found["transformations"] if step["id"] != "merge"]
    return found


def test_the_libraries_are_those_of_the_grafana_that_runs() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    images = [service.get("image", "") for service in compose["services"].values()]
    (version,) = (image.split(":")[1] for image in images if image.startswith("grafana/grafana:"))
    pinned = json.loads((HERE / "package.json").read_text())["dependencies"]
    assert {pinned[f"@grafana/{name}"] for name in ("data", "runtime", "ui")} == {version}
    # not published with each patch of Grafana
    assert pinned["@grafana/prometheus"].split(".")[:2] == version.split(".")[:2]


def test_frames_are_as_grafanas_server_makes_them() -> None:
    target = {"refId": "A", "expr": "up", "format": "time_series", "legendFormat": "{{ team }}: {{none}}units"}
    drawn = one(panel("timeseries", targets=[target]), matrix({"__name__": "up", "team": "North"}, [1, 2]))
    (frame,) = drawn.frames
    assert (frame.ref_id, frame.kind, frame.length) == ("A", "timeseries-multi", 2)
    times, values = frame.fields
    assert (times.raw_name, times.kind, times.values) == ("Time", "time", (NOW * 1000, (NOW + 60) * 1000))
    assert (values.raw_name, values.name) == ("up", "North: units")
    assert values.labels == {"__name__": "up", "team": "North"}
    assert drawn.legend == ("North: units",)


def test_names_of_series() -> None:
    cases: list[tuple[str, dict[str, str], str]] = [
        ("", {"__name__": "up", "b": "2", "a": "1"}, 'up{a="1", b="2"}'),
        ("", {}, "up"),
        ("__auto", {"a": "1"}, "1"),
        ("__auto", {}, "up"),
        ("{{a}}", {"a": "1"}, "1"),
    ]
    scenes = []
    for legend, labels, _name in cases:
        target = {"refId": "A", "expr": "up", "format": "time_series", "legendFormat": legend}
        options = {"textMode": "value_and_name"}
        scenes.append(scene(panel("stat", targets=[target], options=options), vector((labels, 1))))
    assert [drawn.readings[0].name for drawn in draw(scenes)] == [name for _legend, _labels, name in cases]


def test_numbers_that_json_lacks() -> None:
    (frame,) = one(panel("table"), vector(({"a": "1"}, "NaN"), ({"a": "2"}, "+Inf"))).frames
    first, second = frame.column("Value").values
    assert isinstance(first, float)
    assert math.isnan(first)
    assert second == math.inf


def test_a_table_without_merge_has_a_frame_for_each_series_and_a_list_to_choose() -> None:
    merged = board_panel("Units by status and team")
    series = [({"place": f"CARE {team}", "status": status}, 3) for team in ("North", "South") for status in STATUSES]
    apart = without_merge(merged)
    together = copy.deepcopy(apart)
    together["transformations"].insert(1, {"id": "merge", "options": {}})
    drawn, whole = draw([scene(apart, vector(*series)), scene(together, vector(*series))])
    assert len(drawn.frames) == len(series)
    assert drawn.table is not None
    assert drawn.table.chooser
    assert [column.name for column in drawn.table.columns] == ["Where", "Available"]

    (frame,) = whole.frames
    assert frame.length == 2
    assert whole.table is not None
    assert not whole.table.chooser
    assert [column.name for column in whole.table.columns] == ["Where", "Available", "En route", "On scene"]
    assert frame.column("On scene").texts == ("3", "3")


def test_rows_are_sorted_as_the_panel_says() -> None:
    series = vector(({"team": "Team 10"}, 1), ({"team": "Team 9"}, 2))
    drawn = one(panel("table", options={"sortBy": [{"displayName": "team", "desc": False}]}), series)
    assert drawn.table is not None
    teams = drawn.frames[0].column("team").values
    assert [teams[row] for row in drawn.table.order] == ["Team 9", "Team 10"]


def test_columns_share_what_fixed_ones_leave() -> None:
    width = {"matcher": {"id": "byName", "options": "Value"}, "properties": [{"id": "custom.width", "value": 90}]}
    drawn = one(panel("table", fieldConfig={"defaults": {}, "overrides": [width]}), vector(TEAM))
    assert drawn.table is not None
    assert [column.name for column in drawn.table.columns] == ["Time", "team", "Value"]
    # a window of 1280 pixels, 12 of 24 columns of its board, the panel's border and padding
    assert (drawn.width, drawn.inner_width) == (620, 602)
    assert [column.width for column in drawn.table.columns] == [256, 256, 90]
    assert not drawn.table.overflow


def test_narrow_tables_scroll_sideways_unless_columns_may_be_narrower() -> None:
    narrow = panel("table", gridPos={"x": 0, "y": 0, "w": 6, "h": 8})
    narrower = {**narrow, "fieldConfig": {"defaults": {"custom": {"minWidth": 60}}, "overrides": []}}
    wide, fitted = (drawn.table for drawn in draw([scene(table, vector(TEAM)) for table in (narrow, narrower)]))
    assert wide is not None
    assert {column.width for column in wide.columns} == {150}
    assert wide.overflow
    assert fitted is not None
    assert {column.width for column in fitted.columns} == {96}
    assert not fitted.overflow
    assert fitted.cut == ("Time",)


def test_headers_and_cells_wrap_where_the_table_says_so() -> None:
    long = {"percentile_of_all_intervals": "many words that need more than one line"}
    custom = {"minWidth": 60, "wrapHeaderText": True, "wrapText": True}
    renamed = [{"id": "displayName", "value": "Percentile of all the intervals"}]
    name = {"matcher": {"id": "byName", "options": next(iter(long))}, "properties": renamed}
    size = {"x": 0, "y": 0, "w": 5, "h": 8}
    config = {"defaults": {"custom": custom}, "overrides": [name]}
    drawn = one(panel("table", gridPos=size, fieldConfig=config), vector((long, 1)))
    assert drawn.table is not None
    assert drawn.table.header_height > 34
    assert drawn.table.row_heights[0] > 36
    wrapped = drawn.table.columns[1]
    assert wrapped.header_wraps
    assert wrapped.cell_wraps
    assert not wrapped.cell_cut


def test_nothing_to_show() -> None:
    config = {"defaults": {"noValue": "none waiting"}, "overrides": []}
    kinds = ("table", "stat", "timeseries")
    table, tile, chart = draw([scene(panel(kind, fieldConfig=config), vector()) for kind in kinds])
    assert (table.table, table.no_data) == (None, "none waiting")
    assert [reading.text for reading in tile.readings] == ["none waiting"]
    assert chart.no_data == "none waiting"


def test_a_tile_with_a_word_is_smaller_than_one_with_a_number() -> None:
    config = {
        "defaults": {"mappings": [{"type": "value", "options": {"-1": {"text": "not planned now"}}}]},
        "overrides": [],
    }
    tile = panel("stat", fieldConfig=config, gridPos={"x": 0, "y": 0, "w": 4, "h": 4})
    (number,), (word,) = (drawn.readings for drawn in draw([scene(tile, vector(({}, value))) for value in (2, -1)]))
    assert (number.text, word.text) == ("2", "not planned now")
    assert number.text_size > 3 * word.text_size


def test_long_names_of_bars_are_cut() -> None:
    options = {"orientation": "horizontal", "namePlacement": "left", "displayMode": "basic", "valueMode": "text"}
    target = {"refId": "A", "expr": "up", "format": "time_series", "legendFormat": "{{name}}"}
    bars = panel("bargauge", options=options, targets=[target], gridPos={"x": 0, "y": 0, "w": 6, "h": 4})
    series = [({"name": name}, 1) for name in ("Police", "Resolved by another agency before arrival")]
    police, resolved = one(bars, vector(*series)).readings
    assert not police.name_cut
    assert resolved.name_cut


def test_a_link_has_the_row_in_its_address() -> None:
    link = {"title": "Do: ${__data.fields.alert}", "url": "/r/${__data.fields.alert}?${program:queryparam}"}
    config = {"defaults": {"links": [link]}, "overrides": []}
    rows = vector(({"alert": "Staffing gap"}, 1), ({"alert": "WorkerDown"}, 1))
    (frame,) = one(panel("table", fieldConfig=config), rows, variables={"program": ["A", "B"]}).frames
    (first,), (second,) = frame.column("alert").links
    assert (first.title, first.url) == ("Do: Staffing gap", "/r/Staffing%20gap?var-program=A&var-program=B")
    assert second.url == "/r/WorkerDown?var-program=A&var-program=B"


def test_titles_are_cut_where_panels_are_narrow() -> None:
    long = panel("stat", title="Calls past the target to on scene in ${program}", description="Why")
    sizes = [{"x": 0, "y": 0, "w": width, "h": 4} for width in (24, 4)]
    tiles = [{**long, "gridPos": size} for size in sizes]
    there, here = draw([scene(tile, vector(({}, 1)), variables={"program": "Oakwood"}) for tile in tiles])
    assert there.title.text == "Calls past the target to on scene in Oakwood"
    assert not there.title.cut
    assert here.title.cut


def test_ticks_that_are_rounded_too_much_repeat() -> None:
    values = matrix({}, [0.0, 0.02, 0.03])
    rounded, free = (
        {"defaults": {"unit": "none", "custom": {}, **decimals}, "overrides": []} for decimals in ({"decimals": 1}, {})
    )
    few, many = draw([scene(panel("timeseries", fieldConfig=config), values) for config in (rounded, free)])
    assert few.repeated_ticks
    assert len(many.ticks[0]) > 2
    assert not many.repeated_ticks


def test_options_that_grafana_does_not_know() -> None:
    config = {"defaults": {"custom": {"align": "auto", "wrapHeader": True}}, "overrides": []}
    assert one(panel("table", fieldConfig=config), vector(({}, 1))).ignored == ("custom.wrapHeader",)


def test_the_navigation_takes_room_in_wide_windows() -> None:
    windows = [(window, kiosk) for window in (1100, 1920) for kiosk in (True, False)]
    drawn = draw([scene(panel("stat"), vector(), window=window, kiosk=kiosk) for window, kiosk in windows])
    narrow, narrow_with_menu, wide, wide_with_menu = (tile.width for tile in drawn)
    assert narrow == narrow_with_menu
    assert wide - wide_with_menu == 150


def test_every_panel_of_the_boards_is_drawn_in_seconds() -> None:
    panels = [panel for file in BOARDS for panel in json.loads(file.read_bytes())["panels"] if panel.get("targets")]
    drawings = [
        Drawing(panel, [Answer(target["refId"], target["expr"], vector()) for target in panel["targets"]])
        for panel in panels
    ]
    begun = time.monotonic()
    drawn = draw(drawings)
    assert len(drawn) == len(panels) > 60
    assert time.monotonic() - begun < 60
