"""The read model: every number that a program's state shows at a time. Reads the state, never changes it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from streams import metrics as m
from streams import names, tally
from streams.calls import CLEARED, STAGES, Call
from streams.clock import SECOND, Micros, wall
from streams.events import STATUSES
from streams.followups import RESULTS as FOLLOWUP_RESULTS
from streams.followups import STATES, WINDOWS
from streams.limits import LIMITS
from streams.programs import DAYS, FIELDS, NO_TEAM, OTHER, OUTCOMES, UNRECORDED, Profile
from streams.state import CALL_INTERVALS, LEG_INTERVALS, ProgramState
from streams.tally import RESULTS, Cell
from streams.waiting import Shown

Labels = tuple[str, ...]
DEMAND_DAYS = 28


class Spread(NamedTuple):
    """A histogram: upper bounds in seconds, counts per bound (not cumulative; the last is +Inf), sum in seconds."""

    bounds: tuple[float, ...]
    counts: list[int]
    sum: float


Value = float | Spread
Family = tuple[m.Metric, list[tuple[Labels, Value]]]


class Sparse(NamedTuple):
    """A family of which nearly all samples never change: those that were found, and those that are so unless found."""

    metric: m.Metric
    found: Mapping[Labels, Value]
    zeros: Mapping[Labels, Value]


_Possible = Callable[[Profile], Iterable[Labels]]


def seconds(at: Micros) -> float:
    """Microseconds as seconds."""
    return at / SECOND


#: The family of each kind of fact.
COUNTERS = {
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
    tally.INTERVAL: m.INTERVAL,
}


def read(state: ProgramState, now: Micros | None = None, running_to: Micros | None = None) -> Iterator[Family]:
    """All families of one program at *now* (microseconds; none: the wall clock), each with its samples.

    `running_to`: how far the status that still runs is added up. While a backlog is read, time is known only up to
    the newest event; running on to *now* would count time that the next event takes back.
    """
    yield from counted(state)
    now = wall() if now is None else now
    yield from current(state, now, now if running_to is None else min(now, running_to))


def current(state: ProgramState, now: Micros, running_to: Micros) -> Iterator[Family]:
    """The families that are made anew each time, see `sparse`."""
    for metric, found, zeros in sparse(state, now, running_to):
        yield metric, list({**zeros, **found}.items())


def sparse(state: ProgramState, now: Micros, running_to: Micros) -> Iterator[Sparse]:
    """What is so *now*, over units, open calls, follow-ups and sums by day or hour."""
    program = state.profile.program

    def family(metric: m.Metric, samples: Mapping[Labels, float], unless_found: float = 0) -> Sparse:
        zeros = state.zeros.get(metric.name)
        if zeros is None:  # made once: there are hundreds
            labels = POSSIBLE[metric](state.profile) if metric in POSSIBLE else ()
            zeros = state.zeros[metric.name] = {(program, *each): unless_found for each in labels}
        return Sparse(metric, {(program, *labels): value for labels, value in samples.items()}, zeros)

    state.waiting.look(state.open, lambda call: _shown(state, call))
    state.fleet.look(state.units)
    for metric in names.NAMED:
        yield family(metric, {}, 1)
    yield family(m.UNITS, state.fleet.counts)
    yield family(m.UNITS_PLANNED, _planned(state, now))
    yield family(m.UNIT_SECONDS, _unit_seconds(state, running_to))
    yield family(m.CALLS_OPEN, state.waiting.stages)
    yield family(m.OLDEST_WAITING, {(area,): seconds(at) for area, at in state.waiting.oldest().items()})
    yield family(m.OVER_TARGET, state.waiting.past_target(now))
    yield family(m.TARGET, {key: seconds(target) for key, target in state.profile.targets.items()})
    yield family(m.UNMAPPED, _unmapped(state))
    yield family(m.TODAY, _today(state, now))
    yield family(m.DEMAND_TODAY, state.demand_on(state.profile.local(now).toordinal()))
    yield family(m.DEMAND_HOUR, state.demand.since(now, DEMAND_DAYS))
    board = state.cases.board
    yield family(m.FOLLOWUPS, board.states(now))
    yield family(m.NEXT_LAPSE, {labels: seconds(at) for labels, at in board.next_lapse(now).items()})
    yield family(m.FOLLOWUPS_DUE, board.due(now))
    yield family(m.CASES_ACTIVE, board.active(now))
    yield family(m.PEOPLE, {(): len(state.people)})
    yield family(m.FEED, {(topic,): seconds(state.newest.get(topic, 0)) for topic in state.profile.feeds})
    yield family(m.RECORDS, {(kind,): count for kind, count in state.never_ending().items()})
    yield family(m.RECORDS_LIMIT, {(kind,): limit.most for kind, limit in LIMITS.items()})
    yield family(m.ARCHIVED_EARLY, {(kind,): count for kind, count in state.early.items()})


def counted(state: ProgramState, cells: Iterable[Cell] | None = None) -> Iterator[Family]:
    """The families that are sums of facts: all of their samples, or those of some cells of the tally."""
    sums, program = state.tally, state.profile.program
    bounds = tuple(seconds(bound) for bound in sums.bounds)
    samples: dict[str | int, list[tuple[Labels, Value]]] = {kind: [] for kind in COUNTERS}
    for cell in (*sums.cells, *sums.spread) if cells is None else cells:
        kind = cell[0]
        if kind == tally.UNMAPPED:
            continue  # of units too, see `current`
        labels = sums.names.get(cell)
        if labels is None:  # made once a cell: there are thousands
            labels = sums.names[cell] = (program, *(str(label) for label in cell[1:]))
        value: Value
        if kind == tally.INTERVAL:
            row = sums.spread[cell]
            value = Spread(bounds, row[:-1], seconds(row[-1]))
        else:
            value = sums.cells[cell]
            if kind == tally.FREED:
                value = seconds(value)
        samples[kind].append((labels, value))
    for kind, metric in COUNTERS.items():
        yield metric, samples[kind]


def _possible_units(profile: Profile) -> Iterator[Labels]:
    for area in (*profile.areas, OTHER):
        yield from ((team, area, status) for team in (*profile.teams_of(area), OTHER) for status in STATUSES)


def _planned(state: ProgramState, now: Micros) -> dict[Labels, float]:
    when = state.profile.local(now)
    counts: dict[Labels, float] = {(code,): 0 for code in state.profile.team_codes}
    for team in state.profile.teams:
        counts[(team.code,)] += team.planned(when)
    return counts


def _unit_seconds(state: ProgramState, now: Micros) -> dict[Labels, float]:
    spent: Counter[Labels] = Counter({(team, s): 0 for team in (*state.profile.team_codes, OTHER) for s in STATUSES})
    spent.update(state.fleet.spent(now))
    return {labels: seconds(took) for labels, took in spent.items()}


def _unmapped(state: ProgramState) -> dict[Labels, float]:
    """Unknown codes by field: those of calls and cases, and those of units."""
    return {(field,): state.tally.cells[tally.UNMAPPED, field] + state.fleet.unmapped[field] for field in FIELDS}


def _possible_stages(profile: Profile) -> Iterator[Labels]:
    for area in (*profile.areas, OTHER):
        yield from ((area, call_type, stage) for call_type in (*profile.call_types, OTHER) for stage in STAGES)


def _possible_targets(profile: Profile) -> Iterator[Labels]:
    for area in (*profile.areas, OTHER):
        teams = profile.teams_of(area)
        yield from ((area, each) for each in dict.fromkeys(each for team, each in profile.targets if team in teams))


def _shown(state: ProgramState, call: Call) -> tuple[Shown, list[str]] | None:
    """What an open call shows, and the units whose statuses were asked for it."""
    if call.ineligible:
        return None
    targets, area, stage = state.profile.targets, call.area, call.stage
    deadlines: dict[Labels, Micros] = {}
    asked: list[str] = []

    def target(interval: str, start: Micros, length: Micros) -> None:
        deadlines[area, interval] = min(deadlines.get((area, interval), start + length), start + length)

    for interval, point, _ in CALL_INTERVALS:
        # no unit is there yet, so no team: the shortest target of those that cover the area
        teams = state.profile.teams_of(area)
        length = min((targets[team, interval] for team in teams if (team, interval) in targets), default=0)
        if length and call.received and not call.first_to(point):
            target(interval, call.received, length)
    for unit, leg in call.care_legs():
        if leg.at[CLEARED]:
            continue  # what it has not reached by now it never will
        if not leg.team:
            asked.append(unit)
        team = state.team(unit, leg)
        for interval, start, end, _ in LEG_INTERVALS:
            leg_length = targets.get((team, interval))
            if leg_length and leg.at[start] and not leg.at[end]:
                target(interval, leg.at[start], leg_length)
    return Shown((area, call.call_type, stage), call.start if stage == "waiting" else 0, deadlines), asked


def _possible_followups(profile: Profile) -> Iterator[Labels]:
    for team, checkpoint in profile.checkpoints:
        areas = [area for area in (*profile.areas, OTHER) if team in profile.teams_of(area)]
        yield from ((team, area, checkpoint, state) for area in areas for state in STATES)


def _possible_due(profile: Profile) -> Iterator[Labels]:
    for team, checkpoint in profile.checkpoints:
        yield from ((team, checkpoint, window, result) for window in WINDOWS for result in FOLLOWUP_RESULTS)


def _possible_closings(profile: Profile) -> Iterator[Labels]:
    for area in (*profile.areas, OTHER):
        teams = (*profile.teams_of(area), NO_TEAM, OTHER)
        yield from ((team, area, outcome) for team in teams for outcome in (*OUTCOMES, UNRECORDED, OTHER))


def _today(state: ProgramState, now: Micros) -> dict[Labels, float]:
    closed: Mapping[Cell, int] = state.closed_on.get(state.profile.local(now).toordinal(), {})
    return {tuple(str(label) for label in cell): n for cell, n in closed.items()}


def _possible_hours(profile: Profile) -> Iterator[Labels]:
    for day in DAYS:
        yield from (
            (day, f"{hour:02}", result) for hour in range(24) for result in ("served", "unmet", "outside_hours")
        )


def _possible_results(profile: Profile) -> Iterator[Labels]:
    yield from ((area, result) for area in (*profile.areas, OTHER) for result in RESULTS)


#: The families with a sample for all that a profile makes possible.
POSSIBLE: dict[m.Metric, _Possible] = {
    **names.NAMED,
    m.UNITS: _possible_units,
    m.CALLS_OPEN: _possible_stages,
    m.OVER_TARGET: _possible_targets,
    m.TODAY: _possible_closings,
    m.DEMAND_TODAY: _possible_results,
    m.DEMAND_HOUR: _possible_hours,
    m.FOLLOWUPS: _possible_followups,
    m.FOLLOWUPS_DUE: _possible_due,
}
