"""The whole chain with the shipped rules, intervals and routes: Kafka, worker, Prometheus, Alertmanager, a webhook."""

from __future__ import annotations

import json
import os
import signal
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from carewatch.native.prometheus import Alertmanager, Prometheus, configure
from dashboards.alertmanager import SECRETS
from dashboards.build import ROOT
from streams.events import CallClosed, CallReceived, FollowupAttempted, UnitDispatched, UnitOnScene, UnitStatus
from tests.integration.harness import Broker, Site, Worker, eventually, require_prometheus

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.full]

PROGRAM = "lakeside"
#: A program that always works, and whose follow-ups lapse within half a minute.
PROFILE = """
program = "lakeside"
name = "Lakeside CARE"
timezone = "UTC"
triages = false
followup_outcomes = ["services"]

[areas]
harbor = { label = "Harbor" }

[[teams]]
code = "care"
label = "CARE"
areas = ["harbor"]
hours = [{ days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], from = 00:00:00, until = 00:00:00 }]
staffing = [{ days = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], from = 00:00:00, until = 00:00:00, units = 1 }]
followups = [{ id = "1d", kinds = ["encounter"], opens = "1s", due = "20s", lapses = "30s" }]

[call_types]
assist = { label = "Assist" }

[outcomes]
services = { label = "Services" }
"""
LAPSES = 30.0
#: What nobody may be told: ids of calls (and of their cases), and of people.
CALLS = ("call-7f3a", "call-9b1c")
PERSON = "person-51d0"
#: Seconds that a message may take, with the shipped intervals.
AT_MOST = 60.0
#: A scrape and an evaluation of the shipped configuration, and one more second.
ONE_SCRAPE = 5 + 5 + 1


class Message(NamedTuple):
    """What arrived at the webhook."""

    at: float
    receiver: str
    token: str
    text: str

    @property
    def alerts(self) -> list[dict[str, Any]]:
        """The alerts in it."""
        found: list[dict[str, Any]] = json.loads(self.text)["alerts"]
        return found


@dataclass
class Chain:
    """The running parts."""

    site: Site
    worker: Worker
    prometheus: Prometheus
    messages: list[Message]
    waits_since: datetime

    def told(self, name: str, status: str = "firing", timeout: float = 120.0) -> tuple[Message, dict[str, Any]]:
        """The first message with this alert, as soon as it is there."""

        def arrived() -> tuple[Message, dict[str, Any]] | None:
            for message in list(self.messages):
                for alert in message.alerts:
                    if alert["labels"]["alertname"] == name and alert["status"] == status:
                        return message, alert
            return None

        return eventually(arrived, f"{name} to be told as {status}", timeout)

    def query(self, expr: str) -> list[float]:
        """The values that Prometheus has now."""
        address = f"{self.prometheus.url}/api/v1/query?{urllib.parse.urlencode({'query': expr})}"
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(address, timeout=10) as answer:
            return [float(series["value"][1]) for series in json.load(answer)["data"]["result"]]


@pytest.fixture(scope="module")
def chain(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    binaries = require_prometheus()
    folder = tmp_path_factory.mktemp("chain")
    programs = folder / "programs"
    programs.mkdir()
    (programs / f"{PROGRAM}.toml").write_text(PROFILE)
    (folder / "webhook_token").write_text("s3cret")
    messages: list[Message] = []
    with ExitStack() as stack:
        server = ThreadingHTTPServer(("127.0.0.1", 0), _webhook(messages))
        Thread(target=server.serve_forever, daemon=True).start()
        stack.callback(server.server_close)
        stack.callback(server.shutdown)
        routes = (ROOT / "dashboards" / "alertmanager" / "examples" / "webhook.yml").read_text()
        routes = routes.replace("https://hooks.example", f"http://127.0.0.1:{server.server_port}")
        (folder / "alertmanager.yml").write_text(routes.replace(SECRETS, str(folder)))
        site = stack.enter_context(Site(kafka.bootstrap, folder))
        worker = site.worker("--programs", str(programs)).ready()
        alertmanager = stack.enter_context(Alertmanager(folder / "alertmanager.yml", binaries=binaries))
        shipped = ROOT / "dashboards" / "prometheus" / "prometheus.yml"
        addresses = {"worker": urlsplit(worker.url).netloc, "alertmanager": alertmanager.address}
        configure(shipped, folder / "prometheus.yml", **addresses)
        prometheus = stack.enter_context(Prometheus(folder / "prometheus.yml", binaries=binaries))
        chain = Chain(site, worker, prometheus, messages, datetime.now(UTC))
        _wait_with_no_unit(site, chain.waits_since)  # this early, as its rule waits for a minute
        eventually(lambda: chain.query("care_worker_ready == 1"), "Prometheus to have read the worker")
        yield chain


def _webhook(messages: list[Message]) -> type[BaseHTTPRequestHandler]:
    class Webhook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the library's name
            text = self.rfile.read(int(self.headers["Content-Length"])).decode()
            token = self.headers.get("Authorization", "")
            messages.append(Message(time.time(), self.path.removeprefix("/"), token, text))
            self.send_response(200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    return Webhook


def test_a_lapse_is_told_and_a_completion_clears_it(chain: Chain) -> None:
    closed = datetime.now(UTC)
    _serve_and_close(chain.site, closed)
    lapse = closed.timestamp() + LAPSES
    # Just after a reload Prometheus does not know its Alertmanager yet and drops what it has to say.
    eventually(lambda: time.time() > lapse - 1, "the last second before the lapse", LAPSES)
    assert chain.prometheus.pid
    os.kill(chain.prometheus.pid, signal.SIGHUP)

    message, alert = chain.told("FollowupMissed")
    print(f"\nfrom the lapse to the webhook: {message.at - lapse:.1f} s")
    assert 0 < message.at - lapse < AT_MOST
    assert message.receiver == "program_managers"
    assert message.token == "Bearer s3cret"
    assert alert["labels"]["team"] == "care"
    assert alert["annotations"]["summary"] == "lakeside: care follow-ups (1d) missed: 2"
    overdue, _ = chain.told("FollowupOverdue")
    assert overdue.receiver == "program_managers"
    assert overdue.at - (closed.timestamp() + 20) < AT_MOST

    _complete(chain.site, CALLS[0])
    missed = 'sum(ALERTS{alertname="FollowupMissed",alertstate="firing"})'
    eventually(lambda: chain.query("sum(care_followups{state='missed'}) == 1"), "one completion to be seen", ONE_SCRAPE)
    assert chain.query(missed) == [1], "one is still missed"
    sent = time.time()
    _complete(chain.site, CALLS[1])
    eventually(lambda: not chain.query(missed), "the alert to end within one scrape", ONE_SCRAPE)
    print(f"from the completion to the end of the alert: {time.time() - sent:.1f} s")
    resolved, _ = chain.told("FollowupMissed", "resolved")
    print(f"from the completion to the webhook: {resolved.at - sent:.1f} s")
    assert resolved.at - sent < AT_MOST


def test_a_call_with_no_unit_is_told_to_the_supervisors(chain: Chain) -> None:
    message, alert = chain.told("NoUnitAvailable", timeout=150)
    took = message.at - chain.waits_since.timestamp()
    print(f"\nfrom the call to the webhook: {took:.1f} s, of which the rule waits 60 s")
    assert message.receiver == "supervisors"
    assert took < 60 + AT_MOST
    assert alert["annotations"]["summary"] == "lakeside: no care unit is available, calls waiting: 1"


def test_nobody_was_told_who(chain: Chain) -> None:
    chain.told("FollowupMissed")  # of the tests before
    texts = "".join(message.text for message in chain.messages)
    assert not [secret for secret in (*CALLS, PERSON, "call-waits", '"u1"') if secret in texts]


def _wait_with_no_unit(site: Site, at: datetime) -> None:
    common: dict[str, Any] = {"program": PROGRAM, "at": at}
    status = UnitStatus(id="s1", unit="u1", team="care", status="unavailable", area="harbor", **common)
    site.send([status, CallReceived(id="w1", call="call-waits", call_type="assist", area="harbor", **common)])


def _serve_and_close(site: Site, at: datetime) -> None:
    before = at - timedelta(minutes=5)
    for n, call in enumerate(CALLS):
        unit = f"x{n}"
        common: dict[str, Any] = {"program": PROGRAM, "call": call}
        site.send(
            [
                CallReceived(id=f"r{n}", at=before, call_type="assist", area="harbor", **common),
                UnitDispatched(id=f"d{n}", at=before, unit=unit, team="care", **common),
                UnitOnScene(id=f"o{n}", at=before, unit=unit, **common),
                CallClosed(id=f"c{n}", at=at, outcome="services", person=PERSON, **common),
            ]
        )


def _complete(site: Site, case: str) -> None:
    done = FollowupAttempted(
        id=f"f-{case}", program=PROGRAM, at=datetime.now(UTC), case=case, followup="1d", result="completed"
    )
    site.send([done])
