"""`cdr rates rerate`: old calls priced again, and the change feed told."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from aiokafka.errors import KafkaError

from pipeline import kafka
from pipeline.errors import DEPENDENCY, Problem
from pipeline.settings import Settings
from pipeline.warehouse.reference.rerate import Rerated, rerate
from pipeline.warehouse.storage.client import connect
from pipeline.worker.core.folding import published
from schemas.call import Call


def run(
    settings: Settings,
    first_ms: int,
    end_ms: int,
    *,
    tenant: str = "",
    dry_run: bool = False,
    feed: bool = True,
    by: str = "cdr rates rerate",
) -> Rerated:
    """Price again the calls that started in [first_ms, end_ms), and publish the new versions.

    Parameters:
        tenant: whose; "" for all tenants
        dry_run: count, write nothing
        feed: publish on the change feed, before the rows are written
        by: who asked, for the record

    Raises `Problem` when Kafka does not take the new versions.
    """
    client = connect(settings.clickhouse, settings.database)
    return rerate(
        client,
        first_ms,
        end_ms,
        tenant=tenant,
        country=settings.country,
        by=by,
        publish=(lambda calls: _publish(settings, calls)) if feed else None,
        dry_run=dry_run,
    )


def kafka_away(settings: Settings) -> Problem | None:
    """Why Kafka cannot be told; None when it can."""
    try:
        asyncio.run(_send(settings, (), within_s=10))
    except (KafkaError, OSError, TimeoutError) as error:
        return asyncio.run(kafka.explained(settings, error))
    return None


def _publish(settings: Settings, calls: Sequence[Call]) -> None:
    documents = [(call.call_id.encode(), published(call)) for call in calls]
    try:
        asyncio.run(_send(settings, documents, within_s=60))
    except (KafkaError, OSError, TimeoutError) as error:
        why = asyncio.run(kafka.explained(settings, error))
        raise Problem(
            f"Kafka did not take the new versions. {why}",
            hint="Do this again; what was priced already stays so.",
            code=DEPENDENCY,
        ) from error


async def _send(settings: Settings, documents: Sequence[tuple[bytes, bytes]], *, within_s: float) -> None:
    async with asyncio.timeout(within_s):
        producer = kafka.producer(settings, linger_ms=5)
        try:
            await producer.start()
            sent = [await producer.send(settings.cdrs_topic, value, key=key) for key, value in documents]
            await asyncio.gather(*sent)
        finally:
            await producer.stop()
