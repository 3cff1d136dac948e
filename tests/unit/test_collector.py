"""What one scrape shows belongs together."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from agents.collector import WorkerCollector
from agents.owner import Owner
from agents.pipeline import Pipeline
from agents.recovery import RecoveryWatch
from carewatch.settings import PROGRAMS
from streams import metrics as m
from streams.clock import Micros
from streams.events import CallReceived
from streams.programs import load_all
from streams.read import Family
from streams.state import ProgramState


def test_an_event_that_is_counted_is_in_the_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Events are applied between one program's turn and the next; those must not be counted in this scrape."""
    owner = Owner(load_all(PROGRAMS), 8)
    owner.take({partition: {} for partition in range(8)})
    pipeline = Pipeline()
    worker: Any = SimpleNamespace(
        owner=owner, pipeline=pipeline, ready=True, recovery=RecoveryWatch(lambda: 0), caught_up=lambda program: True
    )
    read = WorkerCollector.program

    def meanwhile(self: WorkerCollector, state: ProgramState, now: Micros) -> list[Family]:
        pipeline.applied[state.profile.program, "dispatch", CallReceived] += 1
        return read(self, state, now)

    monkeypatch.setattr(WorkerCollector, "program", meanwhile)
    families = dict(asyncio.run(WorkerCollector(worker, "1").families(1_793_642_400_000_000)))
    assert {value for _, value in families[m.EVENTS]} == {0}
    assert pipeline.applied.total() == 3
