"""A person's case after the call, as facts. Checkpoints and their states are computed from it at read time."""

from __future__ import annotations

import msgspec

from streams.clock import Micros


class Case(msgspec.Struct, array_like=True, omit_defaults=True):
    """One case. Times are microseconds since the epoch, 0 where not known."""

    ids: bytes = b""
    opened: tuple[Micros, str, str, str, str] | None = None  # (at, kind, team, area, call), earliest
    person: tuple[Micros, int] | None = None
    closed: Micros = 0
    newest: Micros = 0
    attempts: list[tuple[Micros, str, str]] = []  # (at, checkpoint, result)
    outreach: list[tuple[Micros, bool]] = []  # (at, located)
    facts: list[tuple[str, str, int]] = []  # counted once, see tally.py
