"""The ways in which PBXs write an instant → ms since the epoch, UTC.

Asterisk: CEL over AMI writes local time without a zone, whole seconds (`cel_manager`, whatever cel.conf says); the
other CEL back-ends write `sec.usec` or their own `dateformat`; AMI writes `sec.usec` in `Timestamp` (manager.conf,
`timestampevents = yes`); ARI writes ISO 8601 with an offset. Kamailio writes `sec`, `sec.mmm` or local time by
`time_format`; PortSIP seconds as text; Yeastar local time.
"""

from __future__ import annotations

import datetime as dt
import re
from functools import lru_cache
from zoneinfo import ZoneInfo

_DASHED = re.compile(r"\A(\d{4})/(\d\d)/(\d\d)(?=[ T]|\Z)")  # as Yeastar's 30039 has it
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_SECOND = dt.timedelta(seconds=1)
_MS = dt.timedelta(milliseconds=1)
# How far the second in a unique id may lie after the instant that its own event tells, ms.
_SLACK_MS = 2_000


def instant(raw: str, zone: str, unique_id: str) -> int:
    """The instant that `told` means, ms; 0 where it is no time.

    `zone` (IANA) is that of the node, for times without one. When clocks are set back an hour comes twice; when the
    channel began (its unique id says so) decides: the earlier of the two that is not before it.
    """
    if len(raw) == 17 and raw[10] == "." and raw.isascii():
        if raw[:10].isdigit() and raw[11:].isdigit():
            return int(raw[:10] + raw[11:14])
        return 0
    seconds, dot, fraction = raw.partition(".")
    if seconds.isascii() and seconds.isdigit() and len(seconds) <= 13:
        if fraction and not (fraction.isascii() and fraction.isdigit()):
            return 0
        if len(seconds) > 11 and not dot:
            return int(seconds)  # milliseconds already
        return int(seconds) * 1000 + int(fraction[:3].ljust(3, "0") or 0)
    first, second = _local(raw, zone)
    if second == first or first >= born(unique_id) - _SLACK_MS:
        return first
    return second


@lru_cache(maxsize=8192)
def _local(raw: str, zone: str) -> tuple[int, int]:
    """Both instants that a text can mean; equal ones unless the hour comes twice. (0, 0) for none."""
    try:
        parsed = dt.datetime.fromisoformat(_DASHED.sub(r"\1-\2-\3", raw.strip()))
        if parsed.tzinfo is not None:
            at = (parsed - _EPOCH) // _MS
            return at, at
        local = parsed.replace(tzinfo=ZoneInfo(zone))
        first = (local.astimezone(dt.UTC) - _EPOCH) // _MS
        second = (local.replace(fold=1).astimezone(dt.UTC) - _EPOCH) // _MS
    except (ValueError, OverflowError):
        return 0, 0
    return (first, second) if second > first else (first, first)


def born(unique_id: str) -> int:
    """When a channel began, ms: `1741608000.17`, perhaps with the system's name before it; 0 when it does not say."""
    seconds = unique_id.rpartition("-")[2].partition(".")[0]
    return int(seconds) * 1000 if seconds.isascii() and seconds.isdigit() and 9 <= len(seconds) <= 11 else 0
