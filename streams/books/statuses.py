"""The statuses of one unit that hold, in the order of the walk: when, and what each says, in ten bytes."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from typing import NamedTuple, overload

from streams.clock import Micros
from streams.events import UnitStatusCode
from streams.said import Status


class Meaning(NamedTuple):
    """What a status says, as told."""

    status: UnitStatusCode
    team: str
    area: str | None


class Meanings:
    """Numbers for what the statuses of a program say: there are few, said again and again."""

    def __init__(self) -> None:
        """None yet."""
        self.all: list[Meaning] = []
        self._numbers: dict[Meaning, int] = {}

    def number(self, status: Status) -> int:
        """The number of what a status says."""
        meaning = Meaning(status.status, status.team, status.area)
        number = self._numbers.get(meaning)
        if number is None:
            number = self._numbers[meaning] = len(self.all)
            self.all.append(meaning)
        return number


class Told(Sequence[Status]):
    """The statuses as a sequence, without their ids."""

    __slots__ = ("_meanings", "at", "says")

    def __init__(self, meanings: Meanings) -> None:
        """No status."""
        self._meanings = meanings
        self.at = array("q")
        self.says = array("I")

    def __len__(self) -> int:
        return len(self.at)

    @overload
    def __getitem__(self, where: int) -> Status: ...
    @overload
    def __getitem__(self, where: slice) -> list[Status]: ...
    def __getitem__(self, where: int | slice) -> Status | list[Status]:
        if isinstance(where, slice):
            return [self[each] for each in range(*where.indices(len(self)))]
        meaning = self._meanings.all[self.says[where]]
        return Status("", self.at[where], 0, *meaning)

    def when(self, at: Micros) -> slice:
        """Where the statuses of a time are."""
        return slice(bisect_left(self.at, at), bisect_right(self.at, at))

    def put(self, at: Micros, says: Sequence[int]) -> None:
        """The statuses of a time are these, in the order of the walk."""
        where = self.when(at)
        self.at[where] = array("q", [at] * len(says))
        self.says[where] = array("I", says)

    def drop(self, before: Micros) -> None:
        """The statuses before a time are not here any more."""
        where = bisect_left(self.at, before)
        del self.at[:where], self.says[:where]

    def last(self, at: Micros) -> int | None:
        """Number of what the last status at or before a time says; None: there is none."""
        where = bisect_right(self.at, at)
        return self.says[where - 1] if where else None

    def after(self, at: Micros, never: Micros) -> Micros:
        """The time of the first status later than this one; `never`: there is none."""
        where = bisect_right(self.at, at)
        return self.at[where] if where < len(self.at) else never
