"""What open boards cost a worker, and that they do not keep it from ending."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from urllib.parse import urlsplit

import psutil
import pytest

from streams.events import TOPICS, Heartbeat
from tests.integration.harness import PROFILES, Site, Worker, history

pytestmark = [pytest.mark.integration, pytest.mark.slow]

BOARDS = 50
#: Seconds of each measurement.
LONG = 15.0


@contextmanager
def boards(worker: Worker, count: int) -> Iterator[list[int]]:
    """Open boards that read all they are sent; how many bytes that was."""
    address = urlsplit(worker.url)
    read = [0]
    clients = []
    for _ in range(count):
        client = socket.create_connection((address.hostname, address.port or 0))
        client.sendall(b"GET /board/events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        clients.append(client)

    def drain(client: socket.socket) -> None:
        while found := client.recv(65536):
            read[0] += len(found)

    readers = [threading.Thread(target=drain, args=(client,)) for client in clients]
    for reader in readers:
        reader.start()
    try:
        yield read
    finally:
        for client in clients:
            with contextlib.suppress(OSError):  # the worker may have ended
                client.shutdown(socket.SHUT_RDWR)
        for reader in readers:
            reader.join()
        for client in clients:
            client.close()


@contextmanager
def feed(site: Site) -> Iterator[None]:
    """Heartbeats, twenty a second: each picture differs from the last in every program."""
    stop = threading.Event()

    def beat() -> None:
        n = 0
        while not stop.wait(0.05):
            for program in PROFILES:
                topic = TOPICS[n % len(TOPICS)]
                n += 1
                site.post_event(Heartbeat(id=f"h{n}", program=program, at=datetime.now(UTC), topic=topic))

    feeder = threading.Thread(target=beat)
    feeder.start()
    try:
        yield
    finally:
        stop.set()
        feeder.join()
        site.flush()


def share(process: psutil.Process) -> float:
    """The share of a core that a process takes over some seconds, percent."""
    before, began = process.cpu_times(), time.monotonic()
    time.sleep(LONG)  # the time is what is measured
    after = process.cpu_times()
    return 100 * (after.user + after.system - before.user - before.system) / (time.monotonic() - began)


@pytest.mark.full
@pytest.mark.alone
def test_fifty_boards_cost_less_than_a_twentieth_of_a_core(site: Site) -> None:
    site.send(history(7))
    worker = site.worker().ready()
    site.verify([worker])
    process = psutil.Process(worker.child.pid)
    with feed(site):
        alone = share(process)
        with boards(worker, 1):
            one = share(process)
        with boards(worker, BOARDS) as read:
            many = share(process)
    print(  # noqa: T201  # for its reader
        f"\nworker {alone:.1f} % of a core, with one board {one:.1f} %, with {BOARDS} {many:.1f} %: {many - alone:.1f} % more; "
        f"{read[0] / BOARDS / LONG / 1000:.1f} kB/s a board"
    )
    assert read[0] > BOARDS * 10_000
    assert many - alone < 5


def test_open_boards_do_not_keep_a_worker_from_ending(site: Site) -> None:
    worker = site.worker().ready()
    with boards(worker, 10) as read:
        while read[0] < 10_000:
            time.sleep(0.05)
        began = time.monotonic()
        assert worker.end() == 0
        assert time.monotonic() - began < 15
