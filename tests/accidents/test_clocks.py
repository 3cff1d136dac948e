"""Clocks that are wrong: the worker's, two hours behind the broker's and two hours ahead."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

import pytest

from streams.clock import HOUR, SECOND, wall
from streams.events import CaseOpened
from tests.accidents.waiting import once_equal
from tests.clock.run import faketime, moved
from tests.integration.harness import Site, eventually, history, unless


@pytest.mark.parametrize("hours", [-2, 2])
def test_a_clock_that_is_wrong_is_said_and_loses_nothing(site: Site, hours: int) -> None:
    """Was: 20 of 20 good events to the dead letters as `future`; or its changelog refused, and "its state is safe"."""
    library = faketime()
    unless(None if library else "no libfaketime here", required=os.environ.get("CAREWATCH_REQUIRE_FAKETIME") == "1")
    assert library
    notices = f"{site.prefix}notices"
    events = history(0.5)
    site.send(events)
    worker = site.worker(env=moved(timedelta(hours=hours), library)).ready()
    assert abs(worker.scrape().now - wall() - hours * HOUR) < 60 * SECOND, "the clock is moved"
    once_equal(worker, events)
    now = history(0.1, seed=2)
    site.send(now)
    once_equal(worker, [*events, *now])
    skew = worker.total("care_clock_skew_seconds")
    assert abs(skew - hours * 3600) < 60
    direction = "ahead of" if hours > 0 else "behind"
    eventually(
        lambda: f"this machine's clock is {abs(hours)} h 0 min {direction} the broker's" in worker.log, "the line"
    )
    assert not site.records(site.deadletter)
    # was: the worker ended, as the broker refused what it said of these (InvalidTimestampError)
    overdue = datetime.now(UTC) - timedelta(hours=30)
    site.send([CaseOpened(id="k", program="chicago", at=overdue, case="K1", kind="encounter", team="art", area="loop")])
    site.send_raw("status", b"no event", b"chicago")
    site.deadletters(at_least=1)
    eventually(lambda: any(b'"case":"K1"' in (each.value or b"") for each in site.records(notices)), "the notice")
    assert worker.end() == 0
    site.verify([site.worker().ready()])
