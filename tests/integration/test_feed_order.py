"""A feed sends statuses before the calls that come after them, and calls before their cases, however fast it is."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest
from kafka import KafkaConsumer, TopicPartition

from feeds.kafka import send_all
from feeds.wire import topic_of
from streams.events import TOPICS, Event, Topic
from tests.integration.harness import Broker, Site, history

pytestmark = pytest.mark.integration

#: What has to be in the log before a record of a topic.
BEFORE: dict[Topic, tuple[Topic, ...]] = {"status": (), "dispatch": ("status",), "followup": ("status", "dispatch")}


class Id(msgspec.Struct):
    """Of an event."""

    id: str


@pytest.mark.parametrize("bulk", [True, False])
def test_what_a_record_asks_for_is_in_the_log_before_it(kafka: Broker, tmp_path: Path, bulk: bool) -> None:
    """By the broker's clock. Was: batches of topics filled and went on their own, days of events apart."""
    with Site(kafka.bootstrap, tmp_path) as site:
        events = history(10 if bulk else 0.2)
        sent = send_all(events, site.bootstrap, site.prefix, bulk=bulk)
        assert sum(sent.values()) == len(events)
        arrived = arrivals(site)
    late = 0
    newest: dict[Topic, int] = dict.fromkeys(TOPICS, 0)
    for event in events:
        topic = topic_of(event)
        at = arrived[event.id]
        late += any(at < newest[before] for before in BEFORE[topic])
        newest[topic] = max(newest[topic], at)
    assert late == 0
    assert order_in_the_log(site, events), "each topic keeps its order"


def arrivals(site: Site) -> dict[str, int]:
    """Event id -> when the broker got it, milliseconds."""
    return {id: at for topic in TOPICS for id, at in records(site, topic)}


def order_in_the_log(site: Site, events: list[Event]) -> bool:
    wanted = {topic: [e.id for e in events if topic_of(e) == topic and e.program == "chicago"] for topic in TOPICS}
    ids = {id for topic in TOPICS for id in wanted[topic]}
    return all([id for id, _ in records(site, topic) if id in ids] == wanted[topic] for topic in TOPICS)


def records(site: Site, topic: Topic) -> list[tuple[str, int]]:
    """Id and arrival of the records of a topic."""
    consumer = KafkaConsumer(bootstrap_servers=site.bootstrap, enable_auto_commit=False, auto_offset_reset="earliest")
    try:
        places = [TopicPartition(site.prefix + topic, number) for number in range(site.partitions)]
        consumer.assign(places)
        ends = consumer.end_offsets(places)
        found: list[tuple[str, int]] = []
        while any(consumer.position(place) < end for place, end in ends.items()):
            for share in consumer.poll(timeout_ms=200).values():
                found += [(msgspec.json.decode(raw.value, type=Id).id, raw.timestamp) for raw in share]
        return found
    finally:
        consumer.close()
