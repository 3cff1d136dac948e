"""What gauges ask of a program's views. The views themselves stand in `streams/views`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, Protocol

from streams.clock import Micros
from streams.rules import Rules

#: How many there are, by label values (tuples, without the program). `Any`: a mapping of pairs is not one of tuples of any
#: length to a type checker.
Numbers = Mapping[Any, int]
#: Times, or sums of time, by label values.
Times = Mapping[Any, Micros]


class Units(Protocol):
    """Units by the status that holds."""

    def counts(self, now: Micros) -> Numbers:
        """By team, area, status; stale ones are left out."""

    def stale(self, now: Micros) -> Numbers:
        """By team."""

    def seconds(self, upto: Micros) -> Times:
        """Time in each status by team and status, the running status included up to a time."""


class StaffingSums(Protocol):
    """Time of units of a team."""

    @property
    def planned(self) -> Micros:
        """That the plan wants."""

    @property
    def on_duty(self) -> Micros:
        """That was on duty."""

    @property
    def available(self) -> Micros:
        """That was available."""

    @property
    def missing(self) -> Micros:
        """Planned minus on duty, where positive."""

    @property
    def none_available(self) -> Micros:
        """In which none was, while the team works (of the team, not of units)."""


class Staffing(Protocol):
    """What the staffing plan wants, and what was there."""

    def totals(self, now: Micros) -> Mapping[str, StaffingSums]:
        """By team, up to a time."""


class OpenCalls(Protocol):
    """Calls that are open."""

    def stages(self, now: Micros) -> Numbers:
        """By area, call type, stage."""

    def oldest(self, now: Micros) -> Times:
        """Since when the call waits that waits longest, by area."""

    def past_target(self, now: Micros) -> Numbers:
        """By area and interval."""

    def stale(self, now: Micros) -> Numbers:
        """By area."""


class ClosedCalls(Protocol):
    """Calls that are closed, by local day."""

    def today(self, now: Micros) -> Numbers:
        """By team, area, outcome."""

    def demand(self, now: Micros) -> Numbers:
        """By area and result."""


class Hours(Protocol):
    """Calls received in the last 28 days."""

    def since(self, now: Micros) -> Numbers:
        """By day of the week, hour and result."""


class Followups(Protocol):
    """Follow-ups of cases."""

    def states(self, now: Micros) -> Numbers:
        """What is owed, by team, area, follow-up, state."""

    def next_lapse(self, now: Micros) -> Times:
        """When the next open or overdue one lapses, by team."""

    def due(self, now: Micros) -> Numbers:
        """By team, follow-up, window, result."""

    def active(self, now: Micros) -> Numbers:
        """Active cases by kind."""


class People(Protocol):
    """People, by keyed hash."""

    def served(self) -> int:
        """Different ones over the kept calls and cases."""

    def repeat(self, now: Micros) -> Numbers:
        """With two contacts or more, by window."""


class Feeds(Protocol):
    """The program's topics."""

    def newest(self) -> Times:
        """The newest `at` by topic, heartbeats included."""


class Kept(Protocol):
    """Records that are kept (see limits.py)."""

    def endless(self) -> Numbers:
        """Those that never end by themselves, by kind."""

    def archived_early(self) -> Numbers:
        """Those that were archived because there were too many, by kind."""


class Views(Protocol):
    """All views of one program."""

    @property
    def units(self) -> Units:
        """Units by status."""

    @property
    def staffing(self) -> Staffing:
        """Planned and present."""

    @property
    def open_calls(self) -> OpenCalls:
        """Open calls."""

    @property
    def closed(self) -> ClosedCalls:
        """Closed calls by day."""

    @property
    def hours(self) -> Hours:
        """Calls by hour of week."""

    @property
    def followups(self) -> Followups:
        """Follow-ups and cases."""

    @property
    def people(self) -> People:
        """People."""

    @property
    def feeds(self) -> Feeds:
        """Topics."""

    @property
    def kept(self) -> Kept:
        """Records."""


class Look(NamedTuple):
    """A look at a program: at its views and its file, at a time."""

    views: Views
    rules: Rules
    now: Micros
    #: How far time that still runs is added up: less than *now* while statuses are still to be read.
    upto: Micros
