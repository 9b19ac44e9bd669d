"""Rows that a late write left behind: of a worker that was given up by its group, or killed, while ClickHouse
was still busy with what it had sent. Whoever took over has not seen them and did not retire them.

Every write of a call writes all its logs under the version of the call. So a live row that is older than the
newest word on its call, retirements among them and rows of a call that took its id in, belongs to nobody.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from clickhouse_connect.driver.client import Client

from pipeline.warehouse import rows, writer
from pipeline.warehouse.archive import CallKey, slices
from schemas.call import RERATED_BITS

# Rows of a call start at most so far from what is known of it.
_MARGIN_MS = 86_400_000
Moments = tuple[int, int]  # ms; about when a call began and when it was last heard of


def retire_orphans(client: Client, calls: Mapping[CallKey, Moments], token: str) -> int:
    """Retire what belongs to nobody of these calls; returns how many rows. Each is retired under its own
    version, so a newer write of the same key prevails, whichever comes first. `token` is new each time."""
    stale_calls: list[list[Any]] = []
    stale_logs: list[list[Any]] = []
    for ids in slices(sorted(calls)):
        first = min(calls[key][0] for key in ids) - _MARGIN_MS
        last = max(calls[key][1] for key in ids) + _MARGIN_MS
        parameters = {"ids": ids, "first": first, "last": last}
        # The logs first: read the other way round, those of a write between the two would look old.
        logs = _read(client, "call_log_rows", "session_id", parameters)
        newest: dict[CallKey, int] = defaultdict(int)
        found = _read(client, "call_rows", "merged_call_ids", parameters)
        for tenant, call_id, _, _, merged, version, retired in found:
            for other in (call_id, *(() if retired else merged)):
                newest[tenant, other] = max(newest[tenant, other], _folded(version))
        stale_calls += [
            rows.retired_call(tenant, (started_at, id_), call_id, version)
            for tenant, call_id, started_at, id_, _, version, retired in found
            if not retired and _folded(version) < newest[tenant, call_id]
        ]
        stale_logs += [
            rows.retired_log(tenant, (started_at, id_), session_id, call_id, version)
            for tenant, call_id, started_at, id_, session_id, version, retired in logs
            if not retired and _folded(version) < newest[tenant, call_id]
        ]
    writer.write_call_logs(client, stale_logs, f"{token}-logs")
    writer.write_calls(client, stale_calls, f"{token}-calls")
    return len(stale_calls) + len(stale_logs)


def _folded(version: int) -> int:
    """A version without how often the call was priced again, which its logs do not tell."""
    return version >> RERATED_BITS


def _read(client: Client, table: str, column: str, parameters: dict[str, Any]) -> list[Any]:
    query = (
        f"SELECT tenant, call_id, toUnixTimestamp64Milli(started_at), id, {column}, version, retired"
        f" FROM {table} FINAL"
        " WHERE started_at >= fromUnixTimestamp64Milli({first:Int64})"
        " AND started_at <= fromUnixTimestamp64Milli({last:Int64})"
        " AND (tenant, call_id) IN {ids:Array(Tuple(String, String))}"
    )
    return list(client.query(query, parameters=parameters, settings={"max_threads": 2}).result_rows)
