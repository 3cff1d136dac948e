"""Who was last heard of when: finds those that are silent too long, and looks at none of the others."""

from __future__ import annotations

from collections.abc import Callable
from heapq import heappop, heappush

from streams.clock import HOUR, NEVER, Micros

#: Names are kept by stretches of this length: a name that is heard of again within one need not be moved.
STRETCH = 4 * HOUR


class Silence:
    """Names by their last word. Those of stretches that were asked about are kept in order of time."""

    __slots__ = ("_ahead", "_asked", "_earliest", "_in_order", "_order")

    def __init__(self) -> None:
        """No names."""
        self._ahead: dict[int, dict[str, None]] = {}  # number of the stretch -> names
        self._asked = -NEVER // STRETCH  # the last stretch that was asked about
        self._in_order: set[str] = set()
        self._order: list[tuple[Micros, str]] = []  # a heap; names that are not in the set are gone from it
        self._earliest = NEVER  # no word is from before

    def put(self, name: str, at: Micros) -> None:
        """The last word of a name that is not in here."""
        number = at // STRETCH
        if number <= self._asked:
            heappush(self._order, (at, name))
            self._in_order.add(name)
            self._earliest = min(self._earliest, at)
            return
        names = self._ahead.get(number)
        if names is None:
            names = self._ahead[number] = {}
            self._earliest = min(self._earliest, number * STRETCH)
        names[name] = None

    def take(self, name: str, at: Micros) -> None:
        """Take out a name that was put in with a word of the stretch of this time."""
        names = self._ahead.get(at // STRETCH)
        if names is None or name not in names:
            self._in_order.remove(name)
            return
        del names[name]
        if not names:
            del self._ahead[at // STRETCH]

    def until(self, at: Micros, last_word: Callable[[str], Micros]) -> list[str]:
        """Take out those whose last word is from this time or before; it may be later than the one they were put in with."""
        if at < self._earliest:
            return []
        self._asked = max(self._asked, at // STRETCH)
        for number in [number for number in self._ahead if number <= self._asked]:
            for name in self._ahead.pop(number):
                heappush(self._order, (last_word(name), name))
                self._in_order.add(name)
        found = []
        while self._order and self._order[0][0] <= at:
            _, name = heappop(self._order)
            if name in self._in_order:
                if (word := last_word(name)) <= at:
                    self._in_order.remove(name)
                    found.append(name)
                else:
                    heappush(self._order, (word, name))
        self._earliest = min([min(self._ahead, default=NEVER // STRETCH) * STRETCH, *(at for at, _ in self._order[:1])])
        return found
