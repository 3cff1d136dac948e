"""Open calls as they are shown: by stage, who waits longest, past which targets.

A call is looked at when it has changed, and when a time comes from which it stands otherwise; else it costs a reading nothing.
Hours are asked for each area, so an opening hour costs nothing for each call either.
"""

from __future__ import annotations

from collections import Counter
from heapq import heapify, heappop, heappush, merge
from itertools import islice
from typing import NamedTuple

from streams.clock import NEVER, Micros
from streams.derive.stage import Stage, Standing, by_hours, standing, turns
from streams.derive.targets import Targets
from streams.entries import Call
from streams.programs import Interval
from streams.rules import Rules
from streams.views.counting import count
from streams.views.order import Dated, Order


class _Group:
    """Calls of an area that stand alike."""

    __slots__ = ("area", "by_type", "missed", "order", "stands")

    def __init__(self, area: str, stands: Standing) -> None:
        self.area = area
        self.stands = stands
        self.order = Order()  # since when each waits
        self.by_type: dict[str, int] = {}
        self.missed: dict[Interval, int] = {}  # targets; of calls that wait: while a team that covers the area works


class _Shown(NamedTuple):
    """A call as it stands from one time on (`begins`) and before another (`until`), if nothing is said."""

    call: Call
    begins: Micros
    until: Micros
    group: _Group | None  # None: left out
    missed: tuple[Interval, ...]


class OpenCalls:
    """The open calls of a program. It answers for any time; earlier and later ones in turn cost more."""

    def __init__(self, rules: Rules) -> None:
        """None open, under these rules: those of another program file need a new view."""
        self._rules = rules
        self._targets = Targets(rules)
        self._changed: dict[str, Call | None] = {}  # not looked at yet
        self._shown: dict[str, _Shown] = {}
        self._turns: list[
            tuple[Micros, str]
        ] = []  # a heap: `until` of those that are shown, and some that have passed away
        self._now: Micros = -NEVER
        self._groups: dict[tuple[str, Standing], _Group] = {}

    def change(self, id: str, before: Call | None, after: Call | None) -> None:
        """A call was something else before; None: it was not, or is no more."""
        if (after is not None and after.state == "open") or (before is not None and before.state == "open"):
            self._changed[id] = after

    def look(self, now: Micros) -> None:
        """Bring it to a time. Every answer does."""
        if now < self._now:
            for id, shown in self._shown.items():
                if now < shown.begins:
                    self._changed.setdefault(id, shown.call)
        self._now = now
        while self._turns and self._turns[0][0] <= now:
            at, id = heappop(self._turns)
            if id in self._shown and self._shown[id].until == at:
                self._changed.setdefault(id, self._shown[id].call)
        for id, call in self._changed.items():
            if id in self._shown:
                self._take_out(id)
            if call is not None and call.state == "open":
                self._put_in(id, self._see(call, now))
        self._changed.clear()
        if len(self._turns) > 2 * len(self._shown) + 64:
            self._turns = [(shown.until, id) for id, shown in self._shown.items() if shown.until < NEVER]
            heapify(self._turns)

    # answers

    def stages(self, now: Micros) -> dict[tuple[str, str, Stage], int]:
        """How many are open, by area, call type and stage."""
        self.look(now)
        found: Counter[tuple[str, str, Stage]] = Counter()
        for group in self._groups.values():
            stage = self._stage(group, now)
            for call_type, n in group.by_type.items():
                found[group.area, call_type, stage] += n
        return dict(found)

    def oldest(self, now: Micros) -> dict[tuple[str], Micros]:
        """Since when the call waits for CARE that waits longest, by area; no entry where none waits."""
        self.look(now)
        found: dict[tuple[str], Micros] = {}
        for group in self._groups.values():
            if group.order and group.stands.waits and self._works(group.area, now):
                since, _ = group.order.first()
                found[(group.area,)] = min(since, found.get((group.area,), since))
        return found

    def past_target(self, now: Micros) -> dict[tuple[str, Interval], int]:
        """How many are past the target of an interval that has not ended, by area and interval."""
        self.look(now)
        found: Counter[tuple[str, Interval]] = Counter()
        for group in self._groups.values():
            if not group.stands.waits or self._works(group.area, now):
                for interval, n in group.missed.items():
                    found[group.area, interval] += n
        return dict(found)

    def stale(self, now: Micros) -> dict[tuple[str], int]:
        """Of how many nothing was said for too long, by area."""
        self.look(now)
        stale = [group for group in self._groups.values() if group.stands.stage == "stale" and group.order]
        return {(group.area,): sum(group.by_type.values()) for group in stale}

    def ids(self, stage: Stage, now: Micros, most: int) -> list[Dated]:
        """Calls in a stage: since when each waits and its id, those that wait longest first, so many at most."""
        self.look(now)
        orders = [group.order for group in self._groups.values() if self._stage(group, now) == stage]
        return list(islice(merge(*orders), most))

    def _stage(self, group: _Group, now: Micros) -> Stage:
        stage = group.stands.stage
        return by_hours(group.area, now, self._rules) if stage == "waiting" else stage

    def _works(self, area: str, now: Micros) -> bool:
        return by_hours(area, now, self._rules) == "waiting"

    # calls

    def _see(self, call: Call, now: Micros) -> _Shown:
        begins, until = -NEVER, NEVER
        for at in turns(call, self._rules):
            if now < at < until:
                until = at
            elif begins < at <= now:
                begins = at
        stands = standing(call, now, self._rules)
        if stands is None:
            return _Shown(call, begins, until, None, ())
        missed: list[Interval] = []
        for interval, deadline in self._targets.while_working(call, stands, now).items():
            if deadline < now:
                missed.append(interval)
                begins = max(begins, deadline + 1)
            elif deadline < until:
                until = deadline + 1
        return _Shown(call, begins, until, self._group(call.area, stands), tuple(missed))

    def _group(self, area: str, stands: Standing) -> _Group:
        group = self._groups.get((area, stands))
        if group is None:
            group = self._groups[area, stands] = _Group(area, stands)
        return group

    def _put_in(self, id: str, shown: _Shown) -> None:
        self._shown[id] = shown
        if shown.until < NEVER:
            heappush(self._turns, (shown.until, id))
        if (group := shown.group) is not None:
            group.order.add(shown.call.since, id)
            count(group.by_type, shown.call.call_type, +1)
            for interval in shown.missed:
                count(group.missed, interval, +1)

    def _take_out(self, id: str) -> None:
        shown = self._shown.pop(id)
        if (group := shown.group) is not None:
            group.order.remove(shown.call.since, id)
            count(group.by_type, shown.call.call_type, -1)
            for interval in shown.missed:
                count(group.missed, interval, -1)
