"""The past of units, plainly: from all that is told of them, looked through anew for each question.

For tests of derivation. Work at another call is looked at one unit and call at a time, as docs/meaning.md says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from streams.clock import NEVER, Micros
from streams.derive.past import End, UnitResult
from streams.entries import Ended
from streams.rules import Rules
from streams.said import (
    AnyOfCall,
    AtDestination,
    Cancelled,
    Cleared,
    Contact,
    Dispatched,
    EnRoute,
    OnScene,
    Staged,
    Status,
    Transporting,
    UnitPoint,
    place,
)

REACHES = (Staged, OnScene, Contact, Transporting, AtDestination)


class Reach(NamedTuple):
    """Reached work of a unit at a call, until it ends."""

    begins: Micros
    ends: Micros


class PlainPast:
    """The past for one call: `others` are the statements of the other calls, `statuses` those of units, both by id."""

    def __init__(
        self,
        rules: Rules,
        this: Sequence[AnyOfCall] = (),
        others: Mapping[str, Sequence[AnyOfCall]] | None = None,
        statuses: Mapping[str, Sequence[Status]] | None = None,
    ) -> None:
        self.rules = rules
        self.calls = [list(this), *(others or {}).values()]
        self.statuses = statuses or {}

    def end(self, unit: str, after: Micros, reached: bool) -> End | None:
        ends = sorted(
            (end for end in self._ends(unit) if end.at > after), key=lambda end: (end.at, ORDER.index(end.how))
        )
        if reached:
            ends = [end for end in ends if end.how not in ("diverted", "off_duty")]
        return ends[0] if ends else None

    def stacked(self, unit: str, at: Micros) -> bool:
        return any(each.begins <= at < each.ends for each in self._reached(unit))

    def free_from(self, unit: str, at: Micros) -> Micros:
        for each in sorted(self._reached(unit)):
            if each.begins <= at < each.ends:
                at = each.ends
        return at

    def team(self, unit: str, at: Micros) -> str | None:
        last = [each for each in self._statuses(unit) if each.at <= at]
        return self.rules.label("team", last[-1].team) if last else None

    def result(self, at: Micros, teams: tuple[str, ...]) -> UnitResult | None:
        now = [[each for each in self._statuses(unit) if each.at <= at][-1:] for unit in self.statuses]
        words = [s.status for last in now for s in last if s.team in teams and s.status != "off_duty"]
        if not words:
            return "no_unit_on_duty"
        if all(word == "unavailable" for word in words):
            return "out_of_service"
        return None if "available" in words else "all_units_busy"

    def _statuses(self, unit: str) -> list[Status]:
        return sorted(
            (s for name, told in self.statuses.items() if self.rules.unit(name).unit == unit for s in told), key=place
        )

    def _points(self, unit: str, said: Sequence[AnyOfCall]) -> list[UnitPoint | Contact]:
        points: list[UnitPoint | Contact] = []
        for each in sorted(said, key=place):
            if not isinstance(each, UnitPoint | Contact) or each.unit is None:
                continue
            if isinstance(each, Contact) and each.channel != "in_person":
                continue
            if self.rules.unit(each.unit).unit == unit:
                points.append(each)
        return points

    def _ends(self, unit: str) -> Iterator[End]:
        for said in self.calls[1:]:
            for point in self._points(unit, said):
                if isinstance(point, EnRoute):
                    yield End(point.at, "elsewhere")
                elif isinstance(point, OnScene):
                    yield End(point.at, "on_scene_elsewhere")
                elif isinstance(point, Dispatched) and not self._was_elsewhere(unit, point.at, said):
                    yield End(point.at, "diverted")
        for status in self._statuses(unit):
            if status.status == "available":
                yield End(status.at, "available")
            elif status.status == "off_duty":
                yield End(status.at, "off_duty")

    def _was_elsewhere(self, unit: str, at: Micros, call: Sequence[AnyOfCall]) -> bool:
        """Whether a dispatch to a call is stacked."""
        calls = [said for said in self.calls if said is not call]
        return any(each.begins <= at < each.ends for said in calls for each in self._reached_at(unit, said))

    def _reached(self, unit: str) -> list[Reach]:
        return [each for said in self.calls[1:] for each in self._reached_at(unit, said)]

    def _reached_at(self, unit: str, said: Sequence[AnyOfCall]) -> Iterator[Reach]:
        points = self._points(unit, said)
        others = [p for call in self.calls if call is not said for p in self._points(unit, call)]
        ends = [p.at for p in others if isinstance(p, EnRoute | OnScene)]
        ends += [s.at for s in self._statuses(unit) if s.status == "available"]
        reached, over = False, NEVER
        for index, point in enumerate(points):
            if isinstance(point, Dispatched | EnRoute) and over < point.at:
                reached = False
            reached = reached or isinstance(point, REACHES)
            over = point.at
            if reached and not isinstance(point, Cleared | Cancelled):
                over = min((at for at in ends if at > point.at), default=NEVER)
                following = points[index + 1].at if index + 1 < len(points) else NEVER
                yield Reach(point.at, min(over, following))


ORDER: tuple[Ended, ...] = (
    "elsewhere",
    "on_scene_elsewhere",
    "diverted",
    "available",
    "off_duty",
    "works",
    "cleared",
    "cancelled",
)
