"""Closed and merged calls by the local day of their close: what the day's numbers say *as known now*.

A corrected call moves; a day goes when its last call is archived. So all kept days are here, and a correction of weeks ago counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TypeVar

from streams.clock import Micros
from streams.entries import Call
from streams.rules import Rules

K = TypeVar("K")
#: Team, area, outcome.
Closing = tuple[str, str, str]
#: Area, result.
Demand = tuple[str, str]


class Closed:
    """The closed and merged calls of a program."""

    def __init__(self, rules: Rules) -> None:
        """None, under these rules: they tell which day it is."""
        self._rules = rules
        self._closings: dict[int, Counter[Closing]] = {}
        self._demand: dict[int, Counter[Demand]] = {}

    def change(self, before: Call | None, after: Call | None) -> None:
        """A call was something else before; None: it was not, or is no more."""
        was, is_now = list(_of(before)), list(_of(after))
        if was == is_now:
            return
        for sign, found in ((-1, was), (1, is_now)):
            for day, closing, demand in found:
                if closing is not None:
                    _count(self._closings, day, closing, sign)
                _count(self._demand, day, demand, sign)

    def today(self, now: Micros) -> dict[Closing, int]:
        """Calls closed since local midnight, by team, area and outcome."""
        return dict(self._closings.get(self._rules.day(now), {}))

    def demand(self, now: Micros) -> dict[Demand, int]:
        """Calls closed or merged since local midnight, by area and result."""
        return dict(self._demand.get(self._rules.day(now), {}))


def _of(call: Call | None) -> Iterator[tuple[int, Closing | None, Demand]]:
    """What a call counts for: day, closing (of a merged call none), demand."""
    if call is None or (call.closed is None and call.state == "open"):
        return
    for fact in call.facts:
        match fact:
            case ("closed", int(day), str(team), str(area), _, str(outcome), str(result), _, _):
                yield day, (team, area, outcome), (area, result)
            case ("duplicate", int(day), str(area), _):
                yield day, None, (area, "duplicate")


def _count(days: dict[int, Counter[K]], day: int, key: K, sign: int) -> None:
    """Days and numbers that are empty go."""
    counts = days.setdefault(day, Counter())
    counts[key] += sign
    if not counts[key]:
        del counts[key]
        if not counts:
            del days[day]
