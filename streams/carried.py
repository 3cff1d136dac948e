"""Records of the version before, which kept facts and not statements, are read once and carried over.

**What is carried.** A call becomes what its facts say: receipt, triage, the points of each unit, the close; a case its opening,
attempts, outreach, close; each status of a unit itself. Their ids begin with `v1-`. Of the ids of the events there are eight
bytes each: an event that comes again is a duplicate. Codes are the labels that they were mapped to.

**Counters.** What a record had counted is compared with what its statements count now, as if it had been corrected: no counter
falls, nothing counts twice, and counter minus corrected is what is so by the rules of now. What is new in these rules (later
points after a close, intervals that were not measured) is added. The time of units is compared in all, up to the last time
that the records know. What was counted of statements that were not kept (force, needles, referrals, codes that were not known)
is archived at once, on the local day of its record. What was archived without its day goes to the day BEFORE.

**What is lost**, as it was not kept:

- contacts, and what was filed after the close about force, needles and referrals; the partner of a referral. A call of which
  only such was told is not shown any more;
- all but the earliest time of each point of a unit, so a second going of one unit to one call;
- labels of a call that were told and did not hold; of the statuses of one time, which is the last by its id.

An event of then cannot be corrected or withdrawn: its other content is a duplicate. A call that was closed stays so, also where
units went to it later: it is closed again when it was last spoken of.

Two flushes write it: the first all that is carried over and a mark, the second takes the old records away. A crash before the
mark carries over again, see journal.py.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar, cast

import msgspec

from streams import said as s
from streams.books.kept import Kept
from streams.clock import Micros
from streams.derive.told import GRACE
from streams.entries import Fact
from streams.events import SOURCES, Agency, AttemptResult, CaseKind, Source, Topic, UnitStatusCode
from streams.gone import CHUNK, Gone, hash64, hashed_id
from streams.limits import Kind
from streams.packed import pack
from streams.programs import OTHER
from streams.record import KEPT, Record
from streams.rules import Rules
from streams.views.archive import Cell, Day
from streams.views.counts import Counts
from streams.views.fallen import UNIT_SECONDS

if TYPE_CHECKING:
    from streams.core import Core

R = TypeVar("R")
S = TypeVar("S", bound=s.Said)
#: The local day of what was archived without one: 1 January of the year 1, as `date.toordinal` counts.
BEFORE: Final = 1

# --- the records as they were: MessagePack arrays; times are microseconds, 0 where not known -----------------

OldFact = tuple[str | int, ...]
Claim = tuple[Micros, str]
_ON_SCENE: Final = 2  # the place of that point in a leg
_COUNTED_TRANSPORT: Final = 16  # bit of `OldLeg.seen`


class OldLeg(msgspec.Struct, array_like=True, omit_defaults=True):
    """One unit on one call: its earliest time of each point."""

    at: list[Micros] = msgspec.field(default_factory=lambda: [0] * 6)
    agency: Claim | None = None
    team: Claim | None = None
    seen: int = 0


class OldCall(msgspec.Struct, array_like=True, omit_defaults=True):
    """One call. `claims` are of type and area, blank where not told."""

    seen: int = 0
    received: Micros = 0
    closed: Micros = 0
    newest: Micros = 0
    touched: Micros = 0
    era: int = 0
    facts: list[OldFact] = []
    person: tuple[Micros, int] | None = None
    ending: msgspec.Raw = msgspec.Raw()
    ids: bytes = b""
    first: Micros = 0
    claims: list[tuple[Micros, str, str]] = []
    triage: tuple[Micros, bool] | None = None
    outcome: Claim | None = None
    reason: Claim | None = None
    legs: dict[str, OldLeg] = {}


class OldOpening(NamedTuple):
    """How a case began."""

    at: Micros
    kind: str
    team: str
    area: str
    call: str = ""


class OldCase(msgspec.Struct, array_like=True, omit_defaults=True):
    """One case."""

    ids: bytes = b""
    opened: OldOpening | None = None
    person: tuple[Micros, int] | None = None
    closed: Micros = 0
    newest: Micros = 0
    attempts: list[tuple[Micros, str, str]] = []
    outreach: list[tuple[Micros, bool]] = []
    facts: list[OldFact] = []
    touched: Micros = 0
    era: int = 0


class OldStatus(msgspec.Struct, array_like=True):
    """One status of a unit. `late`: a later one was known, and it added no time."""

    at: Micros
    id: int
    late: bool
    status: str
    team: str
    area: str
    unmapped: str
    touched: Micros


class OldArchive(msgspec.Struct, array_like=True):
    """What is left of statuses. `upto`: the unit went early, and nothing up to then was taken any more."""

    segments: int = 0
    seconds: list[tuple[str, str, Micros]] = []
    unmapped: dict[str, int] = {}
    area: tuple[Micros, int, str] | None = None
    upto: Micros = 0
    slept: int = 0


class OldCounts(msgspec.Struct, array_like=True):
    """Counts of calls and cases that were archived."""

    newest: dict[Topic, Micros] = {}
    cells: list[tuple[OldFact, int]] = []
    bounds: tuple[Micros, ...] = ()
    spread: list[tuple[OldFact, list[int]]] = []
    gone: list[str] = []
    era: int = 0
    early: dict[Kind, int] = {}


class Counted(NamedTuple):
    """What a record had counted: what its statements count as well, and what they do not."""

    again: list[Fact]
    final: list[Fact]


def carry(old: dict[str, bytes], core: Core) -> Micros:
    """Put the records of the version before into an empty core; the last clock that they know. Raises msgspec.DecodeError."""
    found = _Old(old)
    _put_archived(found, core)
    final: list[Fact] = []
    for unit, told in found.statuses.items():
        for each in told:
            core.units.apply(unit, _status(each), each.touched)
            day = core.rules.day(each.at)
            final += [("unmapped", day, field, 1) for field in each.unmapped.split()]
    for id, call in found.calls.items():
        core.calls.take_in(id, _record(statements_of_call(call), call))
    for id, case in found.cases.items():
        core.cases.take_in(id, _record(statements_of_case(case), case))
    core.settle()
    _take_back_time(found, core)
    compare = Counts(core.catalogue, core.counts.bounds)  # of its sums nothing is read
    for id, call in found.calls.items():
        counted = counted_by_call(call, core.rules)
        final += counted.final
        _take_back(core, core.calls.live[id], counted.again, compare)
        _keep(core, "call/" + id)
    for id, case in found.cases.items():
        counted = counted_by_case(case, core.rules)
        final += counted.final
        _take_back(core, core.cases.live[id], counted.again, compare)
        _keep(core, "case/" + id)
    _put_final(final, core)
    for topic, at in found.newest():
        if core.views.feeds.heard(topic, at):
            core.journal.said("feeds/")
    if "n" in old:
        core.journal.store("told/", old["n"])
    return found.clock


class _Old:
    """The records, but for those that a crash left behind."""

    def __init__(self, old: dict[str, bytes]) -> None:
        self.counts = _decode(old["g"], OldCounts) if "g" in old else OldCounts()
        self.feeds = _decode(old["f"], dict[Topic, Micros]) if "f" in old else {}
        #: Hashed keys of those that went early.
        chunks = sorted((int(number), packed) for number, packed in _of(old, "e"))
        self.early = array("Q", [hashed for _, packed in chunks for hashed in _hashes(packed)])
        del self.early[sum(self.counts.early.values()) :]
        calls = ((id, _decode(packed, OldCall)) for id, packed in _of(old, "c"))
        cases = ((id, _decode(packed, OldCase)) for id, packed in _of(old, "k"))
        self.calls = {id: call for id, call in calls if self._is_kept("c/" + id, call.era)}
        self.cases = {id: case for id, case in cases if self._is_kept("k/" + id, case.era)}
        self.archives = {unit: _decode(packed, OldArchive) for unit, packed in _of(old, "a")}
        self.statuses = self._statuses(old)

    def _is_kept(self, key: str, era: int) -> bool:
        archived = key in self.counts.gone and era < self.counts.era
        return not archived and not (self.early and hash64(key) in self.early)

    def _statuses(self, old: dict[str, bytes]) -> dict[str, list[OldStatus]]:
        """Of each unit, in the order in which they came."""
        segments: dict[str, dict[int, bytes]] = {}
        for rest, packed in _of(old, "u"):
            number, _, unit = rest.partition("/")
            if int(number) >= self.archives.get(unit, _NO_ARCHIVE).segments:
                segments.setdefault(unit, {})[int(number)] = packed
        return {
            unit: [status for _, packed in sorted(of_unit.items()) for status in _decode(packed, list[OldStatus])]
            for unit, of_unit in segments.items()
        }

    @cached_property
    def clock(self) -> Micros:
        """The last time that they know: a clock, or of an event, which may be some minutes ahead; 0: none."""
        of_units = (each.touched for told in self.statuses.values() for each in told)
        of_calls = (call.touched for call in self.calls.values())
        of_cases = (case.touched for case in self.cases.values())
        return max(0, *of_units, *of_calls, *of_cases, *(at for _, at in self.newest()))

    def newest(self) -> Iterator[tuple[Topic, Micros]]:
        """Times of each topic, the newest among them."""
        yield from self.feeds.items()
        yield from self.counts.newest.items()
        yield from (("dispatch", call.newest) for call in self.calls.values())
        yield from (("followup", case.newest) for case in self.cases.values())
        yield from (("status", archive.upto) for archive in self.archives.values() if archive.upto)
        yield from (("status", each.at) for told in self.statuses.values() for each in told)


# --- what was archived --------------------------------------------------------------------------------------


def _put_archived(old: _Old, core: Core) -> None:
    sums: Counter[Cell] = Counter()
    for cell, amount in old.counts.cells:
        sums[_CELLS[str(cell[0])], *cell[1:], *_MORE.get(cell[0], ())] += amount
    slept = 0
    for unit, archive in old.archives.items():
        for team, status, time in archive.seconds:
            sums[UNIT_SECONDS, team, status] += time
        for field, number in archive.unmapped.items():
            sums["unmapped", field] += number
        slept += archive.slept
        first = min((each.at for each in old.statuses.get(unit, ())), default=0)
        if archive.upto or (archive.segments and first):
            core.units.archived_upto(unit, max(archive.upto + 1, first if archive.segments else 0))
    rows = [(("interval", *cell[1:]), row) for cell, row in old.counts.spread]
    left = [(cell, amount) for cell, amount in sums.items() if amount]
    if left or rows:
        day = pack(Day(old.counts.bounds, left, rows))
        core.counts.restore_day(BEFORE, day)
        core.journal.store(f"day/{BEFORE}", day)
    early: dict[Kind, int] = {**old.counts.early, "units": slept}
    if any(early.values()):
        for kind, number in early.items():
            core.views.kept.archived(kind, number)
        core.journal.store("early/", pack(early))
    for where in range(0, len(old.early), CHUNK):
        core.journal.store(f"old/{where // CHUNK}", old.early[where : where + CHUNK].tobytes())
    core.archiving.gone = Gone((), [old.early.tobytes()])


def _put_final(facts: list[Fact], core: Core) -> None:
    """Archive what was counted by statements that were not kept."""
    core.counts.restore(facts, ())
    core.counts.archive(facts, ())
    for day, packed in core.counts.archived.pack():
        core.journal.store(f"day/{day}", packed)


# --- what was counted ---------------------------------------------------------------------------------------


def _take_back(core: Core, kept: Kept[Any, Any], before: list[Fact], compare: Counts) -> None:
    """Count as corrected what a record had counted and does no more."""
    kept.taken = tuple(compare.change(before, kept.entry.facts if kept.entry else ()))
    core.counts.restore((), kept.taken)


def _keep(core: Core, key: str) -> None:
    core.journal.said(key)
    core.archiving.note(key)


def _take_back_time(old: _Old, core: Core) -> None:
    """The same for the time that units spent in each status, of all of them together."""
    spent: Counter[tuple[str, str]] = Counter()
    for told in old.statuses.values():
        holds: OldStatus | None = None
        for each in told:
            if each.late:
                continue
            if holds is not None:
                spent[holds.team, holds.status] += each.at - holds.at
            holds = each
        if holds is not None:
            spent[holds.team, holds.status] += max(0, old.clock - holds.at)
    now = core.views.units.seconds(old.clock)
    fallen = {(UNIT_SECONDS, *labels): time - now[labels] for labels, time in spent.items() if time > now[labels]}
    core.take_back_time(fallen)


def counted_by_call(call: OldCall, rules: Rules) -> Counted:
    """The facts that a call had counted."""
    day = rules.day(call.closed or call.received or call.first)
    closed: dict[str, OldFact] = {}
    counted = Counted([], [])
    for fact in call.facts:
        letter = str(fact[0])
        if letter in "cdp":
            closed[letter] = fact
        else:
            (counted.final if letter in "fnsu" else counted.again).append(_fact(fact, day))
    if closed:
        (_, team, area, call_type, outcome, _), (*_, result, _), (*_, police, _) = (closed[each] for each in "cdp")
        counted.again.append(("closed", day, team, area, call_type, outcome, result, police, 1))
    return counted


def counted_by_case(case: OldCase, rules: Rules) -> Counted:
    """The facts that a case had counted."""
    day = rules.day(case.opened.at if case.opened else case.newest)
    counted = Counted([], [])
    for fact in case.facts:
        (counted.final if fact[0] == "u" else counted.again).append(_fact(fact, day))
    return counted


#: What the letters of facts stood for.
_CELLS: Final = {
    "r": "received",
    "c": "old_closed",
    "d": "old_demand",
    "p": "old_police",
    "x": "disorder",
    "i": "interval",
    "t": "transport",
    "e": "freed",
    "f": "force",
    "n": "needles",
    "s": "referral",
    "u": "unmapped",
    "a": "attempt",
    "o": "outreach",
    "l": "located",
}
#: Labels that they have now beside those of then.
_MORE: Final[dict[str | int, tuple[str, ...]]] = {"s": ("offered",)}


def _fact(fact: OldFact, day: int) -> Fact:
    return (_CELLS[str(fact[0])], day, *fact[1:-1], *_MORE.get(fact[0], ()), fact[-1])


# --- what was said ------------------------------------------------------------------------------------------


def _record(statements: Iterable[S], old: OldCall | OldCase) -> Record[S]:
    return Record(statements, (), None, old.touched, old.newest > old.touched - KEPT, old.ids)


def statements_of_call(call: OldCall) -> Iterator[s.AnyOfCall]:
    """What a call says, as far as it was kept."""
    yield from _receipts(call)
    if call.triage:
        yield s.Triaged("v1-triaged", call.triage[0], 0, call.triage[1])
    destinations = [(str(fact[1]), str(fact[2])) for fact in call.facts if fact[0] == "t"]
    for unit, leg in call.legs.items():
        yield from _points(unit, leg, _destination(leg, destinations))
    if not call.closed:
        return
    outcome, reason, person = (each[1] if each else None for each in (call.outcome, call.reason, call.person))
    yield s.Closed("v1-closed", call.closed, 0, outcome, reason, person)  # type: ignore[arg-type]  # of three types
    if any(at > call.closed + GRACE for leg in call.legs.values() for at in leg.at[: _ON_SCENE + 1]):
        yield s.Closed("v1-closed-again", call.newest, 0, outcome, reason, person)  # type: ignore[arg-type]  # the same


def _receipts(call: OldCall) -> Iterator[s.Received | s.Triaged]:
    """Which of the claims came with a triage is not known: those up to the last one, but for the receipt itself."""
    told = next((fact[3] for fact in call.facts if fact[0] == "r"), None)
    source = cast(Source, told) if told in SOURCES else None
    is_received = False
    area, call_type = OTHER, OTHER
    for number, (at, type_told, area_told) in enumerate(sorted(call.claims)):
        id = f"v1-claim-{number:04}"
        call_type, area = type_told or call_type, area_told or area
        if at == call.received and type_told and area_told and not is_received:
            is_received = True
            yield s.Received("v1-received", at, 0, call_type, area, source)
        elif call.triage is not None and at <= call.triage[0]:
            yield s.Triaged(id, at, 0, call.triage[1], type_told or None, area_told or None)
        else:
            yield s.Received(id, at, 0, call_type, area, source)


def _points(unit: str, leg: OldLeg, destination: str | None) -> Iterator[s.AnyOfCall]:
    agency = cast(Agency, leg.agency[1]) if leg.agency else None
    for kind, at in zip(_KINDS, leg.at, strict=True):
        if not at:
            continue
        id = f"v1-{kind.__name__}-{unit}"
        if kind is s.Dispatched:
            yield s.Dispatched(id, at, 0, unit, agency, leg.team[1] if leg.team else None)
        elif kind is s.Transporting:
            yield s.Transporting(id, at, 0, unit, agency, destination)
        else:
            yield cast(s.AnyOfCall, kind(id, at, 0, unit, agency))


_KINDS: Final = (s.Dispatched, s.EnRoute, s.OnScene, s.Transporting, s.AtDestination, s.Cleared)


def _destination(leg: OldLeg, left: list[tuple[str, str]]) -> str | None:
    """Where a unit went by what was counted of the call: of its team, or whatever is left."""
    if not leg.seen & _COUNTED_TRANSPORT or not left:
        return None
    team = leg.team[1] if leg.team else None
    found = next((each for each in left if each[0] == team), left[0])
    left.remove(found)
    return found[1]


def statements_of_case(case: OldCase) -> Iterator[s.AnyOfCase]:
    """What a case says."""
    if case.opened:
        at, kind, team, area, call = case.opened
        person = case.person[1] if case.person else None
        told = None if area == OTHER else area
        yield s.Opened("v1-opened", at, 0, cast(CaseKind, kind), team, told, person, call or None)
    for number, (at, followup, result) in enumerate(case.attempts):
        yield s.Attempted(f"v1-attempt-{number:04}", at, 0, followup[: s.CODE], cast(AttemptResult, result))
    for number, (at, located) in enumerate(case.outreach):
        yield s.Outreach(f"v1-outreach-{number:04}", at, 0, located)
    if case.closed:
        yield s.CaseClosed("v1-closed", case.closed, 0)


def _status(old: OldStatus) -> s.Status:
    return s.Status(hashed_id(old.id), old.at, 0, cast(UnitStatusCode, old.status), old.team, old.area or None)


# --- keys and bytes -----------------------------------------------------------------------------------------

_NO_ARCHIVE: Final = OldArchive()


def _of(old: dict[str, bytes], kind: str) -> Iterator[tuple[str, bytes]]:
    """The records of a kind, by the rest of their keys."""
    return ((key[2:], packed) for key, packed in old.items() if key.startswith(kind + "/"))


def _hashes(packed: bytes) -> Iterator[int]:
    return (int.from_bytes(packed[at : at + 8], "big") for at in range(0, len(packed), 8))


def _decode(packed: bytes, type: type[R]) -> R:
    return msgspec.msgpack.decode(packed, type=type)
