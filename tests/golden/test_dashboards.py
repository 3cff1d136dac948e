"""Grafana's files as they are shipped: what Grafana reads, and what people see in it."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins
from grafana_foundation_sdk.models import units
from grafana_foundation_sdk.models.dashboard import Dashboard

from carewatch.cli import main
from dashboards import build, thresholds
from dashboards.alerts import ALERTS
from dashboards.build import ROOT
from dashboards.catalogue import SIGNALS
from dashboards.grafana import frame, style
from dashboards.grafana.panels import ALERT_OF_ROW
from dashboards.thresholds import RUNBOOK
from tests.rules.promql import Query

GRAFANA = ROOT / "dashboards" / "grafana"

#: What Grafana fills in beside the dashboard's own variables.
FILLED = ("__range", "__range_s", "__interval", "__rate_interval")

Json = dict[str, Any]

DASHBOARDS: dict[str, Json] = {
    file.stem: json.loads(file.read_text()) for file in sorted((GRAFANA / "dashboards").glob("*.json"))
}
PANELS = [
    pytest.param(panel, id=f"{uid}-{panel['id']}")
    for uid, dashboard in DASHBOARDS.items()
    for panel in dashboard["panels"]
]


def each(name: str, values: dict[str, Json]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize(name, values.values(), ids=values.keys())


def names_of(panel: Json) -> list[str]:
    """The names of a table's columns."""
    (options,) = (one["options"] for one in panel["transformations"] if one["id"] == "organize")
    return list(options["renameByName"].values())


def walk(node: Any) -> Iterator[tuple[str, Any]]:
    """Every key with its value, at any depth."""
    if isinstance(node, dict):
        for key, value in node.items():
            yield key, value
            yield from walk(value)
    elif isinstance(node, list):
        for value in node:
            yield from walk(value)


# --- what Grafana reads


@each("dashboard", DASHBOARDS)
def test_the_sdk_knows_every_part(dashboard: Json) -> None:
    register_default_plugins()
    read = Dashboard.from_json(dashboard)
    assert json.loads(json.dumps(read, cls=JSONEncoder)) == dashboard
    assert dashboard["schemaVersion"] == 42


def test_addresses_stay() -> None:
    """People keep links to these; alerts have them in their texts."""
    uids = {"care-live", "care-staffing", "care-times", "care-outcomes", "care-followups", "care-pipeline"}
    assert {dashboard["uid"] for dashboard in DASHBOARDS.values()} == uids == DASHBOARDS.keys()
    assert {alert.dashboard for alert in ALERTS} <= uids
    titles = {dashboard["title"] for dashboard in DASHBOARDS.values()}
    assert len(titles) == len(uids)


@each("dashboard", DASHBOARDS)
def test_it_can_be_provisioned(dashboard: Json) -> None:
    assert not {"id", "__inputs", "__requires", "version"} & dashboard.keys()
    assert dashboard["editable"] is False
    names = [variable["name"] for variable in dashboard["templating"]["list"]]
    assert names[:4] == ["datasource", "program", "team", "area"]
    here = dashboard["templating"]["list"][0]["current"]["value"]
    assert here == frame.DATASOURCE_UID
    used = {value["uid"] for key, value in walk(dashboard) if key == "datasource"}
    assert used == {"$datasource"}


@each("dashboard", DASHBOARDS)
def test_an_alert_is_one_line_on_a_graph(dashboard: Json) -> None:
    """As long as it fires it would be an area, and hide what is below."""
    (alerts,) = dashboard["annotations"]["list"]
    firing, _, before = alerts["target"]["expr"].partition(" unless ")
    assert before == f"last_over_time({firing}[1h] offset $__interval)"


@each("dashboard", DASHBOARDS)
def test_places(dashboard: Json) -> None:
    taken: set[tuple[int, int]] = set()
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert ids == sorted(set(ids))
    for panel in dashboard["panels"]:
        at = panel["gridPos"]
        cells = set(itertools.product(range(at["x"], at["x"] + at["w"]), range(at["y"], at["y"] + at["h"])))
        assert at["x"] + at["w"] <= 24
        assert not cells & taken, f"{panel['title']} lies on another panel"
        taken |= cells
    high = max(y for _, y in taken) + 1
    assert taken == set(itertools.product(range(24), range(high))), "there is a hole"


def test_the_wall_screen_does_not_scroll() -> None:
    """1080 pixels, with a row of 30 and a gap of 8 each, are 28 rows; some go to the window and the margins."""
    assert max(p["gridPos"]["y"] + p["gridPos"]["h"] for p in DASHBOARDS["care-live"]["panels"]) <= 26


@each("dashboard", DASHBOARDS)
def test_links_to_the_others(dashboard: Json) -> None:
    others = [f"/d/{uid}" for uid in frame.TITLES if uid != dashboard["uid"]]
    assert [link["url"] for link in dashboard["links"]] == others
    assert all(link["includeVars"] for link in dashboard["links"])
    for link in dashboard["links"]:
        both = {dashboard["uid"], link["url"].removeprefix("/d/")} <= set(frame.DATED)
        assert link["keepTime"] is both, "a page about now keeps its own time"


# --- what is asked


def expressions(dashboard: Json) -> Iterator[str]:
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    yield from (annotation["target"]["expr"] for annotation in dashboard["annotations"]["list"])


@each("dashboard", DASHBOARDS)
def test_asks_for_what_is_there(dashboard: Json) -> None:
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    for expr in expressions(dashboard):
        assert not Query(expr).problems, expr
        assert set(re.findall(r"\$([a-z_]+)", expr)) <= variables | set(FILLED)
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            series, label = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"]).groups()  # type: ignore[union-attr]  # a test may fail so
            assert label == variable["name"]
            assert label in Query(series).labels
            assert not Query(series).problems


@pytest.mark.parametrize("panel", PANELS)
def test_counts_are_whole(panel: Json) -> None:
    """Counts are asked for as they are at one time; what changes along a graph is not a count of the chosen time."""
    for target in panel["targets"]:
        drawn = panel["type"] in ("timeseries", "heatmap", "state-timeline")
        assert target.get("range", False) is drawn
        assert target.get("instant", False) is not drawn
        assert ("maxDataPoints" in panel) is not drawn, "a first value is looked for at so many points"
        assert not (drawn and "$__range" in target["expr"])
        if "increase(" in target["expr"]:
            assert re.search(r"round\(|events_rejected_total\[5m\]", target["expr"]), "increase() gives fractions"


@pytest.mark.parametrize("panel", PANELS)
def test_names_are_those_of_the_result(panel: Json) -> None:
    """A name that is not there is left out without a word; the tier `grafana` looks at tables and bars."""
    for target in panel["targets"]:
        has = Query(target["expr"]).labels
        assert set(re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", ""))) <= has


def test_every_signal_is_seen_by_somebody() -> None:
    asked = "\n".join(expr for dashboard in DASHBOARDS.values() for expr in expressions(dashboard))
    warned = {signal.name for alert in ALERTS for signal in alert.signals}
    unseen = {name for name, signal in SIGNALS.items() if signal.expr not in asked and name not in warned}
    assert not unseen


# --- what people see


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_says_what_it_shows(panel: Json) -> None:
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert "response time" not in panel["title"].lower(), "a time says from what to what"
    unit = panel["fieldConfig"]["defaults"].get("unit")
    if unit is None:
        assert panel["type"] == "heatmap"
        return
    assert unit.startswith("time:") or unit in {value for value in vars(units).values() if isinstance(value, str)}


@each("dashboard", DASHBOARDS)
def test_titles_are_given_once(dashboard: Json) -> None:
    titles = [panel["title"] for panel in dashboard["panels"]]
    assert len(set(titles)) == len(titles)


@each("dashboard", DASHBOARDS)
def test_colours_that_everybody_can_tell_apart(dashboard: Json) -> None:
    used = {
        value
        for key, value in walk(dashboard)
        if key in ("color", "fixedColor", "iconColor") and isinstance(value, str)
    }
    assert used <= {*style.PALETTE, style.CLEAR}
    modes = {value["mode"] for key, value in walk(dashboard) if key == "color" and isinstance(value, dict)}
    assert modes <= {"thresholds", "fixed", "shades", "continuous-blues", "scheme"}


@pytest.mark.parametrize("panel", PANELS)
def test_red_is_never_alone(panel: Json) -> None:
    config = panel["fieldConfig"]
    reds = [step for step in config["defaults"].get("thresholds", {}).get("steps", ()) if step["color"] == style.RED]
    texts = [value["text"] for key, value in walk(config) if key == "result" and value.get("color") == style.RED]
    if reds:
        assert "(red:" in panel["title"] or texts
    for override in config["overrides"]:
        if style.RED in json.dumps(override):
            assert f"{override['matcher']['options']} " in panel["description"].partition("Red: ")[2]
    for key, value in walk(config):
        if key == "options" and isinstance(value, dict):
            coloured = [one for one in value.values() if isinstance(one, dict) and "color" in one]
            assert all(one.get("text") for one in coloured)


@pytest.mark.parametrize("panel", PANELS)
def test_runbooks_are_there(panel: Json) -> None:
    for link in panel["fieldConfig"]["defaults"].get("links", ()):
        uid = link["url"].removeprefix("/d/")
        assert uid == f"{RUNBOOK}{ALERT_OF_ROW}" or (GRAFANA / "dashboards" / "runbooks" / f"{uid}.json").is_file()
        assert ALERT_OF_ROW not in uid or "Alert" in names_of(panel)


def test_quantiles_have_their_count_beside_them() -> None:
    for panel in DASHBOARDS["care-times"]["panels"]:
        if panel["type"] == "table":
            assert "Measured" in names_of(panel)
    for expr in (expr for dashboard in DASHBOARDS.values() for expr in expressions(dashboard)):
        if "histogram_quantile" in expr and "care_event_delay" not in expr:
            assert re.search(r"\) >= \d+\)", expr), "a quantile of few is noise"


# --- provisioning and the command


def test_provisioning() -> None:
    source = yaml.safe_load((GRAFANA / "provisioning" / "datasources" / "carewatch.yml").read_text())
    provider = yaml.safe_load((GRAFANA / "provisioning" / "dashboards" / "carewatch.yml").read_text())
    assert source["apiVersion"] == provider["apiVersion"] == 1
    (prometheus,) = source["datasources"]
    assert prometheus["uid"] == frame.DATASOURCE_UID
    assert prometheus["type"] == "prometheus"
    assert prometheus["editable"] is False
    scrape = yaml.safe_load((ROOT / "dashboards" / "prometheus" / "prometheus.yml").read_text())
    assert prometheus["jsonData"]["timeInterval"] == scrape["global"]["scrape_interval"]
    (folder,) = provider["providers"]
    assert folder["allowUiUpdates"] is False
    assert folder["disableDeletion"] is True
    assert folder["folderUid"] == "carewatch"


def test_what_is_changed_by_hand_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dashboards", "build", "--out", str(tmp_path)]) == 0
    file = tmp_path / "dashboards" / "grafana" / "dashboards" / "care-live.json"
    file.write_text(file.read_text().replace('"refresh": "10s"', '"refresh": "1s"'))
    assert main(["dashboards", "check", "--out", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "dashboards/grafana/dashboards/care-live.json (there)" in said
    assert '-  "refresh": "1s"' in said


def test_a_city_has_its_own_runbooks(tmp_path: Path) -> None:
    ours = tmp_path / "ours.toml"
    ours.write_text(
        thresholds.SHIPPED.read_text().replace("[links]", '[links]\nrunbooks = "https://wiki.city.example/care"')
    )
    text = build.files(thresholds.load(ours))["dashboards/grafana/dashboards/care-live.json"]
    assert "https://wiki.city.example/care/NoUnitAvailable.md" in text
    assert RUNBOOK not in text


def test_without_the_library_that_makes_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "can_make_dashboards", lambda: False)
    assert main(["dashboards", "build", "--out", str(tmp_path)]) == 0
    assert "left as they are: Grafana's dashboards" in capsys.readouterr().out
    assert (tmp_path / "dashboards" / "prometheus" / "rules.yml").is_file()
    assert not (tmp_path / "dashboards" / "grafana").exists()
    assert main(["dashboards", "check", "--out", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "pip install 'carewatch[dev]'" in said
