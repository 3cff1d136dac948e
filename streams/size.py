"""How many samples a program makes on /metrics, counted from its file before anything is made of it.

Lists multiply: each call type is there for each team, area and outcome. A file that looks harmless may ask for millions
of samples, and the worker that tries would answer nobody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import islice
from math import prod

from streams import events, tally
from streams import metrics as m
from streams.clock import Micros
from streams.events import CASE_KINDS, STATUSES
from streams.limits import LIMITS
from streams.programs import Profile, ProfileError
from streams.read import COUNTERS, POSSIBLE

#: Samples of one program: above the first it is slow to scrape, with the second it is not run.
MANY, MOST = 20_000, 200_000
#: Where the counting ends: it takes a second or so, and a file so far beyond the bound needs no exact number.
ENOUGH = 1_000_000

_LISTS = {
    "team": ("teams", "[[teams]]"),
    "area": ("areas", "[areas]"),
    "call_type": ("call types", "[call_types]"),
    "destination": ("destinations", "[destinations]"),
    "service": ("services", "[services]"),
    "followup": ("follow-ups", "[[teams.followups]]"),
}


def samples(profile: Profile, bounds: Sequence[Micros]) -> Counter[m.Metric]:
    """The samples of a program by family, exact where there are not more than ENOUGH.

    Those that come and go (the oldest wait of an area, the next lapse of a team) are counted as there. Not counted are
    those that no file makes possible, such as a unit in an area that its team does not cover.

    Args:
        profile: The program.
        bounds: Upper bounds of the interval histogram, see `tally.edges`.
    """
    teams, areas = len(profile.team_codes), len(profile.areas) + 1
    found = Counter(
        {
            m.UNITS_PLANNED: teams,
            m.UNIT_SECONDS: (teams + 1) * len(STATUSES),
            m.OLDEST_WAITING: areas,
            m.TARGET: len(profile.targets),
            m.NEXT_LAPSE: teams + 1,
            m.CASES_ACTIVE: len(CASE_KINDS),
            m.PEOPLE: 1,
            m.FEED: len(profile.feeds),
            m.EVENTS: sum(len(kinds) for kinds in events.KINDS.values()),
            m.CONFLICTS: 1,
            m.DAMAGED: 1,
            m.RECORDS: len(LIMITS),
            m.RECORDS_LIMIT: len(LIMITS),
            m.ARCHIVED_EARLY: len(LIMITS),
        }
    )
    for metric, possible in POSSIBLE.items():
        found[metric] = sum(1 for _ in islice(possible(profile), ENOUGH))
    counters = {**COUNTERS, tally.UNMAPPED: m.UNMAPPED}
    for letters, *labels in tally.products(profile):
        for letter in letters:
            found[counters[letter]] += prod(map(len, labels))
    found[m.INTERVAL] *= len(bounds) + 3  # +Inf, count and sum
    return found


def check(profiles: Mapping[str, Profile], where: str) -> list[str]:
    """A line for each program that makes MANY samples. Raises ProfileError for the first that makes too many.

    Args:
        profiles: The programs that are to run together, by id.
        where: Where their files are.
    """
    warnings = []
    bounds = tally.edges(profiles.values())
    for program, profile in profiles.items():
        found = samples(profile, bounds)
        total = found.total()
        if total <= MANY:
            continue
        more = "more than " if total >= ENOUGH else ""
        made = f"{where}: program '{program}' makes {more}{min(total, ENOUGH):,} samples on /metrics"
        if total > MOST:
            raise ProfileError(f"{made}, and {MOST:,} are the most that can be served; {_cure(profile, found)}")
        warnings.append(f"{made}; above {MANY:,} scrapes are slow; {_cure(profile, found)}")
    return warnings


def _cure(profile: Profile, found: Counter[m.Metric]) -> str:
    """The family with the most samples, which lists of the file it multiplies, and which one to shorten."""
    sizes = {
        "team": len(profile.team_codes),
        "area": len(profile.areas),
        "call_type": len(profile.call_types),
        "destination": len(profile.destinations),
        "service": len(profile.services),
        "followup": len(profile.checkpoint_ids),
    }
    metric, count = next(each for each in found.most_common() if sizes.keys() & set(each[0].labels))
    lists = {label: sizes[label] for label in metric.labels if label in sizes}
    longest = max(lists, key=lambda label: lists[label])
    product = " x ".join(f"{size} {_LISTS[label][0]}" for label, size in lists.items())
    name, key = _LISTS[longest]
    how = (
        "give several codes of your systems one entry, with `codes`"
        if longest != "team"
        else "leave out teams of the past"
    )
    more = "more than " if found.total() >= ENOUGH else ""
    return f"{metric.name} alone has {more}{count:,}, of {product}: have fewer {name} in {key}: {how}"
