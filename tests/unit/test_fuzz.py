"""The short form of `make fuzz`, which see."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from pathlib import Path

import pytest

from streams.clock import Micros, micros
from streams.door import REASONS
from streams.events import AnyEvent, Heartbeat, UseOfForce
from streams.state import Applied, ProgramState
from tests.fuzz.hostile import Hostile
from tests.fuzz.run import FuzzError, run


def test_hostile_records_do_no_harm(tmp_path: Path) -> None:
    report = run(20_000, 1, print, folder=tmp_path)
    assert report.records == 20_000
    assert report.applied > 2_000, "enough of them get in"
    # a full record needs thousands of events about one call: test_bounds.py
    assert set(report.rejected) == set(REASONS) - {"record_full"}, "and every reason to keep one out is met"


def test_every_record_is_one_that_a_producer_can_send() -> None:
    """Was: an event without a program sometimes got a key of text, which a client refuses to send."""
    at = datetime(2026, 11, 27, tzinfo=UTC)
    hostile = Hostile(random.Random(1), [Heartbeat(id="h", program="chicago", at=at, topic="status")])
    for _ in range(20_000):
        record = hostile.record(micros(at))
        assert isinstance(record.key, bytes | None)
        assert isinstance(record.value, bytes | None)


def test_a_crash_names_the_record_and_how_to_meet_it_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    apply = ProgramState.apply

    def broken(self: ProgramState, event: AnyEvent, now: Micros) -> Applied:
        if isinstance(event, UseOfForce):
            raise ZeroDivisionError
        return apply(self, event, now)

    monkeypatch.setattr(ProgramState, "apply", broken)
    with pytest.raises(FuzzError, match=r"(?s)ZeroDivisionError.*use_of_force.*--seed 1 --first 0"):
        run(5000, 1, print, folder=tmp_path)
    assert b"use_of_force" in (tmp_path / "record").read_bytes()
