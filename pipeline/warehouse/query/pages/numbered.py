"""Pages by number, as PortSIP and CommPeak have them: how many rows match, and those that a page shows.

Rows come as dicts of columns: times RFC 3339 text or None, ids as numbers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from pipeline.instants import DAY_MS
from pipeline.warehouse.query.bindings import Bindings
from pipeline.warehouse.query.clauses import (
    CALL_LOGS,
    CLOSED_CALLS,
    NEWEST_FIRST,
    Order,
    Source,
    by_keys,
    matching,
    moment,
    ordering,
    selection,
)
from pipeline.warehouse.query.expressions import EVERYTHING, Column, Node
from pipeline.warehouse.query.pages.counts import Counts, counted, place
from pipeline.warehouse.query.pages.paging import Window
from pipeline.warehouse.query.pages.terms import narrowed
from pipeline.warehouse.query.reader import Reader, Row
from pipeline.warehouse.query.view import View

# Sources whose rows all have ended.
_ENDED: Final = (CLOSED_CALLS, CALL_LOGS)

# In a table of so many rows a page is read at once, wherever it lies.
_FEW: Final = 10_000

# Up to so much time whole rows are read at once: finding the keys first would cost more than it saves.
_NARROW_MS: Final = 2 * DAY_MS


@dataclass(frozen=True, slots=True)
class Page:
    """`count` is how many rows match, on all pages."""

    count: int
    rows: list[Row]


async def page(
    reader: Reader,
    view: View,
    source: Source,
    selected: Sequence[Column],
    where: Node = EVERYTHING,
    order: Sequence[Order] = NEWEST_FIRST,
    *,
    skip: int,
    top: int,
) -> Page:
    """A page of the rows that match, and how many match on all pages.

    Made in one of three ways: at once, by days, or by keys. Raises BadExpression, and what `Reader.rows` raises.

    Parameters:
        reader, tenant, source: where, whose and which rows
        selected: columns that are shown
        where: which rows
        order: completed to a total order by time and id
        skip, top: the page is rows `skip` to `skip + top`
    """
    order = order or NEWEST_FIRST
    where = (await narrowed(reader, view, source, where)).where
    bindings = Bindings()
    which = matching(view, source, where, bindings)
    wanted = _Wanted(reader, source, selected, order, skip, top)
    known = Counts.of(reader).known(which, bindings)
    if known is not None and known.stored <= _FEW:  # most likely still few: asked for beside the count
        few, rows = await asyncio.gather(
            counted(reader, source, which, bindings), _at_once(wanted, which, bindings.copy())
        )
        return Page(few.total, rows)
    question = await counted(reader, source, which, bindings)
    if skip >= question.total or top == 0:
        return Page(question.total, [])
    if question.stored <= _FEW:
        return Page(question.total, await _at_once(wanted, which, bindings))
    first, descending = order[0].column.stored, order[0].descending
    if first == "started_at":
        lies = await place(reader, question, skip, top, ascending=not descending)
        if lies is not None:
            return Page(question.total, await _by_days(wanted, view, where, lies))
    elif first == "ended_at" and descending and source in _ENDED:
        # Nothing ends before it starts: as many as are wanted end after the day on which the last of
        # as many starts.
        lies = await place(reader, question, 0, skip + top, ascending=False)
        if lies is not None:
            which += f" AND ended_at >= {moment(lies.first_ms, bindings)}"
    return Page(question.total, await _by_keys(wanted, which, bindings))


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Rows `skip` to `skip + top` of a source in an order, and what is shown of them."""

    reader: Reader
    source: Source
    selected: Sequence[Column]
    order: Sequence[Order]
    skip: int
    top: int


async def _at_once(wanted: _Wanted, which: str, bindings: Bindings) -> list[Row]:
    """Whole rows, sorted: for few rows, or rows of a short time."""
    return await wanted.reader.rows(
        f"{wanted.source.name}_page",
        f"SELECT {selection(wanted.selected)} {which} ORDER BY {ordering(wanted.order)}"
        f" LIMIT {bindings.bind(wanted.top, 'UInt32')} OFFSET {bindings.bind(wanted.skip, 'UInt64')}",
        bindings.values,
    )


async def _by_days(wanted: _Wanted, view: View, where: Node, lies: Window) -> list[Row]:
    """From the days that the page lies in, so that a page deep inside costs what the first one costs."""
    bindings = Bindings()
    which = matching(view, wanted.source, where, bindings, lies.first_ms, lies.end_ms)
    wanted = replace(wanted, skip=lies.skip)
    is_short = lies.end_ms - lies.first_ms <= _NARROW_MS
    return await (_at_once if is_short else _by_keys)(wanted, which, bindings)


async def _by_keys(wanted: _Wanted, which: str, bindings: Bindings) -> list[Row]:
    """The keys of the page first, then whole rows of those only: for where much has to be looked through."""
    first = bindings.copy()
    keys = await wanted.reader.rows(
        f"{wanted.source.name}_keys",
        f"SELECT toUnixTimestamp64Milli(started_at) AS at, id {which} ORDER BY {ordering(wanted.order)}"
        f" LIMIT {first.bind(wanted.top, 'UInt32')} OFFSET {first.bind(wanted.skip, 'UInt64')}"
        " SETTINGS optimize_read_in_order = 0",  # in order, a rare match is looked for by one thread
        first.values,
    )
    which += by_keys([(int(key["at"]), int(key["id"])) for key in keys], bindings)
    return await _at_once(replace(wanted, skip=0), which, bindings)
