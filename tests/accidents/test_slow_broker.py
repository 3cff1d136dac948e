"""A broker that answers for half a second and is frozen for some more, again and again: it costs time and nothing else."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from carewatch.native.kafka import KafkaBroker
from tests.integration.harness import Site, check, history, once_shown, shares

#: Seconds: frozen, going, and all together. It is longer than the cluster waits for a broker (`broker.session.timeout.ms`, 4 s
#: here), so that its partitions have no leader for a while each time, and clients are told of no broker at all.
FROZEN, GOING, LASTS = 5.0, 0.5, 38.0
#: The worker gives the changelog half of it when the programs are shared out anew: it is over while the broker is frozen.
TIMEOUT = "2"


@contextmanager
def stumbling(broker: KafkaBroker) -> Iterator[threading.Thread]:
    """Freeze it again and again until the time is over."""
    pid, stop = broker.pid, threading.Event()
    assert pid is not None

    def stumble() -> None:
        for _ in range(round(LASTS / (FROZEN + GOING))):
            os.kill(pid, signal.SIGSTOP)
            stop.wait(FROZEN)
            os.kill(pid, signal.SIGCONT)
            if stop.wait(GOING):
                return

    thread = threading.Thread(target=stumble)
    thread.start()
    try:
        yield thread
    finally:
        stop.set()
        thread.join()


@pytest.mark.usefixtures("native_kafka")
def test_it_is_waited_for(tmp_path: Path) -> None:
    events = history(days=3)
    before, during = shares(events, 2)
    with KafkaBroker() as broker, Site(broker.bootstrap, tmp_path) as site:
        workers = [site.worker(REBALANCE_TIMEOUT=TIMEOUT).ready()]
        site.send(before)
        with stumbling(broker) as thread:
            workers.append(site.worker(REBALANCE_TIMEOUT=TIMEOUT))
            site.send(during)
            thread.join()
        for worker in workers:
            assert worker.child.alive, worker.child.log_tail(10)
        once_shown(workers)
        site.verify(workers)
        check(events, workers)
        for worker in workers:
            assert "Traceback" not in worker.log
            assert "the broker is slow" in worker.log or "the broker does not answer" in worker.log
            assert len(worker.log.splitlines()) < 100, "a line a minute of a kind"
