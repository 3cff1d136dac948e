"""The event types of the three input topics, as the core takes them that keeps what was said (then this is `streams/events.py`).

An event is a statement with an id about one record: a call, a unit or a case. Field names follow NENA EIDO terms. Source: the
contract, section 2. Fields that a type does not list are dropped by the decoder: names, addresses and narrative never get past it.
An optional field that is absent or null was not told. Codes (area, call type, team, outcome, ...) are open strings of any length,
which the record's 64 KiB bound; the program file maps them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal, get_args

import msgspec
from msgspec import Meta

EventId = Annotated[str, Meta(min_length=1, max_length=128, description="Id of the statement, its own in its record.")]
Id = Annotated[str, Meta(min_length=1, max_length=128, description="Identifier of a call, unit or case.")]
Code = Annotated[str, Meta(description="Code that the program file maps. One that it does not know counts as `other`.")]
Program = Annotated[str, Meta(min_length=1, max_length=64, description="The program's id; also the key of the record.")]
Revision = Annotated[int, Meta(ge=0, le=2**31 - 1)]
Token = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=128,
        description="Opaque token of a person. Never a name; only its hash is kept.",
    ),
]
At = Annotated[datetime, Meta(tz=True, description="When it happened: RFC 3339 with an offset.")]
Time = Annotated[datetime, Meta(tz=True, description="RFC 3339 with an offset.")]
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

    The same id with other content corrects what it said before: the higher `revision` holds (0 if none is told), of equal ones the
    later in the log. Nothing in an event can refer to it, so the garbage collector (`gc`) need not know of it.
    """

    id: EventId
    program: Program
    at: At
    revision: Revision | None = None


class Heartbeat(Event, frozen=True, tag="heartbeat"):
    """The feed is alive; tells a quiet feed from a dead one. Valid on each topic."""

    topic: Topic


class Withdrawn(Event, frozen=True, kw_only=True, tag="withdrawn"):
    """Takes back the statement with the id `of`, whenever that comes; with `upto` its revisions up to that one."""

    of: EventId
    upto: Revision | None = None


# --- care.dispatch: what happens to a call ------------------------------------------------------------------


class CallEvent(Event, frozen=True):
    """An event of a call."""

    call: Id


class CallReceived(CallEvent, frozen=True, tag="call_received"):
    """The call reached the centre; the start of every `received_to_...` interval. `scheduled_for`: it need not be served before."""

    call_type: Code
    area: Code
    priority: Priority | None = None
    source: Source | None = None
    scheduled_for: Time | None = None


class CallTriaged(CallEvent, frozen=True, tag="call_triaged"):
    """The call was screened for the program; may correct type and area."""

    eligible: bool
    call_type: Code | None = None
    area: Code | None = None


class UnitEvent(CallEvent, frozen=True):
    """A time point of a unit on a call. `agency`: whose it is; else the program file says so, else it is `care`."""

    unit: Id
    agency: Agency | None = None


class UnitDispatched(UnitEvent, frozen=True, tag="unit_dispatched"):
    """The unit was assigned and told to go."""

    team: Code | None = None


class UnitEnRoute(UnitEvent, frozen=True, tag="unit_en_route"):
    """The unit started towards the call."""


class UnitStaged(UnitEvent, frozen=True, tag="unit_staged"):
    """The unit waits nearby, until it is safe."""


class UnitOnScene(UnitEvent, frozen=True, tag="unit_on_scene"):
    """The unit arrived at the address."""


class UnitTransporting(UnitEvent, frozen=True, tag="unit_transporting"):
    """The unit left the scene with the person."""

    destination: Code | None = None


class UnitAtDestination(UnitEvent, frozen=True, tag="unit_at_destination"):
    """The transport ended."""

    destination: Code | None = None


class UnitCleared(UnitEvent, frozen=True, tag="unit_cleared"):
    """The unit is free of the call."""


class UnitCancelled(UnitEvent, frozen=True, tag="unit_cancelled"):
    """The unit was sent away before it reached the scene."""


class ContactMade(CallEvent, frozen=True, tag="contact_made"):
    """A responder reached the person in crisis; in person if no channel is told."""

    unit: Id | None = None
    team: Code | None = None
    channel: Channel | None = None


class CallClosed(CallEvent, frozen=True, tag="call_closed"):
    """The call ended. `unserved_reason` says why no CARE unit served it, where the centre knows."""

    outcome: Code | None = None
    unserved_reason: Code | None = None
    person: Token | None = None
    involuntary: bool | None = None


class CallReopened(CallEvent, frozen=True, tag="call_reopened"):
    """The call goes on after its close."""


class CallMerged(CallEvent, frozen=True, tag="call_merged"):
    """The call is the same incident as the call `into`."""

    into: Id


class PoliceRequested(CallEvent, frozen=True, tag="police_requested"):
    """The team on scene asked for police."""


class UseOfForce(CallEvent, frozen=True, tag="use_of_force"):
    """Force was used, by level (1: holds without injury or complaint)."""

    level: Annotated[int, Meta(ge=1, le=3)]


class NeedlesCollected(CallEvent, frozen=True, tag="needles_collected"):
    """Needles picked up."""

    count: Annotated[int, Meta(ge=1, le=100_000)]


class ReferralMade(CallEvent, frozen=True, tag="referral_made"):
    """The person was referred to a service; `offered` if no result is told."""

    service: Code
    partner: Code | None = None
    result: ReferralResult | None = None


class CallWithdrawn(Withdrawn, frozen=True, kw_only=True):
    """Takes back a statement about a call. A `unit` beside it is of that statement."""

    call: Id


# --- care.status: what happens to a unit --------------------------------------------------------------------


class UnitStatus(Event, frozen=True, tag="unit_status"):
    """A unit changed status. `crew`: number of people."""

    unit: Id
    team: Code
    status: UnitStatusCode
    area: Code | None = None
    crew: Annotated[int, Meta(ge=0, le=20)] | None = None


class StatusWithdrawn(Withdrawn, frozen=True, kw_only=True):
    """Takes back a status of a unit. With a `call` it would be a statement about the call, on its topic."""

    unit: Id
    call: Id | None = None


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


class FollowupRescheduled(CaseEvent, frozen=True, tag="followup_rescheduled"):
    """Another due time was agreed with the person; without `lapses` it lapses as long after it as the plan says."""

    followup: Code
    due: Time
    lapses: Time | None = None


class CaseTransferred(CaseEvent, frozen=True, tag="case_transferred"):
    """Another team has the case from now on."""

    team: Code


class CaseClosed(CaseEvent, frozen=True, tag="case_closed"):
    """The case ended; resolves all of its follow-ups. Reasons: `done`, `declined_all`, `moved`; any other text is `other`."""

    reason: Code | None = None


class CaseReopened(CaseEvent, frozen=True, tag="case_reopened"):
    """The case goes on after its close."""


class CaseWithdrawn(Withdrawn, frozen=True, kw_only=True):
    """Takes back a statement about a case."""

    case: Id


class PersonForgotten(Event, frozen=True, tag="person_forgotten"):
    """Forget this person: what was said up to `at` loses the token."""

    person: Token


AnyCallEvent = (
    CallReceived
    | CallTriaged
    | UnitDispatched
    | UnitEnRoute
    | UnitStaged
    | UnitOnScene
    | ContactMade
    | UnitTransporting
    | UnitAtDestination
    | UnitCleared
    | UnitCancelled
    | CallClosed
    | CallReopened
    | CallMerged
    | PoliceRequested
    | UseOfForce
    | NeedlesCollected
    | ReferralMade
)
AnyCaseEvent = (
    CaseOpened
    | FollowupAttempted
    | OutreachAttempted
    | FollowupRescheduled
    | CaseTransferred
    | CaseClosed
    | CaseReopened
)
#: What is kept as a statement of a record; the others are about statements, persons and feeds.
AnyStatement = AnyCallEvent | UnitStatus | AnyCaseEvent
DispatchEvent = AnyCallEvent | CallWithdrawn | Heartbeat
StatusEvent = UnitStatus | StatusWithdrawn | Heartbeat
FollowupEvent = AnyCaseEvent | CaseWithdrawn | PersonForgotten | Heartbeat
AnyEvent = DispatchEvent | StatusEvent | FollowupEvent


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
STATEMENTS: tuple[type[Event], ...] = get_args(AnyStatement)
#: The topic of an event type; a heartbeat names its own.
TOPIC_OF: dict[type[Event], Topic] = {
    kind: topic for topic, kinds in KINDS.items() for kind in kinds if kind is not Heartbeat
}
#: The same by wire name, where that says it: not of `heartbeat` and `withdrawn`, see `topic_of`.
TOPIC_OF_TYPE: dict[str, Topic] = {
    tag_of(kind): topic for kind, topic in TOPIC_OF.items() if not issubclass(kind, Withdrawn)
}


def topic_of(event: Mapping[str, object]) -> Topic | None:
    """The topic of an event as it stands in a file; None: it does not say. Source: the contract, section 2.

    Of `withdrawn` the record says it: its case (an opening of which may name a call too), else its call, else its unit.
    """
    kind = event.get("type")
    if kind == tag_of(Withdrawn):
        records: tuple[tuple[str, Topic], ...] = (("case", "followup"), ("call", "dispatch"), ("unit", "status"))
        return next((topic for record, topic in records if event.get(record) is not None), None)
    if kind == tag_of(Heartbeat):
        return next((topic for topic in TOPICS if topic == event.get("topic")), None)
    return TOPIC_OF_TYPE.get(kind) if isinstance(kind, str) else None
