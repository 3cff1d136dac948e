"""A call and its units, as facts: every time point the earliest, every correction the latest, no matter the order.

These structs are the records of the changelog as well (MessagePack arrays), so fields are only ever added at the end of
`Call`. They refer to nothing that refers to them, so the garbage collector (`gc`) need not know of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

import msgspec

from streams.clock import Micros
from streams.programs import OTHER, UNRECORDED

# Positions in `Leg.at`.
DISPATCHED, EN_ROUTE, ON_SCENE, TRANSPORTING, AT_DESTINATION, CLEARED = range(6)
STAGES = ("waiting", "dispatched", "en_route", "on_scene", "transporting")

# Bits of `Call.seen`: what was counted once and must not be counted again.
SEEN_RECEIVED, SEEN_CLOSED, SEEN_TO_DISPATCHED, SEEN_TO_ON_SCENE = 1, 2, 4, 8

#: Results that an outcome tells.
_BY_OUTCOME = {"resolved_by_other": "handled_by_other", "cancelled": "cancelled"}

Claim = tuple[Micros, str]
#: A counted fact: family, label values, amount. What a call once counted is kept with it, so that counters are
#: a sum over records and never a number of their own that a crash could tear from its call.
Fact = tuple[str | int, ...]


class Leg(msgspec.Struct, array_like=True, omit_defaults=True, gc=False):
    """One unit on one call. Times are microseconds since the epoch, 0 where not known."""

    at: list[Micros] = msgspec.field(default_factory=lambda: [0] * 6)
    agency: Claim | None = None
    team: Claim | None = None
    seen: int = 0

    @property
    def care(self) -> bool:
        """Whether the unit is the program's own; only these make stages, intervals and `served`."""
        agency = self.agency
        return agency is None or agency[1] == "care"

    @property
    def police(self) -> bool:
        """Whether the unit is a police unit."""
        return self.agency is not None and self.agency[1] == "police"

    @property
    def first(self) -> Micros:
        """Its earliest time point on the call; 0 where none is known."""
        return min((at for at in self.at if at), default=0)

    @property
    def stage(self) -> int:
        """Index into STAGES of the furthest it reached; at the destination is still `transporting`."""
        at = self.at
        if at[TRANSPORTING] or at[AT_DESTINATION]:
            return 4
        return 3 if at[ON_SCENE] else 2 if at[EN_ROUTE] else 1


class Ending(NamedTuple):
    """How a closed call ended by its own record, whatever the profile and the statuses of units say."""

    team: str
    area: str
    outcome: str
    result: str  # "": the profile or the units say it


class Head(msgspec.Struct, array_like=True, omit_defaults=True, gc=False):
    """What a restore needs of a call that is closed: it comes first in the record, and is decoded without the rest."""

    seen: int = 0
    received: Micros = 0
    closed: Micros = 0
    newest: Micros = 0  # latest `at` of its events
    touched: Micros = 0  # the clock when the last event was applied; kept 45 days from here
    era: int = 0  # how often calls had been archived when it was made: tells it from an archived one of the same id
    facts: list[Fact] = []
    person: tuple[Micros, int] | None = None
    ending: Ending | None = None  # None: it is open, or a unit's team is told by its statuses

    @property
    def start(self) -> Micros:
        """When it was received; of a whole `Call` that was not, its earliest known time."""
        return self.received


class Call(Head, array_like=True, omit_defaults=True, gc=False):
    """One call. Times are microseconds since the epoch, 0 where not known; codes are the profile's label values."""

    ids: bytes = b""  # 8-byte hashes of the ids of all events applied
    first: Micros = 0  # earliest `at` of its events
    claims: list[tuple[Micros, str, str]] = []  # (at, call type or "", area or "")
    triage: tuple[Micros, bool] | None = None  # latest
    outcome: Claim | None = None  # earliest that gave one, and so on
    reason: Claim | None = None
    legs: dict[str, Leg] = {}

    @property
    def ineligible(self) -> bool:
        """Triaged as not for the program."""
        return self.triage is not None and not self.triage[1]

    @property
    def start(self) -> Micros:
        """When it was received, or else its earliest known time."""
        return self.received or self.first

    def care_legs(self) -> Iterator[tuple[str, Leg]]:
        """The program's own units on the call."""
        return ((unit, leg) for unit, leg in self.legs.items() if leg.care)

    def first_to(self, point: int) -> tuple[str, Leg] | None:
        """The first CARE unit that reached a time point (ties by unit id)."""
        found: tuple[str, Leg] | None = None
        first: Micros = 0
        for unit, leg in self.legs.items():
            at = leg.at[point]
            if at and (found is None or at < first or (at == first and unit < found[0])) and leg.care:
                found, first = (unit, leg), at
        return found

    @property
    def call_type(self) -> str:
        """The type by the latest claim made while the call was open."""
        return self._latest(1)

    @property
    def area(self) -> str:
        """The area by the latest claim made while the call was open."""
        return self._latest(2)

    def _latest(self, field: Literal[1, 2]) -> str:
        latest, label, closed = 0, OTHER, self.closed
        for claim in self.claims:
            at, code = claim[0], claim[field]
            if code and (at > latest or (at == latest and code > label)) and not 0 < closed < at:
                latest, label = at, code
        return label

    @property
    def outcome_label(self) -> str:
        """The outcome, or `unrecorded`."""
        return self.outcome[1] if self.outcome else UNRECORDED

    @property
    def unserved(self) -> str:
        """Its result if no CARE unit was on scene, as far as it is told by the call itself; "" where it is not."""
        if self.ineligible:
            return "ineligible"
        if self.reason:
            return self.reason[1]
        return _BY_OUTCOME.get(self.outcome[1], "") if self.outcome else ""

    @property
    def stage(self) -> str:
        """Stage of an open call: the furthest reached by a CARE unit not yet cleared."""
        return STAGES[max((leg.stage for _, leg in self.care_legs() if not leg.at[CLEARED]), default=0)]

    @property
    def police(self) -> tuple[str, Micros]:
        """How police were involved, and the time freed for them (microseconds, for `released`)."""
        sent, left, care_left = False, [], 0  # left: when those that were on scene were cleared, 0 if they were not
        for leg in self.legs.values():
            if leg.police:
                sent = True
                if leg.at[ON_SCENE]:
                    left.append(leg.at[CLEARED])
            elif leg.care and leg.at[CLEARED] > care_left:
                care_left = leg.at[CLEARED]
        if not sent:
            return "none", 0
        if not left:
            return "cancelled", 0
        last = max(left)
        if all(left) and last < care_left:
            return "released", care_left - last
        return "stayed", 0
