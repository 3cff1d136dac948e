"""The first minute of a demo: a call comes in, units move, an outcome is recorded, an alert fires and ends.

A real program may have none of it for hours. Whoever starts a demo should see what carewatch shows within a minute, on each
program, so these few calls and one follow-up are planned to the second; all else is left to chance.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from datetime import datetime
from typing import NamedTuple

from feeds import calls, cases
from feeds.calls import Call
from feeds.shifts import come_on_duty, go_home
from feeds.simulation import CallKind
from feeds.world import HOUR, MINUTE, Process, Unit, World
from streams import events
from streams.cases import Opening
from streams.clock import DAY, SECOND, Micros, micros
from streams.events import CaseOpened, Event, FollowupAttempted, UnitStatusCode
from streams.followups import Plans
from streams.programs import Checkpoint, Team, duration

#: Seconds after its beginning.
ARRIVES = 5
CLEARS = 15
CLOSES = 22
#: A follow-up is due, and is done: the alert FollowupOverdue fires between the two.
DUE = 8
DONE = 30
#: A call has waited for ten minutes, and gets a unit: CallWaitingTooLong fires, and ends a minute after.
WAITED_TOO_LONG = 15
SENT = 35

Begins = Callable[[], Micros]


class FirstMinute(NamedTuple):
    """When it begins: not before `after`, and when `clock` says, which is asked once, when all before `after` was told."""

    after: datetime
    clock: Begins


def plan(world: World, first: FirstMinute) -> None:
    """Plan the first minute. Call it before the world runs.

    A program without a follow-up that can be overdue shows the alert of the waiting call only.
    """
    after = micros(first.after)
    begins = functools.cache(lambda: max(after, first.clock()))
    start = after - world.now
    world.spawn(_arrives(world, begins), start)
    if team := _team(world, after):
        world.spawn(_comes_to_an_end(world, team, after, begins), start - 35 * MINUTE)
        world.spawn(_waits(world, team, begins), start)
    if owed := _owed(world, after):
        world.punctual = owed[0].code, owed[1].id
        world.spawn(_is_overdue(world, *owed, begins), start)


def _arrives(world: World, begins: Begins) -> Process:
    """A call as any other."""
    yield begins() + ARRIVES * SECOND - world.now
    yield from calls.call_comes(world)


def _team(world: World, at: Micros) -> Team | None:
    """A team that takes calls and works."""
    local = world.profile.local(at)
    no_calls = world.simulation.shifts.no_calls
    return next((t for t in world.profile.teams if t.works(local) and t.areas and t.code not in no_calls), None)


def _owed(world: World, at: Micros) -> tuple[Team, Checkpoint] | None:
    """The follow-up with the most time that can be overdue for a while: the history has the fewest of it."""

    def active(team: Team, moment: Micros) -> bool:
        return team.active(world.profile.local(moment).date())

    found = [
        (team, point)
        for team in world.profile.teams
        for point in team.followups
        if duration(point.lapses) - duration(point.due) > MINUTE
        and active(team, at)
        and active(team, at - duration(point.due) - DAY)  # the version at the opening of the case holds
        and team.areas
    ]
    return max(found, key=lambda each: duration(each[1].due), default=None)


def _comes_to_an_end(world: World, team: Team, after: Micros, begins: Begins) -> Process:
    """A call of half an hour before: its unit clears, and it is closed with an outcome."""
    call = _received(world, team, world.now)
    unit = _crew(world, team)
    about = {"call": call.id, "unit": unit.id}
    steps: tuple[tuple[int, type[Event], UnitStatusCode | None], ...] = (
        (33, events.UnitDispatched, "dispatched"),
        (31, events.UnitEnRoute, "en_route"),
        (22, events.UnitOnScene, "on_scene"),
        (20, events.ContactMade, None),
    )
    for minutes, kind, status in steps:
        yield after - minutes * MINUTE - world.now
        world.emit(kind, **about)
        if status:
            world.set_status(unit, status, call.area)
    yield after - world.now
    yield begins() + CLEARS * SECOND - world.now
    world.emit(events.UnitCleared, **about)
    unit.reserved = False
    world.set_status(unit, "available")
    yield begins() + CLOSES * SECOND - world.now
    outcomes = world.simulation.outcomes
    outcome = "services" if "services" in outcomes else next(iter(outcomes))
    world.emit(events.CallClosed, call=call.id, outcome=outcome)
    if outcome in world.profile.followup_outcomes:
        cases.follow_up(world, call.id, team.code, "encounter")


def _waits(world: World, team: Team, begins: Begins) -> Process:
    """A call that nobody was sent to: at last it gets a unit, and goes on as any other."""
    call = _received(world, team, begins() + WAITED_TOO_LONG * SECOND - 10 * MINUTE)
    call.outcome = world.pick(world.simulation.outcomes)
    yield begins() + SENT * SECOND - world.now
    yield from calls.respond(world, call, _crew(world, team), first=True)
    call.care_cleared = True
    yield from calls.close(world, call)


def _is_overdue(world: World, team: Team, point: Checkpoint, begins: Begins) -> Process:
    """A case whose last follow-up is due now, and done a little later; those before it were done in time."""
    kind, due = point.kinds[0], begins() + DUE * SECOND
    plans = Plans(world.profile)

    def planned(opened: Micros) -> dict[str, Micros]:
        """When each follow-up of a case opened then is due."""
        followups = plans.of(Opening(at=opened, kind=kind, team=team.code, area=team.areas[0]))
        return {followup.checkpoint: followup.due for followup in followups}

    opened = due - duration(point.due)
    opened += due - planned(opened)[point.id]  # days are the calendar's: the clock may have changed on the way
    case = f"case-{world.token(40)}"
    world.emit_at(opened, CaseOpened, case=case, kind=kind, team=team.code, area=team.areas[0])
    for checkpoint, its_due in sorted(planned(opened).items(), key=lambda item: item[1]):
        if checkpoint != point.id and its_due <= due:
            world.emit_at(its_due - SECOND, FollowupAttempted, case=case, followup=checkpoint, result="completed")
    yield begins() + DONE * SECOND - world.now
    world.emit(FollowupAttempted, case=case, followup=point.id, result="completed")


def _received(world: World, team: Team, at: Micros) -> Call:
    """A call in an area of the team, found eligible at once, of which we hear now."""
    simulation = world.simulation
    code = world.pick({code: kind.weight for code, kind in simulation.call_types.items()})
    area = min(team.areas, key=lambda area: simulation.areas.get(area, 0.0))  # where the fewest other calls wait
    call = Call(f"{world.local():%y%m%d}-{world.token(32)}", area, CallKind(1.0, 1.0), team=team.code)
    world.emit_at(at, events.CallReceived, call=call.id, call_type=code, area=call.area, source="911")
    if world.profile.triages:
        world.emit_at(at, events.CallTriaged, call=call.id, eligible=True)
    return call


def _crew(world: World, team: Team) -> Unit:
    """A unit of the team that is free, else one more comes on duty: the first minute does not wait for one to clear."""
    unit = calls.free_unit(world, {team.code})
    if unit is None:
        unit = come_on_duty(world, team, world.now + 8 * HOUR)
        unit.reserved = True
        world.spawn(go_home(world, unit))
    return unit
