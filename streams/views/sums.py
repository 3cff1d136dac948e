"""Sums by label values: plain ones for counters, and rows for histograms."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable
from typing import Generic, TypeVar

from streams.clock import Micros

Key = TypeVar("Key", bound=Hashable)


class Sums(Generic[Key]):
    """A number for each key."""

    def __init__(self) -> None:
        """None yet."""
        self.found: dict[Key, int] = {}
        #: The keys to which something was added; whoever reads takes them out.
        self.changed: set[Key] = set()

    def add(self, key: Key, amount: int) -> None:
        """Add an amount."""
        self.found[key] = self.found.get(key, 0) + amount
        self.changed.add(key)

    def start(self, key: Key) -> None:
        """Make sure that a key is there."""
        self.found.setdefault(key, 0)


class Rows(Generic[Key]):
    """A histogram for each key: a row of counts, one for each upper bound and one beyond them, and then the sum."""

    def __init__(self, bounds: tuple[Micros, ...]) -> None:
        """None yet; bounds in microseconds."""
        self.bounds = bounds
        self.found: dict[Key, list[int]] = {}
        self.changed: set[Key] = set()

    def add(self, key: Key, amount: int) -> None:
        """Observe a time; one at a bound is within it."""
        row = self.found.get(key) or self.start(key)
        row[bisect_left(self.bounds, amount)] += 1
        row[-1] += amount
        self.changed.add(key)

    def start(self, key: Key) -> list[int]:
        """Make sure that a key is there."""
        row = self.found.get(key)
        if row is None:
            row = self.found[key] = [0] * (len(self.bounds) + 2)
        return row

    def merge(self, key: Key, bounds: tuple[Micros, ...], row: list[int]) -> None:
        """Add a row that has other bounds; what was counted at one of them goes to the next one up, never down."""
        mine = self.start(key)
        for bound, count in zip(bounds, row[:-2], strict=True):
            mine[bisect_left(self.bounds, bound)] += count
        mine[-2] += row[-2]
        mine[-1] += row[-1]
        self.changed.add(key)
