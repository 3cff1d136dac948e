"""A sender in a loop: seventy thousand events about one call. Its record must not outgrow what Kafka carries."""

from __future__ import annotations

from datetime import UTC, datetime

from streams import bounds
from streams.events import CallClosed, CallReceived, Event, NeedlesCollected
from tests.integration.harness import Site, eventually, of_events

MANY = 70_000


def test_seventy_thousand_events_about_one_call(site: Site) -> None:
    """Was: the record outgrew a message; the worker ended, and so did each that took over."""
    at = datetime.now(UTC)
    of, call = "seattle", "loop"
    events: list[Event] = [CallReceived(id="r", program=of, at=at, call=call, call_type="assist", area="north")]
    events += [NeedlesCollected(id=f"n{n}", program=of, at=at, call=call, count=1) for n in range(MANY)]
    events += [CallClosed(id="c", program=of, at=at, call=call, outcome="services")]
    worker = site.worker().ready()
    site.send(events)

    refused = MANY - (bounds.MOST_OF_ANY - 1)
    done = {"topic": "dispatch", "reason": "record_full"}
    eventually(
        lambda: worker.total("care_events_rejected_total", **done) == refused, "all to be applied or refused", 120
    )
    eventually(lambda: worker.total("care_calls_closed_total", program="seattle") == 1, "the call to be closed")
    assert worker.total("care_needles_collected_total", program="seattle") == bounds.MOST_OF_ANY - 1
    assert site.length(site.deadletter) == refused
    before = of_events(worker.scrape().numbers)
    site.verify([worker])

    worker.kill()
    again = site.worker().ready(timeout=30)
    assert of_events(again.scrape().numbers) == before
    assert again.total("care_recovery_duration_seconds") < 10
