"""The book of cases: what was said about each, and what each is. A call may open one, without a word about the case itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from streams import entries
from streams.books.kept import Change, Kept
from streams.clock import Micros
from streams.derive.case import derive_case, shown_until
from streams.packed import pack
from streams.record import Effect, Record, Withdrawal
from streams.rules import Rules
from streams.said import AnyOfCase, Person


class Stored(msgspec.Struct, array_like=True, gc=False):
    """The record of a case."""

    touched: Micros
    fresh: bool
    entry: entries.Case | None
    taken: tuple[entries.Fact, ...]
    said: list[AnyOfCase]
    withdrawals: list[Withdrawal]
    replaced: dict[str, bytes]
    old_ids: bytes = b""


_decode = msgspec.msgpack.Decoder(Stored).decode


class Cases:
    """All kept cases of a program. Each stays live: there are far fewer than calls, and follow-ups look at them for weeks."""

    def __init__(self, rules: Rules, forgotten: Mapping[Person, Micros]) -> None:
        """No cases. `forgotten`: persons, and up to when statements lose them."""
        self.rules = rules
        self._forgotten = forgotten
        self.live: dict[str, Kept[AnyOfCase, entries.Case]] = {}
        self._openings: dict[str, entries.Opening] = {}  # what calls open, by their ids
        self._touched: dict[str, None] = {}

    def apply(self, id: str, said: AnyOfCase, now: Micros) -> Effect:
        """Put a statement about a case in its place."""
        effect = self._get(id).record.put(said, now)
        if effect not in ("duplicate", "full"):
            self._touched[id] = None
        return effect

    def withdraw(self, id: str, withdrawal: Withdrawal, now: Micros) -> Effect:
        """Take back what was said about a case."""
        effect = self._get(id).record.withdraw(*withdrawal, now)
        if effect == "withdrawn":
            self._touched[id] = None
        return effect

    def take_in(self, id: str, record: Record[AnyOfCase]) -> None:
        """A record that was made elsewhere, see streams/carried.py."""
        self.live[id] = Kept(record, None, ())
        self._touched[id] = None

    def open_by_call(self, id: str, opening: entries.Opening | None) -> None:
        """What the call of this id opens now."""
        if opening is None:
            self._openings.pop(id, None)
        else:
            self._openings[id] = opening
        self._touched[id] = None

    def lean(self) -> None:
        """All of them may be otherwise now: the program file has changed."""
        self._touched.update(dict.fromkeys((*self.live, *self._openings)))

    def _get(self, id: str) -> Kept[AnyOfCase, entries.Case]:
        case = self.live.get(id)
        if case is None:
            case = self.live[id] = Kept(Record(), None, ())
        return case

    def __contains__(self, id: str) -> bool:
        return id in self.live

    def until(self, id: str) -> Micros | None:
        """Until when a case is kept; NEVER: as long as it is active; None: there is no such case."""
        case = self.live.get(id)
        if case is None:
            return None
        return max(case.record.kept_until, shown_until(case.entry) if case.entry else 0)

    def settle(self) -> Iterator[Change[AnyOfCase, entries.Case]]:
        """Work out anew what the cases are that were touched; those that have changed."""
        for id in self._touched:
            case = self._get(id)
            before = case.entry
            after = derive_case(id, case.record.holds(), self._openings.get(id), self.rules, self._forgotten, before)
            if after != before:
                case.entry = after
                yield Change(id, before, after, case)
            if after is None and not (case.record.said or case.record.withdrawals or case.taken):
                del self.live[id]  # a call opened it, and does so no more
        self._touched.clear()

    # --- what is stored -------------------------------------------------------------------------------------

    def pack(self, id: str) -> bytes | None:
        """The record of a case; None: there is none, as nothing was said about it or it is no longer kept."""
        case = self.live.get(id)
        if case is None:
            return None
        record = case.record
        if not (record.said or record.withdrawals or case.taken):
            return None
        return pack(
            Stored(
                record.touched,
                record.fresh,
                case.entry,
                case.taken,
                list(record.said.values()),
                [(withdrawal, of, upto) for withdrawal, (of, upto) in record.withdrawals.items()],
                record.replaced,
                record.old_ids,
            )
        )

    def restore(self, id: str, packed: bytes) -> Kept[AnyOfCase, entries.Case]:
        """Take a record in."""
        stored = _decode(packed)
        record = Record(stored.said, stored.withdrawals, stored.replaced, stored.touched, stored.fresh, stored.old_ids)
        case = self.live[id] = Kept(record, stored.entry, stored.taken)
        return case

    def drop(self, id: str) -> Kept[AnyOfCase, entries.Case]:
        """A case is no longer kept."""
        self._openings.pop(id, None)
        return self.live.pop(id)
