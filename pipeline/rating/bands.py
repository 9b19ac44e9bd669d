"""Time bands: when a tariff line holds, in the wall-clock time of the tenant's zone.

mon-fri 08:00-18:00        days and hours; either may be left out
sat,sun                    days; 22:00-06:00 goes on past midnight, of the day on which it begins
mon-fri 18:00-24:00 | sat,sun       one of several
peak, offpeak, weekend …   a name: of the deck, or one of those below
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

_DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_HOURS: Final = re.compile(r"(\d{1,2})(?::(\d{2}))?-(\d{1,2})(?::(\d{2}))?")
_DAY: Final = 24 * 60
_HELP: Final = "is no time band; write days and hours such as mon-fri 08:00-18:00, or peak, offpeak, weekend"

# Names that every deck may use. A deck may define its own, these among them.
NAMES: Final[Mapping[str, str]] = {
    "peak": "mon-fri 08:00-18:00",
    "offpeak": "mon-fri 18:00-24:00 | mon-fri 00:00-08:00 | sat,sun",
    "day": "08:00-18:00",
    "evening": "18:00-22:00",
    "night": "22:00-08:00",
    "weekday": "mon-fri",
    "weekdays": "mon-fri",
    "weekend": "sat,sun",
}
_ALWAYS: Final = frozenset(("", "*", "all", "any", "always", "24/7", "daily"))


@dataclass(frozen=True, slots=True)
class Band:
    """Weekdays (0 Monday) and minutes of the day, half-open; a stretch past midnight is two."""

    parts: tuple[tuple[int, int, int], ...]  # weekday, first minute, end minute

    def holds(self, local: dt.datetime) -> bool:
        """Whether this wall-clock time lies in the band."""
        weekday, minute = local.weekday(), local.hour * 60 + local.minute
        return any(day == weekday and first <= minute < end for day, first, end in self.parts)


def parse(text: str, names: Mapping[str, str] = NAMES) -> Band | None:
    """The band that a text tells, None for always. Raises ValueError saying what to write."""
    plain = _plain(text)
    if plain in _ALWAYS:
        return None
    known = {_plain(name): spec for name, spec in {**NAMES, **names}.items()}
    if plain in known:
        plain = _plain(known[plain])
        if plain in _ALWAYS:
            return None
    parts: list[tuple[int, int, int]] = []
    for stretch in re.split(r"[|;]", plain):
        parts += _stretch(stretch.strip())
    return Band(tuple(parts))


def _plain(text: str) -> str:
    plain = re.sub(r"\s*([-,:])\s*", r"\1", " ".join(text.lower().split()))
    return {"off-peak": "offpeak", "off peak": "offpeak"}.get(plain, plain)


def _stretch(text: str) -> list[tuple[int, int, int]]:
    days, hours = list(range(7)), (0, _DAY)
    words = text.split()
    if not 1 <= len(words) <= 2:
        raise ValueError(_HELP)
    if _HOURS.fullmatch(words[-1]):
        hours = _minutes(words.pop())
    if words:
        days = _weekdays(words.pop())
    if words:
        raise ValueError(_HELP)
    first, end = hours
    if first < end:
        return [(day, first, end) for day in days]
    late = [(day, first, _DAY) for day in days]
    return late + ([((day + 1) % 7, 0, end) for day in days] if end else [])


def _minutes(text: str) -> tuple[int, int]:
    match = _HOURS.fullmatch(text)
    assert match
    first, end = int(match[1]) * 60 + int(match[2] or 0), int(match[3]) * 60 + int(match[4] or 0)
    if first >= _DAY or end > _DAY or int(match[2] or 0) > 59 or int(match[4] or 0) > 59 or first == end:
        raise ValueError(_HELP)
    return first, end


def _weekdays(text: str) -> list[int]:
    days: list[int] = []
    for item in text.split(","):
        first, dash, last = item.partition("-")
        ends = [_DAYS.index(name[:3]) if name[:3] in _DAYS else -1 for name in (first, last if dash else first)]
        if -1 in ends:
            raise ValueError(_HELP)
        days += [(ends[0] + step) % 7 for step in range((ends[1] - ends[0]) % 7 + 1)]
    return sorted(set(days))
