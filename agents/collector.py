"""States and pipeline as the page of /metrics. See docs/decisions/0012-scrapes-in-turns.md."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping

from agents import heap
from agents.app import Worker
from agents.checks import PROBLEMS
from agents.exposition import Sheet, document
from agents.pace import Pace
from agents.pipeline import DELAY_EDGES
from streams import events
from streams import metrics as m
from streams.clock import SECOND, Micros
from streams.door import REASONS
from streams.read import Family, Labels, Spread, Value, counted, sparse
from streams.state import ProgramState

#: Seconds that a counter of unit time is held rather than shown falling, see `_never_back`.
HELD = 600.0


class Collector:
    """The page of contract section 4: every family, for the programs that this worker owns."""

    def __init__(self, worker: Worker, version: str) -> None:
        """A collector of a worker of this version."""
        self._worker = worker
        self._version = version
        self._programs: dict[str, ProgramSheets] = {}
        self._pipeline_sheets = {metric: Sheet(metric) for metric in m.PIPELINE_METRICS}
        self._one_at_a_time = asyncio.Lock()

    async def page(self, now: Micros, *, openmetrics: bool) -> list[bytes]:
        """The page at *now* (microseconds), in parts. Events go on being applied between one program and the next.

        The pipeline's counts are read first: an event that they count is in the numbers of its program.
        """
        async with self._one_at_a_time:
            pace = Pace()
            pipeline = list(self._pipeline())
            shown, fresh = self._shown(), False
            self._programs = {program: sheets for program, sheets in self._programs.items() if program in shown}
            for program in shown:
                state = self._worker.owner.state(program)
                if state is None:
                    continue  # given to another worker in this very scrape
                sheets = self._programs.get(program)
                if sheets is None:
                    fresh = True
                    sheets = self._programs[program] = ProgramSheets()
                await sheets.update(state, now, self._running_to(state, now), pace)
            if fresh:
                heap.settle()
            await pace.rest()
            still = {*self._shown(), *self._worker.owner.damaged}
            for metric, samples in pipeline:
                own = metric.labels[:1] == ("program",)
                self._pipeline_sheets[metric].show(
                    {labels: value for labels, value in samples if not own or labels[0] in still}
                )
            self._pipeline_sheets[m.READY].show({(): float(self._worker.ready)})
            texts = [sheets.texts for program, sheets in self._programs.items() if program in still]
            families = [(metric, [part for text in texts for part in text[metric]]) for metric in m.PROGRAM_METRICS]
            families += [(metric, sheet.parts) for metric, sheet in self._pipeline_sheets.items()]
            return document(families, openmetrics=openmetrics)

    def _shown(self) -> list[str]:
        worker = self._worker
        return [state.profile.program for state in worker.owner.states()] if worker.ready else []

    def _running_to(self, state: ProgramState, now: Micros) -> Micros:
        """How far a unit's running status is added up: while statuses are still to be read, to the newest of them."""
        return now if self._worker.caught_up(state.profile.program) else min(now, state.newest.get("status", 0))

    def _pipeline(self) -> Iterator[Family]:
        pipeline = self._worker.pipeline
        programs = self._shown()
        topics = events.TOPICS
        yield (
            m.EVENTS,
            [
                ((program, topic, events.tag_of(kind)), pipeline.applied[topic][program, kind])
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
        yield m.ARCHIVED, [((topic,), pipeline.archived[topic]) for topic in topics]
        yield m.CONFLICTS, [((program,), pipeline.conflicts[program]) for program in programs]
        yield from self._lost()
        yield (
            m.DELAY,
            [
                ((topic,), Spread(DELAY_EDGES, list(pipeline.delays[topic]), pipeline.delay_sums[topic]))
                for topic in topics
            ],
        )
        problems = self._worker.checks.problems
        yield m.BROKER_PROBLEMS, [((problem,), problems[problem]) for problem in PROBLEMS]
        recovery = self._worker.recovery
        yield m.RECOVERY_REMAINING, [((), recovery.remaining)]
        yield m.RECOVERY_RECORDS, [((), recovery.records)]
        yield m.RECOVERY_COMPLETED, [((), recovery.completed)]
        yield m.RECOVERY_SECONDS, [] if recovery.seconds is None else [((), recovery.seconds)]
        damaged = self._worker.owner.damaged
        yield m.DAMAGED, [((program,), float(program in damaged)) for program in sorted({*programs, *damaged})]
        yield m.SKEW, [((), self._worker.skew.now / SECOND)]
        yield m.BUILD, [((self._version,), 1.0)]

    def _lost(self) -> Iterator[Family]:
        worker = self._worker
        found = {
            (topic, str(partition)): worker.places.lost(topic, partition)
            for partition in (worker.places.partitions if worker.ready else ())
            for topic in events.TOPICS
        }
        yield m.LOST, [(labels, lost.records if lost else 0) for labels, lost in found.items()]
        yield m.LAST_LOST, [(labels, lost.at / SECOND) for labels, lost in found.items() if lost]


class ProgramSheets:
    """The text of one program, a sheet a family."""

    def __init__(self) -> None:
        """Nothing shown yet."""
        #: The text of each family, in parts.
        self.texts: dict[m.Metric, list[bytes]] = {metric: [] for metric in m.PROGRAM_METRICS}
        self._state: ProgramState | None = None
        self._sheets = {metric: Sheet(metric) for metric in m.PROGRAM_METRICS}
        self._unit_seconds: dict[Labels, float] = {}

    async def update(self, state: ProgramState, now: Micros, running_to: Micros, pace: Pace) -> None:
        """Show a state as it is now. It is read in one step, and what has changed is written in turns."""
        changed = state.tally.changed()
        if state is self._state:
            sums = list(counted(state, changed))
        else:  # another one, such as the one that is back from the changelog
            self._sheets = {metric: Sheet(metric) for metric in m.PROGRAM_METRICS}
            sums = list(counted(state))
        self._state = None  # a scrape that is given up in the middle leaves nothing to go on from
        families = list(sparse(state, now, running_to))
        for metric, samples in sums:
            await pace.rest()
            self._sheets[metric].change(samples)
        for metric, found, zeros in families:
            await pace.rest()
            self._sheets[metric].show(self._never_back(found) if metric is m.UNIT_SECONDS else found, zeros)
        texts: dict[m.Metric, list[bytes]] = {}
        for metric, sheet in self._sheets.items():
            texts[metric] = sheet.parts
            await pace.rest()
        self.texts = texts
        self._state = state

    def _never_back(self, samples: Mapping[Labels, Value]) -> dict[Labels, float]:
        """Hold a counter that would fall for a moment.

        A status is heard of some seconds after its time, and until then the one before was counted on. Taking those
        seconds back would look like a counter reset, and `rate()` would add the whole counter again.
        """
        shown: dict[Labels, float] = {}
        for labels, value in samples.items():
            assert isinstance(value, (int, float))
            before = self._unit_seconds.get(labels, 0.0)
            shown[labels] = before if value < before < value + HELD else value
        self._unit_seconds = shown
        return shown
