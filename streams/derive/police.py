"""Police on a call: whether they came, and whether CARE let them go. Source: the contract, section 3, *Police*."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final, Literal, NamedTuple

from streams.clock import Micros
from streams.derive.response import Unit, Work


class Involvement(NamedTuple):
    """What police did. `freed` is how much earlier they left than CARE, microseconds; None: they were not released."""

    police: Literal["none", "cancelled", "released", "unknown", "stayed"]
    freed: Micros | None = None


NONE: Final = Involvement("none")


def involvement(units: Iterable[Unit], works: Sequence[Work]) -> Involvement:
    """What police did on a call, by all its units and their responses; the first that fits.

    A unit of which only a clear is told made no response, and is police on the call all the same.
    """
    for unit in units:
        if unit.agency == "police" and unit.first is not None:
            break
    else:
        return NONE
    there = [work for work in works if work.agency == "police" and work.on_scene is not None]
    if not there:
        return Involvement("cancelled")
    left = [work.cleared for work in there if work.cleared is not None]
    if len(left) < len(there):
        return Involvement("unknown")
    care = [work for work in works if work.agency == "care" and work.on_scene is not None]
    if not care:
        return Involvement("stayed")
    if max(care, key=_arrival).cleared is None:
        return Involvement("unknown")
    freed = max(work.cleared for work in care if work.cleared is not None) - max(left)
    return Involvement("released", freed) if freed > 0 else Involvement("stayed")


def _arrival(work: Work) -> tuple[Micros, str]:
    return work.on_scene or 0, work.unit
