"""Local time, which is kept for whole days: the same as `datetime` says, on the days when clocks change too."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from streams.clock import DAY, HOUR, SECOND, Micros, from_local, local, local_hour, local_micros, micros, utc

MINUTE = 60 * SECOND
#: Odd ones too: half an hour of daylight saving, changes a minute after midnight, a day that was left out.
ZONES = (
    "America/Chicago",
    "America/New_York",
    "America/Los_Angeles",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
    "Antarctica/Casey",
    "Pacific/Apia",
    "Africa/Casablanca",
)


def agrees(at: Micros, zone: ZoneInfo) -> None:
    shown = local(at, zone)
    assert local_micros(at, zone) == micros(shown.replace(tzinfo=UTC))
    assert local_hour(at, zone) == shown.toordinal() * 24 + shown.hour
    assert from_local(at, zone) == micros(utc(at).replace(tzinfo=zone))  # `at` as what the clock shows


@pytest.mark.parametrize("name", ZONES)
@pytest.mark.parametrize("year", [2010, 2011, 2022, 2024])
def test_local_time_is_that_of_datetime_all_year(name: str, year: int) -> None:
    zone = ZoneInfo(name)
    start, end = (micros(datetime(each, 1, 1, tzinfo=UTC)) for each in (year, year + 1))
    for hour in range(start, end, HOUR):
        agrees(hour, zone)
    changes = [
        day for day in range(start, end, DAY) if local(day, zone).utcoffset() != local(day + DAY, zone).utcoffset()
    ]
    for day in changes:
        for minute in range(day - DAY, day + 2 * DAY, MINUTE):
            agrees(minute, zone)
            agrees(minute - 1, zone)


@given(at=st.integers(2 * 365 * DAY, 130 * 365 * DAY), name=st.sampled_from(ZONES))
@example(at=micros(datetime.fromisoformat("2024-11-03T06:59:59.999999Z")), name="America/Chicago")
@settings(deadline=None)
def test_local_time_is_that_of_datetime_at_any_time(at: Micros, name: str) -> None:
    agrees(at, ZoneInfo(name))
