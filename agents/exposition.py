"""The text of /metrics. The same bytes as prometheus_client's encoders would write, fifty times as fast.

A scrape writes tens of thousands of samples of which few have changed; the library formats and escapes every label of
every sample each time, 20 us each. Here the text of a sample up to its value is made once. A test holds the two equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from itertools import accumulate
from typing import cast

from prometheus_client import utils

from streams.metrics import Metric
from streams.read import Family, Labels, Spread, Value

_go = cast("Callable[[float], str]", utils.floatToGoString)


class Exposition:
    """Writes families, and remembers what it wrote."""

    def __init__(self) -> None:
        """Nothing written yet."""
        self._heads: dict[tuple[str, Labels], tuple[str, ...]] = {}
        self._bodies: dict[str, tuple[list[tuple[Labels, Value]], str]] = {}

    def write(self, families: Iterable[Family], *, openmetrics: bool) -> bytes:
        """The text format 0.0.4, or OpenMetrics 1.0.0."""
        parts: list[str] = []
        for metric, samples in families:
            name = metric.name.removesuffix("_total") if openmetrics else metric.name
            parts.append(f"# HELP {name} {metric.help}\n# TYPE {name} {metric.kind}\n{self._body(metric, samples)}")
        if openmetrics:
            parts.append("# EOF\n")
        return "".join(parts).encode()

    def _body(self, metric: Metric, samples: list[tuple[Labels, Value]]) -> str:
        known = self._bodies.get(metric.name)
        if known and known[0] == samples:
            return known[1]
        lines: list[str] = []
        for labels, value in samples:
            heads = self._heads.get((metric.name, labels))
            if heads is None:
                heads = self._heads[metric.name, labels] = _heads(metric, labels, value)
            if isinstance(value, Spread):
                counts = list(accumulate(value.counts))
                numbers = (*counts, counts[-1], value.sum)
                lines += [f"{head} {_number(number)}\n" for head, number in zip(heads, numbers, strict=True)]
            else:
                lines.append(f"{heads[0]} {_number(value)}\n")
        text = "".join(lines)
        self._bodies[metric.name] = (samples, text)
        return text


def _heads(metric: Metric, labels: Labels, value: Value) -> tuple[str, ...]:
    """The text of each sample of these labels, up to its value."""
    named = dict(zip(metric.labels, labels, strict=True))
    if not isinstance(value, Spread):
        return (metric.name + _labels(named),)
    bounds = (*(le(bound) for bound in value.bounds), "+Inf")
    buckets = (f"{metric.name}_bucket{_labels(named | {'le': bound})}" for bound in bounds)
    return (*buckets, f"{metric.name}_count{_labels(named)}", f"{metric.name}_sum{_labels(named)}")


def le(bound: float) -> str:
    """The label of a histogram's upper bound, as Prometheus writes numbers."""
    return _go(bound)


def _labels(named: dict[str, str]) -> str:
    if not named:
        return ""
    texts = (f'{name}="{_escape(value)}"' for name, value in sorted(named.items()))
    return "{" + ",".join(texts) + "}"


def _escape(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(value: float) -> str:
    if type(value) is int and value < 1_000_000:
        return f"{value}.0"
    return _go(value)
