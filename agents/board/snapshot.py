"""What the board shows of one program, from the families of the read model: sums of the samples of /metrics.

Nothing is counted here. Each number is the sum of samples that /metrics has at the same time, so the two cannot differ.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

import msgspec

from streams import metrics as m
from streams.calls import STAGES
from streams.clock import Micros
from streams.events import STATUSES
from streams.followups import STATES as FOLLOWUP_STATES
from streams.metrics import Metric
from streams.programs import DAYS, INTERVALS, OTHER, OUTCOMES, UNRECORDED, Coded, Profile, Team
from streams.read import Family, seconds
from streams.tally import RESULTS

#: The families that the board shows.
SHOWN = (
    m.UNITS,
    m.UNITS_PLANNED,
    m.CALLS_OPEN,
    m.OLDEST_WAITING,
    m.OVER_TARGET,
    m.TARGET,
    m.TODAY,
    m.DEMAND_TODAY,
    m.FOLLOWUPS,
    m.NEXT_LAPSE,
    m.FEED,
)


class TeamNow(msgspec.Struct, frozen=True):
    """A team: its units by status, what the plan wants, whether it works now and else when next (text, local)."""

    code: str
    name: str
    crew: str
    units: dict[str, int]
    planned: int
    works: bool
    hours: str


class AreaNow(msgspec.Struct, frozen=True):
    """An area with open calls: calls by stage, and when the oldest waiting one was received (seconds; none waits: null)."""

    code: str
    name: str
    stages: dict[str, int]
    oldest: float | None


class Past(msgspec.Struct, frozen=True):
    """Open calls past the target for an interval, and that target: the shortest and the longest of the teams, seconds."""

    interval: str
    calls: int
    target: tuple[float, float]


class Count(msgspec.Struct, frozen=True):
    """Calls under a code, with its name."""

    code: str
    name: str
    calls: int


class Owed(msgspec.Struct, frozen=True):
    """Follow-ups of all teams by state, and when the next one lapses (seconds; none is open or overdue: null)."""

    states: dict[str, int]
    next_lapse: float | None


class Feed(msgspec.Struct, frozen=True):
    """A feed: time of its newest event (seconds; none yet: null) and whether it has been silent for too long."""

    topic: str
    last: float | None
    silent: bool


class Snapshot(msgspec.Struct, frozen=True):
    """One program at one time. It has no time of its own: what does not change is not sent again."""

    program: str
    name: str
    timezone: str
    teams: list[TeamNow]
    stages: dict[str, int]
    areas: list[AreaNow]
    past: list[Past]
    outcomes: list[Count]
    demand: dict[str, int]
    followups: Owed
    feeds: list[Feed]
    catching_up: bool


def snapshot(
    profile: Profile, families: Iterable[Family], now: Micros, *, silent_after: float, catching_up: bool = False
) -> Snapshot:
    """The picture of a program at *now* (microseconds).

    Args:
        profile: The program's.
        families: Of `streams.read.read` for this program, at the same *now*; those that are not shown are passed over.
        now: The clock, microseconds.
        silent_after: Seconds without an event after which a feed is silent. Heartbeats are events.
        catching_up: Records that are known to be there are not applied yet.
    """
    found = _Sums(families)
    local = profile.local(now)
    units = found.by(m.UNITS, "team", "status")
    planned = found.by(m.UNITS_PLANNED, "team")
    over = found.by(m.OVER_TARGET, "interval")
    outcomes = found.by(m.TODAY, "outcome")
    results = found.by(m.DEMAND_TODAY, "result")
    stages = found.by(m.CALLS_OPEN, "stage")
    followups = found.by(m.FOLLOWUPS, "state")
    newest = {labels[1]: value for labels, value in found.samples(m.FEED)}
    return Snapshot(
        program=profile.program,
        name=profile.name,
        timezone=profile.timezone,
        teams=[
            TeamNow(
                code=team.code,
                name=short(team.label)[0],
                crew=short(team.label)[1],
                units={status: units[team.code, status] for status in STATUSES},
                planned=planned[(team.code,)],
                works=team.works(local),
                hours=_hours(team, local),
            )
            for team in _teams(profile, local, units)
        ],
        stages={stage: stages[(stage,)] for stage in STAGES},
        areas=_areas(profile, found),
        past=[
            Past(interval, over[(interval,)], (seconds(min(targets)), seconds(max(targets))))
            for interval in INTERVALS
            if (targets := [target for (_, name), target in profile.targets.items() if name == interval])
        ],
        outcomes=[
            Count(code, _name({str(c): v for c, v in profile.outcomes.items()}, code), outcomes[(code,)])
            for code in (*OUTCOMES, UNRECORDED, OTHER)
            if code in profile.outcomes or outcomes[(code,)]
        ],
        demand={result: results[(result,)] for result in RESULTS},
        followups=Owed(
            {state: followups[(state,)] for state in FOLLOWUP_STATES},
            min((value for _, value in found.samples(m.NEXT_LAPSE)), default=None),
        ),
        feeds=[
            Feed(topic, newest[topic] or None, seconds(now) - newest[topic] > silent_after) for topic in profile.feeds
        ],
        catching_up=catching_up,
    )


class _Sums:
    """The samples of the families, summed over the labels that are not asked for."""

    def __init__(self, families: Iterable[Family]) -> None:
        self._samples = {metric.name: samples for metric, samples in families if metric in SHOWN}

    def samples(self, metric: Metric) -> list[tuple[tuple[str, ...], float]]:
        """Labels and values. None of the families that are shown is a histogram."""
        return [(labels, value) for labels, value in self._samples[metric.name] if isinstance(value, (int, float))]

    def by(self, metric: Metric, *labels: str) -> Counter[tuple[str, ...]]:
        """Whole numbers by the values of these labels; 0 for what is not there."""
        places = [metric.labels.index(label) for label in labels]
        sums: Counter[tuple[str, ...]] = Counter()
        for values, value in self._samples[metric.name]:
            if value and isinstance(value, (int, float)):  # most are 0
                sums[tuple([values[place] for place in places])] += int(value)
        return sums


def _teams(profile: Profile, local: datetime, units: Counter[tuple[str, ...]]) -> list[Team]:
    """The team models in force, then others that have units on duty all the same."""
    teams = {team.code: team for team in profile.teams if team.active(local.date())}
    busy = {code for (code, status), n in units.items() if n and status != "off_duty"}
    for team in profile.teams:
        if team.code in busy:
            teams.setdefault(team.code, team)
    if OTHER in busy:
        teams[OTHER] = Team(code=OTHER, label="Units of no known team", areas=(), hours=())
    return list(teams.values())


def _areas(profile: Profile, found: _Sums) -> list[AreaNow]:
    """Areas with open calls: first the one whose call waits longest, then those with most calls."""
    calls = found.by(m.CALLS_OPEN, "area", "stage")
    oldest = {labels[1]: value for labels, value in found.samples(m.OLDEST_WAITING)}
    areas = [
        AreaNow(code, _name(profile.areas, code), {stage: calls[code, stage] for stage in STAGES}, oldest.get(code))
        for code in (*profile.areas, OTHER)
        if any(calls[code, stage] for stage in STAGES)
    ]
    return sorted(areas, key=lambda area: (area.oldest or float("inf"), -sum(area.stages.values()), area.name))


def _name(table: dict[str, Coded], code: str) -> str:
    """The label of a code for people, without its explanation in brackets."""
    if code in table:
        return short(table[code].label)[0]
    return {OTHER: "Other", UNRECORDED: "No outcome recorded"}.get(code, code)


def short(label: str) -> tuple[str, str]:
    """A label and its explanation in brackets: 'CARE services (in the community)'."""
    name, bracket, rest = label.partition(" (")
    return name, rest.removesuffix(")") if bracket else ""


def _hours(team: Team, local: datetime) -> str:
    """Until when the team works, or else when it works next: 'until 16:00', 'from Wed 10:30'; nothing within a week: ''."""
    naive = local.replace(tzinfo=None, second=0, microsecond=0)
    edges = _edges(team, naive)
    if team.works(local):
        ends = [edge for edge in edges if edge > naive and not team.works(edge)]
        return f"until {_when(min(ends), naive)}" if ends else ""
    starts = [edge for edge in edges if edge > naive and team.works(edge)]
    return f"from {_when(min(starts), naive)}" if starts else ""


def _edges(team: Team, naive: datetime) -> list[datetime]:
    """The local times of the coming week at which a window of the team starts or ends."""
    midnight = naive.replace(hour=0, minute=0)
    days = [midnight + timedelta(days=n) for n in range(8)]
    times = {time for shift in team.hours for time in (shift.from_, shift.until)}
    return [datetime.combine(day.date(), time) for day in days for time in times]


def _when(at: datetime, now: datetime) -> str:
    day = "" if at.date() == now.date() else DAYS[at.weekday()].capitalize() + " "
    return f"{day}{at:%H:%M}"


def totals(shown: Snapshot) -> dict[str, int]:
    """The numbers of which the board draws a line."""

    def units(statuses: Collection[str]) -> int:
        return sum(team.units[status] for team in shown.teams for status in statuses)

    return {
        "available": units(("available",)),
        "on_duty": units([status for status in STATUSES if status != "off_duty"]),
        "planned": sum(team.planned for team in shown.teams),
        "open": sum(shown.stages.values()),
        "waiting": shown.stages["waiting"],
    }
