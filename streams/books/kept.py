"""What books have in common: a record with what it is now, and what it once counted and does no more."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

from streams.entries import Fact
from streams.record import Record
from streams.said import Said

S = TypeVar("S", bound=Said)
Entry = TypeVar("Entry")


class Kept(Generic[S, Entry]):
    """A record that is worked with: its statements, its entry, and the facts it has taken back.

    A counter is the sum of facts and of those taken back, so that one record, which is stored whole, changes both at once.
    """

    __slots__ = ("entry", "record", "taken")

    def __init__(self, record: Record[S], entry: Entry | None, taken: tuple[Fact, ...]) -> None:
        """A record and what it is; `taken`: facts that were counted as corrected."""
        self.record = record
        self.entry = entry
        self.taken = taken


class Change(NamedTuple, Generic[S, Entry]):
    """What a record was and what it is now; None: nothing that is said about it holds."""

    id: str
    before: Entry | None
    after: Entry | None
    kept: Kept[S, Entry]
