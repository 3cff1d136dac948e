"""The journal: which records were changed, and in which order they are stored.

A worker may be killed after any of them, and what it had not acknowledged is then sent again. Two rules make every number
survive that:

* A record has its statements, what it is and what it has taken back: it is stored whole, before an event or after it.
* What changed only because of something said elsewhere is stored **before** the record in which that was said. Sent again, a
  statement whose record is stored is a duplicate and moves nothing; all that it had moved is then there.

Old records leave in batches. What a batch changes in the archive, and which records it takes away, is stored first, as one
record (`redo`); whoever finds it does it again, which changes nothing if it was done.

Keys are `<kind>/<id>`: see KINDS.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import msgspec

from streams.packed import pack

#: The kinds of records, in the order of a flush, and why.
ORDER: Final = (
    "redo",  # before what it says is done
    "day",  # archived counts of a local day, of which a batch has more than one
    "archived",  # with the days of the statuses that it is about
    "gone",  # ids of archived records
    "old",  # the same of the version before: written once
    "early",  # how many went because there were too many, with their ids
    "people",  # days with a contact of people whose records are archived
    "forgotten",  # before records lose these persons
    "told",  # what notices have said, before the cases that they were about may change
    "case",  # a case leans on its call
    "call",  # a call leans on units
    "unit",
    "status",
    "feeds",  # the newest time of each feed leans on nothing
    "program",  # under which program file the records stand: once all do. Texts are stored as soon as they apply
    "carried",  # after all that was carried over
)
_PLACE: Final = {kind: place for place, kind in enumerate(ORDER)}


class Redo(msgspec.Struct, array_like=True):
    """A batch of records that leave: what it stores, and the keys that go."""

    stored: dict[str, bytes]
    gone: list[str]


REDO: Final = "redo/"
#: There while records of the version before are, once all of them are carried over.
CARRIED: Final = "carried/"
_decode = msgspec.msgpack.Decoder(Redo).decode


class Journal:
    """All records of a program as of the last flush, and which have changed since."""

    def __init__(self, records: dict[str, bytes] | None = None) -> None:
        """The records of a changelog, which are the journal's from now on. Raises msgspec.DecodeError."""
        self.records: dict[str, bytes] = {} if records is None else records
        self._said: dict[str, None] = {}  # something new was said in them
        self._moved: dict[str, None] = {}  # they changed for what was said elsewhere
        self._stored: dict[str, bytes | None] = {}  # to be stored as it is here
        #: Records of the version before that are to be carried over, see carried.py.
        self.before: dict[str, bytes] = {}
        self._replaced: list[str] = []  # once those are carried over, these go
        self._split()
        #: A batch that a crash may have cut short is done again with the next flush; the next one waits for that.
        self.redoing = False
        if packed := self.records.get(REDO):
            self.leave(_decode(packed))
            del self._stored[REDO]
            self.redoing = True

    def _split(self) -> None:
        """Take out the records of the version before: what they were carried over to is whole, or is made anew."""
        old = {key: self.records.pop(key) for key in [*self.records] if _is_old(key)}
        if CARRIED in self.records:
            self._stored = dict.fromkeys((*old, CARRIED))
        elif old:
            self.before = old
            self._replaced = [*old, *self.records]
            self.records.clear()

    def said(self, key: str) -> None:
        """Something new was said in a record."""
        self._said[key] = None

    def moved(self, key: str) -> None:
        """A record changed for something that was said elsewhere."""
        self._moved[key] = None

    def store(self, key: str, packed: bytes) -> None:
        """Store a record that is no book's."""
        self._stored[key] = packed

    def leave(self, batch: Redo) -> None:
        """Take records away, and store what counts in their place; one batch a flush."""
        self._stored[REDO] = pack(batch)
        self._stored.update(batch.stored)
        self._stored.update(dict.fromkeys(batch.gone))
        for key in batch.gone:
            self._said.pop(key, None)
            self._moved.pop(key, None)
            self.records.pop(key, None)
        self.records.update(batch.stored)

    def in_order(self) -> Iterator[tuple[str, bytes]]:
        """All records as of the last flush, in the order to store them."""
        return iter(sorted(self.records.items(), key=lambda each: _place(each[0])))

    def changed(self) -> tuple[list[str], list[str]]:
        """Keys of the records whose content the books have to give: moved, and said in. Forgets them."""
        moved = [key for key in self._moved if key not in self._said]
        said = list(self._said)
        self._moved.clear()
        self._said.clear()
        return sorted(moved, key=_place), sorted(said, key=_place)

    def flush(self, moved: dict[str, bytes | None], said: dict[str, bytes | None]) -> dict[str, bytes | None]:
        """What to store, in this order; None: no longer kept. The last batch is over once the next flush begins."""
        begun = self._stored.pop(REDO, None)
        changes: dict[str, bytes | None] = {}
        if begun is not None:
            changes[REDO] = begun
        elif REDO in self.records and not self.redoing:
            changes[REDO] = None  # first, or a crash would do it again over what follows
        stored = dict(sorted(self._stored.items(), key=_in_turn))
        changes |= {key: packed for key, packed in stored.items() if packed is not None}
        changes |= moved
        changes |= said
        if self._replaced:
            changes[CARRIED] = b"\x01"
        changes |= {key: None for key, packed in stored.items() if packed is None and key not in changes}
        if self.redoing:
            changes[REDO] = None  # last, once it is done
            self.redoing = False
        for key, packed in changes.items():
            if packed is None:
                self.records.pop(key, None)
            else:
                self.records[key] = packed
        self._stored.clear()
        if self._replaced:
            self._stored |= {key: None for key in (*self._replaced, CARRIED) if key not in changes or key == CARRIED}
            self._replaced = []
        return changes


def _in_turn(change: tuple[str, bytes | None]) -> tuple[bool, int]:
    """What is stored goes before what is deleted."""
    key, packed = change
    return packed is None, _place(key)


def _place(key: str) -> int:
    return -1 if _is_old(key) else _PLACE[key.partition("/")[0]]


def _is_old(key: str) -> bool:
    """Whether the version before wrote it: its kinds were letters."""
    return len(key) == 1 or key[1] == "/"
