"""The names that people use for a program's codes, from its file: for the screens, which show no codes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import date

from streams import metrics as m
from streams.programs import NO_TEAM, OTHER, Profile

_EXPLANATION = re.compile(r"\s*\([^()]*\)$")
_SPAN = re.compile(r"(\d+)(min|h|d)")
_SPANS = {"min": "minute", "h": "hour", "d": "day"}


def teams(profile: Profile) -> Iterator[tuple[str, str]]:
    """Code and name of each team: its label without what stands in brackets at its end, as in `CARE (civilians)`.

    The brackets stay where two teams would have one name. Of two versions of a team the later one counts.
    """
    versions = sorted(profile.teams, key=lambda team: team.since or date.min)
    labels = {team.code: team.label for team in versions}
    short = {code: _EXPLANATION.sub("", label) or label for code, label in labels.items()}
    times = Counter(short.values())
    named = {code: name if times[name] == 1 else labels[code] for code, name in short.items()}
    yield from _apart({**named, OTHER: "Other team", NO_TEAM: "No team"})


def areas(profile: Profile) -> Iterator[tuple[str, str]]:
    """Code and name of each area."""
    yield from _apart({**{code: area.label for code, area in profile.areas.items()}, OTHER: "Other area"})


def followups(profile: Profile) -> Iterator[tuple[str, str]]:
    """Id and name of each follow-up: `7 days` for `7d`, `First visit` for `first_visit`."""
    yield from _apart({id: _spoken(id) for id in profile.checkpoint_ids})


def codes(profile: Profile) -> Iterator[tuple[str, str, str]]:
    """Kind, code and name of the other codes that a program gives names to."""
    tables = {"call_type": profile.call_types, "destination": profile.destinations, "service": profile.services}
    for kind, table in tables.items():
        named = _apart({**{code: value.label for code, value in table.items()}, OTHER: "Other"})
        yield from ((kind, code, name) for code, name in named)


#: The names of each family of `metrics.NAMES`.
NAMED: dict[m.Metric, Callable[[Profile], Iterator[tuple[str, ...]]]] = {
    m.TEAM_INFO: teams,
    m.AREA_INFO: areas,
    m.FOLLOWUP_INFO: followups,
    m.CODE_INFO: codes,
}


def _apart(names: dict[str, str]) -> Iterator[tuple[str, str]]:
    """Names in one line each; those that several codes have get their code, so that no two are read as one."""
    lines = {code: " ".join(name.split()) for code, name in names.items()}
    times = Counter(lines.values())
    yield from ((code, name if times[name] == 1 else f"{name} ({code})") for code, name in lines.items())


def _spoken(id: str) -> str:
    if span := _SPAN.fullmatch(id):
        return f"{span[1]} {_SPANS[span[2]]}{'' if int(span[1]) == 1 else 's'}"
    return id.replace("_", " ").capitalize()
