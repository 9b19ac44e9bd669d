"""Instants as people write them, as milliseconds since the epoch (UTC)."""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

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
