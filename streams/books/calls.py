"""The book of calls: what was said about each, which other calls lean on that, and what each is."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import msgspec

from streams import entries
from streams.books.kept import Change, Kept
from streams.books.whereabouts import KINDS, Mark, Whereabouts
from streams.clock import NEVER, Micros
from streams.derive.call import derive_call
from streams.derive.past import End, Past
from streams.packed import pack
from streams.record import Effect, Record, Withdrawal
from streams.rules import Rules
from streams.said import AnyOfCall, Contact, Force, Merged, Needles, PoliceRequested, Referral, Reopened, Said, UnitPoint, place

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
    merged_into: str | None  # as its last merge says, if that was not undone


class Stored(Head, array_like=True, gc=False):
    """The whole record."""

    said: list[AnyOfCall]
    withdrawals: list[Withdrawal]
    replaced: dict[str, bytes]


_decode_head = msgspec.msgpack.Decoder(Head).decode
_decode = msgspec.msgpack.Decoder(Stored).decode


class LiveCall(Kept[entries.Call]):
    """A call that is open, or that something was said about since the last flush."""

    __slots__ = ("holding", "marks", "merged_into")

    def __init__(self, record: Record, entry: entries.Call | None = None, taken: tuple[entries.Fact, ...] = ()) -> None:
        """A call of which nothing was worked out yet, or with what is stored."""
        super().__init__(record, entry, taken)
        self.marks: tuple[UnitMark, ...] = ()
        self.merged_into: str | None = None
        self.holding: list[Said] | None = None  # its statements that hold, once they were asked for


class UnitsPast(NamedTuple):
    """What the statuses of units say, for `Past`."""

    team: object
    result: object


class Calls:
    """All kept calls of a program. `settle` says what became of those that were touched."""

    def __init__(self, rules: Rules, whereabouts: Whereabouts, units: Past) -> None:
        """No calls. `units` answers for statuses: `team` and `result` of `Past`."""
        self.rules = rules
        self._whereabouts = whereabouts
        self._units = units
        self._packed: dict[str, bytes] = {}  # of calls that are not live
        self.live: dict[str, LiveCall] = {}
        self._said: dict[str, None] = {}  # something new was said since the last settling
        self._leaning: dict[str, None] = {}  # what they are may have changed
        self._sources: defaultdict[str, set[str]] = defaultdict(set)  # call -> those that were told to be merged into it
        self._asking: list[tuple[Micros, str]] = []  # closed calls whose result the units tell, by when they ask

    # --- the way in -----------------------------------------------------------------------------------------

    def apply(self, id: str, said: Said, now: Micros) -> Effect:
        """Put a statement about a call in its place."""
        call = self.get(id)
        if call is None:
            call = self.live[id] = LiveCall(Record())
        effect = call.record.put(said, now)
        if effect != "duplicate" and effect != "full":
            self._said[id] = None
        return effect

    def withdraw(self, id: str, withdrawal: Withdrawal, now: Micros) -> Effect:
        """Take back what was said about a call."""
        call = self.get(id)
        if call is None:
            call = self.live[id] = LiveCall(Record())
        effect = call.record.withdraw(*withdrawal, now)
        if effect == "withdrawn":
            self._said[id] = None
        return effect

    def get(self, id: str) -> LiveCall | None:
        """A kept call, made live."""
        call = self.live.get(id)
        if call is None and (packed := self._packed.get(id)) is not None:
            call = self.live[id] = _unpack(packed)
        return call

    def __contains__(self, id: str) -> bool:
        return id in self.live or id in self._packed

    def __len__(self) -> int:
        return len(self._packed.keys() | self.live.keys())

    def lean(self, ids: Iterable[str]) -> None:
        """These calls may be otherwise now, for something that was not said about them."""
        self._leaning.update(dict.fromkeys(ids))

    def lean_on_results(self, begin: Micros, end: Micros) -> None:
        """What units did in a span has changed, its end not included: closed calls that ask for it may end otherwise."""
        asking = self._asking
        for _, id in asking[bisect_left(asking, (begin, "")) : bisect_left(asking, (end, ""))]:
            self._leaning[id] = None

    # --- what follows ---------------------------------------------------------------------------------------

    def place(self) -> set[str]:
        """First of the two steps of settling: units are where the statements put them. The units that were moved.

        Other calls of these units may end otherwise, and their `off_duty` may hold from another time.
        """
        moved: set[str] = set()
        targets: dict[str, None] = {}
        for id in self._said:
            call = self.live[id]
            call.holding = list(call.record.holds())
            if call.merged_into is not None or id in self._sources or any(type(s) is Merged for s in call.holding):
                targets.update(dict.fromkeys(self._merge(id, call)))
            targets[id] = None
        for id in targets:
            moved |= self._mark(id)
        self._leaning.update(targets)
        self._said.clear()
        return moved

    def settle(self) -> Iterator[Change[entries.Call]]:
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
        into = self._final(id)
        statements = self._with_merged(id, holding) if id in self._sources else holding
        past = _PastOf(id, self._whereabouts, self._units)
        return derive_call(id, statements, self.rules, past, into=None if into == id else into)

    def _holding(self, call: LiveCall) -> list[Said]:
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

    def _mark(self, id: str) -> set[str]:
        """Put the marks of a call on the timelines of its units; the units of which some have changed."""
        call = self.get(id)
        if call is None:
            return set()
        marks: dict[UnitMark, None] = {}
        if self._final(id) == id and (holding := self._holding(call)):
            statements = self._with_merged(id, holding) if id in self._sources else holding
            for said in statements:
                kind = KINDS.get(type(said))
                if kind is not None and (unit := _unit_of(said)) is not None:
                    marks[self.rules.unit(unit).unit, said.at, kind] = None
        after = tuple(marks)
        if after == call.marks:
            return set()
        moved: set[str] = set()
        old, new = _by_unit(call.marks), _by_unit(after)
        for unit in old.keys() | new.keys():
            if old[unit] != new[unit]:
                moved.add(unit)
                self.lean(self._whereabouts.change(unit, id, old[unit], new[unit]))
        call.marks = after
        return moved

    # --- merged calls ---------------------------------------------------------------------------------------

    def _merge(self, id: str, call: LiveCall) -> set[str]:
        """Note what a call is merged into now; the calls that this concerns."""
        concerned = self._family(id)
        told: str | None = None
        for said in self._holding(call):
            if type(said) is Merged:
                told = said.into
            elif type(said) is Reopened:
                told = None
        if told != call.merged_into:
            if call.merged_into is not None:
                self._sources[call.merged_into].discard(id)
                if not self._sources[call.merged_into]:
                    del self._sources[call.merged_into]
            if told is not None:
                self._sources[told].add(id)
            call.merged_into = told
        return concerned | self._family(id)

    def _family(self, id: str) -> set[str]:
        """The calls that are merged into this one, and into which it is, over any number of steps."""
        found: set[str] = set()
        ahead: str | None = id
        while ahead is not None and ahead not in found:
            found.add(ahead)
            call = self.get(ahead)
            ahead = call.merged_into if call else None
        left = list(self._sources.get(id, ()))
        while left:
            if (each := left.pop()) not in found:
                found.add(each)
                left += self._sources.get(each, ())
        return found

    def _final(self, id: str) -> str:
        """The call for which this one counts: itself, unless it is merged into one that is known, not in a circle."""
        seen = [id]
        while True:
            call = self.get(seen[-1])
            into = call.merged_into if call else None
            if into is None:
                return seen[-1]
            target = self.get(into)
            if target is None or not self._holding(target):
                return seen[-1]
            if into in seen:
                return into
            seen.append(into)

    def _with_merged(self, id: str, holding: list[Said]) -> list[Said]:
        """The statements of a call, and what is said of units and the like on those that are merged into it."""
        statements = [(said, id) for said in holding]
        for source in self._family(id):
            if source != id and self._final(source) == id:
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
                call.merged_into,
                list(record.said.values()),  # type: ignore[arg-type]  # of a call are only statements about calls
                [(id, of, upto) for id, (of, upto) in record.withdrawals.items()],
                record.replaced,
            )
        )

    def cool(self, id: str, packed: bytes) -> None:
        """Keep a call as its record only, if it is not open."""
        call = self.live[id]
        if call.entry is None or call.entry.state != "open":
            del self.live[id]
            self._packed[id] = packed
        else:
            self._packed.pop(id, None)

    def restore(self, id: str, packed: bytes) -> entries.Call | None:
        """Take a record in; what the call is. `placed` once all of them are there."""
        head = _decode_head(packed)
        if head.entry is not None and head.entry.state == "open":
            self.live[id] = _unpack(packed)
        else:
            self._packed[id] = packed
        for unit, mark in head.marks:
            self._filling[unit].append(mark)
        if head.merged_into is not None:
            self._sources[head.merged_into].add(id)
        if head.entry is not None and head.entry.asks is not None:
            self._asking.append((head.entry.asks.at, id))
        return head.entry

    def drop(self, id: str) -> LiveCall:
        """A call is no longer kept."""
        call = self.get(id)
        assert call is not None, id
        self._ask(id, call.entry, None)
        for unit, marks in _by_unit(call.marks).items():
            self._whereabouts.change(unit, id, marks, [])
        self.live.pop(id, None)
        self._packed.pop(id, None)
        return call


class _PastOf:
    """`Past`, for one call."""

    __slots__ = ("_id", "_units", "_whereabouts", "result", "team")

    def __init__(self, id: str, whereabouts: Whereabouts, units: Past) -> None:
        self._id, self._whereabouts = id, whereabouts
        self.team, self.result = units.team, units.result

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
    record = Record(stored.said, stored.withdrawals, stored.replaced, stored.touched, stored.fresh)
    call = LiveCall(record, stored.entry, stored.taken)
    call.marks, call.merged_into = stored.marks, stored.merged_into
    return call
