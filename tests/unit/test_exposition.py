"""Our text of /metrics is byte for byte what prometheus_client would write."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import exposition as plain
from prometheus_client.openmetrics import exposition as openmetrics

from agents.collector import _family
from agents.exposition import Exposition
from streams import metrics as m
from streams.read import Family, Spread


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


@given(families(), families())
@settings(max_examples=150, deadline=None)
def test_same_bytes_as_the_library(first: list[Family], second: list[Family]) -> None:
    ours = Exposition()
    for shown in (first, second, second):  # what it remembers must not show
        assert ours.write(shown, openmetrics=False) == plain.generate_latest(Once(shown))  # type: ignore[arg-type]
        expected = openmetrics.generate_latest(Once(shown))  # type: ignore[no-untyped-call]
        assert ours.write(shown, openmetrics=True) == expected
