"""`carewatch broker`: what can be said of it without a Kafka."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from carewatch import broker, cli
from carewatch.native.process import StackError
from feeds.topics import RETENTION_DAYS


def test_options_that_cannot_be_are_said_plainly(capsys: pytest.CaptureFixture[str]) -> None:
    for argv in (["broker"], ["broker", "--data", "x", "--port", "70000"], ["topics", "create", "--wait", "-1"]):
        with pytest.raises(SystemExit) as ended:
            cli.main(argv)
        assert ended.value.code == 2
    assert "give seconds from 0" in capsys.readouterr().err


def test_a_folder_has_one_broker_and_is_private(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with broker._own(data):
        assert data.stat().st_mode & 0o077 == 0
        with pytest.raises(StackError, match="another broker has this data"), broker._own(data):
            pass
    with broker._own(data):
        pass


def test_a_port_in_use_is_said_before_kafka_starts() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(StackError, match=r"cannot be had.*--port"):
        broker._free(taken.getsockname()[1])


def test_offsets_are_kept_as_long_as_events() -> None:
    assert broker.PROPERTIES["offsets.retention.minutes"] == str(RETENTION_DAYS * 24 * 60)
