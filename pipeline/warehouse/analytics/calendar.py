"""Calendar stretches in an IANA zone, right across changes of the clock.

A day is as long as its zone says: 23, 24 or 25 hours, or whatever the law made of it. An hour that the clock
repeats is two hours; one that it skips is none. Weeks begin on Monday (ISO 8601).
"""

from __future__ import annotations

import datetime as dt
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pipeline.instants import DAY_MS
from pipeline.warehouse.query.expressions import BadExpression

MOST_BUCKETS: Final = 10_000

_MINUTES: Final = {"minute": 1, "5_minutes": 5, "15_minutes": 15, "30_minutes": 30, "hour": 60}
_MONTHS: Final = {"month": 1, "quarter": 3, "year": 12}
STEPS: Final = (*_MINUTES, "day", "week", *_MONTHS)

_NAME: Final = re.compile(r"[A-Za-z0-9_+-]+(?:/[A-Za-z0-9_+-]+)*", re.ASCII)
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MS: Final = dt.timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Bucket:
    """Which stretches: `step` is one of STEPS, `zone` an IANA name."""

    step: str
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Stretch:
    """Half-open, ms since the epoch."""

    first_ms: int
    end_ms: int


def zone_of(name: str) -> ZoneInfo:
    """The zone of this IANA name. Raises BadExpression."""
    try:
        if len(name) > 64 or not _NAME.fullmatch(name):
            raise ValueError
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise BadExpression(f"zone {name[:64]!r} is no IANA time zone; write it like Europe/London or UTC") from None


def stretches_of(bucket: Bucket, first_ms: int, end_ms: int) -> list[Stretch]:
    """The stretches that touch [first, end), in order and without gaps. Raises BadExpression for an unknown
    step or zone, and when there are more than MOST_BUCKETS."""
    zone = zone_of(bucket.zone)
    if bucket.step not in STEPS:
        raise BadExpression(f"bucket {bucket.step[:40]!r} is none of {', '.join(STEPS)}")
    if end_ms <= first_ms:
        return []
    minutes = _MINUTES.get(bucket.step)
    starts = _clock(zone, minutes, first_ms, end_ms) if minutes else _days(zone, bucket.step, first_ms, end_ms)
    found: list[int] = []
    for start in starts:
        if found and start <= found[-1]:
            continue  # a day that the zone left out
        found.append(start)
        if start >= end_ms:
            break
        if len(found) > MOST_BUCKETS:
            raise BadExpression(
                f"bucket {bucket.step!r} makes more than {MOST_BUCKETS} of this time; take a wider step or less time"
            )
    return [Stretch(start, end) for start, end in itertools.pairwise(found) if end > first_ms]


def local_text(ms: int, zone: ZoneInfo) -> str:
    """The instant as RFC 3339 with the zone's offset, whole seconds."""
    return (_EPOCH + ms * _MS).astimezone(zone).isoformat(timespec="seconds")


def offsets(zone: ZoneInfo, first_ms: int, end_ms: int) -> list[tuple[int, int]]:
    """(since when, offset from UTC) in ms: what the zone's clock shows in [first, end)."""
    found = [(first_ms, _offset(zone, first_ms))]
    at = first_ms
    while at < end_ms:
        following = min(at + 7 * DAY_MS, end_ms)
        if _offset(zone, following) != found[-1][1]:
            change = _change(zone, at, following)
            found.append((change, _offset(zone, change)))
            at = change
        else:
            at = following
    return found


def runs(starts: Sequence[int]) -> list[tuple[int, int, int]]:
    """Ascending numbers as (first, step, count): short for SQL, however many they are."""
    found: list[tuple[int, int, int]] = []
    for start in starts:
        if found:
            first, step, count = found[-1]
            gap = start - (first + step * (count - 1))
            if count == 1 or gap == step:
                found[-1] = (first, gap, count + 1)
                continue
        found.append((start, 1, 1))
    return found


def _offset(zone: ZoneInfo, ms: int) -> int:
    offset = (_EPOCH + ms * _MS).astimezone(zone).utcoffset()
    assert offset is not None
    return offset // _MS


def _change(zone: ZoneInfo, low: int, high: int) -> int:
    """When the offset changes first, between `low` and `high`, which have different ones."""
    before = _offset(zone, low)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset(zone, middle) == before:
            low = middle
        else:
            high = middle
    return high


def _clock(zone: ZoneInfo, minutes: int, first_ms: int, end_ms: int) -> Iterator[int]:
    """Whole multiples of so many minutes on the zone's clock. Where a change of the clock does not fit
    them (half an hour, for hours), a stretch ends there."""
    width = minutes * 60_000
    at = first_ms - (first_ms + _offset(zone, first_ms)) % width
    back = _offset(zone, at)
    if back != _offset(zone, first_ms) and (back - _offset(zone, first_ms)) % width:
        at = _change(zone, at, first_ms)
    while True:
        yield at
        if at >= end_ms:
            return
        offset = _offset(zone, at)
        following = at + width - (at + offset) % width
        if (_offset(zone, following) - offset) % width:
            following = _change(zone, at, following)
        at = following


def _days(zone: ZoneInfo, step: str, first_ms: int, end_ms: int) -> Iterator[int]:
    day = (_EPOCH + first_ms * _MS).astimezone(zone).date()
    if step == "week":
        day -= dt.timedelta(days=day.weekday())
    elif step in _MONTHS:
        day = day.replace(month=(day.month - 1) // _MONTHS[step] * _MONTHS[step] + 1, day=1)
    while True:
        yield midnight(zone, day)
        if step in _MONTHS:
            months = day.year * 12 + day.month - 1 + _MONTHS[step]
            day = dt.date(months // 12, months % 12 + 1, 1)
        else:
            day += dt.timedelta(days=7 if step == "week" else 1)


def midnight(zone: ZoneInfo, day: dt.date) -> int:
    """When this day begins in the zone, ms since the epoch. Where the clock skips midnight, the first
    instant after it."""
    return (dt.datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(dt.UTC) - _EPOCH) // _MS
