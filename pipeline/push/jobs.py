"""Webhooks in worker processes: a consumer group of its own over the change feed says what is to be told.

Who owns a partition reads it; who owns the partition that a webhook falls on sends to it. What is to be told is in
ClickHouse before the offset is committed, so a worker that was killed loses nothing and repeats the same ids at most.
Beside the fold, in a thread with a loop of its own: a slow receiver delays no event.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import threading
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final
from zlib import crc32

import orjson
import structlog
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from pipeline import kafka
from pipeline.push.delivery import Sender
from pipeline.push.events import REPORT_READY, Message, Place, Told, message, message_id, news
from pipeline.push.store import PushStore, Webhook, now_ms
from pipeline.settings import Settings
from pipeline.warehouse.reader import QueryFailed, Reader, TooCostly, Unavailable
from schemas.call import rfc3339

log = structlog.get_logger("cdr.push")

_AWAY_S: Final = 2.0
_STOP_S: Final = 3.0
_MOST_RECORDS: Final = 1_000
_REPORTS_MS: Final = 7 * 86_400_000


def push_reader(settings: Settings) -> Reader:
    """A reader for webhooks: few queries at a time."""
    return Reader(settings.clickhouse, settings.database, threads=4, max_seconds=60.0)


class PushJobs:
    """The webhooks of one worker process. `start` and `stop` are for its main thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._thread = threading.Thread(target=self._run, name="push", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """End; what is under way is sent again by whoever is next."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it has ended by itself
                self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(_STOP_S)

    def _run(self) -> None:
        try:
            asyncio.run(self._main())
        except Exception as error:  # the fold goes on without webhooks
            log.error("webhooks end: unexpected error", exc_info=error)

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        reader = push_reader(self._settings)
        work = asyncio.create_task(Jobs(self._settings, PushStore(reader)).run())
        stop = asyncio.create_task(self._stopping.wait())
        await asyncio.wait({work, stop}, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        work.cancel()
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await work
        finally:
            reader.close()


class Jobs(ConsumerRebalanceListener):  # type: ignore[misc]
    """The consumer of the change feed, and the sender beside it."""

    def __init__(self, settings: Settings, store: PushStore) -> None:
        self._settings, self._store = settings, store
        self._topic = settings.cdrs_topic
        self._owned: frozenset[int] = frozenset()
        self._partitions = 1
        self._news = asyncio.Event()

    async def run(self) -> None:
        """Until cancelled; starts again when Kafka goes away."""
        while True:
            try:
                await self._connected()
            except (KafkaError, OSError) as error:
                log.warning("webhooks wait for Kafka", error=str(error) or type(error).__name__)
                await asyncio.sleep(_AWAY_S)

    def is_mine(self, webhook: Webhook) -> bool:
        """Whether this process sends to the webhook."""
        return crc32(webhook.id.encode()) % self._partitions in self._owned

    async def _connected(self) -> None:
        settings = self._settings
        consumer = AIOKafkaConsumer(
            **kafka.connection(settings),
            group_id=f"{settings.group}-push",
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            session_timeout_ms=int(settings.session_timeout_s * 1000),
            heartbeat_interval_ms=int(settings.session_timeout_s * 200),
            rebalance_timeout_ms=int(settings.rebalance_timeout_s * 1000),
            max_partition_fetch_bytes=4 << 20,
        )
        consumer.subscribe([self._topic], listener=self)
        sender: asyncio.Task[None] | None = None
        try:
            await consumer.start()
            sender = asyncio.create_task(Sender(settings, self._store, self.is_mine).run(self._reports, self._news))
            while True:
                if sender.done():
                    sender.result()
                self._partitions = len(consumer.partitions_for_topic(self._topic) or ()) or 1
                found = await consumer.getmany(timeout_ms=500, max_records=_MOST_RECORDS)
                if found:
                    await self._take(found)
                    await self._commit(consumer, {part: records[-1].offset + 1 for part, records in found.items()})
        finally:
            self._owned = frozenset()
            if sender is not None:
                sender.cancel()
                with contextlib.suppress(asyncio.CancelledError, KafkaError):
                    await sender
            with contextlib.suppress(KafkaError, OSError):
                await asyncio.shield(consumer.stop())

    async def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        """What is under way ends; nothing new is sent."""
        self._owned -= {part.partition for part in revoked}

    async def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        self._owned = frozenset(part.partition for part in assigned)

    async def _commit(self, consumer: Any, offsets: Mapping[TopicPartition, int]) -> None:
        try:
            await consumer.commit(dict(offsets))
        except (CommitFailedError, IllegalStateError) as error:
            log.info("commit refused: the group has moved on", error=str(error))

    async def _take(self, found: Mapping[TopicPartition, Sequence[Any]]) -> None:
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
            await asyncio.sleep(_AWAY_S)
            if not {part.partition for part in found} <= self._owned:
                raise KafkaError("partitions moved while ClickHouse was away")

    async def tell(self, found: Mapping[TopicPartition, Sequence[Any]]) -> None:
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
        told = await self._store.told(sorted({(one["tenant"], one["call_id"]) for one, _, _ in documents}))
        planned: list[tuple[Message, list[Webhook]]] = []
        changed: dict[tuple[str, str], Told] = {}
        for document, record, partition in documents:
            key = (document["tenant"], document["call_id"])
            place = Place(partition, record.offset, record.timestamp)
            before = told.get(key)
            types, now = news(before, document, hashlib.sha256(record.value).hexdigest(), place)
            if now is not None and now != before:
                told[key] = changed[key] = now
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
            for row in await self._store.reports(webhook, max(webhook.created_at, now_ms() - _REPORTS_MS)):
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
