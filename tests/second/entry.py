"""What one call is."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.second.names import NONE, UNRECORDED
from tests.second.spells import Spell
from tests.second.statements import Said
from tests.second.work import Response


@dataclass
class Call:
    """One call, as its statements that hold make it."""

    id: str
    walk: list[Said]
    spells: list[Spell]
    into: str | None
    area: str
    call_type: str
    source: str
    eligible: bool
    triaged: bool
    scheduled_for: datetime | None
    received: datetime | None
    waits_since: datetime
    eligible_since: datetime
    last_said: datetime
    responses: list[Response]
    agencies: dict[str, str]
    team: str = NONE
    #: By unit.
    teams: dict[str, str] = field(default_factory=dict)
    #: Labels of the last close; a call that was never closed has none.
    closed: datetime | None = None
    outcome: str = UNRECORDED
    reason: str | None = None
    result: str | None = None
    served: bool = False
    served_remotely: bool = False
    served_in_spell: bool = False
    police: str | None = None
    freed: timedelta | None = None
    person: str | None = None
    involuntary: bool = False
    merged: datetime | None = None
    reopened: int = 0
    intervals: list[tuple[str, str, timedelta]] = field(default_factory=list)
    disorder: list[str] = field(default_factory=list)
    transports: list[tuple[str, str]] = field(default_factory=list)
    diverted: list[str] = field(default_factory=list)
    referrals: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def open(self) -> bool:
        return self.into is None and self.spells[-1].ends is None

    def care(self) -> list[Response]:
        return [response for response in self.responses if self.agencies[response.unit] == "care"]

    def others(self) -> list[Response]:
        return [response for response in self.responses if self.agencies[response.unit] != "care"]
