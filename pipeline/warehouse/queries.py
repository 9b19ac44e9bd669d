"""The questions about calls, one set for every surface. Every query carries its tenant.

Rows come as dicts of columns: times RFC 3339 text or None, ids as numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pipeline.warehouse import columns
from pipeline.warehouse.conditions import Bindings, condition
from pipeline.warehouse.expressions import EVERYTHING, Column, Node
from pipeline.warehouse.instants import instant
from pipeline.warehouse.paging import DAY_MS, stretches, window
from pipeline.warehouse.reader import Reader, Row
from schemas.call import Call, CallLog, snowflake_ms


@dataclass(frozen=True, slots=True)
class Source:
    """A table of versions, and which of its rows a surface means."""

    name: str
    table: str
    only: str  # further condition; "1" for none


CALLS: Final = Source("calls", "call_rows", "1")
CLOSED_CALLS: Final = Source("closed_calls", "call_rows", "state = 'closed'")
# Targets that the call has left; an open call's present target is not history yet.
CALL_LOGS: Final = Source("call_logs", "call_log_rows", "isNotNull(ended_at)")


@dataclass(frozen=True, slots=True)
class Order:
    column: Column
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """`count` is how many rows match, on all pages."""

    count: int
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a keyset page ended: the next one begins before it."""

    started_at: int
    id: int


NEWEST_FIRST: Final = (Order(columns.CALL["started_at"], descending=True),)


async def page(
    reader: Reader,
    tenant: str,
    source: Source,
    selected: Sequence[Column],
    where: Node = EVERYTHING,
    order: Sequence[Order] = NEWEST_FIRST,
    *,
    skip: int,
    top: int,
) -> Page:
    """Rows `skip` to `skip + top` of those that match, and how many match.

    Counts by day first. Ordered by time, the page is then read from the days it lies in, so a page
    deep inside costs what the first one costs. Raises BadExpression, and what `Reader.rows` raises.
    """
    order = order or NEWEST_FIRST
    bindings = Bindings()
    matching = _matching(tenant, source, where, bindings)
    counts = await reader.rows(
        f"{source.name}_count",
        f"SELECT intDiv(toUnixTimestamp64Milli(started_at), {DAY_MS}) AS day, count() AS n {matching} GROUP BY day",
        bindings.values,
    )
    days = [(int(row["day"]), int(row["n"])) for row in counts]
    count = sum(rows for _, rows in days)
    if skip >= count or top == 0:
        return Page(count, [])
    if order[0].column.sql == "started_at":
        place = window(days, skip, top, ascending=not order[0].descending)
        assert place is not None  # skip < count
        matching += " AND " + _between(place.first_ms, place.end_ms, bindings)
        skip = place.skip
    rows = await reader.rows(
        f"{source.name}_page",
        f"SELECT {_selection(selected)} {matching} ORDER BY {_ordering(order)}"
        f" LIMIT {bindings.bind(top, 'UInt32')} OFFSET {bindings.bind(skip, 'UInt64')}",
        bindings.values,
    )
    return Page(count, rows)


async def older(
    reader: Reader,
    tenant: str,
    source: Source,
    selected: Sequence[Column],
    where: Node = EVERYTHING,
    *,
    first_ms: int | None,
    end_ms: int | None,
    after: Place | None,
    limit: int,
) -> list[Row]:
    """At most `limit` rows that match, newest first, started in [first_ms, end_ms), past the place
    `after`. Rows that arrive meanwhile move no page. `selected` holds started_at and id."""
    span = await _span(reader, tenant, source)
    if span is None:
        return []
    begin, end = span
    begin = begin if first_ms is None else max(begin, first_ms)
    end = end if end_ms is None else min(end, end_ms)
    end = end if after is None else min(end, after.started_at + 1)
    rows: list[Row] = []
    for first, last in stretches(begin, end):
        bindings = Bindings()
        sql = f"{_matching(tenant, source, where, bindings)} AND {_between(first, last, bindings)}"
        if after is not None:
            sql += f" AND {_past(after, bindings)}"
        rows += await reader.rows(
            f"{source.name}_older",
            f"SELECT {_selection(selected)} {sql} ORDER BY {_ordering(NEWEST_FIRST)}"
            f" LIMIT {bindings.bind(limit - len(rows), 'UInt32')}",
            bindings.values,
        )
        if len(rows) >= limit:
            break
    return rows


async def call(reader: Reader, tenant: str, call_id: int, source: Source = CALLS) -> Row | None:
    """The whole row of one call by its id, None when the tenant has none such."""
    return await _one(reader, tenant, source, _CALL_FIELDS, call_id)


async def call_log(reader: Reader, tenant: str, log_id: int) -> Row | None:
    """The whole row of one call log by its id, None when the tenant has none such."""
    return await _one(reader, tenant, CALL_LOGS, (*CallLog.__struct_fields__, *_DERIVED), log_id)


async def logs_of(reader: Reader, tenant: str, row: Row) -> list[Row]:
    """The call logs of the call in `row`, in their order."""
    bindings = Bindings()
    begin = instant(row["started_at"])
    end = max(instant(row["ended_at"] or row["started_at"]), instant(row["last_event_at"]), begin)
    return await reader.rows(
        "call_logs_of_call",
        f"SELECT {', '.join(CallLog.__struct_fields__)}, {_selection(_derived_log())}"
        f" FROM call_log_rows FINAL WHERE tenant = {bindings.bind(tenant, 'String')} AND retired = 0"
        f" AND {_between(begin, end + 1, bindings)} AND session_id = {bindings.bind(row['id'], 'UInt64')}"
        " ORDER BY position, started_at, id",
        bindings.values,
    )


_DERIVED: Final = ("seconds", "error_status")
_CALL_FIELDS: Final = (
    *(name for name in Call.__struct_fields__ if name not in {"legs", "reroutes", "queue_visits", "recordings",
                                                              "quality", "logs"}),
    "detail",
    "seconds",
    "error_status",
    "reroute_reason",
)  # fmt: skip


def _derived_log() -> list[Column]:
    return [columns.CALL_LOG[name] for name in _DERIVED]


async def _one(reader: Reader, tenant: str, source: Source, names: Sequence[str], id_: int) -> Row | None:
    """By the primary key: an id holds the time it was made from."""
    bindings = Bindings()
    table = columns.CALL if source.table == "call_rows" else columns.CALL_LOG
    at = snowflake_ms(id_)
    rows = await reader.rows(
        f"{source.name}_one",
        f"SELECT {_selection([table.get(name, Column(name, name)) for name in names])}"
        f" {_matching(tenant, source, EVERYTHING, bindings)} AND {_between(at, at + 1, bindings)}"
        f" AND id = {bindings.bind(id_, 'UInt64')} LIMIT 1",
        bindings.values,
    )
    return rows[0] if rows else None


def _matching(tenant: str, source: Source, where: Node, bindings: Bindings) -> str:
    return (
        f"FROM {source.table} FINAL WHERE tenant = {bindings.bind(tenant, 'String')} AND retired = 0"
        f" AND {source.only} AND {condition(where, bindings)}"
    )


def _between(first_ms: int, end_ms: int, bindings: Bindings) -> str:
    first, end = _moment(first_ms, bindings), _moment(end_ms, bindings)
    return f"started_at >= {first} AND started_at < {end}"


def _past(after: Place, bindings: Bindings) -> str:
    # the stretch already ends at this time: the scalar bound that the primary key uses
    at = _moment(after.started_at, bindings)
    return f"(started_at < {at} OR (started_at = {at} AND id < {bindings.bind(after.id, 'UInt64')}))"


def _moment(ms: int, bindings: Bindings) -> str:
    return f"fromUnixTimestamp64Milli({bindings.bind(ms, 'Int64')}, 'UTC')"


def _selection(selected: Sequence[Column]) -> str:
    """Plain columns keep their names; an alias equal to a column's name would take its place in WHERE."""
    return ", ".join(
        column.sql if column.sql.isidentifier() else f"{column.sql} AS {column.name}" for column in selected
    )


def _ordering(order: Sequence[Order]) -> str:
    keys = []
    for key in order:
        # absent counts as smallest, as in OData
        nulls = "" if not key.column.nullable else " NULLS LAST" if key.descending else " NULLS FIRST"
        keys.append(f"{key.column.sql} {'DESC' if key.descending else 'ASC'}{nulls}")
    sqls = {key.column.sql for key in order}
    way = "ASC" if order[0].column.sql == "started_at" and not order[0].descending else "DESC"
    keys += [f"{name} {way}" for name in ("started_at", "id") if name not in sqls]
    return ", ".join(keys)


async def _span(reader: Reader, tenant: str, source: Source) -> tuple[int, int] | None:
    """The time that holds the tenant's rows, half-open; read from the ends of the primary key."""
    bindings = Bindings()
    whose = f"FROM {source.table} WHERE tenant = {bindings.bind(tenant, 'String')}"
    rows = await reader.rows(
        f"{source.name}_span",
        f"SELECT toUnixTimestamp64Milli((SELECT started_at {whose} ORDER BY started_at ASC LIMIT 1)) AS oldest,"
        f" toUnixTimestamp64Milli((SELECT started_at {whose} ORDER BY started_at DESC LIMIT 1)) AS newest",
        bindings.values,
    )
    oldest, newest = rows[0]["oldest"], rows[0]["newest"]
    return None if oldest is None else (int(oldest), int(newest) + 1)
