"""The worker of carewatch as a contender: by its command line, its HTTP, and what the broker knows of it."""

from __future__ import annotations

import http.client
import sys
import time
from collections.abc import Callable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

from kafka import KafkaAdminClient, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from bench.processes import Watched, environment
from bench.visible import Look, events_shown, family
from carewatch.native.process import StackError, free_port, wait_for
from streams.events import TOPICS

#: What may go wrong while a worker is measured.
FAILURES = (StackError, OSError, http.client.HTTPException, KafkaError)
#: Seconds until a worker with a hundred thousand calls must be ready.
READY_WITHIN = 120.0
#: Seconds between two looks at the committed offsets.
LOOK = 0.5


class Worker:
    """A worker process."""

    def __init__(
        self, folder: Path, broker: str, prefix: str, group: str, programs: Path, partitions: int, path: str = "batch"
    ) -> None:
        """Start it."""
        self._broker, self._prefix, self._group, self._partitions = broker, prefix, group, partitions
        self._port = free_port()
        self._scraper = self._connection()
        address = ["--broker", f"kafka://{broker}", "--web-port", str(self._port), "--programs", str(programs)]
        settings = environment(PREFIX=prefix, GROUP=group, PARTITIONS=str(partitions), PATH=path)
        command = [sys.executable, "-m", "carewatch", "worker", *address]
        self.process = Watched(f"worker-{group}", command, folder, settings)

    def why(self, error: BaseException) -> str:
        """What to say of a failure: if the worker ended, that it did."""
        if self.process.child.alive:
            return str(error) or type(error).__name__
        return f"the worker ended: {self.process.child.log_tail()}"

    def ready(self) -> None:
        """Wait until /readyz says so. Raises StackError."""
        wait_for(self._is_ready, READY_WITHIN, "the worker to be ready", self.process.child, interval=0.02)

    def _is_ready(self) -> bool:
        with suppress(OSError, http.client.HTTPException):
            return self._get("/readyz")[0] == 200
        return False

    def look(self) -> Look:
        """Scrape it, over one connection as Prometheus does. Raises OSError."""
        asked = time.time()
        _, headers, text = _ask(self._scraper, "/metrics")
        answered = time.time()
        now = float(headers.get("X-Carewatch-Now", answered * 1e6)) / 1e6
        return Look(asked, now, answered, events_shown(text), len(text))

    def received(self) -> int:
        """Calls received, from /metrics: a fact of the state, which must survive."""
        lines = family(self._get("/metrics")[2], b"care_calls_received_total").splitlines()
        return round(sum(float(line.rpartition(b" ")[2]) for line in lines))

    def _get(self, path: str) -> tuple[int, dict[str, str], bytes]:
        with closing(self._connection()) as connection:
            return _ask(connection, path)

    def _connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)

    def catch_up(self, total: int, within: float, progress: Callable[[int], None]) -> int:
        """Wait until so many records are committed, or the time is up (seconds); how many are.

        The broker is asked, not the worker, so that nothing disturbs it.
        """
        give_up = time.monotonic() + within
        while True:
            committed = self.committed()
            progress(committed)
            if committed >= total or time.monotonic() > give_up:
                return committed
            if not self.process.child.alive:
                raise StackError(f"the worker ended: {self.process.child.log_tail()}")
            time.sleep(LOOK)

    def committed(self) -> int:
        """Records of the input topics that its group has committed."""
        with closing(KafkaAdminClient(bootstrap_servers=self._broker)) as admin:
            offsets: dict[TopicPartition, Any] = admin.list_group_offsets(self._group)[self._group]
        wanted = {self._prefix + topic for topic in TOPICS}
        return sum(max(0, found.offset) for place, found in offsets.items() if place.topic in wanted)

    def written(self) -> tuple[float, float]:
        """When the first and the last record of its changelog were written, seconds since the epoch."""
        with closing(KafkaConsumer(bootstrap_servers=self._broker, enable_auto_commit=False)) as consumer:
            mine = [topic for topic in consumer.topics() if topic.startswith(f"{self._group}-")]
            topics = [topic for topic in mine if topic.endswith("-changelog")]
            places = [TopicPartition(topic, number) for topic in topics for number in range(self._partitions)]
            consumer.assign(places)
            begins, ends = consumer.beginning_offsets(places), consumer.end_offsets(places)
            used = [place for place in places if ends[place] > begins[place]]
            times = []
            for offsets in (begins, {place: end - 1 for place, end in ends.items()}):
                for place in used:
                    consumer.assign([place])
                    consumer.seek(place, offsets[place])
                    times.append(_time_of_next(consumer, place))
        if not times:
            raise StackError(f"the worker of group {self._group} wrote no changelog: look at its log")
        return min(times), max(times)


def _ask(connection: http.client.HTTPConnection, path: str) -> tuple[int, dict[str, str], bytes]:
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, dict(answer.headers), answer.read()


def _time_of_next(consumer: Any, place: TopicPartition) -> float:
    give_up = time.monotonic() + 20
    while time.monotonic() < give_up:
        for record in consumer.poll(timeout_ms=500, max_records=1).get(place, ()):
            return float(record.timestamp) / 1000
    raise StackError(f"{place.topic} of partition {place.partition} cannot be read")
