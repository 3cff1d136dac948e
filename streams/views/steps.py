"""How many units of a team are on duty, available and unavailable at any time. Changes come mostly at the end, some late."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right, insort
from typing import NamedTuple

from streams.clock import DAY, HOUR, NEVER, Micros


class Level(NamedTuple):
    """Units of a team at a time. Those that are on duty and neither available nor unavailable are busy."""

    on_duty: int
    available: int
    unavailable: int


class Day:
    """The changes within 24 h of UTC in order of time, one a time, and their sums by hour."""

    __slots__ = (
        "at",
        "available",
        "available_by_hour",
        "changed_from",
        "on_duty",
        "on_duty_by_hour",
        "unavailable",
        "unavailable_by_hour",
    )

    def __init__(self) -> None:
        """No changes."""
        self.at = array("q")
        self.on_duty = array("i")
        self.available = array("i")
        self.unavailable = array("i")
        self.on_duty_by_hour = [0] * 24
        self.available_by_hour = [0] * 24
        self.unavailable_by_hour = [0] * 24
        #: The earliest time of a change since whoever integrates over the day has set this to NEVER.
        self.changed_from = NEVER

    def insert(self, at: Micros, on_duty: int, available: int, unavailable: int) -> None:
        """Put a change in at a time that is not later than all others of the day."""
        where = bisect_left(self.at, at)
        if self.at[where] != at:
            self.at.insert(where, at)
            self.on_duty.insert(where, on_duty)
            self.available.insert(where, available)
            self.unavailable.insert(where, unavailable)
            return
        self.on_duty[where] += on_duty
        self.available[where] += available
        self.unavailable[where] += unavailable
        if not (self.on_duty[where] or self.available[where] or self.unavailable[where]):
            del self.at[where], self.on_duty[where], self.available[where], self.unavailable[where]

    def total(self) -> Level:
        """How much the day changes."""
        return Level(sum(self.on_duty_by_hour), sum(self.available_by_hour), sum(self.unavailable_by_hour))

    def after(self, at: Micros) -> Level:
        """How much changes later than a time of the day, until its end."""
        hour = at % DAY // HOUR
        begin, end = bisect_right(self.at, at), bisect_left(self.at, at - at % HOUR + HOUR)
        return Level(
            sum(self.on_duty_by_hour[hour + 1 :]) + sum(self.on_duty[begin:end]),
            sum(self.available_by_hour[hour + 1 :]) + sum(self.available[begin:end]),
            sum(self.unavailable_by_hour[hour + 1 :]) + sum(self.unavailable[begin:end]),
        )


class Steps:
    """The units of one team as a step function of time. Asking for a recent time costs little, whatever was before."""

    __slots__ = ("_available", "_floor", "_on_duty", "_unavailable", "changed_from", "days", "order")

    def __init__(self) -> None:
        """None, at all times."""
        self.days: dict[int, Day] = {}  # days of UTC since the epoch on which something changes
        self.order: list[int] = []  # the same, sorted
        self._on_duty = self._available = self._unavailable = 0  # after all changes
        self._floor = -NEVER
        #: The earliest change since whoever integrates has set this to NEVER; each day has its own.
        self.changed_from = NEVER

    def add(self, at: Micros, on_duty: int, available: int, unavailable: int) -> None:
        """From a time on there are so many more."""
        if at < self._floor:  # no one asks for that time any more: it was so from the start
            self._on_duty += on_duty
            self._available += available
            self._unavailable += unavailable
            return
        day = self.days.get(at // DAY) or self._begin(at // DAY)
        hour = at % DAY // HOUR
        if on_duty:
            self._on_duty += on_duty
            day.on_duty_by_hour[hour] += on_duty
        if available:
            self._available += available
            day.available_by_hour[hour] += available
        if unavailable:
            self._unavailable += unavailable
            day.unavailable_by_hour[hour] += unavailable
        if at < day.changed_from:
            day.changed_from = at
        if at < self.changed_from:
            self.changed_from = at
        times = day.at
        if not times or at > times[-1]:  # mostly so
            times.append(at)
            day.on_duty.append(on_duty)
            day.available.append(available)
            day.unavailable.append(unavailable)
        else:
            day.insert(at, on_duty, available, unavailable)

    def _begin(self, number: int) -> Day:
        insort(self.order, number)
        day = self.days[number] = Day()
        return day

    def at(self, at: Micros) -> Level:
        """The level at a time, changes at that very time included; not before what was folded."""
        on_duty, available, unavailable = self._on_duty, self._available, self._unavailable
        number = at // DAY
        for later in reversed(self.order):
            if later < number:
                break
            less = self.days[later].total() if later > number else self.days[later].after(at)
            on_duty -= less[0]
            available -= less[1]
            unavailable -= less[2]
        return Level(on_duty, available, unavailable)

    def before(self, at: Micros) -> Level:
        """The level that ends at a time."""
        return self.at(at - 1)

    def fold(self, upto: Micros) -> None:
        """Forget the days that end up to this time; from there on all stays as it is."""
        self._floor = max(self._floor, upto - upto % DAY)
        gone = bisect_left(self.order, upto // DAY)
        for number in self.order[:gone]:
            del self.days[number]
        del self.order[:gone]
