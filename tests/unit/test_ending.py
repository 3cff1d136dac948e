"""How a command that goes on until its user ends it hears of that."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from carewatch import ending
from carewatch.native.process import Child, locked


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_in_a_destructor_is_heard(number: signal.Signals) -> None:
    """There Python drops what a handler raises: a demo that was told to end while it collected garbage went on for ever."""

    class Garbage:
        def __del__(self) -> None:
            os.kill(os.getpid(), number)
            time.sleep(0)  # the handler runs here

    before = signal.getsignal(number)
    with ending.ends_by_signal():
        ending.pause(0)
        Garbage()
        with pytest.raises(ending.Ended):
            ending.pause(60)
        os.kill(os.getpid(), number)  # a second one, while all of it ends
    assert signal.getsignal(number) == before
    ending.pause(0)


def test_a_signal_ends_a_child_that_is_waited_for(tmp_path: Path) -> None:
    go = tmp_path / "go"  # else it may signal before anybody listens, which ends the whole run
    signals = f"until [ -e {go} ]; do sleep 0.01; done; kill -TERM {os.getpid()}; sleep 60"
    child = Child("child", ["/bin/sh", "-c", signals], tmp_path)
    with ending.ends_by_signal():
        go.touch()
        with pytest.raises(ending.Ended):
            child.wait(60)
    assert not child.alive


def test_a_signal_ends_the_wait_for_a_lock(tmp_path: Path) -> None:
    with ending.ends_by_signal(), locked(tmp_path / "lock"):
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(ending.Ended), locked(tmp_path / "lock"):
            pytest.fail("a second holder")


def test_nohup_is_respected() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with ending.ends_by_signal():
            os.kill(os.getpid(), signal.SIGHUP)
            ending.pause(0)
    finally:
        signal.signal(signal.SIGHUP, before)


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
