"""What a program file says, as derivation asks it: by microseconds, by local day, with answers kept."""

from __future__ import annotations

from typing import NamedTuple

from streams.clock import Micros
from streams.events import Agency
from streams.programs import Interval, Profile


class UnitFacts(NamedTuple):
    """What the program file says of a unit: its name (an alias is resolved), and where told its agency and team."""

    unit: str
    agency: Agency | None
    team: str | None


class Rules:
    """The rules of one program file. Immutable; what was asked once is remembered, within bounds."""

    def __init__(self, profile: Profile) -> None:
        """The rules of this file."""
        self.profile = profile

    # codes: `field` is one of programs.FIELDS; compared without case and outer blanks

    def label(self, field: str, code: str) -> str:
        """The label value of a code that was told; `other` where the file does not know it."""
        raise NotImplementedError

    def knows(self, field: str, code: str) -> bool:
        """Whether the file maps the code."""
        raise NotImplementedError

    def unit(self, name: str) -> UnitFacts:
        """The unit that a name stands for: itself where [units] does not list it."""
        raise NotImplementedError

    # days and hours

    def day(self, at: Micros) -> int:
        """The local day, as `date.toordinal` counts."""
        raise NotImplementedError

    def covering(self, area: str, day: int) -> tuple[str, ...]:
        """Codes of the teams in force on a local day that cover the area; of `other`: all in force."""
        raise NotImplementedError

    def working(self, area: str, at: Micros) -> tuple[str, ...]:
        """Those of them that work at a time, by their hours. A shift begun last night ends under the version it began with."""
        raise NotImplementedError

    def open(self, team: str, at: Micros) -> bool:
        """Whether a team works at a time."""
        raise NotImplementedError

    def planned(self, team: str, at: Micros) -> int:
        """Units that the staffing plan wants on duty."""
        raise NotImplementedError

    def changes(self, after: Micros) -> Micros:
        """The first time after this one at which `working`, `open` or `planned` of any team may change: hours, plans, midnight."""
        raise NotImplementedError

    def target(self, team: str, interval: Interval, day: int) -> Micros | None:
        """A team's target on a local day, by the version in force then."""
        raise NotImplementedError

    def shortest_target(self, area: str, interval: Interval, day: int) -> Micros | None:
        """The shortest target of the teams that cover the area on a local day."""
        raise NotImplementedError

    @property
    def stale_call(self) -> Micros:
        """After how long without a word an open call is stale (`stale_after.call`)."""
        raise NotImplementedError

    @property
    def stale_unit(self) -> Micros:
        """After how long without a status a unit is stale (`stale_after.unit`)."""
        raise NotImplementedError
