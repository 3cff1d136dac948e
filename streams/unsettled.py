"""Closed calls whose result the units say, with what they said last: a page asks only for what may have changed since."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from typing import NamedTuple

from streams.clock import NEVER, Micros
from streams.tally import Cell, count_on
from streams.times import Times
from streams.units import Unit

#: So many spans are looked at one by one; more of them as one that holds them all.
FEW = 64


class _Call(NamedTuple):
    day: int
    start: Micros
    result: Cell | None  # area and result; None: to be asked for


class Unsettled:
    """Calls by key, with the local day (its ordinal) on which they were closed."""

    def __init__(self) -> None:
        """No calls."""
        self._calls: dict[str, _Call] = {}
        self._to_ask: defaultdict[int, set[str]] = defaultdict(set)  # by day
        self._starts = Times()  # of the others, whose results are counted
        self._counts: dict[int, dict[Cell, int]] = {}
        self._spans: list[tuple[Micros, Micros]] = []

    def add(self, key: str, day: int, start: Micros) -> None:
        """Put a call in; `start` is the time at which units are judged."""
        self._calls[key] = _Call(day, start, None)
        self._to_ask[day].add(key)

    def remove(self, key: str) -> None:
        """Take a call out."""
        self._forget(key)
        day = self._calls.pop(key).day
        self._to_ask[day].discard(key)
        if not self._to_ask[day]:
            del self._to_ask[day]

    def unit_changed(self, since: Micros, unit: Unit | None) -> None:
        """What is known of a unit has changed, from a time to its next status; None: it is gone, and so is all of that."""
        if not self._counts:
            return
        self._spans.append((since, unit.next_after(since) if unit else NEVER))
        if len(self._spans) > FEW:
            begins, ends = zip(*self._spans, strict=True)
            self._spans = [(min(begins), max(ends))]

    def on(self, day: int, ask: Callable[[str], Cell]) -> Mapping[Cell, int]:
        """The calls closed on a day by result; `ask` gives that of a call by what is known now."""
        for begin, end in self._spans:
            for _, key in self._starts.between(begin - 1, end):
                self._forget(key)
        self._spans.clear()
        for key in self._to_ask.pop(day, ()):
            call = self._calls[key] = self._calls[key]._replace(result=ask(key))
            self._count(key, call, +1)
        return self._counts.get(day, {})

    def _forget(self, key: str) -> None:
        call = self._calls[key]
        if call.result is not None:
            self._count(key, call, -1)
            self._calls[key] = call._replace(result=None)
            self._to_ask[call.day].add(key)

    def _count(self, key: str, call: _Call, by: int) -> None:
        assert call.result is not None, key
        self._starts.change(call.start, key, by)
        count_on(self._counts, call.day, call.result, by)
