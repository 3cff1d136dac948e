"""A unit's statuses: the one with the latest `at` holds, and the past can be asked for."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right, insort
from collections.abc import Mapping
from operator import attrgetter

import msgspec

from streams.clock import NEVER, Micros
from streams.packed import pack
from streams.programs import OTHER

#: Entries of a changelog record. Small, because a record is written again with each of its entries.
SEGMENT = 32


class Entry(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One status as it was applied. `late`: an entry of a later time was known already; it adds no time."""

    at: Micros
    id: int
    late: bool
    status: str
    team: str
    area: str  # "" where not given
    unmapped: str  # the field that had an unknown code, or two with a blank between
    touched: Micros  # the clock when it was applied; kept 45 days from here


class UnitArchive(msgspec.Struct, array_like=True):
    """What is left of entries that are no longer kept: their time, what they counted, the last area given."""

    segments: int = 0  # segments 0..n-1 are in here
    seconds: list[tuple[str, str, Micros]] = []
    unmapped: dict[str, int] = {}
    area: tuple[Micros, int, str] | None = None  # (at, id, area)
    upto: Micros = (
        0  # what is not later than this was archived early, or came after that and is not taken, see limits.py
    )
    slept: int = 0  # how often that was


_decode = msgspec.msgpack.Decoder(list[Entry]).decode


class Unit:
    """One unit. Built only by entries in the order of arrival; so is the restored one.

    Entries as objects take most of a program's memory, and are asked for only when they are old: a segment that is
    full is kept as its record, once that was made.
    """

    def __init__(self, archive: UnitArchive | None = None, segments: Mapping[int, bytes] | None = None) -> None:
        """A unit without a status, or with what its archive and the records of its later segments hold."""
        self.archive = archive or UnitArchive()
        self.segments: dict[int, list[Entry] | bytes] = {}
        self.last_segment = self.archive.segments
        self._ids = array("Q")  # of all kept entries, sorted: a set takes ten times the memory
        self.held: Entry | None = None
        self.micros: dict[tuple[str, str], Micros] = {(t, s): n for t, s, n in self.archive.seconds}
        self.unmapped = dict(self.archive.unmapped)
        # all kept entries by time: (at, id) order in parallel arrays, the meaning in `_meaning`
        self._at = array("q")
        self._id = array("Q")
        self._code = array("H")
        self._meaning: list[tuple[str, str, str]] = []
        self._codes: dict[tuple[str, str, str], int] = {}
        self.teams: set[str] = set()  # all teams that its kept statuses named
        if segments:
            self._restore(segments)

    def _restore(self, segments: Mapping[int, bytes]) -> None:
        entries: list[Entry] = []
        for number, packed in sorted(segments.items()):
            entries += _decode(packed)
            self.segments[number] = packed
            self.last_segment = number
        self.segments[self.last_segment] = self.entries(self.last_segment)
        for entry in entries:
            self._hold(entry)
        entries.sort(key=attrgetter("at", "id"))
        self._at.extend([entry.at for entry in entries])
        self._id.extend([entry.id for entry in entries])
        self._code.extend([self._code_of(entry) for entry in entries])
        self._ids.extend(sorted(self._id))

    def entries(self, number: int) -> list[Entry]:
        """The entries of a segment."""
        entries = self.segments[number]
        return _decode(entries) if isinstance(entries, bytes) else entries

    def record(self, number: int) -> bytes | None:
        """The record of a segment; None: it is no longer kept. One that is full is kept as this from now on."""
        entries = self.segments.get(number)
        if entries is None or isinstance(entries, bytes):
            return entries
        packed = pack(entries)
        if number != self.last_segment:
            self.segments[number] = packed
        return packed

    def knows(self, id: int) -> bool:
        """Whether a kept entry has this id."""
        ids = self._ids
        where = bisect_left(ids, id)
        return where < len(ids) and ids[where] == id

    def is_late(self, at: Micros, id: int) -> bool:
        """Whether a later status is known."""
        held = self.held
        return held is not None and at <= held.at and (at < held.at or id < held.id)

    def append(self, entry: Entry) -> int:
        """Apply a new entry; the number of its segment (the record to write)."""
        growing = self.segments.get(self.last_segment)
        if type(growing) is list and len(growing) < SEGMENT:
            growing.append(entry)
        else:
            self.last_segment += growing is not None
            self.segments[self.last_segment] = [entry]
        insort(self._ids, entry.id)
        self._hold(entry)
        self._place(entry)
        return self.last_segment

    def _hold(self, entry: Entry) -> None:
        """In the order of arrival."""
        if entry.unmapped:
            for field in entry.unmapped.split():
                self.unmapped[field] = self.unmapped.get(field, 0) + 1
        if not entry.late:
            held = self.held
            if held is not None:
                owner = (held.team, held.status)
                self.micros[owner] = self.micros.get(owner, 0) + entry.at - held.at
            self.held = entry

    def _place(self, entry: Entry) -> None:
        at, id, ats, ids = entry.at, entry.id, self._at, self._id
        where = bisect_right(ats, at)  # mostly the end, but a history that is sent again is late by weeks
        if where and ats[where - 1] == at:
            where = bisect_left(ids, id, bisect_left(ats, at), where)
        ats.insert(where, at)
        ids.insert(where, id)
        self._code.insert(where, self._code_of(entry))

    def _code_of(self, entry: Entry) -> int:
        meaning = (entry.status, entry.team, entry.area)
        code = self._codes.get(meaning)
        if code is None:
            code = self._codes[meaning] = len(self._meaning)
            self._meaning.append(meaning)
            self.teams.add(entry.team)
        return code

    @property
    def newest(self) -> Micros:
        """The latest time of a kept entry; 0: there is none."""
        return self._at[-1] if self._at else 0

    def next_after(self, at: Micros) -> Micros:
        """The time of its first kept status later than this one; NEVER: there is none."""
        if not self._at or at >= self._at[-1]:  # mostly so
            return NEVER
        return self._at[bisect_right(self._at, at)]

    def known_at(self, at: Micros) -> tuple[str, str] | None:
        """Status and team that held at a time; before the first known entry: nothing."""
        where = bisect_right(self._at, at) - 1
        if where < 0:
            return None
        status, team, _ = self._meaning[self._code[where]]
        return status, team

    def known_in(self, begin: Micros, end: Micros) -> set[tuple[str, str]]:
        """Every status and team that held at some time of a span, its ends included."""
        first = max(bisect_right(self._at, begin) - 1, 0)
        codes = set(self._code[first : bisect_right(self._at, end)])
        return {self._meaning[code][:2] for code in codes}

    def times(self, after: Micros, upto: Micros) -> array[int]:
        """Times of its kept statuses in a span."""
        return self._at[bisect_right(self._at, after) : bisect_right(self._at, upto)]

    def team_at(self, at: Micros) -> str:
        """The team by the last status at a time; else by the first one after; else `other`."""
        if not self._at:
            return OTHER
        where = max(bisect_right(self._at, at) - 1, 0)
        return self._meaning[self._code[where]][1]

    @property
    def area(self) -> str:
        """The area of the status that holds; where it gave none, the last one given."""
        last = self._last_area
        return last[2] if last else OTHER

    @property
    def _last_area(self) -> tuple[Micros, int, str] | None:
        archived = self.archive.area
        for where in reversed(range(len(self._code))):
            if area := self._meaning[self._code[where]][2]:
                kept = (self._at[where], self._id[where], area)
                return max(kept, archived) if archived else kept
        return archived

    def expired(self, tick: Micros, before: Micros) -> list[int]:
        """The oldest segments last written up to `before`, and none from the one that held a status at `tick` on.

        What came since the tick does not matter: until the next one the answer is the same.
        """
        gone: list[int] = []
        numbers = sorted(self.segments)
        for i, number in enumerate(numbers):
            if any(entry.touched > before for entry in self.entries(number)):
                break
            later = (entry for n in numbers[i + 1 :] for entry in self.entries(n))
            if not any(entry.touched < tick and not entry.late for entry in later):
                break
            gone.append(number)
        return gone

    def without(self, gone: list[int]) -> Unit:
        """The same unit with its oldest segments folded into the archive: same totals, shorter past."""
        left = {number: packed for number in self.segments if number not in gone and (packed := self.record(number))}
        rest = Unit(None, left)
        archive = UnitArchive(
            segments=gone[-1] + 1,
            seconds=[(t, s, n - rest.micros.get((t, s), 0)) for (t, s), n in sorted(self.micros.items())],
            unmapped={f: n - rest.unmapped.get(f, 0) for f, n in sorted(self.unmapped.items())},
            area=self._last_area,
            upto=self.archive.upto,
            slept=self.archive.slept,
        )
        return Unit(archive, left)

    def whole(self, now: Micros) -> UnitArchive:
        """All of it as an archive, the status that holds counted up to *now*; nothing of its past can be asked for then."""
        micros = dict(self.micros)
        if (held := self.held) and now > held.at:
            micros[held.team, held.status] = micros.get((held.team, held.status), 0) + now - held.at
        return UnitArchive(
            segments=self.last_segment + 1,
            seconds=[(team, status, took) for (team, status), took in sorted(micros.items())],
            unmapped=dict(sorted(self.unmapped.items())),
            area=self._last_area,
            upto=max(self.newest, self.archive.upto),
            slept=self.archive.slept + 1,
        )
