"""A catalogue: declarations in the order of the page, checked as they are made."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping

from streams.catalogue.metric import CORRECTED_LABELS, Facts, Kind, Labels, Metric, Values, some
from streams.catalogue.views import Look

Read = Callable[[Look], Mapping[Labels, float]]

_NAME = re.compile(r"care_[a-z][a-z0-9_]*")
_NOTHING = some("", lambda _: ())


class Catalogue:
    """Numbers, each declared once. A number that is declared is read, shown and documented; nothing else is to be done."""

    def __init__(self, metrics: Iterable[Metric] = ()) -> None:
        """A catalogue with these metrics to begin with."""
        self._metrics: dict[str, Metric] = {}
        #: The labels of each code of facts; the first declaration that names a code says what they are.
        self.facts: dict[str, tuple[str, ...]] = {}
        #: Where corrections go: by the histogram that they are of, and of all counters of facts.
        self.corrections_of: dict[Metric, Metric] = {}
        self.corrections_of_counters: Metric | None = None
        for metric in metrics:
            self._add(metric)

    def __iter__(self) -> Iterator[Metric]:
        """The metrics in the order of the page."""
        return iter(self._metrics.values())

    def __getitem__(self, name: str) -> Metric:
        """The metric of a name."""
        return self._metrics[name]

    def copy(self) -> Catalogue:
        """Another catalogue with the same numbers, to declare more in."""
        other = Catalogue(self)
        other.corrections_of.update(self.corrections_of)
        other.corrections_of_counters = self.corrections_of_counters
        return other

    def gauge(
        self,
        name: str,
        values: Values,
        help: str,
        read: Read | None = None,
        *,
        micros: bool = False,
        start: int = 0,
        of_program: bool = True,
    ) -> Metric:
        """Declare what is so now.

        Args:
            name: Its full name.
            values: Its labels and what they may be.
            help: What it counts, from what to what a time runs, what is left out.
            read: How it is read; none: always `start`, or told by the worker itself.
            micros: Whether it is read in microseconds; it is shown in seconds.
            start: The value of each possible sample that was not read.
            of_program: Whether `program` is its first label; else it is the worker's.

        Raises ValueError if the declaration contradicts itself or another one.
        """
        labels = _labels(values, of_program=of_program)
        return self._add(Metric(name, "gauge", labels, help, values, (), read, micros, start))

    def counter(
        self,
        name: str,
        values: Values,
        help: str,
        *sums: Facts,
        read: Read | None = None,
        micros: bool = False,
        of_program: bool = True,
    ) -> Metric:
        """Declare what is added up: a sum of facts, or else as `read` or the worker tells it. Otherwise as `gauge`."""
        labels = _labels(values, of_program=of_program)
        return self._add(Metric(name, "counter", labels, help, values, sums, read, micros))

    def histogram(self, name: str, values: Values, help: str, *sums: Facts, of_program: bool = True) -> Metric:
        """Declare a distribution of times: of facts whose amounts are microseconds, or as the worker tells it."""
        labels = _labels(values, of_program=of_program)
        return self._add(Metric(name, "histogram", labels, help, values, sums, None, micros=True))

    def corrections(self, name: str, help: str, of: Metric | None = None) -> Metric:
        """Declare where facts are counted that are no longer so: those of a histogram, or else of all counters."""
        kind: Kind = "counter" if of is None else "histogram"
        names = CORRECTED_LABELS if of is None else of.values.labels
        values = _NOTHING._replace(labels=names).when_found()
        metric = self._add(Metric(name, kind, _labels(values, of_program=True), help, values, micros=of is not None))
        if of is None:
            self.corrections_of_counters = metric
        else:
            self.corrections_of[of] = metric
        return metric

    def _add(self, metric: Metric) -> Metric:
        name = metric.name
        if not _NAME.fullmatch(name) or (metric.kind == "counter") != name.endswith("_total"):
            raise ValueError(
                f"{name}: a name begins with care_, and that of a counter, and of no other, ends in _total"
            )
        if name in self._metrics:
            raise ValueError(f"{name} is declared twice")
        for each in metric.sums:
            known = self.facts.setdefault(each.code, each.labels)
            if known != each.labels:
                raise ValueError(f"{name}: facts '{each.code}' have the labels {known} elsewhere, not {each.labels}")
            missing = {*metric.values.labels} - {*each.labels} - {label for label, _ in each.fixed}
            if missing:
                raise ValueError(f"{name}: facts '{each.code}' do not tell {', '.join(sorted(missing))}")
        self._metrics[name] = metric
        return metric


def _labels(values: Values, *, of_program: bool) -> tuple[str, ...]:
    return ("program", *values.labels) if of_program else values.labels
