"""States and pipeline as metric families: for the exposition, and as a prometheus_client collector."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from agents.app import Worker
from agents.exposition import le
from agents.pipeline import DELAY_EDGES
from streams import events
from streams import metrics as m
from streams.clock import Micros, wall
from streams.door import REASONS
from streams.read import Family, Labels, Spread, Value, read
from streams.state import ProgramState

#: Seconds that a counter of unit time is held rather than shown falling, see `_never_back`.
HELD = 600.0


class WorkerCollector(Collector):
    """Every family of contract section 4, for the programs that this worker owns."""

    def __init__(self, worker: Worker, version: str) -> None:
        """A collector of a worker of this version."""
        self._worker = worker
        self._version = version
        self._shown: dict[Labels, float] = {}

    def collect(self) -> Iterator[Metric]:
        """All families now, as the library's."""
        now = wall()
        pipeline = list(self._pipeline())
        programs = [self.program(state, now) for state in self._worker.owner.states()]
        return (_family(metric, samples) for metric, samples in self._all(programs, pipeline))

    async def families(self, now: Micros) -> list[Family]:
        """All families at *now* (microseconds). Events go on being applied between one program and the next.

        The pipeline's counts are read first: an event that they count is in the numbers of its program.
        """
        pipeline = list(self._pipeline())
        programs = []
        for state in list(self._worker.owner.states()):
            if self._worker.owner.state(state.profile.program) is state:
                programs.append(self.program(state, now))
                await asyncio.sleep(0)
        return self._all(programs, pipeline)

    def program(self, state: ProgramState, now: Micros) -> list[Family]:
        """The families of one program."""
        caught_up = self._worker.caught_up(state.profile.program)
        return list(read(state, now, now if caught_up else state.newest.get("status", 0)))

    def _all(self, programs: list[list[Family]], pipeline: list[Family]) -> list[Family]:
        samples: dict[m.Metric, list[tuple[Labels, Value]]] = {metric: [] for metric in m.PROGRAM_METRICS}
        if self._worker.ready:
            for families in programs:
                for metric, found in families:
                    samples[metric] += found
        samples[m.UNIT_SECONDS] = self._never_back(samples[m.UNIT_SECONDS])
        return [*samples.items(), *pipeline]

    def _never_back(self, samples: list[tuple[Labels, Value]]) -> list[tuple[Labels, Value]]:
        """Hold a counter that would fall for a moment.

        A status is heard of some seconds after its time, and until then the one before was counted on. Taking those
        seconds back would look like a counter reset, and `rate()` would add the whole counter again.
        """
        shown: dict[Labels, float] = {}
        for labels, value in samples:
            assert isinstance(value, (int, float))
            before = self._shown.get(labels, 0.0)
            shown[labels] = before if value < before < value + HELD else value
        self._shown = shown
        return list(shown.items())

    def _pipeline(self) -> Iterator[Family]:
        pipeline = self._worker.pipeline
        ready = self._worker.ready
        programs = [state.profile.program for state in self._worker.owner.states()] if ready else []
        topics = events.TOPICS
        yield (
            m.EVENTS,
            [
                ((program, topic, events.tag_of(kind)), pipeline.applied[program, topic, kind])
                for program in programs
                for topic in topics
                for kind in events.KINDS[topic]
            ],
        )
        yield (
            m.REJECTED,
            [((topic, reason), pipeline.rejected[topic, reason]) for topic in topics for reason in REASONS],
        )
        yield m.DUPLICATE, [((topic,), pipeline.duplicate[topic]) for topic in topics]
        yield m.LATE, [((topic,), pipeline.late[topic]) for topic in topics]
        yield m.CONFLICTS, [((program,), pipeline.conflicts[program]) for program in programs]
        yield (
            m.DELAY,
            [
                ((topic,), Spread(DELAY_EDGES, list(pipeline.delays[topic]), pipeline.delay_sums[topic]))
                for topic in topics
            ],
        )
        recovery = self._worker.recovery
        yield m.RECOVERY_REMAINING, [((), recovery.remaining)]
        yield m.RECOVERY_RECORDS, [((), recovery.records)]
        yield m.RECOVERY_COMPLETED, [((), recovery.completed)]
        yield m.RECOVERY_SECONDS, [] if recovery.seconds is None else [((), recovery.seconds)]
        yield m.READY, [((), float(ready))]
        yield m.BUILD, [((self._version,), 1.0)]


def _family(metric: m.Metric, samples: Iterable[tuple[Labels, Value]]) -> Metric:
    if metric.kind == "histogram":
        histogram = HistogramMetricFamily(metric.name, metric.help, labels=metric.labels)
        for labels, value in samples:
            assert isinstance(value, Spread)
            bounds = [*(le(bound) for bound in value.bounds), "+Inf"]
            histogram.add_metric(labels, list(zip(bounds, accumulate(value.counts), strict=True)), value.sum)
        return histogram
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    family = kind(metric.name.removesuffix("_total"), metric.help, labels=metric.labels)
    for labels, value in samples:
        assert isinstance(value, (int, float))
        family.add_metric(labels, value)
    return family
