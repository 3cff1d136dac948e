"""A feed that opens calls and never closes them: the stalest are archived, exactly, and it is said."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from streams.events import CallClosed, CallReceived
from streams.limits import OPEN_CALLS
from tests.integration.harness import Site, eventually, of_events, total

MANY = OPEN_CALLS.most + 2 * OPEN_CALLS.at_once


def test_calls_that_never_end(site: Site) -> None:
    """Was: kept for good, 1.8 kB each."""
    start, of = datetime.now(UTC) - timedelta(days=1), "seattle"
    calls = [
        CallReceived(
            id=f"r{n}", program=of, at=start + timedelta(seconds=n), call=f"C{n}", call_type="assist", area="north"
        )
        for n in range(MANY)
    ]
    worker = site.worker().ready()
    site.send(calls)
    eventually(lambda: worker.total("care_calls_received_total", program=of) == MANY, "all to be counted", 120)
    at = start + timedelta(seconds=MANY)
    site.send(
        [CallClosed(id="c0", program=of, at=at, call="C0"), CallClosed(id="c1", program=of, at=at, call=f"C{MANY - 1}")]
    )
    eventually(lambda: worker.total("care_calls_closed_total", program=of) == 1, "the last call to be closed")
    assert worker.total("care_events_archived_total", topic="dispatch") == 1, "the first one is gone"
    site.verify([worker])
    before = of_events(worker.scrape().numbers)
    assert total(before, "care_program_records", program=of, kind="open_calls") == OPEN_CALLS.most - 1
    assert total(before, "care_records_archived_early_total", program=of, kind="open_calls") == 2 * OPEN_CALLS.at_once
    assert "too many at once, the stalest are archived" in worker.log

    worker.kill()
    again = site.worker().ready()
    assert of_events(again.scrape().numbers) == before
    site.send(calls[:100])
    eventually(lambda: again.total("care_events_archived_total", topic="dispatch") == 100, "the archived ones to come")
    assert of_events(again.scrape().numbers) == before
