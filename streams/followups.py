"""The clock of follow-ups: what is scheduled, open, overdue or missed at any time, without looking at every case.

Follow-ups of one team, area and checkpoint that take equally long from opening to due and from due to lapse are kept as
one sorted row of due times: how many are in which state is then a matter of four bisections, at any *now*. Nothing has
to happen at the second when a state flips.

The durations of a plan in days are local calendar days: 7 days after Friday 15:00 is Friday 15:00, also over a weekend in
which the clocks change. Those in hours, minutes and seconds are elapsed time. See docs/followups.md.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from streams.cases import Case, Opening
from streams.clock import DAY, NEVER, Micros, from_local, keeps_clock, local_micros, utc
from streams.events import CASE_KINDS
from streams.programs import Checkpoint, Profile, duration
from streams.times import Times

STATES = ("scheduled", "open", "overdue", "missed")
RESULTS = ("completed", "completed_late", "declined", "closed", "missed", "pending")
WINDOWS: dict[str, Micros] = {"7d": 7 * DAY, "30d": 30 * DAY}
#: A missed follow-up is shown so long after its lapse; then nobody will do it any more.
MISSED_FOR: Micros = 30 * DAY


class Followup(msgspec.Struct, frozen=True, gc=False):
    """One follow-up of a case: its checkpoint and its three times."""

    checkpoint: str
    opens: Micros
    due: Micros
    lapses: Micros


class Row(msgspec.Struct, frozen=True, gc=False):
    """What the follow-ups of one sorted row share; the spans are from opening to due and from due to lapse."""

    team: str
    area: str
    checkpoint: str
    open_for: Micros
    overdue_for: Micros


class _Span(NamedTuple):
    """A duration of a plan: local calendar days, or elapsed time."""

    took: Micros
    days: bool

    def after(self, start: Micros, shown: Micros, zone: ZoneInfo) -> Micros:
        """The time so long after a start, at which the zone's clock showed `shown`."""
        return from_local(shown + self.took, zone) if self.days else start + self.took


class _Point(NamedTuple):
    """A checkpoint of a plan: when it opens, is due and lapses, from the opening of the case."""

    id: str
    spans: list[_Span]


def _point(of: Checkpoint) -> _Point:
    return _Point(of.id, [_Span(duration(text), text.endswith("d")) for text in (of.opens, of.due, of.lapses)])


class _Plan(NamedTuple):
    """What is planned for one case."""

    followups: tuple[Followup, ...]
    end: Micros


class Plans:
    """The follow-ups that a program's profile plans for a case."""

    def __init__(self, profile: Profile) -> None:
        """Plans of this profile."""
        self._zone = profile.zone
        #: (team, kind of case) -> the versions of the team, each with its checkpoints.
        self._versions = {
            (team.code, kind): [
                (version, [_point(point) for point in version.followups if kind in point.kinds])
                for version in profile.teams
                if version.code == team.code
            ]
            for team in profile.teams
            for kind in CASE_KINDS
        }
        self._plan = lru_cache(maxsize=32)(self._make)  # an event takes a case out and puts it back in
        self._at_midnight = lru_cache(maxsize=256)(self._make_at_midnight)

    def of(self, opening: Opening) -> tuple[Followup, ...]:
        """The follow-ups of a case, by the version of its team in force on the local day of its opening."""
        return self._plan(opening).followups

    def end(self, opening: Opening) -> Micros:
        """When there is nothing more to show of the case's follow-ups: 30 days after the last lapse (or the opening)."""
        return self._plan(opening).end

    def _make(self, opening: Opening) -> _Plan:
        shown = local_micros(opening.at, self._zone)
        into_day = shown % DAY
        plan = self._at_midnight(opening.team, opening.kind, opening.at - into_day, shown - into_day)
        if plan is None:
            return self._plan_of(opening.team, opening.kind, opening.at, shown)
        moved = [
            Followup(x.checkpoint, x.opens + into_day, x.due + into_day, x.lapses + into_day) for x in plan.followups
        ]
        return _Plan(tuple(moved), plan.end + into_day)

    def _make_at_midnight(self, team: str, kind: str, start: Micros, shown: Micros) -> _Plan | None:
        """The plan of a case that opens as a day begins; those of the day have the same, so much later.

        None: not so, as the clock is changed on one of the days that are counted to.
        """
        spans = [span for _, points in self._versions.get((team, kind), ()) for point in points for span in point.spans]
        if all(keeps_clock(shown + span.took, self._zone) for span in spans if span.days):
            return self._plan_of(team, kind, start, shown)
        return None

    def _plan_of(self, team: str, kind: str, start: Micros, shown: Micros) -> _Plan:
        """The plan of a case that opens at a time, when the program's clock shows `shown`."""
        found: list[Followup] = []
        end = start
        for version, points in self._versions.get((team, kind), ()):
            if not version.active(utc(shown).date()):
                continue
            for point in points:
                opens, due, lapses = [span.after(start, shown, self._zone) for span in point.spans]
                due = max(opens, due)  # a day of 23 hours must not put 1 day before 24 hours
                lapses = max(due, lapses)
                found.append(Followup(point.id, opens, due, lapses))
                end = max(end, lapses)
        return _Plan(tuple(found), end + MISSED_FOR)


class Board:
    """All follow-ups of a program, and its active cases. Says the same for a time whenever it is asked."""

    def __init__(self, profile: Profile) -> None:
        """No cases yet."""
        self.plans = Plans(profile)
        self._owed: defaultdict[Row, Times] = defaultdict(Times)  # by due time; the name is the case's id
        self._done: defaultdict[tuple[str, str, str], Times] = defaultdict(Times)  # by due time
        self._ends: defaultdict[str, Times] = defaultdict(Times)  # of active cases, by kind

    def change(
        self, id: str, opening: Opening, case: Case | None, by: int, checkpoint: str | None = None
    ) -> list[Followup]:
        """Put a case in (+1), or take it out as it was put in (-1); its follow-ups that are not resolved.

        With a checkpoint: only its follow-up, where the case stays as active as it is.
        """
        owed: list[Followup] = []
        for each in self.plans.of(opening):
            if checkpoint is not None and each.checkpoint != checkpoint:
                continue
            resolved = case.resolved(each.checkpoint) if case else None
            if resolved is None:
                owed.append(each)
                row = Row(opening.team, opening.area, each.checkpoint, each.due - each.opens, each.lapses - each.due)
                self._owed[row].change(each.due, id, by)
            else:
                at, result = resolved
                if result == "completed" and at >= each.due:
                    result = "completed_late"
                self._done[opening.team, each.checkpoint, result].change(each.due, "", by)
        if checkpoint is None and not (case and case.closed):
            self._ends[opening.kind].change(self.active_until(opening), "", by)
        return owed

    def active_until(self, opening: Opening) -> Micros:
        """When a case that nobody closes stops being active: case management goes on, the others are over in the end."""
        return NEVER if opening.kind == "case_management" else self.plans.end(opening)

    # --- for the read model ---------------------------------------------------------------------------------

    def states(self, now: Micros) -> Counter[tuple[str, ...]]:
        """(team, area, checkpoint, state) -> follow-ups not resolved, where there are any."""
        counts: Counter[tuple[str, ...]] = Counter()
        for row, times in self._owed.items():
            for state, n in zip(STATES, _standing(row, times, now), strict=False):
                if n:
                    counts[row.team, row.area, row.checkpoint, state] += n
        return counts

    def next_lapse(self, now: Micros) -> dict[tuple[str, ...], Micros]:
        """(team,) -> when the next of its open and overdue follow-ups lapses."""
        found: dict[tuple[str, ...], Micros] = {}
        for row, times in self._owed.items():
            due = _standing(row, times, now)[len(STATES)]
            if due != NEVER:
                lapses = due + row.overdue_for
                found[(row.team,)] = min(found.get((row.team,), lapses), lapses)
        return found

    def due(self, now: Micros) -> Counter[tuple[str, ...]]:
        """(team, checkpoint, window, result) -> follow-ups, resolved or not, that came due in the window up to now.

        Only where there are any.
        """
        counts: Counter[tuple[str, ...]] = Counter()
        for (team, checkpoint, result), times in self._done.items():
            for window, n in zip(WINDOWS, times.steady(now, _came_due), strict=True):
                if n:
                    counts[team, checkpoint, window, result] += n
        for row, times in self._owed.items():
            came = _standing(row, times, now)[len(STATES) + 1 :]
            for (window, result), n in zip(_OWED_IN, came, strict=True):
                if n:
                    counts[row.team, row.checkpoint, window, result] += n
        return counts

    def active(self, now: Micros) -> dict[tuple[str, ...], float]:
        """(kind,) -> cases opened and not closed."""
        return {(kind,): len(self._ends[kind]) - self._ends[kind].upto(now) for kind in CASE_KINDS}

    # --- one by one -----------------------------------------------------------------------------------------

    def in_state(self, state: str, now: Micros) -> Iterator[tuple[str, Row, Followup]]:
        """Follow-ups in a state: the case's id, its row, its times."""
        for row in list(self._owed):
            lapsed = now - row.overdue_for
            begin, end = {
                "scheduled": (now + row.open_for, NEVER),
                "open": (now, now + row.open_for),
                "overdue": (lapsed, now),
                "missed": (lapsed - MISSED_FOR, lapsed),
            }[state]
            yield from self._between(row, begin, end)

    def became(self, state: str, after: Micros, upto: Micros) -> Iterator[tuple[str, Row, Followup]]:
        """Follow-ups that became `overdue` or `missed` in a span of time and are not resolved."""
        for row in list(self._owed):
            if state == "missed":
                yield from self._between(row, after - row.overdue_for, upto - row.overdue_for)
            elif row.overdue_for:
                yield from self._between(row, after, upto)

    def _between(self, row: Row, after: Micros, upto: Micros) -> Iterator[tuple[str, Row, Followup]]:
        for due, id in self._owed[row].between(after, upto):
            yield id, row, Followup(row.checkpoint, due - row.open_for, due, due + row.overdue_for)


#: What follows the states in `_standing`, after the next lapse.
_OWED_IN = [(window, result) for window in WINDOWS for result in ("missed", "pending")]


def _standing(row: Row, times: Times, now: Micros) -> tuple[int, ...]:
    """Of the follow-ups of a row: how many are in each state, the due time of the one that lapses next, `_OWED_IN`."""

    def count(upto: Callable[[Micros], int]) -> tuple[int, ...]:
        opened, due = upto(row.open_for), upto(0)
        lapsed, gone = upto(-row.overdue_for), upto(-row.overdue_for - MISSED_FOR)
        next_due = times.next(now - row.overdue_for) if lapsed < opened else None
        counts = [
            len(times) - opened,
            opened - due,
            due - lapsed,
            lapsed - gone,
            NEVER if next_due is None else next_due,
        ]
        for span in WINDOWS.values():
            before = upto(-span)
            missed_to = max(before, lapsed)
            counts += [missed_to - before, due - missed_to]
        return tuple(counts)

    return times.steady(now, count)


def _came_due(upto: Callable[[Micros], int]) -> tuple[int, ...]:
    """Of resolved follow-ups: how many came due in each window."""
    due = upto(0)
    return tuple(due - upto(-span) for span in WINDOWS.values())
