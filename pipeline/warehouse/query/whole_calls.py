"""Whole calls and their call logs, by their ids.

Rows come as dicts of columns: times RFC 3339 text or None, ids as numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from pipeline.instants import instant
from pipeline.warehouse.query import columns
from pipeline.warehouse.query.bindings import Bindings
from pipeline.warehouse.query.clauses import (
    CALL_LOGS,
    CALLS,
    TARGETS,
    Source,
    matching,
    selection,
)
from pipeline.warehouse.query.expressions import EVERYTHING, Column
from pipeline.warehouse.query.reader import Reader, Row
from pipeline.warehouse.query.view import View
from schemas.call import Call, CallLog, snowflake_ms


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
