"""What was there and is gone: the changelog, records that nobody had read, offsets that somebody moved."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from kafka import TopicPartition
from kafka.admin import OffsetSpec

from agents.owner import home
from feeds.wire import encode, topic_of
from streams.events import CallClosed, CallReceived, Heartbeat
from tests.accidents.operating import admin, configure, move_offsets
from tests.accidents.waiting import once_equal
from tests.integration.harness import Site, Worker, evening, eventually, shares

CALLS = 60


def closed(worker: Worker) -> float:
    return worker.total("care_calls_closed_total", program="chicago")


def take_the_senders_time(site: Site, topic: str, at: datetime) -> None:
    """Have a topic's records carry the time that their sender gives; returns once it is so."""
    configure(site, site.prefix + topic, message_timestamp_type="CreateTime")
    stamp = int(at.timestamp() * 1000)
    beat = encode(Heartbeat(id="then", program="seattle", at=at, topic="dispatch"))

    def taken() -> bool:
        sent = site.producer.send(site.prefix + topic, beat, b"seattle", timestamp_ms=stamp)
        return bool(sent.get(timeout=30).timestamp == stamp)

    eventually(taken, "the topic to take the sender's time")


def calls(site: Site) -> list[bytes]:
    """The calls that the changelog keeps."""
    kept = {record.key or b"": record.value for record in site.records(site.changelog)}
    return [key for key, value in kept.items() if value and b"|c/" in key]


def ended_well(worker: Worker) -> None:
    assert worker.end() == 0, worker.child.log_tail(5)


def test_a_changelog_that_was_deleted_is_made_again_from_the_inputs(site: Site) -> None:
    """Was: ready, "recovered", all numbers at zero."""
    events = evening(0.5)
    site.send(events)
    worker = site.worker().ready()
    once_equal(worker, events)
    ended_well(worker)
    with admin(site.bootstrap) as client:
        client.delete_topics([site.changelog])
    worker = site.worker().ready()
    once_equal(worker, events)
    site.verify([worker])
    assert "there is no state, though its input was read before" in worker.log
    assert worker.total("care_records_lost_total") == 0


def test_a_changelog_that_is_deleted_under_a_worker_is_made_again_when_it_starts_again(site: Site) -> None:
    """Was: "its state is safe, start it again", and zeros."""
    first, second = shares(evening(0.5), 2)
    site.send(first)
    worker = site.worker().ready()
    once_equal(worker, first)
    with admin(site.bootstrap) as client:
        client.delete_topics([site.changelog])
    site.send(second)
    assert worker.child.wait(timeout=60) == 2
    assert worker.child.log_tail(1).endswith("it makes the state from the inputs anew, as far as these reach")
    worker = site.worker().ready()
    once_equal(worker, [*first, *second])


def test_records_that_were_removed_unread_are_counted_and_said(site: Site) -> None:
    """Was: 607 of 810 calls, ready, and not a word."""
    first, second = shares(evening(0.5), 2)
    site.send(first)
    worker = site.worker().ready()
    once_equal(worker, first)
    ended_well(worker)
    read = {(record.partition, record.offset) for record in site.records(f"{site.prefix}dispatch")}
    site.send(second)
    # the second half's calls of one program: everything but the last ten records
    where = TopicPartition(f"{site.prefix}dispatch", home("chicago", site.partitions))
    unread = [event for event in second if topic_of(event) == "dispatch" and event.program == "chicago"]
    gone = unread[:-10]
    start = 1 + max(offset for partition, offset in read if partition == where.partition)
    with admin(site.bootstrap) as client:
        client.delete_records({where: start + len(gone)})
    worker = site.worker().ready()
    lost = {event.id for event in gone}
    eventually(lambda: worker.total("care_records_lost_total") == len(gone), "the loss to be counted")
    once_equal(worker, [event for event in (*first, *second) if event.id not in lost])
    assert '"records were removed before they were read' in worker.log
    assert f'"records": {len(gone)}' in worker.log
    assert '"programs": ["chicago"]' in worker.log

    # and the count outlives the worker
    ended_well(worker)
    worker = site.worker().ready()
    assert worker.total("care_records_lost_total", topic="dispatch") == len(gone)


def test_records_that_are_removed_under_a_worker_are_counted_too(site: Site) -> None:
    """It was asleep when they came, and they are gone when it wakes."""
    first, second = shares(evening(0.5), 2)
    site.send(first)
    worker = site.worker().ready()
    once_equal(worker, first)
    assert worker.end() == 0
    worker = site.worker().ready()  # one that has read nothing since it started
    where = TopicPartition(f"{site.prefix}dispatch", home("chicago", site.partitions))
    worker.freeze()
    beat = Heartbeat(id="b", program="seattle", at=datetime.now(UTC), topic="dispatch")
    site.send([beat])  # this answers the fetch that is out, if one is
    site.send(second)
    unread = [event for event in second if topic_of(event) == "dispatch" and event.program == "chicago"]
    gone = unread[:-10]
    with admin(site.bootstrap) as client:
        end = client.list_partition_offsets({where: OffsetSpec.LATEST})[where].offset
        client.delete_records({where: end - 10})
    worker.wake()
    eventually(lambda: worker.total("care_records_lost_total") == len(gone), "the loss to be counted")
    lost = {event.id for event in gone}
    once_equal(worker, [event for event in (*first, *second, beat) if event.id not in lost])
    assert worker.total("care_records_last_lost_timestamp_seconds") > 0


def test_offsets_that_were_moved_to_the_end_skip_nothing(site: Site) -> None:
    first, second = shares(evening(0.5), 2)
    site.send(first)
    worker = site.worker().ready()
    once_equal(worker, first)
    ended_well(worker)
    site.send(second)
    move_offsets(site, "end")
    worker = site.worker().ready()
    once_equal(worker, [*first, *second])
    assert "the group's offset is ahead of the state" in worker.log


@pytest.mark.parametrize("how", ["moved", "deleted"])
def test_offsets_that_went_back_count_no_archived_call_twice(site: Site, how: str) -> None:
    """Was: once more, as of an archived call nothing is kept that would know it again."""
    old = datetime.now(UTC) - timedelta(days=50)
    take_the_senders_time(site, "dispatch", old)
    for number in range(CALLS):
        call, at = f"C{number}", old + timedelta(minutes=number)
        for event in (
            CallReceived(
                id=f"{call}-r", program="chicago", at=at, call=call, call_type="behavioral_health", area="loop"
            ),
            CallClosed(id=f"{call}-c", program="chicago", at=at, call=call),
        ):
            site.post("dispatch", encode(event), b"chicago", at=at)
    # a record of today: with it the others go
    site.send([Heartbeat(id="now", program="chicago", at=datetime.now(UTC), topic="dispatch")])
    worker = site.worker().ready()
    eventually(lambda: closed(worker) == CALLS, "all to be counted")
    eventually(lambda: not calls(site), "all to be archived", every=0.5)
    ended_well(worker)
    if how == "moved":
        move_offsets(site, "start")
    else:
        with admin(site.bootstrap) as client:
            client.delete_groups([site.group])
    for started in (1, 2):
        worker = site.worker().ready()
        now = datetime.now(UTC)
        site.send([CallClosed(id=f"new-{started}", program="chicago", at=now, call=f"new-{started}")])
        # it lies behind all the others
        eventually(partial(worker.total, "care_events_total", type="call_closed"), "the new one to be read")
        assert closed(worker) == CALLS + started
        ended_well(worker)
