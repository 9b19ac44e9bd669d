"""What is asked for of a list; where a page lies in time, so that reading it costs the page and not the table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.instants import DAY_MS
from pipeline.warehouse.query.bindings import Bindings
from pipeline.warehouse.query.clauses import Order, Source
from pipeline.warehouse.query.expressions import EVERYTHING, Node
from pipeline.warehouse.query.reader import Reader
from pipeline.warehouse.query.view import View


@dataclass(frozen=True, slots=True)
class Asked:
    """A page of a list: which rows, in which order (the list's own when empty), how many of them and from where."""

    where: Node = EVERYTHING
    order: Sequence[Order] = ()
    skip: int = 0
    top: int = 100


@dataclass(frozen=True, slots=True)
class Window:
    """Rows from `first_ms` up to, not including, `end_ms`; the page begins after `skip` of them."""

    first_ms: int
    end_ms: int
    skip: int


def window(days: Sequence[tuple[int, int]], skip: int, top: int, *, ascending: bool) -> Window | None:
    """The days that hold rows `skip` to `skip + top`, given (day since 1970, rows) of each day that
    has any; None when there are no such rows."""
    passed = taken = 0
    first = last = None
    inner = 0
    for day, rows in sorted(days, reverse=not ascending):
        if first is None:
            if passed + rows <= skip:
                passed += rows
                continue
            first, inner = day, skip - passed
            taken = rows - inner
        else:
            taken += rows
        last = day
        if taken >= top:
            break
    if first is None or last is None:
        return None
    low, high = min(first, last), max(first, last)
    return Window(low * DAY_MS, (high + 1) * DAY_MS, inner)


def stretches(first_ms: int, end_ms: int) -> Iterator[tuple[int, int]]:
    """The time from `end_ms` back to `first_ms` as half-open stretches, newest first: a day, then 8, 64 …
    A page of busy times is found in the first; a page of quiet times takes a few queries."""
    width = DAY_MS
    while end_ms > first_ms:
        begin = max(first_ms, end_ms - width)
        yield begin, end_ms
        end_ms, width = begin, width * 8


async def span_of(reader: Reader, view: View, source: Source) -> tuple[int, int] | None:
    """From the oldest to the newest start, half-open, ms; None when there are no rows. Rows lie in this order: both
    ends are looked up, not searched for."""
    bindings = Bindings()
    whose = f"FROM {source.table} WHERE tenant = {bindings.bind(view.tenant, 'String')}"
    ends = (f"(SELECT started_at {whose} ORDER BY tenant {way}, started_at {way} LIMIT 1)" for way in ("ASC", "DESC"))
    rows = await reader.rows(
        f"{source.name}_span",
        f"SELECT toUnixTimestamp64Milli(started_at) AS at FROM ({' UNION ALL '.join(ends)})",
        bindings.values,
    )
    moments = [int(row["at"]) for row in rows]
    return (min(moments), max(moments) + 1) if moments else None
