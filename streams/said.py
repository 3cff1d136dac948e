"""Statements: what an event says about one record (a call, a unit, a case), as it is kept.

A record keeps its statements and nothing else; what the record *is* follows from those that hold (see `streams/derive`).
Codes are as they were told, cut to 64 characters: the program file may map them later. Of a person there is only a hash.

They are packed as MessagePack arrays. The tag is the first element, so a tag never changes its meaning, and a field is only
ever added at the end of its class.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from hashlib import blake2b
from typing import Any, Final, get_args

import msgspec

from streams import events_next as e
from streams.clock import Micros, micros
from streams.events import Agency, AttemptResult, CaseKind, Channel, ReferralResult, Source, UnitStatusCode

#: Characters of a code that are kept. Source: the contract, section 2.
CODE: Final = 64
#: Hash of the token of a person, keyed by its program: 8 bytes as a number.
Person = int


class Said(msgspec.Struct, array_like=True, frozen=True, omit_defaults=True, gc=False):
    """What every statement has: the id of its event (its own within its record), when it happened, its revision."""

    id: str
    at: Micros
    revision: int


# --- of a call ----------------------------------------------------------------------------------------------


class Received(Said, frozen=True, tag=1):
    """The call reached the centre."""

    call_type: str
    area: str
    source: Source | None = None
    scheduled_for: Micros | None = None
    priority: str | int | None = None


class Triaged(Said, frozen=True, tag=2):
    """The call was screened for the program."""

    eligible: bool
    call_type: str | None = None
    area: str | None = None


class UnitPoint(Said, frozen=True):
    """A time point of a unit on the call."""

    unit: str
    agency: Agency | None = None


class Dispatched(UnitPoint, frozen=True, tag=3):
    """The unit was assigned and told to go."""

    team: str | None = None


class EnRoute(UnitPoint, frozen=True, tag=4):
    """The unit started towards the call."""


class Staged(UnitPoint, frozen=True, tag=5):
    """The unit waits nearby."""


class OnScene(UnitPoint, frozen=True, tag=6):
    """The unit arrived at the address."""


class Contact(Said, frozen=True, tag=7):
    """A responder reached the person in crisis."""

    unit: str | None = None
    team: str | None = None
    channel: Channel = "in_person"


class Transporting(UnitPoint, frozen=True, tag=8):
    """The unit left the scene with the person."""

    destination: str | None = None


class AtDestination(UnitPoint, frozen=True, tag=9):
    """The transport ended."""

    destination: str | None = None


class Cleared(UnitPoint, frozen=True, tag=10):
    """The unit is free of the call."""


class Cancelled(UnitPoint, frozen=True, tag=11):
    """The unit was sent away before it reached the scene."""


class Closed(Said, frozen=True, tag=12):
    """The call ended."""

    outcome: str | None = None
    unserved_reason: str | None = None
    person: Person | None = None
    involuntary: bool | None = None


class Reopened(Said, frozen=True, tag=13):
    """The call goes on after its close."""


class Merged(Said, frozen=True, tag=14):
    """The same incident as the call `into`."""

    into: str


class PoliceRequested(Said, frozen=True, tag=15):
    """The team on scene asked for police."""


class Force(Said, frozen=True, tag=16):
    """Force was used, by level."""

    level: int


class Needles(Said, frozen=True, tag=17):
    """Needles picked up."""

    count: int


class Referral(Said, frozen=True, tag=18):
    """The person was referred to a service."""

    service: str
    partner: str | None = None
    result: ReferralResult = "offered"


# --- of a unit ----------------------------------------------------------------------------------------------


class Status(Said, frozen=True, tag=20):
    """A unit changed status."""

    status: UnitStatusCode
    team: str
    area: str | None = None
    crew: int | None = None


# --- of a case ----------------------------------------------------------------------------------------------


class Opened(Said, frozen=True, tag=30):
    """The case was opened."""

    kind: CaseKind
    team: str
    area: str | None = None
    person: Person | None = None
    call: str | None = None


class Attempted(Said, frozen=True, tag=31):
    """Staff tried a follow-up checkpoint."""

    followup: str
    result: AttemptResult


class Outreach(Said, frozen=True, tag=32):
    """Staff went to find the person; `located` means the individual, not a relative or friend."""

    located: bool


class Rescheduled(Said, frozen=True, tag=33):
    """Another due time was agreed with the person."""

    followup: str
    due: Micros
    lapses: Micros | None = None


class Transferred(Said, frozen=True, tag=34):
    """Another team has the case from now on."""

    team: str


class CaseClosed(Said, frozen=True, tag=35):
    """The case ended."""

    reason: str | None = None


class CaseReopened(Said, frozen=True, tag=36):
    """The case goes on after its close."""


AnyOfCall = (
    Received
    | Triaged
    | Dispatched
    | EnRoute
    | Staged
    | OnScene
    | Contact
    | Transporting
    | AtDestination
    | Cleared
    | Cancelled
    | Closed
    | Reopened
    | Merged
    | PoliceRequested
    | Force
    | Needles
    | Referral
)
AnyOfCase = Opened | Attempted | Outreach | Rescheduled | Transferred | CaseClosed | CaseReopened
AnySaid = AnyOfCall | Status | AnyOfCase

#: Statements of one time are walked in the life cycle of a call or case. Source: the contract, section 3.
RANK: dict[type[Said], int] = {
    Received: 0,
    Triaged: 1,
    Dispatched: 2,
    EnRoute: 3,
    Staged: 4,
    OnScene: 5,
    Contact: 6,
    Transporting: 7,
    AtDestination: 8,
    PoliceRequested: 9,
    Force: 9,
    Needles: 9,
    Referral: 9,
    Cleared: 10,
    Cancelled: 10,
    Closed: 11,
    Merged: 11,
    Reopened: 12,
    Status: 0,
    Opened: 0,
    Transferred: 1,
    Rescheduled: 2,
    Attempted: 3,
    Outreach: 3,
    CaseClosed: 4,
    CaseReopened: 5,
}
assert RANK.keys() == set(get_args(AnySaid)), "a statement without its place in the walk"


def place(said: Said) -> tuple[Micros, int, str]:
    """Where a statement stands in the walk through its record: by time, then life cycle, then id as text."""
    return said.at, RANK[type(said)], said.id


def of(event: e.Event, at: Micros) -> AnySaid:
    """The statement that an event makes, with its `at` in microseconds. Raises KeyError for what is no statement."""
    return _OF[type(event)](event, at)


def person(program: str, token: str) -> Person:
    """What is kept of a person's token."""
    hashing = _another()  # to make one costs more than to use it
    hashing.update(f"{program}/{token}".encode())
    return int.from_bytes(hashing.digest(), "big")


def content(said: Said) -> bytes:
    """Eight bytes that stand for what a statement says: all of it but its id and revision.

    They stay as they are when a field is added to its class.
    """
    fields, defaults = msgspec.structs.astuple(said), said.__struct_defaults__
    told = len(fields)
    while told > len(fields) - len(defaults) and fields[told - 1] == defaults[told - 1 - len(fields)]:
        told -= 1
    hashing = _another()
    hashing.update(msgspec.msgpack.encode((said.__struct_config__.tag, said.at, *fields[3:told])))
    return hashing.digest()


_another = blake2b(digest_size=8).copy


def _code(told: str) -> str:
    return told.strip()[:CODE]


def _maybe(told: str | None) -> str | None:
    """An optional code; one of blanks alone was not told."""
    return None if told is None else told.strip()[:CODE] or None


def _time(told: datetime | None) -> Micros | None:
    return None if told is None else micros(told)


def _who(event: e.CallClosed | e.CaseOpened) -> Person | None:
    return None if event.person is None else person(event.program, event.person)


def _bare(kind: Callable[..., AnySaid]) -> Callable[[e.Event, Micros], AnySaid]:
    return lambda event, at: kind(event.id, at, event.revision or 0)


def _point(kind: Callable[..., AnySaid]) -> Callable[[e.UnitEvent, Micros], AnySaid]:
    return lambda event, at: kind(event.id, at, event.revision or 0, event.unit, event.agency)


def _transport(event: e.UnitTransporting | e.UnitAtDestination, at: Micros) -> Transporting | AtDestination:
    kind = Transporting if type(event) is e.UnitTransporting else AtDestination
    return kind(event.id, at, event.revision or 0, event.unit, event.agency, _maybe(event.destination))


def _received(event: e.CallReceived, at: Micros) -> Received:
    return Received(
        event.id,
        at,
        event.revision or 0,
        _code(event.call_type),
        _code(event.area),
        event.source,
        _time(event.scheduled_for),
        event.priority,
    )


def _triaged(event: e.CallTriaged, at: Micros) -> Triaged:
    return Triaged(event.id, at, event.revision or 0, event.eligible, _maybe(event.call_type), _maybe(event.area))


def _dispatched(event: e.UnitDispatched, at: Micros) -> Dispatched:
    return Dispatched(event.id, at, event.revision or 0, event.unit, event.agency, _maybe(event.team))


def _contact(event: e.ContactMade, at: Micros) -> Contact:
    team, channel = _maybe(event.team), event.channel or "in_person"
    return Contact(event.id, at, event.revision or 0, event.unit, team, channel)


def _closed(event: e.CallClosed, at: Micros) -> Closed:
    outcome, reason = _maybe(event.outcome), _maybe(event.unserved_reason)
    return Closed(event.id, at, event.revision or 0, outcome, reason, _who(event), event.involuntary)


def _merged(event: e.CallMerged, at: Micros) -> Merged:
    return Merged(event.id, at, event.revision or 0, event.into)


def _force(event: e.UseOfForce, at: Micros) -> Force:
    return Force(event.id, at, event.revision or 0, event.level)


def _needles(event: e.NeedlesCollected, at: Micros) -> Needles:
    return Needles(event.id, at, event.revision or 0, event.count)


def _referral(event: e.ReferralMade, at: Micros) -> Referral:
    service, partner = _code(event.service), _maybe(event.partner)
    return Referral(event.id, at, event.revision or 0, service, partner, event.result or "offered")


def _status(event: e.UnitStatus, at: Micros) -> Status:
    return Status(event.id, at, event.revision or 0, event.status, _code(event.team), _maybe(event.area), event.crew)


def _opened(event: e.CaseOpened, at: Micros) -> Opened:
    team, area = _code(event.team), _maybe(event.area)
    return Opened(event.id, at, event.revision or 0, event.kind, team, area, _who(event), event.call)


def _attempted(event: e.FollowupAttempted, at: Micros) -> Attempted:
    return Attempted(event.id, at, event.revision or 0, _code(event.followup), event.result)


def _outreach(event: e.OutreachAttempted, at: Micros) -> Outreach:
    return Outreach(event.id, at, event.revision or 0, event.located)


def _rescheduled(event: e.FollowupRescheduled, at: Micros) -> Rescheduled:
    followup, due = _code(event.followup), micros(event.due)
    return Rescheduled(event.id, at, event.revision or 0, followup, due, _time(event.lapses))


def _transferred(event: e.CaseTransferred, at: Micros) -> Transferred:
    return Transferred(event.id, at, event.revision or 0, _code(event.team))


def _case_closed(event: e.CaseClosed, at: Micros) -> CaseClosed:
    return CaseClosed(event.id, at, event.revision or 0, _maybe(event.reason))


_OF: dict[type[e.Event], Callable[[Any, Micros], AnySaid]] = {
    e.CallReceived: _received,
    e.CallTriaged: _triaged,
    e.UnitDispatched: _dispatched,
    e.UnitEnRoute: _point(EnRoute),
    e.UnitStaged: _point(Staged),
    e.UnitOnScene: _point(OnScene),
    e.ContactMade: _contact,
    e.UnitTransporting: _transport,
    e.UnitAtDestination: _transport,
    e.UnitCleared: _point(Cleared),
    e.UnitCancelled: _point(Cancelled),
    e.CallClosed: _closed,
    e.CallReopened: _bare(Reopened),
    e.CallMerged: _merged,
    e.PoliceRequested: _bare(PoliceRequested),
    e.UseOfForce: _force,
    e.NeedlesCollected: _needles,
    e.ReferralMade: _referral,
    e.UnitStatus: _status,
    e.CaseOpened: _opened,
    e.FollowupAttempted: _attempted,
    e.OutreachAttempted: _outreach,
    e.FollowupRescheduled: _rescheduled,
    e.CaseTransferred: _transferred,
    e.CaseClosed: _case_closed,
    e.CaseReopened: _bare(CaseReopened),
}
assert _OF.keys() == set(e.STATEMENTS), "an event that makes no statement"
