"""Reading a program: every number that is declared, from its counts and its views. Reads them, never changes them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from streams.catalogue.catalogue import Catalogue
from streams.catalogue.metric import Labels, Metric
from streams.catalogue.views import Look, Views
from streams.clock import SECOND, Micros
from streams.rules import Rules
from streams.views.counts import Cell, Counts, Row


class Spread(NamedTuple):
    """A histogram: upper bounds in seconds, counts per bound (not cumulative; the last is +Inf), sum in seconds."""

    bounds: tuple[float, ...]
    counts: list[int]
    sum: float


Value = float | Spread
#: A family with samples: label values with the program first.
Family = tuple[Metric, list[tuple[Labels, Value]]]


class Sparse(NamedTuple):
    """A family of which nearly all samples never change: those that were found, and those that are so unless found."""

    metric: Metric
    found: Mapping[Labels, Value]
    zeros: Mapping[Labels, Value]


def seconds(at: Micros) -> float:
    """Microseconds as seconds."""
    return at / SECOND


class Reading:
    """The numbers of one program by a catalogue."""

    def __init__(self, catalogue: Catalogue, rules: Rules, counts: Counts, views: Views) -> None:
        """Read these; `counts` are sums by the same catalogue."""
        self._rules, self._counts, self._views = rules, counts, views
        program = rules.profile.program
        self._program = (program,)
        self._names: dict[Cell, Labels] = {}
        self._bounds = tuple(seconds(bound) for bound in counts.bounds)
        self._whole: dict[
            Metric, dict[Labels, Labels]
        ] = {}  # a cell's label values with the program; there are thousands
        self._counted = [metric for metric in catalogue if counts.has(metric)]
        self._times = {metric.name for metric in catalogue if metric.micros}
        self._corrections = catalogue.corrections_of_counters
        self._zeros: dict[Metric, Mapping[Labels, Value]] = {
            metric: {(program, *labels): metric.start for labels in metric.values.of(rules.profile)}
            if metric.values.from_the_start
            else {}
            for metric in catalogue
            if not counts.has(metric)
        }

    def all(self, now: Micros, upto: Micros | None = None) -> Iterator[Family]:
        """All families, each with its samples.

        Args:
            now: The time to read at.
            upto: How far time that still runs is added up; none: to *now*. While a backlog is read, time is known only up to
                the newest event; running on to *now* would count time that the next event takes back.
        """
        yield from self.counted()
        for metric, found, zeros in self.current(now, upto):
            yield metric, list({**zeros, **found}.items())

    def counted(self, cells: Iterable[Cell] | None = None) -> Iterator[Family]:
        """The families that are sums of facts: all of their samples, or those of some cells (see `Counts.changed`)."""
        if cells is None:
            cells = [cell for metric in self._counted for cell in self._counts.all(metric)]
        samples: dict[Metric, list[tuple[Labels, Value]]] = {metric: [] for metric in self._counted}
        for cell in cells:
            samples[cell.metric].append((self._named(cell), self._value(cell)))
        yield from samples.items()

    def current(self, now: Micros, upto: Micros | None = None) -> Iterator[Sparse]:
        """The families that are read anew each time."""
        look = Look(self._views, self._rules, now, now if upto is None else min(now, upto))
        program = self._program
        for metric, zeros in self._zeros.items():
            found = metric.read(look) if metric.read else {}
            if metric.kind == "counter" and (beside := self._counts.beside(metric)):
                found = {**found, **{labels: found.get(labels, 0) + more for labels, more in beside.items()}}
            if metric.micros:
                yield Sparse(metric, {program + labels: value / SECOND for labels, value in found.items()}, zeros)
            else:
                yield Sparse(metric, {program + labels: value for labels, value in found.items()}, zeros)

    def _value(self, cell: Cell) -> Value:
        if isinstance(cell, Row):
            return Spread(self._bounds, cell.value[:-1], seconds(cell.value[-1]))
        # what was corrected is in the unit of its metric
        micros = cell.labels[0] in self._times if cell.metric is self._corrections else cell.metric.micros
        return seconds(cell.value) if micros else cell.value

    def _named(self, cell: Cell) -> Labels:
        """Its label values with the program; made once, as there are thousands."""
        named = self._names.get(cell)
        if named is None:
            named = self._names[cell] = self._program + cell.labels
        return named
