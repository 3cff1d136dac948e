"""What the tests with a broker share: workers as real processes, records in and out, numbers, waiting.

A `Site` is what one installation would be: topics under its own prefix and one consumer group. Tests share a broker
and never a site.

`CAREWATCH_TEST_BROKER=host:port` uses a running Kafka instead of starting one. `CAREWATCH_REQUIRE_KAFKA=1`,
`CAREWATCH_REQUIRE_TANSU=1` and `CAREWATCH_REQUIRE_PROMETHEUS=1` fail where the tests would be skipped for want of Java,
Kafka, Tansu, Prometheus or Alertmanager.
"""

from __future__ import annotations

import functools
import http.client
import itertools
import json
import math
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import accumulate
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Protocol, Self, TypeVar
from urllib.parse import urlsplit

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition

from agents.collector import HELD
from agents.web import NOW_HEADER
from carewatch.native.kafka import KafkaBroker, kafka_available, kafka_libs
from carewatch.native.process import Child, StackError
from carewatch.native.prometheus import Binaries, find_binaries
from carewatch.native.tansu import TansuBroker, tansu_available
from carewatch.scrape import Numbers, Scrape, parse, scrape
from feeds.simulate import builtin, load_simulation, simulate
from feeds.topics import ensure_topics
from feeds.wire import encode, topic_of
from streams import metrics, programs, tally
from streams.clock import Micros, micros, wall
from streams.events import IN_ORDER, AnyEvent, Event, Heartbeat, Topic, UnitStatus
from streams.read import Spread, read
from streams.state import ProgramState

T = TypeVar("T")

PROGRAMS = Path(__file__).parents[2] / "programs"
PROFILES = programs.load_all(PROGRAMS)
#: A dead worker is missed sooner than by default.
QUICK = {"SESSION_TIMEOUT": "3", "HEARTBEAT_INTERVAL": "0.5", "REBALANCE_TIMEOUT": "5"}
#: Tansu forms a group in seconds only with these, and knows no transactional ids.
ON_TANSU = {"FENCING": "off", "SESSION_TIMEOUT": "10", "HEARTBEAT_INTERVAL": "1", "REBALANCE_TIMEOUT": "3"}

#: How records reach the agents.
PATHS = ("batch", "plain")

_KAFKA = pytest.StashKey[KafkaBroker]()
_TANSU = pytest.StashKey[TansuBroker]()


# --- brokers ----------------------------------------------------------------------------------------------------


class Broker(Protocol):
    """What every test broker has."""

    @property
    def bootstrap(self) -> str: ...


@dataclass(frozen=True)
class RunningBroker:
    """A broker that somebody else started."""

    bootstrap: str


def unless(reason: str | None, *, required: bool = False) -> None:
    """Skip the test, or fail it if the server is `required`, when there is a reason."""
    if reason is not None:
        if required:
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)


def require_kafka() -> None:
    """Skip, or fail if so asked, where Kafka cannot be started."""
    unless(_no_kafka(), required=os.environ.get("CAREWATCH_REQUIRE_KAFKA") == "1")


@functools.cache  # Maven takes long to say that there is no network
def _no_kafka() -> str | None:
    """Why there is no Kafka here, and the command that helps."""
    if reason := kafka_available():
        return f"{reason}; on Debian: apt-get install openjdk-17-jre-headless maven"
    try:
        kafka_libs()
    except StackError as error:
        return str(error)
    return None


def require_prometheus() -> Binaries:
    """Prometheus, Alertmanager and their tools. Skip, or fail if so asked, where one is not installed."""
    found = find_binaries()
    missing = [name for name in ("prometheus", "promtool", "alertmanager", "amtool") if getattr(found, name) is None]
    cure = "apt-get install prometheus prometheus-alertmanager"
    reason = f"not installed: {', '.join(missing)}; on Debian: {cure}" if missing else None
    unless(reason, required=os.environ.get("CAREWATCH_REQUIRE_PROMETHEUS") == "1")
    return found


def session_kafka(config: pytest.Config) -> Broker:
    """One Kafka for the session, wherever its tests are."""
    if running := os.environ.get("CAREWATCH_TEST_BROKER"):
        return RunningBroker(running)
    if _KAFKA not in config.stash:
        require_kafka()
        broker = KafkaBroker()
        broker.start()
        config.add_cleanup(broker.stop)
        config.stash[_KAFKA] = broker
    return config.stash[_KAFKA]


def session_tansu(config: pytest.Config) -> Broker:
    """One Tansu for the session, wherever its tests are."""
    if _TANSU not in config.stash:
        unless(tansu_available(), required=os.environ.get("CAREWATCH_REQUIRE_TANSU") == "1")
        broker = TansuBroker()
        broker.start()
        config.add_cleanup(broker.stop)
        config.stash[_TANSU] = broker
    return config.stash[_TANSU]


# --- waiting ----------------------------------------------------------------------------------------------------


def eventually(probe: Callable[[], T | None], what: str, timeout: float = 30.0, every: float = 0.05) -> T:
    """What `probe` gives as soon as it is true; fails the test if that takes too long."""
    give_up = time.monotonic() + timeout
    while not (found := probe()):
        if time.monotonic() > give_up:
            pytest.fail(f"waited {timeout:g} s for {what}")
        time.sleep(every)
    return found


# --- numbers ----------------------------------------------------------------------------------------------------


def total(numbers: Numbers, name: str, **labels: str) -> float:
    """The sum of the samples with these labels; fails if there is none."""
    wanted = set(labels.items())
    found = [value for (sample, has), value in numbers.items() if sample == name and wanted <= set(has)]
    assert found, f"no sample of {name} with {labels}"
    return sum(found)


def of_state(numbers: Numbers) -> Numbers:
    """The samples of the families that one program's state shows."""
    return {key: value for key, value in numbers.items() if key[0] in _OF_STATE}


_OF_STATE = {m.name for m in metrics.PROGRAM_METRICS if m.kind != "histogram"} | {
    f"{m.name}_{part}" for m in metrics.PROGRAM_METRICS if m.kind == "histogram" for part in ("bucket", "count", "sum")
}
#: What the clock moves without any event.
_OF_THE_CLOCK = {
    m.name
    for m in (
        metrics.UNITS_PLANNED,
        metrics.UNIT_SECONDS,
        metrics.OVER_TARGET,
        metrics.TODAY,
        metrics.DEMAND_TODAY,
        metrics.DEMAND_HOUR,
        metrics.FOLLOWUPS,
        metrics.NEXT_LAPSE,
        metrics.FOLLOWUPS_DUE,
        metrics.CASES_ACTIVE,
    )
}


def of_events(numbers: Numbers) -> Numbers:
    """The samples of a state that only events change."""
    return {key: value for key, value in of_state(numbers).items() if key[0] not in _OF_THE_CLOCK}


def fold(events: Iterable[Event]) -> list[ProgramState]:
    """The states of all programs after these events, in this process: each event once, statuses first."""
    first: dict[str, Event] = {}
    for event in events:
        first.setdefault(event.id, event)
    bounds = tally.edges(PROFILES.values())
    states = {name: ProgramState(profile, bounds) for name, profile in PROFILES.items()}
    now = wall()
    for event in itertools.chain(*split(first.values())):
        assert isinstance(event, AnyEvent)
        states[event.program].apply(event, now)
    return list(states.values())


def numbers_of(states: Iterable[ProgramState], now: Micros) -> Numbers:
    """The numbers that a worker with these states has to show."""
    numbers: Numbers = {}
    for state in states:
        for metric, samples in read(state, now):
            for values, value in samples:
                labels = tuple(sorted(zip(metric.labels, values, strict=True)))
                if isinstance(value, Spread):
                    edges = [*(str(float(bound)) for bound in value.bounds), "+Inf"]
                    counts = list(accumulate(value.counts))
                    for edge, count in zip(edges, counts, strict=True):
                        numbers[f"{metric.name}_bucket", tuple(sorted((*labels, ("le", edge))))] = count
                    numbers[f"{metric.name}_count", labels] = counts[-1]
                    numbers[f"{metric.name}_sum", labels] = value.sum
                else:
                    numbers[metric.name, labels] = value
    return numbers


def differences(want: Numbers, have: Numbers) -> list[str]:
    """Where two sets of numbers differ. A worker may hold a unit's time for a while rather than let it fall."""
    found = []
    for key in sorted(want.keys() | have.keys()):
        expected, shown = want.get(key), have.get(key)
        if expected is not None and shown is not None:
            if math.isclose(expected, shown, rel_tol=1e-9, abs_tol=1e-6):
                continue
            if key[0] == metrics.UNIT_SECONDS.name and expected < shown < expected + HELD:
                continue
        found.append(f"{key[0]}{dict(key[1])}: {shown}, expected {expected}")
    return found


# --- workers ----------------------------------------------------------------------------------------------------


class Shown(NamedTuple):
    """The programs that a worker shows, and the *now* (microseconds) that it read them at."""

    now: Micros
    programs: set[str]


class Worker:
    """A worker process; constructing it starts it."""

    def __init__(self, child: Child) -> None:
        self.child = child
        self.name = child.name

    @functools.cached_property
    def url(self) -> str:
        """Its address, as soon as it listens."""

        def listening() -> str | None:
            assert self.address or self.child.alive, f"the worker ended: {self.child.log_tail(5)}"
            return self.address

        return eventually(listening, "the worker to listen")

    @property
    def address(self) -> str | None:
        """Its address, from its log; None before it listens."""
        if "url" in self.__dict__:  # known
            return self.url
        for line in self.log.splitlines():
            if line.startswith("{") and (entry := json.loads(line)).get("event") == "listening":
                return str(entry["address"])
        return None

    @property
    def log(self) -> str:
        """Its log so far."""
        return self.child.log.read_text()

    def get(self, path: str, accept: str = "*/*") -> tuple[int, str]:
        """Status and text of a page. Raises OSError if it does not answer."""
        answer, text = self._get(path, accept)
        return answer.status, text

    def _get(self, path: str, accept: str = "*/*") -> tuple[http.client.HTTPResponse, str]:
        connection = http.client.HTTPConnection(urlsplit(self.url).netloc, timeout=10)
        try:
            connection.request("GET", path, headers={"Accept": accept})
            answer = connection.getresponse()
            return answer, answer.read().decode()
        except http.client.HTTPException as error:
            raise OSError(repr(error)) from error
        finally:
            connection.close()

    def scrape(self) -> Scrape:
        """Its metrics now."""
        return scrape(self.url)

    def total(self, name: str, **labels: str) -> float:
        """The sum of its samples with these labels now. Parses no others: it takes a second for a whole page."""
        lines = self.get("/metrics")[1].splitlines(keepends=True)
        return total(
            parse("".join(line for line in lines if line.startswith((f"{name}{{", f"{name} ")))), name, **labels
        )

    def shown(self) -> Shown | None:
        """The programs that it shows; None if it does not answer."""
        try:
            answer, text = self._get("/metrics")
        except OSError:
            return None
        return Shown(int(answer.headers[NOW_HEADER]), set(_SHOWN.findall(text)))

    def programs(self) -> set[str]:
        """The programs that it shows now, none if it does not answer."""
        shown = self.shown()
        return shown.programs if shown else set()

    @property
    def is_ready(self) -> bool:
        """Whether /readyz says so."""
        assert self.child.alive, f"the worker ended: {self.child.log_tail(5)}"
        return self.get("/readyz")[0] == 200

    def ready(self, timeout: float = 60.0) -> Self:
        """Wait until it is ready."""
        eventually(lambda: self.is_ready, "the worker to be ready", timeout)
        return self

    def kill(self) -> None:
        """End it with SIGKILL, as a crash would."""
        self.child.kill()

    def freeze(self) -> None:
        """Stop it with SIGSTOP, as a machine that is suspended would: it does nothing, and its connections stay."""
        os.kill(self.child.pid, signal.SIGSTOP)

    def wake(self) -> None:
        """Let it go on after `freeze`."""
        os.kill(self.child.pid, signal.SIGCONT)

    def end(self) -> int:
        """SIGTERM; the exit status."""
        os.kill(self.child.pid, signal.SIGTERM)
        return self.child.wait(timeout=30)


_SHOWN = re.compile(r'^care_people_served\{program="(\w+)"\}', re.MULTILINE)


def once_shown(workers: Sequence[Worker], *, by_all: bool = False, timeout: float = 60.0) -> None:
    """Wait until each program is shown by exactly one of the workers (and each worker shows one)."""

    def shown() -> bool:
        found = [worker.programs() for worker in workers]
        return sorted(itertools.chain(*found)) == sorted(PROFILES) and (not by_all or all(found))

    eventually(shown, "every program to be shown by one worker", timeout, every=0.2)


def check(events: Iterable[Event], workers: Iterable[Worker]) -> None:
    """Every number of the workers has to be that of these events, folded without Kafka."""
    states = {state.profile.program: state for state in fold(events)}
    for worker in workers:
        now, numbers = worker.scrape()
        shown = [states.pop(name) for name in worker.programs()]
        assert not (found := differences(numbers_of(shown, now), of_state(numbers))), "\n".join(found[:20])
    assert not states, "every program is shown"


# --- events -----------------------------------------------------------------------------------------------------


def history(
    days: float, *, until: datetime | None = None, disorder: float = 0.0, duplicates: float = 0.0, seed: int = 1
) -> list[Event]:
    """Simulated events of the three programs in the order of a feed, with an hour's last heartbeats only.

    Statuses are in their order: a counter asks for the status at a time, and counts what is known when a call ends.
    """
    end = until or datetime.now(UTC)
    events: list[tuple[Micros, Event]] = []
    for name, profile in PROFILES.items():
        start = end - timedelta(days=days)
        simulation = load_simulation(builtin(name))
        newest = 0
        for event in simulate(profile, simulation, start, end, seed, disorder=disorder, duplicates=duplicates):
            newest = max(newest, micros(event.at))
            if not isinstance(event, Heartbeat) or event.at.minute == 59:
                events.append((micros(event.at) if isinstance(event, UnitStatus) else newest, event))
    return [event for _, event in sorted(events, key=lambda item: item[0])]


def evening(days: float) -> list[Event]:
    """Events until the last time that it was six in the evening in Chicago: about as many whenever a test runs.

    Those until now may hold two calls, where a test wants twenty.
    """
    now = datetime.now(PROFILES["chicago"].zone)
    six = now.replace(hour=18, minute=0, second=0, microsecond=0)
    return history(days, until=six if six <= now else six - timedelta(days=1))


def split(events: Iterable[Event]) -> tuple[list[Event], list[Event]]:
    """Statuses, and the others."""
    events = list(events)
    statuses = [event for event in events if topic_of(event) == "status"]
    return statuses, [event for event in events if topic_of(event) != "status"]


def shares(events: Sequence[Event], n: int) -> list[Sequence[Event]]:
    """The events in n parts of the same length."""
    cuts = [len(events) * i // n for i in range(n + 1)]
    return [events[begin:end] for begin, end in itertools.pairwise(cuts)]


# --- a site -----------------------------------------------------------------------------------------------------


class Record(NamedTuple):
    """A record of a topic."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: dict[str, str]
    at: int  # milliseconds since the epoch


class Site:
    """Topics, a consumer group and workers. A context manager: leaving it ends the workers.

    Args:
        bootstrap: The broker.
        folder: For the logs.
        env: Settings of the workers and commands, without their `CAREWATCH_`.
        partitions: Of each topic.
    """

    def __init__(
        self, bootstrap: str, folder: Path, env: Mapping[str, str] | None = None, *, partitions: int = 8
    ) -> None:
        name = f"t{uuid.uuid4().hex[:8]}"
        self.bootstrap = bootstrap
        self.partitions = partitions
        self.prefix = f"{name}."
        self.group = (env or {}).get("GROUP", name)
        self.deadletter = f"{name}.deadletter"
        self.changelog = f"{name}-state-changelog"
        self.folder = folder
        self._env = {
            "BROKER": f"kafka://{bootstrap}",
            "PREFIX": self.prefix,
            "GROUP": self.group,
            "PARTITIONS": str(partitions),
            "LOG": "json",
            **(env or {}),
        }
        self._workers: list[Worker] = []
        self._stack = ExitStack()
        self._failed: list[BaseException] = []
        ensure_topics(bootstrap, self.prefix, partitions)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
        for worker in self._workers:
            worker.kill()

    def environment(self, **settings: str) -> dict[str, str]:
        """The environment of a worker or command."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("CAREWATCH_")}
        return kept | {f"CAREWATCH_{name}": value for name, value in (self._env | settings).items()}

    def worker(self, *options: str, env: dict[str, str] | None = None, **settings: str) -> Worker:
        """Start a worker; `env`: what is no setting of ours."""
        command = [sys.executable, "-m", "carewatch", "worker", "--web-port", "0", *options]
        name = f"worker-{len(self._workers)}"
        self._workers.append(Worker(Child(name, command, self.folder, self.environment(**settings) | (env or {}))))
        return self._workers[-1]

    def worker_of(self, path: str, *options: str) -> Worker:
        """Start a worker of a path, in the path's own group: that of each path gets all records."""
        return self.worker(*options, PATH=path, GROUP=f"{self._env['GROUP']}-{path}")

    def worker_of_each_path(self, *options: str) -> dict[str, Worker]:
        """Start a worker of each path."""
        return {path: self.worker_of(path, *options) for path in PATHS}

    def command(self, *argv: str, timeout: float = 60.0, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        command = [sys.executable, "-m", "carewatch", *argv]
        env = self.environment(**settings)
        return subprocess.run(
            command, env=env, cwd=self.folder, capture_output=True, text=True, timeout=timeout, check=False
        )

    def verify(self, workers: Iterable[Worker]) -> str:
        """`carewatch verify` with these workers has to say equal; what it printed."""
        addresses = [part for worker in workers for part in ("--worker", worker.url)]
        done = self.command("verify", *addresses, "--timeout", "30", timeout=120)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "\nequal: " in done.stdout
        return done.stdout

    # --- records in

    @functools.cached_property
    def producer(self) -> KafkaProducer:
        """A producer with the default partitioner."""
        producer = KafkaProducer(bootstrap_servers=self.bootstrap, acks="all", linger_ms=5, max_request_size=1_100_000)
        self._stack.callback(producer.close, timeout=10)
        return producer

    def send(self, events: Iterable[Event]) -> None:
        """Send events: statuses, then calls, then cases, as each asks for the ones before (decision 0003).

        A producer sends the records of two topics in any order, and a busy one more than a day of them apart.
        Returns when the broker has them.
        """
        by_topic: dict[Topic, list[Event]] = {topic: [] for topic in IN_ORDER}
        for event in events:
            by_topic[topic_of(event)].append(event)
        for share in by_topic.values():
            for event in share:
                self.post_event(event)
            self.flush()

    def post_event(self, event: Event, partition: int | None = None) -> None:
        """Send an event, keyed by its program, without waiting for the broker."""
        self.post(topic_of(event), encode(event), event.program.encode(), partition)

    def send_raw(self, topic: Topic, value: bytes | None, key: bytes | None) -> None:
        """Send a record as it is; returns when the broker has it."""
        self.post(topic, value, key)
        self.flush()

    def post(
        self,
        topic: Topic,
        value: bytes | None,
        key: bytes | None,
        partition: int | None = None,
        at: datetime | None = None,
    ) -> None:
        """Send a record as it is, without waiting for the broker; `at`: its time, of a topic that takes the sender's."""
        stamp = None if at is None else int(at.timestamp() * 1000)
        future = self.producer.send(self.prefix + topic, value, key, partition=partition, timestamp_ms=stamp)
        future.add_errback(self._failed.append)

    def flush(self) -> None:
        """Wait until the broker has everything."""
        self.producer.flush(timeout=90)
        assert not self._failed, self._failed

    # --- records out

    def records(self, topic: str) -> list[Record]:
        """All records of a topic, by its full name."""
        return list(self._read(topic))

    def length(self, topic: str) -> int:
        """How many records were ever written to a topic, by its full name."""
        consumer = KafkaConsumer(bootstrap_servers=self.bootstrap)
        try:
            places = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
            return sum(consumer.end_offsets(places).values())
        finally:
            consumer.close()

    def deadletters(self, at_least: int = 0) -> list[Record]:
        """The dead-letter topic, as soon as it has so many records."""

        def enough() -> tuple[list[Record]] | None:
            found = self.records(self.deadletter)
            return (found,) if len(found) >= at_least else None

        return eventually(enough, f"{at_least} dead letters")[0]

    def _read(self, topic: str) -> Iterator[Record]:
        consumer = KafkaConsumer(
            bootstrap_servers=self.bootstrap,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_partition_fetch_bytes=4 * 1024 * 1024,
        )
        try:
            places = [TopicPartition(topic, number) for number in sorted(consumer.partitions_for_topic(topic) or ())]
            consumer.assign(places)
            ends = consumer.end_offsets(places)
            give_up = time.monotonic() + 30
            while any(consumer.position(place) < end for place, end in ends.items()):
                assert time.monotonic() < give_up, f"{topic} cannot be read"
                for found in consumer.poll(timeout_ms=200).values():
                    for raw in found:
                        headers = {name: (value or b"").decode() for name, value in raw.headers}
                        yield Record(raw.partition, raw.offset, raw.key, raw.value, headers, raw.timestamp)
        finally:
            consumer.close()
