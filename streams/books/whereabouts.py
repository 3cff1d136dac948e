"""Where each unit was told to be: the points of its work on all calls, and the statuses that end work, in order of time.

A unit works on one call at a time, so what is told of it at one call ends its work at another. The rules are in the
contract, section 3; this only finds what was told elsewhere. Nothing here depends on what was derived: points are as told.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from streams import said as s
from streams.clock import NEVER, Micros
from streams.derive.past import End
from streams.entries import Ended

#: Kinds of marks, in the order of a walk. REACHED: staged, contact in person, transporting, at destination; LEFT: cleared or
#: cancelled. The last two are statuses, and of no call.
DISPATCHED, EN_ROUTE, REACHED, ON_SCENE, LEFT, AVAILABLE, OFF_DUTY = range(7)
#: What each statement about a unit on a call is here.
KINDS: Final[dict[type[s.Said], int]] = {
    s.Dispatched: DISPATCHED,
    s.EnRoute: EN_ROUTE,
    s.Staged: REACHED,
    s.OnScene: ON_SCENE,
    s.Contact: REACHED,
    s.Transporting: REACHED,
    s.AtDestination: REACHED,
    s.Cleared: LEFT,
    s.Cancelled: LEFT,
}
STATUS_KINDS: Final = {"available": AVAILABLE, "off_duty": OFF_DUTY}

#: One thing told of a unit: when, and its kind.
Mark = tuple[Micros, int]

#: Marks that end work elsewhere, whatever it has reached; and those by which a unit has reached a call.
_MOVES: Final = frozenset((EN_ROUTE, ON_SCENE, AVAILABLE))
_REACHES: Final = frozenset((REACHED, ON_SCENE))
#: How marks end work elsewhere; of equal times the first of these.
_ENDS: Final[dict[int, Ended]] = {
    ON_SCENE: "on_scene_elsewhere",
    EN_ROUTE: "elsewhere",
    DISPATCHED: "diverted",
    AVAILABLE: "available",
    OFF_DUTY: "off_duty",
}


class Timeline:
    """The marks of one unit by time, in parallel arrays: there are some for each kept call."""

    __slots__ = ("_at", "_call", "_kind")

    def __init__(self) -> None:
        """Nothing told."""
        self._at = array("q")
        self._kind = array("B")
        self._call: list[str | None] = []  # for which a mark counts; None: a status

    def __len__(self) -> int:
        """How many marks there are."""
        return len(self._at)

    def add(self, call: str | None, mark: Mark) -> None:
        """Put a mark in."""
        at, kind = mark
        where = bisect_right(self._at, at)
        self._at.insert(where, at)
        self._kind.insert(where, kind)
        self._call.insert(where, call)

    def has(self, call: str | None, mark: Mark) -> bool:
        """Whether a mark is there."""
        at, kind = mark
        span = range(bisect_left(self._at, at), bisect_right(self._at, at))
        return any(self._kind[where] == kind and self._call[where] == call for where in span)

    def remove(self, call: str | None, mark: Mark) -> None:
        """Take out a mark that is there."""
        at, kind = mark
        where = bisect_left(self._at, at)
        while self._kind[where] != kind or self._call[where] != call:
            where += 1
            assert self._at[where] == at, "a mark that is not there"
        del self._at[where], self._kind[where], self._call[where]

    def fill(self, marks: Iterable[tuple[Micros, int, str | None]]) -> None:
        """Put many in at once: (at, kind, call)."""
        there = zip(self._at, self._kind, self._call, strict=True)
        marks = sorted((*there, *marks), key=lambda mark: mark[0])
        self._at = array("q", [at for at, _, _ in marks])
        self._kind = array("B", [kind for _, kind, _ in marks])
        self._call = [call for _, _, call in marks]

    # --- what was told elsewhere: see streams/derive/past.py ------------------------------------------------

    def end(self, call: str, after: Micros, reached: bool) -> End | None:
        """What first ends work at a call that stands after a time, whether it has reached the call or not."""
        ats, calls = self._at, self._call
        begin, n = bisect_right(ats, after), len(ats)
        while begin < n:
            at, end = ats[begin], begin + 1
            while end < n and ats[end] == at:
                end += 1
            # what is told elsewhere at the very time of a point here ends nothing here
            if call not in calls[begin:end]:
                kinds = {kind for kind in map(self._ends, range(begin, end)) if kind is not None}
                if reached:
                    kinds &= _MOVES
                for kind, how in _ENDS.items() if kinds else ():
                    if kind in kinds:
                        return End(at, how)
            begin = end
        return None

    def _ends(self, where: int) -> int | None:
        """The kind of a mark if it ends work elsewhere, at least such as has not reached its call."""
        kind = self._kind[where]
        if kind == DISPATCHED:  # stacked, it diverts nothing
            return None if self.stands(self._at[where], self._call[where]) else kind
        return kind if kind in _ENDS else None

    def stands(self, at: Micros, but: str | None) -> bool:
        """Whether the unit has reached a call other than `but` by this time, and its work there has not ended."""
        ats, kinds, calls = self._at, self._kind, self._call
        left: set[str] = set()  # calls that it left, later than where we look
        only: set[str] | None = None  # calls at which work goes on in spite of what is later; None: at any
        end = bisect_right(ats, at)
        while end:
            begin = end - 1
            while begin and ats[begin - 1] == ats[end - 1]:
                begin -= 1
            here: set[str] = set()
            moved = False
            for where in sorted(range(begin, end), key=kinds.__getitem__, reverse=True):  # against the walk
                kind, call = kinds[where], calls[where]
                moved |= kind in _MOVES
                if call is None:
                    continue
                here.add(call)
                if kind == LEFT:
                    left.add(call)
                elif kind in _REACHES and call != but and call not in left and (only is None or call in only):
                    return True
            if moved:  # work has ended, but for that at calls with a point at this very time
                only = here if only is None else only & here
                if not only - left:
                    return False
            end = begin
        return False

    def free_from(self, at: Micros, but: str | None) -> Micros:
        """The first moment from `at` on at which `stands` is not so; NEVER: there is none."""
        if not self.stands(at, but):
            return at
        where, n = bisect_right(self._at, at), len(self._at)
        while where < n:
            moment = self._at[where]
            if not self.stands(moment, but):
                return moment
            where = bisect_right(self._at, moment, where)
        return NEVER

    # --- what leans on what was told at a time --------------------------------------------------------------

    def around(self, at: Micros) -> Iterator[str]:
        """The calls whose work may end, go on or be shown otherwise by what is told at this time; some more than once."""
        ats, kinds, calls = self._at, self._kind, self._call
        stop: Micros | None = None
        for where in range(bisect_left(ats, at) - 1, -1, -1):
            if stop is not None and ats[where] != stop:
                break
            kind, call = kinds[where], calls[where]
            if call is not None:
                yield call
            # work at others has ended here
            if kind in _MOVES or (kind == DISPATCHED and not self.stands(ats[where], call)):
                stop = ats[where]
        begin, n = bisect_left(ats, at), len(ats)
        while begin < n:
            end = begin + 1
            while end < n and ats[end] == ats[begin]:
                end += 1
            here = {call for call in calls[begin:end] if call is not None}
            yield from here
            # here all begins anew, whatever was told before: work goes on at the call that it is on scene at, or at none
            new = {calls[where] for where in range(begin, end) if kinds[where] in (ON_SCENE, AVAILABLE)}
            if ats[begin] > at and new and here == new - {None}:
                break
            begin = end

    def off_duty_after(self, first: Micros, last: Micros) -> Iterator[Micros]:
        """The `off_duty` statuses before which the unit may have reached a call, by points that changed in a span."""
        for where in range(bisect_left(self._at, first), len(self._at)):
            kind = self._kind[where]
            if kind == OFF_DUTY:
                yield self._at[where]
            elif self._at[where] > last and kind in (ON_SCENE, AVAILABLE):
                return

    def between(self, begin: Micros, end: Micros) -> Iterator[str]:
        """The calls of which a point is told in a span, its ends included; some more than once."""
        for call in self._call[bisect_left(self._at, begin) : bisect_right(self._at, end)]:
            if call is not None:
                yield call


class Whereabouts:
    """The timelines of all units of a program, under the names that the program file gives them."""

    def __init__(self) -> None:
        """No units."""
        self.units: defaultdict[str, Timeline] = defaultdict(Timeline)

    def change(self, unit: str, call: str | None, before: Sequence[Mark], after: Sequence[Mark]) -> set[str]:
        """Put other marks of a call (None: statuses) in the place of some; the calls that lean on what has changed.

        The marks of one call are all different, and so are the statuses of one time and kind.
        """
        timeline = self.units[unit]
        gone = [mark for mark in before if mark not in after]
        new = [mark for mark in after if mark not in before]
        leaning: set[str] = set()
        for mark in gone:
            leaning.update(timeline.around(mark[0]))
        for mark in gone:
            timeline.remove(call, mark)
        for mark in new:
            timeline.add(call, mark)
        for mark in (*gone, *new):
            leaning.update(timeline.around(mark[0]))
        if not timeline:
            del self.units[unit]
        return leaning
