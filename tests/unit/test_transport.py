"""Names of Faust and aiokafka that we use beyond their documentation. A new version must fail here, not at night."""

import inspect
import math
from importlib.metadata import version

import aiokafka
import faust
import pytest
from aiokafka.consumer.fetcher import Fetcher, FetchResult, PartitionRecords
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.consumer.subscription_state import TopicPartitionState
from aiokafka.producer.sender import Sender
from aiokafka.protocol.fetch import FetchRequest
from faust.assignor.partition_assignor import PartitionAssignor
from faust.stores.memory import Store as MemoryStore
from faust.tables.recovery import Recovery
from faust.transport.consumer import Consumer as BaseConsumer
from faust.transport.drivers import aiokafka as driver
from kafka.partitioner.default import murmur2
from mode.utils.queues import FlowControlQueue

from agents.app import MAX_POLL_RECORDS, App, buffer_messages
from agents.owner import home
from agents.transport import MAX_BATCH


def test_pinned_version() -> None:
    assert version("faust-streaming") == "0.15.3"


@pytest.mark.parametrize(
    ("owner", "name"),
    [
        (driver.AIOKafkaConsumerThread, "_create_worker_consumer"),
        (driver.Consumer, "_new_consumer_thread"),
        (TopicPartitionState, "position"),
        (TopicPartitionState, "has_valid_position"),
        (App, "_new_transport"),
        (BaseConsumer, "getmany"),
        (BaseConsumer, "perform_seek"),
        (BaseConsumer, "_wait_next_records"),
        (BaseConsumer, "_new_offset"),
        (BaseConsumer, "_add_gap"),
        (BaseConsumer, "on_buffer_drop"),
        (driver.Producer, "_ensure_producer"),
        (driver.AIOKafkaConsumerThread, "on_start"),
        (driver.AIOKafkaConsumerThread, "_fetch_records"),
        (PartitionAssignor, "external_topics_metadata"),
        (GroupCoordinator, "_do_heartbeat"),
        (GroupCoordinator, "_on_join_complete"),
        (Recovery, "_build_highwaters"),
        (faust.Table, "_new_store"),
        (MemoryStore, "apply_changelog_batch"),
        (MemoryStore, "on_recovery_completed"),
    ],
)
def test_name_is_there(owner: type, name: str) -> None:
    assert hasattr(owner, name)


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (aiokafka.AIOKafkaConsumer.__init__, "self._fetch_max_wait_ms"),
        (aiokafka.AIOKafkaConsumer.start, "self._fetch_max_wait_ms"),
        (aiokafka.AIOKafkaConsumer.__init__, "self._isolation_level"),
        (aiokafka.AIOKafkaConsumer.start, "self._isolation_level"),
        (TopicPartitionState.__init__, "self.highwater"),
        (TopicPartitionState.__init__, "self.lso"),
        (TopicPartitionState.__init__, "self.timestamp"),
        (aiokafka.AIOKafkaProducer.__init__, "self._txn_manager"),
        (Sender._sender_routine, "txn_manager.transactional_id is not None"),
        (aiokafka.AIOKafkaProducer.send_batch, "txn_manager.transactional_id is not None"),
        (Fetcher._proc_fetch_request, "self._records[tp] = FetchResult("),
        (FetchResult.__init__, "self._partition_records"),
        (PartitionRecords._unpack_records, "self._consumer_record(tp, record)"),
        (Fetcher._fetch_requests_routine, "self._proc_fetch_request"),
        (FetchRequest.build, "self._topics"),
        (BaseConsumer.__init__, "_read_offset"),
        (BaseConsumer.__init__, "_acked_index"),
        (BaseConsumer.__init__, "_buffered_partitions"),
    ],
)
def test_attribute_is_used(function: object, text: str) -> None:
    source = inspect.getsource(function)  # type: ignore[arg-type]  # a function, whatever its type
    assert text in source


def test_home_is_the_default_partitioners() -> None:
    # vectors of Kafka's own UtilsTest for murmur2
    assert murmur2(b"21") & 0xFFFFFFFF == -973932308 & 0xFFFFFFFF
    assert murmur2(b"foobar") & 0xFFFFFFFF == -790332482 & 0xFFFFFFFF
    assert {home(program, 8) for program in ("chicago", "cambridge", "seattle")} <= set(range(8))


@pytest.mark.parametrize(
    ("batched", "a_poll"), [(True, math.ceil(MAX_POLL_RECORDS / MAX_BATCH)), (False, MAX_POLL_RECORDS)]
)
@pytest.mark.parametrize("partitions", [1, 8, 64])
def test_a_queue_that_is_nearly_full_has_room_for_one_more_poll_of_each_partition(
    partitions: int, batched: bool, a_poll: int
) -> None:
    """Was: full after a part of one poll; reading stopped, of statuses too, and calls waited for those."""
    size = buffer_messages(partitions, batched=batched)
    nearly_full = math.floor(size / FlowControlQueue.pressure_high_ratio)
    assert size - nearly_full >= partitions * a_poll
