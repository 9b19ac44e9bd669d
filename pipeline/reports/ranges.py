"""The time that a report is about: PortSIP's seven ranges, in the tenant's zone.

Vendor schema "call_reports.range". Days are calendar days of the zone, so a day on which the clock
is set is 23 or 25 hours long; weeks begin on Monday.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from pipeline.errors import BadField
from pipeline.instants import end_instant, first_instant

RANGES: Final = ("TODAY", "YESTERDAY", "LAST_WEEK", "LAST_SEVEN_DAYS", "LAST_MONTH", "LAST_THIRTY_DAYS", "CUSTOM")
CUSTOM: Final = "CUSTOM"


@dataclass(frozen=True, slots=True)
class Span:
    """From `first_ms` up to, not including, `end_ms` (UTC), shown in `zone`."""

    first_ms: int
    end_ms: int
    zone: str

    @property
    def first(self) -> str:
        """The begin in the zone, RFC 3339."""
        return local_time(self.first_ms, self.zone)

    @property
    def last(self) -> str:
        """The last second, in the zone, RFC 3339: how PortSIP writes an end."""
        return local_time(self.end_ms - 1000, self.zone)

    @property
    def words(self) -> str:
        """As people read it: its days, or its times where it does not begin and end with days."""
        first, last = clock_time(self.first_ms, self.zone), clock_time(self.end_ms - 1000, self.zone)
        if first.endswith("00:00:00") and last.endswith("23:59:59"):
            first, last = first[:10], last[:10]
        return first if first == last else f"{first} to {last}"

    @property
    def days(self) -> int:
        """Calendar days of the zone that it touches."""
        zone = ZoneInfo(self.zone)
        first = dt.datetime.fromtimestamp(self.first_ms / 1000, zone).date()
        last = dt.datetime.fromtimestamp((self.end_ms - 1) / 1000, zone).date()
        return (last - first).days + 1

    @property
    def before(self) -> Span:
        """The time of the same length before it, for comparison."""
        return Span(2 * self.first_ms - self.end_ms, self.first_ms, self.zone)


def span_of(name: str, now_ms: int, zone: str, custom: tuple[int, int] | None = None) -> Span:
    """The range `name` as seen at `now_ms` in the IANA `zone`; `custom` is what CUSTOM means, ms, end excluded."""
    if name == CUSTOM:
        assert custom is not None
        return Span(custom[0], custom[1], zone)
    tz = ZoneInfo(zone)
    today = dt.datetime.fromtimestamp(now_ms / 1000, tz).date()
    day = dt.timedelta(days=1)
    first, end = {
        "TODAY": (today, today + day),
        "YESTERDAY": (today - day, today),
        "LAST_WEEK": (today - day * (today.weekday() + 7), today - day * today.weekday()),
        "LAST_SEVEN_DAYS": (today - day * 7, today),
        "LAST_MONTH": ((today.replace(day=1) - day).replace(day=1), today.replace(day=1)),
        "LAST_THIRTY_DAYS": (today - day * 30, today),
    }[name]
    return Span(midnight(first, tz), midnight(end, tz), zone)


def midnight(day: dt.date, zone: ZoneInfo) -> int:
    """The first instant of a day, ms. Where the clock skips midnight, the day begins when it has skipped."""
    return int(dt.datetime(day.year, day.month, day.day, tzinfo=zone).timestamp() * 1000)


def local_time(ms: int, zone: str) -> str:
    """An instant in a zone: RFC 3339 with offset, cut to the second."""
    # long reports have hundreds of thousands of these, and no zone changes within a quarter of an hour
    quarter, second = divmod(ms // 1000, 900)
    hour, minute, offset = _quarter(quarter, zone)
    return f"{hour}{minute + second // 60:02d}:{second % 60:02d}{offset}"


def clock_time(ms: int, zone: str) -> str:
    """An instant as clocks in a zone show it, cut to the second: 2024-08-19 00:07:41."""
    return local_time(ms, zone)[:19].replace("T", " ")


@lru_cache(maxsize=1 << 14)
def _quarter(quarter: int, zone: str) -> tuple[str, int, str]:
    """Of a quarter of an hour since the epoch: its text up to the minutes, its first minute, its offset."""
    text = dt.datetime.fromtimestamp(quarter * 900, ZoneInfo(zone)).isoformat(timespec="seconds")
    return text[:14], int(text[14:16]), text[19:25]


def moment(field: str, text: str, zone: str, *, is_end: bool) -> int:
    """A begin or an excluded end, ms: RFC 3339, or a date alone for the whole day in `zone`. Raises BadField."""
    try:
        return (end_instant if is_end else first_instant)(text, ZoneInfo(zone))
    except ValueError as error:
        raise BadField(field, text, str(error)) from None


def custom_end(ended_ms: int) -> int:
    """The excluded end of a CUSTOM range. PortSIP writes the end of a day as its last second, so an end in
    second 59 has that second in it."""
    return ended_ms - ended_ms % 1000 + 1000 if ended_ms // 1000 % 60 == 59 else ended_ms
