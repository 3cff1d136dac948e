"""What labels may be: the words of the contract, and the codes of a program file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from streams.catalogue.metric import Block
from streams.clock import SECOND, Micros
from streams.events import STATUSES
from streams.programs import ALL_INTERVALS, NO_TEAM, OTHER, OUTCOMES, UNRECORDED, Profile

# --- words of the contract ----------------------------------------------------------------------------------

STAGES = (
    "waiting",
    "dispatched",
    "en_route",
    "staged",
    "on_scene",
    "transporting",
    "wrapping_up",
    "with_others",
    "scheduled",
    "outside_area",
    "outside_hours",
    "stale",
)
RESULTS = (
    "served",
    "served_remotely",
    "ineligible",
    "duplicate",
    "handled_by_other",
    "cancelled",
    "outside_area",
    "outside_hours",
    "no_unit_on_duty",
    "out_of_service",
    "all_units_busy",
    "not_triaged",
    "unknown",
)
#: What `care_demand_hour_of_week` makes of them.
REACHED = ("served", "unmet", "outside_hours")
INVOLVEMENTS = ("none", "cancelled", "released", "unknown", "stayed")
#: From the first point to the second.
INTERVALS: tuple[str, ...] = ALL_INTERVALS
STAFFING = ("planned", "on_duty", "available", "missing", "none_available")
FORCE_LEVELS = ("1", "2", "3")
PROBLEMS = (
    "closed_before_received",
    "unit_on_two_scenes",
    "merge_ignored",
    "case_without_plan",
    "record_full",
    "unrecorded_outcome",
    "no_receipt",
)
FOLLOWUP_STATES = ("scheduled", "open", "overdue", "missed")
FOLLOWUP_RESULTS = ("completed", "completed_late", "declined", "closed", "missed", "pending")
DUE_WINDOWS = ("7d", "30d")
REPEAT_WINDOWS = ("30d", "365d")
HOURS_OF_DAY = tuple(f"{hour:02}" for hour in range(24))
ALL_OUTCOMES = (*OUTCOMES, UNRECORDED, OTHER)

# --- codes of a program file --------------------------------------------------------------------------------
# `other` is what the file does not know. A counter has it from the start, or its first count would be lost to `rate()`; a
# gauge only while there is such a thing: docs/decisions/0021-the-page.md


def own_areas(profile: Profile) -> Sequence[str]:
    """Its areas."""
    return tuple(profile.areas)


def areas(profile: Profile) -> Sequence[str]:
    """Its areas, and `other`."""
    return (*profile.areas, OTHER)


def call_types(profile: Profile) -> Sequence[str]:
    """Its call types, and `other`."""
    return (*profile.call_types, OTHER)


def own_teams(profile: Profile) -> Sequence[str]:
    """Its teams."""
    return profile.team_codes


def teams(profile: Profile) -> Sequence[str]:
    """Its teams, and `other`."""
    return (*profile.team_codes, OTHER)


def teams_or_none(profile: Profile) -> Sequence[str]:
    """Its teams, `none` and `other`."""
    return (*profile.team_codes, NO_TEAM, OTHER)


def destinations(profile: Profile) -> Sequence[str]:
    """Its destinations, and `other`."""
    return (*profile.destinations, OTHER)


def services(profile: Profile) -> Sequence[str]:
    """Its services, and `other`."""
    return (*profile.services, OTHER)


def followups(profile: Profile) -> Sequence[str]:
    """The checkpoints of all its plans, and `other`: an attempt may name that of another team."""
    return (*profile.checkpoint_ids, OTHER)


def feeds(profile: Profile) -> Sequence[str]:
    """The topics that it has."""
    return profile.feeds


# --- combinations -------------------------------------------------------------------------------------------


def unit_places(profile: Profile) -> Iterator[Block]:
    """team, area, status: each team in the areas that it covers."""
    for area, covering in _covering(profile).items():
        yield covering, (area,), STATUSES


def closings(profile: Profile) -> Iterator[Block]:
    """team, area, outcome: each team in the areas that it covers; and what the file does not know."""
    for area, covering in {**_covering(profile), OTHER: profile.team_codes}.items():
        yield (*covering, NO_TEAM, OTHER), (area,), ALL_OUTCOMES


def known_closings(profile: Profile) -> Iterator[Block]:
    """The same without what the file does not know."""
    for area, covering in _covering(profile).items():
        yield (*covering, NO_TEAM), (area,), (*OUTCOMES, UNRECORDED)


def stages(profile: Profile) -> Iterator[Block]:
    """area, call_type, stage. Calls stand outside their area only where no team covers it for good."""
    covered = {area for team in profile.teams if team.until is None for area in team.areas}
    inside = tuple(stage for stage in STAGES if stage != "outside_area")
    for area in profile.areas:
        yield (area,), tuple(profile.call_types), inside if area in covered else STAGES


def call_targets(profile: Profile) -> Iterator[Block]:
    """area, interval: those for which a team that covers the area has a target."""
    for area, covering in _covering(profile).items():
        yield (area,), tuple(dict.fromkeys(interval for team, interval in profile.targets if team in covering))


def team_targets(profile: Profile) -> Iterator[Block]:
    """team, interval: those for which the team has a target."""
    for team, interval in profile.targets:
        yield (team,), (interval,)


def owed(profile: Profile) -> Iterator[Block]:
    """team, area, followup, state: the checkpoints of each team's plan in the areas that it covers."""
    covering = _covering(profile)
    for team in profile.team_codes:
        covered = tuple(area for area in profile.areas if team in covering[area])
        yield (team,), covered, _points(profile, team), FOLLOWUP_STATES


def came_due(profile: Profile) -> Iterator[Block]:
    """team, followup, window, result: the checkpoints of each team's plan."""
    for team in profile.team_codes:
        yield (team,), _points(profile, team), DUE_WINDOWS, FOLLOWUP_RESULTS


def _covering(profile: Profile) -> dict[str, tuple[str, ...]]:
    """The teams that cover each area, whenever they do."""
    covering: dict[str, dict[str, None]] = {area: {} for area in profile.areas}
    for team in profile.teams:
        for area in team.areas:
            covering[area][team.code] = None
    return {area: tuple(teams) for area, teams in covering.items()}


def _points(profile: Profile, team: str) -> tuple[str, ...]:
    return tuple(point for owner, point in profile.checkpoints if owner == team)


# --- edges of the interval histogram ------------------------------------------------------------------------

#: In seconds: 30 s is the finest that dispatch stamps resolve, 4 h is a long scene with transport.
BASE_EDGES = (30, 60, 120, 180, 300, 480, 600, 900, 1200, 1800, 2700, 3600, 7200, 14400)


def edges(profiles: Iterable[Profile]) -> tuple[Micros, ...]:
    """Upper bounds of the interval histogram: the base ones and every target, microseconds.

    The same for all programs of a worker, so that sums over programs keep their meaning.
    """
    targets = {target for profile in profiles for target in profile.targets.values()}
    return tuple(sorted({edge * SECOND for edge in BASE_EDGES} | targets))


def names(words: Iterable[tuple[str, ...]]) -> Iterator[Block]:
    """Each of these combinations and no other."""
    for each in words:
        yield tuple((word,) for word in each)
