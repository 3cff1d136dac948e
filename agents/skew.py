"""How far this machine's clock is from the brokers'. A broker says when it wrote a record of the changelog; it did so
between our sending it and its answer.
"""

from __future__ import annotations

import structlog

from agents.seldom import Seldom
from streams.clock import SECOND, Micros

log = structlog.get_logger()

#: A difference that is told in the log. A clock that is kept by NTP is right to some milliseconds.
TOLD: Micros = 5 * SECOND


class Skew:
    """The difference, from what the leaders of the changelog's partitions said last."""

    def __init__(self) -> None:
        """Nobody has said anything yet."""
        self._found: dict[int, Micros] = {}
        self._seldom = Seldom()

    @property
    def now(self) -> Micros:
        """By how much this clock is ahead (negative: behind), at the least; 0 while it agrees as far as can be told."""
        return max(self._found.values(), key=abs, default=0)

    def measure(self, partition: int, began: Micros, written: Micros, ended: Micros) -> None:
        """The broker wrote a record at its time `written`; by our clock that was between the two others."""
        ahead, behind = began - written, ended - written
        self._found[partition] = found = ahead if ahead > 0 else min(behind, 0)
        if abs(found) > TOLD and self._seldom.due("skew"):
            log.error(f"{said(found)}: set it, with NTP, or what this worker shows is wrong by as much")

    def keep(self, partitions: set[int]) -> None:
        """These partitions are ours; what was measured with others may be long ago."""
        self._found = {number: found for number, found in self._found.items() if number in partitions}


def said(skew: Micros) -> str:
    """The difference in words."""
    seconds = round(abs(skew) / SECOND)
    hours, minutes = divmod(round(seconds / 60), 60)
    amount = f"{hours} h {minutes} min" if hours else f"{seconds} s"
    return f"this machine's clock is {amount} {'ahead of' if skew > 0 else 'behind'} the broker's"
