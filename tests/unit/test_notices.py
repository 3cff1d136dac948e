"""Notices: what is said when, once each, whatever happens between saying it and remembering that."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.changelog import Changelog, Records
from agents.notices import Teller
from agents.owner import Owner, unversioned
from streams import events as e
from streams.clock import Micros, micros
from streams.notices import AnyNotice, FollowupMissed, FollowupNotice, GapNotice, Look, look
from streams.state import ProgramState
from tests.unit.examples import examples
from tests.unit.strategies import (
    HOUR,
    MINUTE,
    NOON,
    SMALL,
    Bench,
    Store,
    attempted,
    case_closed,
    closed,
    dispatched,
    local,
    on_scene,
    opened,
    received,
    status,
)

H, D = 60, 24 * 60
GAP = 5 * MINUTE


def told(state: ProgramState, minutes: float, *, remember: bool = True) -> list[AnyNotice]:
    """What a look says at minutes after noon; then it is durable and remembered, or not."""
    found = look(state, NOON + round(minutes * MINUTE), GAP)
    if remember and found.told:
        state.remember(found.told)
    return found.notices


def said(state: ProgramState, minutes: float) -> list[tuple[str, str, float]]:
    """(type, checkpoint, hours after noon) of what a look says of follow-ups."""
    return [
        (str(x.__struct_config__.tag), x.followup, (micros(x.at) - NOON) / HOUR)
        for x in told(state, minutes)
        if isinstance(x, FollowupNotice)
    ]


def of_cases(notices: list[AnyNotice]) -> list[tuple[str, str]]:
    """(case, type) of notices."""
    return [(x.case, str(x.__struct_config__.tag)) for x in notices if isinstance(x, FollowupNotice)]


# --- follow-ups ----------------------------------------------------------------------------------------------


def test_overdue_and_missed_are_said_once_and_at_their_time(bench: Bench) -> None:
    bench(opened(0))
    assert said(bench.state, 24 * H - 1 / 60) == []
    assert said(bench.state, 24 * H) == [("followup_overdue", "1d", 24)]
    assert said(bench.state, 25 * H) == []
    assert said(bench.state, 48 * H) == [("followup_missed", "1d", 48)]
    assert said(bench.state, 49 * H) == []


def test_what_a_notice_carries(bench: Bench) -> None:
    bench(opened(0, area="n"))
    told(bench.state, 0)
    (notice,) = told(bench.state, 30 * H)
    fields = msgspec.to_builtins(notice)
    assert len(fields.pop("id")) == 32
    assert fields == {
        "type": "followup_overdue",
        "program": "small",
        "at": "2024-05-16T17:00:00Z",
        "case": "K1",
        "team": "alpha",
        "area": "north",
        "followup": "1d",
        "due": "2024-05-16T17:00:00Z",
        "lapses": "2024-05-17T17:00:00Z",
    }


def test_what_came_while_nobody_looked_is_said_in_order_of_time(bench: Bench) -> None:
    bench(opened(0), opened(60, case="K2", kind="overdose", team="beta"))
    assert said(bench.state, 10 * D) == [
        ("followup_overdue", "1d", 24),
        ("followup_missed", "1d", 48),
        ("followup_missed", "72h", 73),  # due and lapsed at once: never overdue
        ("followup_overdue", "7d", 7 * 24),
        ("followup_missed", "7d", 9 * 24),
    ]


def test_what_nobody_does_any_more_is_not_said(bench: Bench) -> None:
    bench(opened(0))
    assert said(bench.state, 32 * D) == [("followup_overdue", "7d", 7 * 24), ("followup_missed", "7d", 9 * 24)]
    bench(opened(0, case="K2"))
    assert [kind for kind, _, _ in said(bench.state, 40 * D)] == []


@pytest.mark.parametrize("event", [attempted(1), attempted(1, result="declined"), case_closed(1)])
def test_what_is_resolved_is_not_said(bench: Bench, event: Any) -> None:
    bench(opened(0), event)
    assert said(bench.state, 50 * H) == []


def test_an_attempt_without_contact_changes_nothing(bench: Bench) -> None:
    bench(opened(0))
    assert len(said(bench.state, 25 * H)) == 1
    bench(attempted(26 * H, result="no_contact"))
    assert said(bench.state, 27 * H) == []


def test_a_case_that_arrives_late_is_said_on_arrival(bench: Bench) -> None:
    assert said(bench.state, 30 * H) == []
    bench(opened(0), now=NOON + 30 * HOUR)
    assert said(bench.state, 30 * H + 1) == [("followup_overdue", "1d", 24)]
    assert said(bench.state, 31 * H) == []


def test_a_case_that_arrives_late_and_done_is_not_said(bench: Bench) -> None:
    assert said(bench.state, 30 * H) == []
    bench(opened(0), attempted(2 * H), now=NOON + 30 * HOUR)
    assert said(bench.state, 31 * H) == []
    assert bench.state.cases.late == {}


def test_an_earlier_opening_says_what_was_not_said(bench: Bench) -> None:
    bench(opened(20 * H))
    assert said(bench.state, 45 * H) == [("followup_overdue", "1d", 44)]
    bench(opened(-10 * H), now=NOON + 45 * HOUR)
    assert said(bench.state, 46 * H) == [("followup_missed", "1d", 38)]


def test_a_call_closed_late_says_what_its_case_has_missed(bench: Bench) -> None:
    bench(received(0), dispatched(1, team="alpha"), on_scene(2))
    assert said(bench.state, 30 * H) == []
    bench(closed(10, outcome="services"), now=NOON + 30 * HOUR)
    assert [(kind, point) for kind, point, _ in said(bench.state, 31 * H)] == [("followup_overdue", "1d")]


def test_what_an_event_takes_back_is_said_again_when_it_is_so_again(bench: Bench) -> None:
    """A repeat with the same id, of an alarm that was over for a while: a close without a team planned nothing."""
    bench(opened(20 * H, case="C1"))
    (first,) = told(bench.state, 60 * H)
    bench(closed(10 * H, outcome="services"), now=NOON + 60 * HOUR)
    assert told(bench.state, 61 * H) == []
    bench(closed(5 * H, outcome="cancelled"), now=NOON + 61 * HOUR)
    assert told(bench.state, 62 * H) == [first]


# --- restarts ------------------------------------------------------------------------------------------------


def test_a_restart_in_the_middle_of_a_lapse_neither_loses_nor_doubles(bench: Bench) -> None:
    store = Store()
    bench(opened(0), opened(60, case="K2"))
    first = told(bench.state, 24.5 * H)
    store.put(bench.state.flush().items())
    again = store.restart()
    rest = told(again, 48 * H)
    assert of_cases(first) == [("K1", "followup_overdue")]
    assert of_cases(rest) == [("K2", "followup_overdue"), ("K1", "followup_missed")]


def test_a_crash_before_it_is_remembered_says_it_again_with_the_same_id(bench: Bench) -> None:
    store = Store()
    bench(opened(0))
    store.put(bench.state.flush().items())
    first = told(bench.state, 24 * H, remember=False)
    assert told(bench.state, 25 * H) == []
    assert told(store.restart(), 30 * H) == first


def test_a_late_arrival_is_not_lost_in_a_crash() -> None:
    """Its record is there, the notice was never said, and its time lies before what was told."""
    bench, store = Bench(), Store()
    bench(opened(0, case="K0"))
    told(bench.state, 30 * H)
    store.put(bench.state.flush().items())
    late = opened(1)
    bench(late, now=NOON + 30 * HOUR)
    changes = bench.state.flush()
    assert list(changes) == ["n", "k/K1"]
    for length in range(3):
        torn = Store()
        torn.put([*store.records.items(), *list(changes.items())[:length]])
        again = Bench(records=torn.records)
        again(late, now=NOON + 30 * HOUR)
        assert ("K1", "followup_overdue") in of_cases(told(again.state, 31 * H))
        assert told(again.state, 32 * H) == []
    # what was told holds again once the late one is said
    assert of_cases(told(bench.state, 31 * H)) == [("K1", "followup_overdue")]
    store.put(changes.items())
    store.put(bench.state.flush().items())
    assert told(store.restart(), 31 * H) == []


def test_a_late_arrival_between_the_look_and_its_being_durable_is_not_lost(bench: Bench) -> None:
    store = Store()
    bench(opened(0, case="K0"))
    found = look(bench.state, NOON + 30 * HOUR, GAP)
    bench(opened(1), now=NOON + 30 * HOUR)
    assert found.told
    bench.state.remember(found.told)
    store.put(bench.state.flush().items())
    assert ("K1", "followup_overdue") in of_cases(told(store.restart(), 31 * H))


def test_a_late_arrival_that_is_looked_at_before_it_is_written_is_not_lost(bench: Bench) -> None:
    """Was: its record became durable without *everything up to* being put back, and a crash before the notice lost it."""
    store = Store()
    bench(opened(0, case="K0"))
    told(bench.state, 30 * H)
    store.put(bench.state.flush().items())
    bench(opened(1), now=NOON + 30 * HOUR)
    assert of_cases(told(bench.state, 31 * H, remember=False)) == [("K1", "followup_overdue")]
    store.put(bench.state.flush().items())
    assert ("K1", "followup_overdue") in of_cases(told(store.restart(), 32 * H))


def test_a_late_arrival_whose_time_moves_before_it_is_said_is_not_lost(bench: Bench) -> None:
    """Was: *everything up to* was put back to its first time only, and a crash before the notice lost it."""
    store = Store()
    bench(dispatched(0, team="alpha"), opened(0))
    told(bench.state, 24 * H + 1)
    bench(closed(1, outcome="services"), closed(0, outcome="services"), now=NOON + 24 * HOUR + MINUTE)
    store.put(bench.state.flush().items())
    assert ("C1", "followup_overdue") in of_cases(told(store.restart(), 24 * H + 1))


_cases = st.sampled_from(("K1", "K2", "C1"))
_times = st.one_of(st.integers(-3 * D, 12 * D), st.sampled_from((0, 24 * H, 48 * H)))
_parts = st.one_of(
    st.builds(opened, _times, _cases, team=st.just("alpha"), kind=st.sampled_from(("encounter", "case_management"))),
    st.builds(attempted, _times, st.sampled_from(("1d", "7d")), st.sampled_from(e.ATTEMPT_RESULTS), _cases),
    st.builds(closed, _times, st.just("C1"), outcome=st.sampled_from(("services", "cancelled"))),
    st.builds(dispatched, _times, st.just("U1"), st.just("C1"), team=st.just("alpha")),
    st.builds(case_closed, _times, _cases),
)


def owed(state: ProgramState, now: Micros) -> set[tuple[str, str, str]]:
    """(case, checkpoint, overdue or missed) of what has become so and is shown."""
    board = state.cases.board
    missed = {(case, row.checkpoint, "missed") for case, row, _ in board.in_state("missed", now)}
    past_due = [each for kind in ("overdue", "missed") for each in board.in_state(kind, now) if each[1].overdue_for]
    return missed | {(case, row.checkpoint, "overdue") for case, row, _ in past_due}


def about(notices: list[AnyNotice]) -> set[tuple[str, str, str]]:
    """(case, checkpoint, overdue or missed) of notices."""
    followups = [x for x in notices if isinstance(x, FollowupNotice)]
    return {(x.case, x.followup, "missed" if isinstance(x, FollowupMissed) else "overdue") for x in followups}


hard = settings(deadline=None, max_examples=examples(200), suppress_health_check=list(HealthCheck))
_spans = st.sampled_from((0, MINUTE, 12 * HOUR, 24 * HOUR))


@given(data=st.data(), events=st.lists(_parts, min_size=1, max_size=12))
@hard
def test_with_restarts_nothing_is_lost_or_doubled(data: st.DataObject, events: list[Any]) -> None:
    store, state, now = Store(), Bench().state, NOON
    heard: list[AnyNotice] = []
    again: list[Micros] = []  # a case came late, and was not looked at before the restart: from its time on, once more
    came_back: Counter[tuple[str, str, str]] = Counter()
    for event in events:
        before = owed(state, now)
        state.apply(event, now)
        came_back.update((owed(state, now) - before) & about(heard))
        now += data.draw(_spans)
        if data.draw(st.booleans()):
            found = look(state, now, GAP)
            heard += found.notices
            assert owed(state, now) <= about(heard)
            if found.told:
                state.remember(found.told)
        if data.draw(st.booleans()):
            again.append(state.cases.late_from)
            store.put(state.flush().items())
            state = store.restart()
    heard += look(state, now, GAP).notices
    assert owed(state, now) <= about(heard)
    for notice in {x.id: x for x in heard}.values():
        (moment,) = about([notice])
        repeats = sum(late <= micros(notice.at) for late in again) + came_back[moment]
        assert sum(x.id == notice.id for x in heard) <= 1 + repeats


@given(data=st.data(), events=st.lists(_parts, min_size=1, max_size=10))
@hard
def test_with_crashes_nothing_is_lost(data: st.DataObject, events: list[Any]) -> None:
    """A crash at any record: what was not yet remembered may not even have been sent, and the events are read again."""
    store, state, now = Store(), Bench().state, NOON
    heard: list[AnyNotice] = []
    flying: Look | None = None
    for done, event in enumerate(events, start=1):
        state.apply(event, now)
        now += data.draw(_spans)
        what = data.draw(st.sampled_from(("", "flush", "look", "look", "crash")))
        if what == "look" and flying is None:
            flying = look(state, now, GAP)
        elif what == "look" and flying:  # durable now
            heard += flying.notices
            if flying.told:
                state.remember(flying.told)
            flying = None
        elif what == "flush":
            store.put(state.flush().items())
        elif what == "crash":
            changes = list(state.flush().items())
            store.put(changes[: data.draw(st.integers(0, len(changes)))])
            state, flying = store.restart(), None
            for again in events[:done]:
                state.apply(again, now)
    heard += flying.notices if flying else []
    heard += look(state, now, GAP).notices
    assert owed(state, now) <= about(heard)


# --- staffing gaps -------------------------------------------------------------------------------------------

MORNING = local("2024-05-15T10:30:00")  # alpha plans two units from here to 16:00
EVENING = local("2024-05-15T16:00:00")


def gaps(bench: Bench, minutes: float) -> list[tuple[str, float, int, int]]:
    """(opened or closed, minutes after the shift began, planned, on duty) of a look."""
    return [
        (type(x).__name__[11:].lower(), (micros(x.at) - NOON) / MINUTE - MORNING, x.planned, x.on_duty)
        for x in told(bench.state, minutes)
        if isinstance(x, GapNotice)
    ]


def test_a_gap_opens_after_five_minutes_and_closes_when_enough_are_there(bench: Bench) -> None:
    bench(status(MORNING - 10, "available", "U1"))
    assert gaps(bench, MORNING + 5 - 1 / 60) == []
    assert gaps(bench, MORNING + 5) == [("opened", 0, 2, 1)]
    assert gaps(bench, MORNING + 20) == []
    bench(status(MORNING + 21, "unavailable", "U2"))  # at work, though not free
    assert gaps(bench, MORNING + 30) == [("closed", 21, 2, 2)]
    bench(status(MORNING + 40, "off_duty", "U2"))
    assert gaps(bench, MORNING + 44) == []
    assert gaps(bench, MORNING + 46) == [("opened", 40, 2, 1)]


def test_some_minutes_without_a_unit_are_no_gap(bench: Bench) -> None:
    bench(status(MORNING - 10, "available", "U1"), status(MORNING + 4, "available", "U2"))
    assert gaps(bench, MORNING + 6) == []
    bench(status(MORNING + 8, "off_duty", "U2"), status(MORNING + 10, "available", "U2"))
    assert gaps(bench, MORNING + 14) == []


def test_the_end_of_the_shift_closes_a_gap(bench: Bench) -> None:
    bench(status(MORNING - 10, "available", "U1"))
    assert gaps(bench, MORNING + 100) == [("opened", 0, 2, 1)]
    assert gaps(bench, EVENING) == [("closed", EVENING - MORNING, 0, 1)]


def test_units_of_another_team_do_not_fill_a_gap(bench: Bench) -> None:
    bench(status(MORNING, "available", "U1"), status(MORNING, "available", "U2", "beta"))
    assert gaps(bench, MORNING + 10) == [("opened", 0, 2, 1)]


def test_without_a_status_feed_there_is_no_gap(bench: Bench) -> None:
    bench(received(0))
    assert gaps(bench, MORNING + 60) == []


def test_a_gap_is_not_said_again_after_a_restart(bench: Bench) -> None:
    store = Store()
    bench(status(MORNING - 10, "available", "U1"))
    opened_notice = told(bench.state, MORNING + 7)
    store.put(bench.state.flush().items())
    again = Bench(records=store.records)
    assert gaps(again, MORNING + 8) == []
    assert gaps(again, EVENING) == [("closed", EVENING - MORNING, 0, 1)]
    crashed = Bench(records={key: value for key, value in store.records.items() if key != "n"})
    assert [x.id for x in told(crashed.state, MORNING + 60)] == [x.id for x in opened_notice]


# --- the teller ----------------------------------------------------------------------------------------------


class Desk:
    """A teller of the small program, its broker and its table."""

    def __init__(self) -> None:
        self.owner = Owner({"small": SMALL}, 1)
        self.owner.take({0: {}})
        self.stored: dict[bytes, bytes | None] = {}
        self.sent: list[Any] = []
        self.durable = asyncio.Event()
        self.failures: list[BaseException] = []
        self.ready = True
        self.changelog = Changelog(self.write, self.owner.changes, self.failures.append, 4)
        self.teller = Teller(self.owner, self.changelog, self, lambda _: self.ready, "care.notices", GAP)

    async def write(self, partition: int, records: Records) -> None:
        self.stored |= records

    def send(
        self, topic: str, partition: int | None, key: bytes | None, value: bytes | None, headers: Any
    ) -> Awaitable[Any]:
        assert (topic, partition, key, headers) == ("care.notices", None, b"small", ())
        self.sent.append(msgspec.json.decode(value or b""))
        return asyncio.ensure_future(self.durable.wait())

    def apply(self, *events: Any) -> None:
        state = self.owner.state("small")
        assert state
        for event in events:
            state.apply(event, NOON)

    async def look(self, hours: float) -> list[str]:
        """What is sent by a look."""
        self.sent.clear()
        self.teller.look(NOON + round(hours * HOUR))
        for _ in range(20):
            await asyncio.sleep(0)
        return [notice["type"] for notice in self.sent]


def test_what_is_said_is_remembered_when_it_is_durable() -> None:
    async def run() -> None:
        desk = Desk()
        desk.apply(opened(0))
        assert await desk.look(24) == ["followup_overdue"]
        assert b"small|n" not in desk.stored
        assert await desk.look(48) == []  # one at a time
        desk.durable.set()
        assert await desk.look(48) == []
        assert b"small|n" in desk.stored
        assert await desk.look(48) == ["followup_missed"]
        desk.owner.take(
            {
                0: {
                    "small": {
                        key.decode().partition("|")[2]: unversioned(value)
                        for key, value in desk.stored.items()
                        if value
                    }
                }
            }
        )
        assert await desk.look(49) == []

    asyncio.run(run())


def test_nothing_is_said_in_the_middle_of_a_backlog() -> None:
    async def run() -> None:
        desk = Desk()
        desk.ready = False
        desk.apply(opened(0))
        assert await desk.look(30) == []
        desk.apply(attempted(1))
        desk.ready = True
        assert await desk.look(30) == []

    asyncio.run(run())


def test_what_was_said_of_a_state_that_is_gone_is_not_remembered() -> None:
    async def run() -> None:
        desk = Desk()
        desk.apply(opened(0))
        await desk.look(24)
        desk.owner.take({0: {}})
        desk.apply(opened(0))
        desk.durable.set()
        assert await desk.look(24) == ["followup_overdue"]  # and not: one is being said
        await desk.look(24)
        assert desk.failures == []

    asyncio.run(run())


def test_a_notice_that_cannot_be_sent_ends_the_worker() -> None:
    async def run() -> None:
        desk = Desk()
        desk.apply(opened(0))

        async def refuse() -> None:
            raise OSError("away")

        desk.send = lambda *_: asyncio.ensure_future(refuse())  # type: ignore[method-assign]  # a broker that is away
        await desk.look(24)
        assert [str(failure) for failure in desk.failures] == ["away"]

    asyncio.run(run())


def test_a_failing_look_is_told() -> None:
    async def run() -> None:
        desk = Desk()
        failed: list[BaseException] = []

        def broken(_: Micros) -> None:
            raise ValueError("broken")

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("agents.notices.EVERY", 0)
            patch.setattr(desk.teller, "look", broken)
            await desk.teller.run(failed.append)
        assert [str(each) for each in failed] == ["broken"]

    asyncio.run(run())
