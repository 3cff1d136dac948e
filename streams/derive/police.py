"""Police on a call: whether they came, and whether CARE let them go. Source: the contract, section 3, *Police*."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

from streams.clock import Micros
from streams.derive.response import Work
from streams.said import Cleared, OnScene


class Involvement(NamedTuple):
    """What police did. `freed` is how much earlier they left than CARE, microseconds; None: they were not released."""

    police: Literal["none", "cancelled", "released", "unknown", "stayed"]
    freed: Micros | None = None


def involvement(works: Sequence[Work]) -> Involvement:
    """What police did on a call, by the responses of all its units; the first that fits."""
    police = [work for work in works if work.unit.agency == "police"]
    if not police:
        return Involvement("none")
    there = [work for work in police if OnScene in work.told]
    if not there:
        return Involvement("cancelled")
    care = [work for work in works if work.unit.agency == "care" and OnScene in work.told]
    if any(Cleared not in work.told for work in there):
        return Involvement("unknown")
    if not care:
        return Involvement("stayed")
    if Cleared not in max(care, key=_arrival).told:
        return Involvement("unknown")
    freed = _last_cleared(care) - _last_cleared(there)
    return Involvement("released", freed) if freed > 0 else Involvement("stayed")


def _arrival(work: Work) -> tuple[Micros, str]:
    return work.told[OnScene][0].at, work.unit.unit


def _last_cleared(works: Sequence[Work]) -> Micros:
    return max(work.told[Cleared][0].at for work in works if Cleared in work.told)
