"""When reports are due: cron expressions in the tenant's zone.

Times that the clock skips are due when it has skipped; times that it repeats are due once, the first time.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Final
from zoneinfo import ZoneInfo

from croniter import croniter
from croniter.croniter import CroniterError

NICKNAMES: Final = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
# Missed by more than this is missed: the scheduler looks once a second, and a restart takes a while.
LATE_MS: Final = 120_000
MOST_MISSED: Final = 100
# More than any zone sets its clock by: local times begin so far off, and are sorted out as instants.
_SLACK: Final = dt.timedelta(hours=3)


def check_cron(expression: str) -> None:
    """Raises ValueError with the reason and the fix."""
    fields = expression.split()
    if expression.strip().lower() not in NICKNAMES and len(fields) != 5:
        raise ValueError("has not five fields; write minute hour day month weekday, such as 0 6 * * 1")
    try:
        croniter(expression.strip(), dt.datetime(2024, 1, 1)).get_next(dt.datetime)
    except (CroniterError, ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        reason = str(error)[:120] or "no cron expression"
        raise ValueError(f"is no schedule ({reason}); write minute hour day month weekday, such as 0 6 * * 1") from None


def next_due(expression: str, zone: str, after_ms: int) -> int | None:
    """The first time, ms, that is due after `after_ms`; None when there is none any more."""
    return next((at for at in _instants(expression, zone, after_ms, forward=True) if at > after_ms), None)


def due(expression: str, zone: str, after_ms: int, now_ms: int, catch_up: str) -> list[int]:
    """What became due after `after_ms` and by `now_ms`, oldest first.

    `catch_up` says what becomes of times that passed while nobody looked: `skip` them, run the `last`
    of them, or `all` (the newest hundred).
    """
    found: list[int] = []
    for at in _instants(expression, zone, now_ms, forward=False):
        if at <= after_ms or len(found) == MOST_MISSED:
            break
        if at <= now_ms and at not in found[-1:]:
            found.append(at)
            if catch_up == "last":
                break
    if catch_up == "skip":
        found = [at for at in found if now_ms - at <= LATE_MS]
    return found[::-1]


def _instants(expression: str, zone: str, from_ms: int, *, forward: bool) -> Iterator[int]:
    """Its instants, ms, onwards or backwards from about `from_ms`."""
    tz = ZoneInfo(zone)
    local = dt.datetime.fromtimestamp(from_ms / 1000, tz).replace(tzinfo=None)
    times = croniter(expression.strip(), local - _SLACK if forward else local + _SLACK)
    while True:
        try:
            naive: dt.datetime = times.get_next(dt.datetime) if forward else times.get_prev(dt.datetime)
        except CroniterError:
            return
        yield int(naive.replace(tzinfo=tz).timestamp() * 1000)
