"""Reads back what was archived: the events of calls, and which calls are open.

One mechanism, reload a call's events and fold them, serves restart, rebalance, late events and
rebuilds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

from clickhouse_connect.driver.client import Client

from pipeline.warehouse.rows import Key
from schemas.event import Event

# Ids in one query: far below ClickHouse's limits on the size of a statement.
_IDS_A_QUERY = 5_000

CallKey = tuple[str, str]  # (tenant, call_id)


@dataclass(slots=True)
class Stored:
    """What the warehouse has of a call: its events' bytes, and the keys its rows lie under."""

    raw: list[bytes] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)  # the same, once somebody has decoded them
    partition: int = -1
    archived_at: int = 0  # s since the epoch; when the newest of them was
    version: int = 0
    rating: str = ""  # how it was priced
    key: Key | None = None
    had_row: bool = False  # had a row once, though it may be retired by now
    logs: list[Key] = field(default_factory=list)


def load(client: Client, calls: Collection[CallKey]) -> dict[CallKey, Stored]:
    """The stored state of these calls; calls the warehouse does not know are absent."""
    found: dict[CallKey, Stored] = {}
    for ids in slices(sorted(calls)):
        _read_events(client, found, "(tenant, call_id) IN {ids:Array(Tuple(String, String))}", {"ids": ids})
        _read_rows(client, found, "(tenant, call_id) IN {ids:Array(Tuple(String, String))}", {"ids": ids})
    return found


def load_events(client: Client, calls: Collection[CallKey]) -> dict[CallKey, Stored]:
    """The archived events of these calls, without their rows; calls without events are absent."""
    found: dict[CallKey, Stored] = {}
    for ids in slices(sorted(calls)):
        _read_events(client, found, "(tenant, call_id) IN {ids:Array(Tuple(String, String))}", {"ids": ids})
    return found


def load_open(client: Client, topic: str, partitions: Sequence[int]) -> Iterator[tuple[CallKey, Stored]]:
    """The stored state of the open calls whose events came from these partitions, one after the other:
    half a million of them are never in memory as they lie in the archive."""
    is_open = "(tenant, call_id) IN (SELECT tenant, call_id FROM call_rows FINAL WHERE retired = 0 AND state = 'open')"
    mine = f"{is_open} AND topic = {{topic:String}} AND `partition` IN {{partitions:Array(UInt32)}}"
    kept: dict[CallKey, Stored] = defaultdict(Stored)
    _read_rows(client, kept, is_open, {})
    key: CallKey | None = None
    stored = Stored()
    parameters: dict[str, object] = {"topic": topic, "partitions": list(partitions)}
    for tenant, call_id, raw, partition, _ in _events(client, f"{mine} ORDER BY tenant, call_id", parameters):
        if key != (tenant, call_id):
            if key is not None:
                yield key, stored
            key = (tenant, call_id)
            stored = kept.pop(key, Stored())
        stored.raw.append(raw)
        stored.partition = partition
    if key is not None:
        yield key, stored


def newest(client: Client, now_ms: int) -> int:
    """Time of the newest archived event, ms; of those that a clock ahead dates later than `now_ms`
    none. 0 when there is none."""
    query = "SELECT toUnixTimestamp64Milli(max(at)) FROM event_rows WHERE at <= fromUnixTimestamp64Milli({now:Int64})"
    return int(client.query(query, parameters={"now": now_ms}).result_rows[0][0])


def _read_events(client: Client, found: dict[CallKey, Stored], condition: str, parameters: dict[str, object]) -> None:
    for tenant, call_id, raw, partition, archived_at in _events(client, condition, parameters):
        stored = found.get((tenant, call_id))
        if stored is None:
            stored = found[tenant, call_id] = Stored()
        stored.raw.append(raw)
        stored.partition = partition
        stored.archived_at = max(stored.archived_at, archived_at)


def _events(
    client: Client, condition: str, parameters: dict[str, object]
) -> Iterator[tuple[str, str, bytes, int, int]]:
    query = f"SELECT tenant, call_id, raw, `partition`, toUnixTimestamp(archived_at) FROM event_rows WHERE {condition}"
    settings = {"max_threads": 2, "optimize_read_in_order": 1}
    with client.query_column_block_stream(
        query, parameters=parameters, settings=settings, column_formats={"raw": "bytes"}
    ) as blocks:
        for columns in blocks:
            yield from zip(*columns, strict=True)


def _read_rows(client: Client, found: dict[CallKey, Stored], condition: str, parameters: dict[str, object]) -> None:
    """The keys of live rows: what has to be retired should the next fold give other keys. Of calls also
    whether they had a row that is retired: the change feed may not have told so."""
    for table, is_log in (("call_rows", False), ("call_log_rows", True)):
        rating, wanted = ("''", "retired = 0") if is_log else ("rating", "1")
        query = (
            f"SELECT tenant, call_id, toUnixTimestamp64Milli(started_at), id, version, {rating}, retired"
            f" FROM {table} FINAL WHERE {wanted} AND {condition}"
        )
        rows = client.query(query, parameters=parameters).result_rows
        for tenant, call_id, started_at, id_, version, rated, retired in rows:
            if (tenant, call_id) not in found and not isinstance(found, defaultdict):
                continue
            stored = found[tenant, call_id]
            if is_log:
                stored.logs.append((started_at, id_))
                continue
            stored.had_row = True
            if not retired and version >= stored.version:
                stored.key, stored.version, stored.rating = (started_at, id_), version, rated


def slices(ids: list[CallKey]) -> Iterator[list[CallKey]]:
    """Ids in portions that a statement holds."""
    for start in range(0, len(ids), _IDS_A_QUERY):
        yield ids[start : start + _IDS_A_QUERY]
