"""The program file: codes, teams by date, hours, staffing, targets, plans."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from tests.second.names import NONE, OTHER, OUTCOMES, UNRECORDED

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LENGTHS = {"s": timedelta(seconds=1), "min": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
_TABLES = {
    "area": "areas",
    "call_type": "call_types",
    "outcome": "outcomes",
    "destination": "destinations",
    "service": "services",
}


def plain(code: str) -> str:
    """A code as it is compared: without case and outer blanks."""
    return code.strip().casefold()


def length(text: str) -> timedelta:
    """Elapsed time of '90s', '8min', '12h', '7d' (days of 24 hours)."""
    number, unit = _parts(text)
    return number * _LENGTHS[unit]


def _parts(text: str) -> tuple[int, str]:
    match = re.fullmatch(r"(\d+)\s*(s|min|h|d)", text)
    assert match is not None, text
    return int(match[1]), match[2]


@dataclass(frozen=True)
class Shift:
    """A weekly window of local time and how many units are planned in it."""

    days: tuple[str, ...]
    begins: time
    ends: time
    units: int


@dataclass(frozen=True)
class Checkpoint:
    """A follow-up of a plan; the three times count from the opening."""

    id: str
    kinds: tuple[str, ...]
    opens: str
    due: str
    lapses: str
    per_person: bool


@dataclass(frozen=True)
class Version:
    """A team as it is from one day to another."""

    code: str
    areas: tuple[str, ...]
    hours: tuple[Shift, ...]
    staffing: tuple[Shift, ...]
    targets: dict[str, timedelta]
    plan: tuple[Checkpoint, ...]
    since: date
    until: date

    def in_force(self, day: date) -> bool:
        return self.since <= day < self.until


@dataclass(frozen=True)
class Listed:
    """A unit of `[units]`."""

    name: str
    agency: str | None
    team: str | None


class _Text:
    """What one text of a program file says."""

    def __init__(self, text: str) -> None:
        raw = tomllib.loads(text)
        self.raw = raw
        self.codes: dict[str, dict[str, str]] = {}
        for field, table in _TABLES.items():
            entries: dict[str, Any] = raw.get(table, {})
            self.codes[field] = {plain(key): key for key in entries}
            for key, entry in entries.items():
                self.codes[field] |= {plain(code): key for code in entry.get("codes", ())}
        self.codes["outcome"] |= {code: code for code in OUTCOMES if code not in self.codes["outcome"]}
        teams = raw["teams"]
        self.codes["team"] = {plain(team["code"]): team["code"] for team in teams}
        for team in teams:
            self.codes["team"] |= {plain(code): team["code"] for code in team.get("codes", ())}
        self.areas = tuple(raw["areas"])
        self.versions = tuple(_version(team) for team in teams)
        self.teams = tuple(dict.fromkeys(version.code for version in self.versions))


def _version(team: dict[str, Any]) -> Version:
    return Version(
        code=team["code"],
        areas=tuple(team["areas"]),
        hours=tuple(_shift(window) for window in team["hours"]),
        staffing=tuple(_shift(window) for window in team.get("staffing", ())),
        targets={name: length(text) for name, text in team.get("targets", {}).items()},
        plan=tuple(
            Checkpoint(
                point["id"],
                tuple(point["kinds"]),
                point["opens"],
                point["due"],
                point["lapses"],
                point.get("per") == "person",
            )
            for point in team.get("followups", ())
        ),
        since=team.get("since", date.min),
        until=team.get("until", date.max),
    )


def _shift(window: dict[str, Any]) -> Shift:
    return Shift(tuple(window["days"]), window["from"], window["until"], window.get("units", 0))


class Program:
    """The last text is in force; of earlier ones stay the teams, areas and checkpoints that it no longer has."""

    def __init__(self, texts: Sequence[tuple[datetime, str]]) -> None:
        self._texts = [_Text(text) for _, text in texts]
        self._changed_at = texts[-1][0]
        last = self._texts[-1]
        self.id: str = last.raw["program"]
        self.zone = ZoneInfo(last.raw["timezone"])
        self.triages: bool = last.raw["triages"]
        self.has_statuses = "status" in last.raw.get("feeds", ("dispatch", "status", "followup"))
        self.followup_outcomes: tuple[str, ...] = tuple(last.raw.get("followup_outcomes", ()))
        stale = last.raw.get("stale_after", {})
        self.stale_call = length(stale.get("call", "12h"))
        self.stale_unit = length(stale.get("unit", "16h"))
        self.areas = last.areas
        self.versions = last.versions
        self.teams = last.teams
        self._codes = {field: dict(codes) for field, codes in last.codes.items()}
        for text in reversed(self._texts[:-1]):
            for field, there in (("area", self.areas), ("team", self.teams)):
                for code, key in text.codes[field].items():
                    if key not in there:
                        self._codes[field].setdefault(code, key)
        self._units: dict[str, Listed] = {}
        for name, unit in last.raw.get("units", {}).items():
            listed = Listed(name, unit.get("agency"), unit.get("team"))
            for known in (name, *unit.get("aliases", ())):
                self._units[plain(known)] = listed

    # Codes

    def knows(self, field: str, code: str) -> bool:
        """Whether a code is mapped; every program knows the words of the contract."""
        words = (OTHER, UNRECORDED) if field == "outcome" else (OTHER,)
        return plain(code) in self._codes[field] or plain(code) in words

    def label(self, field: str, code: str | None) -> str:
        """The label value of a code, `other` for one that is not known; of a code that is not told, its word."""
        if code is None:
            return {"team": NONE, "outcome": UNRECORDED}.get(field, OTHER)
        if field == "outcome" and plain(code) == UNRECORDED:
            return UNRECORDED
        return self._codes[field].get(plain(code), OTHER)

    def unit(self, name: str) -> str:
        """The unit's one name: that of `[units]` for an alias."""
        listed = self._units.get(plain(name))
        return name if listed is None else listed.name

    def listed(self, unit: str) -> Listed | None:
        return self._units.get(plain(unit))

    # Days and hours

    def local(self, at: datetime) -> datetime:
        return at.astimezone(self.zone)

    def day(self, at: datetime) -> date:
        return self.local(at).date()

    def at_local(self, day: date, clock: time) -> datetime:
        """A local time: of one that there is twice the first, of one that is skipped the moment of the skip."""
        shown = datetime.combine(day, clock)
        at = shown.replace(tzinfo=self.zone).astimezone(UTC)
        if self.local(at).replace(tzinfo=None) == shown:
            return at
        at = at.replace(second=0, microsecond=0) - timedelta(hours=3)
        while self.local(at).replace(tzinfo=None) < shown:
            at += timedelta(minutes=1)
        return at

    def days_before(self, at: datetime, days: int) -> datetime:
        """When the clock on the wall showed the same so many days before."""
        return (self.local(at).replace(fold=0) - timedelta(days=days)).astimezone(UTC)

    def later(self, at: datetime, text: str) -> datetime:
        """A time of a plan: days go by the clock on the wall, hours and less as they pass."""
        number, unit = _parts(text)
        if unit != "d":
            return at + length(text)
        local = self.local(at).replace(fold=0) + timedelta(days=number)
        return local.astimezone(UTC)

    def windows(
        self, version: Version, shifts: Sequence[Shift], first: date, last: date
    ) -> Iterator[tuple[datetime, datetime, int]]:
        """Begin, end and units of the shifts that begin on these local days, while the version is in force."""
        day = first
        while day <= last:
            for shift in shifts:
                if DAYS[day.weekday()] in shift.days and version.in_force(day):
                    next_day = shift.ends <= shift.begins
                    end = self.at_local(day + timedelta(days=1) if next_day else day, shift.ends)
                    yield self.at_local(day, shift.begins), end, shift.units
            day += timedelta(days=1)

    def _windows_at(self, version: Version, shifts: Sequence[Shift], at: datetime) -> list[int]:
        day = self.day(at)
        found = self.windows(version, shifts, day - timedelta(days=2), day)
        return [units for begin, end, units in found if begin <= at < end]

    def works(self, version: Version, at: datetime) -> bool:
        return bool(self._windows_at(version, version.hours, at))

    def team_works(self, team: str, at: datetime) -> bool:
        return any(self.works(version, at) for version in self.versions if version.code == team)

    def planned(self, team: str, at: datetime) -> int:
        return sum(
            sum(self._windows_at(version, version.staffing, at)) for version in self.versions if version.code == team
        )

    # Coverage

    def in_areas(self, area: str) -> bool:
        """Whether the file in force has this area."""
        return area in self.areas

    def covered(self, area: str, at: datetime) -> bool:
        """Whether a team covers the area on this day, or ends its shift of the night there."""
        day = self.day(at)
        return any(
            area in version.areas and (version.in_force(day) or self.works(version, at)) for version in self.versions
        )

    def at_work(self, area: str, at: datetime) -> set[str]:
        """Teams that cover the area and work; every team may cover an area that the program does not know."""
        known = self.in_areas(area)
        return {
            version.code
            for version in self.versions
            if (not known or area in version.areas) and self.works(version, at)
        }

    def first_covering(self, area: str, day: date) -> str | None:
        for version in self.versions:
            if area in version.areas and version.in_force(day):
                return version.code
        return None

    # Targets and plans

    def version(self, team: str, day: date) -> Version | None:
        """The team's version of a day; of a team that is gone, that of the last text which had it."""
        for text in reversed(self._texts):
            if team in text.teams:
                for version in text.versions:
                    if version.code == team and version.in_force(day):
                        return version
                return None
        return None

    def call_target(self, interval: str, area: str, day: date) -> timedelta | None:
        """The shortest target of the teams that cover the area on the day."""
        known = self.in_areas(area)
        found = [
            version.targets[interval]
            for version in self.versions
            if version.in_force(day) and (not known or area in version.areas) and interval in version.targets
        ]
        return min(found, default=None)

    def team_target(self, interval: str, team: str, day: date) -> timedelta | None:
        version = self.version(team, day)
        return None if version is None else version.targets.get(interval)

    def plan(self, team: str, kind: str, opened: datetime) -> list[Checkpoint] | None:
        """What a case owes; None where no version of its team is in force. Checkpoints that are gone from the file stay
        owed by cases that were opened before.
        """
        day = self.day(opened)
        version = self.version(team, day)
        points = {} if version is None else {point.id: point for point in version.plan}
        gone: dict[str, Checkpoint] = {}
        if opened < self._changed_at:
            for text in self._texts[:-1]:
                for old in text.versions:
                    if old.code == team and old.in_force(day):
                        gone |= {point.id: point for point in old.plan if point.id not in points}
        if version is None and not gone:
            return None
        return [point for point in (*points.values(), *gone.values()) if kind in point.kinds]

    def checkpoint(self, id: str) -> str:
        """The label of a checkpoint: `other` where no team has it."""
        for text in reversed(self._texts):
            for version in text.versions:
                for point in version.plan:
                    if plain(point.id) == plain(id):
                        return point.id
        return OTHER
