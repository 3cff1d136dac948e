"""The text of /metrics: the same bytes as prometheus_client's encoders would write, without writing all of it each time.

A scrape shows thousands of samples a program, of which few have changed. A sheet keeps the text of one family of one
program, and writes a line again only when its value is another one. A test holds the bytes equal to the library's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import accumulate
from typing import cast

from prometheus_client import utils

from streams.metrics import Metric
from streams.read import Labels, Spread, Value

_go = cast("Callable[[float], str]", utils.floatToGoString)


class Sheet:
    """The text of one family's samples, in the order in which they were first shown."""

    def __init__(self, metric: Metric) -> None:
        """An empty sheet."""
        self._metric = metric
        self._values: dict[Labels, Value] = {}
        self._lines: dict[Labels, str] = {}
        self._text: bytes | None = b""

    def show(self, samples: Iterable[tuple[Labels, Value]]) -> None:
        """Show these samples and no others."""
        values = dict(samples)
        if values == self._values and list(values) == list(self._values):
            return
        before, lines = self._values, self._lines
        self._lines = {
            labels: lines[labels] if before.get(labels) == value else self._line(labels, value)
            for labels, value in values.items()
        }
        self._values = values
        self._text = None

    def change(self, samples: Iterable[tuple[Labels, Value]]) -> None:
        """Show these samples with their new values, or for the first time; the others stay."""
        for labels, value in samples:
            self._lines[labels] = self._line(labels, value)
            self._text = None

    @property
    def text(self) -> bytes:
        """The lines."""
        if self._text is None:
            self._text = "".join(self._lines.values()).encode()
        return self._text

    def _line(self, labels: Labels, value: Value) -> str:
        if isinstance(value, Spread):
            return _histogram(self._metric, labels, value)
        known = self._lines.get(labels)
        head = known[: known.rindex(" ")] if known else self._metric.name + _labels(self._metric, labels)
        return f"{head} {_number(value)}\n"


def document(families: Iterable[tuple[Metric, Sequence[bytes]]], *, openmetrics: bool) -> list[bytes]:
    """The page from the families' texts: the text format 0.0.4, or OpenMetrics 1.0.0."""
    parts: list[bytes] = []
    for metric, texts in families:
        name = metric.name.removesuffix("_total") if openmetrics else metric.name
        parts.append(f"# HELP {name} {metric.help}\n# TYPE {name} {metric.kind}\n".encode())
        parts += texts
    if openmetrics:
        parts.append(b"# EOF\n")
    return parts


def le(bound: float) -> str:
    """The label of a histogram's upper bound, as Prometheus writes numbers."""
    return _go(bound)


def _histogram(metric: Metric, labels: Labels, value: Spread) -> str:
    """All lines of one histogram. The library sorts labels by name; `le` has its place among them."""
    pairs = [f'{name}="{_escaped(labels[i])}"' for name, i in _sorted(metric)]
    place = sum(name < "le" for name, _ in _sorted(metric))
    before = "".join(f"{pair}," for pair in pairs[:place])
    after = "".join(f",{pair}" for pair in pairs[place:])
    counts = list(accumulate(value.counts))
    buckets = [
        f'{metric.name}_bucket{{{before}le="{bound}"{after}}} {_number(count)}\n'
        for bound, count in zip(_bounds(value.bounds), counts, strict=True)
    ]
    own = "{" + ",".join(pairs) + "}" if pairs else ""
    total = f"{metric.name}_count{own} {_number(counts[-1])}\n{metric.name}_sum{own} {_number(value.sum)}\n"
    return "".join(buckets) + total


def _labels(metric: Metric, labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join([f'{name}="{_escaped(labels[i])}"' for name, i in _sorted(metric)]) + "}"


@cache
def _sorted(metric: Metric) -> tuple[tuple[str, int], ...]:
    """A metric's label names in the order of the text, with their places in its samples."""
    return tuple(sorted((name, i) for i, name in enumerate(metric.labels)))


@cache
def _bounds(bounds: tuple[float, ...]) -> tuple[str, ...]:
    return (*(le(bound) for bound in bounds), "+Inf")


def _escaped(value: str) -> str:
    if "\\" in value or "\n" in value or '"' in value:
        return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
    return value


def _number(value: float) -> str:
    if type(value) is int and value < 1_000_000:
        return f"{value}.0"
    return _go(value)
