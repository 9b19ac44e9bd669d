"""Documents put on the change feed."""

from __future__ import annotations

from typing import Any

import orjson
from aiokafka import AIOKafkaProducer

from pipeline.settings import Settings


async def produce(settings: Settings, *documents: dict[str, Any]) -> None:
    async with AIOKafkaProducer(bootstrap_servers=settings.kafka) as producer:
        for one in documents:
            part = len(one["call_id"]) % 2
            await producer.send_and_wait(settings.cdrs_topic, orjson.dumps(one), partition=part)
