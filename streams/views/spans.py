"""The spans of units, packed: what two of them share is kept once."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import Literal, overload

from streams.clock import NEVER, Micros
from streams.entries import Span
from streams.events import UnitStatusCode
from streams.views.steps import Steps

#: What a unit in a status is to a call that asks for one.
Duty = Literal["off", "available", "unavailable", "busy"]


def duty_of(status: UnitStatusCode) -> Duty:
    """What a unit in this status is to a call that asks for one."""
    if status == "off_duty":
        return "off"
    return status if status == "available" or status == "unavailable" else "busy"


def counts_until(span: Span, stale_after: Micros) -> Micros:
    """When the span stops to count: its end, or when the unit goes stale in it. Off duty a unit is never stale."""
    if span.status == "off_duty":
        return span.until
    return min(span.until, span.begins + stale_after)


class Kind:
    """All spans of one status, team and area, and what they sum up to."""

    __slots__ = (
        "area",
        "available",
        "duty",
        "ended",
        "holding",
        "on_duty",
        "place",
        "status",
        "steps",
        "team",
        "unavailable",
    )

    def __init__(self, place: int, span: Span, steps: Steps) -> None:
        """The kind of this span; `steps` are those of its team, `place` where it stands in the list of kinds."""
        self.place = place
        self.status, self.team, self.area = span[2:]
        self.steps = steps
        self.duty = duty_of(span.status)
        # how many units of the team one such span is
        self.on_duty = int(self.duty != "off")
        self.available = int(self.duty == "available")
        self.unavailable = int(self.duty == "unavailable")
        self.holding = 0  # units whose last span is of this kind, without those that are stale
        self.ended: Micros = 0  # what spans took that ended, less the begins of those that hold

    def step(self, at: Micros, sign: int) -> None:
        """From a time on, one such span more (+1) or less (-1)."""
        if self.on_duty:
            self.steps.add(at, sign, sign * self.available, sign * self.unavailable)

    def gives_way(self, at: Micros, other: Kind) -> None:
        """From a time on, a unit is of the other kind."""
        if self.steps is not other.steps:
            self.step(at, -1)
            other.step(at, +1)
        elif self.duty != other.duty:
            self.steps.add(
                at,
                other.on_duty - self.on_duty,
                other.available - self.available,
                other.unavailable - self.unavailable,
            )


class Past(Sequence[Span]):
    """The spans of one unit in order, without a gap; the last one holds still. Twelve bytes a span."""

    __slots__ = ("_kinds", "begins", "places", "stale")

    def __init__(self, kinds: list[Kind]) -> None:
        """No spans; `kinds` are those of the view."""
        self._kinds = kinds
        self.begins = array("q")
        self.places = array("I")  # of their kinds
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
        kind = self._kinds[self.places[where]]
        until = self.begins[where + 1] if where not in (-1, len(self.begins) - 1) else NEVER
        return Span(self.begins[where], until, kind.status, kind.team, kind.area)

    @property
    def last(self) -> Kind:
        """The kind of the last span."""
        return self._kinds[self.places[-1]]

    def splice(self, where: int, gone: int, spans: Sequence[Span], kinds: Sequence[Kind]) -> None:
        """Put spans in the place of some others."""
        self.begins[where : where + gone] = array("q", [span.begins for span in spans])
        self.places[where : where + gone] = array("I", [kind.place for kind in kinds])
