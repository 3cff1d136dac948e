"""`carewatch broker`: what can be said of it without a Kafka."""

from __future__ import annotations

import signal
import socket
from collections.abc import Callable
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


def test_a_second_signal_is_not_heard_and_nohup_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    handlers: dict[int, object] = {signal.SIGHUP: signal.SIG_IGN}
    monkeypatch.setattr(signal, "getsignal", lambda number: handlers.get(number))

    def set_handler(number: int, handler: Callable[..., None]) -> object:
        before = handlers.get(number)
        handlers[number] = handler
        return before

    monkeypatch.setattr(signal, "signal", set_handler)
    with broker._signals():
        stop = handlers[signal.SIGTERM]
        assert handlers[signal.SIGINT] is stop
        assert handlers[signal.SIGHUP] is signal.SIG_IGN
        assert callable(stop)
        with pytest.raises(broker._Stop):
            stop(signal.SIGTERM, None)
        assert handlers[signal.SIGINT] is signal.SIG_IGN
