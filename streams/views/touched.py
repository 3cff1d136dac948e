"""When a change of a unit's spans may change what a call was told that asked for a unit at some time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from operator import attrgetter
from typing import NamedTuple

from streams.clock import NEVER, Micros
from streams.entries import Span
from streams.views.spans import Duty, counts_until, duty_of


class Range(NamedTuple):
    """A time from `begin` until before `end` in which something changed for a team."""

    begin: Micros
    end: Micros
    team: str


_team = attrgetter("team")


class _OnDuty(NamedTuple):
    begins: Micros
    ends: Micros
    team: str
    duty: Duty


def touched(before: Sequence[Span], after: Sequence[Span], stale_after: Micros) -> list[Range]:
    """Where the spans before and after, each in order, do not say the same of the unit: a team after the other, in order."""
    if len(before) == 1 and len(after) == 2 and before[0].until == NEVER and after[0][2:] == before[0][2:]:
        return _by_next(before[0], after[1], stale_after)  # mostly so
    return _differences(_on_duty(before, stale_after), _on_duty(after, stale_after))


def _by_next(last: Span, new: Span, stale_after: Micros) -> list[Range]:
    """The same where a new status follows the last one."""
    at, was, now = new.begins, duty_of(last.status), duty_of(new.status)
    last_until, until = counts_until(last, stale_after), counts_until(new, stale_after)
    if now == was and new.team == last.team and at <= last_until:  # it is only stale later
        return [Range(last_until, until, new.team)] if now != "off" else []
    ranges = []
    if was != "off" and at < last_until and not (now != "off" and new.team == last.team):
        ranges.append(Range(at, last_until, last.team))
    if now != "off":
        ranges.append(Range(at, until, new.team))
    return sorted(ranges, key=_team)


def _on_duty(spans: Sequence[Span], stale_after: Micros) -> list[_OnDuty]:
    return [
        _OnDuty(span.begins, counts_until(span, stale_after), span.team, duty_of(span.status))
        for span in spans
        if span.status != "off_duty"
    ]


def _differences(was: list[_OnDuty], now: list[_OnDuty]) -> list[Range]:
    times = sorted({time for one in (*was, *now) for time in one[:2]})
    ranges: dict[str, list[Range]] = {}
    i = j = 0
    for begin, end in pairwise(times):
        while i < len(was) and was[i].ends <= begin:
            i += 1
        while j < len(now) and now[j].ends <= begin:
            j += 1
        old = was[i][2:] if i < len(was) and was[i].begins <= begin else ()
        new = now[j][2:] if j < len(now) and now[j].begins <= begin else ()
        if old != new:
            for team in {*old[:1], *new[:1]}:
                mine = ranges.setdefault(team, [])
                if mine and mine[-1].end == begin:  # goes on
                    mine[-1] = Range(mine[-1].begin, end, team)
                else:
                    mine.append(Range(begin, end, team))
    return [range for _, mine in sorted(ranges.items()) for range in mine]
