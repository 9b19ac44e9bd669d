"""Live rows of calls as they lie in the tables, every column: what a fresh fold is compared with."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

from clickhouse_connect.driver.client import Client

from pipeline.instants import DAY_MS
from pipeline.warehouse.storage import rows
from pipeline.warehouse.storage.archive import CallKey, slices

Row = dict[str, Any]  # column → value; times in ms
# A row whose start lies further than this from all its call's events is not looked for.
MARGIN_MS = DAY_MS

_BETWEEN = (
    "started_at >= fromUnixTimestamp64Milli({first:Int64}) AND started_at <= fromUnixTimestamp64Milli({last:Int64})"
)


def calls(client: Client, of: Collection[CallKey], first_ms: int, last_ms: int) -> list[Row]:
    """The live rows of `call_rows` under these ids that start about `first_ms` to `last_ms`."""
    return _read(client, "call_rows", rows.CALL_COLUMNS, of, first_ms, last_ms)


def logs(client: Client, of: Collection[CallKey], first_ms: int, last_ms: int) -> list[Row]:
    """The live rows of `call_log_rows` under these ids that start about `first_ms` to `last_ms`."""
    return _read(client, "call_log_rows", rows.LOG_COLUMNS, of, first_ms, last_ms)


def _read(
    client: Client, table: str, columns: Sequence[str], of: Collection[CallKey], first_ms: int, last_ms: int
) -> list[Row]:
    shown = ", ".join(f"toUnixTimestamp64Milli({name})" if name in rows.TIMES else f"`{name}`" for name in columns)
    query = (
        f"SELECT {shown} FROM {table} FINAL WHERE retired = 0 AND {_BETWEEN}"
        " AND (tenant, call_id) IN {ids:Array(Tuple(String, String))}"
    )
    bounds = {"first": first_ms - MARGIN_MS, "last": last_ms + MARGIN_MS}
    found: list[Row] = []
    for ids in slices(sorted(of)):
        answer = client.query(query, parameters=bounds | {"ids": ids}, settings={"max_threads": 2})
        found += [dict(zip(columns, row, strict=True)) for row in answer.result_rows]
    return found
