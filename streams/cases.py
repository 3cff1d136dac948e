"""A person's case after the call, as facts: the earliest opening, attempts, outreach, closing, no matter the order.

`Case` is the record of the changelog as well (a MessagePack array), so fields are only ever added at the end. A case
that a closed call opens has no record of its own until an event of it comes: its opening is read from the call's
record, so that one event still changes one record and the two can never tell different stories.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from streams.clock import Micros


class Opening(NamedTuple):
    """How a case began; its checkpoints count from `at`."""

    at: Micros
    kind: str
    team: str
    area: str
    call: str = ""


class Case(msgspec.Struct, array_like=True, omit_defaults=True):
    """The events of one case. Times are microseconds since the epoch, 0 where not known."""

    ids: bytes = b""
    opened: Opening | None = None  # by `case_opened`, the earliest
    person: tuple[Micros, int] | None = None
    closed: Micros = 0
    newest: Micros = 0
    attempts: list[tuple[Micros, str, str]] = []  # (at, checkpoint, result)
    outreach: list[tuple[Micros, bool]] = []  # (at, located)
    facts: list[tuple[str | int, ...]] = []  # counted once, see tally.py; attempts and outreach in their order
    touched: Micros = 0  # the clock when the last event was applied; kept 45 days from here at least
    era: int = 0  # how often records had been archived when this one began

    def resolved(self, checkpoint: str) -> tuple[Micros, str] | None:
        """When and how a checkpoint was resolved: the first of `completed`, `declined` and the case's closing.

        Who completes and closes in the same second has completed.
        """
        done = min([(at, how) for at, point, how in self.attempts if point == checkpoint and how in DONE], default=None)
        if self.closed and (done is None or self.closed < done[0]):
            return self.closed, "closed"
        return done

    def tries(self, checkpoint: str) -> int:
        """How often a checkpoint was attempted."""
        return sum(attempt[1] == checkpoint for attempt in self.attempts)


#: Results of an attempt that resolve its checkpoint.
DONE = ("completed", "declined")
