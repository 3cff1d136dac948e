"""The spans of a unit: what holds when, and the same when only a part is derived again."""

from __future__ import annotations

from collections.abc import Callable

from hypothesis import given
from hypothesis import strategies as st

from streams.clock import NEVER, Micros
from streams.derive.unit import derive_unit, rederive_unit, unmapped
from streams.entries import Span
from streams.events import UnitStatusCode
from streams.programs import OTHER
from streams.said import Status
from tests.unit.unit_rules import RULES, TICK, History, Told, at_once, statuses, whole


def said(at: int, status: UnitStatusCode, team: str = "alpha", area: str | None = "north", id: str = "s") -> Status:
    return Status(id=id, at=at, revision=0, status=status, team=team, area=area)


def works(begin: Micros, end: Micros) -> Callable[[Micros], Micros]:
    """The unit has reached a call and leaves it."""
    return lambda at: end if begin <= at < end else at


def test_each_status_holds_until_the_next() -> None:
    spans = derive_unit([said(1, "available"), said(5, "dispatched"), said(9, "off_duty")], RULES, at_once)
    assert spans == [
        Span(1, 5, "available", "alpha", "north"),
        Span(5, 9, "dispatched", "alpha", "north"),
        Span(9, NEVER, "off_duty", "alpha", "north"),
    ]


def test_of_one_time_the_greatest_id_holds_and_the_area_last_told_stays() -> None:
    told = [said(1, "available", area="south", id="10"), said(1, "en_route", area=None, id="9")]
    assert derive_unit(told, RULES, at_once) == [Span(1, NEVER, "en_route", "alpha", "south")]


def test_codes_that_are_not_known_are_other() -> None:
    spans = derive_unit([said(1, "available", "gone", None), said(2, "available", "beta", "nowhere")], RULES, at_once)
    assert [span[3:] for span in spans] == [(OTHER, OTHER), ("beta", OTHER)]


def test_the_area_may_be_told_in_what_is_archived() -> None:
    assert derive_unit([said(1, "available", area=None)], RULES, at_once, "south")[0].area == "south"


def test_off_duty_holds_from_when_the_work_ends() -> None:
    told = [said(1, "on_scene"), said(5, "off_duty")]
    spans = derive_unit(told, RULES, works(0, 8))
    assert [span[:3] for span in spans] == [(1, 8, "on_scene"), (8, NEVER, "off_duty")]
    assert [span[:3] for span in derive_unit(told, RULES, works(0, NEVER))] == [(1, NEVER, "on_scene")]


def test_a_later_status_takes_the_place_of_an_off_duty_that_waits() -> None:
    told = [said(1, "on_scene"), said(5, "off_duty"), said(8, "available")]
    spans = derive_unit(told, RULES, works(0, 8))
    assert [span[:3] for span in spans] == [(1, 8, "on_scene"), (8, NEVER, "available")]


def test_a_code_that_is_not_known_is_a_fact_of_its_day() -> None:
    assert unmapped(said(1, "available", "gone", "nowhere"), RULES) == (
        ("unmapped", -1, "team", 1),
        ("unmapped", -1, "area", 1),
    )
    assert unmapped(said(1, "available", area=None), RULES) == ()


WORK = st.lists(st.tuples(st.integers(0, 60), st.integers(1, 30) | st.just(0)), max_size=3)


def leaves_of(work: list[tuple[int, int]]) -> Callable[[Micros], Micros]:
    """Work at calls: begin, and how long (0: for ever), in ticks."""

    def leaves(at: Micros) -> Micros:
        for begin, long in work:
            if begin * TICK <= at and (not long or at < (begin + long) * TICK):
                return (begin + long) * TICK if long else NEVER
        return at

    return leaves


def holds_at(statuses: list[Status], at: Micros, leaves: Callable[[Micros], Micros]) -> UnitStatusCode | None:
    """By looking back from a time."""
    told = [status for status in statuses if status.at <= at]
    for i, status in reversed(list(enumerate(told))):
        begins = leaves(status.at) if status.status == "off_duty" else status.at
        replaced = told[i + 1].at if i + 1 < len(told) else NEVER
        if begins <= at and begins < replaced:
            return status.status
    return None


def at_each(spans: list[Span], at: Micros) -> UnitStatusCode | None:
    return next((span.status for span in spans if span.begins <= at < span.until), None)


@given(st.lists(statuses(60), max_size=12), WORK)
def test_spans_say_what_looking_back_says(many: list[Status], work: list[tuple[int, int]]) -> None:
    history, leaves = History(), leaves_of(work)
    for status in many:
        history.tell(Told("u", status))
    told = history.said.get("u", [])
    spans = derive_unit(told, RULES, leaves)
    assert whole(spans)
    for tick in range(100):
        assert at_each(spans, tick * TICK) == holds_at(told, tick * TICK, leaves)


@given(st.lists(st.lists(statuses(60), min_size=1, max_size=3), max_size=12), WORK)
def test_a_part_derived_again_is_the_whole_derived_again(
    groups: list[list[Status]], work: list[tuple[int, int]]
) -> None:
    history, leaves, spans = History(), leaves_of(work), list[Span]()
    for group in groups:
        for status in group:
            history.tell(Told("u", status))
        times = [status.at for status in group]
        told = history.said["u"]
        before, after = rederive_unit(spans, told, RULES, leaves, min(times), max(times))
        where = (
            spans.index(before[0]) if before else sum(span.begins < after[0].begins for span in spans) if after else 0
        )
        assert spans[where : where + len(before)] == before
        spans[where : where + len(before)] = after
        assert spans == derive_unit(told, RULES, leaves)


@given(st.lists(statuses(60), min_size=1, max_size=12), WORK, WORK)
def test_work_that_ends_at_another_time_is_derived_again(
    many: list[Status], was: list[tuple[int, int]], now: list[tuple[int, int]]
) -> None:
    history = History()
    for status in many:
        history.tell(Told("u", status))
    told = history.said["u"]
    changed = [one.at for one in told if leaves_of(was)(one.at) != leaves_of(now)(one.at)]
    spans = derive_unit(told, RULES, leaves_of(was))
    before, after = rederive_unit(
        spans, told, RULES, leaves_of(now), min(changed, default=NEVER), max(changed, default=NEVER)
    )
    rest = sorted({*spans} - {*before} | {*after})
    assert rest == derive_unit(told, RULES, leaves_of(now))


def test_a_late_status_costs_the_spans_around_it() -> None:
    told = [said(10 * i, "available" if i % 2 else "on_scene", id=f"{i}") for i in range(20_000)]
    spans = derive_unit(told, RULES, at_once)
    told.insert(5_001, late := said(50_005, "unavailable", area=None, id="late"))
    before, after = rederive_unit(spans, told, RULES, at_once, late.at, late.at)
    assert before == [Span(50_000, 50_010, "on_scene", "alpha", "north")]
    assert after == [
        Span(50_000, 50_005, "on_scene", "alpha", "north"),
        Span(50_005, 50_010, "unavailable", "alpha", "north"),
    ]
