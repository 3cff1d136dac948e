"""Who was last heard of when: finds those that were silent for long without a look at all the others."""

from __future__ import annotations

from streams.clock import HOUR, NEVER, Micros


class Silence:
    """Names by the hour of their last word."""

    __slots__ = ("_hours", "earliest")

    def __init__(self) -> None:
        """No names."""
        self._hours: dict[int, dict[str, None]] = {}
        self.earliest = NEVER  # no word is from before

    def put(self, name: str, at: Micros) -> None:
        """The last word of a name that is not in here."""
        hour = at // HOUR
        names = self._hours.get(hour)
        if names is None:
            names = self._hours[hour] = {}
            self.earliest = min(self.earliest, hour * HOUR)
        names[name] = None

    def take(self, name: str, at: Micros) -> None:
        """Take out a name that was put in with a word of this time."""
        names = self._hours[at // HOUR]
        del names[name]
        if not names:
            del self._hours[at // HOUR]

    def until(self, at: Micros) -> list[str]:
        """Names whose last word may be from this time or before, with some from the rest of its hour."""
        if at < self.earliest:
            return []
        self.earliest = min(self._hours, default=NEVER // HOUR) * HOUR
        return [name for hour in sorted(self._hours) if hour <= at // HOUR for name in self._hours[hour]]
