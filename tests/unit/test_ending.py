"""How a command that goes on until its user ends it hears of that."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable

import pytest

from carewatch import ending


def test_a_second_signal_is_not_heard_and_nohup_is_respected(monkeypatch: pytest.MonkeyPatch) -> None:
    handlers: dict[int, object] = {signal.SIGHUP: signal.SIG_IGN}
    monkeypatch.setattr(signal, "getsignal", lambda number: handlers.get(number))

    def set_handler(number: int, handler: Callable[..., None]) -> object:
        before = handlers.get(number)
        handlers[number] = handler
        return before

    monkeypatch.setattr(signal, "signal", set_handler)
    with ending.ends_by_signal():
        stop = handlers[signal.SIGTERM]
        assert handlers[signal.SIGINT] is stop
        assert handlers[signal.SIGHUP] is signal.SIG_IGN
        assert callable(stop)
        with pytest.raises(ending.Ended):
            stop(signal.SIGTERM, None)
        assert handlers[signal.SIGINT] is signal.SIG_IGN


def test_nobody_reads_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as out:
        monkeypatch.setattr(sys, "stdout", out)
        with pytest.raises(ending.Ended):
            ending.say("hello")
        ending.say("to nobody: whatever is said from now on does no harm")
        sys.stdout.close()
        os.dup2(os.open(os.devnull, os.O_WRONLY), out.fileno())  # what it still holds goes somewhere at its end
