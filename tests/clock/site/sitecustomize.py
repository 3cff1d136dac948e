"""Every Python process of the clock tests loads this at its start.

libfaketime takes the end of a sleep, which Python tells by the monotonic clock, for a time of the clock that it sets; the
sleep then fails. `select` waits as long, and libfaketime leaves it alone.
"""

from __future__ import annotations

import select
import time


def sleep(seconds: float, /) -> None:
    """As time.sleep."""
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    select.select([], [], [], seconds)


time.sleep = sleep  # type: ignore[assignment]  # its stub takes whatever has __index__ too
