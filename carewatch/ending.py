"""How a command that goes on until its user ends it hears of that: by a signal, or as nobody reads it any more."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class Ended(Exception):  # noqa: N818  # no error: the user's wish
    """A signal asked us to end, or nobody reads what we say any more."""


@contextmanager
def ends_by_signal() -> Iterator[None]:
    """SIGINT, SIGTERM and a closed terminal (SIGHUP) raise Ended; a second one while we end is not heard.

    `nohup` has SIGHUP ignored, and that stays so.
    """
    heard = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        heard.append(signal.SIGHUP)

    def end(number: int, frame: object) -> None:
        for each in heard:
            signal.signal(each, signal.SIG_IGN)
        raise Ended

    before = {number: signal.signal(number, end) for number in heard}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def say(line: str) -> None:
    """Print a line at once. Raises Ended if nobody reads it: the terminal was closed, or a pipe."""
    try:
        print(line, flush=True)
    except OSError:
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115  # until the end of the process
        raise Ended from None
