"""The shipped files: accepted by Prometheus's and Alertmanager's own tools, up to date, and sending each alert to its people."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any, get_args

import pytest
import yaml

from carewatch.cli import main
from carewatch.native.prometheus import configure
from dashboards import build, thresholds
from dashboards.alerts import ALERTS, Alert, Audience
from dashboards.build import ROOT
from dashboards.thresholds import SHIPPED
from tests.integration.harness import require_prometheus
from tests.rules.promql import Query
from tests.rules.tools import run

PROMETHEUS = ROOT / "dashboards" / "prometheus"
ALERTMANAGER = ROOT / "dashboards" / "alertmanager"
CONFIGS = [ALERTMANAGER / "alertmanager.yml", *sorted((ALERTMANAGER / "examples").glob("*.yml"))]
RUNBOOKS = ROOT / "docs" / "runbooks"


def rules() -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load((PROMETHEUS / "rules.yml").read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"] if "alert" in rule}


def test_prometheus_takes_the_configuration_and_the_rules() -> None:
    promtool = require_prometheus().promtool
    assert "rules found" in run(promtool, "check", "config", PROMETHEUS / "prometheus.yml")
    run(promtool, "check", "rules", "--lint-fatal", PROMETHEUS / "rules.yml")


@pytest.mark.parametrize("config", CONFIGS, ids=lambda file: file.stem)
def test_alertmanager_takes_the_configuration(config: Path) -> None:
    assert "SUCCESS" in run(require_prometheus().amtool, "check-config", config)


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
@pytest.mark.parametrize("config", CONFIGS, ids=lambda file: file.stem)
def test_each_alert_goes_to_its_people(config: Path, alert: Alert) -> None:
    # in quotes: newer ones warn of a comma without them
    labels = [f'{name}="{value}"' for name, value in {"alertname": alert.name, **alert.labels()}.items()]
    amtool = require_prometheus().amtool
    told = run(amtool, "config", "routes", "test", f"--config.file={config}", *labels).splitlines()[0]
    assert told == ("watchdog" if alert.name == "Watchdog" else alert.audience)


def test_the_issue_names_these_alerts() -> None:
    assert set(rules()) == {alert.name for alert in ALERTS}
    assert {a.audience for a in ALERTS if a.group == "live"} == {"supervisors"}
    assert {a.audience for a in ALERTS if a.group in ("staffing", "followups")} == {"program_managers"}
    assert {a.audience for a in ALERTS if a.group == "pipeline"} == {"operators"}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_a_rule_has_all_that_a_person_needs(alert: Alert) -> None:
    rule = rules()[alert.name]
    assert not Query(rule["expr"]).problems
    assert {"severity", "audience", "layer"} <= rule["labels"].keys()
    assert {"summary", "description", "runbook_url", "dashboard_url"} == rule["annotations"].keys()
    page = f"{Path(rule['annotations']['runbook_url']).name}.json"
    assert (ROOT / "dashboards" / "grafana" / "dashboards" / "runbooks" / page).is_file()
    named = set(re.findall(r"\$labels\.(\w+)", " ".join(rule["annotations"].values())))
    assert named <= {label for signal in alert.signals for label in signal.labels}


def test_no_rule_needs_what_debians_prometheus_lacks() -> None:
    """2.42 knows no limit on ranges of less than four scrapes either: those that are there are long enough."""
    text = (PROMETHEUS / "rules.yml").read_text()
    spans = {
        float(n) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[unit] for n, unit in re.findall(r"\[(\d+)([smhd])\]", text)
    }
    assert spans
    assert min(spans) >= 4 * 15
    assert not re.search(r"query_offset|\bsort_by_label\b|\blimitk\b", text)


def test_no_secret_is_written_down() -> None:
    for config in CONFIGS:
        text = config.read_text()
        assert not re.search(r"^\s*(- )?(\w*password|\w*token|credentials|api_url|slack_api_url):", text, re.MULTILINE)


def test_pipeline_alerts_hold_back_what_depends_on_the_silent_feed() -> None:
    found = yaml.safe_load((ALERTMANAGER / "alertmanager.yml").read_text())["inhibit_rules"]
    assert all(rule["equal"] == ["program"] for rule in found)
    held: dict[str, set[str]] = {}
    for rule in found:
        topic = rule["source_matchers"][1].partition("=")[2].strip('"')
        pattern = rule["target_matchers"][1].partition("=~")[2].strip('"')
        held[topic] = {a.name for a in ALERTS if a.layer == "domain" and re.fullmatch(pattern, ",".join(a.feeds))}
    assert held == {
        "dispatch": {
            "NoUnitAvailable",
            "CallWaitingTooLong",
            "ResponseTargetMissed",
            "UnmetDemandHigh",
            "OutcomeNotRecorded",
        },
        "status": {"NoUnitAvailable", "StaffingGap"},
        "followup": {"FollowupOverdue", "FollowupMissed", "FollowupLapsingSoon"},
    }


def test_messages_leave_in_time() -> None:
    """Scrape, evaluation, the wait of a new group and of one more in a group, and one resend: under a minute."""
    prometheus = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())["global"]
    route = yaml.safe_load((ALERTMANAGER / "alertmanager.yml").read_text())["route"]
    waits = [prometheus["scrape_interval"], prometheus["evaluation_interval"], route["group_interval"], "10s"]
    assert sum(int(wait.removesuffix("s")) for wait in waits) < 60


# --- the commands


def test_the_shipped_files_are_those_that_would_be_made(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dashboards", "check"]) == 0, capsys.readouterr().out


def test_a_city_sets_its_own_threshold(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ours = tmp_path / "ours.toml"
    ours.write_text(SHIPPED.read_text().replace("value = 600", "value = 480"))
    assert main(["dashboards", "build", "--thresholds", str(ours), "--out", str(tmp_path)]) == 0
    assert "> 480" in (tmp_path / "dashboards" / "prometheus" / "rules.yml").read_text()
    assert main(["dashboards", "check", "--thresholds", str(ours), "--out", str(tmp_path)]) == 0
    assert main(["dashboards", "check", "--out", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert "> 600" in said
    assert "run `carewatch dashboards build`" in said
    run(require_prometheus().promtool, "check", "rules", tmp_path / "dashboards" / "prometheus" / "rules.yml")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (("[Watchdog]", "[Watchdogs]"), "Watchdogs: no such alert; the alerts are BrokerProblem"),
        (
            ("value = 600", 'value = "10min"'),
            "CallWaitingTooLong: Expected `float`, got `str` - at `$.limits[...].value`",
        ),
        (("limits.wait]", "limits.waits]"), "CallWaitingTooLong.limits: wait is missing; add its value"),
        (
            ('for = "15m"', 'for = "a while"'),
            "StaffingGap.for: 'a while' is no duration; write a number and s, m, h or d",
        ),
        (("[links]", "[links"), "not valid TOML"),
        (("grafana =", "grafna ="), "links: Object contains unknown field `grafna`"),
    ],
)
def test_what_is_wrong_is_said(
    change: tuple[str, str], problem: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = tmp_path / "ours.toml"
    text = SHIPPED.read_text()
    assert change[0] in text
    ours.write_text(text.replace(*change))
    assert main(["dashboards", "build", "--thresholds", str(ours), "--out", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert problem in said
    assert said.count("\n") == 1


def test_the_addresses_of_the_demo(tmp_path: Path) -> None:
    configure(PROMETHEUS / "prometheus.yml", tmp_path / "p.yml", worker="127.0.0.1:1", alertmanager="127.0.0.1:2")
    run(require_prometheus().promtool, "check", "config", tmp_path / "p.yml")
    text = (tmp_path / "p.yml").read_text()
    assert "127.0.0.1:1\n" in text
    assert "127.0.0.1:2\n" in text
    assert "9093" not in text


def test_what_is_made_does_not_depend_on_the_place(tmp_path: Path) -> None:
    shutil.copy(SHIPPED, tmp_path / "t.toml")
    assert build.files(thresholds.load(tmp_path / "t.toml")) == build.files(thresholds.load())


# --- runbooks and links


def test_every_alert_has_its_page_and_the_index_names_it() -> None:
    pages = {page.stem for page in RUNBOOKS.glob("*.md")} - {"README"}
    assert pages == {alert.name for alert in ALERTS}
    index = (RUNBOOKS / "README.md").read_text()
    assert all(f"[{name}]({name}.md)" in index for name in pages)


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_a_page_says_what_to_do(alert: Alert) -> None:
    text = (RUNBOOKS / f"{alert.name}.md").read_text()
    assert text.startswith(f"# {alert.name}\n")
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Meaning", "Impact", "Diagnosis", "Mitigation"]
    queries = re.findall(r"```promql\n(.+?)\n```", text, re.DOTALL)
    assert queries or alert.name == "Watchdog"
    for query in queries:
        assert not Query(query).problems


@pytest.mark.parametrize(
    "page",
    [
        *sorted(RUNBOOKS.glob("*.md")),
        *(ROOT / "docs" / n for n in ("alerting.md", "reference/signals.md", "reference/alerts.md")),
    ],
    ids=lambda page: page.name,
)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        path, _, anchor = target.partition("#")
        assert not path.startswith("http"), "runbooks need no internet"
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), f"{page.name}: {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", there.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w-]", "", heading.lower().replace(" ", "-")) for heading in headings}, target


def test_each_audience_has_a_receiver() -> None:
    for config in CONFIGS:
        names = [receiver["name"] for receiver in yaml.safe_load(config.read_text())["receivers"]]
        assert names == [*get_args(Audience), "watchdog"]
