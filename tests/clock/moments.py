"""The moments at which a test that looks at the clock would fail, each with a time zone of the machine's own."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

CHICAGO = ZoneInfo("America/Chicago")


class Moment(NamedTuple):
    """A time that the clock is set to, and the zone that the machine is in."""

    name: str
    at: datetime
    zone: str
    why: str


MOMENTS = (
    Moment("night", datetime(2026, 11, 18, 3, 0, tzinfo=CHICAGO), "America/Chicago", "few calls, no team on duty"),
    Moment("leap-day", datetime(2028, 2, 29, 12, 0, tzinfo=UTC), "Pacific/Kiritimati", "29 February; 14 hours ahead"),
    Moment("autumn", datetime(2026, 11, 1, 1, 30, tzinfo=CHICAGO), "Australia/Lord_Howe", "an hour that comes twice"),
    Moment("spring", datetime(2027, 3, 14, 1, 59, tzinfo=CHICAGO), "Asia/Kathmandu", "an hour that is left out"),
    Moment("holiday", datetime(2026, 11, 26, 12, 0, tzinfo=CHICAGO), "America/St_Johns", "noon of Thanksgiving Day"),
    Moment("new-year", datetime(2026, 12, 31, 23, 59, tzinfo=UTC), "UTC", "a year that ends during the run"),
)
