"""A seeded, realistic stream of a program's events: for a demo, for tests, for trying a new profile."""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Iterator
from datetime import datetime

from feeds import calls, cases, shifts
from feeds.errors import FeedError
from feeds.opening import FirstMinute, plan
from feeds.simulation import Simulation, builtin, check_against, load_simulation
from feeds.world import MINUTE, Process, World
from streams.clock import SECOND, Micros, micros
from streams.events import TOPICS, Event, Heartbeat
from streams.programs import Profile

__all__ = ["Simulation", "builtin", "load_simulation", "simulate"]

#: A shifted event is held back for between these spans: always behind the heartbeats of a minute.
HELD: tuple[Micros, Micros] = (61 * SECOND, 300 * SECOND)


def simulate(
    profile: Profile,
    simulation: Simulation,
    start: datetime,
    end: datetime,
    seed: int,
    *,
    disorder: float = 0.0,
    duplicates: float = 0.0,
    first_minute: FirstMinute | None = None,
) -> Iterator[Event]:
    """The events of a program with start <= at < end, lazily and in time order; `end` may be far in the future.

    The same profile, simulation, seed and start give the same events, whatever `end` is. `disorder` is the share of
    events that come up to five minutes late (their `at` is unchanged), `duplicates` the share that comes once more.
    `first_minute`: plan the first minute of a demo (feeds/opening.py); some of what it tells is older than what was told
    before, and depends on its clock.
    Raises FeedError if the simulation does not fit the profile or an argument is out of range.
    """
    check_against(simulation, profile)
    for name, moment in (("start", start), ("end", end)):
        if moment.utcoffset() is None:
            raise FeedError(f"{name}: {moment} has no offset; write it like 2025-03-03T00:00:00-06:00")
    for name, share in (("disorder", disorder), ("duplicates", duplicates)):
        if not 0 <= share <= 1:
            raise FeedError(f"{name}: {share} is no share; give a number from 0 to 1")
    key = f"{profile.program}:{seed}:{micros(start)}"
    world = World(profile, simulation, micros(start), random.Random(key))  # noqa: S311  # reproducible, not secret
    if first_minute:
        plan(world, first_minute)
    world.spawn(_heartbeats(world))
    world.spawn(shifts.roster(world))
    world.spawn(calls.arrivals(world))
    if simulation.overdoses:
        world.spawn(cases.overdoses(world, simulation.overdoses))
    if simulation.case_management:
        world.spawn(cases.case_management(world, simulation.case_management))
    stream = world.run(micros(end))
    if disorder or duplicates:
        # another generator of chance: the events themselves stay the same
        chances = random.Random(f"{key}:delivery")  # noqa: S311
        return _unreliable(stream, chances, disorder, duplicates)
    return stream


def _heartbeats(world: World) -> Process:
    while True:
        for topic in TOPICS:
            world.emit(Heartbeat, topic=topic)
        yield MINUTE


def _unreliable(stream: Iterator[Event], rng: random.Random, disorder: float, duplicates: float) -> Iterator[Event]:
    held: list[tuple[Micros, int, Event]] = []
    order = itertools.count()
    for event in stream:
        at = micros(event.at)
        while held and held[0][0] <= at:
            yield heapq.heappop(held)[2]
        late = rng.random() < disorder
        if rng.random() < duplicates:
            heapq.heappush(held, (at + rng.randint(*HELD) + (HELD[1] if late else 0), next(order), event))
        if late:
            heapq.heappush(held, (at + rng.randint(*HELD), next(order), event))
        else:
            yield event
    while held:
        yield heapq.heappop(held)[2]
