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


def check_cron(expression: str) -> None:
    """Raises ValueError with the reason and the fix."""
    fields = expression.split()
    if expression.strip().lower() not in NICKNAMES and len(fields) != 5:
        raise ValueError("has not five fields; write minute hour day month weekday, such as 0 6 * * 1")
    try:
        croniter(expression.strip(), dt.datetime(2024, 1, 1)).get_next(dt.datetime)  # noqa: DTZ001
    except (CroniterError, ValueError, TypeError, KeyError, AttributeError, OverflowError) as error:
        reason = str(error)[:120] or "no cron expression"
        raise ValueError(f"is no schedule ({reason}); write minute hour day month weekday, such as 0 6 * * 1") from None


def due_times(expression: str, zone: str, after_ms: int) -> Iterator[int]:
    """The instants, ms, at which it is due after `after_ms`, without end."""
    tz = ZoneInfo(zone)
    # An hour earlier: the clock may just have been set back, and the first of two equal times counts.
    local = dt.datetime.fromtimestamp(after_ms / 1000, tz).replace(tzinfo=None) - dt.timedelta(hours=3)
    times = croniter(expression.strip(), local)
    last = after_ms
    while True:
        try:
            naive: dt.datetime = times.get_next(dt.datetime)
        except CroniterError:
            return
        at = int(naive.replace(tzinfo=tz).timestamp() * 1000)
        if at > last:
            last = at
            yield at


def due(expression: str, zone: str, after_ms: int, now_ms: int, catch_up: str) -> list[int]:
    """What is due by `now_ms`, oldest first. `catch_up` says what becomes of times that passed while
    nobody looked: `skip` them, run the `last` of them, or `all` (the newest hundred)."""
    found: list[int] = []
    for at in due_times(expression, zone, after_ms):
        if at > now_ms:
            break
        found.append(at)
        if len(found) > MOST_MISSED:
            found.pop(0)
    if catch_up == "skip":
        return [at for at in found if now_ms - at <= LATE_MS]
    return found[-1:] if catch_up == "last" else found


def next_due(expression: str, zone: str, after_ms: int) -> int | None:
    """The next time, ms."""
    return next(due_times(expression, zone, after_ms), None)
