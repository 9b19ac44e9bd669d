"""Lengths as people write them: 42, 42 s, 3:07, 1:02:10, 2 min, 1 h 5 min."""

from __future__ import annotations

import re
from typing import Final

_CLOCK: Final = re.compile(r"(?:(\d{1,4}):)?(\d{1,4}):([0-5]?\d)", re.ASCII)
_PART: Final = re.compile(r"(\d{1,9})\s*(h|min|m|sec|s)?\s*", re.ASCII)
_SECONDS: Final = {"h": 3600, "min": 60, "m": 60, "sec": 1, "s": 1, None: 1}


def seconds_of(text: str) -> int | None:
    """The seconds that a text means; None when it means none."""
    plain = re.sub(r"[\s\u202f\u00a0]+", " ", text.strip().lower())
    if clock := _CLOCK.fullmatch(plain):
        hours, minutes, seconds = (int(part or 0) for part in clock.groups())
        return hours * 3600 + minutes * 60 + seconds
    total, at = 0, 0
    while at < len(plain):
        part = _PART.match(plain, at)
        if part is None or (part[2] is None and part.span() != (0, len(plain))):
            return None
        total += int(part[1]) * _SECONDS[part[2]]
        at = part.end()
    return total if plain else None
