"""Troubles that last, or that guests make as often as they like: each kind is one line a minute in the log."""

from __future__ import annotations

import time
from collections import Counter

import structlog

log = structlog.get_logger()

#: Seconds between two lines of a kind.
APART = 60.0


class Seldom:
    """When to say what again. Kinds are ours, never a guest's: there are as many as this code has."""

    def __init__(self, apart: float = APART) -> None:
        """`apart`: seconds between two lines of a kind."""
        self._apart = apart
        self._next: dict[str, float] = {}
        self._times: Counter[str] = Counter()

    def due(self, kind: str, apart: float | None = None) -> bool:
        """Whether it is time to say something of this kind (again); `apart`: seconds until the next time."""
        now = time.monotonic()
        if now < self._next.get(kind, 0.0):
            return False
        self._next[kind] = now + (self._apart if apart is None else apart)
        return True

    def warning(self, kind: str, error: BaseException | None = None, **fields: object) -> None:
        """Say it now, or have it counted for the next time. Of an error only its type and place are said."""
        self._times[kind] += 1
        if self.due(kind):
            log.warning(kind, times=self._times.pop(kind), **fields, **({"exc_info": error} if error else {}))
