"""What a report is, before it has a form: titles, facts, tables whose cells have meaning, plots.

Cells are values, not texts; `shown` writes them the way PortSIP's reports do.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from pipeline.reports.ranges import Span, clock_time, local_time
from pipeline.reports.rendering.plots import Plot

# kind of a cell → what its value is:
# text: str · quantity: a number with its unit · count: int · seconds: plain seconds · duration: seconds shown HH:MM:SS
# · percent: 0..1 · money: decimal as text · time: ms since the epoch · day: its day only · decimal: float shown with
# two digits.
# None is an empty cell everywhere.
KINDS: Final = ("text", "quantity", "count", "seconds", "duration", "percent", "money", "time", "day", "decimal")


@dataclass(frozen=True, slots=True)
class Column:
    """A column. `about` is the definition that every number has; `group` stands above it."""

    name: str
    kind: str = "text"
    about: str = ""
    group: str = ""

    @property
    def full_name(self) -> str:
        """The name with its group, for forms with one line of headings."""
        return f"{self.group}: {self.name}" if self.group else self.name


@dataclass(frozen=True, slots=True)
class Line:
    """A row. `style`: "" plain, "head" begins a group, "total" sums one up."""

    cells: tuple[Any, ...]
    style: str = ""


Lines = Sequence[Line] | AsyncIterator[Line]


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under columns. Rows of long lists come one by one; whoever renders reads them once."""

    columns: tuple[Column, ...]
    lines: Lines
    title: str = ""
    about: str = ""


@dataclass(frozen=True, slots=True)
class Tile:
    """One figure at the top. `change`: against the time before, as a ratio of it."""

    name: str
    value: Any
    kind: str
    about: str
    change: float | None = None
    good: int = 0  # 1: more is better, -1: less is better


@dataclass(frozen=True, slots=True)
class Report:
    """A whole report. `facts` are the lines under the title."""

    type: str
    title: str
    long_name: str
    span: Span
    tables: tuple[Table, ...]
    facts: tuple[tuple[str, str], ...] = ()
    tiles: tuple[Tile, ...] = ()
    plots: tuple[Plot, ...] = ()
    notes: tuple[str, ...] = ()
    data: dict[str, Any] = field(default_factory=dict)


def shown(value: Any, kind: str, zone: str) -> str:
    """A cell as text."""
    if value is None:
        return ""
    match kind:
        case "duration":
            return duration(int(value))
        case "percent":
            return percent(float(value))
        case "time" | "day":
            return local_time(int(value), zone)
        case "decimal":
            return f"{value:.2f}"
        case _:
            return str(value)


def read(value: Any, kind: str, zone: str, since: str = "") -> str:
    """A cell as people read it on a page that names its zone. `since`: the date that stands in the row already, which
    other times of the same day need not repeat; those of another day leave out the year."""
    if value is None:
        return ""
    match kind:
        case "time":
            date, _, time = clock_time(int(value), zone).partition(" ")
            return time if date == since else f"{date[5:]} {time}" if since[:4] == date[:4] else f"{date} {time}"
        case "day":
            return dt.datetime.fromtimestamp(int(value) / 1000, ZoneInfo(zone)).strftime("%a %Y-%m-%d")
        case "money":
            whole, _, cents = str(value).partition(".")
            return f"{whole}.{cents:0<2}"
        case _:
            return shown(value, kind, zone)


def duration(seconds: int) -> str:
    """HH:MM:SS; the hours may have more than two digits."""
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours:02d}:{minute:02d}:{second:02d}"


def percent(ratio: float) -> str:
    """`63.54 %`, and `0.0%` for nothing, as PortSIP prints them."""
    return f"{Decimal(repr(ratio * 100)).quantize(Decimal('0.01'), ROUND_HALF_UP)} %" if ratio else "0.0%"


def average(total: int, number: int) -> int | None:
    """Rounded half up to the whole; None of nothing."""
    return (2 * total + number) // (2 * number) if number else None


def ratio(part: float, whole: float) -> float | None:
    """None of nothing: a share of no calls is no number."""
    return part / whole if whole else None


def label(name: str, number: str) -> str:
    """`Name [number]`, as PortSIP writes parties."""
    return f"{name} [{number}]" if name and name != number and number else number or name
