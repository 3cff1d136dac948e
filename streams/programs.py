"""Program profiles: the facts of one program, read from `programs/<program>.toml` and checked.

A profile maps the codes of a city's systems to the contract's, says which team covers what and when, and holds the
targets and the staffing plan. It has no code; everything here is immutable once loaded.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from streams.clock import DAY, SECOND, Micros, local
from streams.events import TOPICS, Agency, Topic

Day = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAYS: tuple[Day, ...] = get_args(Day)

#: Outcomes of the contract; a program's local codes map to these.
Outcome = Literal[
    "services",
    "services_transport",
    "services_transfer",
    "refused",
    "no_contact",
    "resolved_by_other",
    "cancelled",
]
OUTCOMES: tuple[str, ...] = get_args(Outcome)
#: Intervals: `<start>_to_<end>`. Source: the contract, section 3.
CallInterval = Literal[  # of a call: of its first CARE dispatch, arrival, contact
    "received_to_dispatched",
    "received_to_on_scene",
    "received_to_contact",
    "eligible_to_dispatched",
    "eligible_to_on_scene",
    "dispatched_to_on_scene",
]
ResponseInterval = Literal[  # of each response of a CARE unit
    "dispatched_to_en_route",
    "en_route_to_on_scene",
    "en_route_to_staged",
    "staged_to_on_scene",
    "on_scene_to_cleared",
    "dispatched_to_cleared",
]
Interval = Literal[CallInterval, ResponseInterval]
ALL_INTERVALS: tuple[Interval, ...] = get_args(Interval)
#: Those that are counted today.
INTERVALS: tuple[Interval, ...] = (
    "received_to_dispatched",
    "received_to_on_scene",
    "dispatched_to_en_route",
    "en_route_to_on_scene",
    "on_scene_to_cleared",
    "dispatched_to_cleared",
)

#: Fields whose codes a profile maps.
FIELDS = ("area", "call_type", "team", "outcome", "service", "destination")

#: The label value of a code that the profile does not know, and of one that was not given.
OTHER = "other"
NO_TEAM = "none"
#: The outcome label of a call that was closed without one.
UNRECORDED = "unrecorded"

_CODE = re.compile(r"[a-z0-9][a-z0-9_]{0,63}")
_DURATION = re.compile(r"(\d{1,6})\s*(s|min|h|d)")
_UNITS: dict[str, Micros] = {"s": SECOND, "min": 60 * SECOND, "h": 3600 * SECOND, "d": DAY}


class ProfileError(Exception):
    """A profile that cannot be used. The message is one line: file, key, what is wrong, what to do."""


class Shift(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}):
    """A weekly window of local time. `until` of 00:00 is midnight at the day's end; a window may cross midnight."""

    days: tuple[Day, ...]
    from_: time
    until: time

    def covers(self, at: datetime) -> bool:
        """Whether the local time is inside: `from` <= at < `until`, by the wall clock."""
        now = at.time()
        today = DAYS[at.weekday()] in self.days
        if self.from_ < self.until:
            return today and self.from_ <= now < self.until
        yesterday = DAYS[(at.weekday() - 1) % 7] in self.days
        return (today and now >= self.from_) or (yesterday and now < self.until)


class PlannedShift(Shift, frozen=True, forbid_unknown_fields=True, rename={"from_": "from"}, kw_only=True):
    """A shift and how many units the plan wants in it."""

    units: int


class Checkpoint(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A follow-up that a team owes after a case opened; the three times count from the opening ('12h', '7d')."""

    id: str
    kinds: tuple[Literal["encounter", "overdose", "case_management"], ...]
    opens: str
    due: str
    lapses: str
    #: Whether every case owes it, or of a person's cases only the newest.
    per: Literal["case", "person"] = "case"


class Team(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A team model: who covers which areas, in which hours, from when until when (dates, `until` not included)."""

    code: str
    label: str
    areas: tuple[str, ...]
    hours: tuple[Shift, ...]
    staffing: tuple[PlannedShift, ...] = ()
    targets: dict[Interval, str] = {}
    followups: tuple[Checkpoint, ...] = ()
    since: date | None = None
    until: date | None = None
    #: What the city's systems send for the team; those of all its versions hold together, whatever the day.
    codes: tuple[str, ...] = ()

    def active(self, day: date) -> bool:
        """Whether the team model is in force on a local day."""
        return (self.since is None or self.since <= day) and (self.until is None or day < self.until)

    def works(self, at: datetime) -> bool:
        """Whether the team is in force and inside its hours at a local time."""
        return self.active(at.date()) and any(shift.covers(at) for shift in self.hours)

    def planned(self, at: datetime) -> int:
        """Units that the staffing plan wants on duty at a local time."""
        if not self.active(at.date()):
            return 0
        return sum(shift.units for shift in self.staffing if shift.covers(at))


class Coded(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A code of this program: its label for people and the codes that the city's systems send for it."""

    label: str
    codes: tuple[str, ...] = ()
    apco: str | None = None
    eido: str | None = None


class Listed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A unit of `[units]`: its other names, and where told whose it is and of which team (a code of `[[teams]]`)."""

    aliases: tuple[str, ...] = ()
    agency: Agency | None = None
    team: str | None = None


class StaleAfter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """After how long without a word an open call, and without a status a unit, is stale."""

    call: str = "12h"
    unit: str = "16h"


class Profile(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, dict=True):
    """The facts of one program."""

    program: str
    name: str
    timezone: str
    triages: bool
    areas: dict[str, Coded]
    teams: tuple[Team, ...]
    call_types: dict[str, Coded]
    outcomes: dict[Outcome, Coded]
    destinations: dict[str, Coded] = {}
    services: dict[str, Coded] = {}
    followup_outcomes: tuple[Outcome, ...] = ()
    #: The feeds that the program has: an alert says when one of them is silent.
    feeds: tuple[Topic, ...] = TOPICS
    units: dict[str, Listed] = {}
    stale_after: StaleAfter = StaleAfter()

    @cached_property
    def zone(self) -> ZoneInfo:
        """The program's time zone."""
        return ZoneInfo(self.timezone)

    @cached_property
    def team_codes(self) -> tuple[str, ...]:
        """Codes of all team models, past ones too; a code may have several versions."""
        return tuple(dict.fromkeys(team.code for team in self.teams))

    @cached_property
    def labels(self) -> dict[str, dict[str, str]]:
        """The label value of every code that the profile knows, by field (see FIELDS)."""
        coded: dict[str, dict[str, Coded]] = {
            "area": self.areas,
            "call_type": self.call_types,
            "outcome": {str(code): value for code, value in self.outcomes.items()},
            "destination": self.destinations,
            "service": self.services,
        }
        maps = {field: _with_local_codes(table) for field, table in coded.items()}
        maps["outcome"] |= {code: code for code in OUTCOMES}
        maps["team"] = _with_local_codes({team.code: team for team in self.teams})
        maps["team"] |= {alias: team.code for team in self.teams for alias in team.codes}
        return maps

    def teams_of(self, area: str) -> tuple[str, ...]:
        """Codes of the teams that cover an area, whenever they do; all teams for an area the profile does not know."""
        if area not in self.areas:
            return self.team_codes
        return tuple(dict.fromkeys(team.code for team in self.teams if area in team.areas))

    def label_of(self, field: str, code: str) -> str:
        """The label value for a code of `field` (area, call_type, team, outcome, service, destination), else `other`."""
        return self.labels[field].get(code, OTHER)

    def knows(self, field: str, code: str) -> bool:
        """Whether the profile maps the code."""
        return code in self.labels[field]

    def covering(self, area: str, at: datetime) -> list[Team]:
        """Teams in force on the local day that cover the area, working or not."""
        day = at.date()
        return [team for team in self._teams_by_area.get(area, ()) if team.active(day)]

    @cached_property
    def _teams_by_area(self) -> dict[str, list[Team]]:
        return {area: [team for team in self.teams if area in team.areas] for area in self.areas}

    @cached_property
    def targets(self) -> dict[tuple[str, Interval], Micros]:
        """All targets, by team and interval, microseconds. Of two versions of a team the later one counts."""
        versions = sorted(self.teams, key=lambda team: team.since or date.min)
        return {(team.code, interval): duration(text) for team in versions for interval, text in team.targets.items()}

    @cached_property
    def checkpoints(self) -> tuple[tuple[str, str], ...]:
        """Team and id of all follow-up checkpoints, those of past versions of a team too."""
        return tuple(dict.fromkeys((team.code, point.id) for team in self.teams for point in team.followups))

    @cached_property
    def checkpoint_ids(self) -> tuple[str, ...]:
        """Ids of all follow-up checkpoints."""
        return tuple(dict.fromkeys(id for _, id in self.checkpoints))

    def local(self, at: Micros) -> datetime:
        """The program's wall-clock time."""
        return local(at, self.zone)


def duration(text: str) -> Micros:
    """Microseconds of '90s', '8min', '12h' or '7d'. Raises ValueError with what is expected."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a duration: write a number and s, min, h or d, such as '8min'")
    return int(match[1]) * _UNITS[match[2]]


def plain(code: str) -> str:
    """A code or a unit's name as it is compared: without case and outer blanks."""
    return code.strip().casefold()


def _with_local_codes(table: Mapping[str, Coded | Team]) -> dict[str, str]:
    return {code: code for code in table} | {alias: code for code, value in table.items() for alias in value.codes}


def load_all(directory: Path) -> dict[str, Profile]:
    """Every `*.toml` profile of a folder, by program id.

    Raises ProfileError for the first file that cannot be used, or if there is none.
    """
    if not directory.is_dir():
        raise ProfileError(f"{directory}: no such folder; give the folder of the program files with --programs")
    files = sorted(directory.glob("*.toml"))
    if not files:
        raise ProfileError(f"{directory}: no program files (*.toml) here; give their folder with --programs")
    profiles: dict[str, Profile] = {}
    for file in files:
        profile = load(file)
        if profile.program in profiles:
            raise ProfileError(f"{file}: program: '{profile.program}' is in another file of the folder too; rename one")
        profiles[profile.program] = profile
    return profiles


def digest(profiles: Mapping[str, Profile]) -> str:
    """What these program files say, in 16 hexadecimal digits; comments and the order of files are nothing of it."""
    content = {program: _said(profile) for program, profile in profiles.items()}
    return sha256(msgspec.json.encode(content, order="sorted")).hexdigest()[:16]


def _said(profile: Profile) -> dict[str, Any]:
    """What a file says. Keys that came later are left out where it does not use them, so that its digest stays."""
    said: dict[str, Any] = msgspec.to_builtins(profile)
    later: list[tuple[dict[str, Any], str, Any]] = [
        (said, "units", {}),
        (said, "stale_after", msgspec.to_builtins(StaleAfter())),
        *((team, "codes", ()) for team in said["teams"]),
        *((point, "per", "case") for team in said["teams"] for point in team["followups"]),
    ]
    for table, key, unused in later:
        if table[key] == unused:
            del table[key]
    return said


def load(file: Path) -> Profile:
    """One profile. Raises ProfileError."""
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ProfileError(f"{file}: cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ProfileError(f"{file}: not valid TOML: {error}; mend the line") from error
    try:
        profile = msgspec.convert(raw, Profile)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at ")
        key = where.strip("`").removeprefix("$.") or "top level"
        raise ProfileError(f"{file}: {key}: {what}; see docs/programs.md for what the key takes") from error
    for key, problem in _problems(profile):
        raise ProfileError(f"{file}: {key}: {problem}")
    return profile


def _problems(profile: Profile) -> list[tuple[str, str]]:
    """Everything that the types cannot say, as (key, what is wrong and what to do)."""
    found: list[tuple[str, str]] = []
    try:
        ZoneInfo(profile.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return [("timezone", f"'{profile.timezone}' is no time zone; use an IANA name such as America/Chicago")]
    tables: dict[str, dict[str, Coded]] = {
        "areas": profile.areas,
        "call_types": profile.call_types,
        "destinations": profile.destinations,
        "services": profile.services,
        "outcomes": {str(code): value for code, value in profile.outcomes.items()},
    }
    codes = [("program", profile.program), *((f"{name}.{code}", code) for name, t in tables.items() for code in t)]
    codes += [(f"teams[{i}].code", team.code) for i, team in enumerate(profile.teams)]
    for key, code in codes:
        if not _CODE.fullmatch(code):
            found.append((key, f"'{code}' is no code; use lower case letters, digits and underscores"))
        elif code in (OTHER, NO_TEAM, UNRECORDED) and key != "program":
            found.append((key, f"'{code}' is kept for what the profile does not know; use another code"))
    for name, table in tables.items():
        found += _twice(table, [(f"{name}.{code}.codes", code, value.codes) for code, value in table.items()])
    found += _twice(
        profile.team_codes, [(f"teams[{i}].codes", team.code, team.codes) for i, team in enumerate(profile.teams)]
    )
    found += _unit_problems(profile)
    for name in ("call", "unit"):
        found += _duration_problems(f"stale_after.{name}", getattr(profile.stale_after, name))
    if not profile.feeds or len(set(profile.feeds)) < len(profile.feeds):
        found.append(
            ("feeds", "none given, or one twice; name those that the program has, or leave the key out for all")
        )
    if not profile.teams:
        found.append(("teams", "none given; a program has at least one [[teams]]"))
    for i, team in enumerate(profile.teams):
        found += _team_problems(profile, team, f"teams[{i}]")
    return found


def _twice(names: Iterable[str], others: Iterable[tuple[str, str, tuple[str, ...]]]) -> list[tuple[str, str]]:
    """What stands for two: `others` are (key, name, what else stands for it), compared without case and outer blanks."""
    found: list[tuple[str, str]] = []
    seen = {plain(name): name for name in names}
    for key, name, also in others:
        for other in also:
            if seen.setdefault(plain(other), name) != name:
                found.append((key, f"'{other}' maps to '{seen[plain(other)]}' too; keep one"))
    return found


def _unit_problems(profile: Profile) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    seen: dict[str, str] = {}
    for unit, listed in profile.units.items():
        key = f"units.{unit}"
        if (first := seen.setdefault(plain(unit), unit)) != unit:
            found.append((key, f"is '{first}' written another way; keep one"))
        if listed.team is not None and listed.team not in profile.team_codes:
            found.append((f"{key}.team", f"'{listed.team}' is no code of [[teams]]; add it there or mend the name"))
        for name in (unit, *listed.aliases):
            if not 1 <= len(name) <= 128 or not name.strip():
                found.append((key, f"'{name}' is no name of a unit; give 1 to 128 characters"))
    aliases = [(f"units.{unit}.aliases", unit, listed.aliases) for unit, listed in profile.units.items()]
    return found + _twice(profile.units, aliases)


def _team_problems(profile: Profile, team: Team, key: str) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    found += [
        (f"{key}.areas", f"'{area}' is not in [areas]; add it there or mend the name")
        for area in team.areas
        if area not in profile.areas
    ]
    if not team.hours:
        found.append((f"{key}.hours", "none given; say when the team works, for example days, from and until"))
    if team.since and team.until and team.until <= team.since:
        found.append(
            (f"{key}.until", f"{team.until} is not after since ({team.since}); until is the first day without")
        )
    for shift in team.staffing:
        if not 0 <= shift.units <= 10_000:
            found.append((f"{key}.staffing.units", f"{shift.units} units planned; give a number from 0 to 10000"))
    for interval, text in team.targets.items():
        found += _duration_problems(f"{key}.targets.{interval}", text)
    if any(not shift.days for shift in (*team.hours, *team.staffing)):
        found.append((f"{key}.days", "a window without days; give some, such as days = ['mon']"))
    ids = [point.id for point in team.followups]
    for point in team.followups:
        if not _CODE.fullmatch(point.id) or ids.count(point.id) > 1:
            what = f"'{point.id}' is no code or is there twice; use one id each, lower case, such as 7d"
            found.append((f"{key}.followups", what))
        if not point.kinds:
            found.append((f"{key}.followups.{point.id}", "no kinds of case; give some, such as kinds = ['encounter']"))
        where = f"{key}.followups.{point.id}"
        bad = [p for name in ("opens", "due", "lapses") for p in _duration_problems(where, getattr(point, name))]
        found += bad
        if not bad and not duration(point.opens) <= duration(point.due) <= duration(point.lapses):
            found.append((where, "opens, due and lapses must not go back in time; mend their order"))
    for other in profile.teams:
        if other is not team and other.code == team.code and _overlap(team, other):
            found.append((f"{key}.since", f"team '{team.code}' has two versions in force at once; set since/until"))
    return found


def _duration_problems(key: str, text: str) -> list[tuple[str, str]]:
    try:
        if duration(text) > 0:
            return []
    except ValueError as error:
        return [(key, str(error))]
    return [(key, "must be longer than nothing")]


def _overlap(a: Team, b: Team) -> bool:
    latest_start = max(a.since or date.min, b.since or date.min)
    return latest_start < min(a.until or date.max, b.until or date.max)
