"""How many samples a program makes on /metrics, counted from its file before anything is made of it.

Lists multiply: each call type is there for each area and stage. A file that looks harmless may ask for millions of samples, and
the worker that tries would answer nobody.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from math import prod

from streams.catalogue.metric import Metric
from streams.catalogue.pipeline import PIPELINE
from streams.catalogue.program import PROGRAM
from streams.catalogue.values import edges
from streams.clock import Micros
from streams.programs import Profile, ProfileError

#: Samples of one program: above the first it is slow to scrape, with the second it is not run.
MANY, MOST = 20_000, 200_000

_LISTS = {
    "team": ("teams", "[[teams]]"),
    "area": ("areas", "[areas]"),
    "call_type": ("call types", "[call_types]"),
    "destination": ("destinations", "[destinations]"),
    "service": ("services", "[services]"),
    "followup": ("follow-ups", "[[teams.followups]]"),
}


def samples(profile: Profile, bounds: Sequence[Micros]) -> Counter[Metric]:
    """The samples of a program by family.

    Those that come and go (the oldest wait of an area, a result of today) are counted as there. Not counted are corrections, and
    what no file makes possible, such as a unit in an area that its team does not cover.

    Args:
        profile: The program.
        bounds: Upper bounds of the interval histogram, see `values.edges`.
    """
    found: Counter[Metric] = Counter()
    for metric in (*PROGRAM, *PIPELINE):
        if metric.of_program:
            lines = len(bounds) + 3 if metric.kind == "histogram" else 1  # +Inf, count and sum
            found[metric] = lines * sum(prod(map(len, block)) for block in metric.values.blocks(profile))
    return found


def check(profiles: Mapping[str, Profile], where: str) -> list[str]:
    """A line for each program that makes MANY samples. Raises ProfileError for the first that makes too many.

    Args:
        profiles: The programs that are to run together, by id.
        where: Where their files are.
    """
    warnings = []
    bounds = edges(profiles.values())
    for program, profile in profiles.items():
        found = samples(profile, bounds)
        total = found.total()
        if total <= MANY:
            continue
        made = f"{where}: program '{program}' makes {total:,} samples on /metrics"
        if total > MOST:
            raise ProfileError(f"{made}, and {MOST:,} are the most that can be served; {_cure(profile, found)}")
        warnings.append(f"{made}; above {MANY:,} scrapes are slow; {_cure(profile, found)}")
    return warnings


def _cure(profile: Profile, found: Counter[Metric]) -> str:
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
    return f"{metric.name} alone has {count:,}, of {product}: have fewer {name} in {key}: {how}"
