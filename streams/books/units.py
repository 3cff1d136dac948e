"""The book of units: what was said about each on the status feed, and which status held when.

A unit may have thousands of statuses in the weeks that they are kept. Their records are segments of some of them; in memory
there is of each what it says, as a number, and when.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, insort
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from heapq import nsmallest
from typing import Final, NamedTuple

import msgspec

from streams.books.statuses import Meanings, Told
from streams.books.whereabouts import STATUS_KINDS, Whereabouts
from streams.clock import NEVER, Micros
from streams.derive.unit import Redone, rederive_unit
from streams.entries import Fact
from streams.gone import hash_of_id, hashed_id
from streams.packed import pack
from streams.record import MOST, Effect, Record, Withdrawal, holds
from streams.rules import Rules
from streams.said import Status
from streams.views.counts import plus
from streams.views.fallen import UNIT_SECONDS
from streams.views.spans import counts_until
from streams.views.units import Units as View

#: Statuses of one record: it is written again with each of them.
SEGMENT: Final = 32


class StoredSegment(msgspec.Struct, array_like=True, gc=False):
    """The record of some statuses of one unit."""

    touched: Micros
    fresh: bool
    said: list[Status]
    replaced: dict[str, bytes]


class StoredUnit(msgspec.Struct, array_like=True, gc=False):
    """What else there is of a unit: withdrawals, what was counted as corrected, what is archived."""

    withdrawals: list[Withdrawal] = []
    taken: tuple[Fact, ...] = ()
    touched: Micros = 0
    fallen: list[tuple[tuple[str, str, str], Micros]] = []  # of counters of time, see fallen.py
    archived: Micros = -NEVER  # what was said before it is archived, as the unit went early; see limits.py


_decode_segment = msgspec.msgpack.Decoder(StoredSegment).decode
_decode_unit = msgspec.msgpack.Decoder(StoredUnit).decode


class Log:
    """What was said about one unit under one name."""

    __slots__ = ("archived", "fallen", "ids", "segments", "taken", "touched", "withdrawals")

    def __init__(self, archived: Micros = -NEVER) -> None:
        """Nothing said; `archived`: or all before this is gone."""
        self.archived = archived
        self.segments = 0
        self.ids = array("Q")  # of all kept statuses, eight bytes each, sorted
        self.withdrawals: dict[str, tuple[str, int | None]] = {}
        self.taken: tuple[Fact, ...] = ()
        self.fallen: Counter[tuple[str, str, str]] = Counter()
        self.touched: Micros = 0

    def knows(self, hashed: int) -> bool:
        """Whether a kept status has this id."""
        where = bisect_left(self.ids, hashed)
        return where < len(self.ids) and self.ids[where] == hashed


class _Moved(NamedTuple):
    """From when until when something about a unit changed."""

    first: Micros
    last: Micros


class Changed(NamedTuple):
    """Other spans of a unit."""

    unit: str
    spans: Redone


class Asleep(NamedTuple):
    """What is left of a unit that went early: what it counted, what to store, and the keys that go."""

    facts: list[Fact]
    stored: dict[str, bytes]
    gone: list[str]


class Units:
    """All kept statuses of a program. Units go by the name of the program file; what is stored, by the names as told."""

    def __init__(self, rules: Rules, whereabouts: Whereabouts, view: View, records: Mapping[str, bytes]) -> None:
        """No units. `records`: where the segments are as of the last flush; `view`: holds the spans as they are now."""
        self.rules = rules
        self._whereabouts = whereabouts
        self._view = view
        self._records = records
        self._meanings = Meanings()
        self._logs: dict[str, Log] = {}
        self._live: dict[str, Record[Status]] = {}  # segments by key, those that were looked into since the last flush
        self._asleep: dict[str, Micros] = {}  # names of units that went early, and what is archived of each
        self._told: dict[str, Told] = {}
        self._names: defaultdict[str, list[str]] = defaultdict(list)  # unit -> the names under which it was told of
        self._moved: dict[str, _Moved] = {}
        self._held: defaultdict[str, dict[Micros, Micros]] = defaultdict(dict)  # unit -> off_duty -> from when it holds
        self.archived: Micros = -NEVER  # statuses before it are, but for the last one of each unit
        self.leaning: set[str] = set()  # calls that may be otherwise for what was said here
        self.dirty: dict[str, None] = {}  # keys of records that something was said in
        #: By unit: facts of unknown codes that went and that came since the last settling.
        self._recoded: defaultdict[str, tuple[list[Fact], list[Fact]]] = defaultdict(lambda: ([], []))

    # --- the way in -----------------------------------------------------------------------------------------

    def apply(self, name: str, said: Status, now: Micros) -> Effect:
        """Put a status in its place."""
        if said.at < self.archived:
            return "archived"
        log = self._log(name)
        if said.at < log.archived:
            return "archived"
        hashed = hash_of_id(said.id)
        if log.knows(hashed):
            if key := self._find(name, log, said.id):
                return self._tell_again(name, key, said, now)
            if self._find(name, log, hashed_id(hashed)):
                return "duplicate"  # of what it said there is too little to correct it
        key = f"status/{name}/{max(log.segments - 1, 0)}"
        if log.segments == 0 or len(self._segment(key).said) >= SEGMENT:
            key = f"status/{name}/{log.segments}"
            self._live[key] = Record()
            log.segments += 1
        self._segment(key).put(said, now)
        insort(log.ids, hashed)
        self.dirty[key] = None
        unit = self.rules.unit(name).unit
        told = self._told[unit]
        late = bool(told.at) and said.at < told.at[-1]
        withdrawn = any(of == said.id for of, _ in log.withdrawals.values())
        self._change(unit, said.at, None if withdrawn else said)
        return "late" if late else "applied"

    def withdraw(self, name: str, withdrawal: Withdrawal, now: Micros) -> Effect:
        """Take back a status."""
        log = self._log(name)
        id, of, upto = withdrawal
        if id in log.withdrawals:
            return "duplicate"
        if len(log.withdrawals) >= MOST:
            return "full"
        log.withdrawals[id] = of, upto
        log.touched = max(log.touched, now)
        self.dirty[f"unit/{name}"] = None
        if log.knows(hash_of_id(of)) and (key := self._find(name, log, of)):
            self._change(self.rules.unit(name).unit, self._segment(key).said[of].at)
        return "withdrawn"

    def _tell_again(self, name: str, key: str, said: Status, now: Micros) -> Effect:
        segment = self._segment(key)
        before = segment.said[said.id].at
        effect = segment.put(said, now)
        if effect in ("corrected", "raised"):
            self.dirty[key] = None
            unit = self.rules.unit(name).unit
            self._change(unit, before)
            self._change(unit, said.at)
        return effect

    def _log(self, name: str) -> Log:
        log = self._logs.get(name)
        if log is None:
            log = self._logs[name] = Log(self._asleep.pop(name, -NEVER))
            unit = self.rules.unit(name).unit
            self._names[unit].append(name)
            if unit not in self._told:
                self._told[unit] = Told(self._meanings)
        return log

    def _segment(self, key: str) -> Record[Status]:
        segment = self._live.get(key)
        if segment is None:
            stored = _decode_segment(self._records[key])
            segment = Record(stored.said, (), stored.replaced, stored.touched, stored.fresh)
            self._live[key] = segment
        return segment

    def _keys(self, name: str) -> Iterator[str]:
        """The records of a unit's statuses, the newest first."""
        for number in range(self._logs[name].segments - 1, -1, -1):
            key = f"status/{name}/{number}"
            if key in self._live or key in self._records:
                yield key

    def _find(self, name: str, log: Log, id: str) -> str | None:
        return next((key for key in self._keys(name) if id in self._segment(key).said), None)

    def _holding(self, unit: str, at: Micros) -> list[Status]:
        """The statuses of a time that hold, in the order of the walk."""
        found: list[Status] = []
        for name in self._names[unit]:
            withdrawals = self._logs[name].withdrawals.values()
            for key in self._keys(name):
                found += [s for s in holds(self._segment(key).said.values(), withdrawals) if s.at == at]
        found.sort(key=lambda status: status.id)
        return found

    # --- which status holds ---------------------------------------------------------------------------------

    def _change(self, unit: str, at: Micros, new: Status | None = None) -> None:
        """Something was said about this time; `new`: a status that came and holds."""
        told = self._told[unit]
        where = told.when(at)
        before = list(told.says[where])
        if new is not None and not before:
            after = [self._meanings.number(new)]
        else:
            after = [self._meanings.number(status) for status in self._holding(unit, at)]
        if after == before:
            return
        told.put(at, after)
        self._recode(unit, at, before, after)
        self._lean(unit, at, before, after)
        first, last = self._moved.get(unit, (at, at))
        self._moved[unit] = _Moved(min(first, at), max(last, at))

    def _lean(self, unit: str, at: Micros, before: list[int], after: list[int]) -> None:
        """Note the calls that lean on the statuses of a time."""
        old, new = self._marks(at, before), self._marks(at, after)
        if old != new:
            self.leaning |= self._whereabouts.change(unit, None, old, new)
        if (timeline := self._whereabouts.units.get(unit)) is not None:  # a unit's team may be that of its last status
            self.leaning.update(timeline.between(at, self._told[unit].after(at, NEVER)))

    def _marks(self, at: Micros, says: Iterable[int]) -> list[tuple[Micros, int]]:
        kinds = {STATUS_KINDS.get(self._meanings.all[each].status) for each in says}
        return [(at, kind) for kind in sorted(kind for kind in kinds if kind is not None)]

    def _recode(self, unit: str, at: Micros, before: Iterable[int], after: Iterable[int]) -> None:
        gone = [fact for each in before for fact in self._unmapped_in(each, at)]
        came = [fact for each in after for fact in self._unmapped_in(each, at)]
        if gone != came:
            self._recoded[unit][0].extend(gone)
            self._recoded[unit][1].extend(came)

    def recoded(self) -> Iterator[tuple[str, list[Fact], list[Fact]]]:
        """Units of which other codes are unknown now: the facts that went, and those that came."""
        for unit, (gone, came) in self._recoded.items():
            yield unit, gone, came
        self._recoded.clear()

    def take(self, unit: str, taken: Iterable[Fact], fallen: Mapping[tuple[str, str, str], Micros]) -> None:
        """Keep with a unit what was counted as corrected."""
        name = self._names[unit][0]
        log = self._logs[name]
        log.taken = plus(log.taken, taken)
        log.fallen.update(fallen)
        self.dirty[f"unit/{name}"] = None

    def any(self) -> str | None:
        """A unit, to keep with it what is of none; None: there are no units."""
        return next(iter(self._names), None)

    def taken(self) -> Iterator[tuple[tuple[Fact, ...], Mapping[tuple[str, str, str], Micros]]]:
        """What each keeps as corrected."""
        for log in self._logs.values():
            yield log.taken, log.fallen

    def _unmapped_in(self, says: int, at: Micros) -> Iterator[Fact]:
        meaning = self._meanings.all[says]
        if not self.rules.knows("team", meaning.team):
            yield "unmapped", self.rules.day(at), "team", 1
        if meaning.area is not None and not self.rules.knows("area", meaning.area):
            yield "unmapped", self.rules.day(at), "area", 1

    # --- what follows ---------------------------------------------------------------------------------------

    def settle(self, moved: Mapping[str, tuple[Micros, Micros]]) -> Iterator[Changed]:
        """Work out anew the spans of units about which something was said; `moved`: or that moved on calls, in such a span."""
        for unit, (first, last) in moved.items():
            if unit in self._told and (affected := self._off_duty(unit, first, last)):
                known = self._moved.get(unit, affected)
                self._moved[unit] = _Moved(min(known[0], affected[0]), max(known[1], affected[1]))
        for unit, (first, last) in self._moved.items():
            redone = self._redo(unit, first, last)
            if redone.before or redone.after:
                yield Changed(unit, redone)
        self._moved.clear()

    def _redo(self, unit: str, first: Micros, last: Micros) -> Redone:
        held = self._held[unit]
        timeline = self._whereabouts.units.get(unit)

        def leaves(at: Micros) -> Micros:
            free = at if timeline is None else timeline.free_from(at, None)
            if free > at:
                held[at] = free
            else:
                held.pop(at, None)
            return free

        return rederive_unit(self._view.spans(unit), self._told[unit], self.rules, leaves, first, last)

    def _off_duty(self, unit: str, first: Micros, last: Micros) -> _Moved | None:
        """From when until when `off_duty` statuses may hold from another time, where points of the unit changed."""
        timeline = self._whereabouts.units.get(unit)
        found = [at for at, until in self._held[unit].items() if at <= last and until >= first]
        if timeline is not None:
            found += timeline.off_duty_after(first, last)
        return _Moved(min(found), max(found)) if found else None

    def team(self, unit: str, at: Micros) -> str | None:
        """The team of its last status at or before a time."""
        told = self._told.get(unit)
        says = told.last(at) if told is not None else None
        return None if says is None else self.rules.label("team", self._meanings.all[says].team)

    # --- what is no longer kept -----------------------------------------------------------------------------

    def kept_from(self, now: Micros) -> Micros:
        """No status before this time is of a segment that is still to be kept; NEVER: none of them is."""
        first = NEVER
        for name in self._logs:
            for key in self._keys(name):
                segment = self._segment(key)
                if segment.kept_until > now:
                    first = min(first, min((status.at for status in segment.said.values()), default=NEVER))
        return first

    def archive(self, upto: Micros) -> list[Fact]:
        """Let statuses before a time go, but for the last one of each unit; what they counted, by local day.

        The spans of that last one stay whole, so that time counts once, here or there.
        """
        self.archived = upto
        facts: list[Fact] = []
        for unit, told in self._told.items():
            last = told.when(upto).start - 1
            if last < 1:
                continue
            base = told.at[last]
            facts += self._time(unit, base)
            for at, says in zip(told.at[:last], told.says[:last], strict=True):
                if at < base:
                    facts += self._unmapped_in(says, at)
                    self._forget_marks(unit, at, says)
            told.drop(base)
            for name in self._names[unit]:
                self._drop(name, base)
        return facts

    def _time(self, unit: str, base: Micros, now: Micros = NEVER) -> Iterator[Fact]:
        """The time of a unit's spans up to one, by local day; of the last one up to *now*."""
        spans = self._view.spans(unit)
        where = bisect_left(spans, base, key=lambda span: span.begins)
        gone = spans[:where]
        for span in gone:
            begins, until = span.begins, min(now, counts_until(span, self.rules.stale_unit))
            while begins < until:
                day = self.rules.day(begins)
                end = min(until, self.rules.begin_of(day + 1))
                yield UNIT_SECONDS, day, span.team, span.status, end - begins
                begins = end
        if gone:
            self._view.change(unit, gone, ())

    def _forget_marks(self, unit: str, at: Micros, says: int) -> None:
        if (kind := STATUS_KINDS.get(self._meanings.all[says].status)) is not None:
            timeline = self._whereabouts.units[unit]
            if timeline.has(None, (at, kind)):
                timeline.remove(None, (at, kind))

    def _drop(self, name: str, base: Micros) -> None:
        log = self._logs[name]
        for key in list(self._keys(name)):
            segment = self._segment(key)
            gone = [id for id, status in segment.said.items() if status.at < base]
            if gone:
                for id in gone:
                    del segment.said[id]
                    segment.replaced.pop(id, None)
                self.dirty[key] = None
        log.ids = array("Q", sorted(hash_of_id(id) for key in self._keys(name) for id in self._segment(key).said))

    # --- units that are too many: see limits.py --------------------------------------------------------------

    def last_said(self, unit: str) -> Micros | None:
        """When something was last said of a unit; None: there is no status of it."""
        told = self._told.get(unit)
        return told.at[-1] if told else None

    def stalest(self, count: int) -> list[tuple[str, Micros]]:
        """Units that are off duty or else silent for the longest, each with its last word; ties by name."""

        def silent(unit: str) -> tuple[bool, Micros, str]:
            told = self._told[unit]
            return self._meanings.all[told.says[-1]].status != "off_duty", told.at[-1], unit

        units = nsmallest(count, (unit for unit, told in self._told.items() if told), key=silent)
        return [(unit, self._told[unit].at[-1]) for unit in units]

    def archived_upto(self, name: str, upto: Micros) -> None:
        """What was said of a unit before a time is archived."""
        self._log(name).archived = upto
        self.dirty[f"unit/{name}"] = None

    def sleep(self, unit: str, now: Micros) -> Asleep:
        """Let all that was said of a unit go, the status that holds counted up to *now*. A later status begins it anew."""
        told = self._told.pop(unit)
        upto = told.at[-1] + 1
        facts = list(self._time(unit, NEVER, now))
        for at, says in zip(told.at, told.says, strict=True):
            facts += self._unmapped_in(says, at)
            self._forget_marks(unit, at, says)
        self._held.pop(unit, None)
        stored: dict[str, bytes] = {}
        gone: list[str] = []
        for name in self._names.pop(unit):
            log = self._logs.pop(name)
            facts += log.taken
            keys = [f"status/{name}/{number}" for number in range(log.segments)]
            for key in keys:
                self._live.pop(key, None)
                self.dirty.pop(key, None)
            gone += keys
            self._asleep[name] = upto
            if log.withdrawals or log.fallen:  # of a status yet to come, and of time that others keep
                kept = self._log(name)
                kept.withdrawals, kept.fallen, kept.touched = log.withdrawals, log.fallen, log.touched
            stored[f"unit/{name}"] = self.pack(f"unit/{name}") or pack(StoredUnit(archived=upto))
        return Asleep(facts, stored, gone)

    # --- what is stored -------------------------------------------------------------------------------------

    def pack(self, key: str) -> bytes | None:
        """What to store under a key; None: it is no longer kept."""
        kind, _, rest = key.partition("/")
        if kind == "unit":
            log = self._logs.get(rest)
            if log is None:
                return None
            withdrawals = [(id, of, upto) for id, (of, upto) in log.withdrawals.items()]
            return pack(StoredUnit(withdrawals, log.taken, log.touched, list(log.fallen.items()), log.archived))
        segment = self._live.get(key)
        if segment is None or not segment.said:
            return None
        return pack(StoredSegment(segment.touched, segment.fresh, list(segment.said.values()), segment.replaced))

    def flushed(self) -> None:
        """What was looked into is stored."""
        self._live.clear()
        self.dirty.clear()

    def restore(self) -> None:
        """Take in all records of units and their statuses."""
        found: defaultdict[str, list[Status]] = defaultdict(list)
        for key, packed in self._records.items():
            kind, _, rest = key.partition("/")
            if kind == "unit":
                stored = _decode_unit(packed)
                self._asleep[rest] = stored.archived
                if rest not in self._logs and not (stored.withdrawals or stored.taken or stored.fallen):
                    continue
                log = self._log(rest)
                log.archived = self._asleep.pop(rest, stored.archived)
                log.withdrawals = {id: (of, upto) for id, of, upto in stored.withdrawals}
                log.taken, log.touched = stored.taken, stored.touched
                log.fallen.update(dict(stored.fallen))
            elif kind == "status":
                name, _, number = rest.rpartition("/")
                log = self._log(name)
                log.segments = max(log.segments, int(number) + 1)
                found[name] += _decode_segment(packed).said
        for name, statuses in found.items():
            log = self._logs[name]
            log.ids = array("Q", sorted(hash_of_id(status.id) for status in statuses))
        for unit, names in self._names.items():
            self._restore_unit(
                unit, [s for name in names for s in holds(found[name], self._logs[name].withdrawals.values())]
            )

    def _restore_unit(self, unit: str, statuses: list[Status]) -> None:
        statuses.sort(key=lambda status: (status.at, status.id))
        archived = bisect_left(statuses, self.archived, key=lambda status: status.at)
        if archived:  # a crash may have left behind what is older than the last one
            del statuses[: bisect_left(statuses, statuses[archived - 1].at, key=lambda status: status.at)]
        told = self._told[unit]
        told.at = array("q", [status.at for status in statuses])
        told.says = array("I", [self._meanings.number(status) for status in statuses])
        marks: dict[tuple[Micros, int], None] = {}
        for at, says in zip(told.at, told.says, strict=True):
            self._recoded[unit][1].extend(self._unmapped_in(says, at))
            if (kind := STATUS_KINDS.get(self._meanings.all[says].status)) is not None:
                marks[at, kind] = None
        if marks:
            self._whereabouts.units[unit].fill((at, kind, None) for at, kind in marks)
        if statuses:
            self._moved[unit] = _Moved(statuses[0].at, statuses[-1].at)
