"""Guests of a real worker's web: what they do costs the others neither their numbers nor their events."""

from __future__ import annotations

import shutil
import socket
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from carewatch.native.process import Child
from streams.events import Heartbeat
from tests.integration.harness import PROFILES, Site, Worker, eventually
from tests.unit.served import closed, guest_of

pytestmark = [
    pytest.mark.integration,
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="elsewhere 127.0.0.2 is no address of this machine's own"),
]

OTHER = "127.0.0.2"
#: Of the process; asyncio, Kafka and the program's own files need some forty.
DESCRIPTORS = 160


class Crowd:
    """Connections that say nothing."""

    def __init__(self, worker: Worker) -> None:
        address = urlsplit(worker.url)
        self._to = str(address.hostname), int(address.port or 0)
        self._here: dict[socket.socket, str] = {}
        for source in (OTHER, "127.0.0.1"):
            for _ in range(200):
                self._come(source)

    def all_gone(self) -> bool:
        """Whether the web has let go of all of them."""
        return all(map(closed, self._here))

    def come_again(self) -> None:
        """One more for each that was let go."""
        for left in [each for each in self._here if closed(each)]:
            left.close()
            self._come(self._here.pop(left))

    def close(self) -> None:
        """All of them leave."""
        for each in self._here:
            each.close()

    def _come(self, source: str) -> None:
        self._here[guest_of(self._to, source)] = source


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
    with closing(Crowd(worker)) as crowd:
        site.send(Heartbeat(id=f"h-{name}", program=name, at=datetime.now(UTC), topic="dispatch") for name in PROFILES)

        def shown() -> bool:
            crowd.come_again()  # so that they are there however slow this machine is
            return total(worker) == len(PROFILES)

        eventually(shown, "the events to be shown", timeout=60)
        eventually(crowd.all_gone, "all of them to be let go", timeout=60)
    site.send([Heartbeat(id="h-last", program="chicago", at=datetime.now(UTC), topic="dispatch")])
    eventually(lambda: total(worker) == len(PROFILES) + 1, "the next event to be shown")
    said = worker.log[before:]
    assert len(said) < 5_000, said[:2000]
    assert "Traceback" not in said
