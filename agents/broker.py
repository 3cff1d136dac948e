"""What the broker has of our topics and of our group, and what is at its address if it is no broker. Creates nothing.

A broker makes a topic that a client merely names, if `auto.create.topics.enable` is on, as it is by default: with one
partition and none of our settings. Every client in this process asks it not to.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import ssl
from collections.abc import Iterable, Iterator
from io import BytesIO
from typing import Any, NamedTuple

import aiokafka.client
import msgspec
from aiokafka import AIOKafkaClient
from aiokafka.client import CoordinationType
from aiokafka.coordinator.protocol import ConsumerProtocolMemberMetadata
from aiokafka.errors import KafkaError, NoError, UnknownTopicOrPartitionError, for_code
from aiokafka.protocol.abstract import AbstractType
from aiokafka.protocol.admin import DescribeConfigsRequest, DescribeGroupsRequest
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.commit import OffsetFetchRequest
from aiokafka.protocol.metadata import MetadataRequest, MetadataRequest_v5
from aiokafka.protocol.types import Boolean, CompactArray, CompactString, Int16, Int32, Schema, TaggedFields
from yarl import URL

aiokafka.client.MetadataRequest = functools.partial(MetadataRequest, allow_auto_topic_creation=False)

#: Seconds that the broker may take to answer; a busy one takes a few.
ANSWERS_WITHIN = 10.0
#: Seconds for each question to an address that may be no broker.
PROBE = 4.0
#: What goes wrong while a broker is away.
AWAY = (KafkaError, OSError, TimeoutError)

#: States of a group whose members are known.
_SETTLED = ("Stable", "CompletingRebalance", "Empty", "Dead")
_TOPIC = 2  # resource type of DescribeConfigs
_NOBODY = b"\0" * 16
_API_VERSIONS = bytes.fromhex("0000000e 0012 0000 00000001 0004") + b"care"
_HTTP = b"GET / HTTP/1.0\r\n\r\n"


class Topic(NamedTuple):
    """A topic as the broker has it."""

    id: bytes  # another one if it was deleted and made again; empty: the broker tells none
    partitions: int
    replicas: int  # of the partition that has the fewest


class Group(NamedTuple):
    """A consumer group."""

    topics: set[str]  # that its members read
    programs: set[str]  # which program files its members run, see Worker.address
    settled: bool  # every member has said what it is


class Broker:
    """A connection of its own to look with; it is made when it is needed."""

    def __init__(self, addresses: list[str]) -> None:
        """Not connected. `addresses`: `host:port` each."""
        self._addresses = addresses
        self._client: Any = None

    async def topics(self, names: Iterable[str]) -> dict[str, Topic]:
        """Those of these topics that are there. Raises one of AWAY."""
        answer = (await self._ask(_TopicsRequest(sorted(names)))).to_object()
        found = {}
        for topic in answer["topics"]:
            error = for_code(topic["error_code"])
            if error is UnknownTopicOrPartitionError:
                continue
            if error is not NoError:
                raise error
            partitions = topic["partitions"]
            fewest = min((len(partition["replicas"]) for partition in partitions), default=0)
            found[topic.get("name") or topic["topic"]] = Topic(topic.get("topic_id", b""), len(partitions), fewest)
        return found

    async def settings(self, names: Iterable[str], keys: list[str]) -> dict[str, dict[str, str]]:
        """These settings of these topics; nothing of a topic that is not there or must not be read. Raises one of AWAY."""
        answer = await self._ask(DescribeConfigsRequest([(_TOPIC, name, keys) for name in sorted(names)]))
        return {
            name: {entry[0]: str(entry[1]) for entry in entries}
            for error, _, _, name, entries in answer.resources
            if not error
        }

    async def group(self, name: str) -> Group:
        """A consumer group as it is now. Raises one of AWAY."""
        topics: set[str] = set()
        programs: set[str] = set()
        client = await self._connected()
        async with asyncio.timeout(ANSWERS_WITHIN):
            node = await client.coordinator_lookup(CoordinationType.GROUP, name)
            described = await client.send(node, DescribeGroupsRequest([name]))
            for entry in described.groups:
                for member in entry[5]:
                    with contextlib.suppress(
                        ValueError
                    ):  # of a protocol that is not ours, or in the middle of a rebalance
                        metadata = ConsumerProtocolMemberMetadata.decode(BytesIO(member[3]))
                        topics.update(metadata.subscription)
                        programs.add(_programs(metadata.user_data))
        settled = all(entry[2] in _SETTLED for entry in described.groups)
        return Group(topics, programs, settled)

    async def committed(self, group: str) -> set[str]:
        """The topics that a consumer group has offsets of. Raises one of AWAY."""
        client = await self._connected()
        async with asyncio.timeout(ANSWERS_WITHIN):
            node = await client.coordinator_lookup(CoordinationType.GROUP, group)
            offsets = await client.send(node, OffsetFetchRequest(group, None))
        return {topic for topic, _ in offsets.topics}

    async def close(self) -> None:
        """Disconnect."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(Exception):
                await client.close()

    async def _ask(self, request: Any) -> Any:
        client = await self._connected()
        try:
            async with asyncio.timeout(ANSWERS_WITHIN):
                return await client.send(client.get_random_node(), request)
        except AWAY:
            await self.close()  # and begin anew: another broker may be there, or the same one at another address
            raise

    async def _connected(self) -> Any:
        if self._client is None:
            client: Any = AIOKafkaClient(
                bootstrap_servers=self._addresses, request_timeout_ms=int(ANSWERS_WITHIN * 1000)
            )
            try:
                async with asyncio.timeout(ANSWERS_WITHIN):
                    await client.bootstrap()
            except BaseException:
                await client.close()
                raise
            self._client = client
        return self._client


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keep the Kafka client's own log lines out while we look whether the broker is there: we say it in one."""
    client = logging.getLogger("aiokafka")
    before = client.level
    client.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        client.setLevel(before)


def _programs(told: bytes) -> str:
    """The digest of a member's program files, from what Faust has it tell the group; "": it tells none."""
    return URL(msgspec.json.decode(told, type=_Told).url).fragment


class _Told(msgspec.Struct):
    url: str = ""


class Stranger(NamedTuple):
    """What is at an address where no broker answers."""

    line: str  # what it is and what to do
    lasting: bool  # it will not become a broker by waiting


async def stranger(address: str) -> Stranger | None:
    """What is at an address (`host:port`) if it is no broker; None: a broker answers. Takes PROBE seconds at most."""
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    try:
        async with asyncio.timeout(PROBE):
            _, writer = await asyncio.open_connection(host, int(port))
            writer.close()
    except OSError as error:  # TimeoutError is one
        why = error.strerror or "no answer"
        return Stranger(
            f"nothing can be reached at {address} ({why}); start the broker, or set CAREWATCH_BROKER", False
        )
    kafka, http, tls = await asyncio.gather(
        _answer(host, int(port), _API_VERSIONS), _answer(host, int(port), _HTTP), _speaks_tls(host, int(port))
    )
    if kafka[4:8] == _API_VERSIONS[8:12]:
        return None
    if tls:
        return Stranger(
            f"{address} is a TLS port, and carewatch speaks to Kafka in the clear; set CAREWATCH_BROKER to a listener "
            "without TLS, or run a TLS sidecar (docs/deploy.md)",
            True,
        )
    if http.startswith(b"HTTP/"):
        return Stranger(f"{address} is a web server, no Kafka broker; set CAREWATCH_BROKER to a Kafka listener", True)
    return Stranger(
        f"{address} takes connections and says nothing: a frozen broker, or no Kafka broker at all; look at it, or set "
        "CAREWATCH_BROKER",
        False,
    )


async def _answer(host: str, port: int, question: bytes) -> bytes:
    """The first bytes that an address answers, none if it does not."""
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        async with asyncio.timeout(PROBE):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                writer.write(question)
                return await reader.readexactly(8)
            finally:
                writer.close()
    return b""


async def _speaks_tls(host: str, port: int) -> bool:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # nothing is sent: it is only asked what it is
    try:
        async with asyncio.timeout(PROBE):
            _, writer = await asyncio.open_connection(host, port, ssl=context)
            writer.close()
            return True
    except ssl.SSLError as error:
        return "ALERT" in (error.reason or "")  # it does, and wants more of us, such as a certificate
    except OSError:
        return False


class _Uuid(AbstractType[bytes]):  # type: ignore[misc]  # aiokafka ships no types
    @classmethod
    def encode(cls, value: bytes) -> bytes:
        return value

    @classmethod
    def decode(cls, data: BytesIO) -> bytes:
        return data.read(16)


class _Topics12(Response):  # type: ignore[misc]  # aiokafka ships no types
    """aiokafka has metadata up to version 5; a topic's id comes with 10, and 12 is the last that is common to all."""

    API_KEY = 3
    API_VERSION = 12
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32),
                ("host", CompactString("utf-8")),
                ("port", Int32),
                ("rack", CompactString("utf-8")),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_id", CompactString("utf-8")),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", CompactString("utf-8")),
                ("topic_id", _Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition", Int32),
                        ("leader", Int32),
                        ("leader_epoch", Int32),
                        ("replicas", CompactArray(Int32)),
                        ("isr", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class _TopicsRequest12(RequestStruct):  # type: ignore[misc]  # aiokafka ships no types
    FLEXIBLE_VERSION = True
    API_KEY = 3
    API_VERSION = 12
    RESPONSE_TYPE = _Topics12
    SCHEMA = Schema(
        ("topics", CompactArray(("topic_id", _Uuid), ("name", CompactString("utf-8")), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    )


class _TopicsRequest(Request[MetadataRequest_v5 | _TopicsRequest12]):  # type: ignore[misc]  # aiokafka ships no types
    """The named topics, with their ids from brokers that tell them; makes none."""

    API_KEY = 3

    def __init__(self, names: list[str]) -> None:
        self._names = names

    def build(self, kind: type[Any]) -> Any:
        if kind is _TopicsRequest12:
            return kind([(_NOBODY, name, {}) for name in self._names], False, False, {})
        return kind(self._names, False)
