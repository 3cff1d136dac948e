"""Rows of a histogram: a count for each upper bound, one of what is beyond them, and then the sum. All in microseconds."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from streams.clock import Micros


def empty(bounds: Sequence[Micros]) -> list[int]:
    """A row in which nothing was observed."""
    return [0] * (len(bounds) + 2)


def observe(row: list[int], bounds: Sequence[Micros], took: Micros) -> None:
    """Count a time; one at a bound is within it."""
    row[bisect_left(bounds, took)] += 1
    row[-1] += took


def merge(row: list[int], bounds: Sequence[Micros], other: Sequence[int], of: Sequence[Micros]) -> None:
    """Add another row, which has the bounds `of`: what was counted at one of them goes to the next one up, never down."""
    for bound, count in zip(of, other[:-2], strict=True):
        row[bisect_left(bounds, bound)] += count
    row[-2] += other[-2]
    row[-1] += other[-1]
