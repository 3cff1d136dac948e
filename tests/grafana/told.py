"""What a worker would have shown over time: events folded as it folds them, and its page read at some times.

Between two readings nothing changes, so they are close where people look closely: the last hour, and the last minutes.
The counts of the pipeline are read more often, for graphs show their growth by the second.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import accumulate
from types import SimpleNamespace
from typing import cast

from agents.app import Worker
from agents.collector import Collector
from agents.exposition import le
from agents.pipeline import Pipeline
from feeds.wire import topic_of
from streams import metrics as m
from streams import tally
from streams.clock import SECOND, Micros, micros
from streams.events import IN_ORDER, AnyEvent, Event
from streams.programs import Profile
from streams.read import Family, Spread, Value, counted, current, read
from streams.state import ProgramState
from tests.grafana.blocks import Change, Labels, Span

#: The worker that Prometheus scrapes.
INSTANCE = (("instance", "worker:6066"), ("job", "carewatch"))
MINUTE, HOUR, DAY = 60, 3600, 86400
#: Every so many seconds, for so long before now.
_READ = {
    15: 2 * MINUTE,
    MINUTE: 10 * MINUTE,
    5 * MINUTE: 70 * MINUTE,
    10 * MINUTE: 7 * HOUR,
    HOUR // 2: 25 * HOUR,
    HOUR: 1000 * DAY,
}


def readings(begin: int, now: int) -> list[Span]:
    """When the page is read (seconds), up to *now*: the longer ago, the more seldom."""
    found: list[Span] = []
    end = now
    for step, reach in _READ.items():
        end -= end % step if found else 0
        start = max(begin, now - reach)
        if start <= end:
            found.append(Span(start, end, step))
            end = start - 1
    return found[::-1]


def times(spans: Iterable[Span]) -> list[int]:
    """All times of these spans."""
    return [at for start, end, step in spans for at in range(start, end + 1, step)]


class Told:
    """The series of one worker."""

    def __init__(self, profiles: Sequence[Profile]) -> None:
        self.series: dict[Labels, list[Change]] = {}
        bounds = tally.edges(profiles)
        self._states = {profile.program: ProgramState(profile, bounds) for profile in profiles}
        self._known: defaultdict[tuple[str, str], dict[tuple[str, ...], Value]] = defaultdict(dict)
        self._names: dict[tuple[str, tuple[str, ...]], list[Labels]] = {}
        self._read: set[str] = set()
        self._pipeline = Pipeline()
        self._recovery = SimpleNamespace(remaining=0, records=4100, completed=1, seconds=2.25)
        owner = SimpleNamespace(states=lambda: list(self._states.values()), damaged=frozenset())
        worker = SimpleNamespace(
            ready=True,
            owner=owner,
            pipeline=self._pipeline,
            recovery=self._recovery,
            places=SimpleNamespace(partitions=frozenset(range(8)), lost=lambda topic, partition: None),
            skew=SimpleNamespace(now=0),
            checks=SimpleNamespace(problems=Counter()),
        )
        self._collector = Collector(cast(Worker, worker), "0.1.0")

    def tell(self, events: Iterable[Event], at: Collection[int], often: Iterable[int] = ()) -> None:
        """Apply the events in the order of their times, and read at these; the pipeline's counts at others too."""
        feed = sorted(events, key=lambda event: (event.at, IN_ORDER.index(topic_of(event))))
        stamps = [micros(event.at) for event in feed]
        place = number = 0
        for now in sorted({*at, *often}):
            moment, begin = now * SECOND, place
            while place < len(feed) and stamps[place] <= moment:
                event = feed[place]
                assert isinstance(event, AnyEvent)
                effect = self._states[event.program].apply(event, moment).effect
                if effect == "late":
                    self._pipeline.late[topic_of(event)] += 1
                place += 1
            self._count(feed[begin:place])
            if now in at:
                self._mishaps(number, last=len(at) - number < 12)
                number += 1
                for program, state in self._states.items():
                    self._show(program, self._families(state, moment), now)
            pipeline: list[Family] = [(m.READY, [((), 1.0)]), *self._collector._pipeline()]
            self._show("", pipeline, now)
            self.series.setdefault((("__name__", "up"), *INSTANCE), [(now, 1.0)])

    def _count(self, events: Sequence[Event]) -> None:
        applied: defaultdict[str, defaultdict[str, list[type[Event]]]] = defaultdict(lambda: defaultdict(list))
        delays: defaultdict[str, list[Micros]] = defaultdict(list)
        for number, event in enumerate(events):
            topic = topic_of(event)
            applied[topic][event.program].append(type(event))
            delays[topic].append((20 + number % 7 * 30) * SECOND // 1000)
        for topic in IN_ORDER:
            self._pipeline.observe(topic, applied[topic], delays[topic])

    def _mishaps(self, number: int, *, last: bool) -> None:
        """What goes wrong in the pipeline now and then, and once just now."""
        if number % 5 == 0:
            self._pipeline.duplicate["status"] += 2
        if number % 11 == 0:
            self._pipeline.rejected["dispatch", "not_json"] += 1
            self._pipeline.rejected["followup", "missing_field"] += number % 3
        if number == 100:
            self._recovery.completed, self._recovery.records = 2, 9350
        if last:
            self._pipeline.conflicts[next(iter(self._states))] += 1

    def _families(self, state: ProgramState, now: Micros) -> Iterator[Family]:
        """All that the read model gives, once; then what may have changed."""
        changed = state.tally.changed()
        if state.profile.program not in self._read:
            self._read.add(state.profile.program)
            return read(state, now)
        return iter([*counted(state, changed), *((f[0], f[1]) for f in current(state, now, now))])

    def _show(self, program: str, families: Iterable[Family], at: int) -> None:
        for metric, samples in families:
            known = self._known[program, metric.name]
            for labels, value in samples:
                if known.get(labels) == value:
                    continue
                known[labels] = value
                names = self._names.get((metric.name, labels))
                if names is None:
                    edges = value.bounds if isinstance(value, Spread) else None
                    names = self._names[metric.name, labels] = list(_series(metric, labels, edges))
                if isinstance(value, Spread):
                    counts = list(accumulate(value.counts))
                    for name, count in zip(names, [*counts, counts[-1], value.sum], strict=True):
                        self._change(name, at, count)
                else:
                    self._change(names[0], at, value)
            if metric.kind == "gauge" and len(samples) < len(known):  # counters stay, and are not all among the samples
                for labels in known.keys() - {labels for labels, _ in samples}:
                    del known[labels]
                    self._change(self._names[metric.name, labels][0], at, None)

    def _change(self, name: Labels, at: int, value: float | None) -> None:
        known = self.series.get(name)
        if known is None:
            self.series[name] = [(at, value)]
        elif known[-1][1] != value:
            known.append((at, value))


def _series(metric: m.Metric, labels: tuple[str, ...], edges: tuple[float, ...] | None) -> Iterator[Labels]:
    """The series of a sample: one, or all of a histogram."""
    pairs = [*zip(metric.labels, labels, strict=True), *INSTANCE]
    if edges is None:
        yield named(metric.name, *pairs)
        return
    for edge in (*(le(edge) for edge in edges), "+Inf"):
        yield named(f"{metric.name}_bucket", *pairs, ("le", edge))
    yield named(f"{metric.name}_count", *pairs)
    yield named(f"{metric.name}_sum", *pairs)


def named(name: str, *pairs: tuple[str, str]) -> Labels:
    """A series; a label without a value is none."""
    return tuple(sorted([("__name__", name), *((label, value) for label, value in pairs if value)]))
