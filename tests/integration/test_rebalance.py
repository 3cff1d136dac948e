"""Workers come and go: the programs move, and no number does."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from carewatch.scrape import Numbers
from tests.integration.harness import (
    PROFILES,
    QUICK,
    Broker,
    Site,
    Worker,
    check,
    differences,
    eventually,
    history,
    of_events,
    of_state,
    shares,
    total,
)

pytestmark = [pytest.mark.integration, pytest.mark.slow]

ALL = set(PROFILES)


def numbers(workers: list[Worker]) -> Numbers:
    return {key: value for worker in workers for key, value in of_events(worker.scrape().numbers).items()}


def report(what: str, since: float) -> None:
    print(f"\n{what} after {time.monotonic() - since:.1f} s")  # noqa: T201  # a test must not be timed, but its reader may be


def settle(one: Worker, other: Worker) -> None:
    """Wait until two live workers share the programs; no program may be on both at any time on the way there."""
    seen: list[set[str]] = [one.programs()]

    def shared() -> bool:
        seen.extend((other.programs(), one.programs()))
        before, between, after = seen[-3:]
        # shown before and after by the one, it was the one's all the while
        assert not before & between & after, f"shown twice: {before & between & after}"
        return bool(between) and between | after == ALL

    eventually(shared, "the programs to be shared", 60)


def test_programs_move_and_numbers_do_not(kafka: Broker, tmp_path: Path) -> None:
    # four partitions, three of them with a program: each of two workers gets one
    with Site(kafka.bootstrap, tmp_path, partitions=4) as site:
        _move(site)


def _move(site: Site) -> None:
    first = site.worker().ready()
    site.send(history(days=3))
    site.verify([first])
    want = numbers([first])
    assert total(want, "care_calls_received_total") > 20
    second = site.worker()
    settle(first, second)
    assert differences(want, numbers([first, second])) == []

    first.kill()
    killed = time.monotonic()
    eventually(lambda: second.programs() == ALL, "the other worker to show all programs", 30)
    report("killed: all programs on the other", killed)
    assert differences(want, numbers([second])) == []

    third = site.worker()
    settle(second, third)
    assert differences(want, numbers([second, third])) == []
    asked = time.monotonic()
    assert second.end() == 0
    eventually(lambda: third.programs() == ALL, "the other worker to show all programs", 8)
    report("ended: all programs on the other", asked)
    assert differences(want, numbers([third])) == []
    assert "Traceback" not in second.log + third.log
    site.verify([third])


#: What Python runs first in a worker: a second after a claim the broker takes no more of the changelog, and what was on its
#: way when the programs are shared out anew never gets there.
LOSES = """
import asyncio
from agents import app, fence

app.WRITTEN_WITHIN = 0.0
write = fence.Claim.write


async def takes_no_more(self, records):
    claim = self._kafka
    if fence.clock() - self._since < 1:
        return await write(self, records)
    while self._kafka is claim:
        await asyncio.sleep(0.02)
    raise fence.FencedError("lost on its way")


fence.Claim.write = takes_no_more
"""


def test_what_never_came_into_the_changelog_is_read_again(kafka: Broker, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(LOSES)
    events = history(days=6)
    with Site(kafka.bootstrap, tmp_path, QUICK, partitions=4) as site:

        def worker(name: str) -> Worker:
            return site.worker(env={"PYTHONPATH": str(tmp_path)}, DATA=str(tmp_path / name))

        def send() -> None:
            for few in shares(events, 1500):
                site.send(few)

        first = worker("first").ready()
        sending = threading.Thread(target=send)
        sending.start()
        try:
            second = worker("second")
            settle(first, second)
            first.kill()
            third = worker("third")
            settle(second, third)
            second.kill()
            third.kill()
            assert sending.is_alive(), "nothing was on its way"
        finally:
            sending.join()
        last = site.worker().ready()
        site.verify([last])
        check(events, [last])
        for log in (first.log, second.log):
            assert "the changelog was not written before" in log
            assert "Traceback" not in log


@pytest.mark.full
def test_a_lone_worker_restarts(kafka: Broker, tmp_path: Path) -> None:
    with Site(kafka.bootstrap, tmp_path, QUICK) as site:
        _restart(site)


def _restart(site: Site) -> None:
    worker = site.worker().ready()
    site.send(history(days=3))
    site.verify([worker])
    want = numbers([worker])
    assert worker.end() == 0

    worker = site.worker().ready()
    assert differences(want, numbers([worker])) == []
    worker.kill()

    worker = site.worker()
    # the dead one is a member of the group until its session ends: time to look at a worker that is not ready
    status, text = worker.get("/readyz")
    shown = worker.scrape().numbers
    assert (status, text.partition(":")[0]) == (503, "not ready")
    assert worker.get("/healthz")[0] == 200
    assert of_state(shown) == {}
    assert total(shown, "care_worker_ready") == 0
    worker.ready()
    assert total(worker.scrape().numbers, "care_worker_ready") == 1
    assert differences(want, numbers([worker])) == []
    site.verify([worker])
