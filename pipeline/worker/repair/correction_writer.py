"""Calls written by others than the worker's loop: after a change of the fold's rules, of history.

Whoever changed something that a call is made of (`call_of` in `folding`) has the calls of a period folded anew from
the archive and those written that differ from their rows. (New prices alone need no fold: `warehouse.rerate`.)

    from pipeline.warehouse.storage.period import period
    from pipeline.worker.repair.rebuild import rebuild

    outcome = rebuild(settings, period("2026-01-01", "2026-02-01", tenant), kind="numbers", show=True)

`kind` names the job, so that an interrupted one goes on where it was when it is run again; `only` may leave
out differences that are of no concern. It runs beside the workers, at any time and as often as one likes: a
call that is right already is left alone. Versions stay what they are, fold generation and number of events:
of two rows of one version the one written last counts.
"""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Sequence
from typing import Any

from clickhouse_connect.driver.client import Client

from pipeline import kafka
from pipeline.settings import Settings
from pipeline.warehouse.storage import rows, writer
from pipeline.worker.core.durable_store import Store
from pipeline.worker.core.folding import published
from pipeline.worker.core.joining import absorbed
from pipeline.worker.core.publisher import Publisher
from pipeline.worker.repair.refold import Refolded


class Corrections:
    """Writes refolded calls as the worker would: rows first, then the change feed."""

    def __init__(self, settings: Settings, publisher: Publisher) -> None:
        self._publisher = publisher
        self._store = Store(settings, publisher)

    @classmethod
    async def begin(cls, settings: Settings) -> Corrections:
        """Connect. Raises `Problem` when Kafka does not answer."""
        publisher = Publisher(settings, await kafka.ensure_topics(settings))
        await publisher.start()
        return cls(settings, publisher)

    async def end(self) -> None:
        """Disconnect."""
        await self._publisher.stop()

    async def write(self, groups: Sequence[Refolded]) -> None:
        """Return when the calls are written and published. Waits while ClickHouse or Kafka is away."""
        calls: list[list[Any]] = []
        logs: list[list[Any]] = []
        feed: list[tuple[int, bytes, bytes]] = []
        for group in groups:
            if group.call is None:
                continue
            calls += [*_stale_calls(group), rows.call_row(group.call)]
            logs += [*_stale_logs(group), *rows.log_rows(group.call)]
            feed.append((group.partition, group.call.call_id.encode(), published(group.call)))
            gone = {row["call_id"] for row in group.calls} - {group.call.call_id}
            feed += [(group.partition, call_id.encode(), absorbed(call_id, group.call)) for call_id in sorted(gone)]
        if not calls:
            return
        # Under a name of its own: ClickHouse would drop rows that it had once, though others replaced them.
        name = uuid.uuid4().hex
        await asyncio.gather(
            self._rows("call_logs", lambda client: writer.write_call_logs(client, logs, name)),
            self._rows("calls", lambda client: writer.write_calls(client, calls, name)),
        )
        await self._store.step("feed", lambda: self._publisher.feed(feed))

    async def _rows(self, step: str, insert: Any) -> None:
        await self._store.step(step, lambda: self._store.query(insert))

    async def query(self, work: Any) -> Any:
        """Run a statement on ClickHouse; waits while it is away."""

        def run(client: Client) -> Any:
            return work(client)

        return await self._store.step("reload", lambda: self._store.query(run))


def _stale_calls(group: Refolded) -> list[list[Any]]:
    """Rows that retire those under keys which the call does not have."""
    call = group.call
    assert call is not None
    live = (call.started_at, call.id, call.call_id)
    return [
        rows.retired_call(
            group.tenant, (row["started_at"], row["id"]), row["call_id"], max(row["version"], call.version)
        )
        for row in group.calls
        if (row["started_at"], row["id"], row["call_id"]) != live
    ]


def _stale_logs(group: Refolded) -> list[list[Any]]:
    call = group.call
    assert call is not None
    live = {(log.started_at, log.id, log.call_id) for log in call.logs}
    return [
        rows.retired_log(
            group.tenant,
            (row["started_at"], row["id"]),
            row["session_id"],
            row["call_id"],
            max(row["version"], call.version),
        )
        for row in group.logs
        if (row["started_at"], row["id"], row["call_id"]) not in live
    ]
