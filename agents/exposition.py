"""The text of /metrics: the same bytes as prometheus_client's encoders would write, without writing all of it each time.

A scrape shows thousands of samples a program, of which few have changed. A sheet keeps the text of one family of one
program, and writes a line again only when its value is another one; lines are joined in blocks, and only those blocks
again. A test holds the bytes equal to the library's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from itertools import accumulate
from typing import cast

from prometheus_client import utils

from streams.metrics import Metric
from streams.read import Labels, Spread, Value

#: Lines of a block.
BLOCK = 64
_NOTHING: Mapping[Labels, Value] = {}

_go = cast("Callable[[float], str]", utils.floatToGoString)


class Sheet:
    """The text of one family's samples: those that have a place for good, in the order of their places, then the others."""

    def __init__(self, metric: Metric) -> None:
        """An empty sheet."""
        self._metric = metric
        self._places: dict[Labels, int] = {}
        self._lines: list[str] = []  # by place
        self._blocks: list[bytes] = []  # the same, joined
        self._stale: set[int] = set()  # blocks with a line that has changed
        self._found: Mapping[Labels, Value] = _NOTHING
        self._others: dict[Labels, str] = {}
        self._end = b""  # the others, joined

    def show(self, found: Mapping[Labels, Value], zeros: Mapping[Labels, Value] = _NOTHING) -> None:
        """Show these samples, those of `zeros` that are not among them, and no others.

        `zeros` is the same each time: its samples have places for good. What was found is kept, and must not change.
        """
        if zeros and not self._places:
            self.change(zeros.items())
        before, places = self._found, self._places
        self._found = found
        changed = [each for each in found.items() if before.get(each[0]) != each[1]]
        self.change([(labels, zeros[labels]) for labels in before.keys() - found.keys() if labels in places])
        self.change([each for each in changed if each[0] in places])
        if self._others or any(labels not in places for labels, _ in changed):
            self._others = {
                labels: self._others[labels] if before.get(labels) == value else self._line(labels, value)
                for labels, value in found.items()
                if labels not in places
            }
            self._end = "".join(self._others.values()).encode()

    def change(self, samples: Iterable[tuple[Labels, Value]]) -> None:
        """Show these samples with their new values, or for the first time and for good; the others stay."""
        for labels, value in samples:
            line = self._line(labels, value)
            place = self._places.get(labels)
            if place is None:
                place = self._places[labels] = len(self._lines)
                self._lines.append(line)
                if place % BLOCK == 0:
                    self._blocks.append(b"")
            else:
                self._lines[place] = line
            self._stale.add(place // BLOCK)

    @property
    def parts(self) -> list[bytes]:
        """The text, in parts."""
        for block in self._stale:
            self._blocks[block] = "".join(self._lines[block * BLOCK : (block + 1) * BLOCK]).encode()
        self._stale.clear()
        return [*self._blocks, self._end]

    def _line(self, labels: Labels, value: Value) -> str:
        if isinstance(value, Spread):
            return _histogram(self._metric, labels, value)
        place = self._places.get(labels)
        known = self._others.get(labels) if place is None else self._lines[place]
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
