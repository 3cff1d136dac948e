"""The read model: every number that a program's state shows at a time. Reads the state, never changes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from streams import metrics as m
from streams import tally
from streams.calls import CLEARED, STAGES, Call
from streams.clock import SECOND, Micros, wall
from streams.events import STATUSES
from streams.programs import DAYS, NO_TEAM, OTHER, OUTCOMES, UNRECORDED
from streams.state import CALL_INTERVALS, LEG_INTERVALS, ProgramState
from streams.tally import Cell

Labels = tuple[str, ...]
DEMAND_DAYS = 28


class Spread(NamedTuple):
    """A histogram: upper bounds in seconds, counts per bound (not cumulative; the last is +Inf), sum in seconds."""

    bounds: tuple[float, ...]
    counts: list[int]
    sum: float


Value = float | Spread
Family = tuple[m.Metric, list[tuple[Labels, Value]]]


def seconds(at: Micros) -> float:
    """Microseconds as seconds."""
    return at / SECOND


_COUNTERS = {
    tally.RECEIVED: m.RECEIVED,
    tally.CLOSED: m.CLOSED,
    tally.DEMAND: m.DEMAND,
    tally.TRANSPORT: m.TRANSPORTS,
    tally.POLICE: m.POLICE,
    tally.FREED: m.FREED,
    tally.FORCE: m.FORCE,
    tally.NEEDLES: m.NEEDLES,
    tally.REFERRAL: m.REFERRALS,
    tally.ATTEMPT: m.ATTEMPTS,
    tally.OUTREACH: m.OUTREACH,
    tally.LOCATED: m.LOCATED,
    tally.DISORDER: m.DISORDER,
}


def read(state: ProgramState, now: Micros | None = None, running_to: Micros | None = None) -> Iterator[Family]:
    """All families of one program at *now* (microseconds; none: the wall clock), each with its samples.

    `running_to`: how far the status that still runs is added up. While a backlog is read, time is known only up to
    the newest event; running on to *now* would count time that the next event takes back.
    """
    now = wall() if now is None else now
    program = state.profile.program

    def family(metric: m.Metric, samples: dict[Labels, float]) -> Family:
        return metric, [((program, *labels), value) for labels, value in samples.items()]

    yield family(m.UNITS, _units(state))
    yield family(m.UNITS_PLANNED, _planned(state, now))
    yield family(m.UNIT_SECONDS, _unit_seconds(state, now if running_to is None else min(now, running_to)))
    calls = [call for call in state.open.values() if not call.ineligible]
    yield family(m.CALLS_OPEN, _open(state, calls))
    yield family(m.OLDEST_WAITING, _oldest(calls))
    yield family(m.OVER_TARGET, _over_target(state, calls, now))
    yield family(m.TARGET, {key: seconds(target) for key, target in state.profile.targets.items()})
    yield from _counters(state)
    yield family(m.UNMAPPED, {(field,): n for field, n in state.unmapped.items()})
    yield family(m.TODAY, _today(state, now))
    yield family(m.DEMAND_HOUR, _demand_hours(state, now))
    bounds = tuple(seconds(bound) for bound in state.tally.bounds)
    named = _names(state)
    yield (
        m.INTERVAL,
        [(named[cell], Spread(bounds, row[:-1], seconds(row[-1]))) for cell, row in state.tally.spread.items()],
    )
    board = state.cases.board
    yield family(m.FOLLOWUPS, board.states(now))
    yield family(m.NEXT_LAPSE, {labels: seconds(at) for labels, at in board.next_lapse(now).items()})
    yield family(m.FOLLOWUPS_DUE, board.due(now))
    yield family(m.CASES_ACTIVE, board.active(now))
    yield family(m.PEOPLE, {(): len(state.people)})
    yield family(m.FEED, {(topic,): seconds(at) for topic, at in state.newest.items()})


def _names(state: ProgramState) -> dict[Cell, Labels]:
    """The label values of every cell of the tally, made once a cell: there are thousands, and each scrape asks."""
    names = state.tally.names
    for cells in (state.tally.cells, state.tally.spread):
        for cell in cells.keys() - names.keys():
            names[cell] = (state.profile.program, *(str(label) for label in cell[1:]))
    return names


def _counters(state: ProgramState) -> Iterator[Family]:
    names = _names(state)
    samples: dict[str | int, list[tuple[Labels, Value]]] = {kind: [] for kind in (*_COUNTERS, tally.UNMAPPED)}
    for cell, value in state.tally.cells.items():
        samples[cell[0]].append((names[cell], seconds(value) if cell[0] == tally.FREED else value))
    for kind, metric in _COUNTERS.items():
        yield metric, samples[kind]


def _units(state: ProgramState) -> dict[Labels, float]:
    counts: dict[Labels, float] = {
        (team, area, status): 0
        for area in (*state.profile.areas, OTHER)
        for team in (*state.profile.teams_of(area), OTHER)
        for status in STATUSES
    }
    for unit in state.units.values():
        if unit.held:
            labels = (unit.held.team, unit.area, unit.held.status)
            counts[labels] = counts.get(labels, 0) + 1
    return counts


def _planned(state: ProgramState, now: Micros) -> dict[Labels, float]:
    when = state.profile.local(now)
    counts: dict[Labels, float] = {(code,): 0 for code in state.profile.team_codes}
    for team in state.profile.teams:
        counts[(team.code,)] += team.planned(when)
    return counts


def _unit_seconds(state: ProgramState, now: Micros) -> dict[Labels, float]:
    spent: Counter[Labels] = Counter({(team, s): 0 for team in (*state.profile.team_codes, OTHER) for s in STATUSES})
    for unit in state.units.values():
        for (team, status), took in unit.micros.items():
            spent[team, status] += took
        if unit.held:
            spent[unit.held.team, unit.held.status] += max(0, now - unit.held.at)
    return {labels: seconds(took) for labels, took in spent.items()}


def _open(state: ProgramState, calls: list[Call]) -> dict[Labels, float]:
    counts: dict[Labels, float] = {
        (area, call_type, stage): 0
        for area in (*state.profile.areas, OTHER)
        for call_type in (*state.profile.call_types, OTHER)
        for stage in STAGES
    }
    for call in calls:
        counts[call.area, call.call_type, call.stage] += 1
    return counts


def _oldest(calls: list[Call]) -> dict[Labels, float]:
    oldest: dict[Labels, float] = {}
    for call in calls:
        if call.stage == "waiting":
            labels = (call.area,)
            oldest[labels] = min(oldest.get(labels, float("inf")), seconds(call.start))
    return oldest


def _over_target(state: ProgramState, calls: list[Call], now: Micros) -> dict[Labels, float]:
    targets = state.profile.targets
    counts: dict[Labels, float] = {
        (area, interval): 0
        for area in (*state.profile.areas, OTHER)
        for team in state.profile.teams_of(area)
        for interval in {interval for code, interval in targets if code == team}
    }
    for call in calls:
        area = call.area
        over: set[str] = set()
        for interval, point, _ in CALL_INTERVALS:
            # no unit is there yet, so no team: the shortest target of those that cover the area
            teams = state.profile.teams_of(area)
            target = min((targets[t, interval] for t in teams if (t, interval) in targets), default=0)
            if target and call.received and not call.first_to(point) and now - call.received > target:
                over.add(interval)
        for unit, leg in call.care_legs():
            if leg.at[CLEARED]:
                continue  # what it has not reached by now it never will
            team = state.team(unit, leg)
            for interval, start, end, _ in LEG_INTERVALS:
                leg_target = targets.get((team, interval))
                if leg_target and leg.at[start] and not leg.at[end] and now - leg.at[start] > leg_target:
                    over.add(interval)
        for name in over:
            counts[area, name] = counts.get((area, name), 0) + 1
    return counts


def _today(state: ProgramState, now: Micros) -> dict[Labels, float]:
    counts: dict[Labels, float] = {
        (team, area, outcome): 0
        for area in (*state.profile.areas, OTHER)
        for team in (*state.profile.teams_of(area), NO_TEAM, OTHER)
        for outcome in (*OUTCOMES, UNRECORDED, OTHER)
    }
    for cell, n in state.closed_on.get(state.profile.local(now).toordinal(), {}).items():
        counts[tuple(str(label) for label in cell)] = n
    return counts


def _demand_hours(state: ProgramState, now: Micros) -> dict[Labels, float]:
    found = state.demand_since(now, DEMAND_DAYS)
    return {
        (day, f"{hour:02}", result): found[weekday, hour, result]
        for weekday, day in enumerate(DAYS)
        for hour in range(24)
        for result in ("served", "unmet", "outside_hours")
    }
