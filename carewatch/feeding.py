"""`carewatch simulate` and `carewatch replay`: events from a generator or a file, to a file or to Kafka."""

from __future__ import annotations

import argparse
import heapq
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import nullcontext
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Literal

from carewatch.settings import default
from feeds import simulate as simulator
from feeds.cad import load_mapping, read_cad
from feeds.errors import FeedError
from feeds.invented import simulation_of
from feeds.kafka import send_all
from feeds.lively import busy, faster
from feeds.opening import FirstMinute
from feeds.replay import WallClock, live, paced, parted, read_events, write_events
from feeds.wire import Line
from streams.clock import micros, wall
from streams.events import Event, Heartbeat, Topic
from streams.programs import Profile, load, load_all

MAPPINGS = Path(read_cad.__code__.co_filename).parent / "mappings"
#: Old heartbeats tell nothing; a live simulation starts with those of the last minutes.
FRESH = timedelta(minutes=3)


def simulate(args: argparse.Namespace) -> int:
    """The command `simulate`."""
    profiles = load_all(args.programs)
    now = datetime.now(UTC)
    start = _moment(args.start) if args.start else now - timedelta(days=args.days)
    end = datetime(9999, 1, 1, tzinfo=UTC) if args.live else start + timedelta(days=args.days)
    streams = []
    for program in args.program:
        if program not in profiles:
            raise FeedError(f"{program}: no such program; there are {', '.join(sorted(profiles))}")
        profile = profiles[program]
        simulation = simulation_of(profile)
        if args.busy:
            simulation = busy(simulation, profile, profile.local(micros(now)))
        streams.append(
            simulator.simulate(
                profile,
                faster(simulation, args.speed),
                start,
                end,
                args.seed,
                disorder=args.disorder,
                duplicates=args.duplicates,
                first_minute=FirstMinute(now, wall) if args.busy and args.live else None,
            )
        )
    # disorder is within a program; between programs the order is that of the clock
    merged: Iterator[Event] = heapq.merge(*streams, key=lambda event: micros(event.at))
    if not args.live:
        return _deliver([(merged, True)], args.out, args.broker)
    past, merged = parted(_without_old_heartbeats(merged, now - FRESH), now)
    return _deliver([(past, True), (live(merged, WallClock()), False)], args.out, args.broker)


def replay(args: argparse.Namespace) -> int:
    """The command `replay`."""
    speed: float | Literal["max"] = "max" if args.speed == "max" else _factor(args.speed)
    items: Iterable[Event | Line]
    if args.mapping:
        named = MAPPINGS / f"{args.mapping}.toml"
        mapping = load_mapping(named if named.is_file() else Path(args.mapping))
        items = read_cad(args.file, mapping, _profile_for(mapping.program, args.programs))
    elif args.file.name.removesuffix(".gz").endswith(".csv"):
        raise FeedError(
            f"{args.file}: a CAD export needs a mapping; give one with --mapping, such as --mapping sf_fire"
        )
    else:
        items = read_events(args.file, on_bad=args.bad_lines)
    return _deliver([(paced(items, speed, WallClock()), speed == "max")], args.out, args.broker)


def _deliver(parts: Sequence[tuple[Iterable[Event | Line], bool]], out: str | None, broker: str) -> int:
    """Write or send parts, one after the other; each with whether it is a bulk, that is, without waiting in it."""
    counts: Counter[Topic] = Counter()
    if out:
        all_items = chain.from_iterable(items for items, _ in parts)
        events = (item.event if isinstance(item, Line) else item for item in all_items)
        with nullcontext(sys.stdout.buffer) if out == "-" else _create(out) as file:
            counts.update(write_events((event for event in events if event is not None), file, _progress))
    else:
        for items, bulk in parts:
            counts.update(send_all(items, broker, default("PREFIX", "care."), bulk=bulk, progress=_progress))
    total = ", ".join(f"{topic} {count}" for topic, count in sorted(counts.items()))
    print(f"{sum(counts.values())} events: {total}", file=sys.stderr)
    return 0


def _create(out: str) -> BinaryIO:
    try:
        return Path(out).open("wb")
    except OSError as error:
        raise FeedError(f"{out}: cannot be written: {error.strerror}; give another file with --out") from error


def _progress(sent: int) -> None:
    if sys.stderr.isatty():
        print(f"\r{sent} events", end="\r", file=sys.stderr, flush=True)


def _without_old_heartbeats(events: Iterator[Event], since: datetime) -> Iterator[Event]:
    return (event for event in events if event.at >= since or type(event) is not Heartbeat)


def _profile_for(program: str, directory: Path) -> Profile:
    """The profile of a mapping's program: the one beside the mappings, or else of the programs folder."""
    beside = MAPPINGS / "programs" / f"{program}.toml"
    if beside.is_file():
        return load(beside)
    profiles = load_all(directory)
    if program not in profiles:
        raise FeedError(
            f"{directory}: no file of program '{program}', which the mapping names; give its folder with --programs"
        )
    return profiles[program]


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.utcoffset() is None:
        raise FeedError(f"--start {text}: write a time with an offset, such as 2026-11-02T00:00:00-06:00")
    return moment


def _factor(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise FeedError(f"--speed {text}: give max or a number, such as 60") from None
