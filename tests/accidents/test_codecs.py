"""Batches that are compressed with any codec of Kafka, by a feed or by the broker, are read by worker, recovery and verify."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.codec import has_gzip, has_lz4, has_snappy, has_zstd

from feeds.wire import encode, topic_of
from streams.events import IN_ORDER, Event
from tests.accidents.operating import configure
from tests.integration.harness import Site, check, history, shares

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


def test_all_can_be_read() -> None:
    assert has_gzip()
    assert has_lz4()
    assert has_snappy()
    assert has_zstd()


async def send(site: Site, events: Iterable[Event], codecs: Sequence[str]) -> None:
    """Send by topic, a share of each with each of these codecs."""
    events = list(events)
    for topic in IN_ORDER:
        mine = [event for event in events if topic_of(event) == topic]
        for share, codec in zip(shares(mine, len(codecs)), codecs, strict=True):
            kind = None if codec == "none" else codec
            producer = AIOKafkaProducer(bootstrap_servers=site.bootstrap, compression_type=kind, acks="all")
            await producer.start()
            try:
                for event in share:
                    await producer.send(site.prefix + topic, encode(event), key=event.program.encode())
            finally:
                await producer.stop()


def test_of_feeds_and_of_topics(site: Site) -> None:
    """A feed compresses its batches with any; of a topic that names one itself the broker compresses them anew."""
    events = history(days=0.5)
    first, second = shares(events, 2)
    worker = site.worker().ready()
    asyncio.run(send(site, first, CODECS))
    site.verify([worker])
    topics = [*(site.prefix + topic for topic in IN_ORDER), site.changelog]
    for topic, codec in zip(topics, CODECS[1:], strict=True):
        configure(site, topic, compression_type=codec)
    asyncio.run(send(site, second, CODECS))
    site.verify([worker])
    worker.kill()
    heir = site.worker().ready()
    site.verify([heir])
    check(events, [heir])
