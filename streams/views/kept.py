"""Records that never end by themselves: how many there are, and how many were archived because there were too many."""

from __future__ import annotations

from collections import Counter

from streams.entries import Call, Case
from streams.limits import LIMITS, Kind
from streams.views.units import Units


class Kept:
    """Open calls, cases under case management that are not closed, and units; see limits.py."""

    def __init__(self, units: Units) -> None:
        """None yet, but the units of that view."""
        self._units = units
        self._endless: Counter[Kind] = Counter()
        self._archived: Counter[Kind] = Counter()

    def of_call(self, before: Call | None, after: Call | None) -> None:
        """A call is something else now."""
        self._endless["open_calls"] += _is_open(after) - _is_open(before)

    def of_case(self, before: Case | None, after: Case | None) -> None:
        """A case is something else now."""
        self._endless["endless_cases"] += _is_endless(after) - _is_endless(before)

    def archived(self, kind: Kind, count: int) -> None:
        """So many were archived early."""
        self._archived[kind] += count

    def endless(self) -> dict[tuple[str], int]:
        """(kind,) -> records."""
        return {(kind,): len(self._units) if kind == "units" else self._endless[kind] for kind in LIMITS}

    def archived_early(self) -> dict[tuple[str], int]:
        """(kind,) -> records archived early, ever."""
        return {(kind,): self._archived[kind] for kind in LIMITS}


def _is_open(call: Call | None) -> bool:
    return call is not None and call.state == "open"


def _is_endless(case: Case | None) -> bool:
    return case is not None and case.state == "active" and case.kind == "case_management"
