"""Closed calls by the local hour of week in which they were received, over the last 28 days: when nobody is there for callers."""

from __future__ import annotations

from array import array
from collections import Counter
from typing import Final, Literal, get_args

from streams.clock import DAY, HOUR, Micros, from_local, local_hour, local_micros
from streams.entries import Call
from streams.programs import DAYS
from streams.rules import Rules

Reached = Literal["served", "unmet", "outside_hours"]
#: Day of the week, hour, what became of the call: as they are shown.
HourOfWeek = tuple[str, str, Reached]

#: So many days, by the clock on the wall: four of each hour of the week.
SPAN: Final[Micros] = 28 * DAY
#: Results that tell of nobody who was let wait; all but these and the next are `unmet`.
_NO_DEMAND: Final = frozenset(("ineligible", "duplicate", "outside_area"))
_SERVED: Final = frozenset(("served", "served_remotely"))
_WEEK: Final = 7 * 24
#: By hours of a week: hours are counted from a Sunday, as `date.toordinal` counts days.
_KINDS: Final[dict[Reached, list[HourOfWeek]]] = {
    reached: [(DAYS[(hour // 24 - 1) % 7], f"{hour % 24:02}", reached) for hour in range(_WEEK)]
    for reached in get_args(Reached)
}


class Hours:
    """Times of receipt, by hour (whole hours since the epoch) and by what they count for.

    The sums over the hours that are wholly in the span are kept up with each call, and made anew when the span begins in another
    hour; of the hours in which it begins and ends, single calls are looked at. So it is exact, and a reading costs little.
    """

    def __init__(self, rules: Rules) -> None:
        """No calls, in the zone of the program."""
        self._zone = rules.profile.zone
        self._received: dict[int, dict[HourOfWeek, array[int]]] = {}
        self._first = 0  # the sums are those of the hours after this one
        self._sums: Counter[HourOfWeek] = Counter()

    def change(self, before: Call | None, after: Call | None) -> None:
        """A call was something else before; None: it was not, or is no more."""
        was, is_now = _counts_for(before), _counts_for(after)
        if was == is_now:
            return
        if was is not None:
            self._take_out(*was)
        if is_now is not None:
            self._put_in(*is_now)

    def since(self, now: Micros) -> dict[HourOfWeek, int]:
        """Closed calls received after the time 28 days ago at which the clock showed the same, and not later than *now*."""
        begins = from_local(local_micros(now, self._zone) - SPAN, self._zone)
        first = begins // HOUR
        if first != self._first:
            self._first = first
            self._sums = Counter()
            for hour, kinds in self._received.items():
                if hour > first:
                    for kind, times in kinds.items():
                        self._sums[kind] += len(times)
        found = self._sums.copy()
        for kind, times in self._received.get(first, {}).items():
            found[kind] += sum(at > begins for at in times)
        for hour in [hour for hour in self._received if hour >= now // HOUR]:  # clocks of others may be ahead
            for kind, times in self._received[hour].items():
                found[kind] -= sum(at > now for at in times)
        return {kind: n for kind, n in found.items() if n}

    def _put_in(self, at: Micros, reached: Reached) -> None:
        hour, kind = at // HOUR, self._kind(at, reached)
        kinds = self._received.get(hour)
        if kinds is None:
            kinds = self._received[hour] = {}
        times = kinds.get(kind)
        if times is None:
            kinds[kind] = array("q", (at,))
        else:
            times.append(at)
        if hour > self._first:
            self._sums[kind] += 1

    def _take_out(self, at: Micros, reached: Reached) -> None:
        hour, kind = at // HOUR, self._kind(at, reached)
        kinds = self._received[hour]
        kinds[kind].remove(at)
        if not kinds[kind]:
            del kinds[kind]
            if not kinds:
                del self._received[hour]
        if hour > self._first:
            self._sums[kind] -= 1

    def _kind(self, at: Micros, reached: Reached) -> HourOfWeek:
        hour = local_hour(at, self._zone)
        return _KINDS[reached][hour % _WEEK]


def reached(result: str) -> Reached | None:
    """What a result counts for here; None: for nothing."""
    if result in _SERVED:
        return "served"
    if result in _NO_DEMAND:
        return None
    return "outside_hours" if result == "outside_hours" else "unmet"


def _counts_for(call: Call | None) -> tuple[Micros, Reached] | None:
    if call is None or call.received is None or call.closed is None or call.result is None:
        return None
    kind = reached(call.result)
    return None if kind is None else (call.received, kind)
