"""Which units of a team to ask what they did at a time: few of them, where there are thousands."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from streams.clock import HOUR, Micros
from streams.units import Unit

#: A team of so many units is asked one by one, which costs less than to know whom to ask.
FEW = 32
#: So many units may change until the hours are looked at anew; until then they are asked as well.
CHANGED = 64
#: Hours that are kept: of a backlog the last ones, live the current one.
KEPT = 64


class _Hour(NamedTuple):
    """The units of a team that were available, or on duty, at some time of an hour."""

    available: list[str]
    on_duty: list[str]


class Duty:
    """The units that named a team, and per hour those of them that may be the answer. Whoever is asked must still say so."""

    def __init__(self) -> None:
        """No units."""
        self._units: defaultdict[str, dict[str, None]] = defaultdict(dict)  # team -> its units
        self._hours: dict[tuple[str, int], _Hour] = {}
        self._changed: set[str] = set()

    def named(self, team: str, unit: str) -> None:
        """A status of the unit names the team, for the first time."""
        self._units[team][unit] = None

    def changed(self, unit: str) -> None:
        """A status of the unit was applied."""
        if self._hours:
            self._changed.add(unit)
            if len(self._changed) > CHANGED:
                self._hours.clear()
                self._changed.clear()

    def standing(self, teams: set[str], at: Micros, units: Mapping[str, Unit]) -> tuple[bool, bool]:
        """Whether a unit of these teams was on duty at a time, and whether one was available."""
        if any(status == "available" for status in self._asked(teams, at, units, "available")):
            return True, True
        return any(status != "off_duty" for status in self._asked(teams, at, units, "on_duty")), False

    def _asked(self, teams: set[str], at: Micros, units: Mapping[str, Unit], what: str) -> Iterator[str]:
        """The statuses at a time of the units of these teams then, without units that were not `what` in that hour."""
        for team in teams:
            members = self._units.get(team, {})
            asked: Iterable[str] = members
            if len(members) > FEW:
                found = self._hour(team, at // HOUR, units)
                asked = (*(found.available if what == "available" else found.on_duty), *self._changed)
            for name in asked:
                if (unit := units.get(name)) and (known := unit.known_at(at)) and known[1] == team:
                    yield known[0]

    def _hour(self, team: str, hour: int, units: Mapping[str, Unit]) -> _Hour:
        found = self._hours.get((team, hour))
        if found is None:
            while len(self._hours) >= KEPT:
                del self._hours[next(iter(self._hours))]
            found = self._hours[team, hour] = _Hour([], [])
            for name in self._units[team]:
                if unit := units.get(name):
                    known = {status for status, of in unit.known_in(hour * HOUR, (hour + 1) * HOUR) if of == team}
                    if "available" in known:
                        found.available.append(name)
                    if known - {"off_duty"}:
                        found.on_duty.append(name)
        return found
