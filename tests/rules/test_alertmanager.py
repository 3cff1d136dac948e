"""A real Alertmanager with the shipped configuration: what it holds back while a feed is silent."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from carewatch.native.prometheus import Alertmanager
from dashboards.alerts import ALERTS
from dashboards.build import ROOT
from tests.integration.harness import eventually, require_prometheus

#: Without the environment's proxy: it runs on loopback.
_open = urllib.request.build_opener(urllib.request.ProxyHandler({})).open


@pytest.fixture
def server() -> Iterator[Alertmanager]:
    config = ROOT / "dashboards" / "alertmanager" / "alertmanager.yml"
    with Alertmanager(config, binaries=require_prometheus()) as server:
        yield server


def test_a_silent_feed_holds_back_what_depends_on_it(server: Alertmanager) -> None:
    domain = [alert for alert in ALERTS if alert.layer == "domain"]
    fire(server, [{"alertname": a.name, **a.labels(), "program": p} for a in domain for p in ("chicago", "seattle")])
    eventually(lambda: len(states(server)) == 2 * len(domain), "all alerts to be there")
    assert set(states(server).values()) == {"active"}

    silent = next(alert for alert in ALERTS if alert.name == "FeedSilent")
    fire(server, [{"alertname": "FeedSilent", **silent.labels(), "program": "chicago", "topic": "followup"}])

    def held() -> set[tuple[str, str]]:
        return {key for key, state in states(server).items() if state == "suppressed"}

    wanted = {(name, "chicago") for name in ("FollowupOverdue", "FollowupMissed", "FollowupLapsingSoon")}
    eventually(lambda: held() == wanted, "the follow-ups of chicago to be held back, and nothing else")


def fire(server: Alertmanager, alerts: list[dict[str, str]]) -> None:
    body = json.dumps([{"labels": labels} for labels in alerts]).encode()
    request = urllib.request.Request(
        f"{server.url}/api/v2/alerts", data=body, headers={"Content-Type": "application/json"}
    )
    with _open(request, timeout=10) as answer:
        assert answer.status == 200


def states(server: Alertmanager) -> dict[tuple[str, str], str]:
    """`active` or `suppressed`, by alert and program."""
    with _open(f"{server.url}/api/v2/alerts", timeout=10) as answer:
        found: list[dict[str, Any]] = json.load(answer)
    return {(a["labels"]["alertname"], a["labels"]["program"]): a["status"]["state"] for a in found}
