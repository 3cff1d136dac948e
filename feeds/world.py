"""The simulated world: a clock, a heap of processes, the units on duty. Constant memory over any period.

A process is a generator that yields how long it waits (microseconds) and emits events when they happen, so nothing
is known before its time and events come out in time order.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections import deque
from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

from feeds.simulation import Simulation
from streams.clock import SECOND, Micros, utc
from streams.events import Event, UnitStatus, UnitStatusCode
from streams.programs import Profile, Team

Process = Generator[Micros, None, None]
T = TypeVar("T", bound=str)

MINUTE: Micros = 60 * SECOND
HOUR: Micros = 60 * MINUTE


@dataclass(slots=True)
class Unit:
    """A crew on duty."""

    id: str
    team: str
    area: str
    ends: Micros
    status: UnitStatusCode = "available"
    reserved: bool = False

    @property
    def free(self) -> bool:
        """Whether it can be sent."""
        return self.status == "available" and not self.reserved


@dataclass(slots=True)
class World:
    """The state that processes share. The same seed and start give the same events, whatever the end is."""

    profile: Profile
    simulation: Simulation
    now: Micros
    rng: random.Random
    units: dict[str, Unit] = field(default_factory=dict)
    people: deque[str] = field(default_factory=lambda: deque(maxlen=500))
    #: Team and checkpoint whose follow-ups are never late, so that the one that the opening shows is the only one.
    punctual: tuple[str, str] | None = None
    _heap: list[tuple[Micros, int, Process]] = field(default_factory=list)
    _order: Iterator[int] = field(default_factory=itertools.count)
    _out: list[Event] = field(default_factory=list)

    def spawn(self, process: Process, delay: Micros = 0) -> None:
        """Start a process after a delay."""
        heapq.heappush(self._heap, (self.now + max(0, delay), next(self._order), process))

    def run(self, until: Micros) -> Iterator[Event]:
        """Events before `until`, lazily, in time order."""
        heap, out = self._heap, self._out
        while heap and heap[0][0] < until:
            self.now, _, process = heapq.heappop(heap)
            wait = next(process, None)
            if wait is not None:
                heapq.heappush(heap, (self.now + max(0, wait), next(self._order), process))
            if out:
                yield from out
                out.clear()

    def emit(self, kind: type[Event], /, **fields: Any) -> None:
        """An event that happens now."""
        self.emit_at(self.now, kind, **fields)

    def emit_at(self, at: Micros, kind: type[Event], /, **fields: Any) -> None:
        """An event of a time before now, that is: one that is heard of now."""
        self._out.append(kind(id=self.token(64), program=self.profile.program, at=utc(at), **fields))

    def token(self, bits: int) -> str:
        """A random id, hexadecimal."""
        return f"{self.rng.getrandbits(bits):0{bits // 4}x}"

    def set_status(self, unit: Unit, status: UnitStatusCode, area: str | None = None) -> None:
        """Change a unit's status; without an area it stays where it is."""
        unit.status = status
        unit.area = area or unit.area
        crew = self.simulation.shifts.crew
        self.emit(UnitStatus, unit=unit.id, team=unit.team, status=status, area=unit.area, crew=crew)

    def local(self) -> datetime:
        """The program's wall-clock time."""
        return self.profile.local(self.now)

    def chance(self, share: float) -> bool:
        """True for this share of the draws."""
        return self.rng.random() < share

    def pick(self, weights: Mapping[T, float]) -> T:
        """A code by weight."""
        return self.rng.choices(list(weights), weights=list(weights.values()))[0]

    def covering(self, area: str) -> list[Team]:
        """Teams in force today that take calls from an area, working or not."""
        label = self.profile.label_of("area", area)
        teams = self.profile.covering(label, self.local())
        return [team for team in teams if team.code not in self.simulation.shifts.no_calls]
