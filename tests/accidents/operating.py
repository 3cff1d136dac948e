"""What these tests do to topics and groups, as an operator would."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.structs import OffsetAndMetadata

from streams.events import TOPICS
from tests.integration.harness import Site


@contextmanager
def admin(bootstrap: str) -> Iterator[KafkaAdminClient]:
    """A client for the time of a block."""
    client = KafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        yield client
    finally:
        client.close()


def configure(site: Site, topic: str, **settings: str) -> None:
    """Change settings of a topic; underscores stand for dots."""
    named = {name.replace("_", "."): value for name, value in settings.items()}
    with admin(site.bootstrap) as client:
        client.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, configs=named)])


def move_offsets(site: Site, to: Literal["start", "end"]) -> None:
    """Move the group's offsets of all inputs; no worker may run."""
    consumer = KafkaConsumer(bootstrap_servers=site.bootstrap, group_id=site.group)
    try:
        places = [
            TopicPartition(f"{site.prefix}{topic}", number) for topic in TOPICS for number in range(site.partitions)
        ]
        found = consumer.end_offsets(places) if to == "end" else consumer.beginning_offsets(places)
        consumer.commit({place: OffsetAndMetadata(offset, "", -1) for place, offset in found.items()})
    finally:
        consumer.close()
