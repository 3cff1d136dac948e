"""Our text of /metrics is byte for byte what prometheus_client would write."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import exposition as plain
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.openmetrics import exposition as openmetrics

from agents import exposition
from agents.exposition import Sheet, document, le
from streams import metrics as m
from streams.read import Family, Labels, Spread, Value
from tests.unit.examples import examples


class Once:
    """A collector of families that are there already."""

    def __init__(self, families: list[Family]) -> None:
        self._families = families

    def collect(self) -> list[object]:
        return [_family(metric, samples) for metric, samples in self._families]


texts = st.text(min_size=0, max_size=8)
numbers = st.one_of(
    st.integers(0, 10**12), st.floats(0, 1e15, allow_nan=False), st.sampled_from([0.5, 1e6, 999999, 1_000_000, 0.1])
)
spreads = st.builds(
    lambda counts, total: Spread((30.0, 60.0, 1200.0, 14400.0), counts, total),
    st.lists(st.integers(0, 10**7), min_size=5, max_size=5),
    st.floats(0, 1e9, allow_nan=False),
)


@st.composite
def families(draw: st.DrawFn) -> list[Family]:
    made: list[Family] = []
    for metric in draw(st.lists(st.sampled_from(m.PROGRAM_METRICS), unique_by=lambda metric: metric.name, max_size=5)):
        labels = st.tuples(*(texts for _ in metric.labels))
        values = spreads if metric.kind == "histogram" else numbers
        made.append((metric, list(draw(st.dictionaries(labels, values, max_size=4)).items())))
    return made


def ours(sheets: dict[m.Metric, Sheet], shown: list[Family], *, openmetrics: bool) -> bytes:
    for metric, samples in shown:
        sheets[metric].show(dict(samples))
    return b"".join(document([(metric, sheets[metric].parts) for metric, _ in shown], openmetrics=openmetrics))


@given(families(), families())
@settings(max_examples=examples(150), deadline=None)
def test_same_bytes_as_the_library(first: list[Family], second: list[Family]) -> None:
    sheets = {metric: Sheet(metric) for metric in m.PROGRAM_METRICS}
    for shown in (first, second, second):  # what it remembers must not show
        expected = plain.generate_latest(Once(shown))  # type: ignore[arg-type]
        assert ours(sheets, shown, openmetrics=False) == expected
        expected = openmetrics.generate_latest(Once(shown))  # type: ignore[no-untyped-call]
        assert ours(sheets, shown, openmetrics=True) == expected


@given(families(), families(), st.integers(1, 3))
@settings(max_examples=examples(100), deadline=None)
def test_a_change_leaves_the_other_lines_as_they_are(first: list[Family], second: list[Family], block: int) -> None:
    changes = dict(second)
    monkey = pytest.MonkeyPatch()
    with monkey.context() as patch:
        patch.setattr(exposition, "BLOCK", block)
        for metric, samples in first:
            sheet, anew = Sheet(metric), Sheet(metric)
            sheet.change(samples)
            assert sheet.parts
            sheet.change(changes.get(metric, []))
            anew.show(dict(samples) | dict(changes.get(metric, [])))
            assert b"".join(sheet.parts) == b"".join(anew.parts)


@given(families(), families(), families())
@settings(max_examples=examples(100), deadline=None)
def test_what_is_not_found_is_zero_in_its_place_or_gone(
    zeros: list[Family], first: list[Family], second: list[Family]
) -> None:
    for metric, samples in zeros:
        if metric.kind == "histogram":
            continue  # has no zeros
        nothing: dict[Labels, Value] = {labels: 0 for labels, _ in samples}
        sheet = Sheet(metric)
        for found in (dict(dict(first).get(metric, [])), dict(samples[:2]), dict(dict(second).get(metric, [])), {}):
            sheet.show(found, nothing)
            anew = Sheet(metric)
            anew.show({**nothing, **found})
            assert b"".join(sheet.parts) == b"".join(anew.parts)


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
