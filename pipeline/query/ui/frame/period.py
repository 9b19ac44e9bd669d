"""The time that is looked at: a name (`range=today`) or two ends (`from`, `to`), as it stands in the URL.

Days are the viewer's, as long as its clock makes them. `from` and `to` are those of `/v1`: RFC 3339, or dates alone,
`to` then being the end of that day.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from pipeline.clock import now_ms
from pipeline.instants import DAY_MS, first_of_day
from pipeline.query.http.problems import invalid
from pipeline.query.questions.lists.members import window_of
from pipeline.query.ui.frame.figures import Figures
from pipeline.query.ui.frame.language import N_

# name → how the choice is called.
RANGES: Final[Mapping[str, str]] = {
    "1h": N_("Last hour"),
    "24h": N_("Last 24 hours"),
    "today": N_("Today"),
    "yesterday": N_("Yesterday"),
    "7d": N_("Last 7 days"),
    "30d": N_("Last 30 days"),
    "month": N_("This month"),
    "last_month": N_("Last month"),
}
NAMES: Final = ("range", "from", "to")
_ROLLING: Final = {"1h": 3_600_000, "24h": DAY_MS}
_DAY: Final = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Period:
    """[first_ms, end_ms); `name` is that of a range, "" for two ends. `given`: what stands in the URL for it."""

    name: str
    first_ms: int
    end_ms: int
    given: tuple[tuple[str, str], ...]

    @property
    def query(self) -> str:
        """It as a part of a query string."""
        return urlencode(self.given)

    def label(self, figures: Figures) -> str:
        """Two ends in words: a day, days, or moments."""
        first, last = figures.short_day(self.first_ms), figures.short_day(self.end_ms - 1)
        begins = [self.first_ms, self.end_ms]
        if all(moment == first_of_day(_local(moment, figures.zone).date(), figures.zone) for moment in begins):
            return first if first == last else f"{first} – {last}"
        ends = figures.minute(self.end_ms)
        return f"{first} {figures.minute(self.first_ms)} – {ends if first == last else f'{last} {ends}'}"

    @property
    def length_ms(self) -> int:
        return self.end_ms - self.first_ms


def period_of(options: Mapping[str, str], zone: ZoneInfo, default: str = "24h", at_ms: int | None = None) -> Period:
    """The period that `range`, or `from` and `to`, name. RequestProblem when they name none."""
    now = now_ms() if at_ms is None else at_ms
    if options.get("from") or options.get("to"):
        given = {name: options[name] for name in ("from", "to") if options.get(name)}
        first, end = window_of(given, zone)
        end = now if end is None else end
        first = end - 30 * DAY_MS if first is None else first
        return Period("", first, end, tuple(given.items()))
    name = options.get("range") or default
    if name not in RANGES:
        raise invalid("range", name, f"is none of {', '.join(RANGES)}")
    first, end = _named(name, now, zone)
    return Period(name, first, end, (("range", name),))


def before(period: Period, zone: ZoneInfo) -> tuple[int, int]:
    """The same stretch one period earlier, like weekday against like weekday: of whole days in weeks, of months the
    month before. [first_ms, end_ms)."""
    if period.name in ("month", "last_month"):
        first = _local(period.first_ms, zone).date()
        earlier = (first.replace(day=1) - _DAY).replace(day=1)
        begin = first_of_day(earlier, zone)
        return begin, min(first_of_day(first, zone), begin + period.length_ms)
    days = -(-period.length_ms // DAY_MS)
    weeks = -(-days // 7)
    return _shifted(period.first_ms, zone, weeks * 7), _shifted(period.end_ms, zone, weeks * 7)


def _named(name: str, now: int, zone: ZoneInfo) -> tuple[int, int]:
    if name in _ROLLING:
        return now - _ROLLING[name], now
    today = _local(now, zone).date()
    if name == "yesterday":
        return first_of_day(today - _DAY, zone), first_of_day(today, zone)
    if name == "last_month":
        first = today.replace(day=1)
        return first_of_day((first - _DAY).replace(day=1), zone), first_of_day(first, zone)
    days = {"today": today, "7d": today - 6 * _DAY, "30d": today - 29 * _DAY, "month": today.replace(day=1)}
    return first_of_day(days[name], zone), now


def _local(ms: int, zone: ZoneInfo) -> dt.datetime:
    return dt.datetime.fromtimestamp(ms / 1000, zone)


def _shifted(ms: int, zone: ZoneInfo, days: int) -> int:
    """The same wall time so many days earlier."""
    local = _local(ms, zone)
    earlier = (local.replace(tzinfo=None) - days * _DAY).replace(tzinfo=zone)
    return int(earlier.timestamp() * 1000)
