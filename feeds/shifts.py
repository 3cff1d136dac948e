"""Units come on duty as the staffing plan says, take breaks, go home; some are late, some do not come."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from feeds.world import HOUR, MINUTE, Process, Unit, World
from streams.clock import Micros, micros
from streams.programs import DAYS, PlannedShift, Team

#: A unit that is about to go home is not sent any more, and takes no break.
LAST_MINUTES: Micros = 15 * MINUTE


def roster(world: World) -> Process:
    """Start every planned shift of every day, those that already run included."""
    day = world.local().date() - timedelta(days=1)  # yesterday's may cross midnight
    while True:
        for team in world.profile.teams:
            for shift in team.staffing:
                if DAYS[day.weekday()] in shift.days and team.active(day):
                    _start_shift(world, team, shift, day)
        day += timedelta(days=1)
        midnight = datetime.combine(day, datetime.min.time(), world.profile.zone)
        yield micros(midnight) - world.now


def _start_shift(world: World, team: Team, shift: PlannedShift, day: date) -> None:
    zone = world.profile.zone
    last = day if shift.from_ < shift.until else day + timedelta(days=1)
    begins = micros(datetime.combine(day, shift.from_, zone))
    ends = micros(datetime.combine(last, shift.until, zone))
    if ends > world.now:
        for _ in range(shift.units):
            world.spawn(_duty(world, team, ends), begins - world.now)


def _duty(world: World, team: Team, ends: Micros) -> Process:
    plan = world.simulation.shifts
    if world.chance(plan.missing):
        return
    if world.chance(plan.late):
        yield plan.late_by.draw(world.rng)
    if world.now >= ends:
        return
    unit = come_on_duty(world, team, ends)
    pause = int((ends - world.now) * world.rng.uniform(0.35, 0.65))
    if ends - world.now > 3 * HOUR and world.chance(plan.breaks):
        yield pause
        while not unit.free and world.now < ends - HOUR:
            yield 10 * MINUTE
        if unit.free:
            world.set_status(unit, "unavailable")
            yield min(plan.break_for.draw(world.rng), ends - world.now - 1)
            world.set_status(unit, "available")
    yield from go_home(world, unit)


def go_home(world: World, unit: Unit) -> Process:
    """The end of a unit's duty, when its time has come."""
    yield max(0, unit.ends - world.now)
    while not unit.free:  # the last call goes on
        yield MINUTE
    world.set_status(unit, "off_duty")
    del world.units[unit.id]


def come_on_duty(world: World, team: Team, ends: Micros) -> Unit:
    """A crew signs on; it is free from now on. `ends`: when it wants to go home."""
    number = 1
    while (name := f"{team.code.upper()}-{number}") in world.units:
        number += 1
    unit = world.units[name] = Unit(name, team.code, area=world.rng.choice(team.areas), ends=ends)
    world.set_status(unit, "available")
    return unit
