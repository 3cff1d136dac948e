"""Units by their statuses: what holds when, who is stale, time in each status, staffing."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from tests.second.names import OTHER
from tests.second.program import Program
from tests.second.statements import Said


@dataclass(frozen=True)
class Status:
    """One status of a unit. `holds_from` is later than `at` for an off duty that waits for the end of the unit's work."""

    at: datetime
    holds_from: datetime | None
    status: str
    team: str
    area: str


@dataclass(frozen=True)
class Span:
    """A status from one time to another; `end` None: it still holds."""

    begin: datetime
    end: datetime | None
    status: Status


class Unit:
    """A unit: the statuses of all its names."""

    def __init__(self, walk: Sequence[Said], program: Program, leaves: Callable[[datetime], datetime | None]) -> None:
        self._stale_after = program.stale_unit
        self.statuses: list[Status] = []
        area = OTHER
        for said in walk:
            if "area" in said.told:
                area = program.label("area", said.told["area"])
            holds_from = leaves(said.at) if said.told["status"] == "off_duty" else said.at
            team = program.label("team", said.told["team"])
            self.statuses.append(Status(said.at, holds_from, said.told["status"], team, area))

    def holding(self, at: datetime) -> Status | None:
        """The status that holds at a time, stale or not."""
        found = None
        for status in self.statuses:
            if status.at <= at and status.holds_from is not None and status.holds_from <= at:
                found = status
        return found

    def stale_from(self, status: Status) -> datetime | None:
        return None if status.status == "off_duty" else status.at + self._stale_after

    def is_stale(self, status: Status, at: datetime) -> bool:
        end = self.stale_from(status)
        return end is not None and end <= at

    def live(self, at: datetime) -> Status | None:
        """The status that holds at a time and is not stale."""
        status = self.holding(at)
        return None if status is None or self.is_stale(status, at) else status

    def team_at(self, at: datetime) -> str | None:
        """The team of the last status told at or before a time."""
        team = None
        for status in self.statuses:
            if status.at <= at:
                team = status.team
        return team

    def shown(self, now: datetime) -> Status | None:
        """The status with the latest time holds, also where that is a little ahead of the clock; None: none holds yet, as
        its first is an off duty that waits for the end of its work.
        """
        return self.holding(max(now, self.statuses[-1].at))

    def spans(self) -> list[Span]:
        """Statuses one after the other, each cut where it is stale."""
        times = {status.at for status in self.statuses}
        times |= {status.holds_from for status in self.statuses if status.holds_from is not None}
        marks: list[datetime | None] = [*sorted(times), None]
        found: list[Span] = []
        for begin, end in pairwise(marks):
            assert begin is not None
            status = self.holding(begin)
            if status is None:
                continue
            stale = self.stale_from(status)
            if stale is not None:
                end = stale if end is None else min(end, stale)
            if end is None or begin < end:
                found.append(Span(begin, end, status))
        return found


def seconds(units: Sequence[Unit], now: datetime) -> dict[tuple[str, str], float]:
    """Team and status -> seconds up to now."""
    total: dict[tuple[str, str], float] = {}
    for unit in units:
        for span in unit.spans():
            key = span.status.team, span.status.status
            total[key] = total.get(key, 0.0) + _passed(span.begin, span.end, now).total_seconds()
    return total


def _passed(begin: datetime, end: datetime | None, now: datetime) -> timedelta:
    until = now if end is None else min(end, now)
    return max(until - begin, timedelta(0))


def staffing(units: Sequence[Unit], program: Program, now: datetime) -> dict[tuple[str, str], float]:
    """Team and what -> unit-seconds from the program's first status to now (the contract, section 3, Staffing)."""
    first = min((span.begin for unit in units for span in unit.spans()), default=now)
    teams = dict.fromkeys([*program.teams, *(status.team for unit in units for status in unit.statuses)])
    total: dict[tuple[str, str], float] = {}
    if first >= now:
        return total
    for team in teams:
        steps = _steps(team, units, program, first, now)
        marks = sorted({first, now, *(at for at, _, _ in steps if first < at < now)})
        for begin, end in pairwise(marks):
            level = {"planned": 0, "on_duty": 0, "available": 0, "open": 0}
            for at, what, change in steps:
                if at <= begin:
                    level[what] += change
            lasts = (end - begin).total_seconds()
            amounts = {
                "planned": level["planned"],
                "on_duty": level["on_duty"],
                "available": level["available"],
                "missing": max(0, level["planned"] - level["on_duty"]),
                "none_available": int(level["open"] > 0 and level["available"] == 0),
            }
            for what, amount in amounts.items():
                total[team, what] = total.get((team, what), 0.0) + amount * lasts
    return total


def _steps(
    team: str, units: Sequence[Unit], program: Program, first: datetime, now: datetime
) -> list[tuple[datetime, str, int]]:
    """All rises and falls of what is planned, on duty and available, and of the hours."""
    found: list[tuple[datetime, str, int]] = []

    def step(begin: datetime, end: datetime | None, what: str, amount: int) -> None:
        found.append((begin, what, amount))
        if end is not None:
            found.append((end, what, -amount))

    days = program.day(first) - timedelta(days=2), program.day(now)
    for version in program.versions:
        if version.code == team:
            for begin, end, planned in program.windows(version, version.staffing, *days):
                step(begin, end, "planned", planned)
            for begin, end, _ in program.windows(version, version.hours, *days):
                step(begin, end, "open", 1)
    for unit in units:
        for span in unit.spans():
            if span.status.team == team and span.status.status != "off_duty":
                step(span.begin, span.end, "on_duty", 1)
                if span.status.status == "available":
                    step(span.begin, span.end, "available", 1)
    return found
