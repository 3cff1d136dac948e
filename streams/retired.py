"""What is gone from a program file while records still need it: kept as retired until they are done.

A retired team covers nothing, works never and plans nobody; what it owes it still owes. A retired area is covered as one that the
program does not know: any team may be the one. Source: the contract, section 3, *The program file*.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

import msgspec

from streams.entries import Call, Case
from streams.programs import Profile, Team, plain


class Needed(NamedTuple):
    """Teams and areas that kept records name, as labels."""

    teams: frozenset[str]
    areas: frozenset[str]


class Retired(NamedTuple):
    """Codes of teams and areas that only older files have."""

    teams: tuple[str, ...] = ()
    areas: tuple[str, ...] = ()


NOTHING: Final = Retired()


def needed_by(entries: Iterable[Call | Case | None]) -> Needed:
    """The teams and areas that these name."""
    teams: set[str] = set()
    areas: set[str] = set()
    for entry in entries:
        if entry is None:
            continue
        areas.add(entry.area)
        teams.add(entry.team)
        if isinstance(entry, Call):
            teams.update(response.team for response in entry.responses)
        else:
            teams.update(followup.team for followup in entry.followups)
            if entry.opening is not None and entry.opening.team is not None:
                teams.add(entry.opening.team)
    return Needed(frozenset(teams), frozenset(areas))


def retire(profile: Profile, older: Iterable[Profile], needed: Needed) -> tuple[Profile, Retired]:
    """A program file with the teams and areas of older files (the latest last) that it does not have and that are needed."""
    retired_teams: dict[str, list[Team]] = {}
    areas = dict(profile.areas)
    known_areas = {plain(code) for code in profile.labels["area"]}
    known_teams = {plain(code) for code in profile.labels["team"]}
    retired_areas: dict[str, None] = {}
    for file in older:
        for code, area in file.areas.items():
            if code in needed.areas and plain(code) not in known_areas:
                areas[code] = msgspec.structs.replace(area, codes=_left(area.codes, known_areas))
                retired_areas[code] = None
        for code in file.team_codes:
            if code in needed.teams and plain(code) not in known_teams:
                retired_teams[code] = [
                    msgspec.structs.replace(team, areas=(), hours=(), staffing=(), codes=_left(team.codes, known_teams))
                    for team in file.teams
                    if team.code == code
                ]
    if not retired_teams and not retired_areas:
        return profile, NOTHING
    versions = [version for each in retired_teams.values() for version in each]
    extended = msgspec.structs.replace(profile, areas=areas, teams=(*profile.teams, *versions))
    return extended, Retired(tuple(retired_teams), tuple(retired_areas))


def _left(codes: tuple[str, ...], known: set[str]) -> tuple[str, ...]:
    return tuple(code for code in codes if plain(code) not in known)
