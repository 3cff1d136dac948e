"""Which records go first where there are too many that never end: those of which nothing was said for the longest.

Only what was said decides, so that a worker, its successor and `verify` choose the same; see limits.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import nsmallest
from typing import TYPE_CHECKING, NamedTuple

from streams.clock import Micros
from streams.limits import LIMITS, Kind

if TYPE_CHECKING:
    from streams.core import Core


class Stale(NamedTuple):
    """A record that is to go: its kind, its id, and its last word; if more was said since, it stays."""

    kind: Kind
    id: str
    last_said: Micros


def too_many(core: Core) -> Iterator[Stale]:
    """The records beyond the limits, the stalest of each kind first: so many at once as the limit says."""
    for (kind,), number in core.views.kept.endless().items():
        most, at_once = LIMITS[kind]  # type: ignore[index]  # the keys of `endless` are those of LIMITS
        if number > most:
            yield from _stalest(core, kind, -(-(number - most) // at_once) * at_once)  # type: ignore[arg-type]  # as above


def last_said(core: Core, kind: Kind, id: str) -> Micros | None:
    """The last word of a record that may go early; None: it may not, or not any more."""
    if kind == "units":
        return core.units.last_said(id)
    if kind == "open_calls":
        call = core.calls.live.get(id)
        if call is None or call.entry is None or call.entry.state != "open":
            return None
        # of a call that was reopened there may be a case, which needs it
        return None if id in core.cases or any(core.views.cases_of(id)) else call.entry.last_said
    case = core.cases.live.get(id)
    if case is None or case.entry is None or case.entry.state != "active" or case.entry.kind != "case_management":
        return None
    return case.entry.last_said


def _stalest(core: Core, kind: Kind, count: int) -> list[Stale]:
    if kind == "units":
        return [Stale(kind, unit, at) for unit, at in core.units.stalest(count)]
    ids = core.calls.live if kind == "open_calls" else core.cases.live
    found = (Stale(kind, id, at) for id in ids if (at := last_said(core, kind, id)) is not None)
    return nsmallest(count, found, key=lambda each: (each.last_said, each.id))
