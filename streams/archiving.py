"""Records that are no longer kept: their counts go to the local days that they are of, their ids are remembered.

They leave in batches, one a flush, see journal.py. No counter moves when a record leaves.
"""

from __future__ import annotations

from collections import defaultdict, deque
from typing import TYPE_CHECKING, Final

from streams.clock import DAY, HOUR, NEVER, Micros
from streams.gone import Gone
from streams.journal import Redo

if TYPE_CHECKING:
    from streams.core import Core

#: How often old records are looked for: at each full hour of the clock, or with the first event after it.
EVERY: Final[Micros] = HOUR
#: Records that leave at once: what they were counted in, and their keys, go into one message.
AT_ONCE: Final = 256


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
        leaving: dict[str, None] = {}
        while self._due and len(leaving) < AT_ONCE:
            key = self._due.popleft()
            if self._until(key) <= self._tick:
                leaving[key] = None
        if not leaving:
            return
        for key in leaving:
            self._leave(key)
        stored = {f"day/{day}": packed for day, packed in self._core.counts.archived.pack()}
        stored |= {f"gone/{number}": self.gone.chunk(number) for number in self.gone.add(leaving)}
        self._core.journal.leave(Redo(stored, list(leaving)))

    def _leave(self, key: str) -> None:
        core, (kind, _, id) = self._core, key.partition("/")
        if kind == "call":
            entry, taken = core.calls.drop(id)
            core.views.of_call(id, entry, None)
            core.counts.archive(entry.facts if entry else (), taken)
            if entry and entry.case:
                core.cases.open_by_call(id, None)
        else:
            case = core.cases.drop(id)
            core.views.of_case(id, case.entry, None)
            core.counts.archive(case.entry.facts if case.entry else (), case.taken)

    def _until(self, key: str) -> Micros:
        """When a record goes. A call and the case that it opened go together; NEVER: open, active, or not there."""
        core, id = self._core, key.partition("/")[2]
        call, case = core.calls.until(id), core.cases.until(id)
        if key.startswith("case/"):
            return NEVER if case is None else max(case, call or 0)
        return NEVER if call is None else max(call, case or 0)

    def restore(self) -> None:
        """Take in what is stored of records that left."""
        records = self._core.journal.records
        self.gone = Gone(records[f"gone/{number}"] for number in _numbers(records, "gone"))
        for day in _numbers(records, "day"):
            self._core.counts.restore_day(day, records[f"day/{day}"])


def _numbers(records: dict[str, bytes], kind: str) -> list[int]:
    return sorted(int(key.partition("/")[2]) for key in records if key.startswith(kind + "/"))
