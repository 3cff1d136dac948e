"""The lines of the last hours: one point a minute, of this process only. They start empty, and say since when."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

import msgspec

#: Points kept: six hours.
KEPT = 360
#: Seconds between points.
EVERY = 60


class Trend(msgspec.Struct, frozen=True):
    """Points of one program: times (seconds) and, by name, a value a time (null: not known then)."""

    program: str
    times: list[int]
    lines: dict[str, list[int | None]]


class Trends:
    """The points of one program."""

    def __init__(self) -> None:
        """None yet."""
        self._points: deque[tuple[int, Mapping[str, int]]] = deque(maxlen=KEPT)

    def add(self, at: int, values: Mapping[str, int]) -> None:
        """A point; one that is not later than the last is left out."""
        if not self._points or at > self._points[-1][0]:
            self._points.append((at, values))

    def trend(self, program: str) -> Trend:
        """All points of the program, with a hole where more than one was missed: a line must not bridge what nobody saw."""
        times: list[int] = []
        rows: list[Mapping[str, int]] = []
        for at, values in self._points:
            if times and at - times[-1] > 2 * EVERY:
                times.append(times[-1] + EVERY)
                rows.append({})
            times.append(at)
            rows.append(values)
        names = dict.fromkeys(name for row in rows for name in row)
        return Trend(program, times, {name: [row.get(name) for row in rows] for name in names})
