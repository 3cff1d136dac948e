"""The state of one program and the one function that changes it: `ProgramState.apply(event, now)`.

`apply` reads no clock and does no I/O: the same events and the same *now* give the same state, whoever calls it: the
live worker, `verify`, a backtest, the tests. What it changed is handed out by `flush` as records to store.

Two rules make every number survive a crash at any point:

* An event changes **one** record. A call keeps the ids it has seen *and* the facts it has counted, so a stored record
  is either before the event or after it, never between. Counters are sums over records.
* Where more records change (archiving, many events to a flush, a call whose close opens a case that attempts waited
  for), they are written in an order in which every prefix is a valid state: an archive before what it replaces goes, a
  case before the call that opened it, calls before the statuses that may have come after them.

Keys are `<kind>/<id>`: `c/` calls, `u/<n>/` segments of a unit's statuses, `a/` their archives, `k/` cases, `f` feeds,
`g` counts of archived calls and cases, `e/<n>` the ids of those that were archived early (limits.py), `n` what notices
have said.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from hashlib import blake2b
from heapq import nsmallest
from itertools import islice
from sys import intern
from typing import Any, Literal, NamedTuple

import msgspec

from streams import events, tally
from streams.bounds import LOOK, Bounds
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
    Ending,
    Fact,
    Head,
    Leg,
)
from streams.caseload import Caseload
from streams.cases import Case, Opening
from streams.clock import DAY, HOUR, NEVER, Micros, local_hour, micros
from streams.demand import Demand
from streams.duty import Duty
from streams.events import Heartbeat
from streams.fleet import Fleet
from streams.limits import CHUNK, ENDLESS_CASES, OPEN_CALLS, UNITS, Kind
from streams.packed import pack
from streams.programs import NO_TEAM, OTHER, Interval, Profile
from streams.tally import RESULTS, Cell, Tally, count_on
from streams.units import Entry, Unit, UnitArchive
from streams.unsettled import Unsettled
from streams.waiting import Waiting

#: Closed calls are kept this long after closing (or after the last event that touched them), then only their counts.
KEPT: Micros = 45 * DAY
#: How often old records are looked for: at each full hour of the clock, or with the first event after it. A state
#: that was restored in between finds nothing that the one before it did not.
ARCHIVE_EVERY: Micros = HOUR

#: What an event may give as its reason; whether a call was served or ineligible is not for it to say.
REASONS = frozenset(RESULTS) - {"served", "ineligible"}
#: Results that ask, where no event gave one as its reason, what units were doing; a status that is late may change them.
_BY_UNITS = frozenset(("no_unit_on_duty", "all_units_busy", "not_triaged", "unknown"))

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
#: Of these, by time point, the ones that an event of a unit at that point can complete.
_CALL_INTERVALS_AT = [tuple(each for each in CALL_INTERVALS if each[1] == point) for point in range(6)]
_LEG_INTERVALS_AT = [tuple(each for each in LEG_INTERVALS if point in each[1:3]) for point in range(6)]
_SEEN_TRANSPORT = 16
_POINT: dict[type, int] = {
    events.UnitDispatched: DISPATCHED,
    events.UnitEnRoute: EN_ROUTE,
    events.UnitOnScene: ON_SCENE,
    events.UnitTransporting: TRANSPORTING,
    events.UnitAtDestination: AT_DESTINATION,
    events.UnitCleared: CLEARED,
}

#: Events after which a case and its call may go sooner than was thought.
_MOVES_EXPIRY = frozenset((events.CaseOpened, events.CaseClosed))

#: Events that a record takes when it takes no others, see bounds.py.
_ENDING = frozenset((events.CallReceived, events.CallClosed, events.CaseOpened, events.CaseClosed))

#: `full`: its record takes no more, and is as it was. `archived`: its record was archived early.
Effect = Literal["applied", "late", "duplicate", "full", "archived"]
#: Kinds of records whose ids are remembered when they are archived early.
_REMEMBERED: tuple[Kind, ...] = ("open_calls", "endless_cases")
#: Codes that the profile does not know: (field, code).
Codes = list[tuple[str, str]]


class Applied(NamedTuple):
    """What an event did, and the codes in it that the profile does not know (for the log)."""

    effect: Effect
    unmapped: tuple[tuple[str, str], ...] = ()


_APPLIED, _LATE = Applied("applied"), Applied("late")
_DUPLICATE, _FULL, _ARCHIVED = Applied("duplicate"), Applied("full"), Applied("archived")
_CHANGES = ("applied", "late")


class Archived(msgspec.Struct, array_like=True):
    """The counts of calls and cases that are no longer kept, and the newest `at` of each topic, theirs included."""

    newest: dict[str, Micros] = {}
    cells: list[tuple[Cell, int]] = []
    bounds: tuple[Micros, ...] = ()
    spread: list[tuple[Cell, list[int]]] = []
    gone: list[str] = []  # keys archived last: a crash may have left their records behind
    era: int = 0  # how often records were archived
    early: dict[Kind, int] = {}  # calls and cases archived early; so many ids of the records `e/` hold


class Told(msgspec.Struct, array_like=True):
    """What notices have said, see notices.py: all up to a time; team -> since when its staffing gap is open."""

    upto: Micros = 0
    gaps: dict[str, Micros] = {}


#: Bytes that stand for an id, see `hash8`.
HASH = 8
_call_decoder = msgspec.msgpack.Decoder(Call)
_head_decoder = msgspec.msgpack.Decoder(Head)
_case_decoder = msgspec.msgpack.Decoder(Case)


def _hashes(packed: bytes) -> list[bytes]:
    """The hashed ids of a record `e/`. Raises msgspec.DecodeError."""
    if len(packed) % HASH:
        raise msgspec.DecodeError("cut off")
    return [packed[place : place + HASH] for place in range(0, len(packed), HASH)]


_DECODERS: dict[str, Callable[[bytes], object]] = {
    "e": _hashes,
    "n": msgspec.msgpack.Decoder(Told).decode,
    "g": msgspec.msgpack.Decoder(Archived).decode,
    "k": _case_decoder.decode,
    "c": _call_decoder.decode,
    "u": msgspec.msgpack.Decoder(list[Entry]).decode,
    "a": msgspec.msgpack.Decoder(UnitArchive).decode,
    "f": msgspec.msgpack.Decoder(dict[str, Micros]).decode,
}
UNKNOWN_KIND = "a kind of record that this version does not know"


def unreadable(key: str, packed: bytes) -> str:
    """Why a record cannot be read; "": it can."""
    decode = _DECODERS.get(key.partition("/")[0])
    if decode is None:
        return UNKNOWN_KIND
    try:
        decode(packed)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return "its content is not what it should be: cut off, or not written by carewatch"
    return ""


_PLACES = {kind: place for place, kind in enumerate(("n", "e", "g", "k", "c", "a", "u", "gone", "f"))}


def _place(change: tuple[str, bytes | None]) -> int:
    """Where a record goes in a flush. What was counted is in a record, and needs nothing any more of what it was
    counted by: a case not its call, a call not its units' statuses.
    """
    key, packed = change
    return _PLACES["gone" if packed is None and key[0] == "u" else key[0]]


def _newest(item: tuple[str, Call]) -> tuple[Micros, str]:
    return item[1].newest, item[0]


def _silent(item: tuple[str, Unit]) -> tuple[bool, Micros, str]:
    """Units off duty first, then by their last status."""
    held = item[1].held
    return held is not None and held.status != "off_duty", held.at if held else 0, item[0]


_another = blake2b(digest_size=HASH).copy


def hash8(text: str) -> bytes:
    """Eight bytes that stand for an id or a token."""
    hashing = _another()  # to make one costs more than to use it
    hashing.update(text.encode())
    return hashing.digest()


class ProgramState:
    """The state of one program. Not thread-safe: its owner applies events one after the other."""

    # more attributes than Python keeps in an object without a dictionary of its own, which slows down each look at one
    __slots__ = (
        "__weakref__",
        "_archive_at",
        "_archived",
        "_asleep",
        "_bounds",
        "_dirty",
        "_duty",
        "_early",
        "_endless",
        "_era",
        "_expiry",
        "_gone",
        "_heirs",
        "_hot",
        "_labels",
        "_leaving",
        "_records",
        "_settled_on",
        "_unsettled",
        "_zone",
        "cases",
        "closed_on",
        "demand",
        "early",
        "fleet",
        "newest",
        "open",
        "people",
        "profile",
        "tally",
        "told",
        "units",
        "waiting",
        "zeros",
    )

    def __init__(self, profile: Profile, bounds: tuple[Micros, ...], records: dict[str, bytes] | None = None) -> None:
        """State from the records of a changelog (none: empty), with the histogram bounds of `tally.edges`.

        The records are the state's from now on: it keeps them as `flush` hands them out.
        """
        self.profile = profile
        self.tally = Tally(bounds)
        self.open: dict[str, Call] = {}  # every call not closed, by key
        self.waiting = Waiting()
        self.fleet = Fleet()
        self._duty = Duty()
        self.zeros: dict[str, dict[tuple[str, ...], float]] = {}  # the read model's samples of nothing, by metric
        self.units: dict[str, Unit] = {}
        self.cases = Caseload(profile)
        self.told = Told()
        self.newest: dict[str, Micros] = {}
        #: Closed calls by local day of closing: (team, area, outcome) -> calls.
        self.closed_on: dict[int, dict[Cell, int]] = {}
        #: The same calls: (area, result) -> calls, and apart those whose result the units say, see `demand_on`.
        self._settled_on: dict[int, dict[Cell, int]] = {}
        self._unsettled = Unsettled()
        self.demand = Demand(profile.zone)
        self.people: Counter[int] = Counter()
        #: As of the last flush. Of a closed call there is nothing else: most of the memory, rarely touched.
        self._records: dict[str, bytes] = {} if records is None else records
        self._leaving: set[str] = set()  # calls archived since then, whose records are still there
        self._hot: dict[str, Call] = {}  # closed calls that events came for since the last flush
        self._dirty: dict[str, None] = {}
        #: Day -> closed calls and cases that may go from then on; some more than once, and of more than one day.
        self._expiry: dict[int, list[str]] = defaultdict(list)
        self._heirs: dict[str, dict[str, Micros]] = defaultdict(dict)  # unit -> calls with its team by its status then
        self._archive_at: Micros = 0
        self._bounds = Bounds()
        self.early: dict[Kind, int] = {"open_calls": 0, "endless_cases": 0, "units": 0}  # archived early, ever
        self._early: dict[bytes, None] = {}  # hashed keys of those calls and cases, in their order
        self._endless: dict[str, None] = {}  # cases under case management that nobody closed
        self._asleep: dict[str, bytes] = {}  # units archived whole, as their archives' records
        self._archived = Tally(bounds)
        self._gone: list[str] = []
        self._era = 0
        self._labels = profile.labels
        self._zone = profile.zone
        self.tally.start(tally.possible(profile))
        if self._records:
            self._restore()

    # --- the one way in -------------------------------------------------------------------------------------

    def apply(self, event: events.AnyEvent, now: Micros, at: Micros | None = None) -> Applied:
        """Apply one event at clock *now* (microseconds since the epoch); `at`: its own time, where it is at hand."""
        if now >= self._archive_at:
            self.archive(now)
        if at is None:
            at = micros(event.at)
        handler, topic = _HANDLERS[type(event)]
        applied = handler(self, event, at, now)
        if applied is _APPLIED or applied.effect in _CHANGES:
            if type(event) is Heartbeat:
                topic = event.topic
            if at > self.newest.get(topic, 0):
                self.newest[topic] = at
        return applied

    def flush(self) -> dict[str, bytes | None]:
        """The records changed since the last flush, in the order to store them; None: no longer kept."""
        self.put_back()
        changed = {key: self._record(key) for key in self._dirty}
        if len(changed) > 1:
            changed = dict(sorted(changed.items(), key=_place))
        for key, packed in changed.items():
            if packed is None:
                self._records.pop(key, None)
            else:
                self._records[key] = packed
        self._leaving.clear()
        self._hot.clear()
        self._dirty.clear()
        return changed

    def records(self) -> dict[str, bytes]:
        """All records as of the last flush, in the order to store them."""
        return dict(sorted(self._records.items(), key=_place))

    def remember(self, told: Told) -> None:
        """What notices have said, once they are durable; but for what came too late for the look that found them."""
        self.told = Told(min(told.upto, self.cases.late_from - 1), told.gaps)
        self._dirty["n"] = None

    def put_back(self) -> None:
        """Take back *all up to a time was said* for what came after its time was told, or a crash would lose it."""
        if self.cases.late_from <= self.told.upto:
            self.remember(self.told)

    def _record(self, key: str) -> bytes | None:
        kind, _, name = key.partition("/")
        if kind == "c":
            call = self.open.get(key) or self._hot.get(key)
            return None if call is None else pack(call)
        if kind == "u":
            number, _, unit = name.partition("/")
            return self.units[unit].record(int(number)) if unit in self.units else None
        if kind == "a":
            return self._asleep.get(name) or pack(self.units[name].archive)
        if kind == "e":
            return b"".join(islice(self._early, int(name) * CHUNK, (int(name) + 1) * CHUNK))
        if kind == "k":
            case = self.cases.records.get(name)
            return None if case is None else pack(case)
        if kind == "f":
            return pack(self.newest)
        if kind == "n":
            return pack(self.told)
        archived = self._archived
        return pack(
            Archived(
                self.newest,
                sorted(archived.cells.items(), key=repr),
                archived.bounds,
                sorted(archived.spread.items(), key=repr),
                self._gone,
                self._era,
                {kind: self.early[kind] for kind in _REMEMBERED},
            )
        )

    # --- calls ----------------------------------------------------------------------------------------------

    def _find(self, key: str) -> Call | None:
        return self.open.get(key) or self._find_closed(key)

    def _find_closed(self, key: str) -> Call | None:
        call = self._hot.get(key)
        if call is None and (packed := self._records.get(key)) is not None and key not in self._leaving:
            call = _call_decoder.decode(packed)
        return call

    def _call(self, event: events.AnyCallEvent, at: Micros, now: Micros) -> Applied:
        key = "c/" + event.call
        id = hash8(event.id)
        call = self.open.get(key)
        if call is None:
            call = self._find_closed(key)
            if call is None:
                if self._early and hash8(key) in self._early:
                    return _ARCHIVED
                if len(self.open) >= OPEN_CALLS.most:
                    stalest = nsmallest(OPEN_CALLS.at_once, self.open.items(), key=_newest)
                    self._archive_early("open_calls", [old for old, _ in stalest])
                call = self.open[key] = Call(first=at, legs={}, claims=[], facts=[], era=self._era)
            else:
                self._hot[key] = call  # to decode it once is enough, also for duplicates
        if id in call.ids:
            return _DUPLICATE
        if len(call.ids) >= LOOK and self._bounds.full(key, call, ending=type(event) in _ENDING):
            return _FULL
        late = call.seen & SEEN_CLOSED
        if late:
            self._show(key, call, -1)
        call.ids += id
        if at < call.first:
            call.first = at
        if at > call.newest:
            call.newest = at
        if now > call.touched:
            call.touched = now
        unmapped: Codes = []
        _CALL_HANDLERS[type(event)](self, event, at, call, unmapped)
        if unmapped and not late:
            for field, _ in unmapped:
                self._count(call, (tally.UNMAPPED, field, 1))
        if late:
            self._show(key, call, +1)
        elif call.closed:
            self._close(key, call)
        else:
            self.waiting.changed(key)
        self._dirty[key] = None
        if unmapped:
            return Applied("late" if late else "applied", tuple(unmapped))
        return _LATE if late else _APPLIED

    # One method a type of event writes it into the call, and counts what it is the first to record. What is written
    # after the call was closed completes it and counts nothing.

    def _label(self, field: str, code: str, unmapped: Codes) -> str:
        """The label value of a code; takes down a code that the profile does not know."""
        label = self._labels[field].get(code)
        if label is None:
            unmapped.append((field, code))
            return OTHER
        return label

    def _claim(self, call: Call, at: Micros, call_type: str | None, area: str | None, unmapped: Codes) -> None:
        call.claims.append(
            (
                at,
                self._label("call_type", call_type, unmapped) if call_type else "",
                self._label("area", area, unmapped) if area else "",
            )
        )

    def _received(self, event: events.CallReceived, at: Micros, call: Call, unmapped: Codes) -> None:
        if not call.received or at < call.received:
            call.received = at
        self._claim(call, at, event.call_type, event.area, unmapped)
        if call.seen & SEEN_CLOSED:
            return
        if not call.seen & SEEN_RECEIVED:
            call.seen |= SEEN_RECEIVED
            self._count(call, (tally.RECEIVED, call.area, call.call_type, event.source or OTHER, 1))
        self._observe_call(call, CALL_INTERVALS)

    def _triaged(self, event: events.CallTriaged, at: Micros, call: Call, unmapped: Codes) -> None:
        triage = (at, event.eligible)
        if call.triage is None or triage > call.triage:
            call.triage = triage
        if event.call_type or event.area:
            self._claim(call, at, event.call_type, event.area, unmapped)

    def _unit_reached(self, event: events.UnitEvent, at: Micros, call: Call, unmapped: Codes) -> None:
        leg = call.legs.get(event.unit)
        if leg is None:
            leg = call.legs[event.unit] = Leg([0] * 6)
        point = _POINT[type(event)]
        before = leg.at[point]
        if not before or at < before:
            leg.at[point] = at
        new_here = False
        if event.agency:
            agency = (at, str(event.agency))
            if leg.agency is None or agency < leg.agency:
                was_care = leg.care
                leg.agency = agency
                new_here = leg.care and not was_care
        if type(event) is events.UnitDispatched and event.team:
            team = (at, self._label("team", event.team, unmapped))
            if leg.team is None or team < leg.team:
                leg.team = team
        place = OTHER
        if type(event) is events.UnitTransporting and event.destination:
            place = self._label("destination", event.destination, unmapped)
        if call.seen & SEEN_CLOSED or not leg.care:
            return
        # a unit that turns out to be the program's own only now brings all of its time points with it
        if intervals := CALL_INTERVALS if new_here else _CALL_INTERVALS_AT[point]:
            self._observe_call(call, intervals)
        self._observe_leg(call, event.unit, leg, LEG_INTERVALS if new_here else _LEG_INTERVALS_AT[point])
        if point == TRANSPORTING and not leg.seen & _SEEN_TRANSPORT:
            leg.seen |= _SEEN_TRANSPORT
            self._count(call, (tally.TRANSPORT, self.team(event.unit, leg), place, 1))

    def _contact_made(self, event: events.ContactMade, at: Micros, call: Call, unmapped: Codes) -> None:
        """Leaves its id and its time behind, as every event does."""

    def _call_closed(self, event: events.CallClosed, at: Micros, call: Call, unmapped: Codes) -> None:
        if not call.closed or at < call.closed:
            call.closed = at
        if event.outcome:
            outcome = (at, self._label("outcome", event.outcome, unmapped))
            call.outcome = min(call.outcome or outcome, outcome)
        if event.unserved_reason in REASONS:
            reason = (at, event.unserved_reason)
            call.reason = min(call.reason or reason, reason)
        if event.person:
            # the token's hash within the program: enough to count people, useless to find one
            person = (at, int.from_bytes(hash8(f"{event.program}/{event.person}"), "big"))
            call.person = min(call.person or person, person)

    def _use_of_force(self, event: events.UseOfForce, at: Micros, call: Call, unmapped: Codes) -> None:
        if not call.seen & SEEN_CLOSED:
            self._count(call, (tally.FORCE, str(event.level), 1))

    def _needles_collected(self, event: events.NeedlesCollected, at: Micros, call: Call, unmapped: Codes) -> None:
        if not call.seen & SEEN_CLOSED:
            self._count(call, (tally.NEEDLES, call.area, event.count))

    def _referral_made(self, event: events.ReferralMade, at: Micros, call: Call, unmapped: Codes) -> None:
        service = self._label("service", event.service, unmapped)
        if not call.seen & SEEN_CLOSED:
            self._count(call, (tally.REFERRAL, service, 1))

    def _observe_call(self, call: Call, intervals: Iterable[tuple[Interval, int, int]]) -> None:
        if not call.received or not call.legs:
            return
        for interval, point, seen in intervals:
            if not call.seen & seen and (reached := call.first_to(point)):
                call.seen |= seen
                unit, leg = reached
                self._observe(call, unit, leg, interval, leg.at[point] - call.received)

    def _observe_leg(
        self, call: Call, unit: str, leg: Leg, intervals: Iterable[tuple[Interval, int, int, int]]
    ) -> None:
        at = leg.at
        for interval, start, end, seen in intervals:
            if at[start] and at[end] and not leg.seen & seen:
                leg.seen |= seen
                self._observe(call, unit, leg, interval, at[end] - at[start])

    def _observe(self, call: Call, unit: str, leg: Leg, interval: Interval, took: Micros) -> None:
        if took < 0:
            self._count(call, (tally.DISORDER, interval, 1))
        else:
            self._count(call, (tally.INTERVAL, self.team(unit, leg), call.area, interval, took))

    def _close(self, key: str, call: Call) -> None:
        """Count the call's end: outcome, result, police. From here its counters stand."""
        call.seen |= SEEN_CLOSED
        del self.open[key]
        self.waiting.closed(key)
        self._hot[key] = call
        shown = self._shown(call)
        (team, area, outcome, _), result = shown
        self._count(call, (tally.CLOSED, team, area, call.call_type, outcome, 1))
        self._count(call, (tally.DEMAND, area, result, 1))
        involvement, freed = call.police
        self._count(call, (tally.POLICE, area, involvement, 1))
        if freed:
            self._count(call, (tally.FREED, freed))
        self._show(key, call, +1, shown)

    def _count(self, call: Call, fact: Fact) -> None:
        call.facts.append(fact)
        self.tally.add(fact)

    # --- what a call is, from its facts ---------------------------------------------------------------------

    def team(self, unit: str, leg: Leg) -> str:
        """A unit's team on a call: from its dispatch, else from its status at that time, else `other`."""
        if leg.team:
            return leg.team[1]
        known = self.units.get(unit)
        return known.team_at(leg.first) if known else OTHER

    def result(self, call: Call) -> str:
        """Result of a call (`care_demand_total`): the first of the contract's list that fits."""
        return self._shown(call)[1]

    def _outside(self, area: str, start: Micros) -> str:
        """`outside_area` or `outside_hours`; "" where a team covers the area and works at that time."""
        when = self.profile.local(start)
        covering = self.profile.covering(area, when)
        if any(team.works(when) for team in covering):
            return ""
        return "outside_hours" if covering else "outside_area"

    def _unmet(self, call: Call) -> str:
        teams = {team.code for team in self.profile.covering(call.area, self.profile.local(call.start))}
        on_duty, available = self._duty.standing(teams, call.start, self.units)
        if not on_duty:
            return "no_unit_on_duty"
        if not available:
            return "all_units_busy"
        if self.profile.triages and call.triage is None:
            return "not_triaged"
        return "unknown"

    def _shown(self, call: Call) -> tuple[Ending, str]:
        """How a closed call ended by its own record, and its result by what is known now."""
        served = call.first_to(ON_SCENE)
        reached = served or call.first_to(DISPATCHED)
        team = self.team(*reached) if reached else NO_TEAM
        area, told = call.area, "served" if served else call.unserved
        result = told or self._outside(area, call.start) or self._unmet(call)
        return Ending(team, area, call.outcome_label, told), result

    def _show(self, key: str, call: Call, sign: int, shown: tuple[Ending, str] | None = None) -> None:
        """Add a closed call to the gauges, or take it out of them before it changes."""
        heirs = [(unit, leg.first) for unit, leg in call.legs.items() if leg.team is None and leg.care]
        ending, result = shown or self._shown(call)
        if sign > 0:
            call.ending = None if heirs else ending
        by_units = not ending.result and result in _BY_UNITS
        self._gauge(key, call, ending[:3], "" if by_units else result, sign)
        for unit, first in heirs:
            if sign > 0:
                self._heirs[unit][key] = first
            else:
                self._heirs[unit].pop(key, None)

    def _gauge(self, key: str, call: Head, cell: tuple[str, str, str], result: str, sign: int) -> None:
        """Add or take out what a closed call shows: team, area and outcome, and the result; "": the units say it."""
        team, area, outcome = cell
        day = local_hour(call.closed, self._zone) // 24
        count_on(self.closed_on, day, cell, sign)
        if result:
            count_on(self._settled_on, day, (area, result), sign)
        elif sign > 0:
            self._unsettled.add(key, day, call.start)
        else:
            self._unsettled.remove(key)
        if call.received and result != "ineligible":
            self.demand.add(call.received, result if result in ("served", "outside_hours") else "unmet", sign)
        if call.person:
            self._person(call.person[1], sign)
        if sign > 0:
            id = key[2:]
            opens = outcome in self.profile.followup_outcomes
            opening = Opening(call.closed, "encounter", intern(team), intern(area), id) if opens else None
            self.cases.set_by_call(id, opening)
            self._settle(id)
            self._expire_case(id, call)

    def _settle(self, id: str, *, last: bool = False) -> None:
        """Count what waited for a case to be opened, in the case's record."""
        if facts := self.cases.settle(id, last=last):
            for fact in facts:
                self.tally.add(fact)
            self._dirty["k/" + id] = None
            self._bounds.forget("k/" + id)

    def _known(self, key: str) -> bool:
        """Whether there is a record of this call or case."""
        return key[2:] in self.cases.records if key[0] == "k" else self._find(key) is not None

    def _person(self, person: int, sign: int) -> None:
        calls_and_cases = self.people.get(person, 0) + sign
        if calls_and_cases:
            self.people[person] = calls_and_cases
        else:
            del self.people[person]

    # --- units, feeds, cases --------------------------------------------------------------------------------

    def _status(self, event: events.UnitStatus, at: Micros, now: Micros) -> Applied:
        id = int.from_bytes(hash8(event.id), "big")
        unit = self.units.get(event.unit)
        if unit is None:
            archive = (
                msgspec.msgpack.decode(packed, type=UnitArchive) if (packed := self._asleep.get(event.unit)) else None
            )
            if archive and at <= archive.upto:
                return _ARCHIVED
            if len(self.units) >= UNITS.most:
                self._sleep(now)
            if archive:
                del self._asleep[event.unit]
                self.fleet.wake(archive)
            unit = self.units[event.unit] = Unit(archive)
        elif unit.knows(id):
            return _DUPLICATE
        elif at <= unit.archive.upto:
            return _ARCHIVED
        unmapped: Codes = []
        team = self._label("team", event.team, unmapped)
        area = self._label("area", event.area, unmapped) if event.area else ""
        fields = " ".join(field for field, _ in unmapped) if unmapped else ""
        entry = Entry(at, id, unit.is_late(at, id), event.status, team, area, fields, now)
        # only a unit that changes its team can change what is known of its calls, and only from here on
        calls: list[tuple[str, Call]] = []
        if event.unit in self._heirs and not (team in unit.teams and len(unit.teams) == 1):
            calls = self._hide_heirs(event.unit, at if unit.known_at(at) else 0)
        if team not in unit.teams:
            self._duty.named(team, event.unit)
        number = unit.append(entry)
        self.waiting.unit_changed(event.unit)
        self.fleet.changed(event.unit)
        self._duty.changed(event.unit)
        self._unsettled.unit_changed(at, unit)
        for key, call in calls:
            self._show(key, call, +1)
        self._dirty[f"u/{number}/{event.unit}"] = None
        return Applied("applied", tuple(unmapped)) if unmapped else _APPLIED

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
        is_new = case is None
        if case is None:
            if self._early and hash8("k/" + event.case) in self._early:
                return _ARCHIVED
            case = Case(attempts=[], outreach=[], facts=[], era=self._era)
            self.cases.begin(event.case, case)
        elif id in case.ids:
            return _DUPLICATE
        elif len(case.ids) >= LOOK and self._bounds.full("k/" + event.case, case, ending=type(event) in _ENDING):
            return _FULL
        if now > case.touched:
            case.touched = now
        for fact in self.cases.apply(event, at, id):
            self.tally.add(fact)
        self._note_endless(event.case, case)
        if len(self._endless) > ENDLESS_CASES.most:
            stalest = nsmallest(
                ENDLESS_CASES.at_once, self._endless, key=lambda each: (self.cases.records[each].newest, each)
            )
            self._archive_early("endless_cases", ["k/" + id for id in stalest if id != event.case])
        unmapped: list[tuple[str, str]] = []
        if type(event) is events.CaseOpened:
            unmapped = self.cases.unmapped(event)
            if event.person:
                if case.person:
                    self._person(case.person[1], -1)
                person = (at, int.from_bytes(hash8(f"{event.program}/{event.person}"), "big"))
                case.person = min(case.person or person, person)
                self._person(case.person[1], +1)
        # others only put off the day when it goes, and are found out on that day
        if is_new or type(event) in _MOVES_EXPIRY:
            self._expire_case(event.case, self._find("c/" + event.case))
        self._dirty["k/" + event.case] = None
        return Applied("applied", tuple(unmapped)) if unmapped else _APPLIED

    def _note_endless(self, id: str, case: Case) -> None:
        if case.opened and case.opened.kind == "case_management" and not case.closed:
            self._endless[id] = None
        elif self._endless:
            self._endless.pop(id, None)

    # --- what is too many, see limits.py --------------------------------------------------------------------

    def _archive_early(self, kind: Kind, keys: list[str]) -> None:
        """Archive open calls or endless cases, and remember their ids: nothing of them may be counted twice."""
        for key in keys:
            record: Head | Case
            if key[0] == "c":
                record = self.open.pop(key)
                self.waiting.closed(key)
                self._leaving.add(key)
            else:
                record = self._drop_case(key[2:])
            for fact in record.facts:
                self._archived.add(fact)
            self._bounds.forget(key)
            self._dirty[f"e/{len(self._early) // CHUNK}"] = None
            self._early[hash8(key)] = None
            self.early[kind] += 1
        self._dirty.update(dict.fromkeys(("g", *keys)))

    def _sleep(self, now: Micros) -> None:
        """Archive the units that are off duty or silent the longest, whole: a later status wakes one."""
        stalest = nsmallest(UNITS.at_once, self.units.items(), key=_silent)
        for name, unit in stalest:
            calls = self._hide_heirs(name, 0)
            archive = unit.whole(now)
            del self.units[name]
            self._unsettled.unit_changed(0, None)
            self._asleep[name] = pack(archive)
            self.early["units"] += 1
            self.waiting.unit_changed(name)
            self.fleet.sleep(name, archive)
            for key, call in calls:
                self._show(key, call, +1)
            self._dirty.update(dict.fromkeys(("a/" + name, *(f"u/{number}/{name}" for number in unit.segments))))

    # --- what is no longer kept -----------------------------------------------------------------------------

    def _until(self, key: str, record: Head | Case) -> Micros:
        """When a closed call or a case goes: not as long as follow-ups of the case depend on it."""
        id, until = key[2:], record.touched + KEPT
        if type(record) is Case:
            return max(until, self.cases.kept_until(id))
        until = max(until, record.closed + KEPT)
        if id not in self.cases.by_calls:
            return until
        kept = self.cases.kept_until(id)
        return max(until, kept) if kept < NEVER else until

    def _expire(self, key: str, record: Head | Case) -> None:
        self._expiry[self._until(key, record) // DAY].append(key)

    def _expire_case(self, id: str, call: Head | None) -> None:
        """Note when a case and its closed call go; what is known of one may move the day of the other."""
        if case := self.cases.records.get(id):
            self._expire("k/" + id, case)
        if call and call.seen & SEEN_CLOSED:
            self._expire("c/" + id, call)

    def archive(self, now: Micros) -> None:
        """Fold old records into archived counts, as `apply` does at each full hour. Their records go after the archive is
        written: see the module.
        """
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
                    self._leaving.add(key)
                    self._hot.pop(key, None)
                else:
                    self._drop_case(key[2:])
                for fact in record.facts:
                    self._archived.add(fact)
                self._bounds.forget(key)
                gone.append(key)
        if gone:
            behind = [key for key in self._gone if key in self._dirty and not self._known(key)]  # not yet deleted
            self._gone = sorted({*gone, *behind})
            self._era += 1
            self._dirty.update(dict.fromkeys(("g", *gone)))
        for name, unit in list(self.units.items()):
            if segments := unit.expired(tick, tick - KEPT):
                calls = self._hide_heirs(name, 0) if len(unit.teams) > 1 else []
                self.units[name] = left = unit.without(segments)
                self._unsettled.unit_changed(0, left)
                self.waiting.unit_changed(name)
                self.fleet.changed(name)
                for key, call in calls:
                    self._show(key, call, +1)
                self._dirty.update(dict.fromkeys(("a/" + name, *(f"u/{number}/{name}" for number in segments))))

    def _drop_case(self, id: str) -> Case:
        """Take a case away, once everything it tells is counted."""
        self._settle(id, last=True)
        case = self.cases.drop(id)
        self._endless.pop(id, None)
        if case.person:
            self._person(case.person[1], -1)
        return case

    def _restore(self) -> None:
        records = self._records
        if packed := records.get("g"):
            self._restore_archived(msgspec.msgpack.decode(packed, type=Archived))
        if packed := records.get("f"):
            for topic, at in msgspec.msgpack.decode(packed, type=dict[str, Micros]).items():
                self._seen(topic, at)
        archives: dict[str, UnitArchive] = {}
        segments: dict[str, dict[int, bytes]] = defaultdict(dict)
        for key, packed in records.items():
            kind, _, name = key.partition("/")
            if kind == "u":
                segment, _, unit_id = name.partition("/")
                segments[unit_id][int(segment)] = packed
            elif kind == "a":
                archives[name] = msgspec.msgpack.decode(packed, type=UnitArchive)
            elif kind not in _DECODERS:
                raise ValueError(UNKNOWN_KIND)
        for unit_id in {**archives, **segments}:
            self._restore_unit(unit_id, archives.get(unit_id), segments[unit_id])
        gone = set(self._gone)
        facts: list[Fact] = []
        counts: Counter[Fact] = Counter()
        cases = [each for each in records.items() if each[0][0] == "k"]  # first: what a call opens may move its days
        calls = [each for each in records.items() if each[0][0] == "c"]
        for key, packed in (*cases, *calls):
            record = _head_decoder.decode(packed) if key[0] == "c" else _case_decoder.decode(packed)
            if (gone and key in gone and record.era < self._era) or (self._early and hash8(key) in self._early):
                self._dirty[key] = None  # a crash left it behind; remembered as gone until it is deleted
                self._leaving.add(key)
                continue
            facts += record.facts
            if len(facts) > 1000:  # while they are in the processor's cache
                counts.update(facts)
                facts.clear()
            if isinstance(record, Head):
                self._restore_call(key, record)
            else:
                self._restore_case(key, record)
        counts.update(facts)
        for fact, times in counts.items():  # most facts are the same as many others
            self.tally.add(fact, times)
        if packed := records.get("n"):
            self.told = msgspec.msgpack.decode(packed, type=Told)
            self.cases.told_upto = self.told.upto  # now that the cases are there: none of them came late

    def _restore_unit(self, id: str, archive: UnitArchive | None, segments: dict[int, bytes]) -> None:
        for number in [number for number in segments if archive and number < archive.segments]:
            del segments[number]
            self._dirty[f"u/{number}/{id}"] = None  # a crash left it behind
        if archive:
            self.early["units"] += archive.slept
        if archive and archive.upto and not segments:
            self._asleep[id] = self._records["a/" + id]
            self.fleet.sleep(id, archive)
            self._seen("status", archive.upto)
            return
        unit = self.units[id] = Unit(archive, segments)
        for team in unit.teams:
            self._duty.named(team, id)
        if newest := unit.newest:
            self._seen("status", newest)

    def _restore_case(self, key: str, case: Case) -> None:
        self.cases.put(key[2:], case)
        self._note_endless(key[2:], case)
        self._expire_case(key[2:], None)
        self._seen("followup", case.newest)
        if case.person:
            self._person(case.person[1], +1)

    def _restore_call(self, key: str, head: Head) -> None:
        self._seen("dispatch", head.newest)
        if not head.seen & SEEN_CLOSED:
            self.open[key] = _call_decoder.decode(self._records[key])
            self.waiting.changed(key)
            return
        if head.ending is None or not (head.ending.result or head.received):
            self._show(key, _call_decoder.decode(self._records[key]), +1)
        else:
            team, area, outcome, result = head.ending
            self._gauge(key, head, (team, area, outcome), result or self._outside(area, head.received), +1)

    def _restore_archived(self, archived: Archived) -> None:
        self.newest = dict(archived.newest)
        self._gone, self._era = archived.gone, archived.era
        self.early.update(archived.early)
        remembered = sum(archived.early.values())  # a crash may have left behind more
        for number in range(-(-remembered // CHUNK)):
            self._early.update(dict.fromkeys(_hashes(self._records[f"e/{number}"])))
        for hashed in list(self._early)[remembered:]:
            del self._early[hashed]
        for sums in (self._archived, self.tally):
            sums.cells.update(archived.cells)
            for cell, row in archived.spread:
                sums.merge(cell, archived.bounds, row)

    def _seen(self, topic: str, at: Micros) -> None:
        if at > self.newest.get(topic, 0):
            self.newest[topic] = at

    # --- for the read model ---------------------------------------------------------------------------------

    def demand_on(self, day: int) -> Counter[tuple[str, ...]]:
        """Calls closed on a local day (its ordinal): (area, result) -> calls, by what is known now."""
        counts: Counter[tuple[str, ...]] = Counter()
        for found in (self._settled_on.get(day, {}), self._unsettled.on(day, self._demanded)):
            counts.update({(str(area), str(result)): n for (area, result), n in found.items()})
        return counts

    def _demanded(self, key: str) -> tuple[str, str]:
        """Area and result of a closed call that is kept."""
        call = self._find(key)
        assert call is not None, key
        return call.area, self.result(call)

    def never_ending(self) -> dict[Kind, int]:
        """How many records it has that have a limit, see limits.py."""
        return {"open_calls": len(self.open), "endless_cases": len(self._endless), "units": len(self.units)}

    @property
    def kept_calls(self) -> int:
        """Calls kept, open and closed."""
        stored = {key for key in self._records if key[0] == "c"}
        return len(stored - self._leaving | self._hot.keys() | self.open.keys())


# Not bound to a state: a state that refers to its own methods is a cycle, and stays until the garbage collector comes.
# With the topic of the event; a heartbeat names its own.
_HANDLERS: dict[type, tuple[Callable[[ProgramState, Any, Micros, Micros], Applied], events.Topic]] = {
    events.Heartbeat: (ProgramState._heartbeat, "status"),
    events.UnitStatus: (ProgramState._status, "status"),
    **dict.fromkeys(events.CALL_EVENTS, (ProgramState._call, "dispatch")),
    **dict.fromkeys(events.CASE_EVENTS, (ProgramState._case, "followup")),
}
_CALL_HANDLERS: dict[type, Callable[[ProgramState, Any, Micros, Call, Codes], None]] = {
    events.CallReceived: ProgramState._received,
    events.CallTriaged: ProgramState._triaged,
    **dict.fromkeys(_POINT, ProgramState._unit_reached),
    events.ContactMade: ProgramState._contact_made,
    events.CallClosed: ProgramState._call_closed,
    events.UseOfForce: ProgramState._use_of_force,
    events.NeedlesCollected: ProgramState._needles_collected,
    events.ReferralMade: ProgramState._referral_made,
}
