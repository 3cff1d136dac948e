"""What comes after: follow-ups of calls, outreach after overdoses, case management."""

from __future__ import annotations

from feeds.simulation import CaseManagement, Overdoses
from feeds.world import HOUR, Process, World
from streams.clock import DAY, SECOND, Micros
from streams.events import CaseClosed, CaseKind, CaseOpened, FollowupAttempted, OutreachAttempted
from streams.programs import Checkpoint, Team, duration


def follow_up(world: World, case: str, team: str, kind: CaseKind) -> None:
    """Plan the checkpoints of a case that opens now."""
    for point in _checkpoints(world, team, kind):
        world.spawn(_checkpoint(world, team, case, point))
    if world.chance(world.simulation.followups.case_closed):
        world.spawn(_close(world, case))


def _checkpoints(world: World, code: str, kind: CaseKind) -> list[Checkpoint]:
    team = _team(world, code)
    return [point for point in team.followups if kind in point.kinds] if team else []


def _team(world: World, code: str) -> Team | None:
    """The team's version in force today."""
    today = world.local().date()
    return next((team for team in world.profile.teams if team.code == code and team.active(today)), None)


def _checkpoint(world: World, team: str, case: str, point: Checkpoint) -> Process:
    habits, rng = world.simulation.followups, world.rng
    opens, due, lapses = (duration(text) for text in (point.opens, point.due, point.lapses))
    share = 0.0 if world.punctual == (team, point.id) else rng.random()
    if share < habits.on_time:
        earliest, latest = opens, due
    elif share < habits.on_time + habits.late:
        earliest, latest = due, max(lapses, due + HOUR)
    elif share < habits.on_time + habits.late + habits.after_lapse:
        earliest, latest = lapses, lapses + 3 * DAY
    else:
        return
    opened = world.now
    when = opened + _by_day(world, earliest, latest)
    if world.chance(habits.no_contact_first):
        first = opened + _by_day(world, min(opens, earliest), when - opened)
        if first < when:
            yield first - world.now
            world.emit(FollowupAttempted, case=case, followup=point.id, result="no_contact")
    yield when - world.now
    result = "declined" if world.chance(habits.declined) else "completed"
    world.emit(FollowupAttempted, case=case, followup=point.id, result=result)


def _by_day(world: World, earliest: Micros, latest: Micros) -> Micros:
    """A span from now that ends between 9:00 and 18:00, where the window has such a time: nobody is called at night."""
    span = 0
    for _ in range(12):
        span = round(world.rng.uniform(earliest, latest) / SECOND) * SECOND
        if 9 <= world.profile.local(world.now + span).hour < 18:
            break
    return span


def _close(world: World, case: str) -> Process:
    """The case ends early, with follow-ups still owed."""
    yield round(world.rng.uniform(0.5, 20) * 86_400) * SECOND
    reason = world.rng.choice(("moved", "other_provider", "asked_to_stop"))
    world.emit(CaseClosed, case=case, reason=reason)


def overdoses(world: World, plan: Overdoses) -> Process:
    """Non-fatal overdoses, around the clock."""
    while plan.per_day > 0:
        yield round(world.rng.expovariate(plan.per_day) * 86_400) * SECOND
        _overdose(world, plan)


def _overdose(world: World, plan: Overdoses) -> None:
    case = f"od-{world.token(40)}"
    area = world.pick(plan.areas)
    person = f"p-{world.token(64)}"
    team = _team(world, plan.team)
    if team is None:  # not in force yet
        return
    world.emit(CaseOpened, case=case, kind="overdose", team=plan.team, area=area, person=person)
    for point in _checkpoints(world, plan.team, "overdose"):
        world.spawn(_outreach(world, plan, team, case, point))


def _outreach(world: World, plan: Overdoses, team: Team, case: str, point: Checkpoint) -> Process:
    """Attempts in person, three at most, while the team works and the checkpoint is open."""
    if not world.chance(plan.reached_out):
        return
    opened = world.now
    opens, due = duration(point.opens), duration(point.due)
    spans = (round(world.rng.uniform(opens, due) / SECOND) * SECOND for _ in range(40))
    attempts = [span for span in spans if team.works(world.profile.local(opened + span))]
    for span in sorted(attempts[: world.rng.choice((1, 2, 3))]):
        yield opened + span - world.now
        located = world.chance(plan.located)
        world.emit(OutreachAttempted, case=case, located=located)
        result = "no_contact"
        if located:
            result = "declined" if world.chance(world.simulation.followups.declined) else "completed"
        world.emit(FollowupAttempted, case=case, followup=point.id, result=result)
        if located:
            return


def case_management(world: World, plan: CaseManagement) -> Process:
    """Ongoing support: the cases there are already, then new ones."""
    within = duration(plan.at_start_within)
    for _ in range(plan.at_start):
        world.spawn(_managed_case(world, plan), round(world.rng.uniform(0, within) / SECOND) * SECOND)
    while plan.per_week > 0:
        yield round(world.rng.expovariate(plan.per_week) * 7 * 86_400) * SECOND
        world.spawn(_managed_case(world, plan))


def _managed_case(world: World, plan: CaseManagement) -> Process:
    case = f"cm-{world.token(40)}"
    team = _team(world, plan.team)
    if team is None:
        return
    area = world.rng.choice(team.areas)
    world.emit(
        CaseOpened,
        case=case,
        kind="case_management",
        team=plan.team,
        area=area,
        person=f"p-{world.token(64)}",
    )
    for point in _checkpoints(world, plan.team, "case_management"):
        world.spawn(_checkpoint(world, plan.team, case, point))
    yield plan.lasts.draw(world.rng)
    world.emit(CaseClosed, case=case, reason="goals_met")
