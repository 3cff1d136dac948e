"""Every query of the dashboards on a real Prometheus with a week of the demo's data: none errs, none is empty, all are quick.

The worker has read the week from Kafka, and Prometheus scrapes it and looks at the shipped rules. What it would have
recorded before the test began comes from the same events (see `backfill`). Panels are asked as Grafana 12 asks them: the
variables filled in, a graph of 7 days in steps of 10 minutes or more, a count at one time.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest

from carewatch.native.prometheus import Prometheus, configure
from dashboards.build import ROOT
from streams import events as e
from streams.clock import micros
from tests.grafana.filling import Json, View, answer, filled, questions
from tests.integration.backfill import write_blocks
from tests.integration.harness import (
    PROFILES,
    Broker,
    Site,
    Worker,
    eventually,
    history,
    once_shown,
    require_prometheus,
)
from tests.integration.seldom import what_seldom_happens

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.full]

GRAFANA = ROOT / "dashboards" / "grafana" / "dashboards"
DAYS = 7
#: Samples that a query over 7 days may read: its cost on any machine, however busy.
MOST_SAMPLES = 1_000_000
#: What may be empty, and why.
MAY_BE_EMPTY = {
    "Alerts firing": "in good times none fires",
    "Alerts": "marks on graphs, of alerts that fired",
}


class Asked(NamedTuple):
    """A query of a dashboard."""

    board: str
    title: str
    path: str
    parameters: dict[str, str]


class Answer(NamedTuple):
    """What came of it: how many series have a number, and how many samples Prometheus read for it."""

    asked: Asked
    error: str
    series: int
    samples: int


class Stack(NamedTuple):
    """What the tests of this file share."""

    prometheus: Prometheus
    worker: Worker


@pytest.fixture(scope="module")
def stack(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    binaries = require_prometheus()
    assert binaries.promtool is not None
    folder = tmp_path_factory.mktemp("dashboards")
    now = datetime.now(UTC)
    week = history(DAYS, until=now)
    with Site(kafka.bootstrap, folder) as site:
        worker = site.worker().ready()
        once_shown([worker])
        site.send([*week, *what_seldom_happens(now)])
        bad(site)
        eventually(lambda: caught_up(worker), "the worker to have read the week", 60)
        address = worker.url.removeprefix("http://")
        start = micros(now - timedelta(days=DAYS))
        write_blocks(folder, binaries.promtool, week, start, micros(now), address, worker.scrape().numbers)
        config = folder / "prometheus.yml"
        shipped = ROOT / "dashboards" / "prometheus" / "prometheus.yml"
        configure(shipped, config, worker=address, alertmanager=None)
        with Prometheus(config, binaries=binaries, data=folder / "data") as server:
            live(site, server)
            yield Stack(server, worker)


def bad(site: Site) -> None:
    """Records that are rejected."""
    for _ in range(3):
        site.send_raw("dispatch", b"not json", b"chicago")


def caught_up(worker: Worker) -> bool:
    numbers = worker.scrape().numbers
    received = [
        v for (name, labels), v in numbers.items() if name == "care_calls_open" and dict(labels)["stage"] == "waiting"
    ]
    return sum(received) >= len(PROFILES)


def live(site: Site, server: Prometheus) -> None:
    """Events that go on, until Prometheus has scraped and looked at its rules some times."""
    sent = 0

    def enough() -> bool:
        nonlocal sent
        now = datetime.now(UTC)
        for program in PROFILES:
            for topic in e.TOPICS:
                site.post_event(e.Heartbeat(id=f"live-{program}-{topic}-{sent}", program=program, at=now, topic=topic))
        site.flush()
        sent += 1
        asked = {"query": "min(count_over_time(program:care_calls_waiting:sum[1m])) > 2", "time": str(time.time())}
        return bool(answer(server.address, "/api/v1/query", asked)["result"])

    eventually(enough, "Prometheus to have recorded", 120, every=1.0)


def asked(now: float) -> Iterator[Asked]:
    """All that the dashboards ask for when they are opened, over the week."""
    view = View(now - DAYS * 86400, now)
    for file in sorted(GRAFANA.glob("*.json")):
        dashboard = json.loads(file.read_text())
        board = dashboard["uid"]
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                match = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
                assert match
                selector, label = filled(match[1], dashboard, view, 60_000), match[2]
                parameters = {"match[]": selector, "start": f"{view.since}", "end": f"{now}"}
                yield Asked(board, f"${label}", f"/api/v1/label/{label}/values", parameters)
        for panel in dashboard["panels"]:
            for question in questions(dashboard, panel, view):
                yield Asked(board, panel["title"], question.path, question.parameters)
        for annotation in dashboard["annotations"]["list"]:
            edges = {"start": f"{view.since}", "end": f"{now}", "step": "60"}
            expr = filled(annotation["target"]["expr"], dashboard, view, 60_000)
            yield Asked(board, annotation["name"], "/api/v1/query_range", {"query": expr, **edges})


def ask(server: Prometheus, asked: Asked) -> Answer:
    try:
        data = answer(server.address, asked.path, {**asked.parameters, "stats": "all"})
    except AssertionError as error:
        return Answer(asked, str(error), 0, 0)
    if isinstance(data, list):  # values of a label: no samples are read
        return Answer(asked, "", len(data), 0)
    found = [one for one in data["result"] if has_number(one)]
    return Answer(asked, "", len(found), data["stats"]["samples"]["totalQueryableSamples"])


def has_number(series: Json) -> bool:
    return any(not math.isnan(float(value)) for _, value in series.get("values") or [series["value"]])


@pytest.fixture(scope="module")
def answers(stack: Stack) -> list[Answer]:
    found = [ask(stack.prometheus, each) for each in asked(time.time())]
    lines = [f"{a.samples:9} {a.series:6} {a.asked.board:15} {a.asked.title}" for a in found]
    text = "\n".join(["", "  samples series  dashboard       panel", *sorted(lines, reverse=True)])
    print(text)  # noqa: T201  # for its reader
    return found


def test_no_query_errs(answers: list[Answer]) -> None:
    assert len(answers) > 80
    assert not [(a.asked.board, a.asked.title, a.error) for a in answers if a.error]


def test_no_panel_is_empty(answers: list[Answer]) -> None:
    empty = {(a.asked.board, a.asked.title) for a in answers if not a.series}
    assert not {(board, title) for board, title in empty if title not in MAY_BE_EMPTY}


def test_what_may_be_empty_is_there(answers: list[Answer]) -> None:
    assert MAY_BE_EMPTY.keys() <= {a.asked.title for a in answers}


def test_each_query_reads_little(answers: list[Answer]) -> None:
    """Its cost, which is the same on a busy machine: a query that reads every series over every step is found."""
    costly = {f"{a.asked.board} {a.asked.title}": a.samples for a in answers if a.samples > MOST_SAMPLES}
    assert not costly


def test_the_numbers_are_those_of_the_worker(stack: Stack) -> None:
    """A count of the chosen time is whole, and over more than the week it is all that the worker counted."""
    now = time.time()
    dashboard = json.loads((GRAFANA / "care-outcomes.json").read_text())
    (panel,) = (panel for panel in dashboard["panels"] if panel["title"] == "Calls closed")
    (question,) = questions(dashboard, panel, View(now - (DAYS + 1) * 86400, now))
    result = answer(stack.prometheus.address, question.path, question.parameters)["result"]
    shown = {one["metric"]["program"]: float(one["value"][1]) for one in result}
    assert shown == {program: stack.worker.total("care_calls_closed_total", program=program) for program in PROFILES}
