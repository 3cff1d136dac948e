"""The event types of the three input topics (field names follow NENA EIDO terms).

Fields that a type does not list are dropped by the decoder: names, addresses and narrative never get past it.
Codes (area, call type, team, outcome, ...) are open strings here; the program's profile maps them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta

EventId = Annotated[str, Meta(min_length=1, max_length=128, description="Unique id of the event.")]
Id = Annotated[str, Meta(min_length=1, max_length=128, description="Identifier of a call, unit or case.")]
Code = Annotated[str, Meta(min_length=1, max_length=64, description="Code that the program's profile maps.")]
Token = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=128,
        description="Opaque token of a person. Never a name; only its hash is kept.",
    ),
]
At = Annotated[datetime, Meta(tz=True, description="When it happened: RFC 3339 with an offset.")]
#: Bounded, for numbers and strings of JSON are not.
Priority = Annotated[str, Meta(max_length=64)] | Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
Agency = Literal["care", "police", "fire", "ems"]
Source = Literal["911", "988", "officer", "self", "other"]
UnitStatusCode = Literal[
    "available",
    "dispatched",
    "en_route",
    "on_scene",
    "transporting",
    "at_destination",
    "unavailable",
    "off_duty",
]
Topic = Literal["dispatch", "status", "followup"]
CaseKind = Literal["encounter", "overdose", "case_management"]
AttemptResult = Literal["completed", "no_contact", "declined"]
Channel = Literal["in_person", "phone", "video"]
ReferralResult = Literal["offered", "accepted", "declined", "completed"]

TOPICS: tuple[Topic, ...] = get_args(Topic)
#: Each may ask for what those before it say, and for nothing else: docs/decisions/0003-statuses-first.md.
IN_ORDER: tuple[Topic, ...] = ("status", "dispatch", "followup")
SOURCES: tuple[str, ...] = get_args(Source)
STATUSES: tuple[str, ...] = get_args(UnitStatusCode)
CASE_KINDS: tuple[str, ...] = get_args(CaseKind)
ATTEMPT_RESULTS: tuple[str, ...] = get_args(AttemptResult)


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", gc=False):
    """What every event carries. `at` is when it happened, not when it was sent.

    Nothing in an event can refer to it, so the garbage collector (`gc`) need not know of it.
    """

    id: EventId
    program: Code
    at: At


class Heartbeat(Event, frozen=True, tag="heartbeat"):
    """The feed is alive; tells a quiet feed from a dead one. Valid on each topic."""

    topic: Topic


# --- care.dispatch: what happens to a call ------------------------------------------------------------------


class CallEvent(Event, frozen=True):
    """An event of a call."""

    call: Id


class CallReceived(CallEvent, frozen=True, tag="call_received"):
    """The call reached the centre; the start of every `received_to_...` interval."""

    call_type: Code
    area: Code
    priority: Priority | None = None
    source: Source | None = None


class CallTriaged(CallEvent, frozen=True, tag="call_triaged"):
    """The call was screened for the program; may correct type and area."""

    eligible: bool
    call_type: Code | None = None
    area: Code | None = None


class UnitEvent(CallEvent, frozen=True):
    """A time point of a unit on a call. `agency` is `care` unless an event of the unit on the call says otherwise."""

    unit: Id
    agency: Agency | None = None


class UnitDispatched(UnitEvent, frozen=True, tag="unit_dispatched"):
    """The unit was assigned and told to go."""

    team: Code | None = None


class UnitEnRoute(UnitEvent, frozen=True, tag="unit_en_route"):
    """The unit started towards the call."""


class UnitOnScene(UnitEvent, frozen=True, tag="unit_on_scene"):
    """The unit arrived at the address."""


class UnitTransporting(UnitEvent, frozen=True, tag="unit_transporting"):
    """The unit left the scene with the person."""

    destination: Code | None = None


class UnitAtDestination(UnitEvent, frozen=True, tag="unit_at_destination"):
    """The transport ended."""


class UnitCleared(UnitEvent, frozen=True, tag="unit_cleared"):
    """The unit is free of the call."""


class ContactMade(CallEvent, frozen=True, tag="contact_made"):
    """A responder reached the person in crisis."""

    unit: Id | None = None


class CallClosed(CallEvent, frozen=True, tag="call_closed"):
    """The call ended. `unserved_reason` says why no CARE unit served it, where the centre knows."""

    outcome: Code | None = None
    unserved_reason: Code | None = None
    person: Token | None = None


class UseOfForce(CallEvent, frozen=True, tag="use_of_force"):
    """Force was used, by level (1: holds without injury or complaint)."""

    level: Annotated[int, Meta(ge=1, le=3)]


class NeedlesCollected(CallEvent, frozen=True, tag="needles_collected"):
    """Needles picked up."""

    count: Annotated[int, Meta(ge=0, le=100_000)]


class ReferralMade(CallEvent, frozen=True, tag="referral_made"):
    """The person was referred to a service."""

    service: Code
    partner: Code | None = None


# --- care.status: what happens to a unit --------------------------------------------------------------------


class UnitStatus(Event, frozen=True, tag="unit_status"):
    """A unit changed status."""

    unit: Id
    team: Code
    status: UnitStatusCode
    area: Code | None = None
    crew: Annotated[int, Meta(ge=0, le=100)] | None = None


# --- care.followup: what happens to a case after the call ---------------------------------------------------


class CaseEvent(Event, frozen=True):
    """An event of a case."""

    case: Id


class CaseOpened(CaseEvent, frozen=True, tag="case_opened"):
    """A case was opened; its follow-up checkpoints count from `at`."""

    kind: CaseKind
    team: Code
    area: Code | None = None
    person: Token | None = None
    call: Id | None = None


class FollowupAttempted(CaseEvent, frozen=True, tag="followup_attempted"):
    """Staff tried a follow-up checkpoint."""

    followup: Code
    result: AttemptResult


class OutreachAttempted(CaseEvent, frozen=True, tag="outreach_attempted"):
    """Staff went to find the person; `located` means the individual, not a relative or friend."""

    located: bool


class CaseClosed(CaseEvent, frozen=True, tag="case_closed"):
    """The case ended; resolves all of its follow-ups."""

    reason: Code | None = None


AnyCallEvent = (
    CallReceived
    | CallTriaged
    | UnitDispatched
    | UnitEnRoute
    | UnitOnScene
    | UnitTransporting
    | UnitAtDestination
    | UnitCleared
    | ContactMade
    | CallClosed
    | UseOfForce
    | NeedlesCollected
    | ReferralMade
)
AnyCaseEvent = CaseOpened | FollowupAttempted | OutreachAttempted | CaseClosed
DispatchEvent = AnyCallEvent | Heartbeat
StatusEvent = UnitStatus | Heartbeat
FollowupEvent = AnyCaseEvent | Heartbeat
AnyEvent = AnyCallEvent | UnitStatus | AnyCaseEvent | Heartbeat


def tag_of(kind: type[Event]) -> str:
    """The wire name of an event type, e.g. `call_received`."""
    return str(kind.__struct_config__.tag)


#: Which event types each topic carries.
KINDS: dict[Topic, tuple[type[Event], ...]] = {
    "dispatch": get_args(DispatchEvent),
    "status": get_args(StatusEvent),
    "followup": get_args(FollowupEvent),
}
CALL_EVENTS: tuple[type[Event], ...] = get_args(AnyCallEvent)
CASE_EVENTS: tuple[type[Event], ...] = get_args(AnyCaseEvent)
#: The topic of an event type; a heartbeat names its own.
TOPIC_OF: dict[type[Event], Topic] = {
    kind: topic for topic, kinds in KINDS.items() for kind in kinds if kind is not Heartbeat
}
TOPIC_OF_TYPE: dict[str, Topic] = {tag_of(kind): topic for kind, topic in TOPIC_OF.items()}
