"""Rules that are easy to count with, a history of statuses that grows and shrinks, and what holds by asking at each time."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import NamedTuple, cast

from hypothesis import strategies as st

from streams.clock import DAY, NEVER, SECOND, Micros
from streams.entries import Span
from streams.events import STATUSES, UnitStatusCode
from streams.programs import OTHER, Profile
from streams.rules import Rules
from streams.said import Status

#: All times of these tests are multiples of it.
TICK = 100 * SECOND
STALE = 150 * TICK
DAY_OF_TICKS = DAY // TICK
#: Local midnight is not that of UTC.
MIDNIGHT = 180 * TICK
TEAMS = ("alpha", "beta")
AREAS = ("north", "south")


class CountedRules(Rules):
    """Two teams: alpha works from tick 300 to 600 of a local day with two units planned, beta always with one."""

    def __init__(self) -> None:
        self.profile = cast(Profile, SimpleNamespace(team_codes=TEAMS))  # only that is asked

    def label(self, field: str, code: str) -> str:
        return code if self.knows(field, code) else OTHER

    def knows(self, field: str, code: str) -> bool:
        return code in (TEAMS if field == "team" else AREAS)

    def day(self, at: Micros) -> int:
        return (at - MIDNIGHT) // DAY

    def open(self, team: str, at: Micros) -> bool:
        return team == "beta" or (team == "alpha" and 300 <= (at - MIDNIGHT) % DAY // TICK < 600)

    def planned(self, team: str, at: Micros) -> int:
        return 1 if team == "beta" else 2 * self.open(team, at)

    def changes(self, after: Micros) -> Micros:
        begin = after - (after - MIDNIGHT) % DAY
        return min(at for at in (begin + ticks * TICK for ticks in (0, 300, 600, DAY_OF_TICKS)) if at > after)

    @property
    def stale_unit(self) -> Micros:
        return STALE


RULES = CountedRules()


def at_once(at: Micros) -> Micros:
    """The unit works on no call."""
    return at


class Told(NamedTuple):
    """A status of a unit comes, or the same goes again."""

    unit: str
    status: Status


def statuses(ticks: int = 3 * DAY_OF_TICKS) -> st.SearchStrategy[Status]:
    """Statuses up to a time; often several of one time, or near each other."""
    near = st.integers(0, 40) | st.integers(0, ticks)
    return st.builds(
        Status,
        id=st.sampled_from("abcdefgh"),
        at=near.map(lambda tick: tick * TICK),
        revision=st.just(0),
        status=st.sampled_from(cast(list[UnitStatusCode], list(STATUSES))),
        team=st.sampled_from([*TEAMS, "alpha", "gone"]),
        area=st.sampled_from([None, *AREAS, "nowhere"]),
    )


class History:
    """Statuses of some units in walk order. Telling one again takes it back."""

    def __init__(self) -> None:
        self.said: dict[str, list[Status]] = {}

    def tell(self, told: Told) -> list[Status]:
        """The statuses of the unit with it, or without."""
        said = self.said.setdefault(told.unit, [])
        if told.status in said:
            said.remove(told.status)
        else:
            said[:] = [one for one in said if (one.at, one.id) != (told.status.at, told.status.id)]
            said.append(told.status)
            said.sort(key=lambda one: (one.at, one.id))
        return said


def held(spans: list[Span], at: Micros) -> Span | None:
    """The span that counts at a time: none before the first, and none of a unit that is stale."""
    for span in spans:
        end = span.until if span.status == "off_duty" else min(span.until, span.begins + STALE)
        if span.begins <= at < end:
            return span
    return None


def ticks(begin: Micros, end: Micros) -> Iterator[Micros]:
    """Every time of a span of time."""
    return iter(range(begin, end, TICK))


def whole(spans: list[Span]) -> bool:
    """Whether spans have no gap, none is empty, and the last one holds."""
    ends = [span.begins for span in spans[1:]] + [NEVER]
    return [span.until for span in spans] == (ends if spans else []) and all(s.begins < s.until for s in spans)
