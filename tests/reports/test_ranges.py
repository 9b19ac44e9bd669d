"""The seven ranges and cron schedules, in zones that set their clocks."""

from __future__ import annotations

import datetime as dt
from itertools import islice

import pytest

from pipeline.instants import instant
from pipeline.reports.ranges import custom_end, span_of
from pipeline.reports.schedule import MOST_MISSED, check_cron, due, next_due

HOUR = 3_600_000


@pytest.mark.parametrize(
    ("name", "zone", "first", "last"),
    [
        ("TODAY", "UTC", "2024-04-03T00:00:00+00:00", "2024-04-03T23:59:59+00:00"),
        ("YESTERDAY", "UTC", "2024-04-02T00:00:00+00:00", "2024-04-02T23:59:59+00:00"),
        ("LAST_WEEK", "Asia/Singapore", "2024-03-25T00:00:00+08:00", "2024-03-31T23:59:59+08:00"),
        ("LAST_WEEK", "Europe/Berlin", "2024-03-25T00:00:00+01:00", "2024-03-31T23:59:59+02:00"),
        ("LAST_SEVEN_DAYS", "Europe/Berlin", "2024-03-27T00:00:00+01:00", "2024-04-02T23:59:59+02:00"),
        ("LAST_MONTH", "Europe/Berlin", "2024-03-01T00:00:00+01:00", "2024-03-31T23:59:59+02:00"),
        ("LAST_MONTH", "America/New_York", "2024-03-01T00:00:00-05:00", "2024-03-31T23:59:59-04:00"),
        ("LAST_THIRTY_DAYS", "UTC", "2024-03-04T00:00:00+00:00", "2024-04-02T23:59:59+00:00"),
        # at that instant it is already Thursday there
        ("TODAY", "Pacific/Auckland", "2024-04-04T00:00:00+13:00", "2024-04-04T23:59:59+13:00"),
    ],
)
def test_ranges(name: str, zone: str, first: str, last: str) -> None:
    span = span_of(name, instant("2024-04-03T12:00:00Z"), zone)
    assert (span.first, span.last) == (first, last)


def test_a_day_is_as_long_as_its_zone_says() -> None:
    now = instant("2024-04-01T10:00:00Z")
    spring = span_of("YESTERDAY", now, "Europe/Berlin")
    assert spring.end_ms - spring.first_ms == 23 * HOUR
    autumn = span_of("YESTERDAY", instant("2024-10-28T10:00:00Z"), "Europe/Berlin")
    assert autumn.end_ms - autumn.first_ms == 25 * HOUR
    assert spring.days == autumn.days == 1


def test_a_midnight_that_is_skipped() -> None:
    """In Beirut, the last Sunday of March 2024 began at one o'clock."""
    span = span_of("TODAY", instant("2024-03-31T10:00:00Z"), "Asia/Beirut")
    assert span.first == "2024-03-31T01:00:00+03:00"
    assert span.end_ms - span.first_ms == 23 * HOUR


def test_custom_ends_with_its_second() -> None:
    assert custom_end(instant("2024-04-03T23:59:59Z")) == instant("2024-04-04T00:00:00Z")
    assert custom_end(instant("2024-04-03T23:59:59.5Z")) == instant("2024-04-04T00:00:00Z")
    assert custom_end(instant("2024-04-04T00:00:00Z")) == instant("2024-04-04T00:00:00Z")


def times(expression: str, zone: str, after: str, number: int) -> list[str]:
    def each() -> object:
        at: int | None = instant(after)
        while at is not None:
            at = next_due(expression, zone, at)
            if at is not None:
                yield dt.datetime.fromtimestamp(at / 1000, dt.UTC).strftime("%m-%dT%H:%M")

    return list(islice(each(), number))  # type: ignore[call-overload]


def test_schedules_are_of_the_zone() -> None:
    assert times("0 6 * * 1", "Asia/Singapore", "2024-08-20T00:00:00Z", 2) == ["08-25T22:00", "09-01T22:00"]
    # half past two is skipped on one day in spring, and comes twice on one in autumn
    assert times("30 2 * * *", "Europe/Berlin", "2024-03-30T00:00:00Z", 3) == [
        "03-30T01:30",
        "03-31T01:30",
        "04-01T00:30",
    ]
    assert times("30 2 * * *", "Europe/Berlin", "2024-10-26T12:00:00Z", 2) == ["10-27T00:30", "10-28T01:30"]
    assert times("0 0 1 * *", "America/New_York", "2024-10-15T00:00:00Z", 2) == ["11-01T04:00", "12-01T05:00"]


def test_what_was_missed() -> None:
    after, now = instant("2024-08-20T00:00:30Z"), instant("2024-08-20T05:00:10Z")
    hourly = [instant(f"2024-08-20T{hour:02d}:00:00Z") for hour in range(1, 6)]
    assert due("0 * * * *", "UTC", after, now, "all") == hourly
    assert due("0 * * * *", "UTC", after, now, "last") == hourly[-1:]
    assert due("0 * * * *", "UTC", after, now, "skip") == hourly[-1:]
    assert due("30 * * * *", "UTC", after, now, "skip") == []
    assert due("0 * * * *", "UTC", hourly[-1], now, "all") == []
    minutes = due("* * * * *", "UTC", instant("2020-01-01T00:00:00Z"), now, "all")
    assert len(minutes) == MOST_MISSED and minutes == sorted(minutes)


@pytest.mark.parametrize(
    "expression", ["", "x", "* * * *", "* * * * * *", "60 * * * *", "0 0 31 2 *", "@reboot", "a b c d e"]
)
def test_what_is_no_schedule(expression: str) -> None:
    with pytest.raises(ValueError, match="write minute hour day month weekday"):
        check_cron(expression)


@pytest.mark.parametrize("expression", ["0 0 * * *", "0 0 * * 1", "0 0 1 * *", "*/15 8-18 * * mon-fri", "@daily"])
def test_what_is_a_schedule(expression: str) -> None:
    check_cron(expression)
