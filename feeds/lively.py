"""What makes a demo live at any hour: crews around the clock, a steady stream of calls, and time that runs faster.

All of it is a change of the two descriptions that a simulated program has, its program file and its simulation. Worker and
simulator take these as they take any other; nothing in them knows of a demo.
"""

from __future__ import annotations

from datetime import datetime, time
from pathlib import Path
from typing import Any

import msgspec
import tomlkit

from feeds.simulation import Simulation
from streams.clock import HOUR, SECOND
from streams.programs import DAYS, Profile, duration

#: Most simulated minutes a minute: with more, the steps of a call would take less than the second that they are told in.
FASTEST = 60.0
#: Share of the crews that are on a call, on average: most calls find one, some wait.
BUSY = 0.5
#: Crews of a team, at least: with one alone every second call would wait.
CREWS = 2


def lively_file(file: Path, to: Path, *, around_the_clock: bool, speed: float) -> None:
    """Write a copy of a program file, as it is in a demo.

    Args:
        file: A valid program file.
        to: The file to write.
        around_the_clock: Teams work at all hours, with as many crews as the plan has at its best. Half of them change at
            midnight and half at noon, so that there is always one to send.
        speed: Simulated minutes a minute; targets and follow-ups are due so many times sooner.
    """
    document: dict[str, Any] = tomlkit.parse(file.read_text(encoding="utf-8"))
    for team in document["teams"]:
        if around_the_clock:
            units = max([CREWS, *(shift["units"] for shift in team.get("staffing", ()))])
            team["hours"] = [_daily(time(0))]
            team["staffing"] = [
                {**_daily(time(0)), "units": units - units // 2},
                {**_daily(time(12)), "units": units // 2},
            ]
        for times in (team.get("targets", {}), *team.get("followups", ())):
            for name in times.keys() - {"id", "kinds"}:
                times[name] = sooner(times[name], speed)
    to.write_text(tomlkit.dumps(document), encoding="utf-8")


def busy(simulation: Simulation, profile: Profile, at: datetime) -> Simulation:
    """The simulation with calls at all hours alike: as many as the crews that are planned at a local time can take."""
    teams = [team for team in profile.teams if team.code not in simulation.shifts.no_calls]
    units = max(1, sum(team.planned(at) for team in teams))
    kinds = simulation.call_types.values()
    eligible = max(0.1, sum(kind.weight * kind.eligible for kind in kinds) / sum(kind.weight for kind in kinds))
    delays = simulation.delays
    hours = (
        sum(duration(step.median) for step in (delays.turnout, delays.drive, delays.contact, delays.on_scene)) / HOUR
    )
    flat = (1.0,) * 24
    per_day = dict.fromkeys(DAYS, 24 * BUSY * units / (hours * eligible))
    calls = msgspec.structs.replace(simulation.calls, per_day=per_day, weekday=flat, weekend=flat)
    return msgspec.structs.replace(simulation, calls=calls)


def faster(simulation: Simulation, speed: float) -> Simulation:
    """The simulation with so many simulated minutes a minute: everything comes more often and takes less time."""
    raw = msgspec.to_builtins(simulation)
    return msgspec.convert(_faster(raw, "", speed), Simulation) if speed != 1 else simulation


def sooner(text: str, speed: float) -> str:
    """A duration such as '8min', so many times shorter; a second at least. Raises ValueError if it is none."""
    if speed == 1:
        return str(text)
    seconds = max(1, round(duration(text) / SECOND / speed))
    return f"{seconds}s" if seconds < 1_000_000 else f"{round(seconds / 60)}min"


def _faster(value: Any, name: str, speed: float) -> Any:
    """A value of a simulation by its name: durations shorter, rates higher, what has parts with its parts changed."""
    if name in ("median", "at_start_within"):
        return sooner(value, speed)
    if isinstance(value, dict):
        rates = name == "per_day"
        return {key: part * speed if rates else _faster(part, key, speed) for key, part in value.items()}
    return value * speed if name in ("per_day", "per_week") else value


def _daily(change: time) -> dict[str, Any]:
    return {"days": list(DAYS), "from": change, "until": change}
