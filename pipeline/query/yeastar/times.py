"""Times as a Yeastar PBX displays them: in its zone, date and clock as set for the tenant.

The vendor's clients must send times in the format of the display; a time in any other finds no calls.
"""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache
from typing import Final

from pipeline.directory.model import Display

_PARTS: Final = {"YYYY": ("%Y", r"(?P<year>\d{4})"), "MM": ("%m", r"(?P<month>\d\d)"), "DD": ("%d", r"(?P<day>\d\d)")}
_CLOCK: Final = r" (?P<hour>\d\d):(?P<minute>\d\d):(?P<second>\d\d)"


def is_twelve_hours(display: Display) -> bool:
    """Whether the clock shows AM and PM."""
    return display.time == "12h"


def parse_time(text: str, display: Display) -> dt.datetime | None:
    """The wall time that `text` shows in the tenant's format; None when it is in no such format."""
    match = _pattern(display.date, is_twelve_hours(display)).fullmatch(text)
    if match is None:
        return None
    hour = int(match["hour"])
    if is_twelve_hours(display):
        if not 1 <= hour <= 12:
            return None
        hour = hour % 12 + (12 if match["half"].upper() == "PM" else 0)
    try:
        return dt.datetime(
            int(match["year"]), int(match["month"]), int(match["day"]), hour, int(match["minute"]), int(match["second"])
        )
    except ValueError:
        return None


def shown_time(at: dt.datetime, display: Display) -> str:
    """A wall time in the tenant's format."""
    date = f"{at:{_directives(display.date)}}"
    if is_twelve_hours(display):
        return f"{date} {at.hour % 12 or 12:02d}:{at.minute:02d}:{at.second:02d} {'PM' if at.hour >= 12 else 'AM'}"
    return f"{date} {at.hour:02d}:{at.minute:02d}:{at.second:02d}"


@lru_cache(maxsize=64)
def _directives(date: str) -> str:
    for part, (directive, _) in _PARTS.items():
        date = date.replace(part, directive)
    return date


@lru_cache(maxsize=64)
def _pattern(date: str, twelve_hours: bool) -> re.Pattern[str]:
    shape = re.escape(date)
    for part, (_, group) in _PARTS.items():
        shape = shape.replace(part, group)
    return re.compile(shape + _CLOCK + (" (?P<half>[AaPp][Mm])" if twelve_hours else ""), re.ASCII)
