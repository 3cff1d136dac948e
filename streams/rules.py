"""What a program file says, as derivation asks it: by microseconds, by local day, with answers kept."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Generic, NamedTuple, TypeVar

from streams import shifts
from streams.clock import DAY, NEVER, SECOND, Micros, local_micros
from streams.events import Agency
from streams.programs import FIELDS, OTHER, UNRECORDED, Interval, Profile, Team, duration, plain
from streams.retired import NOTHING, Retired
from streams.shifts import EPOCH, State, Steps, Version

K = TypeVar("K")
V = TypeVar("V")
#: A local day begins with a quarter of an hour, in all zones of today.
QUARTER: Micros = 15 * 60 * SECOND
#: Answers that are kept of one question: 45 days of a hundred areas, or the codes and units of a large city.
KEPT = 16_384


class UnitFacts(NamedTuple):
    """What the program file says of a unit: its name (an alias is resolved), and where told its agency and team."""

    unit: str
    agency: Agency | None
    team: str | None


class _Kept(dict[K, V], Generic[K, V]):
    """The answers to one question, each found once; when there are too many, all are found anew.

    A dictionary, as a method would cost more than most of what is asked.
    """

    def __init__(self, find: Callable[[K], V]) -> None:
        super().__init__()
        self._find = find

    def __missing__(self, key: K) -> V:
        found = self._find(key)
        if len(self) >= KEPT:
            self.clear()
        self[key] = found
        return found


class Rules:
    """The rules of one program file. Immutable; what was asked once is remembered, within bounds.

    Days are counted as `date.toordinal` does, times are microseconds since the epoch.
    """

    def __init__(self, profile: Profile, retired: Retired = NOTHING) -> None:
        """The rules of this file; `retired`: what of it only older files had, see retired.py."""
        self.profile = profile
        self._areas = frozenset(profile.areas).difference(retired.areas)
        self._stale_call = duration(profile.stale_after.call)
        self._stale_unit = duration(profile.stale_after.unit)
        self._zone = profile.zone
        self._versions = _versions(profile.teams)
        #: The label value of each code that may be told, by field: what `label` looks up.
        self.labels: Mapping[str, Mapping[str, str]] = {
            field: _labels(profile.labels[field], _WORDS.get(field, ())) for field in FIELDS
        }
        self._units = _units(profile)
        self._days = _Kept(self._find_day)
        self._covering = _Kept(self._find_covering)
        self._working = _Kept(self._find_working)
        self._hours = _Kept(self._find_hours)
        self._changes = _Kept(self._find_changes)
        self._target = _Kept(self._find_target)
        self._shortest = _Kept(self._find_shortest)

    # codes: `field` is one of programs.FIELDS; compared without case and outer blanks

    def label(self, field: str, code: str) -> str:
        """The label value of a code that was told; `other` where the file does not know it."""
        return self.labels[field][code]

    def knows(self, field: str, code: str) -> bool:
        """Whether the file maps the code."""
        return self.labels[field][code] != OTHER or plain(code) == OTHER

    def unit(self, name: str) -> UnitFacts:
        """The unit that a name stands for: itself where [units] does not list it."""
        return self._units[name]

    # days and hours

    def day(self, at: Micros) -> int:
        """The local day, as `date.toordinal` counts."""
        return self._days[at // QUARTER]

    def begin_of(self, day: int) -> Micros:
        """When a local day begins."""
        return shifts.start_of(day, self._zone)

    def has_area(self, area: str) -> bool:
        """Whether the file has an area: any team may be the one that covers another, but none is known to."""
        return area in self._areas

    def covering(self, area: str, day: int) -> tuple[str, ...]:
        """Codes of the teams in force on a local day that cover the area; of `other`: all in force."""
        return self._covering[area, day]

    def working(self, area: str, at: Micros) -> tuple[str, ...]:
        """Codes of the teams that cover the area and work at a time, by the version under which their shift began."""
        return self._working[area, self.day(at)].at(at)

    def open(self, team: str, at: Micros) -> bool:
        """Whether a team works at a time."""
        return self._hours[team, self.day(at)].at(at).open

    def planned(self, team: str, at: Micros) -> int:
        """Units that the staffing plan wants on duty."""
        return self._hours[team, self.day(at)].at(at).planned

    def changes(self, after: Micros) -> Micros:
        """The first time after this one at which `working`, `open` or `planned` of any team may change: hours, plans, midnight."""
        day = self.day(after)
        times = self._changes[day]
        if (
            after >= times[-1]
        ):  # clocks went back past midnight: it is the day before once more (Newfoundland, until 2011)
            times = self._changes[day + 1]
        return times[bisect_right(times, after)]

    def target(self, team: str, interval: Interval, day: int) -> Micros | None:
        """A team's target on a local day, by the version in force then."""
        return self._target[team, interval, day]

    def shortest_target(self, area: str, interval: Interval, day: int) -> Micros | None:
        """The shortest target of the teams that cover the area on a local day."""
        return self._shortest[area, interval, day]

    @property
    def stale_call(self) -> Micros:
        """After how long without a word an open call is stale (`stale_after.call`)."""
        return self._stale_call

    @property
    def stale_unit(self) -> Micros:
        """After how long without a status a unit is stale (`stale_after.unit`)."""
        return self._stale_unit

    # how what is kept is found

    def _find_day(self, quarter: int) -> int:
        return local_micros(quarter * QUARTER, self._zone) // DAY + EPOCH

    def _find_covering(self, asked: tuple[str, int]) -> tuple[str, ...]:
        area, day = asked
        every = area not in self._areas
        active = (version.team for versions in self._versions.values() for version in versions if version.active(day))
        return tuple(team.code for team in active if every or area in team.areas)

    def _find_hours(self, asked: tuple[str, int]) -> Steps[State]:
        team, day = asked
        return shifts.of_day(self._versions.get(team, ()), day, self._zone)

    def _find_working(self, asked: tuple[str, int]) -> Steps[tuple[str, ...]]:
        area, day = asked
        hours: dict[str, Steps[State]] = {}
        for team, versions in self._versions.items():
            covering = [version for version in versions if area not in self._areas or area in version.team.areas]
            if len(covering) == len(versions):
                hours[team] = self._hours[team, day]
            elif covering:  # a shift of last night is that of its version, and so are the areas that it covers
                hours[team] = shifts.of_day(covering, day, self._zone)
        begins = sorted({-NEVER}.union(*(steps.begins for steps in hours.values())))
        return Steps(begins, [tuple(team for team, steps in hours.items() if steps.at(at).open) for at in begins])

    def _find_changes(self, day: int) -> list[Micros]:
        """The times of a local day at which anything may change, and its end."""
        begins = {at for team in self._versions for at in self._hours[team, day].begins}
        end = shifts.start_of(day + 1, self._zone)
        return [*sorted(at for at in begins if at < end), end]

    def _find_target(self, asked: tuple[str, Interval, int]) -> Micros | None:
        team, interval, day = asked
        for version in self._versions.get(team, ()):
            if version.active(day):
                text = version.team.targets.get(interval)
                return None if text is None else duration(text)
        return None

    def _find_shortest(self, asked: tuple[str, Interval, int]) -> Micros | None:
        area, interval, day = asked
        found = (self.target(team, interval, day) for team in self.covering(area, day))
        return min((target for target in found if target is not None), default=None)


def _versions(teams: Iterable[Team]) -> dict[str, tuple[Version, ...]]:
    """The versions of each team, in the order of the file."""
    found: dict[str, tuple[Version, ...]] = {}
    for team in teams:
        since, until = (team.since or date.min).toordinal(), (team.until or date.max).toordinal()
        found[team.code] = (*found.get(team.code, ()), Version(team, since, until))
    return found


#: Words of the contract that every program knows, beside `other` and those in its file.
_WORDS: Mapping[str, tuple[str, ...]] = {"outcome": (UNRECORDED,)}


def _labels(known: Mapping[str, str], words: Iterable[str]) -> _Kept[str, str]:
    """The labels of a field by code, as it was told."""
    by_plain = {word: word for word in words} | {plain(code): label for code, label in known.items()}
    return _Kept(lambda code: by_plain.get(plain(code), OTHER))


def _units(profile: Profile) -> _Kept[str, UnitFacts]:
    """What the file says of units by name, as it was told; aliases are compared as codes are."""
    by_plain: dict[str, UnitFacts] = {}
    for unit, listed in profile.units.items():
        facts = UnitFacts(unit, listed.agency, listed.team)
        by_plain |= {plain(name): facts for name in (unit, *listed.aliases)}
    return _Kept(lambda name: by_plain.get(plain(name)) or UnitFacts(name, None, None))
