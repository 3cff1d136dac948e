"""When each topic of a program was last heard of: the newest `at` of its events, heartbeats included."""

from __future__ import annotations

from streams.clock import Micros
from streams.events import Topic


class Feeds:
    """The newest time of each topic. It never goes back: what was taken back or corrected was heard all the same."""

    __slots__ = ("_newest",)

    def __init__(self) -> None:
        """Nothing heard yet."""
        self._newest: dict[Topic, Micros] = {}

    def heard(self, topic: Topic, at: Micros) -> bool:
        """Something of this time came, or stands in a record that is read back. Whether it is the newest of its topic."""
        newest = self._newest.get(topic)
        if newest is not None and at <= newest:
            return False
        self._newest[topic] = at
        return True

    def newest(self) -> dict[tuple[Topic], Micros]:
        """The newest `at` by topic; no entry for one that was never heard of."""
        return {(topic,): at for topic, at in self._newest.items()}
