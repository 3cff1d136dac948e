"""One program sends sixty thousand events at once. That of another program is applied long before all of them are.

How long that takes is the machine's matter; here the busy program's calls in the changelog are the clock.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from streams.events import CallClosed, CallReceived, Event, Heartbeat
from tests.accidents.waiting import once_equal
from tests.integration.harness import PROFILES, Site, eventually, history

CALLS = 30_000
BUSY = PROFILES["chicago"]


def last_noon(today: date) -> datetime:
    """Noon of the last working day before today: no unit was there, so at any hour the units are asked why."""
    days = (today - timedelta(days=back) for back in range(1, 4))
    noons = (datetime.combine(day, time(12), BUSY.zone) for day in days)
    return next(noon for noon in noons if any(team.works(noon) for team in BUSY.covering("loop", noon)))


def busy(now: datetime) -> list[Event]:
    """Calls of one program, each received on the last working day and closed now: the most work that calls can be."""
    of, then = BUSY.program, last_noon(now.astimezone(BUSY.zone).date())
    return [
        event
        for n in range(CALLS)
        for event in (
            CallReceived(id=f"r{n}", program=of, at=then, call=f"C{n}", call_type="mental_health", area="loop"),
            CallClosed(id=f"c{n}", program=of, at=now, call=f"C{n}", outcome="services"),
        )
    ]


def test_a_backlog_that_is_longer_than_what_may_wait(site: Site) -> None:
    """Was: the worker ended (`AssertionError`) as soon as the reading of a partition paused."""
    events = history(40)
    site.send(events)
    once_equal(site.worker().ready(), events)


def test_another_programs_event_does_not_wait_for_a_busy_one(site: Site) -> None:
    """It comes while a backlog of the busy program has been read and waits."""
    site.send(busy(datetime.now(UTC)))
    worker = site.worker().ready(timeout=60)
    eventually(lambda: site.length(site.changelog) > 1000, "the first of the busy program")
    sent = datetime.now(UTC)
    site.send([Heartbeat(id="b", program="seattle", at=sent, topic="dispatch")])
    eventually(
        lambda: worker.total("care_events_total", program=BUSY.program, topic="dispatch") == 2 * CALLS,
        "all to be applied",
        120,
    )
    written = site.records(site.changelog)
    (seen,) = (record.at for record in written if record.key == b"seattle|f")
    calls = [record.at for record in written if (record.key or b"").startswith(b"chicago|c/")]
    assert any(at > seen for at in calls), "the busy program was done before"
    ahead = sum(sent.timestamp() * 1000 < at <= seen for at in calls)
    assert ahead < CALLS / 4, "behind the busy program's calls"
    site.verify([worker])
