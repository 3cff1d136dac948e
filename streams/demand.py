"""Eligible closed calls by local hour of receipt, and their sums by hour of week over the last days."""

from __future__ import annotations

from array import array
from collections import Counter, defaultdict
from datetime import timedelta
from zoneinfo import ZoneInfo

from streams.clock import Micros, local, local_hour, micros
from streams.programs import DAYS

#: Day of the week, hour, result, as they are shown.
HourOfWeek = tuple[str, ...]
_HOURS = tuple(f"{hour:02}" for hour in range(24))


class Demand:
    """Times of receipt by local hour (days since 1 BC x 24 + hour) and result.

    The sums of the last days are kept up to date with each call, and made anew when an hour begins: a scrape asks
    for them, and there are some thousand hours.
    """

    def __init__(self, zone: ZoneInfo) -> None:
        """No calls, in a time zone."""
        self._zone = zone
        self._hours: dict[int, dict[str, array[int]]] = defaultdict(dict)
        self._first = 0  # the sums are those of the hours after this one
        self._sums: Counter[HourOfWeek] = Counter()

    def add(self, received: Micros, result: str, sign: int) -> None:
        """Add a call, or take it out."""
        hour = local_hour(received, self._zone)
        results = self._hours[hour]
        if sign < 0:
            results[result].remove(received)
            if not any(results.values()):
                del self._hours[hour]
        elif result in results:
            results[result].append(received)
        else:
            results[result] = array("q", (received,))
        if hour > self._first:
            of_week = _of_week(hour, result)
            self._sums[of_week] = self._sums.get(of_week, 0) + sign  # `+=` would ask the Counter for what is missing

    def since(self, now: Micros, days: int) -> Counter[HourOfWeek]:
        """Calls received in the local days before now."""
        start = local(now, self._zone) - timedelta(days=days)
        first = start.toordinal() * 24 + start.hour
        if first != self._first:
            self._first = first
            self._sums.clear()
            for hour, results in self._hours.items():
                if hour > first:
                    for result, times in results.items():
                        self._sums[_of_week(hour, result)] += len(times)
        counts = self._sums.copy()
        since = micros(start)
        for result, times in self._hours.get(first, {}).items():
            counts[_of_week(first, result)] += sum(at >= since for at in times)
        return counts


def _of_week(hour: int, result: str) -> HourOfWeek:
    return DAYS[(hour // 24 - 1) % 7], _HOURS[hour % 24], result
