"""What the intake does with records, against a changelog that is durable when the test says so."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable
from copy import deepcopy
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka.errors import MessageSizeTooLargeError
from structlog.testing import capture_logs

from agents.changelog import Changelog, Records
from agents.intake import MOVED, Headers, Intake, Record
from agents.order import Order
from agents.owner import Owner, Stored, home
from agents.pipeline import Pipeline
from carewatch.settings import PROGRAMS
from streams.events import TOPICS
from streams.programs import load_all
from streams.state import Applied, ProgramState

PARTITIONS = 8
CHICAGO = home("chicago", PARTITIONS)


class Event:
    """What Faust gives an agent: one record, or a batch."""

    def __init__(self, records: list[Record]) -> None:
        self.acked = False
        self.message = type("Message", (), {})()
        last = records[-1]
        self.message.topic, self.message.partition, self.message.offset = last.topic, last.partition, last.offset
        self.message.value = records

    def ack(self) -> None:
        self.acked = True


class Site:
    """An intake, its table and its broker."""

    def __init__(self, apart: float = 0.0) -> None:
        self.stored: Stored = {}
        self.sent: list[tuple[str, int | None, bytes | None, bytes | None, dict[str, bytes]]] = []
        self.durable = asyncio.Event()
        self.failures: list[BaseException] = []
        self.writes: list[dict[bytes, bytes | None]] = []
        self.fail: Exception | None = None
        self.current = True
        self.too_large = 1_000_000
        self.owner = Owner(load_all(Path(PROGRAMS)), PARTITIONS)
        self.owner.take({CHICAGO: self.stored})
        self.pipeline = Pipeline()
        self.changelog = Changelog(self.write, self.owner.changes, self.failures.append, 4, apart)
        order = Order(lambda *_: None, lambda *_: None, lambda: 0)
        inputs = {f"care.{topic}": topic for topic in TOPICS}
        self.intake = Intake(
            self.owner,
            self.pipeline,
            order,
            self.changelog,
            self,
            lambda _: self.stored,
            lambda _: self.current,
            inputs=inputs,
            deadletter="dead",
        )

    async def write(self, partition: int, records: Records) -> None:
        self.writes.append(dict(records))
        await self.durable.wait()
        if self.fail:
            raise self.fail

    def send(
        self, topic: str, partition: int | None, key: bytes | None, value: bytes | None, headers: Headers
    ) -> Awaitable[Any]:
        if value and len(value) > self.too_large:
            raise MessageSizeTooLargeError
        self.sent.append((topic, partition, key, value, dict(headers)))
        return asyncio.ensure_future(self.durable.wait())

    async def settle(self) -> None:
        """Let everything happen that can."""
        for _ in range(20):
            await asyncio.sleep(0)

    @property
    def received(self) -> int:
        state = self.owner.state("chicago")
        assert state is not None
        return sum(n for cell, n in state.tally.cells.items() if cell[0] == "r")


offsets = itertools.count()


def call(id: str, partition: int = CHICAGO, **fields: object) -> Record:
    event = {
        "id": f"e-{id}",
        "type": "call_received",
        "program": "chicago",
        "at": "2025-11-03T18:00:00Z",
        "call": id,
        "call_type": "mental_health",
        "area": "loop",
    } | fields
    return Record("care.dispatch", partition, next(offsets), 1_793_642_400_000, b"chicago", msgspec.json.encode(event))


def test_acknowledged_when_durable_and_not_before() -> None:
    async def run() -> None:
        site = Site()
        event = Event([call("1"), call("2")])
        await site.intake.take(event)
        await site.settle()
        assert site.received == 2
        assert len(site.writes) == 1  # one group for the batch
        assert not event.acked
        site.durable.set()
        await site.settle()
        assert event.acked

    asyncio.run(run())


def test_what_changes_while_a_group_is_out_is_the_next_group() -> None:
    async def run() -> None:
        site = Site()
        events = [Event([call(str(n))]) for n in range(3)]
        await site.intake.take(events[0])
        await site.settle()
        await site.intake.take(events[1])
        await site.intake.take(events[2])
        await site.settle()
        assert [len(write) for write in site.writes] == [1]
        site.durable.set()
        await site.settle()
        assert [len(write) for write in site.writes] == [1, 2]
        assert all(event.acked for event in events)

    asyncio.run(run())


def test_a_group_waits_for_its_turn_but_not_when_the_partitions_go() -> None:
    async def run() -> None:
        site = Site(apart=3600.0)
        site.durable.set()
        events = [Event([call(str(n))]) for n in range(4)]
        await site.intake.take(events[0])
        await site.settle()
        await site.intake.take(events[1])
        await site.intake.take(events[2])
        await site.settle()
        assert [event.acked for event in events] == [True, False, False, False]
        assert site.received == 3  # seen at once
        assert await site.changelog.drain(60.0)
        assert [len(write) for write in site.writes] == [1, 2]
        assert [event.acked for event in events] == [True, True, True, False]
        # what comes after a `forget`, while the group before it has its rest, is acknowledged too
        await site.intake.take(events[3])
        await site.settle()
        site.changelog.forget()
        later = Event([call("4")])
        await site.intake.take(later)
        assert await site.changelog.drain(60.0)
        assert later.acked

    asyncio.run(run())


def test_a_write_that_fails_ends_the_worker_and_acknowledges_nothing() -> None:
    async def run() -> None:
        site = Site()
        site.fail = RuntimeError("no")
        site.durable.set()
        event = Event([call("1")])
        await site.intake.take(event)
        await site.settle()
        assert site.failures == [site.fail]
        assert not event.acked

    asyncio.run(run())


def test_too_many_waiting_messages_make_the_agent_wait() -> None:
    async def run() -> None:
        site = Site()
        await site.intake.take(Event([call("0")]))
        await site.settle()
        for n in range(1, 5):
            await site.intake.take(Event([call(str(n))]))
        blocked = asyncio.create_task(site.intake.take(Event([call("5")])))
        await site.settle()
        assert not blocked.done()
        assert site.received == 5
        site.durable.set()
        await site.settle()
        assert blocked.done()
        assert site.received == 6

    asyncio.run(run())


def test_a_record_on_the_wrong_partition_is_sent_on_unchanged() -> None:
    async def run() -> None:
        site = Site()
        stray = call("1", partition=(CHICAGO + 1) % PARTITIONS)
        event = Event([stray])
        await site.intake.take(event)
        await site.settle()
        assert site.received == 0
        assert site.sent == [
            ("care.dispatch", CHICAGO, b"chicago", stray.value, {MOVED: str(stray.partition).encode()})
        ]
        assert not event.acked
        moved = call("1")._replace(headers=((MOVED, b"3"),))
        await site.intake.take(Event([moved]))
        assert site.received == 1
        assert site.pipeline.conflicts == {"chicago": 1}
        site.durable.set()
        await site.settle()
        assert event.acked

    asyncio.run(run())


def test_nothing_is_taken_while_programs_are_shared_out_anew() -> None:
    async def run() -> None:
        site = Site()
        site.owner.drop()
        event = Event([call("1")])
        await site.intake.take(event)
        site.durable.set()
        await site.settle()
        assert not event.acked
        assert site.pipeline.applied["dispatch"].total() == 0

    asyncio.run(run())


def test_what_was_applied_but_not_written_is_never_acknowledged_once_the_states_are_gone() -> None:
    async def run() -> None:
        site = Site()
        events = [Event([call(str(n))]) for n in range(2)]
        await site.intake.take(events[0])
        await site.settle()
        await site.intake.take(events[1])  # waits for the first one's group
        site.changelog.forget()
        site.owner.drop()
        site.durable.set()
        await site.settle()
        assert [event.acked for event in events] == [False, False]
        assert await site.changelog.drain(0)

    asyncio.run(run())


def test_a_message_of_an_earlier_assignment_is_not_taken() -> None:
    async def run() -> None:
        site = Site()
        site.current = False
        event = Event([call("1")])
        await site.intake.take(event)
        assert site.received == 0
        assert not event.acked

    asyncio.run(run())


def test_a_dead_letter_that_is_too_large_is_told_of_and_stops_nothing() -> None:
    async def run() -> None:
        site = Site()
        site.too_large = 100_000
        site.durable.set()
        event = Event([Record("care.dispatch", CHICAGO, next(offsets), None, b"chicago", b"x" * 100_001)])
        await site.intake.take(event)
        await site.settle()
        assert event.acked
        [(_, _, key, value, headers)] = site.sent
        assert (key, value, headers["size"], headers["reason"]) == (b"chicago", None, b"100001", b"too_large")

    asyncio.run(run())


def test_a_bug_in_apply_loses_only_the_event_that_meets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    apply = ProgramState.apply

    def buggy(self: ProgramState, event: Any, now: int, at: int | None = None) -> Applied:
        if event.id.startswith("e-poison"):
            self.open.clear()  # half of a change
            raise ZeroDivisionError
        return apply(self, event, now, at)

    monkeypatch.setattr(ProgramState, "apply", buggy)

    async def run() -> None:
        site = Site()
        await site.intake.take(Event([call("stored")]))
        site.durable.set()
        await site.settle()
        site.durable.clear()
        await site.intake.take(Event([call("out")]))
        await site.settle()  # this one's group is on its way
        await site.intake.take(Event([call("waiting")]))  # this one is in no group yet
        poison = call("poison")
        event = Event([call("same-batch"), poison, call("after"), call("poison-too"), call("last")])
        await site.intake.take(event)
        await site.settle()
        state = site.owner.state("chicago")
        assert state is not None
        assert sorted(state.open) == ["c/after", "c/last", "c/out", "c/same-batch", "c/stored", "c/waiting"]
        assert [to for to, *_ in site.sent] == ["dead", "dead"]
        assert site.sent[0][3] == poison.value
        site.durable.set()
        await site.settle()
        assert event.acked
        rebuilt = Owner(site.owner.profiles, PARTITIONS)
        rebuilt.take({CHICAGO: deepcopy(site.stored)})
        again = rebuilt.state("chicago")
        assert again is not None
        assert sorted(again.open) == sorted(state.open)

    asyncio.run(run())


def test_programs_of_one_batch_are_applied_apart_each_in_its_order(monkeypatch: pytest.MonkeyPatch) -> None:
    apply = ProgramState.apply
    applied: list[str] = []

    def noted(self: ProgramState, event: Any, now: int, at: int | None = None) -> Applied:
        if event.id == "e-poison":
            raise ZeroDivisionError
        applied.append(f"{event.program} {event.call}")
        return apply(self, event, now, at)

    monkeypatch.setattr(ProgramState, "apply", noted)
    twin = next(name for n in itertools.count() if home(name := f"twin{n}", PARTITIONS) == CHICAGO)

    def of_twin(id: str) -> Record:
        return call(id, program=twin)._replace(key=twin.encode())

    async def run() -> None:
        site = Site()
        profiles = {**site.owner.profiles, twin: msgspec.structs.replace(site.owner.profiles["chicago"], program=twin)}
        owner = Owner(profiles, PARTITIONS)
        owner.take({CHICAGO: {}})
        site.owner = site.intake._owner = owner
        poison = of_twin("poison")
        await site.intake.take(Event([call("1"), of_twin("2"), call("3"), poison, of_twin("4"), call("5")]))
        await site.settle()
        assert [each for each in applied if each.startswith("chicago")] == ["chicago 1", "chicago 3", "chicago 5"]
        assert [each for each in applied if each.startswith(twin)] == [f"{twin} 2", f"{twin} 2", f"{twin} 4"]  # anew
        states = {name: owner.state(name) for name in ("chicago", twin)}
        assert {name: sorted(state.open) for name, state in states.items() if state} == {
            "chicago": ["c/1", "c/3", "c/5"],
            twin: ["c/2", "c/4"],
        }
        assert [value for _, _, _, value, _ in site.sent] == [poison.value]
        assert site.pipeline.applied["dispatch"].total() == 5

    asyncio.run(run())


def test_an_unknown_code_is_told_once_and_only_if_it_looks_like_one() -> None:
    """Was: 64 characters of anything in the log, escapes too."""
    intake = Site().intake
    with capture_logs() as lines:
        for _ in range(2):
            intake._tell("chicago", [("area", "ZONE-7"), ("area", "Jane Doe, 12 Elm St\x1b[2J")])
    assert [line["code"][:15] for line in lines] == ["ZONE-7", "(23 characters,"]
    assert "Jane" not in str(lines)
