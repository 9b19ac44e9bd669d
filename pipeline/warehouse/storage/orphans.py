"""Rows that a late write left behind: of a worker that was given up by its group, or killed, while ClickHouse
was still busy with what it had sent. Whoever took over has not seen them and did not retire them.

Every write of a call writes all its logs under the version of the call. So a live row that is older than the
newest word on its call, retirements among them and rows of a call that took its id in, belongs to nobody.
Rows under one id that lie long apart are of different calls: an id may come back on another day.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from clickhouse_connect.driver.client import Client

from pipeline.calls.id_reuse import NEAR_MS
from pipeline.instants import DAY_MS
from pipeline.warehouse.storage import rows, writer
from pipeline.warehouse.storage.archive import CallKey, Row, slices
from schemas.version import first_of, fold_of

# Rows of a call start at most so far from what is known of it.
_MARGIN_MS = DAY_MS
# Calls of one id lie at least so far apart, less what a clock may be wrong by.
_APART_MS = NEAR_MS - 3_600_000
_Word = tuple[int, int, int]  # when the call of a row began, when it was last heard of, ms; version
Moments = tuple[int, int]  # ms; about when a call began and when it was last heard of


@dataclass(slots=True)
class Absorbed:
    """A call id under which somebody was about to write a call that another id has."""

    tenant: str
    call_id: str
    into_id: int
    into_call_id: str
    version: int  # of the call that has it


@dataclass(slots=True)
class Retired:
    """What `retire_orphans` did: how many rows it retired, and which ids are known to be of another call."""

    rows: int = 0
    absorbed: list[Absorbed] = field(default_factory=list)


def retire_orphans(
    client: Client, calls: Mapping[CallKey, Moments], token: str, expected: Sequence[tuple[str, Row]] = ()
) -> Retired:
    """Retire what belongs to nobody of these calls. Each row is retired under its own version, so a newer write of
    the same key prevails, whichever comes first. `token` is new each time.

    `expected` are rows, with their tenant, that somebody was about to write. What is not there yet, and is older than
    the newest word on its call, is retired before it comes, under the version of that word.
    """
    retired_rows = Retired()
    calls = dict(calls)
    for tenant, row in expected:
        for call_id in (row.call_id, *row.merged):
            first, last = calls.get((tenant, call_id), (row.key[0], row.key[0]))
            calls[tenant, call_id] = (min(first, row.key[0]), max(last, row.key[0]))
    stale_calls: list[list[Any]] = []
    stale_logs: list[list[Any]] = []
    for ids in slices(sorted(calls)):
        first = min(calls[key][0] for key in ids) - _MARGIN_MS
        last = max(calls[key][1] for key in ids) + _MARGIN_MS
        parameters = {"ids": ids, "first": first, "last": last}
        # The logs first: read the other way round, those of a write between the two would look old.
        logs = _read(client, "call_log_rows", "session_id, toUnixTimestamp64Milli(started_at)", parameters)
        words: dict[CallKey, list[_Word]] = defaultdict(list)
        found = _read(client, "call_rows", "merged_call_ids, toUnixTimestamp64Milli(last_event_at)", parameters)
        for tenant, call_id, started_at, _, merged, last_at, version, retired in found:
            word = (started_at, max(started_at, last_at), fold_of(version))
            for other in {call_id, *(() if retired else merged)}:
                words[tenant, other].append(word)
        stale_calls += [
            rows.retired_call(tenant, (started_at, id_), call_id, version)
            for tenant, call_id, started_at, id_, _, last_at, version, retired in found
            if not retired and fold_of(version) < _newest(words[tenant, call_id], started_at, last_at)
        ]
        stale_logs += [
            rows.retired_log(tenant, (started_at, id_), session_id, call_id, version)
            for tenant, call_id, started_at, id_, session_id, _, version, retired in logs
            if not retired and fold_of(version) < _newest(words[tenant, call_id], started_at, started_at)
        ]
        have_calls = {(row[0], row[1], (row[2], row[3])): fold_of(row[6]) for row in found}
        have_logs = {(row[0], row[1], (row[2], row[3])): fold_of(row[6]) for row in logs}
        here = set(ids)
        for tenant, row in expected:
            if (tenant, row.call_id) not in here:
                continue
            newest = _newest(words[tenant, row.call_id], row.key[0], row.key[0])
            if newest <= fold_of(row.version):
                continue
            above = first_of(newest)
            retired_rows.absorbed += _absorbed(tenant, row, found)
            if have_calls.get((tenant, row.call_id, row.key), -1) < fold_of(row.version):
                stale_calls.append(rows.retired_call(tenant, row.key, row.call_id, above))
            for log in row.logs:
                if have_logs.get((tenant, row.call_id, log), -1) < fold_of(row.version):
                    stale_logs.append(rows.retired_log(tenant, log, row.key[1], row.call_id, above))
    writer.write_call_logs(client, stale_logs, f"{token}-logs")
    writer.write_calls(client, stale_calls, f"{token}-calls")
    retired_rows.rows = len(stale_calls) + len(stale_logs)
    return retired_rows


def _absorbed(tenant: str, row: Row, found: Sequence[Any]) -> list[Absorbed]:
    """That another call has the id of a row, if it is so: the newest live one that names the id."""
    into = [
        (version, id_, call_id)
        for of, call_id, started_at, id_, merged, last_at, version, retired in found
        if of == tenant
        and not retired
        and row.call_id in (call_id, *merged)
        and started_at - row.key[0] < _APART_MS
        and row.key[0] - max(started_at, last_at) < _APART_MS
    ]
    if not into:
        return []
    version, id_, call_id = max(into)
    return [] if call_id == row.call_id else [Absorbed(tenant, row.call_id, id_, call_id, version)]


def _newest(words: list[_Word], first: int, last: int) -> int:
    """The newest of the words on the call that began at `first` and was last heard of at `last`, ms."""
    return max(
        (version for from_, to, version in words if from_ - last < _APART_MS and first - to < _APART_MS), default=0
    )


def _read(client: Client, table: str, column: str, parameters: dict[str, Any]) -> list[Any]:
    query = (
        f"SELECT tenant, call_id, toUnixTimestamp64Milli(started_at), id, {column}, version, retired"
        f" FROM {table} FINAL"
        " WHERE started_at >= fromUnixTimestamp64Milli({first:Int64})"
        " AND started_at <= fromUnixTimestamp64Milli({last:Int64})"
        " AND (tenant, call_id) IN {ids:Array(Tuple(String, String))}"
    )
    return list(client.query(query, parameters=parameters, settings={"max_threads": 2}).result_rows)
