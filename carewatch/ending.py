"""How a command that goes on until its user ends it hears of that: by a signal, or as nobody reads it any more."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_asked = False


class Ended(Exception):  # noqa: N818  # no error: the user's wish
    """A signal asked us to end, or nobody reads what we say any more."""


@contextmanager
def ends_by_signal() -> Iterator[None]:
    """SIGINT, SIGTERM and a closed terminal (SIGHUP) make `pause` raise Ended.

    The signal itself raises nothing: it may come while a lock is taken, which would then stay taken, or in a destructor,
    where Python drops what is raised. `nohup` has SIGHUP ignored, and that stays so.
    """
    heard = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        heard.append(signal.SIGHUP)

    def end(number: int, frame: object) -> None:
        global _asked
        _asked = True

    before = {number: signal.signal(number, end) for number in heard}
    try:
        yield
    finally:
        global _asked
        _asked = False
        for number, handler in before.items():
            signal.signal(number, handler)


def pause(seconds: float) -> None:
    """Wait so long. Raises Ended if a signal has come; whatever waits for something waits by this."""
    until = time.monotonic() + seconds
    while not _asked and (left := until - time.monotonic()) > 0:
        time.sleep(min(left, 0.1))
    if _asked:
        raise Ended


def say(line: str) -> None:
    """Print a line at once. Raises Ended if nobody reads it: the terminal was closed, or a pipe."""
    try:
        print(line, flush=True)
    except OSError:
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115  # until the end of the process
        raise Ended from None
