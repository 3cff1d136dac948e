"""Statements: what an event says about one record (a call, a unit, a case), as it is kept.

A record keeps its statements and nothing else; what the record *is* follows from those that hold (see `streams/derive`).
Codes are as they were told, cut to 64 characters: the program file may map them later. Of a person there is only a hash.

They are packed as MessagePack arrays. The tag is the first element, so a tag never changes its meaning, and a field is only
ever added at the end of its class.
"""

from __future__ import annotations

from typing import get_args

import msgspec

from streams.clock import Micros
from streams.events import Agency, AttemptResult, CaseKind, Channel, ReferralResult, Source, UnitStatusCode

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
