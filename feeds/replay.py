"""Event files (JSON Lines, plain or .gz): reading, writing, pacing. Memory use does not grow with the file."""

from __future__ import annotations

import gzip
import itertools
import time
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Literal, Protocol, TypeVar, cast

import msgspec

from feeds.errors import FeedError
from feeds.wire import Line, encode, topic_of
from streams.clock import SECOND, micros
from streams.door import MAX_BYTES
from streams.events import TOPIC_OF_TYPE, TOPICS, AnyEvent, Event, Topic

OnBad = Literal["stop", "pass"]
#: A longer line is no event file at all: it is not passed on either (Kafka takes 1 MiB by default).
MAX_LINE = 1024 * 1024 - 4096

T = TypeVar("T", bound=Event | Line)
_decoder = msgspec.json.Decoder(AnyEvent)


class _Header(msgspec.Struct):
    type: msgspec.Raw = msgspec.Raw(b"null")
    topic: msgspec.Raw = msgspec.Raw(b"null")


_header = msgspec.json.Decoder(_Header)


class Clock(Protocol):
    """Seconds on any scale, and waiting."""

    def now(self) -> float:
        """The time, seconds."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class WallClock:
    """Seconds since the epoch."""

    def now(self) -> float:
        """The time, seconds."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


def read_events(path: Path, *, on_bad: OnBad = "stop") -> Iterator[Line]:
    """The lines of an event file in their order, each with its topic and its event; empty lines are left out.

    A line that is no event stops the reading with a FeedError (file, line number, reason) before anything of it is
    passed on; what came before it is already on its way. With `on_bad="pass"` such a line comes as `Line(bytes,
    topic, None)`, with the topic that its type names, else dispatch, so that the worker puts it into the dead-letter
    topic. Whether program and time fit is for the worker to judge. Raises FeedError too for a file that cannot be
    read or a line over 1 MB.
    """
    try:
        with _open(path) as file:
            number = 0
            while raw := file.readline(MAX_LINE + 1):
                number += 1
                value = raw.removeprefix(b"\xef\xbb\xbf").strip() if number == 1 else raw.strip()
                if len(raw) > MAX_LINE:
                    raise FeedError(f"{path}: line {number}: over 1 MB; an event file has one JSON event a line")
                if value:
                    yield _line(value, f"{path}: line {number}", on_bad)
    except (OSError, EOFError, zlib.error) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise FeedError(f"{path}: cannot be read: {why}; give the path of a .jsonl or .jsonl.gz file") from error


def write_events(
    events: Iterable[Event], file: BinaryIO, progress: Callable[[int], None] | None = None
) -> Counter[Topic]:
    """Write events as JSON Lines; returns the counts by topic. `progress` hears the count every 10,000 events."""
    counts: Counter[Topic] = Counter()
    for number, event in enumerate(events, 1):
        file.write(encode(event) + b"\n")
        counts[topic_of(event)] += 1
        if progress and number % 10_000 == 0:
            progress(number)
    return counts


def paced(events: Iterable[T], speed: float | Literal["max"], clock: Clock) -> Iterator[T]:
    """The events at a pace: `speed` 1 is as it happened, 60 a minute in a second, "max" without waiting.

    The first event comes at once; one that is late in the file is not waited for. Raises FeedError for a bad speed.
    """
    if speed == "max":
        return iter(events)
    if not 0 < speed < float("inf"):
        raise FeedError(f"speed: {speed} is no speed; give 'max' or a factor above 0, such as 1 or 60")
    return _paced(events, speed, clock)


def live(events: Iterable[T], clock: Clock) -> Iterator[T]:
    """The events when they happen by the clock (seconds since the epoch): past ones at once, then each at its time."""
    for event in events:
        at = _seconds(event)
        while at is not None and (wait := at - clock.now()) > 0:
            clock.sleep(min(wait, 30.0))  # short naps: the machine's clock may be set, the machine may be suspended
        yield event


def parted(events: Iterator[Event], now: datetime) -> tuple[Iterator[Event], Iterator[Event]]:
    """The events up to the first that is still to come, and that one and all after it; to be read in this order."""
    coming: list[Event] = []

    def past() -> Iterator[Event]:
        for event in events:
            if event.at > now:
                coming.append(event)
                return
            yield event

    return past(), itertools.chain(coming, events)


def _paced(events: Iterable[T], speed: float, clock: Clock) -> Iterator[T]:
    began: float | None = None
    first = 0.0
    for event in events:
        at = _seconds(event)
        if at is not None:
            if began is None:
                began, first = clock.now(), at
            wait = began + (at - first) / speed - clock.now()
            if wait > 0:
                clock.sleep(wait)
        yield event


def _seconds(item: Event | Line) -> float | None:
    event = item.event if isinstance(item, Line) else item
    return micros(event.at) / SECOND if event else None


def _open(path: Path) -> BinaryIO:
    return cast("BinaryIO", gzip.open(path, "rb")) if path.suffix == ".gz" else path.open("rb")


def _line(value: bytes, where: str, on_bad: OnBad) -> Line:
    try:
        if len(value) > MAX_BYTES:
            raise msgspec.DecodeError(f"{len(value)} bytes, at most {MAX_BYTES} are taken")
        event = _decoder.decode(value)
        return Line(value, topic_of(event), event)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if on_bad == "pass":
            return Line(value, _likely_topic(value), None)
        raise FeedError(f"{where}: no event: {_reason(error)}; mend or remove the line") from None


def _reason(error: Exception) -> str:
    """The reason without any value of the line: it may be personal data in the wrong field."""
    message, _, where = str(error).partition(" - at ")
    what = "invalid value" if message.startswith("Invalid") else message.partition(", got")[0]
    return f"{what} at {where}" if where else what


def _likely_topic(value: bytes) -> Topic:
    """The topic of a line that cannot be decoded: by its type, if it has one that is known, else dispatch."""
    try:
        header = _header.decode(value)
        kind, topic = (msgspec.json.decode(raw) for raw in (header.type, header.topic))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "dispatch"
    if kind == "heartbeat":
        return next((known for known in TOPICS if known == topic), "dispatch")
    return TOPIC_OF_TYPE.get(kind, "dispatch") if isinstance(kind, str) else "dispatch"
