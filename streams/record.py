"""A record: what was said about one call or case, under the ids of its events, and what holds of it.

Delivery is at least once and in any order of revisions; what holds depends on neither. See the contract, *Statements,
corrections, order*, and docs/meaning.md.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from math import inf
from typing import Final, Generic, Literal, TypeVar

import msgspec

from streams.clock import DAY, Micros
from streams.gone import hash64
from streams.said import CaseClosed, CaseReopened, Closed, Opened, Received, Reopened, Said, content, place

#: A record is kept so long after its last new statement arrived.
KEPT: Final[Micros] = 45 * DAY
#: And so long if all it says was older than KEPT when it arrived: a backfill.
KEPT_OF_OLD: Final[Micros] = 7 * DAY

#: Statements of one record. From MOST_OF_ANY on only what begins or ends one: it must be possible to close it.
MOST: Final = 4096
MOST_OF_ANY: Final = 4000
#: Bytes of its statements as JSON; and of the ids in its withdrawals.
MOST_BYTES: Final = 256 * 1024
#: No statement is larger: two ids of 128 and five codes of 64 characters, each of up to six bytes.
LARGEST: Final = 4 * 1024
_ENDING = frozenset((Received, Closed, Reopened, Opened, CaseClosed, CaseReopened))

#: What a statement did. `late`: new, and older than the newest statement of its record; `raised`: a duplicate, but for its
#: revision; `full`: its record takes no more; `archived`: its record is no longer kept.
Effect = Literal["applied", "late", "duplicate", "raised", "corrected", "withdrawn", "full", "archived"]

S = TypeVar("S", bound=Said)
#: The id of a withdrawal, the id of what it takes back, and up to which revision; None: whatever it is.
Withdrawal = tuple[str, str, int | None]
_encode = msgspec.json.Encoder().encode


class Record(Generic[S]):
    """The statements of one call or case. `touched` is the clock when the last new one arrived."""

    __slots__ = ("_size", "_taken_back", "fresh", "newest", "old_ids", "replaced", "said", "touched", "withdrawals")

    def __init__(
        self,
        said: Iterable[S] = (),
        withdrawals: Iterable[Withdrawal] = (),
        replaced: dict[str, bytes] | None = None,
        touched: Micros = 0,
        fresh: bool = False,
        old_ids: bytes = b"",
    ) -> None:
        """A record of these statements, one an id, whether they hold or not.

        `old_ids`: eight bytes for each event of which the version before kept no more than that; see carried.py.
        """
        self.said: dict[str, S] = {each.id: each for each in said}
        self.withdrawals: dict[str, tuple[str, int | None]] = {id: (of, upto) for id, of, upto in withdrawals}
        #: Tellings that were replaced by others of the same revision: the id, and eight bytes for each. MOST in all.
        self.replaced = replaced or {}
        self.touched = touched
        self.fresh = fresh
        self.old_ids = old_ids
        self.newest: Micros = max((each.at for each in self.said.values()), default=0)
        self._size = 0  # bytes of the statements as JSON; 0: not measured
        self._taken_back = sum(_bytes_of(id, of) for id, (of, _) in self.withdrawals.items())

    # --- the ways in ----------------------------------------------------------------------------------------

    def put(self, said: S, now: Micros) -> Effect:
        """Put a statement in its place at clock *now*."""
        old = self.said.get(said.id)
        if old is not None:
            return self._tell_again(old, said, now)
        if self.old_ids and self._was_told(said.id):
            return "duplicate"
        if len(self.said) >= MOST_BYTES // LARGEST and self._full(said):
            return "full"
        self.said[said.id] = said
        self._touch(said, now)
        if said.at < self.newest:
            return "late"
        self.newest = said.at
        return "applied"

    def withdraw(self, id: str, of: str, upto: int | None, now: Micros) -> Effect:
        """Take back what `of` says, up to a revision or all of it, whenever that comes."""
        if id in self.withdrawals:
            return "duplicate"
        size = self._taken_back + _bytes_of(id, of)
        if len(self.withdrawals) >= MOST or size > MOST_BYTES:
            return "full"
        self._taken_back = size
        self.withdrawals[id] = of, upto
        self.touched = max(self.touched, now)
        return "withdrawn"

    def _tell_again(self, old: S, said: S, now: Micros) -> Effect:
        if said == old or said.revision < old.revision:
            return "duplicate"
        digests = b""  # of what was replaced
        if said.revision == old.revision:
            digests = self.replaced.get(said.id, b"")
            digest = content(said)
            if any(digests[at : at + 8] == digest for at in range(0, len(digests), 8)):
                return "duplicate"
            if sum(map(len, self.replaced.values())) >= 8 * MOST:
                return "full"
            digests += content(old)
        elif msgspec.structs.replace(old, revision=said.revision) == said:
            self.replaced.pop(said.id, None)
            self.said[said.id] = said
            self._size = 0  # the revision may take more bytes
            return "raised"
        # a correction fits where the record has room for the largest one
        if len(self.said) >= MOST_BYTES // LARGEST:
            size = self._bytes() - len(_encode(old)) + len(_encode(said))
            if size > MOST_BYTES:
                return "full"
            self._size = size
        if digests:
            self.replaced[said.id] = digests
        else:
            self.replaced.pop(said.id, None)
        self.said[said.id] = said
        self.newest = (
            max(each.at for each in self.said.values()) if old.at == self.newest else max(self.newest, said.at)
        )
        self._touch(said, now)
        return "corrected"

    def _was_told(self, id: str) -> bool:
        hashed = hash64(id).to_bytes(8, "big")
        return any(self.old_ids[at : at + 8] == hashed for at in range(0, len(self.old_ids), 8))

    def _touch(self, said: S, now: Micros) -> None:
        if now > self.touched:
            self.touched = now
        if said.at > now - KEPT:
            self.fresh = True

    # --- how much there is ----------------------------------------------------------------------------------

    def _full(self, said: S) -> bool:
        if len(self.said) >= (MOST if type(said) in _ENDING else MOST_OF_ANY):
            return True
        size = self._bytes() + len(_encode(said))
        if size > MOST_BYTES - (0 if type(said) in _ENDING else (MOST - MOST_OF_ANY) * 256):
            return True
        self._size = size
        return False

    def _bytes(self) -> int:
        if not self._size:
            self._size = sum(len(_encode(each)) for each in self.said.values())
        return self._size

    # --- what holds -----------------------------------------------------------------------------------------

    def holds(self) -> list[S]:
        """The statements that hold, in the order of the walk."""
        return sorted(holds(self.said.values(), self.withdrawals.values()), key=place)

    @property
    def kept_until(self) -> Micros:
        """When it goes, if nothing that it is keeps it longer."""
        return self.touched + (KEPT if self.fresh else KEPT_OF_OLD)


def _bytes_of(id: str, of: str) -> int:
    return len(id.encode()) + len(of.encode())


def holds(said: Iterable[S], withdrawals: Collection[tuple[str, int | None]]) -> Iterable[S]:
    """Of some statements those that are not withdrawn: `(id, up to which revision)`, None: whatever it is."""
    if not withdrawals:
        return said
    upto: dict[str, float] = {}
    for of, revision in withdrawals:
        upto[of] = max(upto.get(of, -1), inf if revision is None else revision)
    return [each for each in said if each.revision > upto.get(each.id, -1)]
