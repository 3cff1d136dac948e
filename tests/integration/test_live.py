"""A worker that runs: how soon an event shows, and what of it can be reached from outside."""

from __future__ import annotations

import gzip
import re
import shutil
import statistics
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from urllib.request import Request, urlopen

import psutil
import pytest

from streams.events import Heartbeat
from tests.integration.harness import PROGRAMS, Broker, Site, Worker

pytestmark = [pytest.mark.integration, pytest.mark.slow]

#: Events a second, and seconds.
RATE, LONG = 50, 5


@pytest.fixture
def worker(kafka: Broker, tmp_path: Path) -> Iterator[tuple[Site, Worker]]:
    """A worker of one program: its page is small enough to be read all the time."""
    folder = tmp_path / "programs"
    folder.mkdir()
    shutil.copy(PROGRAMS / "cambridge.toml", folder)
    with Site(kafka.bootstrap, tmp_path) as site:
        yield site, site.worker("--programs", str(folder)).ready()


def newest(worker: Worker) -> float:
    text = worker.get("/metrics")[1]
    found = re.search(
        r'^care_feed_last_event_timestamp_seconds\{program="cambridge",topic="dispatch"\} (\S+)',
        text,
        re.MULTILINE,
    )
    return float(found[1]) if found else 0.0


def test_an_event_shows_soon(worker: tuple[Site, Worker]) -> None:
    site, live = worker
    sent: list[float] = []

    def feed() -> None:
        for n in range(RATE * LONG):
            now = datetime.now(UTC)
            sent.append(now.timestamp())
            site.post_event(Heartbeat(id=f"h{n}", program="cambridge", at=now, topic="dispatch"))
            time.sleep(1 / RATE)

    feeder = threading.Thread(target=feed)
    feeder.start()
    delays: list[float] = []
    give_up = time.time() + LONG + 30
    try:
        while len(delays) < RATE * LONG and time.time() < give_up:
            shown = newest(live)
            now = time.time()
            delays += [now - at for at in sent[len(delays) :] if at <= shown + 1e-6]
    finally:
        feeder.join()
    site.flush()
    assert len(delays) == RATE * LONG
    cuts = statistics.quantiles(delays, n=100)
    print(f"\nevent to metric: p50 {cuts[49] * 1000:.0f} ms, p99 {cuts[98] * 1000:.0f} ms")  # noqa: T201  # for its reader
    assert max(delays) < 5


def test_nothing_else_listens(worker: tuple[Site, Worker]) -> None:
    _, live = worker
    process = psutil.Process(live.child.pid)
    open_to = [
        tuple(connection.laddr)
        for each in [process, *process.children(recursive=True)]
        for connection in each.net_connections(kind="inet")
        if connection.status == psutil.CONN_LISTEN
    ]
    host, port = live.url.removeprefix("http://").split(":")
    assert open_to == [("127.0.0.1", int(port))]
    assert host == "127.0.0.1"
    for path in ("/table", "/tables", "/stats", "/graph", "/state", "/router", "/production_index"):
        assert live.get(path)[0] == 404


def test_metrics_are_compressed_for_whoever_asks(worker: tuple[Site, Worker]) -> None:
    _, live = worker
    answers = []
    for encoding in ("gzip, deflate", "identity"):
        request = Request(f"{live.url}/metrics", headers={"Accept-Encoding": encoding})
        with urlopen(request, timeout=10) as answer:
            assert int(answer.headers["Content-Length"]) > 0
            answers.append((answer.headers["Content-Encoding"], answer.read()))
    (compressed, small), (plain, large) = answers
    assert (compressed, plain) == ("gzip", None)
    assert len(small) < len(large) / 10
    names = [{line.split(b"{")[0] for line in text.splitlines()} for text in (gzip.decompress(small), large)]
    assert names[0] == names[1]


def test_metrics_in_both_formats(worker: tuple[Site, Worker]) -> None:
    _, live = worker
    assert live.get("/metrics")[1].startswith("# HELP care_")
    status, text = live.get("/metrics", accept="application/openmetrics-text; version=1.0.0")
    assert status == 200
    assert text.endswith("# EOF\n")
