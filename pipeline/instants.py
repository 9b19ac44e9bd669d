"""Instants as people write them, as milliseconds since the epoch (UTC)."""

from __future__ import annotations

import datetime as dt
import re
from typing import Final
from zoneinfo import ZoneInfo

DAY_MS: Final = 86_400_000

_RFC3339: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|z|[+-]\d\d:\d\d))?", re.ASCII
)
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
# What DateTime64 holds without overflow.
_EARLIEST, _LATEST = dt.datetime(1900, 1, 2, tzinfo=dt.UTC), dt.datetime(2299, 12, 30, tzinfo=dt.UTC)


def instant(text: str) -> int:
    """RFC 3339 (section 5.6) as ms since the epoch; a date alone is its midnight UTC. Finer than ms is cut off.

    Raises ValueError with the reason and the fix.
    """
    match = _RFC3339.fullmatch(text)
    if match is None:
        hint = " (in a URL, write + as %2B)" if re.search(r" \d\d:\d\d$", text) else ""
        raise ValueError(f"is no RFC 3339 time; write it like 2024-08-20T06:00:59Z, with Z or an offset{hint}")
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    try:
        moment = dt.datetime(
            int(year), int(month), int(day), int(hour or 0), int(minute or 0), min(int(second or 0), 59), tzinfo=dt.UTC
        )
        if int(second or 0) > 60:
            raise ValueError("second must be in 0..60")
        if zone and zone not in "Zz":
            offset = dt.timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
            moment += -offset if zone[0] == "+" else offset
    except (ValueError, OverflowError) as error:
        raise ValueError(f"is no time of the calendar ({error})") from None
    if not _EARLIEST <= moment <= _LATEST:
        raise ValueError("lies outside the years 1900 to 2299")
    leap = 1 if second == "60" else 0
    whole = (moment - _EPOCH) // dt.timedelta(seconds=1) + leap
    return whole * 1000 + int(((fraction or "") + "000")[:3])


_DATE: Final = re.compile(r"(\d{4})-(\d\d)-(\d\d)", re.ASCII)
_DAY: Final = dt.timedelta(days=1)


def day_of(text: str, zone: ZoneInfo) -> tuple[int, int] | None:
    """The day that a date alone names in `zone`, as [first, end) in ms since the epoch; None for what is no date
    alone. A day is as long as the zone's clock makes it.

    Raises ValueError for a date that is not in the calendar.
    """
    match = _DATE.fullmatch(text)
    if match is None:
        return None
    instant(text)  # of the calendar, and within what the warehouse holds
    day = dt.date(int(match[1]), int(match[2]), int(match[3]))
    return first_of_day(day, zone), first_of_day(day + _DAY, zone)


def first_of_day(day: dt.date, zone: ZoneInfo) -> int:
    """The first instant of a day in `zone`, ms since the epoch. Where the clock skips midnight, the instant at which
    it has skipped (PEP 495: the reading of a skipped time with fold=0)."""
    midnight = dt.datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(dt.UTC)
    return (midnight - _EPOCH) // dt.timedelta(milliseconds=1)


def first_instant(text: str, zone: ZoneInfo) -> int:
    """A begin, ms since the epoch: RFC 3339, or a date alone for the first instant of that day in `zone`. Raises
    ValueError."""
    day = day_of(text, zone)
    return instant(text) if day is None else day[0]


def end_instant(text: str, zone: ZoneInfo) -> int:
    """An excluded end, ms since the epoch: RFC 3339, or a date alone for the end of that day in `zone`. Raises
    ValueError."""
    day = day_of(text, zone)
    return instant(text) if day is None else day[1]
