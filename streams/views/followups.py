"""The clock of follow-ups: what is scheduled, open, overdue or missed at any time, without looking at every case.

Follow-ups of one team, area and checkpoint that take equally long from opening to due and from due to lapse are kept as
one sorted row of due times: how many are in which state is then a matter of a few bisections, at any *now*. Nothing has
to happen at the second when a state flips. Each time that is agreed with a person may need a row of its own; a row goes
with its last follow-up.

A checkpoint owed per person is owed by the person's newest case that has it. In an older case it is superseded when the
newer one opens: left out, unless it had lapsed or was resolved by then, or was done later. See docs/followups.md.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from typing import Final, Literal, NamedTuple

from streams.clock import DAY, NEVER, Micros
from streams.derive.case import MISSED_FOR
from streams.entries import Case, Followup
from streams.events import CASE_KINDS
from streams.times import Times

State = Literal["scheduled", "open", "overdue", "missed"]
STATES: Final[tuple[State, ...]] = ("scheduled", "open", "overdue", "missed")
RESULTS: Final = ("completed", "completed_late", "declined", "closed", "missed", "pending")
WINDOWS: Final[dict[str, Micros]] = {"7d": 7 * DAY, "30d": 30 * DAY}


class Owed(NamedTuple):
    """A follow-up that is owed, or was missed. Times are microseconds."""

    case: str
    team: str
    area: str
    checkpoint: str
    opens: Micros
    due: Micros
    lapses: Micros


class _Row(NamedTuple):
    """What the follow-ups of one sorted row share; the spans are from opening to due and from due to lapse."""

    team: str
    area: str
    checkpoint: str
    open_for: Micros
    overdue_for: Micros


class _Done(NamedTuple):
    """What resolved follow-ups share that are counted together."""

    team: str
    checkpoint: str
    result: str


class _Group(NamedTuple):
    """A checkpoint that a person is owed once."""

    person: int
    checkpoint: str


#: A case in its group: when it was opened, and its id.
_Member = tuple[Micros, str]


class Followups:
    """Follow-ups and active cases of a program. Says the same for a time whenever it is asked."""

    def __init__(self) -> None:
        """No cases yet."""
        self._owed: defaultdict[_Row, Times] = defaultdict(Times)  # by due time; the name is the case's id
        self._maybe_empty: set[_Row] = set()
        self._done: defaultdict[_Done, Times] = defaultdict(Times)  # by due time
        self._ends: defaultdict[str, Times] = defaultdict(Times)  # of active cases, by kind
        self._groups: dict[_Group, list[_Member]] = {}  # in order
        self._grouped: dict[str, Case] = {}  # the cases in groups: each may be superseded by a change of another

    # --- changes --------------------------------------------------------------------------------------------

    def change(self, id: str, before: Case | None, after: Case | None) -> None:
        """A case is derived anew: what it was (None: it did not exist), and what it is (None: it is gone)."""
        if before == after:
            return
        was, now = _groups_of(id, before), _groups_of(id, after)
        moved = self._older(was, now) if was != now else {}
        self._add(id, before, -1)
        self._add_again(moved, -1)
        if was != now:
            self._regroup(was, now)
        if now and after:
            self._grouped[id] = after
        elif was:
            del self._grouped[id]
        self._add(id, after, +1)
        self._add_again(moved, +1)

    def _add(self, id: str, case: Case | None, by: int) -> None:
        """Put a case in (+1), or take it out as it was put in (-1)."""
        if case is None:
            return
        for each in case.followups:
            self._add_followup(id, case, each, by)
        if case.state == "active" and case.kind is not None:
            self._ends[case.kind].change(case.ends, "", by)

    def _add_again(self, moved: dict[str, set[str]], by: int) -> None:
        """These checkpoints of these other cases."""
        for id, checkpoints in moved.items():
            case = self._grouped[id]
            for each in case.followups:
                if each.checkpoint in checkpoints:
                    self._add_followup(id, case, each, by)

    def _add_followup(self, id: str, case: Case, each: Followup, by: int) -> None:
        if each.per == "person" and _superseded(each, self._newer_from(id, case, each)):
            return
        if each.resolution is None:
            row = _Row(each.team, case.area, each.checkpoint, each.due - each.opens, each.lapses - each.due)
            self._owed[row].change(each.due, id, by)
            if by < 0:
                self._maybe_empty.add(row)
        else:
            self._done[_Done(each.team, each.checkpoint, each.resolution)].change(each.due, "", by)

    # --- owed per person ------------------------------------------------------------------------------------

    def _newer_from(self, id: str, case: Case, each: Followup) -> Micros:
        """When the person's next newer case with this checkpoint was opened; NEVER: there is none."""
        if case.person is None or case.opening is None:
            return NEVER
        members = self._groups[_Group(case.person, each.checkpoint)]
        next = bisect_right(members, (case.opening.at, id))
        return members[next][0] if next < len(members) else NEVER

    def _older(self, was: _Groups, now: _Groups) -> dict[str, set[str]]:
        """Cases that may be superseded at another time as one leaves its groups and joins others: checkpoints by id."""
        moved: dict[str, set[str]] = {}
        for group in was.keys() | now.keys():
            left, joined = was.get(group), now.get(group)
            if left == joined:
                continue
            members = self._groups.get(group, [])
            for member in (left, joined):
                before = bisect_left(members, member) - 1 if member else -1
                if member and before >= 0 and members[before][1] == member[1]:
                    before -= 1  # the one that moves
                if before >= 0:
                    moved.setdefault(members[before][1], set()).add(group.checkpoint)
        return moved

    def _regroup(self, was: _Groups, now: _Groups) -> None:
        for group, member in was.items():
            members = self._groups[group]
            del members[bisect_left(members, member)]
            if not members:
                del self._groups[group]
        for group, member in now.items():
            insort(self._groups.setdefault(group, []), member)

    # --- sums -----------------------------------------------------------------------------------------------

    def states(self, now: Micros) -> Counter[tuple[str, ...]]:
        """(team, area, checkpoint, state) -> follow-ups owed, where there are any."""
        counts: Counter[tuple[str, ...]] = Counter()
        for row, times in self._rows():
            for state, n in zip(STATES, _standing(row, times, now), strict=False):
                if n:
                    counts[row.team, row.area, row.checkpoint, state] += n
        return counts

    def next_lapse(self, now: Micros) -> dict[tuple[str, ...], Micros]:
        """(team,) -> when the next of its open and overdue follow-ups lapses."""
        found: dict[tuple[str, ...], Micros] = {}
        for row, times in self._rows():
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
        for row, times in self._rows():
            came = _standing(row, times, now)[len(STATES) + 1 :]
            for (window, result), n in zip(_OWED_IN, came, strict=True):
                if n:
                    counts[row.team, row.checkpoint, window, result] += n
        return counts

    def active(self, now: Micros) -> dict[tuple[str, ...], int]:
        """(kind,) -> active cases."""
        return {(kind,): len(self._ends[kind]) - self._ends[kind].upto(now) for kind in CASE_KINDS}

    # --- one by one -----------------------------------------------------------------------------------------

    def in_state(self, state: State, now: Micros) -> Iterator[Owed]:
        """Follow-ups in a state, for the work list; in no order."""
        for row, times in self._rows():
            lapsed = now - row.overdue_for
            begin, end = {
                "scheduled": (now + row.open_for, NEVER),
                "open": (now, now + row.open_for),
                "overdue": (lapsed, now),
                "missed": (lapsed - MISSED_FOR, lapsed),
            }[state]
            yield from _between(row, times, begin, end)

    def became(self, state: Literal["overdue", "missed"], after: Micros, upto: Micros) -> Iterator[Owed]:
        """Follow-ups owed that became overdue or missed after one time and up to another, for notices; in no order."""
        for row, times in self._rows():
            if state == "missed":
                yield from _between(row, times, after - row.overdue_for, upto - row.overdue_for)
            elif row.overdue_for:
                yield from _between(row, times, after, upto)

    def _rows(self) -> list[tuple[_Row, Times]]:
        for row in self._maybe_empty:
            if row in self._owed and not len(self._owed[row]):
                del self._owed[row]
        self._maybe_empty.clear()
        return list(self._owed.items())


#: The groups that a case is in, and its place there.
_Groups = dict[_Group, _Member]


def _groups_of(id: str, case: Case | None) -> _Groups:
    if case is None or case.person is None or case.opening is None:
        return {}
    member = case.opening.at, id
    return {_Group(case.person, each.checkpoint): member for each in case.followups if each.per == "person"}


def _superseded(each: Followup, newer_from: Micros) -> bool:
    """Whether a newer case owes it in place of this one: unless it was missed or closed by then, or was done at all."""
    if each.resolution is None or each.resolution == "missed":
        return each.lapses > newer_from
    if each.resolution == "closed":
        return each.at is not None and each.at >= newer_from  # of one time the opening comes first
    return False


def _between(row: _Row, times: Times, after: Micros, upto: Micros) -> Iterator[Owed]:
    for due, id in times.between(after, upto):
        yield Owed(id, row.team, row.area, row.checkpoint, due - row.open_for, due, due + row.overdue_for)


#: What follows the states in `_standing`, after the next lapse.
_OWED_IN: Final = [(window, result) for window in WINDOWS for result in ("missed", "pending")]


def _standing(row: _Row, times: Times, now: Micros) -> tuple[int, ...]:
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
