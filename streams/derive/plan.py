"""The follow-ups that a program's file plans for a case: when each checkpoint opens, is due and lapses.

The durations of a plan in days are local calendar days: 7 days after Friday 15:00 is Friday 15:00, also over a weekend in
which the clocks change. Those in hours, minutes and seconds are elapsed time. See docs/followups.md.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

from streams.clock import DAY, Micros, from_local, keeps_clock, local_micros, utc
from streams.entries import Opening
from streams.events import CASE_KINDS
from streams.programs import Checkpoint, Profile, Team, duration
from streams.rules import Rules

#: Who owes a checkpoint once: each case, or a person's newest case.
Per = Literal["case", "person"]


class Planned(NamedTuple):
    """A checkpoint of one case as it is planned: opens <= due <= lapses, microseconds."""

    checkpoint: str
    opens: Micros
    due: Micros
    lapses: Micros
    per: Per


class _Span(NamedTuple):
    """A duration of a plan: local calendar days, or elapsed time."""

    took: Micros
    days: bool

    def after(self, start: Micros, shown: Micros, zone: ZoneInfo) -> Micros:
        """The time so long after a start, at which the zone's clock showed `shown`."""
        return from_local(shown + self.took, zone) if self.days else start + self.took


class _Point(NamedTuple):
    id: str
    per: Per
    opens: _Span
    due: _Span
    lapses: _Span

    def after(self, start: Micros, shown: Micros, zone: ZoneInfo) -> Planned:
        """The checkpoint of a case that opens at a time. A plan's `roll` to working times has its place here."""
        opens, due, lapses = (span.after(start, shown, zone) for span in (self.opens, self.due, self.lapses))
        due = max(opens, due)  # a day of 23 hours must not put 1 day before 24 hours
        return Planned(self.id, opens, due, max(due, lapses), self.per)


class _Version(NamedTuple):
    """A version of a team and its checkpoints for one kind of case."""

    team: Team
    points: tuple[_Point, ...]


class Plans:
    """The plans of one program file. Immutable; those of the last days that were asked for are remembered."""

    def __init__(self, profile: Profile) -> None:
        """Plans of this profile."""
        self._zone = profile.zone
        self._versions = {
            (team.code, kind): tuple(
                _Version(version, tuple(_point(point) for point in version.followups if kind in point.kinds))
                for version in profile.teams
                if version.code == team.code
            )
            for team in profile.teams
            for kind in CASE_KINDS
        }
        self._at_midnight = lru_cache(maxsize=256)(self._find_at_midnight)

    def of(self, team: str, kind: str, at: Micros) -> tuple[Planned, ...]:
        """The checkpoints of a case of this kind, by the version of its team in force on the local day of its opening."""
        shown = local_micros(at, self._zone)
        into_day = shown % DAY
        plan = self._at_midnight(team, kind, at - into_day, shown - into_day)
        if plan is None:
            return self._count(team, kind, at, shown)
        return tuple([Planned(id, x + into_day, y + into_day, z + into_day, per) for id, x, y, z, per in plan])

    def _find_at_midnight(self, team: str, kind: str, start: Micros, shown: Micros) -> tuple[Planned, ...] | None:
        """The plan of a case that opens as a day begins. Cases opened later that day get the same plan, shifted.

        None if a clock change falls on a day that is counted to.
        """
        points = (point for version in self._versions.get((team, kind), ()) for point in version.points)
        spans = (span for point in points for span in (point.opens, point.due, point.lapses))
        if all(keeps_clock(shown + span.took, self._zone) for span in spans if span.days):
            return self._count(team, kind, start, shown)
        return None

    def _count(self, team: str, kind: str, start: Micros, shown: Micros) -> tuple[Planned, ...]:
        """The plan of a case that opens at a time, when the program's clock shows `shown`."""
        day = utc(shown).date()
        return tuple(
            point.after(start, shown, self._zone)
            for version in self._versions.get((team, kind), ())
            if version.team.active(day)
            for point in version.points
        )


@lru_cache(maxsize=256)
def plans_of(rules: Rules) -> Plans:
    """The plans of a program's rules, made once."""
    return Plans(rules.profile)


def planned_for(opening: Opening, rules: Rules) -> tuple[Planned, ...]:
    """The checkpoints of a case; none for a case without a team, or of a team that the program file does not have."""
    return plans_of(rules).of(opening.team, opening.kind, opening.at) if opening.team else ()


def _point(of: Checkpoint) -> _Point:
    return _Point(of.id, of.per, _span(of.opens), _span(of.due), _span(of.lapses))


def _span(text: str) -> _Span:
    return _Span(duration(text), text.endswith("d"))
