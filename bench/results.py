"""What a run measures, as it is stored: `docs/performance.json`."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec

#: The contenders.
BATCH = "carewatch worker"
PLAIN = "carewatch worker, plain path"
FAUST = "Faust, a table"
QUIX_STATELESS = "quixstreams, stateless"
QUIX_STATEFUL = "quixstreams, stateful: a counter"
QUIX_RECORDS = "quixstreams, stateful: a record a call"
STREAMS = "Kafka Streams (Java)"
AIOKAFKA = "aiokafka + msgspec"
CONFLUENT = "confluent-kafka + msgspec"


class Machine(msgspec.Struct, kw_only=True):
    """Where and with what it ran."""

    when: str
    commit: str
    cores: int
    cpu: str
    memory_gb: float
    system: str
    python: str
    kafka: str


class Rate(msgspec.Struct, kw_only=True):
    """One contender. `failed` says why there is no number."""

    name: str
    work: str
    events: int = 0
    seconds: float = 0.0
    peak_rss_mb: float = 0.0
    failed: str = ""

    @property
    def per_second(self) -> float | None:
        """Events a second; None if it was not measured."""
        return self.events / self.seconds if self.seconds > 0 and not self.failed else None


class Spread(msgspec.Struct, kw_only=True):
    """Measured times, milliseconds."""

    p50: float
    p99: float
    most: float
    n: int


class Site(msgspec.Struct, kw_only=True):
    """One worker with its programs. What is None was not measured; `failed` says why."""

    programs: int
    calls: int  # kept at the start of every measure
    events: int
    fill_per_second: float | None = None
    scrape_mb: float | None = None
    quiet_rate: float | None = None
    quiet_seconds: float | None = None
    quiet_visible: Spread | None = None
    quiet_scrape: Spread | None = None
    load_rate: float | None = None
    load_seconds: float | None = None
    load_visible: Spread | None = None
    load_scrape: Spread | None = None
    load_kept_up: bool | None = None
    flood_events: int | None = None  # of one program, at once
    flood_seconds: float | None = None  # until they were all shown
    flood_visible: Spread | None = None  # of the other programs' events meanwhile, at the quiet rate
    ready_after_kill: float | None = None  # seconds from kill -9
    session_timeout: float = 10.0
    rss_empty_mb: float | None = None
    rss_full_mb: float | None = None
    peak_rss_mb: float | None = None
    failed: str = ""

    @property
    def bytes_a_call(self) -> float | None:
        """Memory for each kept call and all that belongs to it, from the growth of the process."""
        if self.rss_empty_mb is None or self.rss_full_mb is None:
            return None
        return (self.rss_full_mb - self.rss_empty_mb) * 1e6 / self.calls

    @property
    def beyond_session(self) -> float | None:
        """Seconds from the end of the session timeout to ready; the session itself began up to a heartbeat earlier."""
        return None if self.ready_after_kill is None else max(0.0, self.ready_after_kill - self.session_timeout)


class Cost(msgspec.Struct, kw_only=True):
    """Microseconds an event, over the second half of the first `events`."""

    events: int
    micros: float
    calls: int
    rss_mb: float


class Results(msgspec.Struct, kw_only=True):
    """A whole run."""

    machine: Machine
    quick: bool
    seconds: float = 0.0
    rates: list[Rate] = []
    sites: list[Site] = []
    costs: list[Cost] = []
    unfinished: str = ""

    def rate(self, name: str) -> float | None:
        """Events a second of a contender; None if it was not measured."""
        return next((each.per_second for each in self.rates if each.name == name), None)


def spread(seconds: Sequence[float]) -> Spread | None:
    """Median, 99th percentile (nearest rank: a value that was measured) and largest; None if there are none."""
    if not seconds:
        return None
    ordered = sorted(seconds)

    def rank(share: float) -> float:
        return ordered[max(0, math.ceil(share * len(ordered)) - 1)] * 1000

    return Spread(p50=rank(0.5), p99=rank(0.99), most=ordered[-1] * 1000, n=len(ordered))
