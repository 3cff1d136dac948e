"""`carewatch verify`: read the topics from the start, fold them in one process, compare with the live workers.

The fold is the same `apply` as the worker's, over the same records with the same *now* (their time of arrival), so
every number must be equal. Only `care_unit_seconds_total` may run ahead by what the worker holds back from falling.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import math
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Container, Iterator, Mapping
from http.client import HTTPException
from typing import NamedTuple
from urllib.error import HTTPError

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from agents.broker import Broker, quiet, stranger
from agents.checks import check_inputs, patiently
from agents.collector import HELD
from agents.exposition import le
from agents.intake import Record, arrival
from agents.owner import Owner
from agents.settings import Settings, WorkerError
from agents.transport import ISOLATION, readable_end
from carewatch.scrape import Labels, Numbers, scrape
from carewatch.settings import worker_settings
from streams import door, size
from streams import metrics as m
from streams.clock import Micros, wall
from streams.events import IN_ORDER, TOPICS, Topic
from streams.programs import Profile, load_all
from streams.read import Spread, read
from streams.state import ProgramState

SHOWN = 10
#: Records of a topic read ahead before those that came before them on others are applied.
ROUND = 100_000


def run(args: argparse.Namespace) -> int:
    """The command `verify`."""
    settings = worker_settings(args.broker, args.programs, "", 0)
    workers = [url if "://" in url else f"http://{url}" for url in args.worker or ["127.0.0.1:6066"]]
    profiles = load_all(settings.programs)
    size.check(profiles, str(settings.programs))  # its warnings are the worker's to say
    return asyncio.run(_run(settings, profiles, workers, args.timeout))


async def _run(settings: Settings, profiles: Mapping[str, Profile], workers: list[str], wait: float) -> int:
    fold = Fold(settings, profiles)
    await fold.start()
    try:
        give_up = time.monotonic() + wait
        while True:
            await fold.catch_up()
            result = await asyncio.to_thread(_compare, fold, workers)
            if not (result.problems or result.unread) or time.monotonic() > give_up:
                break
            await asyncio.sleep(0.5)
        await fold.check()  # partitions may have been added meanwhile
        gone = sum((await fold.starts(range(settings.partitions))).values())
    finally:
        await fold.stop()
    if result.unread:
        raise WorkerError(f"{result.unread}; give the workers' addresses with --worker http://HOST:PORT")
    rejected = f"{fold.rejected} rejected" + (
        f" ({fold.strangers} of programs not loaded here)" if fold.strangers else ""
    )
    print(f"{fold.records} records read, {fold.applied} events applied, {rejected}")
    for problem in result.problems[:SHOWN]:
        print(problem)
    if result.problems:
        print(f"NOT EQUAL: {len(result.problems)} differences over {result.compared} numbers")
        return 1
    if gone:
        print(f"the oldest {gone} records are no longer in the topics: equal is meant without them")
    print(f"equal: {result.compared} numbers of {', '.join(sorted(result.programs))}")
    return 0


class Fold:
    """All events of the topics in one process: statuses before the calls that came after them, calls before the cases."""

    def __init__(self, settings: Settings, profiles: Mapping[str, Profile]) -> None:
        """A fold of nothing yet."""
        self._settings = settings
        self._profiles = profiles
        self._owner = Owner(profiles, settings.partitions)
        self._owner.take({partition: {} for partition in range(settings.partitions)})
        self._readers: dict[Topic, AIOKafkaConsumer] = {topic: _reader(settings) for topic in TOPICS}
        self._broker = Broker(settings.bootstrap)
        self._clocks: defaultdict[str, Micros] = defaultdict(int)  # by program: when its newest record arrived
        self.records = self.applied = self.rejected = self.strangers = 0

    @property
    def states(self) -> Iterator[ProgramState]:
        """The states of all programs."""
        return self._owner.states()

    async def start(self) -> None:
        """Connect. Raises WorkerError if the broker does not answer, or has other partitions than would be read."""
        try:
            await self.check()
            with quiet():
                for reader in self._readers.values():
                    await reader.start()
        except BaseException as error:
            await self.stop()
            if isinstance(error, KafkaError):
                raise WorkerError(self._no_answer) from error
            raise
        for topic, reader in self._readers.items():
            name = self._settings.topic(topic)
            reader.assign([TopicPartition(name, number) for number in range(self._settings.partitions)])

    async def starts(self, partitions: Container[int]) -> dict[str, int]:
        """How many records of these partitions are no longer there, by input topic."""
        found: dict[str, int] = {}
        for topic, reader in self._readers.items():
            places = [place for place in reader.assignment() if place.partition in partitions]
            found[self._settings.topic(topic)] = sum((await reader.beginning_offsets(places)).values())
        return found

    async def check(self) -> None:
        """Check that what is read is all that there is. Raises WorkerError."""
        topics = await patiently(self._broker.topics(self._settings.inputs), self._tell_stranger)
        if topics is None:
            raise WorkerError(self._no_answer)
        check_inputs(self._settings, topics)

    async def _tell_stranger(self) -> None:
        for address in self._settings.bootstrap:
            if found := await stranger(address):
                raise WorkerError(found.line)

    @property
    def _no_answer(self) -> str:
        return f"{self._settings.broker} does not answer; start it or give another with --broker"

    async def stop(self) -> None:
        """Disconnect."""
        await self._broker.close()
        for reader in self._readers.values():
            await reader.stop()

    async def catch_up(self) -> None:
        """Apply everything that is in the topics now.

        The first topic takes the clock to the end. What is old by then on the others goes only here.
        """
        await self._catch_up(*reversed(IN_ORDER))
        for state in self.states:
            state.archive(self._clocks[state.profile.program])
            state.flush()

    async def _catch_up(self, topic: Topic, *before: Topic) -> None:
        """Apply the first of these topics, each round of it after everything that came before on the others."""
        while True:
            found = [record async for record in _to_end(self._readers[topic], ROUND)]
            if before:
                await self._catch_up(*before)
            for record in found:
                self._apply(record)
            if len(found) < ROUND:
                return

    def _apply(self, record: Record) -> None:
        self.records += 1
        topic = self._settings.inputs[record.topic]
        now = arrival(record, wall())
        event = door.decode(topic, record.key, record.value, self._profiles, now)
        if isinstance(event, door.Rejected):
            self.rejected += 1
            self.strangers += event.reason == "unknown_program"
            return
        state = self._owner.state(event.program)
        if state is None or self._owner.homes[event.program] != record.partition:
            return  # the worker has sent it on: its copy comes on the right partition
        self._clocks[event.program] = max(self._clocks[event.program], now)
        effect = state.apply(event, now).effect
        if effect == "full":
            self.rejected += 1
            return  # nothing changed; a flush would have a closed call decoded again for each
        self.applied += effect in ("applied", "late")
        state.flush()


def _reader(settings: Settings) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(
        bootstrap_servers=settings.bootstrap,
        enable_auto_commit=False,
        auto_offset_reset="earliest",  # not seek_to_beginning(): the reset to "latest" that it races with may win
        fetch_max_wait_ms=50,
        max_poll_records=5000,
        isolation_level=ISOLATION,
    )


async def _to_end(reader: AIOKafkaConsumer, most: int | None = None) -> AsyncIterator[Record]:
    """Records up to the end of the log as polled after the start of this call."""
    began = time.time() * 1000
    count = 0
    waiting = set(reader.assignment())
    while waiting:
        for found in (await reader.getmany(*waiting, timeout_ms=100)).values():
            for raw in found:
                place, kind = (raw.topic, raw.partition, raw.offset), raw.timestamp_type
                yield Record(*place, raw.timestamp, raw.key, raw.value, timestamp_type=kind)
                count += 1
        if most is not None and count >= most:
            return
        for tp in list(waiting):
            polled = reader.last_poll_timestamp(tp)
            if polled is not None and polled >= began:
                end = readable_end(reader.highwater(tp), reader.last_stable_offset(tp))
                if await reader.position(tp) >= end:
                    waiting.discard(tp)


class Result(NamedTuple):
    """What a comparison found."""

    problems: list[str]
    compared: int
    programs: set[str]
    unread: str = ""  # the worker that could not be read, and why


def _compare(fold: Fold, workers: list[str]) -> Result:
    problems: list[str] = []
    compared = 0
    owners: dict[str, list[str]] = defaultdict(list)
    states = {state.profile.program: state for state in fold.states}
    for url in workers:
        try:
            now, live = scrape(url)
        except (OSError, ValueError) as error:
            return Result([], 0, set(), f"{url}: no worker can be read there: {_why(error)}")
        for program in sorted({dict(labels).get("program", "") for _, labels in live} - {""}):
            owners[program].append(url)
            if program not in states:
                problems.append(f"{url}: program {program} has no file here; give the worker's folder with --programs")
                continue
            if live.get((m.DAMAGED.name, (("program", program),))):
                problems.append(
                    f"{url}: program {program} is not served: its state cannot be read; run: carewatch state check"
                )
                continue
            shown = {k: value for k, value in live.items() if k[0] in _SAMPLES and ("program", program) in k[1]}
            expected = _numbers(states[program], now)
            compared += len(expected)
            problems += [f"{url}: {line}" for line in _differences(expected, shown)]
    for program in states:
        if len(owners[program]) != 1:
            problems.append(
                f"program {program} is shown by {len(owners[program])} workers, not by one: {owners[program]}"
            )
    return Result(problems, compared, set(owners))


def _why(error: OSError | ValueError) -> str:
    """What went wrong with a scrape; of an answer that refuses it, what it says."""
    if isinstance(error, HTTPError):
        line = ""
        with error, contextlib.suppress(OSError, HTTPException):  # it may break off
            line = error.read(200).decode(errors="replace").strip().partition("\n")[0]
        return str(error) if not line or line.startswith("<") else line  # <: a page, of a proxy perhaps
    return str(getattr(error, "reason", error))


def _differences(expected: Numbers, shown: Numbers) -> Iterator[str]:
    for key in sorted(expected.keys() | shown.keys()):
        want, have = expected.get(key), shown.get(key)
        if want is None or have is None:
            yield f"{_text(key)}: {'not expected' if want is None else 'missing'}"
        elif not math.isclose(want, have, rel_tol=1e-9, abs_tol=1e-6):
            if key[0] == m.UNIT_SECONDS.name and want < have < want + HELD:
                continue
            yield f"{_text(key)}: {have:.15g}, the fold says {want:.15g}"


def _text(key: tuple[str, Labels]) -> str:
    return key[0] + "{" + ",".join(f'{name}="{value}"' for name, value in key[1]) + "}"


_SAMPLES = {
    name
    for metric in m.PROGRAM_METRICS
    for name in (
        [f"{metric.name}_{part}" for part in ("bucket", "count", "sum")] if metric is m.INTERVAL else [metric.name]
    )
}


def _numbers(state: ProgramState, now: Micros) -> Numbers:
    numbers: Numbers = {}
    for metric, samples in read(state, now):
        for labels, value in samples:
            named = tuple(zip(metric.labels, labels, strict=True))
            if isinstance(value, Spread):
                total = 0
                for bound, count in zip((*value.bounds, math.inf), value.counts, strict=True):
                    total += count
                    upper = le(bound)
                    numbers[f"{metric.name}_bucket", tuple(sorted((*named, ("le", upper))))] = total
                numbers[f"{metric.name}_count", tuple(sorted(named))] = total
                numbers[f"{metric.name}_sum", tuple(sorted(named))] = value.sum
            else:
                numbers[metric.name, tuple(sorted(named))] = value
    return numbers
