"""The units of a program: how many are in which status, for how long they were, and what they could do at any time."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from typing import Literal, NamedTuple, overload

from streams.clock import HOUR, NEVER, Micros
from streams.entries import Span
from streams.events import UnitStatusCode
from streams.rules import Rules
from streams.views.steps import Steps

Standing = Literal["no_unit_on_duty", "out_of_service", "all_units_busy"]


Duty = Literal["off", "available", "unavailable", "busy"]


class _Kind:
    """Spans of one status, team and area; how many units of the team each of them is, in `steps`."""

    __slots__ = ("area", "available", "duty", "on_duty", "status", "steps", "team", "unavailable", "waits")

    def __init__(self, status: UnitStatusCode, team: str, area: str, steps: Steps) -> None:
        self.status = status
        self.team = team
        self.area = area
        self.steps = steps
        self.duty = duty = _duty(status)
        self.waits = duty != "off"  # it goes stale: every status does but off_duty
        self.on_duty = int(duty != "off")
        self.available = int(duty == "available")
        self.unavailable = int(duty == "unavailable")


class Past(Sequence[Span]):
    """The spans of one unit in order, without a gap; the last one holds still. Twelve bytes a span."""

    __slots__ = ("_kinds", "begins", "kinds", "stale")

    def __init__(self, kinds: list[_Kind]) -> None:
        """No spans; `kinds` are those of the view."""
        self._kinds = kinds
        self.begins = array("q")
        self.kinds = array("I")  # a kind's place in the list
        self.stale = False  # the last span is counted as ended, where the unit went stale

    def __len__(self) -> int:
        return len(self.begins)

    @overload
    def __getitem__(self, where: int) -> Span: ...
    @overload
    def __getitem__(self, where: slice) -> list[Span]: ...
    def __getitem__(self, where: int | slice) -> Span | list[Span]:
        if isinstance(where, slice):
            return [self[i] for i in range(*where.indices(len(self.begins)))]
        kind = self._kinds[self.kinds[where]]
        until = self.begins[where + 1] if where not in (-1, len(self.begins) - 1) else NEVER
        return Span(self.begins[where], until, kind.status, kind.team, kind.area)


class Range(NamedTuple):
    """A time from `begin` until before `end` in which something changed for a team."""

    begin: Micros
    end: Micros
    team: str


class Units:
    """Sums over the spans of units. What depends on the time is counted as time passes: `now` may be any, forward is cheap."""

    def __init__(self, rules: Rules) -> None:
        """No units."""
        self._stale_after = rules.stale_unit
        self._pasts: dict[str, Past] = {}
        self._kinds: list[_Kind] = []
        self._kind_of: dict[tuple[str, ...], int] = {}  # (status, team, area) -> its place
        self._steps: dict[str, Steps] = {}
        # by kind: units whose last span it is; and microseconds of spans that ended, less the beginnings of the last ones
        self._holding: list[int] = []
        self._ended: list[Micros] = []
        # hour of the last span's begin -> units; those that may go stale
        self._waiting: dict[int, dict[str, None]] = {}
        self._next_stale = NEVER  # none goes stale before
        self._stale: dict[str, Micros] = {}  # since when
        self._settled = -NEVER  # what went stale up to here is counted so
        self._newest = -NEVER  # no span begins later
        self._first = NEVER
        self._first_gone = False

    # --- what changes ---------------------------------------------------------------------------------------

    def change(self, unit: str, before: Sequence[Span], after: Sequence[Span]) -> None:
        """Spans of a unit took the place of others: only those that differ, in order, both of the same stretch of time."""
        past = self._pasts.get(unit)
        if past is None:
            past = self._pasts[unit] = Past(self._kinds)
        elif len(before) == 1 and len(after) == 2 and self._append(unit, past, before[0], after[0], after[1]):
            return
        first = (before or after)[0].begins if before or after else NEVER
        where = bisect_left(past.begins, first)
        if before and before[-1].until == NEVER:
            self._wake(unit, past)
        for span in before:
            self._add(span, self._place(span), -1)
        self._first_gone |= first <= self._first and bool(before)
        kinds = [self._place(span) for span in after]
        past.begins[where : where + len(before)] = array("q", [span.begins for span in after])
        past.kinds[where : where + len(before)] = array("I", kinds)
        for span, kind in zip(after, kinds, strict=True):
            self._add(span, kind, +1)
            self._newest = max(self._newest, span.begins)
            self._first = min(self._first, span.begins)
        if after and after[-1].until == NEVER:
            self._wait(unit, past)
        if not past.begins:
            del self._pasts[unit]

    def _append(self, unit: str, past: Past, was: Span, ended: Span, new: Span) -> bool:
        """The same for a status after all others of a unit that was not stale; False: it is something else."""
        begins, at = was[0], new[0]
        if past.stale or was[1] != NEVER or new[1] != NEVER or ended[0] != begins or ended[2:] != was[2:]:
            return False
        last = past.kinds[-1]
        kind = self._kinds[last]
        if kind.waits and at > begins + self._stale_after:
            return False
        code = self._kind_of.get(new[2:])
        if code is None:
            code = self._place(new)
        past.begins.append(at)
        past.kinds.append(code)
        self._ended[last] += at
        self._ended[code] -= at
        self._holding[last] -= 1
        self._holding[code] += 1
        if at > self._newest:
            self._newest = at
        other = self._kinds[code]
        if kind.steps is not other.steps:
            if kind.on_duty:
                kind.steps.add(at, -kind.on_duty, -kind.available, -kind.unavailable)
            if other.on_duty:
                other.steps.add(at, other.on_duty, other.available, other.unavailable)
        elif kind.duty != other.duty:
            other.steps.add(
                at,
                other.on_duty - kind.on_duty,
                other.available - kind.available,
                other.unavailable - kind.unavailable,
            )
        if kind.waits is not other.waits or at // HOUR != begins // HOUR or at + self._stale_after <= self._settled:
            if kind.waits:
                self._no_longer_waits(unit, begins)
            if other.waits:
                self._wait(unit, past)
        return True

    def _place(self, span: Span) -> int:
        code = self._kind_of.get(span[2:])
        if code is None:
            code = self._kind_of[span[2:]] = len(self._kinds)
            status, team, area = span[2:]
            steps = self._steps.setdefault(team, Steps())
            self._kinds.append(_Kind(status, team, area, steps))
            self._holding.append(0)
            self._ended.append(0)
        return code

    def _add(self, span: Span, code: int, sign: int) -> None:
        kind = self._kinds[code]
        if kind.on_duty:
            kind.steps.add(span.begins, sign, sign * kind.available, sign * kind.unavailable)
        if span.until == NEVER:
            self._holding[code] += sign
            self._ended[code] -= sign * span.begins
        else:
            end = self._end(span)
            self._ended[code] += sign * (end - span.begins)
            if kind.on_duty:
                kind.steps.add(end, -sign, -sign * kind.available, -sign * kind.unavailable)

    def _end(self, span: Span) -> Micros:
        """When the span stops to count."""
        if span.status == "off_duty":
            return span.until
        return min(span.until, span.begins + self._stale_after)

    # --- units that go stale --------------------------------------------------------------------------------

    def settle(self, now: Micros) -> None:
        """Count those as stale that are so by *now*."""
        if now <= self._settled:
            return
        self._settled = now
        if now < self._next_stale:
            return
        latest = now - self._stale_after  # a last status up to here is stale
        for hour in sorted(hour for hour in self._waiting if hour <= latest // HOUR):
            for unit in [unit for unit in self._waiting[hour] if self._pasts[unit].begins[-1] <= latest]:
                self._settle_one(unit, self._pasts[unit])
        self._next_stale = min(self._waiting, default=NEVER) * HOUR + self._stale_after

    def _settle_one(self, unit: str, past: Past) -> None:
        begins = past.begins[-1]
        self._no_longer_waits(unit, begins)
        past.stale = True
        self._stale[unit] = begins + self._stale_after
        self._count_stale(past, +1)

    def _count_stale(self, past: Past, sign: int) -> None:
        code = past.kinds[-1]
        kind = self._kinds[code]
        end = past.begins[-1] + self._stale_after
        self._holding[code] -= sign
        self._ended[code] += sign * end
        kind.steps.add(end, -sign, -sign * kind.available, -sign * kind.unavailable)

    def _wait(self, unit: str, past: Past) -> None:
        """The last span of the unit is new: it may go stale."""
        if not self._kinds[past.kinds[-1]].waits:
            return
        hour = past.begins[-1] // HOUR
        waiting = self._waiting.get(hour)
        if waiting is None:
            waiting = self._waiting[hour] = {}
            self._next_stale = min(self._next_stale, hour * HOUR + self._stale_after)
        waiting[unit] = None
        if past.begins[-1] + self._stale_after <= self._settled:
            self._settle_one(unit, past)

    def _no_longer_waits(self, unit: str, begins: Micros) -> None:
        waiting = self._waiting[begins // HOUR]
        del waiting[unit]
        if not waiting:
            del self._waiting[begins // HOUR]

    def _wake(self, unit: str, past: Past) -> None:
        """The last span of the unit goes."""
        if past.stale:
            self._count_stale(past, -1)
            past.stale = False
            del self._stale[unit]
        elif self._kinds[past.kinds[-1]].waits:
            self._no_longer_waits(unit, past.begins[-1])

    # --- what is asked --------------------------------------------------------------------------------------

    @property
    def first(self) -> Micros:
        """When the first span of all units begins; NEVER: there is none."""
        if self._first_gone:
            self._first_gone = False
            self._first = min((past.begins[0] for past in self._pasts.values()), default=NEVER)
        return self._first

    @property
    def teams(self) -> Mapping[str, Steps]:
        """Each team that a span named, with its units as a step function. Up to date once `settle` was asked."""
        return self._steps

    def __len__(self) -> int:
        """How many units there are."""
        return len(self._pasts)

    def spans(self, unit: str) -> Sequence[Span]:
        """The spans of a unit in order; none, if it is not known. It changes with the unit."""
        return self._pasts.get(unit, ())

    def known_at(self, unit: str, at: Micros) -> Span | None:
        """The status of a unit that holds at a time, however old; None: it had none by then."""
        past = self._pasts.get(unit)
        if past is None or at < past.begins[0]:
            return None
        return past[bisect_right(past.begins, at) - 1]

    def counts(self, now: Micros) -> Counter[tuple[str, str, str]]:
        """(team, area, status) -> units whose last status it is and which are not stale; no zeros."""
        self.settle(now)
        counts: Counter[tuple[str, str, str]] = Counter()
        for kind, units in zip(self._kinds, self._holding, strict=True):
            if units:
                counts[kind.team, kind.area, kind.status] += units
        for unit, since in self._stale.items() if now < self._settled else ():
            if now < since:
                last = self._pasts[unit][-1]
                counts[last.team, last.area, last.status] += 1
        return counts

    def stale(self, now: Micros) -> Counter[tuple[str]]:
        """(team,) -> units that are stale; no zeros."""
        self.settle(now)
        return Counter(
            (self._kinds[self._pasts[u].kinds[-1]].team,) for u, since in self._stale.items() if since <= now
        )

    def seconds(self, upto: Micros) -> Counter[tuple[str, str]]:
        """(team, status) -> microseconds that units spent in it until a time, the last status included."""
        self.settle(upto)
        spent: Counter[tuple[str, str]] = Counter()
        for kind, units, ended in zip(self._kinds, self._holding, self._ended, strict=True):
            if units or ended:
                spent[kind.team, kind.status] += ended + units * upto
        if upto < max(self._newest, self._settled):
            for past in self._pasts.values():
                self._take_later(past, upto, spent)
        return spent

    def _take_later(self, past: Past, upto: Micros, spent: Counter[tuple[str, str]]) -> None:
        """Take from sums up to a time what spans of the unit spent after it."""
        for where in range(len(past) - 1, -1, -1):
            span = past[where]
            runs = span.until == NEVER and not past.stale
            counted = (upto if runs else self._end(span)) - span.begins
            spent[span.team, span.status] -= counted - max(0, min(counted, upto - span.begins))
            if span.begins <= upto:
                return

    def result(self, at: Micros, teams: Iterable[str]) -> Standing | None:
        """Why no unit of these teams could be sent at a time; None: one could. Source: docs/meaning.md, Results."""
        self.settle(at)
        on_duty = unavailable = 0
        for team in teams:
            if steps := self._steps.get(team):
                level = steps.at(at)
                if level.available:
                    return None
                on_duty += level.on_duty
                unavailable += level.unavailable
        if not on_duty:
            return "no_unit_on_duty"
        return "out_of_service" if on_duty == unavailable else "all_units_busy"

    def touched(self, before: Sequence[Span], after: Sequence[Span]) -> list[Range]:
        """When `result` may be another one by this change of a unit's spans: for each team its ranges in order of time."""
        if len(before) == 1 and len(after) == 2 and before[0].until == NEVER and after[0][2:] == before[0][2:]:
            was, now, at = before[0], after[1], after[1].begins
            same = was.team == now.team and _duty(was.status) == _duty(now.status)
            if same and at <= self._end(was) and was.status != "off_duty":  # it is only longer not stale
                return [Range(self._end(was), self._end(now), was.team)]
        return _differences(self._duties(before), self._duties(after))

    def _duties(self, spans: Sequence[Span]) -> list[_OnDuty]:
        return [
            _OnDuty(span.begins, self._end(span), span.team, _duty(span.status))
            for span in spans
            if span.status != "off_duty"
        ]


class _OnDuty(NamedTuple):
    begins: Micros
    ends: Micros
    team: str
    duty: Duty


def _duty(status: UnitStatusCode) -> Duty:
    if status == "off_duty":
        return "off"
    return status if status == "available" or status == "unavailable" else "busy"


def _differences(was: list[_OnDuty], now: list[_OnDuty]) -> list[Range]:
    """Where two lists, each in order of time, do not say the same; ranges of a team that meet are one."""
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
                if mine and mine[-1].end == begin:
                    begin_of_both = mine.pop().begin
                    mine.append(Range(begin_of_both, end, team))
                else:
                    mine.append(Range(begin, end, team))
    return [range for _, mine in sorted(ranges.items()) for range in mine]
