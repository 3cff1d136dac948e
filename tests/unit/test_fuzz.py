"""The short form of `make fuzz`, which see."""

from __future__ import annotations

from pathlib import Path

import pytest

from streams.door import REASONS
from tests.fuzz.run import FuzzError, run
from tests.unit.strategies import Bench


def test_hostile_records_do_no_harm(tmp_path: Path) -> None:
    report = run(20_000, 1, print, folder=tmp_path)
    assert report.records == 20_000
    assert report.applied > 2_000, "enough of them get in"
    assert set(report.rejected) == set(REASONS), "and every reason to keep one out is met"


def test_a_crash_names_the_record_and_how_to_meet_it_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(type(Bench().state), "_status", broken)
    with pytest.raises(FuzzError, match=r"(?s)ZeroDivisionError.*--seed 1 --first 0") as failure:
        run(1000, 1, print, folder=tmp_path)
    assert b"unit_status" in (tmp_path / "record").read_bytes()
    assert "unit_status" in str(failure.value)
