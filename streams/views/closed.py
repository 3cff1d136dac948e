"""Closed and merged calls by the local day of their close: what the day's numbers say *as known now*.

A corrected call moves; a day goes when its last call is archived. So all kept days are here, and a correction of weeks ago counts.
"""

from __future__ import annotations

from streams.clock import Micros
from streams.entries import Call, Fact
from streams.rules import Rules
from streams.views.counting import count

#: Label values, as they stand in facts.
Labels = tuple[str | int, ...]
Days = dict[str | int, dict[Labels, int]]


class Closed:
    """The closed and merged calls of a program."""

    def __init__(self, rules: Rules) -> None:
        """None, under these rules: they tell which day it is."""
        self._rules = rules
        self._closings: Days = {}
        self._demand: Days = {}

    def change(self, before: Call | None, after: Call | None) -> None:
        """A call was something else before; None: it was not, or is no more."""
        was, is_now = _ending(before), _ending(after)
        if was == is_now:
            return
        if was is not None:
            self._count(was, -1)
        if is_now is not None:
            self._count(is_now, +1)

    def today(self, now: Micros) -> dict[Labels, int]:
        """Calls closed since local midnight, by team, area and outcome."""
        return dict(self._closings.get(self._rules.day(now), {}))

    def demand(self, now: Micros) -> dict[Labels, int]:
        """Calls closed or merged since local midnight, by area and result."""
        return dict(self._demand.get(self._rules.day(now), {}))

    def _count(self, ending: Fact, by: int) -> None:
        if ending[0] == "duplicate":
            _, day, area, _ = ending
            _add(self._demand, day, (area, "duplicate"), by)
        else:
            _, day, team, area, _, outcome, result, _, _ = ending
            _add(self._closings, day, (team, area, outcome), by)
            _add(self._demand, day, (area, result), by)


def _ending(call: Call | None) -> Fact | None:
    """The fact of its close, or of a merged call that of its merge. None: it has neither."""
    if call is None or (call.closed is None and call.state == "open"):
        return None
    for fact in reversed(call.facts):  # it is one of the last
        code = fact[0]
        if code == "closed" or code == "duplicate":
            return fact
    return None


def _add(days: Days, day: str | int, labels: Labels, by: int) -> None:
    """A day that is empty goes."""
    counts = days.get(day)
    if counts is None:
        counts = days[day] = {}
    count(counts, labels, by)
    if not counts:
        del days[day]
