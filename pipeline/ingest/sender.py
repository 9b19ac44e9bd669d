"""Messages of requests to Kafka: a request is answered when the broker has all of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Final

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from pipeline import kafka
from pipeline.errors import CdrError, Problem
from pipeline.ingest.intake import Message
from pipeline.settings import Settings

log = structlog.get_logger("cdr.ingest")

_ANSWER_S: Final = 10.0  # how long a request waits for Kafka
_OVERHEAD: Final = 200  # of a message in memory, beside its bytes


class KafkaAway(CdrError):
    """Kafka does not take messages now."""


class KafkaFull(CdrError):
    """So much waits for Kafka that no more is taken."""


class Sender:
    """One producer for all requests, started by the first. `limit`: bytes on their way to Kafka."""

    def __init__(self, settings: Settings, limit: int) -> None:
        self._settings = settings
        self._limit = limit
        self._producer: AIOKafkaProducer | None = None
        self._partitions: dict[str, int] = {}
        self._starting = asyncio.Lock()
        self.waiting = 0  # bytes

    async def send(self, topic: str, messages: Sequence[Message]) -> None:
        """Return when the broker has all messages. Raises KafkaFull, or KafkaAway; then some may have
        arrived: what is sent again is the same fact."""
        size = sum(len(key) + len(value) + _OVERHEAD for key, value, _ in messages)
        if self.waiting and self.waiting + size > self._limit:
            raise KafkaFull
        self.waiting += size
        sending = asyncio.ensure_future(self._send(topic, messages))
        sending.add_done_callback(lambda _: self._done(size))
        try:
            # What Kafka has not taken when the request gives up stays counted until it is gone from memory.
            async with asyncio.timeout(_ANSWER_S):
                await asyncio.shield(sending)
        except TimeoutError:
            sending.add_done_callback(_looked_at)
            raise KafkaAway("Kafka did not acknowledge in time") from None
        except (KafkaError, Problem, OSError) as error:
            raise KafkaAway(str(error) or type(error).__name__) from error

    def _done(self, size: int) -> None:
        self.waiting -= size

    async def _send(self, topic: str, messages: Sequence[Message]) -> None:
        producer = await self._started()
        count = self._partitions[topic]
        futures = [
            await producer.send(topic, value, key=key, partition=kafka.partition_of(key, count), headers=headers)
            for key, value, headers in messages
        ]
        outcomes = await asyncio.gather(*futures, return_exceptions=True)
        for outcome in outcomes:
            if isinstance(outcome, BaseException):
                raise outcome

    async def _started(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                self._partitions = await kafka.ensure_topics(self._settings)
                # The same event twice is one fact, so this needs no broker that keeps producers' ids.
                producer = kafka.producer(self._settings, enable_idempotence=False, request_timeout_ms=8_000)
                try:
                    await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
            return self._producer

    async def close(self) -> None:
        """Send what is left, as far as Kafka takes it within two seconds."""
        if self._producer is not None:
            try:
                async with asyncio.timeout(2):
                    await self._producer.stop()
            except (TimeoutError, KafkaError):
                log.warning("ended before Kafka had everything; those requests were not acknowledged")


def _looked_at(sending: asyncio.Future[None]) -> None:
    if not sending.cancelled() and (error := sending.exception()) is not None:
        log.warning("Kafka took a request's events late or not at all", problem=str(error) or type(error).__name__)
