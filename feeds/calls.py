"""Calls of the simulated program, from the phone to the closed record."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Literal

from feeds import cases
from feeds.shifts import LAST_MINUTES
from feeds.simulation import CallKind
from feeds.world import HOUR, Process, Unit, World
from streams import events
from streams.clock import SECOND
from streams.events import (
    Agency,
    CallClosed,
    CallReceived,
    CallTriaged,
    ContactMade,
    NeedlesCollected,
    ReferralMade,
)

Unserved = Literal["outside_area", "outside_hours", "no_unit_on_duty", "all_units_busy", "not_triaged"]
#: Dispatchers look for a free unit this often while a call waits.
LOOK = 20 * SECOND


@dataclass(slots=True)
class Call:
    """A call while it is open. `running`: units of any agency that have not cleared."""

    id: str
    area: str
    kind: CallKind
    outcome: str | None = None
    team: str | None = None
    person: str | None = None
    running: int = 0
    care_cleared: bool = False


def arrivals(world: World) -> Process:
    """Poisson arrivals by hour of week (thinning, so the rate may change at any time)."""
    peak = world.simulation.peak_per_hour
    while peak > 0:
        yield round(world.rng.expovariate(peak) * 3600) * SECOND
        if world.chance(world.simulation.calls_per_hour(world.local()) / peak):
            world.spawn(call_comes(world))


def call_comes(world: World) -> Process:
    """A call, from its receipt to its end."""
    simulation = world.simulation
    calls, delays = simulation.calls, simulation.delays
    code = world.pick({code: kind.weight for code, kind in simulation.call_types.items()})
    call = Call(f"{world.local():%y%m%d}-{world.token(32)}", world.pick(simulation.areas), simulation.call_types[code])
    source = world.pick(simulation.sources)
    priority = world.rng.choice((2, 3, 3, 4))
    corrected = world.chance(calls.corrected)
    first = world.pick({code: kind.weight for code, kind in simulation.call_types.items()}) if corrected else code
    world.emit(CallReceived, call=call.id, call_type=first, area=call.area, priority=priority, source=source)
    eligible = True
    if world.profile.triages:
        if world.chance(calls.never_triaged):
            yield from _unserved(world, call, "not_triaged")
            return
        yield delays.triage.draw(world.rng)
        eligible = world.chance(call.kind.eligible)
        world.emit(CallTriaged, call=call.id, eligible=eligible, call_type=code if corrected else None)
    if not eligible:
        yield from _unserved(world, call, None)
        return
    unit = yield from _find_unit(world, call)
    if isinstance(unit, Unit):
        yield from _served(world, call, unit)
    else:
        yield from _unserved(world, call, unit)


def _find_unit(world: World, call: Call) -> Generator[int, None, Unit | Unserved]:
    """A reserved unit, or why there is none, at the end of the caller's patience or of the team's hours."""
    gives_up = world.now + world.simulation.delays.patience.draw(world.rng)
    reason: Unserved = "outside_hours"
    while True:
        teams = world.covering(call.area)
        if not teams:
            return "outside_area"
        now = world.local()
        working = {team.code for team in teams if team.works(now)}
        if not working:
            return reason  # a call that waited until the hours ended keeps its reason
        if unit := free_unit(world, working):
            return unit
        on_duty = any(unit.team in working for unit in world.units.values())
        reason = "all_units_busy" if on_duty else "no_unit_on_duty"
        if world.now >= gives_up:
            return reason
        yield LOOK


def free_unit(world: World, teams: set[str]) -> Unit | None:
    """A free unit of these teams, from now on reserved, if there is one."""
    for unit in world.units.values():
        if unit.free and unit.team in teams and unit.ends - world.now > LAST_MINUTES:
            unit.reserved = True
            return unit
    return None


def _served(world: World, call: Call, unit: Unit) -> Process:
    simulation = world.simulation
    call.team = unit.team
    call.outcome = call.kind.outcome or world.pick(simulation.outcomes)
    yield simulation.delays.dispatch.draw(world.rng)
    if world.chance(simulation.police.dual):
        world.spawn(_police(world, call))
    if world.chance(simulation.calls.second_unit) and (second := free_unit(world, {unit.team})):
        world.spawn(respond(world, call, second, first=False))
    yield from respond(world, call, unit, first=True)
    call.care_cleared = True
    yield from close(world, call)


def respond(world: World, call: Call, unit: Unit, *, first: bool) -> Process:
    """A CARE unit on the call. Only the first unit makes contact, transports and records."""
    delays, rng = world.simulation.delays, world.rng
    about = {"call": call.id, "unit": unit.id}
    call.running += 1
    world.emit(events.UnitDispatched, **about, team=unit.team)
    world.set_status(unit, "dispatched", call.area)
    yield delays.turnout.draw(rng)
    world.emit(events.UnitEnRoute, **about)
    world.set_status(unit, "en_route")
    drive = delays.drive.draw(rng)
    if call.outcome in ("cancelled", "resolved_by_other"):  # turned back on the way
        yield drive // 2
    else:
        yield drive
        world.emit(events.UnitOnScene, **about)
        world.set_status(unit, "on_scene")
        if first:
            yield from _on_scene(world, call, unit)
        else:
            yield delays.on_scene.draw(rng)
    world.emit(events.UnitCleared, **about)
    unit.reserved = False
    world.set_status(unit, "available")
    call.running -= 1


def _on_scene(world: World, call: Call, unit: Unit) -> Process:
    simulation, rng = world.simulation, world.rng
    calls, delays = simulation.calls, simulation.delays
    about = {"call": call.id, "unit": unit.id}
    if call.kind.needles:
        yield delays.contact.draw(rng)
        count = 1 + int(rng.expovariate(1 / call.kind.needles))
        world.emit(NeedlesCollected, call=call.id, count=count)
    if call.outcome == "no_contact":
        yield delays.on_scene.draw(rng) // 2
        return
    yield delays.contact.draw(rng)
    world.emit(ContactMade, **about)
    if world.chance(calls.person):
        call.person = _person(world)
    if world.chance(calls.use_of_force):
        world.emit(events.UseOfForce, call=call.id, level=1)
    yield delays.on_scene.draw(rng)
    if call.outcome == "refused":
        return
    if world.chance(calls.referral):
        service = world.pick(simulation.services)
        partner = world.pick(simulation.partners) if simulation.partners and service == "partner_referral" else None
        world.emit(ReferralMade, call=call.id, service=service, partner=partner)
    if call.outcome == "services_transfer":
        world.spawn(_ambulance(world, call))
    elif call.outcome == "services_transport":
        world.emit(events.UnitTransporting, **about, destination=world.pick(simulation.destinations))
        world.set_status(unit, "transporting")
        yield delays.transport.draw(rng)
        world.emit(events.UnitAtDestination, **about)
        world.set_status(unit, "at_destination")
        yield delays.at_destination.draw(rng)


def _person(world: World) -> str:
    if world.people and world.chance(world.simulation.calls.known_person):
        return world.rng.choice(world.people)
    person = f"p-{world.token(64)}"
    world.people.append(person)
    return person


def _other(world: World, call: Call, agency: Agency, drive: int) -> Generator[int, None, dict[str, str]]:
    """A unit of another agency, from its dispatch to the scene."""
    prefix = world.simulation.police.unit if agency == "police" else "EMS"
    about = {"call": call.id, "unit": f"{prefix}-{world.rng.randrange(100, 1000)}", "agency": agency}
    call.running += 1
    world.emit(events.UnitDispatched, **about)
    yield 30 * SECOND
    world.emit(events.UnitEnRoute, **about)
    yield drive
    world.emit(events.UnitOnScene, **about)
    return about


def _police(world: World, call: Call) -> Process:
    police, rng = world.simulation.police, world.rng
    if world.chance(police.cancelled):
        about = {"call": call.id, "unit": f"{police.unit}-{rng.randrange(100, 1000)}", "agency": "police"}
        world.emit(events.UnitDispatched, **about)
        call.running += 1
        yield police.drive.draw(rng) // 2
    else:
        about = yield from _other(world, call, "police", police.drive.draw(rng))
        yield police.makes_safe.draw(rng)
        if world.chance(police.stays):
            while not call.care_cleared:
                yield LOOK
    world.emit(events.UnitCleared, **about)
    call.running -= 1


def _ambulance(world: World, call: Call) -> Process:
    delays, rng = world.simulation.delays, world.rng
    about = yield from _other(world, call, "ems", delays.drive.draw(rng))
    world.emit(events.UnitTransporting, **about, destination="hospital")
    yield delays.transport.draw(rng)
    world.emit(events.UnitAtDestination, **about)
    yield delays.at_destination.draw(rng)
    world.emit(events.UnitCleared, **about)
    call.running -= 1


def _unserved(world: World, call: Call, reason: Unserved | None) -> Process:
    """No CARE unit went: ineligible (no reason), or eligible and unmet. Others take most of these calls."""
    call.care_cleared = True
    if world.chance(world.simulation.police.unserved):
        world.spawn(_police(world, call))
        call.outcome = "resolved_by_other"
    elif reason is None:
        call.outcome = "resolved_by_other"
    else:
        call.outcome = world.rng.choice(("cancelled", None))
    yield world.simulation.delays.handled_by_others.draw(world.rng)
    if reason is None or world.chance(world.simulation.calls.missing_reason):
        yield from close(world, call)
    else:
        yield from close(world, call, reason)


def close(world: World, call: Call, reason: Unserved | None = None) -> Process:
    """Close the record when the last unit has cleared; services open a follow-up case at that moment."""
    yield world.simulation.delays.paperwork.draw(world.rng)
    gives_up = world.now + 6 * HOUR
    while call.running and world.now < gives_up:
        yield LOOK
    outcome = None if world.chance(world.simulation.calls.missing_outcome) else call.outcome
    world.emit(CallClosed, call=call.id, outcome=outcome, unserved_reason=reason, person=call.person)
    if outcome in world.profile.followup_outcomes and call.team:
        cases.follow_up(world, call.id, call.team, "encounter")
