"""What the garbage collector need not look at. A full collection walks everything that is kept: with the states of 64
programs and their pages it holds the event loop for 80 ms, and finds nothing, as what is kept is not garbage.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
from collections.abc import Iterator

#: From glibc's malloc.h.
_M_ARENA_MAX = -8


def tune() -> None:
    """Look for garbage less often: what an event leaves is freed by counting references, as states have no cycles.

    A look holds the event loop for some 25 ms; with twice the first number for 60, with half of it all looks together take a
    sixth more time. The second generation is looked at after three of the first.
    """
    gc.set_threshold(20_000, 3, 80)
    _one_arena()


def _one_arena() -> None:
    """Have all threads allocate from one place, where the C library is glibc. To be called before there are threads.

    Each would have its own, whose free memory is of no use to the others: what the Kafka client's thread had fetched left
    25 MB behind. Only one thread runs Python at a time, so that none waits for another.
    """
    with contextlib.suppress(AttributeError, OSError):  # another C library
        ctypes.CDLL(None).mallopt(_M_ARENA_MAX, 1)


def settle() -> None:
    """Leave what is there now alone, for good; it is still freed once nothing refers to it."""
    gc.freeze()


@contextlib.contextmanager
def unwatched() -> Iterator[None]:
    """Look for no garbage while much is made that stays: it would be walked again and again."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
