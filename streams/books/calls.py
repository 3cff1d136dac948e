"""The book of calls: what was said about each, which other calls lean on that, and what each is."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

import msgspec

from streams import entries
from streams.books.kept import Change, Kept
from streams.books.merges import NOTHING, Merges, Told, told_in
from streams.books.whereabouts import KINDS, Mark, Whereabouts
from streams.clock import NEVER, Micros
from streams.derive.call import derive_call
from streams.derive.past import End, UnitResult
from streams.packed import pack
from streams.record import KEPT, KEPT_OF_OLD, Effect, Record, Withdrawal
from streams.rules import Rules
from streams.said import (
    AnyOfCall,
    Closed,
    Contact,
    Force,
    Needles,
    Person,
    PoliceRequested,
    Referral,
    Said,
    UnitPoint,
    place,
)

#: What is said of these counts for the call that a call is merged into.
_MOVES_WITH_MERGE = (UnitPoint, Contact, Force, Needles, Referral, PoliceRequested)

#: A mark of a call: the unit, when, its kind.
UnitMark = tuple[str, Micros, int]


class Head(msgspec.Struct, array_like=True, gc=False):
    """What a restore needs of a call: it comes first in the record, and is decoded without the rest."""

    touched: Micros
    fresh: bool
    entry: entries.Call | None
    taken: tuple[entries.Fact, ...]
    marks: tuple[UnitMark, ...]
    merges: Told


class Stored(Head, array_like=True, gc=False):
    """The whole record."""

    said: list[AnyOfCall]
    withdrawals: list[Withdrawal]
    replaced: dict[str, bytes]
    old_ids: bytes = b""


_decode_head = msgspec.msgpack.Decoder(Head).decode
_decode = msgspec.msgpack.Decoder(Stored).decode


class LiveCall(Kept[AnyOfCall, entries.Call]):
    """A call that is open, or that something was said about since the last flush."""

    __slots__ = ("holding", "marks", "merges")

    def __init__(
        self, record: Record[AnyOfCall], entry: entries.Call | None = None, taken: tuple[entries.Fact, ...] = ()
    ) -> None:
        """A call of which nothing was worked out yet, or with what is stored."""
        super().__init__(record, entry, taken)
        self.marks: tuple[UnitMark, ...] = ()
        self.merges = NOTHING
        self.holding: list[AnyOfCall] | None = None  # its statements that hold, once they were asked for


class Statuses(Protocol):
    """What the statuses of units say of calls, see `Past`."""

    def team(self, unit: str, at: Micros) -> str | None:
        """The team of the unit's last status at or before a time."""

    def result(self, at: Micros, teams: tuple[str, ...]) -> UnitResult | None:
        """Why no unit of these teams could be sent."""


class Calls:
    """All kept calls of a program. `settle` says what became of those that were touched."""

    def __init__(
        self,
        rules: Rules,
        whereabouts: Whereabouts,
        statuses: Statuses,
        forgotten: Mapping[Person, Micros],
        records: Mapping[str, bytes],
    ) -> None:
        """No calls. `records`: where all of them are as of the last flush; `forgotten`: persons, and up to when."""
        self.rules = rules
        self._whereabouts = whereabouts
        self._statuses = statuses
        self._forgotten = forgotten
        self._records = records
        self.live: dict[str, LiveCall] = {}
        self._placed: list[str] = []
        self._loaded: dict[str, None] = {}  # made live since the last flush
        self._said: dict[str, None] = {}  # something new was said since the last settling
        self._leaning: dict[str, None] = {}  # what they are may have changed
        self._merges = Merges(self.knows)
        self._restoring: defaultdict[str, list[tuple[Micros, int, str | None]]] = defaultdict(list)
        self._asking: list[tuple[Micros, str]] = []  # closed calls whose result the units tell, by when they ask

    # --- the way in -----------------------------------------------------------------------------------------

    def apply(self, id: str, said: AnyOfCall, now: Micros) -> Effect:
        """Put a statement about a call in its place."""
        effect = self._make(id).record.put(said, now)
        if effect not in ("duplicate", "full"):
            self._said[id] = None
        return effect

    def withdraw(self, id: str, withdrawal: Withdrawal, now: Micros) -> Effect:
        """Take back what was said about a call."""
        effect = self._make(id).record.withdraw(*withdrawal, now)
        if effect == "withdrawn":
            self._said[id] = None
        return effect

    def take_in(self, id: str, record: Record[AnyOfCall]) -> None:
        """A record that was made elsewhere, see streams/carried.py."""
        self.live[id] = LiveCall(record)
        self._loaded[id] = self._said[id] = None

    def get(self, id: str) -> LiveCall | None:
        """A kept call, made live."""
        call = self.live.get(id)
        if call is None and (packed := self._records.get("call/" + id)) is not None:
            call = self.live[id] = _unpack(packed)
            self._loaded[id] = None
        return call

    def _make(self, id: str) -> LiveCall:
        call = self.get(id)
        if call is None:
            call = self.live[id] = LiveCall(Record())
            self._loaded[id] = None
        return call

    def __contains__(self, id: str) -> bool:
        return id in self.live or "call/" + id in self._records

    def until(self, id: str) -> Micros | None:
        """Until when a call is kept; NEVER: it is open; None: there is no such call."""
        call = self.live.get(id)
        if call is not None:
            return NEVER if call.entry and call.entry.state == "open" else call.record.kept_until
        packed = self._records.get("call/" + id)
        if packed is None:
            return None
        head = _decode_head(packed)
        return head.touched + (KEPT if head.fresh else KEPT_OF_OLD)  # an open one would be live

    def lean(self, ids: Iterable[str]) -> None:
        """These calls may be otherwise now, for something that was not said about them."""
        self._leaning.update(dict.fromkeys(ids))

    def lean_on_people(self, person: Person) -> None:
        """A person is forgotten: calls that tell of one."""
        for id in self._ids():
            call = self.live.get(id)
            entry = call.entry if call else _decode_head(self._records["call/" + id]).entry
            if entry is not None and person in entry.people:
                self._leaning[id] = None

    def _ids(self) -> list[str]:
        return [*self.live, *(key[5:] for key in self._records if key.startswith("call/") and key[5:] not in self.live)]

    def tell_all(self) -> None:
        """The program file has changed: all of them may be otherwise, and units may have other names."""
        ids = self._ids()
        for id in ids:
            self.get(id)
        self._said.update(dict.fromkeys(ids))

    def lean_on_results(self, begin: Micros, end: Micros) -> None:
        """What units did in a span has changed, its end not included: closed calls that ask for it may end otherwise."""
        asking = self._asking
        for _, id in asking[bisect_left(asking, (begin, "")) : bisect_left(asking, (end, ""))]:
            self._leaning[id] = None

    # --- what follows ---------------------------------------------------------------------------------------

    def place(self) -> dict[str, tuple[Micros, Micros]]:
        """First of the two steps of settling: units are where the statements put them.

        Returns the units that were moved, and from when until when. Their other calls may end otherwise, and their `off_duty`
        may hold from another time.
        """
        moved: dict[str, tuple[Micros, Micros]] = {}
        targets: dict[str, None] = {}
        for id in self._said:
            call = self.live[id]
            call.holding = call.record.holds()
            call.merges, before = told_in(id, call.holding), call.merges
            if call.merges.ever or before.ever or self._merges.concerns(id):
                targets.update(dict.fromkeys(self._merges.family(id)))
                self._merges.tell(id, call.merges)
                targets.update(dict.fromkeys(self._merges.family(id)))
            targets[id] = None
        for id in targets:
            self._mark(id, moved)
        self._leaning.update(targets)
        self._said.clear()
        return moved

    def placed(self) -> list[str]:
        """The calls of which the marks have changed since this was last asked."""
        placed, self._placed = self._placed, []
        return placed

    def settle(self) -> Iterator[Change[AnyOfCall, entries.Call]]:
        """Second step: work out anew what the calls are that may have changed; those that have."""
        for id in self._leaning:
            call = self.get(id)
            if call is None:
                continue
            before = call.entry
            after = self._derive(id, call)
            if after != before:
                call.entry = after
                self._ask(id, before, after)
                yield Change(id, before, after, call)
        self._leaning.clear()

    def _derive(self, id: str, call: LiveCall) -> entries.Call | None:
        holding = self._holding(call)
        if not holding:
            return None
        concerned = self._merges.concerns(id)
        statements = self._with_merged(id, holding) if concerned else holding
        if self._forgotten:
            statements = [self._without_person(said) for said in statements]
        past = _PastOf(id, self._whereabouts, self._statuses)
        into = self._merges.into(id) if concerned else None
        return derive_call(id, statements, self.rules, past, into, self.knows)

    def _without_person(self, said: AnyOfCall) -> AnyOfCall:
        if type(said) is not Closed or said.person is None or said.at > self._forgotten.get(said.person, 0):
            return said
        return msgspec.structs.replace(said, person=None)

    def _holding(self, call: LiveCall) -> list[AnyOfCall]:
        if call.holding is None:
            call.holding = list(call.record.holds())
        return call.holding

    def _ask(self, id: str, before: entries.Call | None, after: entries.Call | None) -> None:
        old = before.asks if before else None
        new = after.asks if after else None
        if old != new:
            if old:
                del self._asking[bisect_left(self._asking, (old.at, id))]
            if new:
                insort(self._asking, (new.at, id))

    # --- where units were -----------------------------------------------------------------------------------

    def _mark(self, id: str, moved: dict[str, tuple[Micros, Micros]]) -> None:
        """Put the marks of a call on the timelines of its units; notes those that have changed."""
        call = self.get(id)
        if call is None:
            return
        marks: dict[UnitMark, None] = {}
        concerned = self._merges.concerns(id)
        if (holding := self._holding(call)) and not (concerned and self._merges.final(id) != id):
            for said in self._with_merged(id, holding) if concerned else holding:
                kind = KINDS.get(type(said))
                if kind is not None and (unit := _unit_of(said)) is not None:
                    marks[self.rules.unit(unit).unit, said.at, kind] = None
        after = tuple(marks)
        if after == call.marks:
            return
        old, new = _by_unit(call.marks), _by_unit(after)
        for unit in old.keys() | new.keys():
            changed = set(old[unit]) ^ set(new[unit])
            if changed:
                times = [at for at, _ in changed]
                first, last = moved.get(unit, (times[0], times[0]))
                moved[unit] = min(first, *times), max(last, *times)
                self.lean(self._whereabouts.change(unit, id, old[unit], new[unit]))
        call.marks = after
        self._placed.append(id)

    # --- merged calls: see merges.py ------------------------------------------------------------------------

    def knows(self, id: str) -> bool:
        """Whether there is a call of which a statement holds."""
        call = self.get(id)
        return call is not None and bool(self._holding(call))

    def _with_merged(self, id: str, holding: list[AnyOfCall]) -> list[AnyOfCall]:
        """The statements of a call, and what is said of units and the like on those that are merged into it."""
        statements = [(said, id) for said in holding]
        for source in self._merges.merged_into(id):
            call = self.get(source)
            assert call is not None, source
            statements += [(said, source) for said in self._holding(call) if isinstance(said, _MOVES_WITH_MERGE)]
        statements.sort(key=lambda each: (place(each[0]), each[1]))
        return [said for said, _ in statements]

    # --- what is stored -------------------------------------------------------------------------------------

    def pack(self, id: str) -> bytes | None:
        """The record of a live call; None: it is no longer kept."""
        call = self.live.get(id)
        if call is None:
            return None
        record = call.record
        return pack(
            Stored(
                record.touched,
                record.fresh,
                call.entry,
                call.taken,
                call.marks,
                call.merges,
                list(record.said.values()),
                [(id, of, upto) for id, (of, upto) in record.withdrawals.items()],
                record.replaced,
                record.old_ids,
            )
        )

    def flushed(self) -> None:
        """All is stored: only open calls stay live."""
        for id in self._loaded:
            call = self.live.get(id)
            if call is not None and (call.entry is None or call.entry.state != "open"):
                del self.live[id]
        self._loaded.clear()

    def restore(self, id: str, packed: bytes) -> tuple[entries.Call | None, tuple[entries.Fact, ...]]:
        """Take a record in: what the call is, and what it has taken back. When all are there: `restored`."""
        head = _decode_head(packed)
        entry = head.entry
        if entry is not None and entry.state == "open":
            self.live[id] = _unpack(packed)
        for unit, at, kind in head.marks:
            self._restoring[unit].append((at, kind, id))
        if head.merges.ever:
            self._merges.tell(id, head.merges)
        if entry is not None and entry.asks is not None:
            self._asking.append((entry.asks.at, id))
        return entry, head.taken

    def restored(self) -> None:
        """All records are there."""
        for unit, marks in self._restoring.items():
            self._whereabouts.units[unit].fill(marks)
        self._restoring.clear()
        self._asking.sort()
        # of merged calls and of those that they are merged into a crash may have left one behind
        self.lean(self._merges.merged())

    def drop(self, id: str) -> tuple[entries.Call | None, tuple[entries.Fact, ...]]:
        """A call is no longer kept; what it was, and what it has taken back."""
        call = self.get(id)
        assert call is not None, id
        self._ask(id, call.entry, None)
        self._merges.tell(id, NOTHING)
        for unit, marks in _by_unit(call.marks).items():
            self._whereabouts.change(unit, id, marks, [])
        del self.live[id]
        return call.entry, call.taken


class _PastOf:
    """`Past`, for one call."""

    __slots__ = ("_id", "_whereabouts", "result", "team")

    def __init__(self, id: str, whereabouts: Whereabouts, statuses: Statuses) -> None:
        self._id, self._whereabouts = id, whereabouts
        self.team, self.result = statuses.team, statuses.result

    def end(self, unit: str, after: Micros, reached: bool) -> End | None:
        timeline = self._whereabouts.units.get(unit)
        return timeline.end(self._id, after, reached) if timeline else None

    def stacked(self, unit: str, at: Micros) -> bool:
        timeline = self._whereabouts.units.get(unit)
        return timeline is not None and timeline.stands(at, self._id)

    def free_from(self, unit: str, at: Micros) -> Micros:
        timeline = self._whereabouts.units.get(unit)
        return timeline.free_from(at, self._id) if timeline else at


def _unit_of(said: Said) -> str | None:
    if isinstance(said, Contact):
        return said.unit if said.channel == "in_person" else None
    assert isinstance(said, UnitPoint)
    return said.unit


def _by_unit(marks: Iterable[UnitMark]) -> defaultdict[str, list[Mark]]:
    found: defaultdict[str, list[Mark]] = defaultdict(list)
    for unit, at, kind in marks:
        found[unit].append((at, kind))
    return found


def _unpack(packed: bytes) -> LiveCall:
    stored = _decode(packed)
    record = Record(stored.said, stored.withdrawals, stored.replaced, stored.touched, stored.fresh, stored.old_ids)
    call = LiveCall(record, stored.entry, stored.taken)
    call.marks, call.merges = stored.marks, stored.merges
    return call
