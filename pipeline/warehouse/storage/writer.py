"""Writes batches to ClickHouse. Every write may be repeated: the same rows under the same keys and
versions, so that a batch written twice is a batch written once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clickhouse_connect.driver.client import Client

from pipeline.warehouse.storage import rows

# One block an insert: a batch is small, and large blocks are what ClickHouse likes. A block is not searched for rows of
# one key before it becomes a part: merges and FINAL do that anyway, and it costs a quarter of an insert. One thread
# parses it: several are slower for so little. What hangs on a table (call_terms, call_change_feed) gets a repeated
# block, too: the first time it may have failed.
_SETTINGS: dict[str, Any] = {
    "async_insert": 0,
    "max_partitions_per_insert_block": 0,
    "optimize_on_insert": 0,
    "input_format_parallel_parsing": 0,
    "deduplicate_blocks_in_dependent_materialized_views": 1,
}


def insert(client: Client, table: str, columns: Sequence[str], body: bytes, form: str, token: str = "") -> None:
    """Insert an encoded body.

    Parameters:
        table, columns: what it is inserted into
        body: rows in ClickHouse's format `form`
        token: ClickHouse drops a repetition of a block with the same token; "" for no token
    """
    settings = {**_SETTINGS, "insert_deduplication_token": token} if token else _SETTINGS
    client.raw_insert(table, columns, body, settings=settings, fmt=form)


def archive(client: Client, body: bytes, token: str) -> None:
    """Archive events: a TabSeparated body in the order of `rows.EVENT_COLUMNS`."""
    insert(client, "event_rows", rows.EVENT_COLUMNS, body, "TabSeparated", token)


def write_call_logs(client: Client, values: Sequence[Sequence[Any]], token: str = "") -> None:
    """Write call-log rows, retired ones among them; they replace rows of lower version."""
    if values:
        insert(client, "call_log_rows", rows.LOG_COLUMNS, rows.encode(values), "JSONCompactEachRow", token)


def write_calls(client: Client, values: Sequence[Sequence[Any]], token: str = "") -> None:
    """Write call rows, retired ones among them; they replace rows of lower version."""
    if values:
        insert(client, "call_rows", rows.CALL_COLUMNS, rows.encode(values), "JSONCompactEachRow", token)
