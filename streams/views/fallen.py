"""By how much counters of time fall when something is told late or corrected.

Such a counter is the time that passed, as known now, and what was taken back: then it never falls, and what was taken back is
shown beside it. Source: the contract, section 3 (*seconds by the fall of the net value*). All times are microseconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

from streams.clock import NEVER, Micros
from streams.derive.unit import Redone
from streams.entries import Span
from streams.views.all import Views
from streams.views.staffing import Staffing, Sums
from streams.views.touched import Range

#: The name of a counter, and its labels without the program.
Fallen = dict[tuple[str, str, str], Micros]
UNIT_SECONDS = "care_unit_seconds_total"
STAFFING_SECONDS = "care_staffing_seconds_total"


def of_units(changes: Iterable[Redone], now: Micros, stale_after: Micros) -> Fallen:
    """Of the time of units in each status up to *now*."""
    rise: Counter[tuple[str, str]] = Counter()
    for before, after in changes:
        for sign, spans in ((-1, before), (1, after)):
            for span in spans:
                rise[span.team, span.status] += sign * _counted(span, now, stale_after)
    return {(UNIT_SECONDS, *labels): -by for labels, by in rise.items() if by < 0}


def fall(before: Views, after: Views, now: Micros) -> Fallen:
    """Of all of them, from one program file to another."""
    fallen: Fallen = {}
    spent = after.units.seconds(now)
    for labels, time in before.units.seconds(now).items():
        if time > spent[labels]:
            fallen[UNIT_SECONDS, *labels] = time - spent[labels]
    totals = after.staffing.totals(now)
    for team, sums in before.staffing.totals(now).items():
        for what, time in sums._asdict().items():
            left = getattr(totals[team], what) if team in totals else 0
            if what != "short" and time > left:
                fallen[STAFFING_SECONDS, team, what] = time - left
    return fallen


class OfStaffing:
    """Of the time of teams up to *now*: looks before spans of units change, and again after that."""

    def __init__(self, staffing: Staffing, ranges: Sequence[Range], changes: Iterable[Redone], now: Micros) -> None:
        """Look at the teams where they change: all of them all the time, if time may begin later for all."""
        self._staffing = staffing
        self._spans: dict[str, tuple[Micros, Micros]] = {}
        begins = staffing.begins
        if any(_begin(before) <= begins < _begin(after) for before, after in changes):
            self._spans = dict.fromkeys(staffing.teams, (begins, now))
        for begin, end, team in ranges:
            first, last = self._spans.get(team, (begin, end))
            self._spans[team] = min(first, begin), max(last, end)
        self._now = now
        self._before = self._look()

    def fallen(self) -> Fallen:
        """By how much each is less than it was before."""
        fallen: Fallen = {}
        for (team, after), before in zip(self._look().items(), self._before.values(), strict=True):
            if after != before:
                for what, was, is_now in zip(Sums._fields, before, after, strict=True):
                    if was > is_now and what != "short":
                        fallen[STAFFING_SECONDS, team, what] = was - is_now
        return fallen

    def _look(self) -> dict[str, Sums]:
        seconds, now = self._staffing.seconds, self._now
        return {team: seconds(team, begin, min(end, now)) for team, (begin, end) in self._spans.items() if begin < now}


def _begin(spans: Sequence[Span]) -> Micros:
    return spans[0].begins if spans else NEVER


def _counted(span: Span, now: Micros, stale_after: Micros) -> Micros:
    until = min(span.until, now)
    if span.status != "off_duty":
        until = min(until, span.begins + stale_after)
    return max(0, until - span.begins)
