"""A broker that is not there costs time and nothing else."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from carewatch.native.kafka import KafkaBroker
from feeds.wire import topic_of
from streams.events import IN_ORDER, Event
from tests.integration.harness import Site, check, eventually, history, of_state, shares, total

#: `alone`: a worker waits 40 s for its broker, which has ten of them to start again.
pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.full, pytest.mark.alone]

#: Seconds for which the broker is away.
AWAY = 30


@pytest.mark.usefixtures("native_kafka")
def test_down_at_the_start_and_away_in_the_middle(tmp_path: Path) -> None:
    events = history(days=5, duplicates=0.05)
    before, during, after = shares(events, 3)
    with KafkaBroker() as broker, Site(broker.bootstrap, tmp_path) as site:
        broker.halt()
        worker = site.worker()
        assert worker.get("/healthz")[0] == 200
        eventually(lambda: "does not answer" in worker.log, "the worker to miss the broker")
        assert worker.get("/readyz")[0] == 503
        shown = worker.scrape().numbers
        assert of_state(shown) == {}
        assert total(shown, "care_worker_ready") == 0

        broker.resume()
        worker.ready()
        site.send(before)
        eventually(lambda: worker.total("care_calls_received_total"), "the first calls")

        # A producer that has to try again sends topics in any order: a program has one on its way (decision 0003).
        on_its_way = dict(zip(sorted({event.program for event in during}), IN_ORDER, strict=True))

        def ahead(event: Event) -> int:
            return IN_ORDER.index(topic_of(event)) - IN_ORDER.index(on_its_way[event.program])

        site.send(event for event in during if ahead(event) < 0)
        for event in during:
            if ahead(event) == 0:
                site.post_event(event)  # some of them arrive, others have to wait
        gone = time.monotonic()
        broker.halt()
        time.sleep(max(0.0, gone + AWAY - time.monotonic()))  # the length is the point
        assert worker.child.alive
        assert worker.get("/healthz")[0] == 200
        broker.resume()
        site.flush()
        site.send([*(event for event in during if ahead(event) > 0), *after])
        site.verify([worker.ready()])
        check(events, [worker])
        assert "Traceback" not in worker.log
