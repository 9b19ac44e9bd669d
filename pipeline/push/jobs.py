"""Webhooks in worker processes: a consumer group of its own over the change feed says what is to be told.

Who owns a partition reads it; who owns the partition that a webhook falls on sends to it. What is to be told is in
ClickHouse before the offset is committed, so a worker that was killed loses nothing and repeats the same ids at most.
Sidecar the fold, in a thread with a loop of its own: a slow receiver delays no event.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections import defaultdict
from collections.abc import Sequence
from typing import Any, Final
from zlib import crc32

import orjson
import structlog
from aiokafka.errors import KafkaError

from pipeline import clock
from pipeline.instants import DAY_MS
from pipeline.jobs import AWAY_S, Found, Group, Sidecar
from pipeline.push.delivery import Sender
from pipeline.push.events import REPORT_READY, Message, Place, Published, message, message_id, news
from pipeline.push.store import PushStore, Webhook
from pipeline.settings import Settings
from pipeline.settings.clickhouse import ClickHouseSettings
from pipeline.warehouse.query.reader import QueryFailed, Reader, TooCostly, Unavailable
from schemas.call import rfc3339

log = structlog.get_logger("cdr.push")

_MOST_RECORDS: Final = 1_000
_REPORTS_MS: Final = 7 * DAY_MS


def push_reader(settings: ClickHouseSettings) -> Reader:
    """A reader for webhooks: few queries at a time."""
    return Reader(settings.clickhouse, settings.database, threads=4, max_seconds=60.0)


class PushJobs(Sidecar):
    """The webhooks of one worker process."""

    def __init__(self, settings: Settings) -> None:
        super().__init__("webhooks", lambda: _work(settings))


async def _work(settings: Settings) -> None:
    reader = push_reader(settings)
    try:
        await Jobs(settings, PushStore(reader, settings.webhook_key)).run()
    finally:
        reader.close()


class Jobs(Group):
    """The consumer of the change feed, and the sender beside it."""

    def __init__(self, settings: Settings, store: PushStore) -> None:
        super().__init__(
            settings, "push", settings.cdrs_topic, most_records=_MOST_RECORDS, max_partition_fetch_bytes=4 << 20
        )
        self._store = store
        self._news = asyncio.Event()

    def is_mine(self, webhook: Webhook) -> bool:
        """Whether this process sends to the webhook."""
        return crc32(webhook.id.encode()) % self.partitions in self.owned

    async def beside(self) -> None:
        """Send what is to be sent."""
        with contextlib.suppress(Unavailable, TooCostly, QueryFailed):  # the next start seals them
            if number := await self._store.seal():
                log.info("secrets of webhooks sealed", webhooks=number)
        await Sender(self.settings, self._store, self.is_mine).run(self._reports, self._news)

    async def take(self, found: Found) -> None:
        """Keep what these records give to tell; while ClickHouse is away, again and again. Raises KafkaError when
        partitions went to another owner meanwhile: they are read again from what was committed."""
        while True:
            try:
                await self.tell(found)
                return
            except (Unavailable, TooCostly) as error:
                log.warning("webhooks wait for ClickHouse", error=str(error))
            except QueryFailed as error:  # a table of another version: a person must mend it
                log.error("webhooks wait: ClickHouse refuses", error=str(error))
            await asyncio.sleep(AWAY_S)
            if not {part.partition for part in found} <= self.owned:
                raise KafkaError("partitions moved while ClickHouse was away")

    async def tell(self, found: Found) -> None:
        """Plan the deliveries of these records, then note what was told."""
        webhooks: dict[str, list[Webhook]] = defaultdict(list)
        for one in await self._store.webhooks():
            webhooks[one.tenant].append(one)
        if not webhooks:
            return
        documents = [
            (document, record, part.partition)
            for part, records in found.items()
            for record in records
            if (document := _document(record.value)) is not None and document["tenant"] in webhooks
        ]
        published = await self._store.published(sorted({(one["tenant"], one["call_id"]) for one, _, _ in documents}))
        planned: list[tuple[Message, list[Webhook]]] = []
        changed: dict[tuple[str, str], Published] = {}
        for document, record, partition in documents:
            key = (document["tenant"], document["call_id"])
            place = Place(partition, record.offset, record.timestamp)
            before = published.get(key)
            types, now = news(before, document, hashlib.sha256(record.value).hexdigest(), place)
            if now is not None and now != before:
                published[key] = changed[key] = now
            for type_, which in types:
                wanting = [one for one in webhooks[document["tenant"]] if type_ in one.events]
                if wanting:
                    at = rfc3339(record.timestamp) or ""
                    planned.append((message(document, type_, which, place, at), wanting))
        await self._store.plan(planned)
        await self._store.note(changed)
        if planned:
            self._news.set()

    async def _reports(self, mine: Sequence[Webhook]) -> None:
        """Plan what is to be told of reports that were completed."""
        planned: list[tuple[Message, list[Webhook]]] = []
        for webhook in mine:
            if REPORT_READY not in webhook.events:
                continue
            for row in await self._store.reports(webhook, max(webhook.created_at, clock.now_ms() - _REPORTS_MS)):
                data = {**row, "id": str(row["id"]), "report_id": str(row["report_id"]), "tenant": webhook.tenant}
                body = {"type": REPORT_READY, "timestamp": row["completed_at"], "data": data}
                id_ = message_id(webhook.tenant, data["id"], REPORT_READY)
                planned.append((Message(webhook.tenant, id_, REPORT_READY, data["id"], orjson.dumps(body)), [webhook]))
        await self._store.plan(planned)


def _document(value: bytes | None) -> dict[str, Any] | None:
    """The call document of a record; None for what is none."""
    try:
        document = orjson.loads(value or b"")
        if isinstance(document["tenant"], str) and isinstance(document["call_id"], str):
            int(document["version"])
            return document if document.get("retired") or document["state"] in ("open", "closed") else None
    except (ValueError, TypeError, KeyError):
        log.warning("a record of the change feed is no call document")
    return None
