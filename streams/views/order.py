"""Times with ids, always in order, also while a few of very many come and go: `streams/times.py` is for counting them by time."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator

from streams.clock import Micros

Dated = tuple[Micros, str]
#: Pairs in a block: moving them costs less than finding it.
FULL = 512


class Order:
    """A set of (time, id), kept in blocks so that a change moves few of them."""

    __slots__ = ("_blocks", "_lasts")

    def __init__(self) -> None:
        """Empty."""
        self._blocks: list[list[Dated]] = []  # none of them is empty
        self._lasts: list[Dated] = []  # the last of each block

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self._blocks)

    def __iter__(self) -> Iterator[Dated]:
        """In order. It must not change meanwhile."""
        for block in self._blocks:
            yield from block

    def first(self) -> Dated:
        """The earliest. Raises IndexError if there is none."""
        return self._blocks[0][0]

    def add(self, at: Micros, id: str) -> None:
        """Put in one that is not there."""
        if not self._blocks:
            self._blocks.append([(at, id)])
            self._lasts.append((at, id))
            return
        where = min(bisect_left(self._lasts, (at, id)), len(self._lasts) - 1)
        block = self._blocks[where]
        insort(block, (at, id))
        if len(block) > FULL:
            half = len(block) // 2
            self._blocks[where : where + 1] = [block[:half], block[half:]]
            self._lasts[where : where + 1] = [block[half - 1], block[-1]]
        else:
            self._lasts[where] = block[-1]

    def remove(self, at: Micros, id: str) -> None:
        """Take out one that is there."""
        where = bisect_left(self._lasts, (at, id))
        block = self._blocks[where]
        del block[bisect_left(block, (at, id))]
        if block:
            self._lasts[where] = block[-1]
        else:
            del self._blocks[where], self._lasts[where]
