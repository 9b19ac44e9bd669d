"""Rows after a place: the newest before it, or all in the order of time. Rows that arrive meanwhile move no page."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Sequence

from pipeline.instants import DAY_MS, instant
from pipeline.warehouse.query.bindings import Bindings
from pipeline.warehouse.query.clauses import (
    EARLIEST_MS,
    NEWEST_FIRST,
    Place,
    Source,
    matching,
    moment,
    ordering,
    past,
    selection,
)
from pipeline.warehouse.query.expressions import EVERYTHING, Column, Node
from pipeline.warehouse.query.pages.paging import span_of, stretches
from pipeline.warehouse.query.reader import Reader, Row
from pipeline.warehouse.query.view import View


async def older(
    reader: Reader,
    view: View,
    source: Source,
    selected: Sequence[Column],
    where: Node = EVERYTHING,
    *,
    first_ms: int | None,
    end_ms: int | None,
    after: Place | None,
    limit: int,
) -> list[Row]:
    """Rows that match, newest first. Rows that arrive meanwhile move no page.

    Looks at the last day first, which is where most pages lie, and further back only when that is not enough.

    Parameters:
        reader, tenant, source: where, whose and which rows
        selected: columns that are shown, started_at and id among them
        where: which rows
        first_ms, end_ms: rows that started in [first_ms, end_ms); None for no bound
        after: where the page before ended
        limit: most rows
    """

    async def stretch(begin: int, end: int | None, wanted: int) -> list[Row]:
        bindings = Bindings()
        sql = matching(view, source, where, bindings, begin, end)
        if after is not None:
            sql += f" AND {past(after, bindings)}"
        return await reader.rows(
            f"{source.name}_older",
            f"SELECT {selection(selected)} {sql} ORDER BY {ordering(NEWEST_FIRST)}"
            f" LIMIT {bindings.bind(wanted, 'UInt32')}",
            bindings.values,
        )

    ends = [end for end in (end_ms, None if after is None else after.started_at + 1) if end is not None]
    end = min(ends, default=None)
    begin = max(
        (int(time.time() * 1000) if end is None else end) - DAY_MS, EARLIEST_MS if first_ms is None else first_ms
    )
    rows = await stretch(begin, end, limit)  # without an end: calls of a clock that runs ahead come first
    if len(rows) >= limit or (first_ms is not None and begin <= first_ms):
        return rows
    span = await span_of(reader, view, source)
    if span is None:
        return rows
    oldest = span[0] if first_ms is None else max(span[0], first_ms)
    for first, last in stretches(oldest, min(begin, span[1])):
        rows += await stretch(first, last, limit - len(rows))
        if len(rows) >= limit:
            break
    return rows


async def oldest_first(
    reader: Reader,
    view: View,
    source: Source,
    selected: Sequence[Column],
    where: Node = EVERYTHING,
    *,
    first_ms: int,
    end_ms: int,
    at_once: int = 20_000,
) -> AsyncIterator[list[Row]]:
    """All rows that match, in the order of time, some at a time.

    Parameters:
        reader, tenant, source: where, whose and which rows
        selected: columns that are shown, started_at and id among them
        where: which rows
        first_ms, end_ms: rows that started in [first_ms, end_ms)
        at_once: rows of each piece
    """
    after: Place | None = None
    while first_ms < end_ms:
        bindings = Bindings()
        sql = matching(view, source, where, bindings, first_ms, end_ms)
        if after is not None:  # the stretch already begins at this time
            at = moment(after.started_at, bindings)
            sql += f" AND (started_at > {at} OR (started_at = {at} AND id > {bindings.bind(after.id, 'UInt64')}))"
        rows = await reader.rows(
            f"{source.name}_all",
            f"SELECT {selection(selected)} {sql} ORDER BY started_at, id LIMIT {bindings.bind(at_once, 'UInt32')}",
            bindings.values,
        )
        if rows:
            yield rows
        if len(rows) < at_once:
            return
        after = Place(instant(rows[-1]["started_at"]), rows[-1]["id"])
        first_ms = after.started_at
