"""Time as it is kept: whole microseconds since the epoch, so that sums do not depend on their order."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

Micros = int
SECOND: Micros = 1_000_000
HOUR: Micros = 3600 * SECOND
DAY: Micros = 24 * HOUR
#: Later than any time.
NEVER: Micros = 2**62

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_HOUR = _EPOCH.toordinal() * 24


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


def local_micros(at: Micros, zone: ZoneInfo) -> Micros:
    """What the wall clock of a zone shows, as microseconds since it showed 1970-01-01 00:00."""
    ahead = _ahead_all_day(at // DAY, zone)
    return at + (_ahead(at, zone) if ahead is None else ahead)


def from_local(shown: Micros, zone: ZoneInfo) -> Micros:
    """When the wall clock of a zone shows this; the first time, if it does so twice.

    A time that the clock skips is as long after the last one that it shows.
    """
    ahead = _ahead_all_local_day(shown // DAY, zone)
    return shown - (_ahead_of_local(shown, zone) if ahead is None else ahead)


def keeps_clock(shown: Micros, zone: ZoneInfo) -> bool:
    """Whether the clock of a zone runs on all through a local day, one time of which is given."""
    return _ahead_all_local_day(shown // DAY, zone) is not None


def local_hour(at: Micros, zone: ZoneInfo) -> int:
    """The local hour, counted like days by `toordinal`: day x 24 + hour of the day."""
    return local_micros(at, zone) // HOUR + _EPOCH_HOUR


# How far a zone is ahead of UTC is asked several times an event, and `datetime` takes a microsecond to say it. No zone
# changes its clocks twice a day, so it is the same all day if it is the same at both ends; None: it changes.


@lru_cache(maxsize=4096)
def _ahead_all_day(day: int, zone: ZoneInfo) -> Micros | None:
    first, last = _ahead(day * DAY, zone), _ahead((day + 1) * DAY - 1, zone)
    return first if first == last else None


@lru_cache(maxsize=4096)
def _ahead_all_local_day(day: int, zone: ZoneInfo) -> Micros | None:
    first, last = _ahead_of_local(day * DAY, zone), _ahead_of_local((day + 1) * DAY - 1, zone)
    return first if first == last else None


def _ahead(at: Micros, zone: ZoneInfo) -> Micros:
    return micros(utc(at).astimezone(zone).replace(tzinfo=UTC)) - at


def _ahead_of_local(shown: Micros, zone: ZoneInfo) -> Micros:
    return shown - micros(utc(shown).replace(tzinfo=zone))


def wall() -> Micros:
    """The wall clock, microseconds since the epoch."""
    return time.time_ns() // 1000
