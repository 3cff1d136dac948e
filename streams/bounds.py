"""How much one record may hold: a feed in a loop must not make a record that no Kafka message can carry."""

from __future__ import annotations

from typing import Final

from streams.calls import Call
from streams.cases import Case
from streams.packed import pack

#: Bytes of an id in a record.
_ID: Final = 8
#: Statements of one record. A busy call has some thirty, and each is looked at again with the next ones.
MOST: Final = 4096
#: From here on only what begins or ends a record: it must be possible to close a record that is nearly full.
MOST_OF_ANY: Final = 4000
#: Packed bytes that go with them. The record may still grow by one statement.
MOST_BYTES: Final = 254 * 1024
MOST_BYTES_OF_ANY: Final = 248 * 1024
#: What one statement adds at most: a unit with a name of 128 wide letters, and all of its intervals at once.
ONE: Final = 2 * 1024
#: Bytes of the ids of a record that may have too many bytes; the first look, which is at all of it.
LOOK: Final = MOST_BYTES_OF_ANY // ONE * _ID


class Bounds:
    """Which records of a program take no new statement. They are measured seldom: in between they cannot have grown so far."""

    def __init__(self) -> None:
        """Nothing measured yet."""
        self._sizes: dict[str, tuple[int, int]] = {}  # key -> statements, and bytes that they took

    def full(self, key: str, record: Call | Case, *, ending: bool) -> bool:
        """Whether a record takes no new statement; `ending`: not even one that begins or ends it.

        The answer is of the record alone, so that a worker, its successor and `verify` say the same.
        """
        statements = len(record.ids) // _ID
        if statements >= (MOST if ending else MOST_OF_ANY):
            return True
        limit = MOST_BYTES if ending else MOST_BYTES_OF_ANY
        measured, size = self._sizes.get(key, (0, limit))
        if statements != measured:
            if size + (statements - measured) * ONE < limit:
                return False
            size = len(pack(record))
            self._sizes[key] = statements, size
        return size >= limit

    def forget(self, key: str) -> None:
        """The record is gone, or has grown by something else than a statement."""
        self._sizes.pop(key, None)
