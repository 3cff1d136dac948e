"""One run: events flow, faults happen, and in the end every number is that of the events."""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Callable, Collection
from pathlib import Path

from carewatch.native.kafka import KafkaBroker
from tests.chaos.feed import Feed
from tests.chaos.plan import Fault, plan
from tests.integration.harness import PROFILES, QUICK, Site, Worker, check, eventually, history
from tests.integration.lookout import Lookout

Say = Callable[[str], object]

#: Three workers are there most of the time; more than one partition number a worker, so that programs move.
WORKERS, PARTITIONS = 3, 16
#: Seconds until all is calm again after the last fault.
CALM = 120.0


def run(seed: int, faults: int, folder: Path, say: Say) -> None:
    """Run with so many faults; logs go to `folder`. Raises AssertionError or pytest's failure if a number is wrong."""
    with KafkaBroker() as broker:
        try:
            with (
                Site(broker.bootstrap, folder, QUICK, partitions=PARTITIONS) as site,
                Lookout() as lookout,
                Feed(site, history(days=3 + 2 * faults, disorder=0.05, duplicates=0.05, seed=seed), seed) as feed,
            ):
                Chaos(broker, site, lookout, feed, say).run(plan(seed, faults))
        finally:
            if broker.folder is not None:
                shutil.copy(broker.folder / "kafka.log", folder)


class Chaos:
    """The faults, and a supervisor that starts a worker again when it has ended by itself."""

    def __init__(self, broker: KafkaBroker, site: Site, lookout: Lookout, feed: Feed, say: Say) -> None:
        self._broker = broker
        self._site = site
        self._lookout = lookout
        self._feed = feed
        self._say = say
        self._began = time.monotonic()
        self._workers: list[Worker] = []
        self._all: list[Worker] = []

    def run(self, faults: list[Fault]) -> None:
        """Let the faults happen, wait until all is calm, compare."""
        for _ in range(WORKERS):
            self._start()
        self._calm()
        self._tell("three workers share the programs; events flow")
        for number, fault in enumerate(faults, 1):
            self._do(number, len(faults), fault)
            self._wait(fault.pause)
            self._look()
        self._feed.stop()
        while len(self._workers) < WORKERS:
            self._start()
        self._calm()
        self._tell(f"calm again; {self._feed.describe()}")
        self._compare("the workers")
        # memory may hide what is wrong in the changelog: all of it once more, from there
        for worker in self._workers:
            worker.kill()
        self._workers.clear()
        self._start()
        self._calm()
        self._compare("one worker, from the changelog alone")

    # --- faults

    def _do(self, number: int, of: int, fault: Fault) -> None:
        worker = self._workers[int(fault.which * len(self._workers))]
        seconds = fault.seconds
        what = {
            "kill": f"kill -9 of {worker.name}, which is started again",
            "freeze": f"SIGSTOP of {worker.name} for {seconds} s, longer than its session lasts",
            "suspend": f"SIGSTOP of all workers for {seconds} s",
            "nap": f"SIGSTOP of {worker.name} for {seconds} s",
            "broker crash": f"kill -9 of the broker for {seconds} s",
            "broker stop": f"the broker stops for {seconds} s",
            "poison": "50 bad records",
            "disorder": "200 events are held back and come in another order",
            "duplicates": "300 events come again, some on another program's partition",
            "join": "one more worker",
            "leave": f"SIGTERM of {worker.name}",
        }
        self._tell(f"{number:>2}/{of} {fault.kind}: {what[fault.kind]}")
        match fault.kind:
            case "kill":
                worker.kill()
                self._workers.remove(worker)
                self._start()
            case "freeze" | "nap" | "suspend":
                frozen = self._workers.copy() if fault.kind == "suspend" else [worker]
                for each in frozen:
                    each.freeze()
                self._wait(seconds, frozen)
                for each in frozen:
                    each.wake()
            case "broker crash" | "broker stop":
                self._broker.halt(kill=fault.kind == "broker crash")
                self._wait(seconds)
                self._broker.resume()
            case "poison":
                self._feed.poison_them()
            case "disorder":
                self._feed.disorder()
            case "duplicates":
                self._feed.duplicates()
            case "join":
                self._start()
            case "leave":
                self._workers.remove(worker)
                status = worker.end()
                assert status in (0, 2), f"{worker.name} ended with status {status}: {worker.child.log_tail(3)}"
                if len(self._workers) < WORKERS - 1:
                    self._start()

    # --- supervision

    def _start(self) -> None:
        worker = self._site.worker()
        self._workers.append(worker)
        self._all.append(worker)
        self._lookout.watch(worker)

    def _look(self, frozen: Collection[Worker] = ()) -> None:
        """Start again who ended with status 2, as a supervisor would; nothing else may have happened."""
        self._feed.check()
        for worker in [each for each in self._workers if each not in frozen and not each.child.alive]:
            said = worker.child.log_tail()
            assert worker.child.returncode == 2, f"{worker.name} ended with status {worker.child.returncode}: {said}"
            self._workers.remove(worker)
            self._tell(f"      {worker.name} says: {said}")
            self._start()
        assert not (twice := self._lookout.doubles()), "two workers at once:\n" + "\n".join(twice[:10])

    def _wait(self, seconds: float, frozen: Collection[Worker] = ()) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, 0.25))
            self._look(frozen)

    def _calm(self) -> None:
        """Wait until each program is shown by one worker."""

        def shared() -> bool:
            self._look()
            shown = [worker.shown() for worker in self._workers if worker.address]
            programs = sorted(itertools.chain(*(each.programs for each in shown if each)))
            return len(shown) == len(self._workers) and programs == sorted(PROFILES)

        eventually(shared, "every program to be shown by one worker", CALM, every=0.25)

    # --- the end

    def _compare(self, who: str) -> None:
        said = self._site.verify(self._workers).strip().splitlines()
        check(self._feed.sent, self._workers)
        buried = {(record.key, record.value) for record in self._site.records(self._site.deadletter)}
        bad = {(record.key, record.value) for record in self._feed.poison}
        assert not (lost := bad - buried), f"{len(lost)} bad records are not in the dead-letter topic: {list(lost)[:3]}"
        assert not (more := buried - bad), f"{len(more)} good records are in the dead-letter topic: {list(more)[:3]}"
        for worker in self._all:
            assert "could not be applied" not in worker.log, f"{worker.name} could not apply an event, see its log"
            assert "Traceback" not in worker.log, f"{worker.name} has a traceback in its log"
        self._look()
        self._tell(f"{who}: {said[-2]}; {said[-1]}")

    def _tell(self, line: str) -> None:
        self._say(f"{time.monotonic() - self._began:6.1f} s  {line}")
