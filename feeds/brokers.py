"""What producer and topic commands share: addresses, topic names, one way to say that a broker is not there."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kafka.errors import KafkaError

from feeds.errors import FeedError
from streams.events import TOPICS, Topic

#: How long to wait for a broker, milliseconds: one that was started just before takes some seconds, on a busy machine more.
CONNECT_MS = 20_000
#: How long to wait between two tries, milliseconds; the client's own waits grow to half a minute.
BACKOFF_MS = 500
_HOST = re.compile(r"(\[[0-9a-fA-F:]+\]|[^\s:\[\]/]+)(:\d{1,5})?")


def addresses(broker: str) -> list[str]:
    """`kafka://a:9092;b:9092` (also with commas, with or without the scheme) as host:port names. Raises FeedError."""
    hosts = [part.strip() for part in broker.replace(",", ";").split(";") if part.strip()]
    found = [host.rpartition("://")[2].rstrip("/") for host in hosts]
    if not found or not all(_HOST.fullmatch(host) for host in found):
        raise FeedError(f"broker: '{broker}' is no address; write it like kafka://localhost:9092")
    return [host if re.search(r":\d+$", host) else f"{host}:9092" for host in found]


def connection(broker: str, connect_ms: int) -> dict[str, Any]:
    """How a client of kafka-python, of any kind, finds the broker and how long it waits for it. Raises FeedError."""
    return {
        "bootstrap_servers": addresses(broker),
        "bootstrap_timeout_ms": connect_ms,
        "reconnect_backoff_max_ms": BACKOFF_MS,
    }


def topic_names(prefix: str) -> dict[Topic, str]:
    """The input topics' names under a prefix such as 'care.'."""
    return {topic: f"{prefix}{topic}" for topic in TOPICS}


@contextmanager
def reachable(broker: str, doing: str) -> Iterator[None]:
    """Turn errors of the Kafka client into a FeedError of one line; its own log lines of a lost broker stay quiet."""
    log = logging.getLogger("kafka")
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    except KafkaError as error:
        why = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise FeedError(f"{broker}: {doing}: {why}; is the broker running and the address right?") from error
    finally:
        log.setLevel(before)
