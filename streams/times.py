"""Times in order, each with a name: how many are past, which come next. Asked for any time, also one before the last."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator

from streams.clock import NEVER, Micros

#: Up to so many changes are made one by one (each moves memory); more are sorted in at once.
FEW = 64


class Times:
    """A bag of (time, name). Changes are taken in when it is next asked, so that a thousand cost one sort."""

    __slots__ = ("_at", "_changes", "_names", "_steady")

    def __init__(self) -> None:
        """Empty."""
        self._at = array("q")
        self._names: list[str] = []
        self._changes: dict[tuple[Micros, str], int] = {}
        self._steady: tuple[Micros, Micros, tuple[int, ...]] | None = None  # counts, and from when until when they hold

    def change(self, at: Micros, name: str, by: int) -> None:
        """Put in one (+1), or take out one that is there (-1)."""
        key = at, name
        count = self._changes.get(key, 0) + by
        if count:
            self._changes[key] = count
        else:
            del self._changes[key]

    def __len__(self) -> int:
        """How many there are."""
        self._settle()
        return len(self._at)

    def upto(self, at: Micros) -> int:
        """How many are at this time or before."""
        self._settle()
        return bisect_right(self._at, at)

    def next(self, after: Micros) -> Micros | None:
        """The first time later than this one."""
        where = self.upto(after)
        return self._at[where] if where < len(self._at) else None

    def steady(self, now: Micros, count: Callable[[Callable[[Micros], int]], tuple[int, ...]]) -> tuple[int, ...]:
        """What `count` makes of this bag at *now*. It is asked again only once there was a change, or a time has passed.

        It is to be the same each time, and to depend on nothing but what it is given: `upto`, of times from *now* on.
        """
        self._settle()
        if self._steady and self._steady[0] <= now < self._steady[1]:
            return self._steady[2]
        begin, end = -NEVER, NEVER

        def upto(ahead: Micros) -> int:
            nonlocal begin, end
            where = bisect_right(self._at, now + ahead)
            if where:
                begin = max(begin, self._at[where - 1] - ahead)
            if where < len(self._at):
                end = min(end, self._at[where] - ahead)
            return where

        counts = count(upto)
        self._steady = begin, end, counts
        return counts

    def between(self, after: Micros, upto: Micros) -> Iterator[tuple[Micros, str]]:
        """Those later than `after` and not later than `upto`, in order."""
        begin, end = self.upto(after), self.upto(upto)
        return zip(self._at[begin:end], self._names[begin:end], strict=True)

    def _settle(self) -> None:
        if not self._changes:
            return
        self._steady = None
        if len(self._changes) > FEW:
            self._rebuild()
        else:
            for (at, name), count in self._changes.items():
                self._change(at, name, count)
        self._changes = {}

    def _change(self, at: Micros, name: str, count: int) -> None:
        begin, end = bisect_left(self._at, at), bisect_right(self._at, at)
        where = bisect_left(self._names, name, begin, end)  # names of one time are in order too
        for _ in range(-count):
            del self._at[where], self._names[where]
        for _ in range(count):
            self._at.insert(where, at)
            self._names.insert(where, name)

    def _rebuild(self) -> None:
        fewer = {key: -count for key, count in self._changes.items() if count < 0}
        pairs: list[tuple[Micros, str]] = []
        for pair in zip(self._at, self._names, strict=True):
            if fewer.get(pair):
                fewer[pair] -= 1
            else:
                pairs.append(pair)
        for pair, count in self._changes.items():
            pairs += [pair] * count
        pairs.sort()
        self._at = array("q", [at for at, _ in pairs])
        self._names = [name for _, name in pairs]
