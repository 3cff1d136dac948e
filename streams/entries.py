"""Entries: what a call, a unit or a case *is*, by the statements that hold.

`streams/derive` makes them, one pure function a kind; views are sums over them. All times are microseconds since the epoch;
codes are label values of the program file. `None` means: not told, or not so; nothing else.

Entries of calls and cases stand packed in their records (MessagePack arrays), so a field is only ever added at the end.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import msgspec

from streams.clock import NEVER, Micros
from streams.events import Agency, UnitStatusCode

#: A counted fact: its code (see catalogue.py), its local day (as `date.toordinal` counts), its labels, its amount.
Fact = tuple[str | int, ...]
Served = Literal["no", "served", "served_remotely"]
#: How the work of a unit on a call ended; `elsewhere`: it was en route to or on scene at another call.
Ended = Literal["works", "cleared", "cancelled", "elsewhere", "on_scene_elsewhere", "diverted", "available", "off_duty"]


class Response(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """One going of one unit to one call: from its dispatch until its work there ends. Points are as told, the earliest."""

    unit: str
    agency: Agency
    team: str
    spell: int  # of the call, from 0: the one in which it began
    begins: Micros  # its first point
    shown_from: Micros  # the same, but for a dispatch that was stacked: when the unit leaves where it is
    ends: Micros  # NEVER: it works there still
    ended: Ended
    dispatched: Micros | None = None
    en_route: Micros | None = None
    staged: Micros | None = None
    on_scene: Micros | None = None
    contact: Micros | None = None  # in person
    transporting: Micros | None = None
    at_destination: Micros | None = None
    cleared: Micros | None = None
    cancelled: Micros | None = None
    destination: str | None = None


class Opening(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """How a case began; its checkpoints count from `at`."""

    at: Micros
    kind: str
    team: str | None
    area: str
    person: int | None = None


class Asks(NamedTuple):
    """A result that what units did then tells: of the teams that work then, at `at`."""

    at: Micros
    teams: tuple[str, ...]


class Call(msgspec.Struct, array_like=True, frozen=True, gc=False, omit_defaults=True):
    """What a call is. `closed` and what follows it are of its last spell that ended; a call reopened has them too."""

    state: Literal["open", "closed", "merged"]
    last_said: Micros
    #: Since when it waits, as open as it is now: receipt, triage as eligible, scheduled time or reopening.
    since: Micros
    area: str
    call_type: str
    team: str
    facts: tuple[Fact, ...] = ()
    responses: tuple[Response, ...] = ()
    received: Micros | None = None
    closed: Micros | None = None
    outcome: str | None = None  # a label, `unrecorded` where a close told none; None: never closed
    result: str | None = None  # None: never closed
    asks: Asks | None = None  # what statuses of units were asked for the result: when these change, it may
    #: Since when it was eligible at first: hours and units are judged then.
    eligible_since: Micros | None = None
    eligible: bool = True
    scheduled_for: Micros | None = None
    spell: int = 0  # of how many it is in, from 0
    served: Served = "no"  # in all
    served_in_spell: Served = "no"
    #: Points since this spell began, or of what is still on its way: an earlier one that is missing raises no alarm.
    dispatch_open: bool = True  # no CARE unit was sent that was not taken away before it arrived
    arrival_open: bool = True  # nor has one arrived, or is anything told that comes after
    people: tuple[int, ...] = ()
    case: Opening | None = None  # the case that it opens
    into: str | None = None  # the call that it is merged into, as told; None: it is not


class Span(NamedTuple):
    """A status of a unit and how long it held; `until` NEVER: it still does."""

    begins: Micros
    until: Micros
    status: UnitStatusCode
    team: str
    area: str


# --- cases --------------------------------------------------------------------------------------------------

Resolution = Literal["completed", "completed_late", "declined", "closed", "missed"]


class Followup(msgspec.Struct, array_like=True, frozen=True, gc=False, omit_defaults=True):
    """One checkpoint of a case: opens <= due <= lapses. Its area and kind are the case's."""

    checkpoint: str
    #: Who owes it; of a resolved one who had the case then.
    team: str
    opens: Micros
    due: Micros
    lapses: Micros
    #: None: owed. `closed`: its case was closed before it lapsed, or was closed when it fell due. `missed`: it had lapsed
    #: when its case was closed; nobody owes it any more, and it stays missed among those that fell due.
    resolution: Resolution | None = None
    at: Micros | None = None  # when it was resolved
    attempts: int = 0
    #: `person`: a person's newest case owes it, see `streams/views/followups.py`.
    per: Literal["case", "person"] = "case"


class Case(msgspec.Struct, array_like=True, frozen=True, gc=False, omit_defaults=True):
    """What a case is. One that was never opened counts what was done for it, and owes nothing."""

    state: Literal["active", "closed", "never_opened"]
    last_said: Micros
    #: As told last: label values; of a case never opened `other` where not told.
    team: str
    area: str
    #: How it began; its plan is of this time, kind and team.
    opening: Opening | None = None
    kind: str | None = None  # as told last; None: never opened
    person: int | None = None
    followups: tuple[Followup, ...] = ()
    closed: Micros | None = None  # since when it is closed
    #: When an active case stops being so by itself; NEVER: it goes on until it is closed.
    ends: Micros = NEVER
    #: The call that opened it, else the one that its opening names: no contact of its own if that tells of the same person.
    call: str | None = None
    facts: tuple[Fact, ...] = ()
