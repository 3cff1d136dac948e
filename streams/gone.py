"""Ids of records that are no longer kept: eight bytes each, so that what is sent again is never counted twice."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

#: Ids of one stored record: 32 KiB.
CHUNK: Final = 4096

#: How an id begins of which the version before kept only the number: sixteen digits follow.
HASHED: Final = "v1-"
_LENGTH: Final = len(HASHED) + 16

_another = blake2b(digest_size=8).copy


def hash64(text: str) -> int:
    """A number of 64 bits that stands for an id or a token."""
    hashing = _another()  # to make one costs more than to use it
    hashing.update(text.encode())
    return int.from_bytes(hashing.digest(), "big")


def hash_of_id(id: str) -> int:
    """The number that stands for the id of a statement, which may be known by that number alone."""
    if len(id) == _LENGTH and id.startswith(HASHED):
        try:
            return int(id[len(HASHED) :], 16)
        except ValueError:
            pass  # an id that happens to begin so
    return hash64(id)


def hashed_id(hashed: int) -> str:
    """The id of a statement of which only the number that stands for its id is known."""
    return f"{HASHED}{hashed:016x}"


class Gone:
    """The keys of archived records, in the order in which they went."""

    def __init__(self, chunks: Iterable[bytes] = (), old: Iterable[bytes] = ()) -> None:
        """With what is stored: all chunks, in their order; `old`: those of the version before, see carried.py."""
        self._all = array("Q")
        for chunk in chunks:
            self._all.frombytes(chunk)
        self._sorted = array("Q", sorted(self._all))
        self._new: set[int] = set()
        self._old = array("Q")
        for chunk in old:
            self._old.frombytes(chunk)
        self._old = array("Q", sorted(self._old))

    def __len__(self) -> int:
        """How many there are."""
        return len(self._all) + len(self._old)

    def __contains__(self, key: str) -> bool:
        """Whether the record of this key went."""
        if self._old and _is_in(self._old, hash64(_old_key(key))):
            return True
        if not self._all:
            return False
        hashed = hash64(key)
        return hashed in self._new or _is_in(self._sorted, hashed)

    def add(self, keys: Iterable[str]) -> list[int]:
        """These went; the numbers of the chunks to store again."""
        begin = len(self._all) // CHUNK
        hashed = [hash64(key) for key in keys]
        self._all.extend(hashed)
        self._new.update(hashed)
        if len(self._new) > CHUNK:
            self._sorted = array("Q", sorted((*self._sorted, *self._new)))
            self._new.clear()
        return list(range(begin, (len(self._all) + CHUNK - 1) // CHUNK)) if hashed else []

    def chunk(self, number: int) -> bytes:
        """What to store of one chunk."""
        return self._all[number * CHUNK : (number + 1) * CHUNK].tobytes()


def _is_in(hashes: array[int], hashed: int) -> bool:
    where = bisect_left(hashes, hashed)
    return where < len(hashes) and hashes[where] == hashed


def _old_key(key: str) -> str:
    """What the version before called a record: `c/` a call, `k/` a case."""
    kind, _, id = key.partition("/")
    return f"{'c' if kind == 'call' else 'k'}/{id}"
