"""Ids of records that are no longer kept: eight bytes each, so that what is sent again is never counted twice."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterable
from hashlib import blake2b
from typing import Final

#: Ids of one stored record: 32 KiB.
CHUNK: Final = 4096

_another = blake2b(digest_size=8).copy


def hash64(text: str) -> int:
    """A number of 64 bits that stands for an id or a token."""
    hashing = _another()  # to make one costs more than to use it
    hashing.update(text.encode())
    return int.from_bytes(hashing.digest(), "big")


class Gone:
    """The keys of archived records, in the order in which they went."""

    def __init__(self, chunks: Iterable[bytes] = ()) -> None:
        """With what is stored: all chunks, in their order."""
        self._all = array("Q")
        for chunk in chunks:
            self._all.frombytes(chunk)
        self._sorted = array("Q", sorted(self._all))
        self._new: set[int] = set()

    def __len__(self) -> int:
        """How many there are."""
        return len(self._all)

    def __contains__(self, key: str) -> bool:
        """Whether the record of this key went."""
        if not self._all:
            return False
        hashed = hash64(key)
        if hashed in self._new:
            return True
        where = bisect_left(self._sorted, hashed)
        return where < len(self._sorted) and self._sorted[where] == hashed

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
