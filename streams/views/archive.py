"""Archived counts: the facts of records that are gone, summed by local day. Days are kept for ever, packed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator

import msgspec

from streams.clock import Micros
from streams.entries import Fact
from streams.packed import pack
from streams.views import rows

#: A fact without its day and its amount: its code, and its labels.
Cell = tuple[str | int, ...]


class Day(msgspec.Struct, array_like=True, gc=False):
    """What was archived of one local day, as it is stored."""

    #: Upper bounds of the rows, microseconds.
    bounds: tuple[Micros, ...]
    sums: list[tuple[Cell, int]]
    #: Of times: a count for each bound, one beyond them, and the sum (see rows.py).
    rows: list[tuple[Cell, list[int]]]


class _Open:
    """A day that facts are being added to."""

    def __init__(self, bounds: tuple[Micros, ...], stored: Day | None) -> None:
        self.sums: defaultdict[Cell, int] = defaultdict(int, stored.sums if stored else ())
        self.rows: defaultdict[Cell, list[int]] = defaultdict(lambda: rows.empty(bounds))
        if stored:
            for cell, row in stored.rows:
                rows.merge(self.rows[cell], bounds, row, stored.bounds)


class Archive:
    """Archived counts of one program. Only days that are being added to are unpacked."""

    def __init__(self, bounds: tuple[Micros, ...], times: Collection[str]) -> None:
        """Nothing archived yet.

        Args:
            bounds: Upper bounds of the rows that are made here.
            times: Codes of facts whose amounts are times of a histogram.
        """
        self._bounds = bounds
        self._times = frozenset(times)
        self._packed: dict[int, bytes] = {}
        self._open: dict[int, _Open] = {}
        self._decode = msgspec.msgpack.Decoder(Day).decode

    def add(self, facts: Iterable[Fact]) -> None:
        """Add facts to their days."""
        for fact in facts:
            code, day, amount = fact[0], fact[1], fact[-1]
            assert type(day) is int
            assert type(amount) is int
            of_day = self._open.get(day)
            if of_day is None:
                of_day = self._open[day] = _Open(self._bounds, self.day(day))
            cell = (code, *fact[2:-1])
            if code in self._times:
                rows.observe(of_day.rows[cell], self._bounds, amount)
            else:
                of_day.sums[cell] += amount

    def restore(self, day: int, packed: bytes) -> Day:
        """Take a day as it was stored. Its rows keep their bounds until something is added to it."""
        self._packed[day] = packed
        return self._decode(packed)

    def pack(self) -> Iterator[tuple[int, bytes]]:
        """The days that have changed since this was last asked, for storing."""
        for day, of_day in sorted(self._open.items()):
            self._packed[day] = pack(self._stored(of_day))
            yield day, self._packed[day]
        self._open.clear()

    def days(self) -> list[int]:
        """The local days of which something was archived."""
        return sorted({*self._packed, *self._open})

    def day(self, day: int) -> Day | None:
        """What was archived of a day; None: nothing."""
        if of_day := self._open.get(day):
            return self._stored(of_day)
        packed = self._packed.get(day)
        return self._decode(packed) if packed else None

    def _stored(self, of_day: _Open) -> Day:
        return Day(self._bounds, [*of_day.sums.items()], [*of_day.rows.items()])
