"""What an event costs does not grow with what it does not touch: looks are counted, not seconds."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from streams import bounds, packed
from streams import events as e
from streams.duty import CHANGED, FEW
from streams.units import Unit
from tests.unit.strategies import (
    HOUR,
    NOON,
    Bench,
    attempted,
    closed,
    make,
    opened,
    outreach,
    received,
    status,
)


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """How many units were asked for a time since the last call of this."""
    count = 0

    def counted(name: str) -> None:
        found = getattr(Unit, name)

        def asked(self: Unit, *args: Any) -> Any:
            nonlocal count
            count += 1
            return found(self, *args)

        monkeypatch.setattr(Unit, name, asked)

    def since() -> int:
        nonlocal count
        found, count = count, 0
        return found

    counted("known_at")
    counted("known_in")
    return since


MANY = 400


@pytest.mark.parametrize(
    ("code", "team", "result"),
    [
        ("available", "police", "no_unit_on_duty"),
        ("available", "alpha", "not_triaged"),
        ("on_scene", "alpha", "all_units_busy"),
        ("off_duty", "alpha", "no_unit_on_duty"),
    ],
)
def test_an_unserved_close_asks_few_of_many_units(looks: Callable[[], int], code: str, team: str, result: str) -> None:
    """Was: all of them, 2 ms a close with 4,000."""
    bench = Bench()
    bench(*(status(-60, code, f"U{n}", team) for n in range(MANY)))
    looks()
    for n in range(20):
        bench(received(n / 60, call=f"C{n}"), closed(1, call=f"C{n}"))
    assert bench.results() == {("north", result): 20}
    assert looks() <= (0 if team == "police" else MANY + 20 * 2), "each once for the hour, then one or two a close"


def test_units_that_change_are_asked_until_the_hour_is_looked_at_anew(looks: Callable[[], int]) -> None:
    bench = Bench()
    bench(*(status(-60, "on_scene", f"U{n}") for n in range(MANY)))
    bench(received(0), closed(1))
    looks()
    for n in range(CHANGED):
        bench(status(5, "on_scene", f"U{n}"))
    bench(status(6, "available", "U0"), received(7, call="C2"), closed(8, call="C2"))
    assert looks() <= CHANGED + 2
    bench(status(9, "on_scene", "U0"), received(7, call="C3"), closed(10, call="C3"), received(9, call="C4"))
    bench(closed(10, call="C4"))
    assert bench.results() == {("north", "all_units_busy"): 2, ("north", "not_triaged"): 2}


@pytest.mark.parametrize("seed", range(20))
def test_few_or_many_units_give_the_same_results(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The answer by hours is that of asking everyone, whatever changes in between."""

    def results(few: int) -> Any:
        monkeypatch.setattr("streams.duty.FEW", few)
        monkeypatch.setattr("streams.duty.CHANGED", 5)
        monkeypatch.setattr("streams.duty.KEPT", 2)
        rng, bench = random.Random(seed), Bench()
        for n in range(300):
            at = rng.randrange(-180, 180)
            if rng.random() < 0.6:
                code = rng.choice(("off_duty", "off_duty", "on_scene", "available"))
                bench(status(at, code, f"U{rng.randrange(12)}", rng.choice(("alpha", "beta", "gone")), id=f"s{n}"))
            else:
                area = rng.choice(("north", "south"))
                bench(received(at, call=f"C{n}", area=area, id=f"r{n}"), closed(at, call=f"C{n}", id=f"c{n}"))
            if rng.random() < 0.1:
                bench(make(e.Heartbeat, 0, topic="status", id="b"), now=NOON + rng.randrange(60) * 24 * HOUR)
        return bench.results(), bench.show("care_demand_today", at=NOON)

    assert results(0) == results(FEW)


def test_statuses_of_one_time_are_put_in_place_without_a_walk() -> None:
    """Was: each was compared with all of the same time, 19 s for 20,000."""

    class Counting(list[int]):
        reads = 0

        def __getitem__(self, where: Any) -> Any:
            Counting.reads += 1
            return super().__getitem__(where)

    bench = Bench()
    bench(*(status(0, "available") for _ in range(1000)))
    unit = bench.state.units["U1"]
    unit._at, unit._id = Counting(unit._at), Counting(unit._id)  # type: ignore[assignment]  # counts what is looked at
    bench(*(status(0, "on_scene") for _ in range(100)))
    assert Counting.reads < 100 * 40
    assert list(zip(unit._at, unit._id, strict=True)) == sorted(zip(unit._at, unit._id, strict=True))
    assert unit.known_at(NOON) is not None


def test_an_attempt_does_not_count_those_before_it_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Was: all facts of the case were looked through with each of its events."""

    class Facts(list[Any]):
        walks = 0

        def __iter__(self) -> Any:
            Facts.walks += 1
            return super().__iter__()

    bench = Bench()
    bench(opened(0))
    case = bench.state.cases.records["K1"]
    case.facts = Facts(case.facts)
    bench(*(outreach(1) for _ in range(50)), *(attempted(2) for _ in range(50)), *(opened(3) for _ in range(50)))
    assert Facts.walks == 0
    assert bench.show("care_outreach_attempts_total") == {("other",): 50}


def test_a_record_is_measured_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    measured = 0

    def pack(record: Any) -> bytes:
        nonlocal measured
        measured += 1
        return packed.pack(record)

    monkeypatch.setattr(bounds, "pack", pack)
    bench = Bench()
    bench(*(make(e.UseOfForce, 0, call="C1", level=1) for _ in range(bounds.MOST + 500)))
    assert 0 < measured < 100
    assert bench.show("care_use_of_force_total") == {("1",): bounds.MOST_OF_ANY}
