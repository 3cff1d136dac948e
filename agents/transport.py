"""What we need of Faust's Kafka consumer beyond its settings. The only module that knows its internals.

Faust is pinned to one version; `tests/unit/test_transport.py` fails loudly when a name used here is gone.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

from aiokafka import AIOKafkaConsumer, TopicPartition
from faust.transport.drivers import aiokafka as driver
from faust.types import TP


class Progress(NamedTuple):
    """How far a partition was read: next offset to hand out, end of the log as of the last poll, when that was."""

    position: int
    end: int
    polled_at: int  # milliseconds since the epoch


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """The consumer's thread, with a fetch wait that is ours: Faust's is 1,500 ms, fixed."""

    def _create_worker_consumer(self, transport: Any) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = cast(Transport, self.transport).fetch_wait_ms
        return consumer

    def progress(self, topic: str, partition: int) -> Progress | None:
        """Progress of an assigned partition; None before its first poll and when it is not assigned."""
        consumer = self._consumer
        tp = TopicPartition(topic, partition)
        subscription = consumer._subscription.subscription if consumer else None
        assignment = subscription.assignment if subscription else None
        if assignment is None or tp not in assignment.tps:
            return None
        state = assignment.state_value(tp)
        if state is None or state.highwater is None or not state.has_valid_position:
            return None
        return Progress(state.position, state.highwater, state.timestamp)


class Consumer(driver.Consumer):
    """Consumer with our thread."""

    _thread: ConsumerThread

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def progress(self, topic: str, partition: int) -> Progress | None:
        """See ConsumerThread.progress."""
        return self._thread.progress(topic, partition)

    def handed_out(self, topic: str, partition: int) -> int | None:
        """Offset of the last record given to the agents; None if there was none since the assignment."""
        return self._read_offset[TP(topic, partition)]


class Transport(driver.Transport):
    """Transport with our consumer."""

    Consumer = Consumer
    fetch_wait_ms = 500
