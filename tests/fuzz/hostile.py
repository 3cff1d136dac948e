"""Records that must do no harm, whoever sends them: real events as they are and mutated, bytes and structure at random."""

from __future__ import annotations

import json
import random
import string
from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from feeds.wire import encode, topic_of
from streams.clock import Micros, utc
from streams.door import MAX_BYTES
from streams.events import CASE_KINDS, SOURCES, STATUSES, TOPIC_OF_TYPE, TOPICS, Event, Topic, tag_of

#: Ids that are used again and again, as those of a real feed: each event may meet any state of its call, unit or case.
IDS = [f"{kind}{n}" for kind in "cuk" for n in range(60)] + ["c/0", "u|0", "k/\u0000", "\U0001f642" * 32]
STRINGS = [
    *("", " ", "\n", "\x00", "\x7f", "null", "0", "-1", "NaN", "1e999", "other", "none", "__proto__", "%s%n", "{}"),
    *(
        "a" * 64,
        "a" * 65,
        "a" * 128,
        "a" * 129,
        "a" * 5000,
        "\u00e9" * 64,
        "\U0001f642" * 64,
        "\u202ex",
        "\ufeff",
        "\ud800",
    ),
    *("c/", "u/0/", "a/x", "g", "f", "|", "chicago|c/1", "../../etc/passwd", '";drop', "<script>", 'x"} 1\n', "\\"),
    *IDS[:3],
]
NUMBERS = [0, -1, 1, 3, 4, 2**31 - 1, 2**31, 2**63, 2**64, -(2**63) - 1, 10**300, 0.1, -0.0, 1e308, -1e308]
NOT_JSON = [float("nan"), float("inf")]  # Python writes these as what no JSON parser may take
TIMES = [
    *("", "T", "2026-01-01", "2026-01-01T00:00:00", "2026-01-01T00:00:00Z", "2026-02-30T00:00:00Z"),
    *("2026-06-30T23:59:60Z", "2026-06-30T24:00:00Z", "1970-01-01T00:00:00Z", "1970-01-02T00:00:00Z"),
    *("1969-12-31T23:59:59-23:59", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59.999999-23:59"),
    *("2026-11-01T01:30:00-05:00", "2026-11-01T01:30:00-06:00", "2026-03-08T02:30:00-06:00"),
    *("2026-01-01t00:00:00z", "2026-01-01 00:00:00+00", "2026-01-01T00:00:00.123456789Z", "+002026-01-01T00:00:00Z"),
    *("2026-01-01T00:00:00+99:99", "1767225600", "2024-02-29T12:00:00+14:00", "2000-01-01T00:00:00-12:00"),
]
CODES = [
    *STATUSES,
    *SOURCES,
    *CASE_KINDS,
    "care",
    "police",
    "served",
    "ineligible",
    "completed",
    "declined",
    "cancelled",
]
TYPES = [*TOPIC_OF_TYPE, "heartbeat"]


class Record(NamedTuple):
    """A record of an input topic, as the broker would have it."""

    topic: Topic
    key: bytes | None
    value: bytes | None


class Hostile:
    """Makes records, the same ones for the same `rng` and events."""

    def __init__(self, rng: random.Random, events: Sequence[Event]) -> None:
        """Records made of these events."""
        self._rng = rng
        # by type: nine in ten events of a feed are heartbeats
        self._samples: defaultdict[str, list[tuple[Topic, bytes, bytes]]] = defaultdict(list)
        for event in events:
            self._samples[tag_of(type(event))].append((topic_of(event), event.program.encode(), encode(event)))
        self._types = sorted(self._samples)
        self._fields = sorted(
            {name for of in self._types for _, _, value in self._samples[of][:100] for name in json.loads(value)}
        )
        self._number = 0
        self._kinds: list[Callable[[Micros], Record]] = [
            self._event,
            self._field,
            self._bytes,
            self._structure,
            self._noise,
        ]

    def record(self, now: Micros) -> Record:
        """The next record, at a clock of `now` (microseconds)."""
        (make,) = self._rng.choices(self._kinds, (25, 45, 15, 10, 5))
        return make(now)

    def _sample(self, now: Micros) -> tuple[Topic, bytes, dict[str, Any]]:
        """A real event with an id of its own, of a call, unit or case that others are of too, at about now."""
        rng = self._rng
        topic, key, value = rng.choice(self._samples[rng.choice(self._types)])
        event: dict[str, Any] = json.loads(value)
        self._number += 1
        event["id"] = f"e{self._number if rng.random() < 0.9 else rng.randrange(self._number + 1)}"
        for name in ("call", "unit", "case"):
            if name in event:
                event[name] = rng.choice(IDS)
        back = rng.choice((0, 1, 60, 3600, 86_400, 50 * 86_400)) * rng.random()
        event["at"] = (utc(now) - timedelta(seconds=back)).isoformat()
        return topic, key, event

    def _event(self, now: Micros) -> Record:
        topic, key, event = self._sample(now)
        return Record(topic, key, json.dumps(event).encode())

    def _field(self, now: Micros) -> Record:
        """An event with some of its fields replaced, gone, or of another type of event."""
        rng = self._rng
        topic, key, event = self._sample(now)
        for _ in range(rng.randint(1, 3)):
            name = rng.choice(list(event) or ["id"]) if rng.random() < 0.7 else rng.choice(self._fields)
            match rng.randrange(6):
                case 0:
                    event.pop(name, None)
                case 1:
                    event["type"] = rng.choice(TYPES)
                    topic = TOPIC_OF_TYPE.get(event["type"], topic)
                case 2:
                    event["at"] = rng.choice(TIMES)
                case 3:
                    event[name] = rng.choice(CODES)
                case _:
                    event[name] = self._value(2)
        if rng.random() < 0.05:
            topic = rng.choice(TOPICS)
        if rng.random() < 0.05:
            key = rng.choice((b"", b"seattle", b"\xff", str(event.get("program") or "").encode("utf-8", "replace")))
        return Record(topic, key, self._text(event))

    def _bytes(self, now: Micros) -> Record:
        """An event whose bytes were damaged on the way."""
        rng = self._rng
        topic, key, event = self._sample(now)
        value = bytearray(json.dumps(event).encode())
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(value) + 1)
            match rng.randrange(5):
                case 0:
                    value[at : at + 1] = rng.randbytes(1)
                case 1:
                    del value[at : at + rng.randint(1, 20)]
                case 2:
                    value[at:at] = rng.choice(
                        (b'"', b"{", b"}", b",", b"\\u0000", b"\\ud800", b"\xed\xa0\x80", b"\xff", b"\x00")
                    )
                case 3:
                    value[at:at] = value[: rng.randint(1, 80)]
                case _:
                    del value[at:]
        if rng.random() < 0.02:
            value += b" " * (MAX_BYTES - len(value) + rng.randint(-1, 1))
        return Record(topic, key, bytes(value))

    def _structure(self, now: Micros) -> Record:
        """JSON of any shape, some of it deeper or larger than anybody's."""
        rng = self._rng
        if rng.random() < 0.01:
            depth = rng.choice((100, 1000, 20_000, 65_000))
            return Record(rng.choice(TOPICS), b"chicago", rng.choice((b"[", b'{"a":', b'{"id":[')) * (depth // 6))
        return Record(rng.choice(TOPICS), rng.choice((None, b"chicago")), self._text(self._value(4)))

    def _noise(self, now: Micros) -> Record:
        rng = self._rng
        size = (
            rng.choice((0, 1, 10, 100, 1000))
            if rng.random() < 0.99
            else rng.choice((MAX_BYTES, MAX_BYTES + 1, 200_000))
        )
        return Record(rng.choice(TOPICS), rng.choice((None, b"chicago")), rng.choice((None, rng.randbytes(size))))

    def _value(self, depth: int) -> Any:
        rng = self._rng
        match rng.randrange(12 if depth else 8):
            case 0 | 1 | 2:
                return rng.choice(STRINGS)
            case 3:
                return rng.choice(NUMBERS)
            case 4:
                return rng.choice((True, False, None))
            case 5:
                return rng.choice(TIMES)
            case 6:
                return rng.choice(NOT_JSON) if rng.random() < 0.1 else rng.random() * 10 ** rng.randint(-5, 20)
            case 7:
                return "".join(rng.choices(string.printable + "\u00e9\u4e2d", k=rng.randint(0, 30)))
            case 8 | 9:
                return [self._value(depth - 1) for _ in range(rng.randint(0, 4))]
            case _:
                names = [*self._fields, *STRINGS[:20]]
                return {rng.choice(names): self._value(depth - 1) for _ in range(rng.randint(0, 4))}

    def _text(self, value: Any) -> bytes:
        """The JSON text; at times with other spelling, a name given twice, or bytes that are no UTF-8."""
        rng = self._rng
        plain = rng.random() < 0.8
        text = json.dumps(value, ensure_ascii=plain, indent=None if plain else 1).encode("utf-8", "surrogatepass")
        if not plain and text.startswith(b"{"):
            text = b'{"id": "twice", "at": "2026-01-01T00:00:00Z",' + text[1:] if len(text) > 3 else text
        return text


def moment(text: str) -> Micros:
    """A time as microseconds since the epoch."""
    return round(datetime.fromisoformat(text).timestamp() * 1_000_000)
