"""Reads back what was archived: the events of calls, and which calls are open.

One mechanism, reload a call's events and fold them, serves restart, rebalance, late events and
rebuilds.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field

import msgspec
from clickhouse_connect.driver.client import Client

from pipeline.warehouse.storage.rows import Key
from schemas.event import Event

# Ids in one query: far below ClickHouse's limits on the size of a statement.
_IDS_A_QUERY = 5_000

# How long it may take at most until an owner of partitions notices that some were added to the topic.
LATELY_S = 300

CallKey = tuple[str, str]  # (tenant, call_id)


class Row(msgspec.Struct, gc=False):
    """Where a call lies in the tables: its live row and those of its logs."""

    key: Key
    call_id: str  # that the rows bear
    logs: list[Key] = []
    version: int = 0
    rating: str = ""  # how it was priced
    published_version: int = 0  # the version that this process published; 0 when it published none
    events: int = 0  # folded into it; 0 when unknown
    last_at: int = 0  # ms; newest of these
    merged: list[str] = []  # all ids of the call, where these are several
    logs_version: int = 0  # highest of its logs; beyond its own where a worker died between the two


@dataclass(slots=True)
class Stored:
    """What the warehouse has under a call id: its events' bytes, and its rows: several when the id was used for
    several calls."""

    raw: list[bytes] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)  # the same, once somebody has decoded them
    partition: int = -1
    places: list[tuple[int, int]] = field(default_factory=list)  # partition and offset of each of `raw`
    archived_at: int = 0  # s since the epoch; when the newest of them was
    rows: list[Row] = field(default_factory=list)
    gone: list[Key] = field(default_factory=list)  # where a row lies that was retired
    orphan_logs: list[Key] = field(default_factory=list)  # log rows whose call has no row
    orphan_version: int = 0  # the highest of theirs


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
    for tenant, call_id, raw, partition, offset, _ in _events(client, f"{mine} ORDER BY tenant, call_id", parameters):
        if key != (tenant, call_id):
            if key is not None:
                yield key, stored
            key = (tenant, call_id)
            stored = kept.pop(key, Stored())
        stored.raw.append(raw)
        stored.partition = partition
        stored.places.append((partition, offset))
    if key is not None:
        yield key, stored


def on_several_partitions(client: Client, topic: str, partitions: Sequence[int]) -> list[tuple[int, CallKey]]:
    """The calls of these partitions that may have been folded from the events of one partition alone, though others lie
    on another: each with its partition. Those among them that had news in the last `LATELY_S` of the partition.

    An event that lies on both is known as of one of them only; then two folds have left rows of different versions.
    """
    of_topic, mine = "topic = {topic:String}", "`partition` IN {partitions:Array(UInt32)}"
    since = f"SELECT `partition`, max(archived_at) - {{lately:UInt32}} AS since FROM event_rows WHERE {of_topic}"
    news = (
        f"(tenant, call_id) IN (SELECT tenant, call_id FROM event_rows INNER JOIN ({since} AND {mine}"
        f" GROUP BY `partition`) AS lately USING `partition` WHERE {of_topic} AND archived_at >= since)"
    )
    of_both = f"SELECT tenant, call_id, `partition` AS each FROM event_rows WHERE {of_topic} AND {news}"
    versions = " UNION ALL ".join(
        f"SELECT tenant, call_id, version FROM {table} FINAL WHERE retired = 0 AND {news}"
        for table in ("call_rows", "call_log_rows")
    )
    several = " UNION ALL ".join(
        f"SELECT tenant, call_id FROM ({each}) GROUP BY tenant, call_id HAVING uniqExact({what}) > 1"
        for each, what in ((of_both, "each"), (versions, "version"))
    )
    query = (
        f"SELECT DISTINCT `partition`, tenant, call_id FROM event_rows WHERE {of_topic} AND {mine}"
        f" AND (tenant, call_id) IN ({several})"
    )
    parameters = {"topic": topic, "partitions": list(partitions), "lately": LATELY_S}
    rows = client.query(query, parameters=parameters).result_rows
    return [(partition, (tenant, call_id)) for partition, tenant, call_id in rows]


def ratings(client: Client, calls: Collection[CallKey]) -> dict[tuple[str, str, Key], str]:
    """How the live rows of these calls are priced: (tenant, call_id, key of the row) → rating."""
    query = (
        "SELECT tenant, call_id, toUnixTimestamp64Milli(started_at), id, rating FROM call_rows FINAL"
        " WHERE retired = 0 AND (tenant, call_id) IN {ids:Array(Tuple(String, String))}"
    )
    found = {}
    for ids in slices(sorted(calls)):
        for tenant, call_id, at, id_, rating in client.query(query, parameters={"ids": ids}).result_rows:
            found[tenant, call_id, (at, id_)] = rating
    return found


def newest(client: Client, now_ms: int) -> int:
    """Time of the newest archived event, ms; of those that a clock ahead dates later than `now_ms`
    none. 0 when there is none."""
    query = "SELECT toUnixTimestamp64Milli(max(at)) FROM event_rows WHERE at <= fromUnixTimestamp64Milli({now:Int64})"
    return int(client.query(query, parameters={"now": now_ms}).result_rows[0][0])


def ids_since(client: Client, since_ms: int) -> list[int]:
    """CRC-32 of the ids of the closed calls that were last heard of since then."""
    query = (
        "SELECT CRC32(call_id) FROM call_rows WHERE state = 'closed'"
        " AND started_at >= fromUnixTimestamp64Milli({since:Int64} - 86400000)"
        " AND last_event_at >= fromUnixTimestamp64Milli({since:Int64})"
    )
    return [hash_ for (hash_,) in client.query(query, parameters={"since": since_ms}).result_rows]


def _read_events(client: Client, found: dict[CallKey, Stored], condition: str, parameters: dict[str, object]) -> None:
    for tenant, call_id, raw, partition, offset, archived_at in _events(client, condition, parameters):
        stored = found.get((tenant, call_id))
        if stored is None:
            stored = found[tenant, call_id] = Stored()
        stored.raw.append(raw)
        stored.partition = partition
        stored.places.append((partition, offset))
        stored.archived_at = max(stored.archived_at, archived_at)


def _events(
    client: Client, condition: str, parameters: dict[str, object]
) -> Iterator[tuple[str, str, bytes, int, int, int]]:
    what = "tenant, call_id, raw, `partition`, `offset`, toUnixTimestamp(archived_at)"
    query = f"SELECT {what} FROM event_rows WHERE {condition}"
    settings = {"max_threads": 2, "optimize_read_in_order": 1}
    with client.query_column_block_stream(
        query, parameters=parameters, settings=settings, column_formats={"raw": "bytes"}
    ) as blocks:
        for columns in blocks:
            yield from zip(*columns, strict=True)


def _read_rows(client: Client, found: dict[CallKey, Stored], condition: str, parameters: dict[str, object]) -> None:
    """The keys of live rows: what has to be retired should the next fold give other keys. Of calls also those of
    retired ones: the change feed may not have told so."""
    query = (
        "SELECT tenant, call_id, toUnixTimestamp64Milli(started_at), id, {what} FROM {table} FINAL"
        f" WHERE {condition}"
    )
    calls = query.replace("{what}", "version, rating, events, toUnixTimestamp64Milli(last_event_at), retired").replace(
        "{table}", "call_rows"
    )
    by_id: dict[tuple[str, str, int], Row] = {}
    for tenant, call_id, at, id_, *row in client.query(calls, parameters=parameters).result_rows:
        version, rating, events, last_at, retired = row
        if (tenant, call_id) not in found and not isinstance(found, defaultdict):
            continue
        if retired:
            found[tenant, call_id].gone.append((at, id_))
        else:
            row = by_id[tenant, call_id, id_] = Row((at, id_), call_id, [], version, rating, 0, events, last_at)
            found[tenant, call_id].rows.append(row)
    logs = query.replace("{what}", "session_id, version").replace("{table}", "call_log_rows") + " AND retired = 0"
    for tenant, call_id, started_at, id_, session, version in client.query(logs, parameters=parameters).result_rows:
        if (own := by_id.get((tenant, call_id, session))) is not None:
            own.logs.append((started_at, id_))
            own.logs_version = max(own.logs_version, version)
        elif (tenant, call_id) in found or isinstance(found, defaultdict):
            stray = found[tenant, call_id]
            stray.orphan_logs.append((started_at, id_))
            stray.orphan_version = max(stray.orphan_version, version)


def slices(ids: list[CallKey]) -> Iterator[list[CallKey]]:
    """Ids in portions that a statement holds."""
    for start in range(0, len(ids), _IDS_A_QUERY):
        yield ids[start : start + _IDS_A_QUERY]
