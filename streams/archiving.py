"""Records that are no longer kept: their counts go to the local days that they are of, their ids are remembered.

They leave in batches, one a flush, see journal.py. No counter moves when a record leaves.
"""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING, Final

import msgspec

from streams.clock import DAY, HOUR, NEVER, Micros
from streams.gone import Gone
from streams.journal import Redo
from streams.limits import Kind
from streams.packed import pack
from streams.stalest import Stale, last_said, too_many
from streams.views.fallen import STAFFING_SECONDS
from streams.views.staffing import Sums

if TYPE_CHECKING:
    from streams.core import Core

#: How often old records are looked for: at each full hour of the clock, or with the first event after it.
EVERY: Final[Micros] = HOUR
#: Records that leave at once: what they were counted in, and their keys, go into one message.
AT_ONCE: Final = 256
#: Local days of which statuses leave at once: a status of 1970 must not make one message of 20,000 days.
DAYS_AT_ONCE: Final = 31
#: And so many of those that are too many, as they must go as fast as others come.
EARLY_AT_ONCE: Final = 4096
#: Before which time statuses of units are archived.
ARCHIVED: Final = "archived/"
#: How many records went because there were too many, by kind.
EARLY: Final = "early/"
_decode_early = msgspec.msgpack.Decoder(dict[Kind, int]).decode


class Archiving:
    """When records of calls and cases leave, and what is left of them."""

    def __init__(self, core: Core) -> None:
        """Nothing left yet."""
        self._core = core
        self.gone = Gone()
        self.next: Micros = 0  # when to look again
        #: UTC day -> keys of records that may go from then on; some more than once, and of more than one day.
        self._expiry: dict[int, list[str]] = defaultdict(list)
        self._due: deque[str] = deque()
        self._too_many: deque[Stale] = deque()
        self._tick: Micros = 0  # the hour at which was last looked
        self._units_looked: Micros = 0

    def note(self, key: str) -> None:
        """A record has changed: note when it goes, if it does by itself."""
        until = self._until(key)
        if until < NEVER:
            self._expiry[until // DAY].append(key)

    def look(self, now: Micros) -> None:
        """Look for what is old enough at *now*."""
        self.next = now - now % EVERY + EVERY
        self._tick = now - now % EVERY
        for day in sorted(day for day in self._expiry if day <= now // DAY):
            for key in self._expiry.pop(day):
                if self._until(key) <= self._tick:
                    self._due.append(key)
                else:
                    self.note(key)

    def leave(self) -> None:
        """Let the next batch go with this flush."""
        if self._core.journal.redoing:
            return
        leaving: dict[str, None] = {}
        while self._due and len(leaving) < AT_ONCE:
            key = self._due.popleft()
            if self._until(key) <= self._tick:
                leaving[key] = None
        days = {day for key in leaving for day in self._leave(key)}
        days |= self._core.views.people.expire(self._tick) if self._tick else set()
        stored = self._leave_units() if self._tick else {}
        gone = [*leaving]
        units: list[str] = []
        for each in self._early():
            if each.kind == "units":
                units.append(each.id)
                continue
            key = f"{'call' if each.kind == 'open_calls' else 'case'}/{each.id}"
            days |= self._leave(key)
            leaving[key] = None
            gone.append(key)
            stored[EARLY] = self._count_early(each.kind)
        if units:
            of_units = self._sleep(units)
            stored |= of_units.stored
            gone += of_units.gone
        if not (leaving or days or stored):
            return
        for day in days:
            if persons := self._core.views.people.pack(day):
                stored[f"people/{day}"] = pack(persons)
            else:
                gone.append(f"people/{day}")
        stored |= {f"day/{day}": packed for day, packed in self._core.counts.archived.pack()}
        stored |= {f"gone/{number}": self.gone.chunk(number) for number in self.gone.add(leaving)}
        self._core.journal.leave(Redo(stored, gone))

    def _leave(self, key: str) -> set[int]:
        """Let one record go; the days of people that are stored otherwise now."""
        core, (kind, _, id) = self._core, key.partition("/")
        if kind == "call":
            call, taken = core.calls.drop(id)
            core.counts.archive(call.facts if call else (), taken)
            days = core.views.archive_call(id, call)
            if call and call.case:
                core.cases.open_by_call(id, None)
            return days
        case = core.cases.drop(id)
        core.counts.archive(case.entry.facts if case.entry else (), case.taken)
        return core.views.archive_case(id, case.entry)

    def _early(self) -> list[Stale]:
        """The next of those that go because there are too many. What something was said of since stays."""
        if not self._too_many and self._core.now:
            self._too_many.extend(too_many(self._core))
        found: list[Stale] = []
        while self._too_many and len(found) < EARLY_AT_ONCE:
            each = self._too_many.popleft()
            if last_said(self._core, each.kind, each.id) == each.last_said:
                found.append(each)
        return found

    def _count_early(self, kind: Kind) -> bytes:
        kept = self._core.views.kept
        kept.archived(kind, 1)
        return pack({kind: number for (kind,), number in kept.archived_early().items()})

    def _sleep(self, units: list[str]) -> Redo:
        """Let units go whole, with the time that they were on duty for their teams: what to store, and the keys that go."""
        core, now = self._core, self._core.now
        batch = Redo({}, [])
        before = core.views.staffing.by_day(now)
        for unit in units:
            facts, stored, gone = core.units.sleep(unit, now)
            core.counts.archive(facts, ())
            batch.stored.update(stored)
            batch.gone.extend(gone)
            batch.stored[EARLY] = self._count_early("units")
        after = core.views.staffing.by_day(now)
        self._archive_staffing({key: sums.less(after.get(key, Sums())) for key, sums in before.items()})
        return batch

    def _archive_staffing(self, sums: dict[tuple[str, int], Sums]) -> None:
        self._core.counts.archive(
            (
                (STAFFING_SECONDS, day, team, what, time)
                for (team, day), passed in sums.items()
                for what, time in passed._asdict().items()
                if what != "short" and time
            ),
            (),
        )

    def _leave_units(self) -> dict[str, bytes]:
        """Let the statuses of local days go of which none is to be kept any more; what to store with that."""
        core = self._core
        if self._units_looked == self._tick:
            return {}
        self._units_looked = self._tick
        rules = core.rules
        upto = rules.begin_of(rules.day(min(core.units.kept_from(self._tick), self._tick)))
        if upto <= core.units.archived or core.views.units.first >= upto:
            return {}
        at_once = rules.begin_of(rules.day(core.views.staffing.begins) + DAYS_AT_ONCE)
        if at_once < upto:
            upto = at_once
            self._units_looked = 0  # with the next flush the next ones
        self._archive_staffing(core.views.staffing.archive(upto))
        core.counts.archive(core.units.archive(upto), ())
        return {ARCHIVED: pack(upto)}

    def _until(self, key: str) -> Micros:
        """When a record goes. A call and the cases that came from it go together; NEVER: open, active, or not there."""
        core, id = self._core, key.partition("/")[2]
        call, case = core.calls.until(id), core.cases.until(id)
        if key.startswith("case/"):
            return NEVER if case is None else max(case, call or 0)
        if call is None:
            return NEVER
        return max(call, case or 0, *(core.cases.until(each) or 0 for each in core.views.cases_of(id)))

    def restore(self) -> None:
        """Take in what is stored of records that left."""
        records = self._core.journal.records
        self.gone = Gone(
            [records[f"gone/{number}"] for number in _numbers(records, "gone")],
            [records[f"old/{number}"] for number in _numbers(records, "old")],
        )
        if packed := records.get(ARCHIVED):
            self._core.units.archived = msgspec.msgpack.decode(packed, type=Micros)
            self._core.views.staffing.archived_upto(self._core.units.archived)
        if packed := records.get(EARLY):
            for kind, number in _decode_early(packed).items():
                self._core.views.kept.archived(kind, number)
        for day in _numbers(records, "day"):
            self._core.counts.restore_day(day, records[f"day/{day}"])


def _numbers(records: dict[str, bytes], kind: str) -> list[int]:
    return sorted(int(key.partition("/")[2]) for key in records if key.startswith(kind + "/"))
