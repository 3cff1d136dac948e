"""Staffing of each team: unit-seconds planned, on duty, available and missing, exact over any span of time.

It keeps nothing of units, only integrals over their steps (see steps.py), which are made when they are asked for and made again
from where something changed. A day here has 24 h of UTC; local days are asked as spans.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from operator import attrgetter
from typing import NamedTuple

from streams.clock import DAY, NEVER, SECOND, Micros
from streams.programs import OTHER
from streams.rules import Rules
from streams.views.steps import Day, Steps
from streams.views.units import Units

#: Of the days that changed last, integrals are kept by slots of this length: a change costs no more than the slots since.
SLOT = 300 * SECOND
_SLOTS = DAY // SLOT
#: So many days of a team have slots: today, and the one that late statuses are about.
_DAYS_WITH_SLOTS = 2
#: So many integrals over days without a change, and so many days of plans are kept.
_KEPT = 4096


class Sums(NamedTuple):
    """What passed for a team in some span of time, in microseconds; the first four are of units."""

    planned: Micros = 0
    on_duty: Micros = 0
    available: Micros = 0
    missing: Micros = 0  # planned less on duty, while that is positive
    none_available: Micros = 0  # time with none available while the team works
    short: Micros = 0  # time in which a unit was missing

    def plus(self, other: Sums) -> Sums:
        """Both together."""
        a, b = self, other
        return Sums(a[0] + b[0], a[1] + b[1], a[2] + b[2], a[3] + b[3], a[4] + b[4], a[5] + b[5])

    def less(self, other: Sums) -> Sums:
        """What is left without the other."""
        return Sums(*[mine - gone for mine, gone in zip(self, other, strict=True)])


class _Plan(NamedTuple):
    """What the program file says from a time on."""

    begins: Micros
    planned: int
    open: bool


class _Mark(NamedTuple):
    """Units on duty and available just before a time, and what passed since the day began."""

    on_duty: int
    available: int
    sums: Sums


class _Slots:
    """Marks of one day at the begin of each slot, as far as they were made; the first one is where the day begins to count."""

    __slots__ = ("begins", "marks")

    def __init__(self, begins: Micros, on_duty: int, available: int) -> None:
        self.begins = begins
        self.marks = [_Mark(on_duty, available, Sums())]

    def time(self, where: int) -> Micros:
        """When a mark is."""
        return self.begins if where == 0 else (self.begins // SLOT + where) * SLOT

    def last_until(self, at: Micros) -> int:
        """The last possible mark that is not later than a time."""
        return max(0, at // SLOT - self.begins // SLOT)


class _Total(NamedTuple):
    """All that passed from the begin of time that counts until a midnight of UTC."""

    begins: Micros
    until: Micros
    sums: Sums


class _Whole(NamedTuple):
    """All of a day that is over: what it began with, what passed, what it ended with."""

    begins: Micros
    on_duty: int
    available: int
    sums: Sums
    then_on_duty: int
    then_available: int


#: Of a team without units, and of a day on which nothing changes.
NOBODY = Steps()
NO_CHANGE = Day()

_begins = attrgetter("begins")


class Staffing:
    """Integrals over the steps of a program's units and its plans, from the first status or from what is archived on."""

    def __init__(self, rules: Rules, units: Units, archived: Micros = -NEVER) -> None:
        """`archived`: what passed before is archived and not in here."""
        self._rules = rules
        self._units = units
        self._archived = archived
        self._slots: dict[str, dict[int, _Slots]] = {}  # team -> day -> its slots
        self._known: dict[str, _Total] = {}
        self._whole: dict[str, dict[int, _Whole]] = {}  # team -> day -> all of it
        self._still: dict[tuple[str, Micros, Micros, int, int], Sums] = {}  # over days without a change
        self._plans: dict[tuple[str, int], list[_Plan]] = {}
        self._short: dict[str, Micros] = {}  # team -> since when it was short when last asked

    @property
    def begins(self) -> Micros:
        """From when on time counts: the first status, or the end of what is archived; NEVER: no status yet."""
        return max(self._units.first, self._archived)

    @property
    def teams(self) -> tuple[str, ...]:
        """Teams of the program file, and `other` once a status named it."""
        codes = self._rules.profile.team_codes
        return (*codes, OTHER) if OTHER in self._units.teams and OTHER not in codes else codes

    def totals(self, now: Micros) -> dict[str, Sums]:
        """What passed for each team until *now*, without what is archived."""
        self._units.settle(now)
        return {team: self._total(team, now) for team in self.teams}

    def seconds(self, team: str, begin: Micros, end: Micros) -> Sums:
        """What passed for a team from a time on until before another; nothing before time counts."""
        self._units.settle(end)
        begin = max(begin, self.begins)
        if end <= begin:
            return Sums()
        return self._seconds(team, begin, end)

    def archive(self, upto: Micros) -> dict[tuple[str, int], Sums]:
        """(team, local day) -> what passed before a time, which is the begin of a local day. It no longer counts here."""
        sums = self.by_day(upto)
        self._archived = max(self._archived, upto)
        for steps in self._units.teams.values():
            steps.fold(upto)
        self._known.clear()
        self._slots.clear()
        self._whole.clear()
        self._still.clear()
        return {key: sum for key, sum in sums.items() if any(sum)}

    def by_day(self, upto: Micros) -> dict[tuple[str, int], Sums]:
        """(team, local day) -> what passed before a time, without what is archived."""
        self._units.settle(upto)
        return {
            (team, day): self._seconds(team, begin, end)
            for day, begin, end in self._local_days(upto)
            for team in self.teams
        }

    def archived_upto(self, upto: Micros) -> None:
        """What passed before a time is archived, and not in here."""
        self._archived = max(self._archived, upto)

    def short_since(self, team: str, now: Micros) -> Micros | None:
        """Since when fewer units of a team are on duty than planned; None: there are as many now, or there was no status yet."""
        begin = self.begins
        if now < begin:
            return None
        self._units.settle(now)
        steps = self._units.teams.get(team, NOBODY)
        if self._rules.planned(team, now) <= steps.at(now).on_duty:
            self._short.pop(team, None)
            return None
        known = self._short.get(team, NEVER)
        if known < now and self._is_short(team, known, now) and not self._is_short(team, known - 1, known):
            return known
        since, ahead = now, SLOT
        while since > begin and self._is_short(team, since - ahead, since):
            since, ahead = max(begin, since - ahead), 2 * ahead
        not_yet = max(begin, since - ahead)
        while not_yet < since:  # the times from which on it is short have no gap
            middle = (not_yet + since) // 2
            if self._is_short(team, middle, since):
                since = middle
            else:
                not_yet = middle + 1
        self._short[team] = since
        return since

    def _is_short(self, team: str, begin: Micros, end: Micros) -> bool:
        """Whether a unit is missing all the time, as far as time counts."""
        begin = max(begin, self.begins)
        return begin < end and self._seconds(team, begin, end).short == end - begin

    # --- integrals ------------------------------------------------------------------------------------------

    def _total(self, team: str, end: Micros) -> Sums:
        """What passed until a time: of the days that are over once, as long as nothing about them changes."""
        begins, today = self.begins, end - end % DAY
        if today <= begins:
            return self.seconds(team, begins, end)
        steps = self._units.teams.get(team, NOBODY)
        known = self._known.get(team)
        if known is None or known.begins != begins or known.until > today or steps.changed_from < known.until:
            known = _Total(begins, begins, Sums())
        if known.until < today:
            sums = known.sums.plus(self._seconds(team, known.until, today))
            known = self._known[team] = _Total(begins, today, sums)
        if steps is not NOBODY:
            steps.changed_from = NEVER
        return known.sums.plus(self._seconds(team, today, end)) if today < end else known.sums

    def _seconds(self, team: str, begin: Micros, end: Micros) -> Sums:
        steps = self._units.teams.get(team, NOBODY)
        sums = Sums()
        number = begin // DAY
        level = steps.before(max(self.begins, number * DAY))  # of a day all is integrated, as its slots are
        on_duty, available = level.on_duty, level.available
        at = begin
        where = bisect_left(steps.order, number)
        while at < end:
            number = steps.order[where] if where < len(steps.order) else NEVER // DAY
            if at < number * DAY:
                until = min(end, number * DAY)
                sums = sums.plus(self._without_change(team, at, until, on_duty, available))
            else:
                until = min(end, (number + 1) * DAY)
                whole = self._of_day(team, steps.days[number], number, on_duty, available, until)
                sums = sums.plus(whole.sums)
                if at > max(self.begins, number * DAY):
                    sums = sums.less(self._of_day(team, steps.days[number], number, on_duty, available, at).sums)
                on_duty, available = whole.then_on_duty, whole.then_available
                where += 1
            at = until
        return sums

    def _of_day(self, team: str, day: Day, number: int, on_duty: int, available: int, until: Micros) -> _Whole:
        """What passed of a day until a time, of a day that began with such a level."""
        known, days = self._whole.setdefault(team, {}), self._slots.setdefault(team, {})
        begins = max(self.begins, number * DAY)
        slots = days.pop(number, None)
        if day.changed_from != NEVER:
            known.pop(number, None)
            if slots:
                del slots.marks[slots.last_until(max(begins, day.changed_from)) + 1 :]
            day.changed_from = NEVER
        elif until == (number + 1) * DAY and (whole := known.get(number)) and whole[:3] == (begins, on_duty, available):
            if slots:
                days[number] = slots
            return whole
        if slots is None or slots.begins != begins or slots.marks[0][:2] != (on_duty, available):
            slots = _Slots(begins, on_duty, available)
            while len(days) >= _DAYS_WITH_SLOTS:
                del days[next(iter(days))]
        days[number] = slots
        plans = self._plan(team, number)
        last = slots.last_until(until)
        while len(slots.marks) <= last:
            where = len(slots.marks)
            slots.marks.append(_sweep(day, plans, slots.time(where - 1), slots.time(where), slots.marks[-1]))
        end = _sweep(day, plans, slots.time(last), until, slots.marks[last])
        whole = _Whole(begins, on_duty, available, end.sums, end.on_duty, end.available)
        if until == (number + 1) * DAY:
            known[number] = whole
        return whole

    def _without_change(self, team: str, begin: Micros, end: Micros, on_duty: int, available: int) -> Sums:
        """What passed while the level stayed: of days that are over only once."""
        today = max(begin, end - end % DAY)
        sums = Sums()
        if begin < today:
            key = team, begin, today, on_duty, available
            if key not in self._still:
                if len(self._still) >= _KEPT:
                    self._still.clear()
                plans = list(self._plans_in(team, begin, today))
                self._still[key] = _sweep(NO_CHANGE, plans, begin, today, _Mark(on_duty, available, sums)).sums
            sums = self._still[key]
        if today < end:
            sums = _sweep(NO_CHANGE, self._plan(team, today // DAY), today, end, _Mark(on_duty, available, sums)).sums
        return sums

    # --- plans ----------------------------------------------------------------------------------------------

    def _plan(self, team: str, number: int) -> list[_Plan]:
        plans = self._plans.get((team, number))
        if plans is None:
            if len(self._plans) >= _KEPT:
                self._plans.clear()
            plans = self._plans[team, number] = list(self._plans_in(team, number * DAY, (number + 1) * DAY))
        return plans

    def _plans_in(self, team: str, begin: Micros, end: Micros) -> Iterator[_Plan]:
        while begin < end:
            yield _Plan(begin, self._rules.planned(team, begin), self._rules.open(team, begin))
            begin = self._rules.changes(begin)

    def _local_days(self, upto: Micros) -> Iterator[tuple[int, Micros, Micros]]:
        """Each local day from the begin until a time, with its begin and end."""
        begin = self.begins
        while begin < upto:
            day = self._rules.day(begin)
            end = self._rules.changes(begin)
            while end < upto and self._rules.day(end) == day:
                end = self._rules.changes(end)
            yield day, begin, min(end, upto)
            begin = end


def _sweep(day: Day, plans: list[_Plan], begin: Micros, end: Micros, mark: _Mark) -> _Mark:
    """A mark at `begin` moved to `end`, over the changes of a day and what is planned meanwhile."""
    on_duty, available, (planned_for, on_duty_for, available_for, missing_for, none_for, short_for) = mark
    change, last = bisect_left(day.at, begin), bisect_left(day.at, end)
    row = bisect_right(plans, begin, key=_begins) - 1
    at = begin
    while at < end:
        _, planned, open = plans[row]
        ends = plans[row + 1].begins if row + 1 < len(plans) else NEVER
        until = min(end, ends)
        if change < last:
            until = min(until, day.at[change])
        passed = until - at
        planned_for += planned * passed
        on_duty_for += on_duty * passed
        available_for += available * passed
        if planned > on_duty:
            missing_for += (planned - on_duty) * passed
            short_for += passed
        if open and not available:
            none_for += passed
        at = until
        while change < last and day.at[change] == at:
            on_duty += day.on_duty[change]
            available += day.available[change]
            change += 1
        if at == ends:
            row += 1
    return _Mark(on_duty, available, Sums(planned_for, on_duty_for, available_for, missing_for, none_for, short_for))
