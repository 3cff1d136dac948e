"""The units of a program: how many are in which status, for how long they were, and what they could do at any time."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from streams.clock import NEVER, Micros
from streams.entries import Span
from streams.rules import Rules
from streams.views.silence import STRETCH, Silence
from streams.views.spans import Kind, Past, counts_until
from streams.views.steps import Steps
from streams.views.touched import Range, touched

Standing = Literal["no_unit_on_duty", "out_of_service", "all_units_busy"]


class Units:
    """Sums over the spans of units. Any time may be asked for; later ones in turn cost least, as units go stale only once."""

    def __init__(self, rules: Rules) -> None:
        """No units."""
        self._stale_after = rules.stale_unit
        self._pasts: dict[str, Past] = {}
        self._kinds: list[Kind] = []
        self._kind_of: dict[tuple[str, ...], Kind] = {}  # by status, team, area
        self._steps: dict[str, Steps] = {}
        self._silence = Silence()  # units that are on duty, by their last span
        self._stale: dict[str, Micros] = {}  # since when
        self._settled = -NEVER  # what went stale up to here is counted so
        self._latest = -NEVER  # no later time has gone into the sums
        self._first = NEVER
        self._first_gone = False

    # --- what changes ---------------------------------------------------------------------------------------

    def change(self, unit: str, before: Sequence[Span], after: Sequence[Span]) -> None:
        """Spans of a unit took the place of others: those that differ, in order, both of the same stretch of time."""
        past = self._pasts.get(unit)
        if past is None:
            past = self._pasts[unit] = Past(self._kinds)
        elif len(before) == 1 and len(after) > 1 and _goes_on(before[0], after[0]):
            self._append(unit, past, after)
            return
        first = min([span[0] for span in (*before[:1], *after[:1])], default=NEVER)
        where = bisect_left(past.begins, first)
        if before and before[-1].until == NEVER:
            self._wake(unit, past)
        for span in before:
            self._count(span, self._kind(span), -1)
        self._first_gone |= first <= self._first and bool(before)
        self._first = min(self._first, first)
        kinds = [self._kind(span) for span in after]
        past.splice(where, len(before), after, kinds)
        for span, kind in zip(after, kinds, strict=True):
            self._count(span, kind, +1)
        if after:
            self._latest = max(self._latest, after[-1].begins)
            if after[-1].until == NEVER:
                self._wait(unit, past)
        if not past.begins:
            del self._pasts[unit]

    def _append(self, unit: str, past: Past, spans: Sequence[Span]) -> None:
        """The same where statuses follow the last one, which is most changes; it is the first of these spans."""
        if past.stale:
            self._wake(unit, past)
            known = False
        else:
            known = True
        begins = at = spans[0][0]
        first = last = self._kinds[past.places[-1]]
        for new in spans[1:]:
            ended, at = at, new[0]
            kind = self._kind_of.get(new[2:]) or self._kind(new)
            past.begins.append(at)
            past.places.append(kind.place)
            last.holding -= 1
            kind.holding += 1
            kind.ended -= at
            ended += self._stale_after
            if last.on_duty and ended < at:  # it was stale in between
                last.ended += ended
                last.step(ended, -1)
                kind.step(at, +1)
            else:
                last.ended += at
                if kind is not last:
                    last.gives_way(at, kind)
            last = kind
        if at > self._latest:
            self._latest = at
        if known and first.on_duty:
            if last.on_duty and at // STRETCH == begins // STRETCH:
                return
            self._silence.take(unit, begins)
        self._wait(unit, past)

    def _kind(self, span: Span) -> Kind:
        kind = self._kind_of.get(span[2:])
        if kind is None:
            kind = Kind(len(self._kinds), span, self._steps.setdefault(span.team, Steps()))
            self._kind_of[span[2:]] = kind
            self._kinds.append(kind)
        return kind

    def _count(self, span: Span, kind: Kind, sign: int) -> None:
        kind.step(span.begins, sign)
        if span.until == NEVER:
            kind.holding += sign
            kind.ended -= sign * span.begins
        else:
            end = counts_until(span, self._stale_after)
            kind.ended += sign * (end - span.begins)
            kind.step(end, -sign)

    # --- units that go stale --------------------------------------------------------------------------------

    def settle(self, now: Micros) -> None:
        """Count those as stale that are so by *now*."""
        if now <= self._settled:
            return
        self._settled = now
        told = now - self._stale_after  # a last status up to here is stale
        for unit in self._silence.until(told, self._last_word):
            self._fall_silent(unit, self._pasts[unit])

    def _last_word(self, unit: str) -> Micros:
        return self._pasts[unit].begins[-1]

    def _fall_silent(self, unit: str, past: Past) -> None:
        past.stale = True
        self._stale[unit] = end = past.begins[-1] + self._stale_after
        self._latest = max(self._latest, end)
        self._count_stale(past.last, end, +1)

    def _count_stale(self, kind: Kind, end: Micros, sign: int) -> None:
        kind.holding -= sign
        kind.ended += sign * end
        kind.step(end, -sign)

    def _wait(self, unit: str, past: Past) -> None:
        """The last span of the unit is new: it may go stale."""
        begins = past.begins[-1]
        if past.last.on_duty:
            if begins + self._stale_after <= self._settled:
                self._fall_silent(unit, past)
            else:
                self._silence.put(unit, begins)

    def _wake(self, unit: str, past: Past) -> None:
        """The last span of the unit goes."""
        if past.stale:
            past.stale = False
            self._count_stale(past.last, self._stale.pop(unit), -1)
        elif past.last.on_duty:
            self._silence.take(unit, past.begins[-1])

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
        """Each team that a span named, with its units as a step function, up to the time that was last settled."""
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
        for kind in self._kinds:
            if kind.holding:
                counts[kind.team, kind.area, kind.status] = kind.holding
        for unit, since in self._stale.items() if now < self._settled else ():
            if now < since:
                last = self._pasts[unit].last
                counts[last.team, last.area, last.status] += 1
        return counts

    def stale(self, now: Micros) -> Counter[tuple[str]]:
        """(team,) -> units that are stale; no zeros."""
        self.settle(now)
        return Counter((self._pasts[unit].last.team,) for unit, since in self._stale.items() if since <= now)

    def seconds(self, upto: Micros) -> Counter[tuple[str, str]]:
        """(team, status) -> microseconds that units spent in it until a time, the last status included."""
        self.settle(upto)
        spent: Counter[tuple[str, str]] = Counter()
        for kind in self._kinds:
            spent[kind.team, kind.status] += kind.ended + kind.holding * upto
        if upto < self._latest:
            for past in self._pasts.values():
                self._take_later(past, upto, spent)
        return +spent

    def _take_later(self, past: Past, upto: Micros, spent: Counter[tuple[str, str]]) -> None:
        """Take from sums up to a time what spans of the unit spent after it."""
        for where in range(len(past) - 1, -1, -1):
            span = past[where]
            runs = span.until == NEVER and not past.stale
            counted = (upto if runs else counts_until(span, self._stale_after)) - span.begins
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
        """When `result` may be another one by this change of a unit's spans."""
        return touched(before, after, self._stale_after)


def _goes_on(was: Span, ended: Span) -> bool:
    """Whether the last span of a unit is the same, but that it has ended."""
    return was[1] == NEVER and was[0] == ended[0] and was[2:] == ended[2:]
