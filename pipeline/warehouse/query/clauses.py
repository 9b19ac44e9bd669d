"""The pieces that queries about calls are made of. Every query begins with `matching`, which carries the view: whose
calls, and how they are shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from pipeline.instants import DAY_MS
from pipeline.warehouse.query import columns, directory_names
from pipeline.warehouse.query.bindings import Bindings
from pipeline.warehouse.query.conditions import condition
from pipeline.warehouse.query.expressions import Column, Involving, Node, masked_literals
from pipeline.warehouse.query.view import View, rows_of


@dataclass(frozen=True, slots=True)
class Source:
    """A table of versions, and which of its rows a surface means."""

    name: str
    table: str
    only: str  # further condition; "1" for none
    join: str = ""  # ARRAY JOIN that makes several rows of one


CALLS: Final = Source("calls", "call_rows", "1")
CLOSED_CALLS: Final = Source("closed_calls", "call_rows", "state = 'closed'")
# Rows that say no more than that a call is open (no event was folded yet) show nothing of it.
OPEN_CALLS: Final = Source("open_calls", "call_rows", "state = 'open' AND events > 0")
# Targets that the call has left; an open call's present target is not history yet.
CALL_LOGS: Final = Source("call_logs", "call_log_rows", "isNotNull(ended_at)")
TARGETS: Final = Source("targets", "call_log_rows", "1")
# One row a visit to a queue, as JSON in `visit`; a call that never queued has none.
QUEUE_VISITS: Final = Source(
    "queue_visits",
    "call_rows",
    "queue_visits != ''",
    "ARRAY JOIN JSONExtractArrayRaw(queue_visits) AS visit",
)


@dataclass(frozen=True, slots=True)
class Order:
    column: Column
    descending: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where a keyset page ended: the next one begins before it."""

    started_at: int
    id: int


EARLIEST_MS: Final = -2_208_900_000_000  # what DateTime64 holds: the year 1900
# SQL: the day of its start, counted from 1970 in UTC. Not intDiv, which would put the day before 1970 into that after.
STARTED_DAY: Final = f"toInt64(floor(toUnixTimestamp64Milli(started_at) / {DAY_MS}))"
NEWEST_FIRST: Final = (Order(columns.CALL["started_at"], descending=True),)


def matching(
    view: View,
    source: Source,
    where: Node,
    bindings: Bindings,
    first_ms: int | None = None,
    end_ms: int | None = None,
) -> str:
    """FROM and WHERE of the live rows that the view shows, match, and (given the first) started in [first_ms,
    end_ms). Where numbers are masked, `where` is of masked numbers, its own values included."""
    bindings.tables.add(source.table)
    bindings.values[directory_names.TENANT] = view.tenant  # for names that are shown as the directory has them
    which = f"tenant = {bindings.bind(view.tenant, 'String')} AND retired = 0 AND {source.only}"
    if first_ms is not None:
        which += f" AND {between(first_ms, end_ms, bindings)}"
    if view.extension is not None:
        which += f" AND {_own(view, source, first_ms, end_ms, bindings)}"
    where = masked_literals(where) if view.masked else where
    return f"{rows_of(view, source.table, which, source.join)} AND {condition(where, bindings)}"


def _own(view: View, source: Source, first_ms: int | None, end_ms: int | None, bindings: Bindings) -> str:
    """The extension of the view made the call, or was a target of it; all targets of such a call are its own."""
    if not view.extension:
        return "0"
    key = columns.CALL["id"] if source.table == "call_rows" else columns.CALL_LOG["session_id"]
    return condition(Involving(key, view.tenant, view.extension, first_ms, end_ms), bindings)


def between(first_ms: int, end_ms: int | None, bindings: Bindings) -> str:
    """Started at or after the first and before the end, if there is one."""
    since = f"started_at >= {moment(first_ms, bindings)}"
    return since if end_ms is None else f"{since} AND started_at < {moment(end_ms, bindings)}"


def past(after: Place, bindings: Bindings) -> str:
    """Behind the place, newest first."""
    # the stretch already ends at this time: the scalar bound that the primary key uses
    at = moment(after.started_at, bindings)
    return f"(started_at < {at} OR (started_at = {at} AND id < {bindings.bind(after.id, 'UInt64')}))"


def by_keys(keys: Sequence[tuple[int, int]], bindings: Bindings) -> str:
    """A further condition: one of the rows that started then (ms) and have that id."""
    times = bindings.bind(sorted({at for at, _ in keys}), "Array(Int64)")
    ids = bindings.bind([id_ for _, id_ in keys], "Array(UInt64)")
    return f" AND id IN {ids} AND started_at IN (SELECT fromUnixTimestamp64Milli(arrayJoin({times}), 'UTC'))"


def moment(ms: int, bindings: Bindings) -> str:
    """Milliseconds since the epoch as DateTime64."""
    return f"fromUnixTimestamp64Milli({bindings.bind(ms, 'Int64')}, 'UTC')"


def selection(selected: Sequence[Column]) -> str:
    """Plain columns keep their names; an alias equal to a column's name would take its place in WHERE."""
    return ", ".join(column.stored or f"{column.sql} AS {column.name}" for column in selected)


def ordering(order: Sequence[Order]) -> str:
    """ORDER BY, completed to a total order by time and id."""
    keys = []
    for key in order:
        # absent counts as smallest, as in OData
        nulls = "" if not key.column.nullable else " NULLS LAST" if key.descending else " NULLS FIRST"
        keys.append(f"{key.column.sql} {'DESC' if key.descending else 'ASC'}{nulls}")
    sqls = {key.column.sql for key in order}
    way = "ASC" if order[0].column.stored == "started_at" and not order[0].descending else "DESC"
    keys += [f"{name} {way}" for name in ("started_at", "id") if name not in sqls]
    return ", ".join(keys)
