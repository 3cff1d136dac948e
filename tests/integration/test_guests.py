"""Guests of a real worker's web: what they do costs the others neither their numbers nor their events."""

from __future__ import annotations

import contextlib
import shutil
import socket
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from carewatch.native.process import Child
from streams.events import Heartbeat
from tests.integration.harness import PROFILES, Site, Worker, eventually
from tests.unit.served import closed

pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere 127.0.0.2 is no address of this machine's own"),
]

OTHER = "127.0.0.2"
#: Of the process; asyncio, Kafka and the program's own files need some forty.
DESCRIPTORS = 160


def guest(worker: Worker, source: str = OTHER) -> socket.socket:
    address = urlsplit(worker.url)
    guest = socket.socket()
    guest.bind((source, 0))
    with contextlib.suppress(ConnectionError):  # refused so soon that the connection was never seen
        guest.connect((address.hostname, address.port))
    return guest


def total(worker: Worker) -> float:
    """Events that it has applied; as Prometheus asks, on a connection of its own."""
    return worker.total("care_events_total")


def test_silent_guests_take_no_descriptor_from_kafka_and_no_scrape_from_prometheus(site: Site, tmp_path: Path) -> None:
    """Was: with 160 descriptors 200 silent connections shut everyone out, and the log grew by 152 MB a minute."""
    command = f"ulimit -n {DESCRIPTORS}; exec {sys.executable} -m carewatch worker --web-port 0"
    worker = Worker(Child("few", [str(shutil.which("sh")), "-c", command], tmp_path, site.environment()))
    site._workers.append(worker)
    worker.ready()
    before = len(worker.log)
    crowd = [guest(worker, source) for source in (OTHER, "127.0.0.1") for _ in range(200)]
    began = time.monotonic()
    site.send(Heartbeat(id=f"h-{name}", program=name, at=datetime.now(UTC), topic="dispatch") for name in PROFILES)
    eventually(lambda: total(worker) == len(PROFILES), "the events to be shown")
    assert time.monotonic() - began < 8, "while the silent ones are still there"
    eventually(lambda: sum(map(closed, crowd)) == len(crowd), "all of them to be let go", timeout=20)
    site.send([Heartbeat(id="h-last", program="chicago", at=datetime.now(UTC), topic="dispatch")])
    eventually(lambda: total(worker) == len(PROFILES) + 1, "the next event to be shown")
    said = worker.log[before:]
    assert len(said) < 5_000, said[:2000]
    assert "Traceback" not in said
    for each in crowd:
        each.close()
