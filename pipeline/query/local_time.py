"""A vendor's local times to instants and back, right where the clocks change.

A wall clock shows some times twice (autumn) and skips some (spring). A range from one wall time to another
takes in both readings of a doubled time, and begins or ends at the change where a time was skipped.
"""

from __future__ import annotations

import datetime as dt
from typing import Final
from zoneinfo import ZoneInfo

from pipeline.warehouse.query.columns import CALL
from pipeline.warehouse.query.expressions import All, Compare, Literal, Node
from schemas.call import rfc3339

_UTC: Final = dt.UTC
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=_UTC)
_SECOND: Final = dt.timedelta(seconds=1)
# The years 1900 to 2299, which is what the warehouse holds.
_EARLIEST_MS, _LATEST_MS = -2_208_816_000_000, 10_413_600_000_000


def zone_of(name: str) -> ZoneInfo:
    """The zone of a name that the directory has checked; UTC should this machine not know it."""
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")


def first_ms(wall: dt.datetime, zone: ZoneInfo) -> int:
    """The first instant, ms since the epoch, at which clocks in `zone` show `wall` or later. Raises
    OverflowError at the ends of the calendar."""
    early, late = _readings(wall, zone)
    if early <= late:
        return early * 1000
    return _change(late, early, zone) * 1000


def end_ms(wall: dt.datetime, zone: ZoneInfo) -> int:
    """The instant, ms, just after the last second at which clocks in `zone` show `wall` or earlier."""
    early, late = _readings(wall, zone)
    if early <= late:
        return late * 1000 + 1000
    return _change(late, early, zone) * 1000


def midnight_ms(day: dt.date, zone: ZoneInfo) -> int:
    """The first instant, ms, of a day in `zone`."""
    return first_ms(dt.datetime.combine(day, dt.time.min), zone)


def wall_of(ms: int, zone: ZoneInfo) -> dt.datetime:
    """What clocks in `zone` show at `ms`, cut to the second."""
    return (_EPOCH + dt.timedelta(seconds=ms // 1000)).astimezone(zone)


def _readings(wall: dt.datetime, zone: ZoneInfo) -> tuple[int, int]:
    """Seconds since the epoch of both readings of a wall time; the second lies before the first where
    the time was skipped (PEP 495)."""
    first = (wall.replace(tzinfo=zone, fold=0).astimezone(_UTC) - _EPOCH) // _SECOND
    second = (wall.replace(tzinfo=zone, fold=1).astimezone(_UTC) - _EPOCH) // _SECOND
    return first, second


def _change(low: int, high: int, zone: ZoneInfo) -> int:
    """The second in (low, high] from which on the offset is another."""
    before = wall_of(low * 1000, zone).utcoffset()
    while high - low > 1:
        middle = (low + high) // 2
        if wall_of(middle * 1000, zone).utcoffset() == before:
            low = middle
        else:
            high = middle
    return high


def started(first: int | None, end: int | None) -> Node:
    """Calls that started in [first, end), ms since the epoch; None is open. Times that no call can have
    become the earliest or latest that one can."""
    parts: list[Node] = []
    for operator, ms in (("ge", first), ("lt", end)):
        if ms is not None:
            within = min(max(ms, _EARLIEST_MS), _LATEST_MS)
            parts.append(Compare(operator, CALL["started_at"], Literal(rfc3339(within))))
    return All(tuple(parts))
