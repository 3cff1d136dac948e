"""What a simulated program is like: the parameters in `simulations/<program>.toml`, typed and checked."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta

from feeds.errors import FeedError
from feeds.settings import load_toml
from streams.clock import SECOND, Micros
from streams.events import Source
from streams.programs import DAYS, Day, Outcome, Profile, duration

Share = Annotated[float, Meta(ge=0, le=1)]
Weight = Annotated[float, Meta(ge=0)]
Curve = Annotated[tuple[Weight, ...], Meta(min_length=24, max_length=24)]


class Delay(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """A log-normal time span: half are shorter than `median`; `spread` is sigma (0.5: two of three within x0.6-1.6)."""

    median: str
    spread: Annotated[float, Meta(ge=0, le=3)] = 0.5

    @cached_property
    def _seconds(self) -> float:
        return duration(self.median) / SECOND

    def draw(self, rng: random.Random) -> Micros:
        """A span in microseconds, whole seconds as CAD systems write them, at least one."""
        return max(1, round(self._seconds * math.exp(rng.gauss(0.0, self.spread)))) * SECOND


class CallKind(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A type of call: how often, how likely it is eligible, how it ends if always the same way, needles found."""

    weight: Weight
    eligible: Share
    outcome: Outcome | None = None
    needles: Annotated[float, Meta(gt=0)] | None = None


class Calls(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How calls arrive and what goes unrecorded."""

    per_day: dict[Day, Weight]
    weekday: Curve
    weekend: Curve
    never_triaged: Share
    corrected: Share
    missing_outcome: Share
    missing_reason: Share
    second_unit: Share
    use_of_force: Share
    referral: Share
    person: Share
    known_person: Share


class Delays(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Time spans of a call, in their order."""

    triage: Delay
    patience: Delay
    dispatch: Delay
    turnout: Delay
    drive: Delay
    contact: Delay
    on_scene: Delay
    transport: Delay
    at_destination: Delay
    paperwork: Delay
    handled_by_others: Delay


class Police(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Police on calls of the program. `dual`: sent at the same moment; `unserved`: on calls no CARE unit takes."""

    unit: str
    dual: Share
    unserved: Share
    cancelled: Share
    stays: Share
    drive: Delay
    makes_safe: Delay


class Shifts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the staffing plan is kept. `no_calls`: teams that take no calls."""

    missing: Share
    late: Share
    late_by: Delay
    breaks: Share
    break_for: Delay
    crew: Annotated[int, Meta(ge=1, le=100)]
    no_calls: tuple[str, ...] = ()


class Followups(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How follow-ups go. What is neither `on_time`, `late` nor `after_lapse` is never done."""

    on_time: Share
    late: Share
    after_lapse: Share
    no_contact_first: Share
    declined: Share
    case_closed: Share


class Overdoses(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Overdoses reported by the ambulance service: a case each, then outreach in person."""

    team: str
    per_day: Weight
    areas: dict[str, Weight]
    reached_out: Share
    located: Share


class CaseManagement(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Cases of ongoing support. `at_start` of them are entered over the first `at_start_within`."""

    team: str
    per_week: Weight
    lasts: Delay
    at_start: Annotated[int, Meta(ge=0, le=100_000)] = 0
    at_start_within: str = "3d"


class Simulation(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The parameters of one simulated program."""

    program: str
    calls: Calls
    areas: dict[str, Weight]
    call_types: dict[str, CallKind]
    sources: dict[Source, Weight]
    outcomes: dict[Outcome, Weight]
    destinations: dict[str, Weight]
    services: dict[str, Weight]
    partners: dict[str, Weight] = {}
    delays: Delays
    police: Police
    shifts: Shifts
    followups: Followups
    overdoses: Overdoses | None = None
    case_management: CaseManagement | None = None

    def calls_per_hour(self, at: datetime) -> float:
        """The arrival rate at a local time, by hour of week."""
        curve = self.calls.weekday if at.weekday() < 5 else self.calls.weekend
        total = sum(curve)
        return self.calls.per_day[DAYS[at.weekday()]] * curve[at.hour] / total if total else 0.0

    @property
    def peak_per_hour(self) -> float:
        """An upper bound of the arrival rate."""
        steepest = max(max(c) / (sum(c) or 1.0) for c in (self.calls.weekday, self.calls.weekend))
        return max(self.calls.per_day.values()) * steepest


def builtin(program: str) -> Path:
    """The file of a program that comes with the project. Raises FeedError if there is none."""
    file = Path(__file__).parent / "simulations" / f"{program}.toml"
    if not file.is_file():
        known = ", ".join(sorted(f.stem for f in file.parent.glob("*.toml")))
        raise FeedError(f"{program}: no simulation comes with this program; give a file, or use one of: {known}")
    return file


def load_simulation(file: Path) -> Simulation:
    """Read and check one file. Raises FeedError: one line with the file, the key and the cure."""
    simulation = load_toml(file, Simulation)
    for key, problem in _problems(simulation):
        raise FeedError(f"{file}: {key}: {problem}")
    return simulation


def check_against(simulation: Simulation, profile: Profile) -> None:
    """Raise FeedError if the simulation is not one of the profile's program.

    Areas may be unknown to the profile: calls come from places that no team covers.
    """
    where = f"simulation of {simulation.program}"
    if simulation.program != profile.program:
        raise FeedError(f"{where}: program: the profile is of '{profile.program}'; use the file of the same program")
    tables: dict[str, tuple[str, Iterable[str]]] = {
        "call_types": ("call_type", simulation.call_types),
        "outcomes": ("outcome", simulation.outcomes),
        "destinations": ("destination", simulation.destinations),
        "services": ("service", simulation.services),
    }
    for table, (field, codes) in tables.items():
        for code in codes:
            if not profile.knows(field, code):
                raise FeedError(f"{where}: {table}.{code}: not in the profile; add it there or mend the name")
    named = [("shifts.no_calls", code) for code in simulation.shifts.no_calls]
    if simulation.overdoses:
        named.append(("overdoses.team", simulation.overdoses.team))
    if simulation.case_management:
        named.append(("case_management.team", simulation.case_management.team))
    for key, team in named:
        if team not in profile.team_codes:
            raise FeedError(f"{where}: {key}: '{team}' is no team of the profile; mend the name")


def _problems(simulation: Simulation) -> list[tuple[str, str]]:
    """What the types cannot say, as (key, what is wrong and what to do)."""
    given = simulation.calls.per_day
    found = [("calls.per_day", f"'{day}' is missing; give all seven days") for day in DAYS if day not in given]
    weights: dict[str, dict[str, float]] = {
        "areas": simulation.areas,
        "call_types": {code: kind.weight for code, kind in simulation.call_types.items()},
        "sources": {str(code): weight for code, weight in simulation.sources.items()},
        "outcomes": {str(code): weight for code, weight in simulation.outcomes.items()},
        "destinations": simulation.destinations,
        "services": simulation.services,
    }
    if simulation.overdoses:
        weights["overdoses.areas"] = simulation.overdoses.areas
    for key, table in weights.items():
        if sum(table.values()) <= 0:
            found.append((key, "no weight above 0; give at least one"))
        found += [(f"{key}.{code}", "a code has 1 to 64 characters") for code in table if not 0 < len(code) <= 64]
    follow = simulation.followups
    if follow.on_time + follow.late + follow.after_lapse > 1 + 1e-9:
        found.append(("followups", "on_time, late and after_lapse add up to more than 1; lower one"))
    found += [(key, text) for key, delay in _delays(simulation) if (text := _duration_problem(delay.median))]
    if simulation.case_management and (text := _duration_problem(simulation.case_management.at_start_within)):
        found.append(("case_management.at_start_within", text))
    return found


def _delays(simulation: Simulation) -> list[tuple[str, Delay]]:
    spans = [(f"delays.{name}", getattr(simulation.delays, name)) for name in Delays.__struct_fields__]
    spans += [("police.drive", simulation.police.drive), ("police.makes_safe", simulation.police.makes_safe)]
    spans += [
        ("shifts.late_by", simulation.shifts.late_by),
        ("shifts.break_for", simulation.shifts.break_for),
    ]
    if simulation.case_management:
        spans.append(("case_management.lasts", simulation.case_management.lasts))
    return spans


def _duration_problem(text: str) -> str | None:
    try:
        duration(text)
    except ValueError as error:
        return str(error)
    return None
