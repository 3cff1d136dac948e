"""The state of one program and the one function that changes it: `ProgramState.apply(event, now)`.

`apply` reads no clock and does no I/O: the same events and the same *now* give the same state, whoever calls it: the
live worker, `verify`, a backtest, the tests. What it changed is handed out by `flush` as records to store.

Two rules make every number survive a crash at any point:

* An event changes **one** record. A call keeps the ids it has seen *and* the facts it has counted, so a stored record
  is either before the event or after it, never between. Counters are sums over records.
* Where more records change (archiving, many events to a flush), they are written in an order in which every prefix is
  a valid state: an archive before what it replaces goes, calls before the statuses that may have come after them.

Keys are `<kind>/<id>`: `c/` calls, `u/<n>/` segments of a unit's statuses, `a/` their archives, `k/` cases, `f` feeds,
`g` counts of archived calls and cases, `n` what notices have said.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from datetime import timedelta
from hashlib import blake2b
from typing import Any, Literal, NamedTuple

import msgspec

from streams import events, tally
from streams.calls import (
    AT_DESTINATION,
    CLEARED,
    DISPATCHED,
    EN_ROUTE,
    ON_SCENE,
    SEEN_CLOSED,
    SEEN_RECEIVED,
    SEEN_TO_DISPATCHED,
    SEEN_TO_ON_SCENE,
    TRANSPORTING,
    Call,
    Leg,
)
from streams.caseload import Caseload
from streams.cases import Case, Opening
from streams.clock import DAY, Micros, micros
from streams.followups import NEVER
from streams.programs import NO_TEAM, OTHER, Interval, Profile
from streams.tally import RESULTS, Cell, Tally
from streams.units import Entry, Unit, UnitArchive

#: Closed calls are kept this long after closing (or after the last event that touched them), then only their counts.
KEPT: Micros = 45 * DAY
#: How often old records are looked for: at each full hour of the clock, or with the first event after it. A state
#: that was restored in between finds nothing that the one before it did not.
ARCHIVE_EVERY: Micros = DAY // 24

#: What an event may give as its reason; whether a call was served or ineligible is not for it to say.
REASONS = frozenset(RESULTS) - {"served", "ineligible"}

#: Intervals of a CARE unit: name, start and end point, bit of `Leg.seen`.
LEG_INTERVALS: tuple[tuple[Interval, int, int, int], ...] = (
    ("dispatched_to_en_route", DISPATCHED, EN_ROUTE, 1),
    ("en_route_to_on_scene", EN_ROUTE, ON_SCENE, 2),
    ("on_scene_to_cleared", ON_SCENE, CLEARED, 4),
    ("dispatched_to_cleared", DISPATCHED, CLEARED, 8),
)
CALL_INTERVALS: tuple[tuple[Interval, int, int], ...] = (
    ("received_to_dispatched", DISPATCHED, SEEN_TO_DISPATCHED),
    ("received_to_on_scene", ON_SCENE, SEEN_TO_ON_SCENE),
)
_SEEN_TRANSPORT = 16
_POINT: dict[type, int] = {
    events.UnitDispatched: DISPATCHED,
    events.UnitEnRoute: EN_ROUTE,
    events.UnitOnScene: ON_SCENE,
    events.UnitTransporting: TRANSPORTING,
    events.UnitAtDestination: AT_DESTINATION,
    events.UnitCleared: CLEARED,
}

Effect = Literal["applied", "late", "duplicate"]


class Applied(NamedTuple):
    """What an event did, and the codes in it that the profile does not know (for the log)."""

    effect: Effect
    unmapped: tuple[tuple[str, str], ...] = ()


_APPLIED, _LATE, _DUPLICATE = Applied("applied"), Applied("late"), Applied("duplicate")


class Archived(msgspec.Struct, array_like=True):
    """The counts of calls and cases that are no longer kept, and the newest `at` of each topic, theirs included."""

    newest: dict[str, Micros] = {}
    cells: list[tuple[Cell, int]] = []
    bounds: tuple[Micros, ...] = ()
    spread: list[tuple[Cell, list[int]]] = []
    gone: list[str] = []  # keys archived last: a crash may have left their records behind
    era: int = 0  # how often records were archived


class Told(msgspec.Struct, array_like=True):
    """What notices have said, see notices.py: all up to a time; team -> since when its staffing gap is open."""

    upto: Micros = 0
    gaps: dict[str, Micros] = {}


_call_decoder = msgspec.msgpack.Decoder(Call)
_case_decoder = msgspec.msgpack.Decoder(Case)
_encode = msgspec.msgpack.Encoder().encode


_PLACES = ("n", "g", "k", "c", "u", "a", "gone", "f")


def _place(change: tuple[str, bytes | None]) -> int:
    """Where a record goes in a flush. What was counted is in a record, and needs nothing any more of what it was
    counted by: a case not its call, a call not its units' statuses.
    """
    key, packed = change
    return _PLACES.index("gone" if key[0] == "u" and packed is None else key[0])


def hash8(text: str) -> bytes:
    """Eight bytes that stand for an id or a token."""
    return blake2b(text.encode(), digest_size=8).digest()


class ProgramState:
    """The state of one program. Not thread-safe: its owner applies events one after the other."""

    def __init__(self, profile: Profile, bounds: tuple[Micros, ...], records: dict[str, bytes] | None = None) -> None:
        """State from the records of a changelog (none: empty), with the histogram bounds of `tally.edges`."""
        self.profile = profile
        self.tally = Tally(bounds)
        self.version = 0
        self.open: dict[str, Call] = {}  # every call not closed, by key
        self.units: dict[str, Unit] = {}
        self.cases = Caseload(profile)
        self.told = Told()
        self.newest: dict[str, Micros] = {}
        #: Closed calls by local day of closing: (team, area, outcome) -> calls.
        self.closed_on: dict[int, Counter[Cell]] = defaultdict(Counter)
        #: Eligible closed calls by local hour of receipt (days since 1 BC x 24 + hour): result -> times received.
        self.demand_in: dict[int, dict[str, list[Micros]]] = defaultdict(lambda: defaultdict(list))
        self.people: Counter[int] = Counter()
        self._kept: dict[str, bytes] = {}  # closed calls, packed: most of the memory, rarely touched
        self._hot: dict[str, Call] = {}  # closed calls touched since the last flush
        self._dirty: dict[str, None] = {}
        #: Day -> closed calls and cases that may go from then on.
        self._expiry: dict[int, dict[str, None]] = defaultdict(dict)
        self._heirs: dict[str, dict[str, Micros]] = defaultdict(dict)  # unit -> calls with its team by its status then
        self._archive_at: Micros = 0
        self._archived = Tally(bounds)
        self._gone: list[str] = []
        self._era = 0
        self._handlers: dict[type, Callable[[Any, Micros, Micros], Applied]] = {
            events.Heartbeat: self._heartbeat,
            events.UnitStatus: self._status,
            **dict.fromkeys(events.CALL_EVENTS, self._call),
            **dict.fromkeys(events.CASE_EVENTS, self._case),
        }
        if records:
            self._restore(records)
        self.tally.start(tally.possible(profile))

    # --- the one way in -------------------------------------------------------------------------------------

    def apply(self, event: events.AnyEvent, now: Micros) -> Applied:
        """Apply one event at clock *now* (microseconds since the epoch)."""
        if now >= self._archive_at:
            self._archive(now)
        at = micros(event.at)
        applied = self._handlers[type(event)](event, at, now)
        if applied.effect != "duplicate":
            topic = event.topic if type(event) is events.Heartbeat else events.TOPIC_OF[type(event)]
            if at > self.newest.get(topic, 0):
                self.newest[topic] = at
            self.version += 1
        return applied

    def flush(self) -> dict[str, bytes | None]:
        """The records changed since the last flush, in the order to store them; None: no longer kept."""
        if self.cases.late_from <= self.told.upto:
            self.remember(self.told)  # or a crash now would lose what came after its time was told
        changed = {key: self._record(key) for key in self._dirty}
        if len(changed) > 1:
            changed = dict(sorted(changed.items(), key=_place))
        for key in self._hot:
            packed = changed.get(key)
            if packed is not None:
                self._kept[key] = packed
        self._hot.clear()
        self._dirty.clear()
        return changed

    def remember(self, told: Told) -> None:
        """What notices have said, once they are durable; but for what came too late for the look that found them."""
        self.told = Told(min(told.upto, self.cases.late_from - 1), told.gaps)
        self._dirty["n"] = None

    def _record(self, key: str) -> bytes | None:
        kind, _, name = key.partition("/")
        if kind == "c":
            call = self.open.get(key) or self._hot.get(key)
            return None if call is None else _encode(call)
        if kind == "u":
            number, _, unit = name.partition("/")
            entries = self.units[unit].segments.get(int(number))
            return None if entries is None else _encode(entries)
        if kind == "a":
            return _encode(self.units[name].archive)
        if kind == "k":
            case = self.cases.records.get(name)
            return None if case is None else _encode(case)
        if kind == "f":
            return _encode(self.newest)
        if kind == "n":
            return _encode(self.told)
        archived = self._archived
        return _encode(
            Archived(
                self.newest,
                sorted(archived.cells.items(), key=repr),
                archived.bounds,
                sorted(archived.spread.items(), key=repr),
                self._gone,
                self._era,
            )
        )

    # --- calls ----------------------------------------------------------------------------------------------

    def _find(self, key: str) -> Call | None:
        call = self.open.get(key) or self._hot.get(key)
        if call is None and (packed := self._kept.get(key)) is not None:
            call = _call_decoder.decode(packed)
        return call

    def _call(self, event: events.AnyCallEvent, at: Micros, now: Micros) -> Applied:
        key = "c/" + event.call
        call = self._find(key)
        id = hash8(event.id)
        if call is None:
            call = self.open[key] = Call(first=at, legs={}, claims=[], facts=[], era=self._era)
        elif id in call.ids:
            return _DUPLICATE
        late = bool(call.seen & SEEN_CLOSED)
        if late:
            self._hot[key] = call
            self._show(key, call, -1)
        call.ids += id
        call.first = min(call.first, at)
        call.newest = max(call.newest, at)
        call.touched = max(call.touched, now)
        unmapped = self._record_facts(event, at, call)
        if not late:
            for field, _ in unmapped:
                self._count(call, tally.UNMAPPED, field, 1)
            self._count_event(event, call)
            if type(event) is events.CallClosed:
                self._close(key, call)
        if call.seen & SEEN_CLOSED:
            self._show(key, call, +1)
        self._dirty[key] = None
        if unmapped:
            return Applied("late" if late else "applied", unmapped)
        return _LATE if late else _APPLIED

    def _record_facts(self, event: events.AnyCallEvent, at: Micros, call: Call) -> tuple[tuple[str, str], ...]:
        """Write the event into the call; gives back its codes that the profile does not know."""
        unmapped: list[tuple[str, str]] = []

        def label(field: str, code: str | None) -> str:
            if code is None:
                return ""
            if not self.profile.knows(field, code):
                unmapped.append((field, code))
            return self.profile.label_of(field, code)

        match event:
            case events.CallReceived():
                call.received = min(call.received or at, at)
                call.claims.append((at, label("call_type", event.call_type), label("area", event.area)))
            case events.CallTriaged():
                call.triage = max(call.triage or (at, event.eligible), (at, event.eligible))
                if event.call_type or event.area:
                    call.claims.append((at, label("call_type", event.call_type), label("area", event.area)))
            case events.CallClosed():
                call.closed = min(call.closed or at, at)
                if event.outcome:
                    outcome = (at, label("outcome", event.outcome))
                    call.outcome = min(call.outcome or outcome, outcome)
                if event.unserved_reason in REASONS:
                    reason = (at, event.unserved_reason)
                    call.reason = min(call.reason or reason, reason)
                if event.person:
                    # the token's hash within the program: enough to count people, useless to find one
                    person = (at, int.from_bytes(hash8(f"{event.program}/{event.person}"), "big"))
                    call.person = min(call.person or person, person)
            case events.UnitEvent():
                leg = call.legs.get(event.unit)
                if leg is None:
                    leg = call.legs[event.unit] = Leg()
                point = _POINT[type(event)]
                leg.at[point] = min(leg.at[point] or at, at)
                if event.agency:
                    agency = (at, str(event.agency))
                    leg.agency = min(leg.agency or agency, agency)
                if type(event) is events.UnitDispatched and event.team:
                    team = (at, label("team", event.team))
                    leg.team = min(leg.team or team, team)
                if type(event) is events.UnitTransporting:
                    label("destination", event.destination)
            case events.ReferralMade():
                label("service", event.service)
            case _:
                pass  # contact made, force and needles are counted, and leave nothing else behind
        return tuple(unmapped)

    def _count_event(self, event: events.AnyCallEvent, call: Call) -> None:
        """Count what this event is the first to record."""
        area = call.area
        match event:
            case events.CallReceived():
                if not call.seen & SEEN_RECEIVED:
                    call.seen |= SEEN_RECEIVED
                    source = event.source or OTHER
                    self._count(call, tally.RECEIVED, area, call.call_type, source, 1)
                self._observe_call(call, area)
            case events.UnitEvent():
                leg = call.legs[event.unit]
                if leg.care:
                    self._observe_call(call, area)
                    self._observe_leg(call, event.unit, leg, area)
                    if type(event) is events.UnitTransporting and not leg.seen & _SEEN_TRANSPORT:
                        leg.seen |= _SEEN_TRANSPORT
                        place = self.profile.label_of("destination", event.destination or OTHER)
                        self._count(call, tally.TRANSPORT, self.team(event.unit, leg), place, 1)
            case events.UseOfForce():
                self._count(call, tally.FORCE, str(event.level), 1)
            case events.NeedlesCollected():
                self._count(call, tally.NEEDLES, area, event.count)
            case events.ReferralMade():
                self._count(call, tally.REFERRAL, self.profile.label_of("service", event.service), 1)
            case _:
                pass

    def _observe_call(self, call: Call, area: str) -> None:
        for interval, point, seen in CALL_INTERVALS:
            if not call.seen & seen and call.received and (reached := call.first_to(point)):
                call.seen |= seen
                unit, leg = reached
                self._observe(call, self.team(unit, leg), area, interval, leg.at[point] - call.received)

    def _observe_leg(self, call: Call, unit: str, leg: Leg, area: str) -> None:
        for interval, start, end, seen in LEG_INTERVALS:
            if not leg.seen & seen and leg.at[start] and leg.at[end]:
                leg.seen |= seen
                self._observe(call, self.team(unit, leg), area, interval, leg.at[end] - leg.at[start])

    def _observe(self, call: Call, team: str, area: str, interval: Interval, took: Micros) -> None:
        if took < 0:
            self._count(call, tally.DISORDER, interval, 1)
        else:
            self._count(call, tally.INTERVAL, team, area, interval, took)

    def _close(self, key: str, call: Call) -> None:
        """Count the call's end: outcome, result, police. From here its counters stand."""
        call.seen |= SEEN_CLOSED
        del self.open[key]
        self._hot[key] = call
        area = call.area
        team, outcome = self._team_of(call), call.outcome_label
        self._count(call, tally.CLOSED, team, area, call.call_type, outcome, 1)
        self._count(call, tally.DEMAND, area, self.result(call), 1)
        involvement, freed = call.police
        self._count(call, tally.POLICE, area, involvement, 1)
        if freed:
            self._count(call, tally.FREED, freed)

    def _count(self, call: Call, *fact: str | int) -> None:
        call.facts.append(fact)
        self.tally.add(fact)

    # --- what a call is, from its facts ---------------------------------------------------------------------

    def team(self, unit: str, leg: Leg) -> str:
        """A unit's team on a call: from its dispatch, else from its status at that time, else `other`."""
        if leg.team:
            return leg.team[1]
        known = self.units.get(unit)
        return known.team_at(leg.first) if known else OTHER

    def _team_of(self, call: Call) -> str:
        reached = call.first_to(ON_SCENE) or call.first_to(DISPATCHED)
        return self.team(*reached) if reached else NO_TEAM

    def result(self, call: Call) -> str:
        """Result of a call (`care_demand_total`): the first of the contract's list that fits."""
        if call.first_to(ON_SCENE):
            return "served"
        if call.ineligible:
            return "ineligible"
        if call.reason:
            return call.reason[1]
        outcome = call.outcome_label
        if outcome == "resolved_by_other":
            return "handled_by_other"
        if outcome == "cancelled":
            return "cancelled"
        when = self.profile.local(call.start)
        covering = self.profile.covering(call.area, when)
        if not covering:
            return "outside_area"
        if not any(team.works(when) for team in covering):
            return "outside_hours"
        teams = {team.code for team in covering}
        known = [unit.known_at(call.start) for unit in self.units.values()]
        statuses = [status for status, team in filter(None, known) if team in teams]
        if all(status == "off_duty" for status in statuses):
            return "no_unit_on_duty"
        if "available" not in statuses:
            return "all_units_busy"
        if self.profile.triages and call.triage is None:
            return "not_triaged"
        return "unknown"

    def _show(self, key: str, call: Call, sign: int) -> None:
        """Add a closed call to the gauges, or take it out of them before it changes."""
        day = self.profile.local(call.closed).toordinal()
        cell = (self._team_of(call), call.area, call.outcome_label)
        self.closed_on[day][cell] += sign
        if not self.closed_on[day][cell]:
            del self.closed_on[day][cell]
            if not self.closed_on[day]:
                del self.closed_on[day]
        if call.received and (result := self.result(call)) != "ineligible":
            shown = result if result in ("served", "outside_hours") else "unmet"
            received = self.profile.local(call.received)
            hour = received.toordinal() * 24 + received.hour
            times = self.demand_in[hour][shown]
            if sign > 0:
                times.append(call.received)
            else:
                times.remove(call.received)
                if not any(self.demand_in[hour].values()):
                    del self.demand_in[hour]
        if call.person:
            self._person(call.person[1], sign)
        if sign > 0:
            self._show_case(key, call)
            self._expire_case(key[2:], call)
        for unit, leg in call.legs.items():
            if leg.team is None and leg.care:
                if sign > 0:
                    self._heirs[unit][key] = leg.first
                else:
                    self._heirs[unit].pop(key, None)

    def _known(self, key: str) -> bool:
        """Whether there is a record of this call or case."""
        return key[2:] in self.cases.records if key[0] == "k" else self._find(key) is not None

    def _show_case(self, key: str, call: Call) -> None:
        """The case that a closed call opens by its outcome."""
        opens = call.outcome_label in self.profile.followup_outcomes
        opening = Opening(call.closed, "encounter", self._team_of(call), call.area, key[2:]) if opens else None
        self.cases.set_by_call(key[2:], opening)

    def _person(self, person: int, sign: int) -> None:
        self.people[person] += sign
        if not self.people[person]:
            del self.people[person]

    # --- units, feeds, cases --------------------------------------------------------------------------------

    def _status(self, event: events.UnitStatus, at: Micros, now: Micros) -> Applied:
        id = int.from_bytes(hash8(event.id), "big")
        unit = self.units.get(event.unit)
        if unit is None:
            unit = self.units[event.unit] = Unit()
        elif id in unit.ids:
            return _DUPLICATE
        codes = (("team", event.team), ("area", event.area))
        unmapped = tuple((field, code) for field, code in codes if code and not self.profile.knows(field, code))
        entry = Entry(
            at=at,
            id=id,
            late=unit.is_late(at, id),
            status=event.status,
            team=self.profile.label_of("team", event.team),
            area=self.profile.label_of("area", event.area) if event.area else "",
            unmapped=" ".join(field for field, _ in unmapped),
            touched=now,
        )
        # only a unit that changes its team can change what is known of its calls, and only from here on
        since = at if unit.known_at(at) else 0
        calls = [] if unit.teams == {entry.team} else self._hide_heirs(event.unit, since)
        number = unit.append(entry)
        for key, call in calls:
            self._show(key, call, +1)
        self._dirty[f"u/{number}/{event.unit}"] = None
        return Applied("applied", unmapped) if unmapped else _APPLIED

    def _hide_heirs(self, unit: str, since: Micros) -> list[tuple[str, Call]]:
        """Take the closed calls that have their team from a unit's statuses since a time out of the gauges."""
        heirs = sorted(key for key, first in self._heirs.get(unit, {}).items() if first >= since)
        calls = [(key, call) for key in heirs if (call := self._find(key))]
        for key, call in calls:
            self._show(key, call, -1)
        return calls

    def _heartbeat(self, event: events.Heartbeat, at: Micros, now: Micros) -> Applied:
        if at > self.newest.get(event.topic, 0):
            self._dirty["f"] = None
        return _APPLIED

    def _case(self, event: events.AnyCaseEvent, at: Micros, now: Micros) -> Applied:
        case = self.cases.records.get(event.case)
        id = hash8(event.id)
        if case is None:
            case = Case(attempts=[], outreach=[], facts=[], era=self._era)
            self.cases.put(event.case, case)
        elif id in case.ids:
            return _DUPLICATE
        case.touched = max(case.touched, now)
        for fact in self.cases.apply(event, at, id):
            self.tally.add(fact)
        unmapped: list[tuple[str, str]] = []
        if type(event) is events.CaseOpened:
            codes = (("team", event.team), ("area", event.area))
            unmapped = [(field, code) for field, code in codes if code and not self.profile.knows(field, code)]
            if event.person:
                if case.person:
                    self._person(case.person[1], -1)
                person = (at, int.from_bytes(hash8(f"{event.program}/{event.person}"), "big"))
                case.person = min(case.person or person, person)
                self._person(case.person[1], +1)
        self._expire_case(event.case, self._find("c/" + event.case))
        self._dirty["k/" + event.case] = None
        return Applied("applied", tuple(unmapped)) if unmapped else _APPLIED

    # --- what is no longer kept -----------------------------------------------------------------------------

    def _until(self, key: str, record: Call | Case) -> Micros:
        """When a closed call or a case goes: not as long as follow-ups of the case depend on it."""
        kept = self.cases.kept_until(key[2:])
        if isinstance(record, Call):
            opens = key[2:] in self.cases.by_calls
            return max(record.closed + KEPT, record.touched + KEPT, kept if opens and kept < NEVER else 0)
        return max(record.touched + KEPT, kept)

    def _expire(self, key: str, record: Call | Case) -> None:
        self._expiry[self._until(key, record) // DAY][key] = None

    def _expire_case(self, id: str, call: Call | None) -> None:
        """Note when a case and its closed call go; what is known of one may move the day of the other."""
        if case := self.cases.records.get(id):
            self._expire("k/" + id, case)
        if call and call.seen & SEEN_CLOSED:
            self._expire("c/" + id, call)

    def _archive(self, now: Micros) -> None:
        """Fold old records into archived counts. Their records go after the archive is written: see the module."""
        tick = now - now % ARCHIVE_EVERY
        self._archive_at = tick + ARCHIVE_EVERY
        gone: list[str] = []
        for day in sorted(day for day in self._expiry if day <= tick // DAY):
            for key in self._expiry.pop(day):
                call = self._find(key) if key[0] == "c" else None
                record = call if key[0] == "c" else self.cases.records.get(key[2:])
                if record is None or (call and not call.seen & SEEN_CLOSED):
                    continue
                if self._until(key, record) > tick:
                    self._expire(key, record)
                    continue
                if call:
                    self._show(key, call, -1)
                    self.cases.set_by_call(key[2:], None)
                    self._kept.pop(key, None)
                    self._hot.pop(key, None)
                elif person := self.cases.drop(key[2:]).person:
                    self._person(person[1], -1)
                for fact in record.facts:
                    self._archived.add(fact)
                gone.append(key)
        if gone:
            behind = [key for key in self._gone if key in self._dirty and not self._known(key)]  # not yet deleted
            self._gone = sorted({*gone, *behind})
            self._era += 1
            self._dirty.update(dict.fromkeys(("g", *gone)))
        for name, unit in list(self.units.items()):
            if segments := unit.expired(tick, tick - KEPT):
                calls = self._hide_heirs(name, 0) if len(unit.teams) > 1 else []
                self.units[name] = unit.without(segments)
                for key, call in calls:
                    self._show(key, call, +1)
                self._dirty.update(dict.fromkeys(("a/" + name, *(f"u/{number}/{name}" for number in segments))))

    def _restore(self, records: dict[str, bytes]) -> None:
        if packed := records.get("g"):
            self._restore_archived(msgspec.msgpack.decode(packed, type=Archived))
        if packed := records.get("f"):
            for topic, at in msgspec.msgpack.decode(packed, type=dict[str, Micros]).items():
                self._seen(topic, at)
        decode_entries = msgspec.msgpack.Decoder(list[Entry]).decode
        segments: dict[str, dict[int, bytes]] = defaultdict(dict)
        for key, packed in records.items():
            kind, _, name = key.partition("/")
            if kind == "u":
                segment, _, unit_id = name.partition("/")
                segments[unit_id][int(segment)] = packed
            elif kind == "a":
                self.units[name] = Unit(msgspec.msgpack.decode(packed, type=UnitArchive))
        for unit_id, parts in segments.items():
            unit = self.units.setdefault(unit_id, Unit())
            for number in sorted(parts):
                if number >= unit.archive.segments:
                    for entry in decode_entries(parts[number]):
                        unit.insert(number, entry)
                        self._seen("status", entry.at)
                else:
                    self._dirty[f"u/{number}/{unit_id}"] = None  # a crash left it behind
        gone = set(self._gone)
        for key, packed in records.items():
            record: Call | Case
            if key[0] == "c":
                record = _call_decoder.decode(packed)
            elif key[0] == "k":
                record = _case_decoder.decode(packed)
            else:
                continue
            if key in gone and record.era < self._era:
                self._dirty[key] = None  # a crash left it behind; remembered as gone until it is deleted
            elif isinstance(record, Call):
                self._restore_call(key, record, packed)
            else:
                self._restore_case(key, record)

        if packed := records.get("n"):
            self.told = msgspec.msgpack.decode(packed, type=Told)
            self.cases.told_upto = self.told.upto  # now that the cases are there: none of them came late

    def _restore_case(self, key: str, case: Case) -> None:
        self.cases.put(key[2:], case)
        self._expire_case(key[2:], self._find("c/" + key[2:]))
        self._seen("followup", case.newest)
        for fact in case.facts:
            self.tally.add(fact)
        if case.person:
            self._person(case.person[1], +1)

    def _restore_call(self, key: str, call: Call, packed: bytes) -> None:
        self._seen("dispatch", call.newest)
        for fact in call.facts:
            self.tally.add(fact)
        if call.seen & SEEN_CLOSED:
            self._kept[key] = packed
            self._show(key, call, +1)
        else:
            self.open[key] = call

    def _restore_archived(self, archived: Archived) -> None:
        self.newest = dict(archived.newest)
        self._gone, self._era = archived.gone, archived.era
        for sums in (self._archived, self.tally):
            sums.cells.update(archived.cells)
            for cell, row in archived.spread:
                sums.merge(cell, archived.bounds, row)

    def _seen(self, topic: str, at: Micros) -> None:
        self.newest[topic] = max(self.newest.get(topic, 0), at)

    # --- for the read model ---------------------------------------------------------------------------------

    @property
    def unmapped(self) -> Counter[str]:
        """Unknown codes by field: those of calls and cases, and those of units."""
        counts = Counter({str(cell[1]): n for cell, n in self.tally.cells.items() if cell[0] == tally.UNMAPPED})
        for unit in self.units.values():
            counts.update(unit.unmapped)
        return counts

    def demand_since(self, now: Micros, days: int) -> Counter[tuple[int, int, str]]:
        """Eligible closed calls received in the last local days: (weekday, hour, result) -> calls."""
        end = self.profile.local(now)
        start = end - timedelta(days=days)
        first = start.toordinal() * 24 + start.hour
        since = micros(start)
        counts: Counter[tuple[int, int, str]] = Counter()
        for bucket, results in self.demand_in.items():
            if bucket >= first:
                weekday, hour = (bucket // 24 - 1) % 7, bucket % 24
                for result, times in results.items():
                    n = len(times) if bucket > first else sum(at >= since for at in times)
                    counts[weekday, hour, result] += n
        return counts

    @property
    def kept_calls(self) -> int:
        """Calls kept, open and closed."""
        return len(self.open) + len(self._kept.keys() | self._hot.keys())
