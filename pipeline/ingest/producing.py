"""A producer for the listeners and bridges, which may be there before Kafka is."""

from __future__ import annotations

import asyncio
import time
from typing import Final

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from pipeline import kafka
from pipeline.errors import Problem
from pipeline.kafka_security import KafkaRefused
from pipeline.settings import Settings

log = structlog.get_logger()

KAFKA_WAIT_S: Final = 120.0


async def connected(settings: Settings, wait_s: float = KAFKA_WAIT_S) -> tuple[AIOKafkaProducer, dict[str, int]]:
    """A started producer and the partitions of the topics; waits for a broker that is still starting."""
    until = time.monotonic() + wait_s
    while True:
        try:
            partitions = await kafka.ensure_topics(settings)
            # What is written twice is one fact, as its event id follows from its content. So the producer
            # need not be idempotent, which not every broker offers to this client.
            producer = kafka.producer(settings, linger_ms=0, enable_idempotence=False)
            try:
                await producer.start()
            except KafkaError:
                await producer.stop()
                raise
            return producer, partitions
        except (Problem, KafkaError) as problem:
            if time.monotonic() > until or isinstance(problem, KafkaRefused):
                raise problem if isinstance(problem, Problem) else kafka.unreachable(settings, problem) from problem
            log.warning("waiting for Kafka", error=str(problem))
            await asyncio.sleep(1)
