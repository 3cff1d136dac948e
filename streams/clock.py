"""Time as it is kept: whole microseconds since the epoch, so that sums do not depend on their order."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

Micros = int
SECOND: Micros = 1_000_000
DAY: Micros = 86_400 * SECOND

#: Clocks of every zone change at full quarters, and differ from UTC by full quarters.
_QUARTER: Micros = 900 * SECOND

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(at: datetime) -> Micros:
    """Microseconds since the epoch of a time with an offset."""
    since = at - _EPOCH
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds


def utc(at: Micros) -> datetime:
    """The time in UTC."""
    return _EPOCH + timedelta(microseconds=at)


def local(at: Micros, zone: ZoneInfo) -> datetime:
    """The wall-clock time in a zone."""
    return datetime.fromtimestamp(at / SECOND, zone)  # exact: a double holds the microseconds of some centuries


def local_hour(at: Micros, zone: ZoneInfo) -> int:
    """The local hour, counted like days by `toordinal`: day x 24 + hour of the day."""
    return _local_hour(at // _QUARTER, zone)


@lru_cache(maxsize=16_384)  # 45 days of some zones
def _local_hour(quarter: int, zone: ZoneInfo) -> int:
    at = local(quarter * _QUARTER, zone)
    return at.toordinal() * 24 + at.hour


def wall() -> Micros:
    """The wall clock, microseconds since the epoch."""
    return time.time_ns() // 1000
