"""Calls read again from the warehouse: their rows, and their events from the archive."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clickhouse_connect.driver.client import Client

from pipeline.calls.id_reuse import NEAR_MS
from pipeline.sources import canonical
from pipeline.warehouse.storage import archive
from pipeline.warehouse.storage.archive import Stored
from pipeline.worker.core.folding import rows_as_of
from pipeline.worker.core.links import is_link
from pipeline.worker.core.open_calls import OpenCall


def load_open(client: Client, topic: str, claims: Mapping[int, Sequence[int]]) -> list[tuple[int, OpenCall]]:
    """The open calls of the partitions that have these claims on them, packed as they come."""
    loaded: list[tuple[int, OpenCall]] = []
    for (tenant, call_id), found in archive.load_open(client, topic, list(claims)):
        call = OpenCall(tenant, call_id, [])
        restore(call, found, claims)
        call.pack()
        loaded.append((found.partition, call))
    return loaded


def restore(call: OpenCall, found: Stored, claims: Mapping[int, Sequence[int]]) -> None:
    """Add what the warehouse has of a call to what memory has; `claims` are those of its partition's owner before.

    That owner may have rows of it on their way that are the fold of its events as of the claim. With what is archived
    from there on, too, the call may lie under another key.
    """
    for partition, claims_on_it in claims.items():
        for claim in claims_on_it:
            if any(number == partition and offset >= claim for number, offset in found.places):
                call.possible = (call.possible or []) + rows_as_of(found, partition, claim)
    for event in canonical.decode(found.raw).events:
        if event.linked_ids:
            call.links = (call.links or set()) | set(event.linked_ids) - {call.call_id}
        if not is_link(event):
            call.add(event)
    beyond = [row.logs_version for row in found.rows if row.logs_version > row.version]
    call.orphan_version = max([found.orphan_version, *beyond])
    if not found.rows:
        call.logs = found.orphan_logs if call.key is None else call.logs
        return
    max(found.rows, key=lambda row: row.key).logs += found.orphan_logs
    earliest, latest = call.first_at - NEAR_MS, call.last_at + NEAR_MS
    reused = len(found.rows) > 1 or not earliest < found.rows[0].key[0] < latest
    call.set_rows(found.rows, reused=reused)
