"""Whether a board reads what it is sent. Its system takes the first 64 kB or more without it, and says that it has come.

But what is not read uses up the window that the system offers us: the window of a board that reads is soon as large as
before; that of one that does not falls and falls. Linux tells; elsewhere we do not know until nothing more is taken.
"""

from __future__ import annotations

import socket
import struct
import sys
from typing import NamedTuple

#: Bytes that come without a smaller window where they are read; the window is told in units of a kilobyte or less.
READ = 4096
#: Bytes by which the window falls, in so many steps, before that tells something: the window is told when a message
#: comes, not when it is read, so it is smaller after a large one; and systems give back small parts late.
FALL, STEPS = 16 * 1024, 4
#: Linux's `struct tcp_info`: bytes that the other side has confirmed, and its window.
_ACKED, _WINDOW = (struct.Struct("=Q"), 120), (struct.Struct("=I"), 228)
_SIZE = 232
_KNOWN = sys.platform == "linux"


class _Look(NamedTuple):
    at: float
    acked: int
    window: int


class Reading:
    """Looks at one connection; to be asked before each message."""

    def __init__(self, connection: socket.socket, within: float) -> None:
        """`within`: seconds that it may read nothing."""
        self._connection = connection
        self._within = within
        self._read: _Look | None = None  # the last look that shows that it has read
        self._last: _Look | None = None  # the last one that shows anything
        self._steps = 0

    def stopped(self, now: float) -> bool:
        """Whether nothing was read for `within` seconds of a clock, as far as is known."""
        look, last = self._look(now), self._last
        if look is None:
            return False
        if (
            last is None
            or look.window > last.window
            or (look.window == last.window and look.acked - last.acked >= READ)
        ):
            self._read = self._last = look
            self._steps = 0
        elif look.window < last.window:
            self._last = look
            self._steps += 1
        return (
            self._read is not None
            and self._steps >= STEPS
            and self._read.window - look.window >= FALL
            and now - self._read.at >= self._within
        )

    def _look(self, now: float) -> _Look | None:
        if not _KNOWN:
            return None
        try:
            told = self._connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _SIZE)
        except OSError:
            return None
        if len(told) < _SIZE:  # an old kernel
            return None
        (acked,), (window,) = (field.unpack_from(told, place) for field, place in (_ACKED, _WINDOW))
        return _Look(now, acked, window)
