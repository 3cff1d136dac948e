"""What police did on a closed call (the contract, section 3: Police)."""

from __future__ import annotations

from datetime import timedelta

from tests.second.entry import Call
from tests.second.program import Program
from tests.second.work import is_point


def police_on(call: Call, program: Program) -> tuple[str | None, timedelta | None]:
    if call.closed is None:
        return None, None
    points = [said for said in call.walk if is_point(said)]
    if not any(call.agencies[program.unit(point.told["unit"])] == "police" for point in points):
        return "none", None
    police = [response for response in call.responses if call.agencies[response.unit] == "police"]
    there = [response for response in police if response.any_told("unit_on_scene")]
    if not there:
        return "cancelled", None
    clears = [response.told("unit_cleared") for response in there]
    cleared = [at for at in clears if at is not None]
    if len(cleared) < len(there):
        return "unknown", None
    care = [response for response in call.care() if response.any_told("unit_on_scene")]
    if not care:
        return "stayed", None
    last = max(care, key=lambda response: (response.told("unit_on_scene"), response.unit))
    if last.told("unit_cleared") is None:
        return "unknown", None
    end = max(at for response in care if (at := response.told("unit_cleared")) is not None)
    if max(cleared) < end:
        return "released", end - max(cleared)
    return "stayed", None
