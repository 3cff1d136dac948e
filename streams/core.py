"""The state of one program, by what was said of it: `apply` takes a statement in, `flush` says what to store.

`apply` looks a record up, puts the statement in and marks the record; nothing else. Once a flush, and before anything is read,
`settle` works out anew what the touched records are, and hands *before* and *after* to the views and the counters. It reads no
clock and does no I/O: the same events and the same *now* give the same state, whoever calls it.

Between kinds there are three consequences, and they are all here: a status moves the calls that lean on it, a unit that moves
on calls holds its `off_duty` back, and a closed call opens a case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, cast

import msgspec

from streams import events_next as events
from streams import said
from streams.archiving import Archiving
from streams.books.calls import Calls
from streams.books.cases import Cases
from streams.books.kept import Kept
from streams.books.units import Changed, Units
from streams.books.whereabouts import Whereabouts
from streams.carried import carry
from streams.catalogue.catalogue import Catalogue
from streams.clock import Micros, micros
from streams.entries import Fact, Opening
from streams.files import CURRENT, Files
from streams.journal import Journal
from streams.packed import pack
from streams.programs import Profile
from streams.record import Effect
from streams.views.all import Views
from streams.views.counts import Counts, plus
from streams.views.fallen import OfStaffing, fall, of_units

_decode_feeds = msgspec.msgpack.Decoder(dict[events.Topic, Micros]).decode
_decode_people = msgspec.msgpack.Decoder(list[int]).decode
_decode_forgotten = msgspec.msgpack.Decoder(dict[int, Micros]).decode
_UNCHANGED: Final = frozenset(("duplicate", "full", "archived"))


class Core:
    """The state of one program. Not thread-safe: its owner applies events one after the other."""

    def __init__(
        self,
        profile: Profile,
        catalogue: Catalogue,
        bounds: tuple[Micros, ...],
        records: dict[str, bytes] | None = None,
    ) -> None:
        """State from the records of a changelog (none: empty), with the upper bounds of the interval histogram.

        The records are the state's from now on: it keeps them as `flush` hands them out. Where they stand under another
        program file they are as that says until `settle`. Raises msgspec.DecodeError.
        """
        self.journal = Journal(records)
        self.files = Files(profile, self.journal.records)
        self.rules = self.files.rules
        self.catalogue = catalogue
        self.forgotten: dict[int, Micros] = {}  # persons, and up to when statements lose them
        self.views = Views(self.rules)
        self.counts = Counts(catalogue, bounds)
        whereabouts = Whereabouts()
        self.units = Units(self.rules, whereabouts, self.views.units, self.journal.records)
        self.calls = Calls(self.rules, whereabouts, self, self.forgotten, self.journal.records)
        self.cases = Cases(self.rules, self.forgotten)
        self.archiving = Archiving(self)
        self._now: Micros = 0  # the clock of the last event
        self.counts.start(self.rules.profile)
        #: The same records under the file of before, until they were settled under this one.
        self._before: Core | None = None
        if self.journal.before:
            self._now = carry(self.journal.before, self)
        elif self.journal.records:
            self._restore()
            if self.files.before is not None:
                self._before = Core(self.files.before, catalogue, bounds, dict(self.journal.records))

    # --- the way in -----------------------------------------------------------------------------------------

    def apply(self, event: events.AnyEvent, now: Micros, at: Micros | None = None) -> Effect:
        """Apply one event at clock *now* (microseconds since the epoch); `at`: its own time, where it is at hand."""
        self._now = now
        if now >= self.archiving.next:
            self.archiving.look(now)
        if at is None:
            at = micros(event.at)
        handler, topic = _HANDLERS[type(event)]
        effect = handler(self, event, at, now)
        if effect not in _UNCHANGED:
            self._seen(topic or event.topic, at)  # type: ignore[union-attr]  # those without one name it
        return effect

    def _call(self, event: Any, at: Micros, now: Micros) -> Effect:
        id = event.call
        if id not in self.calls and "call/" + id in self.archiving.gone:
            return "archived"
        effect = self.calls.apply(id, cast(said.AnyOfCall, said.of(event, at)), now)
        if effect not in _UNCHANGED:
            self.journal.said("call/" + id)
        return effect

    def _case(self, event: Any, at: Micros, now: Micros) -> Effect:
        id = event.case
        if id not in self.cases and "case/" + id in self.archiving.gone:
            return "archived"
        effect = self.cases.apply(id, cast(said.AnyOfCase, said.of(event, at)), now)
        if effect not in _UNCHANGED:
            self.journal.said("case/" + id)
        return effect

    def _status(self, event: Any, at: Micros, now: Micros) -> Effect:
        return self.units.apply(event.unit, cast(said.Status, said.of(event, at)), now)

    def _heartbeat(self, event: Any, at: Micros, now: Micros) -> Effect:
        return "applied"

    def _call_withdrawn(self, event: events.CallWithdrawn, at: Micros, now: Micros) -> Effect:
        id = event.call
        if id not in self.calls and "call/" + id in self.archiving.gone:
            return "archived"
        effect = self.calls.withdraw(id, (event.id, event.of, event.upto), now)
        if effect not in _UNCHANGED:
            self.journal.said("call/" + id)
        return effect

    def _case_withdrawn(self, event: events.CaseWithdrawn, at: Micros, now: Micros) -> Effect:
        id = event.case
        if id not in self.cases and "case/" + id in self.archiving.gone:
            return "archived"
        effect = self.cases.withdraw(id, (event.id, event.of, event.upto), now)
        if effect not in _UNCHANGED:
            self.journal.said("case/" + id)
        return effect

    def _status_withdrawn(self, event: events.StatusWithdrawn, at: Micros, now: Micros) -> Effect:
        return self.units.withdraw(event.unit, (event.id, event.of, event.upto), now)

    def _forgotten(self, event: events.PersonForgotten, at: Micros, now: Micros) -> Effect:
        person = said.person(event.program, event.person)
        if at <= self.forgotten.get(person, 0):
            return "duplicate"
        self.forgotten[person] = at
        self.journal.said("forgotten/")
        self.calls.lean_on_people(person)
        self.cases.lean()
        for day in self.views.people.forget(person, at):
            self.journal.said(f"people/{day}")
        return "applied"

    def _seen(self, topic: events.Topic, at: Micros) -> None:
        if self.views.feeds.heard(topic, at):
            self.journal.said("feeds/")

    # --- what follows ---------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Work out what the records are that were touched, and bring views and counters up to date."""
        if self._before is not None and self._now:
            self._change_file(self._before)
        moved = self.calls.place()
        self._settle_units(moved)
        self._settle_calls()
        self._settle_cases()

    def _settle_units(self, moved: dict[str, tuple[Micros, Micros]]) -> None:
        changes = list(self.units.settle(moved))
        if changes:
            self._change_spans(changes)
        for unit, gone, came in self.units.recoded():
            if taken := self.counts.change(gone, came):
                self.units.take(unit, taken, {})
        self.calls.lean(self.units.leaning)
        self.units.leaning.clear()
        self._note_units()

    def _note_units(self) -> None:
        for key in self.units.dirty:
            self.journal.said(key)
        self.units.dirty.clear()

    def _change_spans(self, changes: list[Changed]) -> None:
        units = self.views.units
        ranges = [each for _, spans in changes for each in units.touched(spans.before, spans.after)]
        staffing = OfStaffing(self.views.staffing, ranges, (spans for _, spans in changes), self._now)
        fallen = of_units((spans for _, spans in changes), self._now, self.rules.stale_unit)
        for unit, spans in changes:
            units.change(unit, spans.before, spans.after)
        for span in ranges:
            self.calls.lean_on_results(span.begin, span.end)
        if fallen := fallen | staffing.fallen():
            self.units.take(changes[-1].unit, (), fallen)
            self._count_fallen(fallen)

    def _count_fallen(self, fallen: Mapping[tuple[str, str, str], Micros]) -> None:
        for (name, *labels), time in fallen.items():
            self.counts.correct(self.catalogue[name], tuple(labels), time)

    def take_back_time(self, fallen: Mapping[tuple[str, str, str], Micros]) -> None:
        """Count by how much counters of time fell, and keep it with a unit."""
        if fallen and (unit := self.units.any()) is not None:
            self.units.take(unit, (), fallen)
            self._count_fallen(fallen)
            self._note_units()

    def _change_file(self, before: Core) -> None:
        """All that is kept, under the program file of now: what differs is handed on as if it had been corrected."""
        self._before = None
        self.take_back_time(fall(before.views, self.views, self._now))
        self.calls.tell_all()
        self.cases.lean()

    def _settle_calls(self) -> None:
        for id in self.calls.placed():
            self.journal.moved("call/" + id)
        for id, before, after, call in self.calls.settle():
            self._count(call, before.facts if before else (), after.facts if after else ())
            self.views.of_call(id, before, after)
            opening = after.case if after else None
            if opening != (before.case if before else None):
                self._open_case(id, opening)
            self.archiving.note("call/" + id)
            self.journal.moved("call/" + id)

    def _open_case(self, id: str, opening: Opening | None) -> None:
        """What a call opens; not if that case is archived already, as there were too many."""
        if opening is None or "case/" + id not in self.archiving.gone:
            self.cases.open_by_call(id, opening)

    def _settle_cases(self) -> None:
        for id, before, after, case in self.cases.settle():
            self._count(case, before.facts if before else (), after.facts if after else ())
            self.views.of_case(id, before, after)
            self.archiving.note("case/" + id)
            self.journal.moved("case/" + id)

    def _count(self, kept: Kept[Any, Any], before: tuple[Fact, ...], after: tuple[Fact, ...]) -> None:
        if before != after and (taken := self.counts.change(before, after)):
            kept.taken = plus(kept.taken, taken)
            kept.record.touched = max(kept.record.touched, self._now)

    # --- what units say of calls: see streams/derive/past.py ------------------------------------------------

    def team(self, unit: str, at: Micros) -> str | None:
        """The team of a unit's last status at or before a time."""
        return self.units.team(unit, at)

    def result(self, at: Micros, teams: tuple[str, ...]) -> Any:
        """Why no unit of these teams could be sent."""
        return self.views.units.result(at, teams)

    # --- what is stored -------------------------------------------------------------------------------------

    def flush(self) -> dict[str, bytes | None]:
        """The records changed since the last flush, in the order to store them; None: no longer kept."""
        self.settle()
        self.archiving.leave()
        self._note_units()
        for key, packed in self.files.stored(self._now):
            self.journal.store(key, packed)
            self.journal.said(CURRENT)
        moved, new = self.journal.changed()
        changes = self.journal.flush({key: self._pack(key) for key in moved}, {key: self._pack(key) for key in new})
        self.calls.flushed()
        self.units.flushed()
        return changes

    def _pack(self, key: str) -> bytes | None:
        kind, _, id = key.partition("/")
        if kind == "call":
            return self.calls.pack(id)
        if kind == "case":
            return self.cases.pack(id)
        if kind == "program":
            return self.files.digest.encode()
        if kind == "feeds":
            return pack({topic: at for (topic,), at in self.views.feeds.newest().items()})
        if kind == "forgotten":
            return pack(self.forgotten)
        if kind == "people":
            return pack(persons) if (persons := self.views.people.pack(int(id))) else None
        return self.units.pack(key)

    @property
    def now(self) -> Micros:
        """The clock of the last event; 0: none yet."""
        return self._now

    def records(self) -> Iterator[tuple[str, bytes]]:
        """All records as of the last flush, in the order to store them."""
        return self.journal.in_order()

    def _restore(self) -> None:
        if packed := self.journal.records.get("forgotten/"):
            self.forgotten.update(_decode_forgotten(packed))
        self.archiving.restore()
        for key, packed in list(self.journal.records.items()):
            kind, _, id = key.partition("/")
            if kind == "call":
                entry, taken = self.calls.restore(id, packed)
                self.counts.restore(entry.facts if entry else (), taken)
                self.views.of_call(id, None, entry)
                if entry and entry.case:
                    self._open_case(id, entry.case)
            elif kind == "case":
                case = self.cases.restore(id, packed)
                self.counts.restore(case.entry.facts if case.entry else (), case.taken)
                self.views.of_case(id, None, case.entry)
            elif kind == "feeds":
                for topic, at in _decode_feeds(packed).items():
                    self.views.feeds.heard(topic, at)
            elif kind == "people":
                self.views.people.restore(int(id), _decode_people(packed))
            else:
                continue
            self.archiving.note(key)
        self.calls.restored()
        self._restore_units()  # now that it is known where they were
        self._settle_cases()  # those that calls open have no record of their own

    def _restore_units(self) -> None:
        self.units.restore()
        for facts, fallen in self.units.taken():
            self.counts.restore((), facts)
            self._count_fallen(fallen)
        for unit, spans in self.units.settle({}):
            self.views.units.change(unit, spans.before, spans.after)
        for _, _, facts_of_codes in self.units.recoded():
            self.counts.restore(facts_of_codes, ())


# Not bound to a state: a state that refers to its own methods is a cycle, and stays until the garbage collector comes.
# With the topic of the event; None: it names its own.
_Handler = Callable[[Core, Any, Micros, Micros], Effect]
_HANDLERS: Final[dict[type[events.Event], tuple[_Handler, events.Topic | None]]] = {
    events.Heartbeat: (Core._heartbeat, None),
    events.UnitStatus: (Core._status, "status"),
    events.StatusWithdrawn: (Core._status_withdrawn, "status"),
    events.CallWithdrawn: (Core._call_withdrawn, "dispatch"),
    events.CaseWithdrawn: (Core._case_withdrawn, "followup"),
    events.PersonForgotten: (Core._forgotten, "followup"),
    **dict.fromkeys(events.CALL_EVENTS, (Core._call, "dispatch")),
    **dict.fromkeys(events.CASE_EVENTS, (Core._case, "followup")),
}
assert _HANDLERS.keys() == {kind for kinds in events.KINDS.values() for kind in kinds}, (
    "an event type without a handler"
)
