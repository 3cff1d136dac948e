"""Counters as sums of facts. A fact is (family, label values..., amount); the letters below are the families.

The letters are stored with every call, so they are short and never change their meaning.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, product, starmap
from typing import Final

from streams.calls import Fact
from streams.clock import SECOND, Micros
from streams.events import ATTEMPT_RESULTS, SOURCES
from streams.programs import FIELDS, INTERVALS, NO_TEAM, OTHER, OUTCOMES, UNRECORDED, Profile

RECEIVED: Final = "r"  # area, call_type, source
CLOSED: Final = "c"  # team, area, call_type, outcome
DEMAND: Final = "d"  # area, result
INTERVAL: Final = "i"  # team, area, interval; the amount is the time in microseconds
DISORDER: Final = "x"  # interval
TRANSPORT: Final = "t"  # team, destination
POLICE: Final = "p"  # area, involvement
FREED: Final = "e"  # amount in microseconds
FORCE: Final = "f"  # level
NEEDLES: Final = "n"  # area
REFERRAL: Final = "s"  # service
UNMAPPED: Final = "u"  # field
ATTEMPT: Final = "a"  # team, checkpoint, result
OUTREACH: Final = "o"  # area
LOCATED: Final = "l"  # area

RESULTS = (
    "served",
    "ineligible",
    "handled_by_other",
    "cancelled",
    "outside_area",
    "outside_hours",
    "no_unit_on_duty",
    "all_units_busy",
    "not_triaged",
    "unknown",
)
INVOLVEMENTS = ("none", "cancelled", "released", "stayed")

#: Histogram edges in seconds: 30 s is the finest that dispatch stamps resolve, 4 h is a long scene with transport.
BASE_EDGES = (30, 60, 120, 180, 300, 480, 600, 900, 1200, 1800, 2700, 3600, 7200, 14400)

Cell = tuple[str | int, ...]


def count_on(counts: dict[int, dict[Cell, int]], day: int, cell: Cell, by: int) -> None:
    """Change a count of a day; what is at zero is not kept."""
    of_day = counts.get(day)
    if of_day is None:
        of_day = counts[day] = {}
    count = of_day.get(cell, 0) + by
    if count:
        of_day[cell] = count
    else:
        del of_day[cell]
        if not of_day:
            del counts[day]


def edges(profiles: Iterable[Profile]) -> tuple[Micros, ...]:
    """Upper bounds of the interval histogram: the base ones and every target, microseconds.

    The same for all programs of a worker, so that sums over programs keep their meaning.
    """
    targets = {target for profile in profiles for target in profile.targets.values()}
    return tuple(sorted({edge * SECOND for edge in BASE_EDGES} | targets))


def possible(profile: Profile) -> Iterator[Cell]:
    """Every cell that the profile makes possible; counters start there at 0, so that no first increment is lost."""
    return chain.from_iterable(starmap(product, products(profile)))


def products(profile: Profile) -> Iterator[tuple[Sequence[str], ...]]:
    """The same cells: each combination of these, which are families, and then what the labels may be."""
    call_types = (*profile.call_types, OTHER)
    outcomes = (*OUTCOMES, UNRECORDED, OTHER)
    for area in (*profile.areas, OTHER):
        teams = profile.teams_of(area)
        yield (RECEIVED,), (area,), call_types, SOURCES
        yield (CLOSED,), (*teams, NO_TEAM, OTHER), (area,), call_types, outcomes
        yield (INTERVAL,), (*teams, OTHER), (area,), INTERVALS
        yield (DEMAND,), (area,), RESULTS
        yield (POLICE,), (area,), INVOLVEMENTS
        yield (NEEDLES, OUTREACH, LOCATED), (area,)
    yield (TRANSPORT,), (*profile.team_codes, OTHER), (*profile.destinations, OTHER)
    # an attempt may name a checkpoint of another team's plan
    checkpoints = (*profile.checkpoint_ids, OTHER)
    yield (ATTEMPT,), (*profile.team_codes, NO_TEAM, OTHER), checkpoints, ATTEMPT_RESULTS
    yield (REFERRAL,), (*profile.services, OTHER)
    yield (FORCE,), ("1", "2", "3")
    yield (DISORDER,), INTERVALS
    yield (UNMAPPED,), FIELDS
    yield ((FREED,),)


class Tally:
    """Sums of facts: `cells` for counters, `spread` for the interval histogram (a count per edge, +Inf, the sum)."""

    def __init__(self, bounds: tuple[Micros, ...]) -> None:
        """An empty tally with the histogram's upper bounds (microseconds)."""
        self.bounds = bounds
        self.cells: dict[Cell, int] = {}
        self.spread: dict[Cell, list[int]] = {}
        self.names: dict[Cell, tuple[str, ...]] = {}  # the read model's label values of each cell
        self._changed: set[Cell] = set()

    def start(self, cells: Iterable[Cell]) -> None:
        """Make sure that these cells are there."""
        for cell in cells:
            if cell[0] == INTERVAL:
                self.row(cell)
            else:
                self.cells.setdefault(cell, 0)

    def add(self, fact: Fact, times: int = 1) -> None:
        """Add one fact, or so many that are the same."""
        cell, amount = fact[:-1], fact[-1]
        assert type(amount) is int
        self._changed.add(cell)
        if fact[0] == INTERVAL:
            row = self.spread.get(cell) or self.row(cell)
            row[bisect_left(self.bounds, amount)] += times
            row[-1] += amount * times
        else:
            self.cells[cell] = self.cells.get(cell, 0) + amount * times

    def changed(self) -> set[Cell]:
        """The cells that facts were added to since this was last asked: it has one reader, the page of /metrics."""
        changed, self._changed = self._changed, set()
        return changed

    def row(self, cell: Cell) -> list[int]:
        """The histogram row of a cell, made at zero if it is new."""
        row = self.spread.get(cell)
        if row is None:
            row = self.spread[cell] = [0] * (len(self.bounds) + 2)
        return row

    def merge(self, cell: Cell, bounds: tuple[Micros, ...], row: list[int]) -> None:
        """Add a stored histogram row; where targets moved the bounds since, a count goes to the next bound up."""
        mine = self.row(cell)
        for bound, count in zip(bounds, row[:-2], strict=True):
            mine[bisect_left(self.bounds, bound)] += count
        mine[-2] += row[-2]
        mine[-1] += row[-1]
