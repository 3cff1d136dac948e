"""When events became visible in /metrics: the arithmetic, without clocks or processes."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

#: Topic (without prefix) and program. Records of one are in one partition, so they are applied in their order.
Key = tuple[str, str]
Counts = Mapping[Key, int]

_SAMPLE = re.compile(rb'^care_events_total\{program="([^"]+)",topic="([^"]+)",type="[^"]+"\} (\S+)$', re.MULTILINE)


class Look(NamedTuple):
    """One scrape: when it was asked for, of what moment its numbers are, when the answer was complete (seconds)."""

    asked: float
    now: float
    answered: float
    counts: Counts
    size: int

    @property
    def took(self) -> float:
        """Seconds from the request to the whole answer."""
        return self.answered - self.asked


def family(text: bytes, name: bytes) -> bytes:
    """The lines of one metric family, without walking all others; empty if it is not there."""
    start = text.find(b"\n" + name + b"{")
    end = text.find(b"\n#", start + 1)
    return b"" if start < 0 else text[start + 1 : end if end > 0 else len(text)]


def events_shown(text: bytes) -> Counts:
    """Events applied by topic and program, as the text of /metrics has them."""
    counts: Counter[Key] = Counter()
    for program, topic, value in _SAMPLE.findall(family(text, b"care_events_total")):
        counts[topic.decode(), program.decode()] += int(float(value))
    return counts


def until_shown(sent: Mapping[Key, Sequence[float]], base: Counts, looks: Sequence[Look]) -> list[float]:
    """For every event: seconds from sending it to the end of the first answer that shows it.

    The wait for the next scrape is part of it. Events that no look shows are left out: the caller compares the number.
    """
    found: list[float] = []
    for key, times in sent.items():
        shown = 0
        for look in looks:
            upto = min(len(times), look.counts.get(key, 0) - base.get(key, 0))
            found += [look.answered - times[index] for index in range(shown, upto)]
            shown = max(shown, upto)
    return found


def age_of_newest(
    sent: Mapping[Key, Sequence[float]], base: Counts, looks: Sequence[Look], least_rate: float, until: float
) -> Iterator[float]:
    """For every look and every busy feed with an event still to come: age of the newest event that the answer shows.

    The age is from sending the event to the end of the answer. It is at most one distance between two events more than
    the time to being visible, so feeds with fewer than `least_rate` events a second are left out, and looks after
    `until`, when nothing is sent any more.
    """
    for key, times in sent.items():
        if len(times) < 2 or len(times) / max(times[-1] - times[0], 1e-9) < least_rate:
            continue
        for look in looks:
            shown = look.counts.get(key, 0) - base.get(key, 0)
            if look.now < until and 0 < shown < bisect_right(times, look.now):
                yield look.answered - times[shown - 1]
