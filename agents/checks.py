"""What has to be true of the broker's topics: looked up when a worker starts, and for as long as it runs.

What makes its numbers untrue ends the worker, with a line that says what to do. What can be mended while it runs is told in
the log and in a metric.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

import structlog

from agents.broker import AWAY, Broker, Topic, quiet, stranger
from agents.fence import MAX_RECORD_BYTES
from agents.seldom import Seldom
from agents.settings import Settings, WorkerError
from streams.clock import DAY
from streams.state import KEPT

log = structlog.get_logger()

T = TypeVar("T")

#: Seconds between looks at the topics of a running worker.
EVERY = 2.0
#: Seconds between looks at their settings; and while one of them is wrong.
SETTINGS_EVERY, WRONG_EVERY = 3600.0, 60.0
#: Seconds for a look that are worth a line.
SLOW = 2.0
#: Seconds between tries to reach the broker; without an answer before we look what is there; for a last look.
RETRY, PATIENCE, LAST_LOOK = 1.0, 5.0, 3.0

#: What can be wrong at the broker while a worker runs: label of `care_broker_problems`.
PROBLEMS = ("away", "topic_missing", "cleanup", "retention", "timestamps", "record_size", "replication")

Settled = Mapping[str, Mapping[str, str]]


class Wrong(NamedTuple):
    """A setting of a topic that is not as it has to be."""

    problem: str  # one of PROBLEMS
    topic: str
    found: str
    wanted: str  # as `kafka-configs.sh --add-config` takes it
    why: str

    def line(self, server: str) -> str:
        """It, in words, with the way to mend it at a broker."""
        mend = (
            f"kafka-configs.sh --bootstrap-server {server} --alter --topic {self.topic} --add-config {self.wanted}"
            if "=" in self.wanted
            else self.wanted
        )
        return f"topic {self.topic} has {self.found}: {self.why}; mend it: {mend}"


_APPENDED = "LogAppendTime"
#: Settings that are looked up.
_KEYS = ["cleanup.policy", "retention.ms", "message.timestamp.type", "max.message.bytes", "min.insync.replicas"]


def wrong(settings: Settings, changelog: str, topics: Mapping[str, Topic], settled: Settled) -> Iterator[Wrong]:
    """What is wrong with topics and their settings; nothing is said of a setting that the broker does not tell."""
    for topic, has in settled.items():
        policy = has.get("cleanup.policy")
        if topic == changelog:
            if policy not in (None, "compact"):
                why = "it would forget the state"
                yield Wrong("cleanup", topic, f"cleanup.policy={policy}", "cleanup.policy=compact", why)
            if int(has.get("max.message.bytes", MAX_RECORD_BYTES)) < MAX_RECORD_BYTES:
                found, wanted = (f"max.message.bytes={size}" for size in (has["max.message.bytes"], MAX_RECORD_BYTES))
                yield Wrong("record_size", topic, found, wanted, "a call with many events does not fit")
            why = "a worker whose clock is ahead could not write, and none can tell how far its clock is off"
            yield from _stamped_by_senders(topic, has, why)
        elif topic in settings.inputs:
            if policy not in (None, "delete"):
                why = "it would drop all events of a program but the last"
                yield Wrong("cleanup", topic, f"cleanup.policy={policy}", "cleanup.policy=delete", why)
            kept = int(has.get("retention.ms", -1))
            if 0 <= kept * 1000 < KEPT:
                why = f"the state cannot be made anew from events of less than {KEPT // DAY} days"
                yield Wrong("retention", topic, f"retention.ms={kept}", "retention.ms=5184000000", why)
            yield from _stamped_by_senders(topic, has, "its times are those of the feeds' clocks")
    for topic, there in topics.items():
        if there.replicas < settings.replication:
            why = f"CAREWATCH_REPLICATION={settings.replication} are wanted, and data is lost with a broker"
            yield Wrong("replication", topic, f"{there.replicas} replicas", "kafka-reassign-partitions.sh", why)
        elif there.replicas > 1 and settled.get(topic, {}).get("min.insync.replicas") == "1":
            why = "what was acknowledged may be on one broker only"
            yield Wrong("replication", topic, "min.insync.replicas=1", "min.insync.replicas=2", why)


def _stamped_by_senders(topic: str, has: Mapping[str, str], why: str) -> Iterator[Wrong]:
    if has.get("message.timestamp.type", _APPENDED) != _APPENDED:
        yield Wrong(
            "timestamps", topic, "message.timestamp.type=CreateTime", f"message.timestamp.type={_APPENDED}", why
        )


def check_inputs(settings: Settings, topics: Mapping[str, Topic]) -> None:
    """Check that the input topics are there with the partitions of the settings. Raises WorkerError."""
    for topic in settings.inputs:
        _check_there(settings, topic, topics)
    counts = {topic: topics[topic].partitions for topic in settings.inputs}
    for topic, count in counts.items():
        if count != settings.partitions:
            if set(counts.values()) == {count}:
                cure = f"set CAREWATCH_PARTITIONS={count} and a new CAREWATCH_GROUP"
            else:
                cure = "give all input topics the same number"
            raise WorkerError(
                f"topic {topic} has {count} partitions, not {settings.partitions}; {cure} (docs/deploy.md, More partitions)"
            )


def _check_there(settings: Settings, topic: str, topics: Mapping[str, Topic]) -> None:
    if topic not in topics:
        raise WorkerError(f"topic {topic} is not there; run: carewatch topics create --broker {settings.broker}")


async def patiently(looking: Coroutine[Any, Any, T], tell: Callable[[], Awaitable[None]]) -> T | None:
    """What a look at the broker finds; None if it does not answer. `tell` is called when that takes long, and when it fails."""
    with quiet():
        task = asyncio.ensure_future(looking)
        try:
            await asyncio.wait([task], timeout=PATIENCE)
            if not task.done():
                await tell()
            return await task
        except AWAY:
            await tell()
            return None
        finally:
            task.cancel()


class Checks:
    """What a worker looks up of its broker."""

    def __init__(self, settings: Settings, changelog: Callable[[], str], programs: str) -> None:
        """Nothing looked up. `changelog` names its topic, which Faust does late; `programs`: digest of our program files."""
        self._programs = programs
        self.stranger = False  # whether we wait for workers with other program files to leave
        self._settings = settings
        self._changelog = changelog
        self._broker = Broker(settings.bootstrap)
        self._outputs = (settings.deadletter, settings.notices)
        self._began: dict[str, Topic] = {}  # the topics that the numbers depend on, as they were at the start
        self._absent: Counter[str] = Counter()  # looks in a row that a topic was missing from
        self._seldom = Seldom()
        self._settings_at = 0.0
        self._found: list[Wrong] = []
        self._silent_since: float | None = None

    @property
    def problems(self) -> Counter[str]:
        """How many topics have each of PROBLEMS now; of `away`: 1 while the broker does not answer."""
        found = Counter(each.problem for each in self._found)
        found["topic_missing"] = sum(self.missing(topic) for topic in self._outputs)
        found["away"] = int(self._silent_since is not None)
        return found

    def id_of(self, topic: str) -> str:
        """The id of a topic as it was at the start; "": the broker tells none."""
        return self._began[topic].id.hex() if topic in self._began else ""

    def missing(self, topic: str) -> bool:
        """Whether a topic was gone when we looked twice."""
        return self._absent[topic] > 1

    async def inputs(self) -> None:
        """Wait until the broker answers, then check inputs, outputs and group. Raises WorkerError."""
        topics = await self._try()
        while topics is None:
            await asyncio.sleep(RETRY)
            topics = await self._try()
        check_inputs(self._settings, topics)
        for topic in self._outputs:
            _check_there(self._settings, topic, topics)
        await self._check_group()
        await self._alike()

    async def _try(self) -> dict[str, Topic] | None:
        """Inputs and outputs; None, and a line about what is there instead, if no broker answers. Raises WorkerError."""
        names = [*self._settings.inputs, *self._outputs]
        return await patiently(self._broker.topics(names), self._tell_stranger)

    async def _tell_stranger(self) -> None:
        """Say what is there instead of a broker. Raises WorkerError if that will not change."""
        if not self._seldom.due("stranger"):
            return
        found = [await stranger(address) for address in self._settings.bootstrap]
        lines = [each.line for each in found if each]
        if found and all(each and each.lasting for each in found):
            raise WorkerError(lines[0])
        why = (
            lines[0]
            if lines
            else "it is slow, or tells an address of itself (advertised.listeners) that cannot be reached"
        )
        log.warning("the broker does not answer; trying until it does", broker=self._settings.broker, why=why)

    async def _check_group(self) -> None:
        """Another site may use our group's name: each would take the other's partitions and state. Raises WorkerError."""
        if not self._settings.fencing:
            return  # nor does such a broker tell of its groups
        own = {*self._settings.inputs, self._changelog()}
        with contextlib.suppress(*AWAY):  # not allowed to ask, or the group's broker is just starting
            read = (await self._broker.group(self._settings.group)).topics
            read |= await self._broker.committed(self._settings.group)
            if others := sorted(read - own):
                raise WorkerError(
                    f"the group {self._settings.group} reads {others[0]} too, so another site uses its name (or this one had "
                    "another CAREWATCH_PREFIX); give each site a CAREWATCH_GROUP of its own"
                )

    async def _alike(self) -> None:
        """Wait until no worker with other program files is in the group.

        Some of its programs would be ours: what we do not know we would reject, and what we know differently we would count
        otherwise.
        """
        while self._settings.fencing:
            try:
                group = await self._broker.group(self._settings.group)
            except AWAY:
                group = None
            self.stranger = bool(group and group.programs - {self._programs})
            if group and group.settled and not self.stranger:
                return
            if self.stranger and self._seldom.due("programs"):
                log.error(
                    "workers with other program files are in the group; waiting until they have left: stop them, or give this "
                    "one the same files with --programs (docs/operations.md)",
                    group=self._settings.group,
                )
            await asyncio.sleep(RETRY)

    async def changelog(self) -> bool:
        """Check the changelog; whether it is there to be checked. Raises WorkerError."""
        name = self._changelog()
        names = [*self._settings.inputs, name]
        try:
            with quiet():
                topics = await self._broker.topics(names)
                settled = await self._settled(names)
        except AWAY:
            return False
        if name not in topics:
            return False
        if topics[name].partitions != self._settings.partitions:
            raise WorkerError(
                f"the changelog {name} has {topics[name].partitions} partitions, not {self._settings.partitions}; set "
                "CAREWATCH_PARTITIONS to what it was, or a new CAREWATCH_GROUP (docs/deploy.md, More partitions)"
            )
        for each in wrong(self._settings, name, topics, settled):
            if each.problem == "cleanup":
                raise WorkerError(each.line(self._settings.bootstrap[0]))
        self._began = topics
        return True

    async def _settled(self, names: Iterable[str]) -> Settled:
        """The settings of topics; none of a broker without transactions, whose answers the client cannot read."""
        return await self._broker.settings(names, _KEYS) if self._settings.fencing else {}

    async def run(self, end: Callable[[BaseException], None]) -> None:
        """Look until something makes the numbers untrue: then call `end` with it, once."""
        while True:
            began = time.monotonic()
            try:
                await self.look()
                if (took := time.monotonic() - began) > SLOW and self._seldom.due("slow"):
                    log.warning("the broker is slow; waiting for it", seconds=round(took, 1))
                if (silent := self._silent_since) is not None:
                    self._silent_since = None
                    log.info("the broker answers again", seconds=round(time.monotonic() - silent, 1))
            except AWAY as error:
                if self._silent_since is None:
                    self._silent_since = began
                if self._seldom.due("away"):
                    seconds = round(time.monotonic() - self._silent_since, 1)
                    log.warning("the broker does not answer; waiting for it", seconds=seconds, why=type(error).__name__)
            except WorkerError as error:
                end(error)
                return
            await asyncio.sleep(EVERY)

    async def reason(self, error: BaseException | None) -> BaseException | None:
        """Why the worker has to end, when it ends for this: a client's error may only follow from what happened to a topic."""
        if isinstance(error, WorkerError) or not self._began:
            return error
        with contextlib.suppress(*AWAY):
            try:
                async with asyncio.timeout(LAST_LOOK):
                    await self.look()
                    await self.look()  # a missing topic counts from the second time
            except WorkerError as found:
                return found
        return error

    async def look(self) -> None:
        """Look once. Raises WorkerError for what makes the numbers untrue, one of AWAY if the broker does not answer."""
        topics = await self._broker.topics([*self._began, *self._outputs])
        for topic in (*self._began, *self._outputs):
            if topic in topics:
                if self.missing(topic):
                    log.info("a topic is there again", topic=topic)
                self._absent[topic] = 0
            else:
                self._absent[topic] += 1
        self._check_same(topics)
        for topic in self._outputs:
            if self.missing(topic) and self._seldom.due(topic):
                log.error(
                    "a topic is gone; what has to be written to it waits, and its events are not acknowledged; "
                    f"run: carewatch topics create --broker {self._settings.broker}",
                    topic=topic,
                )
        await self._look_at_settings(topics)

    def _check_same(self, topics: Mapping[str, Topic]) -> None:
        changelog = self._changelog()
        for topic, before in self._began.items():
            now = topics.get(topic)
            gone, anew = self.missing(topic), now is not None and now.id != before.id
            if (gone or anew) and topic == changelog:
                raise WorkerError(
                    f"the changelog {topic} was deleted{' and made again' if anew else ''} while this worker ran; start it "
                    "again: it makes its counts from the inputs anew, as far as these reach"
                )
            if anew:
                raise WorkerError(
                    f"topic {topic} was deleted and made again while this worker ran; what was in it and not yet applied is "
                    "lost; start the worker again: it keeps its counts and reads the new topic from its beginning"
                )
            if gone:
                raise WorkerError(
                    f"topic {topic} was deleted while this worker ran; what was in it and not yet applied is lost; run: "
                    f"carewatch topics create --broker {self._settings.broker}, then start the worker again: it keeps its counts"
                )
        there = {topic: found for topic, found in topics.items() if topic in self._began}
        if there.keys() >= self._settings.inputs.keys():
            check_inputs(self._settings, there)

    async def _look_at_settings(self, topics: Iterable[str]) -> None:
        since = time.monotonic() - self._settings_at
        if not self._began or (self._settings_at and since < (WRONG_EVERY if self._found else SETTINGS_EVERY)):
            return
        names = [topic for topic in topics if topic in self._began]
        settled = await self._settled(names)
        self._found = list(wrong(self._settings, self._changelog(), self._began, settled))
        self._settings_at = time.monotonic()
        for each in self._found:
            if self._seldom.due(f"{each.problem} {each.topic}", SETTINGS_EVERY):
                log.error(each.line(self._settings.bootstrap[0]), problem=each.problem)
        with contextlib.suppress(*AWAY):
            await self._check_group()

    async def close(self) -> None:
        """Disconnect."""
        await self._broker.close()
