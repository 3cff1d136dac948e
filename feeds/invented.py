"""A simulation for a program that has none of its own: its codes from the program file, all else from a program we know."""

from __future__ import annotations

import msgspec

from feeds.errors import FeedError
from feeds.simulation import (
    CallKind,
    CaseManagement,
    Delay,
    Overdoses,
    Simulation,
    builtin,
    check_against,
    load_simulation,
)
from streams.programs import Profile, Team

#: The program whose shares and delays are taken.
MODEL = "chicago"
#: Share of the calls of each type that are eligible.
ELIGIBLE = 0.7


def simulation_of(profile: Profile) -> Simulation:
    """The simulation that comes with the project, where there is one that fits the program file; else an invented one."""
    try:
        simulation = load_simulation(builtin(profile.program))
        check_against(simulation, profile)
    except FeedError:
        return invented(profile)
    return simulation if any(profile.knows("area", area) for area in simulation.areas) else invented(profile)


def invented(profile: Profile) -> Simulation:
    """A simulation of any program: its areas and call types come alike often, its teams do what their follow-ups ask for."""
    model = load_simulation(builtin(MODEL))
    areas = (
        list(dict.fromkeys(area for team in profile.teams for area in team.areas)) or list(profile.areas) or ["other"]
    )
    # those that the file has; to go somewhere there must be somewhere to go (a transfer goes to a hospital)
    possible = {
        "services_transport": bool(profile.destinations),
        "services_transfer": "hospital" in profile.destinations,
    }
    outcomes = {
        outcome: weight
        for outcome, weight in model.outcomes.items()
        if outcome in profile.outcomes and possible.get(outcome, True)
    } or {"no_contact": 1.0}
    calls = model.calls if profile.services else msgspec.structs.replace(model.calls, referral=0.0)
    outreach = _with(profile, "overdose")
    management = _with(profile, "case_management")
    only_outreach = tuple(team.code for team in outreach if _kinds(team) == {"overdose"})
    return msgspec.structs.replace(
        model,
        program=profile.program,
        calls=calls,
        areas=dict.fromkeys(areas, 1.0),
        call_types=dict.fromkeys(profile.call_types or ["other"], CallKind(weight=1.0, eligible=ELIGIBLE)),
        outcomes=outcomes,
        destinations=dict.fromkeys(profile.destinations, 1.0),
        services=dict.fromkeys(profile.services, 1.0),
        partners={},
        police=msgspec.structs.replace(model.police, unit="PD"),
        # a team that only goes out after overdoses takes no calls, unless there is no other
        shifts=msgspec.structs.replace(
            model.shifts, no_calls=only_outreach if len(only_outreach) < len(profile.team_codes) else ()
        ),
        overdoses=Overdoses(outreach[0].code, 4.0, dict.fromkeys(outreach[0].areas, 1.0), reached_out=0.85, located=0.5)
        if outreach
        else None,
        case_management=CaseManagement(management[0].code, 3.0, lasts=Delay("60d", 0.5), at_start=10)
        if management
        else None,
    )


def _with(profile: Profile, kind: str) -> list[Team]:
    """Teams, each code once, that owe follow-ups to a kind of case."""
    return list({team.code: team for team in profile.teams if kind in _kinds(team) and team.areas}.values())


def _kinds(team: Team) -> set[str]:
    return {kind for point in team.followups for kind in point.kinds}
