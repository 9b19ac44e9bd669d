"""The questions about calls, one set for every surface. Each is asked through a view.

Rows come as dicts of columns: times RFC 3339 text or None, ids as numbers.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from pipeline.instants import DAY_MS, instant
from pipeline.warehouse.query import columns
from pipeline.warehouse.query.clauses import (
    CALL_LOGS,
    CALLS,
    CLOSED_CALLS,
    EARLIEST_MS,
    NEWEST_FIRST,
    TARGETS,
    Order,
    Place,
    Source,
    by_keys,
    matching,
    moment,
    ordering,
    past,
    selection,
)
from pipeline.warehouse.query.conditions import Bindings
from pipeline.warehouse.query.counts import Counts, counted, place
from pipeline.warehouse.query.expressions import EVERYTHING, Column, Node
from pipeline.warehouse.query.paging import Window, span_of, stretches
from pipeline.warehouse.query.reader import Reader, Row
from pipeline.warehouse.query.terms import narrowed
from pipeline.warehouse.query.view import View
from schemas.call import Call, CallLog, snowflake_ms

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


async def call(reader: Reader, view: View, call_id: int, source: Source = CALLS) -> Row | None:
    """The whole row of one call by its id, None when the view shows none such."""
    return await _one(reader, view, source, _CALL_FIELDS, call_id)


async def call_log(reader: Reader, view: View, log_id: int) -> Row | None:
    """The whole row of one call log by its id, None when the view shows none such."""
    return await _one(reader, view, CALL_LOGS, (*CallLog.__struct_fields__, *_DERIVED), log_id)


async def logs_of(reader: Reader, view: View, row: Row) -> list[Row]:
    """The call logs of the call in `row`, in their order."""
    bindings = Bindings()
    begin = instant(row["started_at"])
    end = max(instant(row["ended_at"] or row["started_at"]), instant(row["last_event_at"]), begin)
    return await reader.rows(
        "call_logs_of_call",
        f"{_SELECT_LOGS} {_targets(view, begin, end + 1, bindings)}"
        f" AND session_id = {bindings.bind(row['id'], 'UInt64')}"
        " ORDER BY position, started_at, id",
        bindings.values,
        by_key=True,
    )


async def calls_of(reader: Reader, view: View, ids: Sequence[int], source: Source = CALLS) -> list[Row]:
    """The whole rows of the calls with these ids that the view shows."""
    if not ids:
        return []
    bindings = Bindings()
    times = [snowflake_ms(id_) for id_ in ids]
    which = matching(view, source, EVERYTHING, bindings, min(times), max(times) + 1)
    return await reader.rows(
        f"{source.name}_some",
        f"SELECT {_whole_call()} {which} AND {_made_at(ids, bindings)}"
        f" AND id IN {bindings.bind(list(ids), 'Array(UInt64)')}",
        bindings.values,
        by_key=True,
    )


async def logs_of_calls(reader: Reader, view: View, rows: Sequence[Row]) -> dict[int, list[Row]]:
    """The call logs of many calls, by the id of the call, each in their order."""
    found: dict[int, list[Row]] = {int(row["id"]): [] for row in rows}
    if not rows:
        return found
    bindings = Bindings()
    begin = min(instant(row["started_at"]) for row in rows)
    end = max(max(instant(row["ended_at"] or row["started_at"]), instant(row["last_event_at"])) for row in rows)
    logs = await reader.rows(
        "call_logs_of_calls",
        f"{_SELECT_LOGS} {_targets(view, begin, end + 1, bindings)}"
        f" AND session_id IN {bindings.bind(list(found), 'Array(UInt64)')}"
        " ORDER BY session_id, position, started_at, id",
        bindings.values,
        by_key=True,
    )
    for log in logs:
        found[int(log["session_id"])].append(log)
    return found


_DERIVED: Final = ("seconds", "error_status")
_CALL_FIELDS: Final = (
    *(name for name in Call.__struct_fields__ if name not in {"legs", "reroutes", "queue_visits", "recordings",
                                                              "quality", "logs"}),
    "detail",
    "seconds",
    "error_status",
    "reroute_reason",
)  # fmt: skip


_SELECT_LOGS: Final = (
    f"SELECT {', '.join(CallLog.__struct_fields__)}, {selection([columns.CALL_LOG[name] for name in _DERIVED])}"
)


def _targets(view: View, first_ms: int, end_ms: int, bindings: Bindings) -> str:
    """FROM and WHERE of the targets, in progress or left, of calls that the view has shown already."""
    return matching(replace(view, extension=None), TARGETS, EVERYTHING, bindings, first_ms, end_ms)


def _whole_call() -> str:
    return selection([columns.CALL.get(name, Column(name, name)) for name in _CALL_FIELDS])


def _made_at(ids: Sequence[int], bindings: Bindings) -> str:
    """The primary key's part of a search by ids: an id holds the time it was made from."""
    moments = bindings.bind(sorted({snowflake_ms(id_) for id_ in ids}), "Array(Int64)")
    return f"started_at IN arrayMap(ms -> fromUnixTimestamp64Milli(ms, 'UTC'), {moments})"


async def _one(reader: Reader, view: View, source: Source, names: Sequence[str], id_: int) -> Row | None:
    """By the primary key: an id holds the time it was made from."""
    bindings = Bindings()
    table = columns.CALL if source.table == "call_rows" else columns.CALL_LOG
    at = snowflake_ms(id_)
    rows = await reader.rows(
        f"{source.name}_one",
        f"SELECT {selection([table.get(name, Column(name, name)) for name in names])}"
        f" {matching(view, source, EVERYTHING, bindings, at, at + 1)}"
        f" AND id = {bindings.bind(id_, 'UInt64')} LIMIT 1",
        bindings.values,
        by_key=True,
    )
    return rows[0] if rows else None


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
