"""The fold of `carewatch verify`, without a broker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from agents.intake import Record
from agents.owner import home
from agents.settings import Settings
from carewatch import verify
from feeds.wire import encode, topic_of
from streams import events as e
from streams.clock import DAY, Micros
from streams.events import TOPICS, Topic
from tests.unit.strategies import NOON, SMALL, Bench, attempted, closed, make, numbers, received

SETTINGS = Settings(programs=Path())


def record(event: e.Event, arrived: Micros) -> Record:
    """As it is in its topic."""
    place = home(event.program, SETTINGS.partitions)
    return Record(SETTINGS.topic(topic_of(event)), place, 0, arrived // 1000, event.program.encode(), encode(event))


def test_what_is_no_longer_kept_is_not_in_the_fold_either(monkeypatch: pytest.MonkeyPatch) -> None:
    """Was: statuses are folded first, and with the clock at their end nothing older was archived for up to an hour."""
    days = 24 * 60
    history = [(received(0), 0), (closed(1, person="p"), 0), (attempted(2, case="K1"), 0)]
    history += [(make(e.Heartbeat, 60 * days, topic=topic), 60 * DAY) for topic in TOPICS]
    live = Bench()
    topics: dict[Topic, list[Record]] = {topic: [] for topic in TOPICS}
    for event, after in history:
        live(event, now=NOON + after)
        topics[topic_of(event)].append(record(event, NOON + after))

    async def to_end(topic: Topic, most: int) -> AsyncIterator[Record]:
        for each in topics[topic]:
            yield each
        topics[topic].clear()

    monkeypatch.setattr(verify, "_reader", lambda settings: None)
    monkeypatch.setattr(verify, "_to_end", to_end)
    fold: Any = verify.Fold(SETTINGS, {SMALL.program: SMALL})
    fold._readers = {topic: topic for topic in TOPICS}
    asyncio.run(fold.catch_up())
    assert fold.applied == len(history)
    (state,) = fold.states
    now = NOON + 60 * DAY
    assert numbers(state, now) == numbers(live.state, now)
    assert live.show("care_people_served", at=now) == {}
    assert live.show("care_followup_attempts_total", at=now) == {("other", "1d", "completed"): 1}
