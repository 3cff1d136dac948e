"""When a team works and how many units are planned: its shifts on one local day, as times.

A shift is one stretch of time, from the first moment at which the wall clock shows its `from` to the first at which it shows its
`until`. So an overnight shift of the autumn night, on which an hour comes twice, is one shift; a time that the clock skips in spring
is the moment of the skip. A shift belongs to the local day on which it begins: it is that of the team version in force then, and ends
under it. Days are counted as `date.toordinal` does, times are microseconds.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from datetime import time
from typing import Generic, NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from streams.clock import DAY, NEVER, SECOND, Micros, from_local, keeps_clock, local_micros
from streams.programs import DAYS, Shift, Team

T = TypeVar("T")
#: The day on which the wall clock showed 0 microseconds.
EPOCH = 719_163


class Version(NamedTuple):
    """A team model and the local days on which it is in force; `until` is the first without."""

    team: Team
    since: int
    until: int

    def active(self, day: int) -> bool:
        """Whether it is in force on a local day."""
        return self.since <= day < self.until


class Steps(NamedTuple, Generic[T]):
    """What holds from each of some times on, until the next of them; the first is before all that is asked."""

    begins: Sequence[Micros]
    holds: Sequence[T]

    def at(self, at: Micros) -> T:
        """What holds at a time."""
        return self.holds[bisect_right(self.begins, at) - 1]


class State(NamedTuple):
    """Whether a team works, and how many units its plan wants on duty."""

    open: bool
    planned: int


class _Stretch(NamedTuple):
    """A shift of a day. `units` is None for hours, else how many are planned."""

    begins: Micros
    ends: Micros
    units: int | None


def of_day(versions: Sequence[Version], day: int, zone: ZoneInfo) -> Steps[State]:
    """What one team does on a local day, by all of its versions: of last night's shifts the rest, and those of the day."""
    stretches = [each for begun in (day - 1, day) for each in _begun(versions, begun, zone)]
    begins = [-NEVER, *sorted({time for each in stretches for time in (each.begins, each.ends)})]
    return Steps(begins, [_state(stretches, at) for at in begins])


def start_of(day: int, zone: ZoneInfo) -> Micros:
    """When a local day begins."""
    return _first_shown((day - EPOCH) * DAY, zone)


def _state(stretches: Iterable[_Stretch], at: Micros) -> State:
    on = [each.units for each in stretches if each.begins <= at < each.ends]
    return State(None in on, sum(units for units in on if units is not None))


def _begun(versions: Iterable[Version], day: int, zone: ZoneInfo) -> list[_Stretch]:
    """The shifts that begin on a local day."""
    weekday = DAYS[(day - 1) % 7]
    teams = [version.team for version in versions if version.active(day)]
    hours = [_stretch(shift, day, None, zone) for team in teams for shift in team.hours if weekday in shift.days]
    plans = [_stretch(plan, day, plan.units, zone) for team in teams for plan in team.staffing if weekday in plan.days]
    return hours + plans


def _stretch(shift: Shift, day: int, units: int | None, zone: ZoneInfo) -> _Stretch:
    midnight = (day - EPOCH) * DAY
    last = midnight if shift.from_ < shift.until else midnight + DAY
    begins = _first_shown(midnight + _since_midnight(shift.from_), zone)
    return _Stretch(begins, _first_shown(last + _since_midnight(shift.until), zone), units)


def _since_midnight(shown: time) -> Micros:
    return (shown.hour * 3600 + shown.minute * 60 + shown.second) * SECOND + shown.microsecond


def _first_shown(shown: Micros, zone: ZoneInfo) -> Micros:
    """The first time at which the wall clock shows this or, where it skips it, a later time of that day."""
    at = from_local(shown, zone)
    if keeps_clock(shown, zone) or local_micros(at, zone) == shown:
        return at
    before, after = at - DAY, at  # the skip is between: no zone changes its clock twice a day
    while after - before > 1:
        middle = (before + after) // 2
        before, after = (middle, after) if local_micros(middle, zone) < shown else (before, middle)
    return after
