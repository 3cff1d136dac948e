"""A worker that was frozen while another took over its programs must not write over it when it wakes."""

from __future__ import annotations

import contextlib
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from carewatch.native.process import StackError
from streams.events import Event, NeedlesCollected
from tests.integration.harness import QUICK, Broker, Site, Worker, check, eventually
from tests.integration.lookout import Lookout

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.full]

PROGRAM = "chicago"
#: A backlog that takes seconds, so that some of it is applied and not yet written at any moment.
EVENTS = 60_000
#: Few calls and many events: whoever writes an older record of a call takes counted events away.
CALLS = 500


def backlog() -> list[Event]:
    now = datetime.now(UTC)
    return [NeedlesCollected(id=f"n{n}", program=PROGRAM, at=now, call=f"c{n % CALLS}", count=1) for n in range(EVENTS)]


def needles(worker: Worker) -> int:
    """The events that it has counted; of the text, for a worker in the middle of it is soon at the end."""
    return sum(int(float(count)) for count in COUNTED.findall(worker.get("/metrics")[1]))


COUNTED = re.compile(r"^care_needles_collected_total{.*} (\S+)$", re.MULTILINE)


def test_it_does_not_write_over_its_successor(kafka: Broker, tmp_path: Path) -> None:
    events = backlog()
    with Site(kafka.bootstrap, tmp_path, QUICK) as site, Lookout() as lookout:
        site.send(events)
        frozen = site.worker().ready()
        done = eventually(lambda: needles(frozen), "the first of the backlog", every=0.0)
        frozen.freeze()  # for longer than its session lasts
        assert done < EVENTS, "it is in the middle of it"
        successor = site.worker()
        for worker in (frozen, successor):
            lookout.watch(worker)
        eventually(lambda: needles(successor) == EVENTS, "the other worker to take over and finish", 90)

        frozen.wake()
        with contextlib.suppress(StackError):  # what it did is looked at first
            frozen.child.wait(timeout=20)
        twice = lookout.doubles()

        # what counts is the changelog: no worker's memory may hide what is wrong there
        successor.kill()
        heir = site.worker().ready()
        assert needles(heir) == EVENTS
        site.verify([heir])
        check(events, [heir])
        assert not twice, "\n".join(twice)
        assert frozen.child.returncode == 2, "it says so and ends; whoever started it starts it again"
        assert "Traceback" not in frozen.log
