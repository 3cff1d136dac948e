"""Whether the group still takes this worker for alive, so that its numbers are its own to show.

The group gives the partitions of a worker that it has not heard of for the session timeout to others. A worker that was
frozen, or cut off from the broker, cannot know; so it shows nothing from that moment on until the group has answered.
"""

from __future__ import annotations

from collections.abc import Callable

from agents.fence import clock


class Lease:
    """Held for the session timeout (seconds) from each heartbeat that the group answered."""

    def __init__(self, session: float, clock: Callable[[], float] = clock) -> None:
        """Not held."""
        self._session = session
        self._clock = clock
        self._until = float("-inf")

    def renew(self, sent: float) -> None:
        """The group has answered what we sent at that time of the clock. May be called from another thread."""
        self._until = max(self._until, sent + self._session)

    @property
    def held(self) -> bool:
        """Whether nobody else can have our partitions yet."""
        return self._clock() < self._until
