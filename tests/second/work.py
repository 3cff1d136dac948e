"""A unit works on one call at a time: the responses of each unit to each call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from tests.second.statements import Said

#: What shows that a unit has reached a call.
REACHED = ("unit_staged", "unit_on_scene", "contact_made", "unit_transporting", "unit_at_destination")
ENDS = ("unit_cleared", "unit_cancelled")
BEGINS = ("unit_dispatched", "unit_en_route")


@dataclass(frozen=True, order=True)
class Ending:
    """What ends a unit's work on a call; of equal times the first of the ranks holds. `by`: the other call that tells it."""

    at: datetime
    rank: int
    how: str
    by: str = ""


CLEARED, CANCELLED, ON_SCENE_ELSEWHERE, EN_ROUTE_ELSEWHERE, DIVERTED, AVAILABLE, OFF_DUTY = range(7)


@dataclass(frozen=True)
class Stacked:
    """Work that waits for the end of other work. `until` None: for ever."""

    until: datetime | None

    def outlasts(self, ending: Ending) -> bool:
        """Whether this work goes on in spite of what would end it."""
        if ending.how == "off_duty":
            return False
        if self.until is None or ending.at < self.until:
            return True
        return ending.at == self.until and ending.how == "available"


@dataclass(eq=False)
class Response:
    """A unit's work on a call, from when it is sent until it is ended."""

    unit: str
    call: str
    points: list[Said]
    #: The first point but for a clear that came before all others.
    first: datetime
    last: datetime
    #: Sent while the unit had reached other calls and worked there: until then.
    stacked: Stacked | None = None
    ending: Ending | None = None
    shown_from: datetime | None = None

    def told(self, type: str) -> datetime | None:
        """When a point was first told."""
        return min((point.at for point in self.points if point.type == type), default=None)

    def any_told(self, *types: str) -> bool:
        return any(point.type in types for point in self.points)

    @property
    def reached(self) -> bool:
        return self.any_told(*REACHED)

    @property
    def only_sent(self) -> bool:
        """Whether nothing but its dispatch is told, an early clear aside."""
        return all(point.type == "unit_dispatched" for point in self.points if point.at >= self.first)

    @property
    def cancelled(self) -> bool:
        """Sent away before it reached the call."""
        return self.any_told("unit_cancelled") and not self.reached

    def works(self, now: datetime) -> bool:
        """Whether this work is shown now."""
        begun = self.shown_from is not None and self.shown_from <= now
        return begun and (self.ending is None or now < self.ending.at)


def is_point(said: Said) -> bool:
    """Whether a statement is about a unit's work on a call."""
    if said.type == "contact_made":
        return "unit" in said.told and said.told.get("channel", "in_person") == "in_person"
    return said.type.startswith("unit_") and said.type != "unit_status"


class Work:
    """All work of one unit: its points by call, each in the order of the walk, and its statuses."""

    def __init__(self, unit: str, points: dict[str, list[Said]], statuses: Sequence[Said]) -> None:
        self._unit = unit
        self._points = points
        self._statuses = statuses
        self.responses = {call: self._split(call, points[call], dispatches=True) for call in points}
        for responses in self.responses.values():
            for response in responses:
                response.shown_from = _shown_from(response)

    def leaves(self, at: datetime, but: str | None = None) -> datetime | None:
        """The first moment from a time on at which no work stands that has reached a call; None: never."""
        told = [point.at for points in self._points.values() for point in points] + [said.at for said in self._statuses]
        moments = [at, *sorted(moment for moment in told if moment > at)]
        return next((moment for moment in moments if not self._stands(moment, but)), None)

    def _stands(self, at: datetime, but: str | None) -> bool:
        """Whether at a time the unit has reached a call other than `but` and works there, by what was told up to then."""
        return any(self._stands_at(call, at) for call in self._points if call != but)

    def _stands_at(self, call: str, at: datetime) -> bool:
        # Whether a unit has reached a call does not depend on dispatches elsewhere: they end only what has not.
        responses = self._split(call, [point for point in self._points[call] if point.at <= at], dispatches=False)
        if not responses:
            return False
        last = responses[-1]
        return last.reached and (last.ending is None or at < last.ending.at)

    def _endings(self, call: str, reached: bool, dispatches: bool) -> Iterator[Ending]:
        """All that is told elsewhere and ends work on the call."""
        for other, points in self._points.items():
            if other == call:
                continue
            for point in points:
                if point.type == "unit_en_route":
                    yield Ending(point.at, EN_ROUTE_ELSEWHERE, "elsewhere", other)
                elif point.type == "unit_on_scene":
                    yield Ending(point.at, ON_SCENE_ELSEWHERE, "on_scene_elsewhere", other)
                elif (
                    point.type == "unit_dispatched"
                    and dispatches
                    and not reached
                    and not self._stands(point.at, but=other)
                ):
                    yield Ending(point.at, DIVERTED, "diverted", other)
        for said in self._statuses:
            if said.told["status"] == "available":
                yield Ending(said.at, AVAILABLE, "available")
            elif said.told["status"] == "off_duty" and not reached:
                yield Ending(said.at, OFF_DUTY, "off_duty")

    def _split(self, call: str, points: Sequence[Said], dispatches: bool) -> list[Response]:
        found: list[Response] = []
        waiting: list[Said] = []

        def first_ending(response: Response, before: datetime | None) -> Ending | None:
            return min(
                (
                    ending
                    for ending in self._endings(call, response.reached, dispatches)
                    if response.last < ending.at and (before is None or ending.at < before)
                    if response.stacked is None or not response.only_sent or not response.stacked.outlasts(ending)
                ),
                default=None,
            )

        current: Response | None = None
        for point in points:
            if current is not None and current.ending is None:
                current.ending = first_ending(current, point.at)
            if point.type in ENDS:
                if current is None:
                    waiting.append(point)
                    continue
                current.points.append(point)
                rank = CLEARED if point.type == "unit_cleared" else CANCELLED
                told = Ending(point.at, rank, point.type.removeprefix("unit_"))
                if current.ending is None or (current.ending.at == told.at and told < current.ending):
                    current.ending = told
                continue
            if current is None or (current.ending is not None and point.type in BEGINS):
                current = Response(self._unit, call, [*waiting, point], first=point.at, last=point.at)
                waiting = []
                found.append(current)
                if dispatches and point.type == "unit_dispatched" and self._stands(point.at, but=call):
                    current.stacked = Stacked(self.leaves(point.at, but=call))
            else:
                current.points.append(point)
                current.ending = None
            current.last = point.at
        if current is not None and current.ending is None:
            current.ending = first_ending(current, None)
        return found


def _shown_from(response: Response) -> datetime | None:
    if response.stacked is None:
        return response.first
    other = [point.at for point in response.points if point.at >= response.first and point.type != "unit_dispatched"]
    return min([*other, *([] if response.stacked.until is None else [response.stacked.until])], default=None)
