"""Events that a week of one seed may not have, and panels are for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from dashboards.catalogue import times
from streams import events as e
from tests.integration.harness import PROFILES

Json = dict[str, Any]


def what_seldom_happens(now: datetime) -> Iterator[e.Event]:
    """What a week of one seed may not have, and panels are for."""

    def at(minutes: float) -> datetime:
        return now - timedelta(minutes=minutes)

    for program in PROFILES:
        area = next(iter(PROFILES[program].areas))
        call = f"{program}-seldom"
        common: Json = {"program": program, "call": call}
        yield e.CallReceived(id=f"{call}-1", at=at(40), call_type="no_such_type", area=area, **common)
        yield e.UnitDispatched(id=f"{call}-2", at=at(39), unit="u-seldom", **common)
        yield e.UnitOnScene(id=f"{call}-3", at=at(41), unit="u-seldom", **common)
        yield e.UseOfForce(id=f"{call}-4", at=at(30), level=1, **common)
        yield e.NeedlesCollected(id=f"{call}-5", at=at(29), count=3, **common)
        yield e.CallReceived(
            id=f"{call}-6", at=at(25), call_type="wellness_check", area=area, program=program, call=f"{call}-w"
        )
        yield e.CallTriaged(id=f"{call}-7", at=at(24), eligible=True, program=program, call=f"{call}-w")
        for number in range(times.ENOUGH):  # some weeks no area has as many as a median by area asks for
            yield from served(program, f"{program}-enough-{number}", area, at(60 + number))


def served(program: str, call: str, area: str, received: datetime) -> Iterator[e.Event]:
    """A call from its start to its end."""
    unit: Json = {"program": program, "call": call, "unit": "u-seldom"}
    yield e.CallReceived(id=f"{call}-1", at=received, call_type="wellness_check", area=area, program=program, call=call)
    yield e.UnitDispatched(id=f"{call}-2", at=received + timedelta(minutes=1), **unit)
    yield e.UnitOnScene(id=f"{call}-3", at=received + timedelta(minutes=9), **unit)
    yield e.UnitCleared(id=f"{call}-4", at=received + timedelta(minutes=20), **unit)
    yield e.CallClosed(
        id=f"{call}-5", at=received + timedelta(minutes=21), program=program, call=call, outcome="services"
    )
