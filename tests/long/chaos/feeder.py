"""Produces a load, tick after tick, whatever becomes of the broker meanwhile."""

from __future__ import annotations

import asyncio
import threading

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from pipeline import kafka
from pipeline.settings import Settings
from tests.long.chaos.load import CANONICAL, Load, Message

TICK_S = 0.25


class Feeder:
    """A thread that feeds until it is told to stop, and then sends the rest."""

    def __init__(self, settings: Settings, load: Load) -> None:
        self.load = load
        self.sent = 0
        self._connection = kafka.connection(settings)
        self._topics = {**kafka.raw_topics(settings), CANONICAL: settings.events_topic}
        self._stop = threading.Event()
        self._over = False
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._feed, daemon=True)
        self._thread.start()

    def stop(self, seconds: float = 300) -> None:
        """Begin no more calls; return when everything is with the broker."""
        self._stop.set()
        self._thread.join(seconds)
        assert not self._thread.is_alive(), "the broker did not take the load"
        if self._error is not None:
            raise self._error

    def give_up(self) -> None:
        """Send nothing more; for a round that failed."""
        self._stop.set()
        self._over = True

    def _feed(self) -> None:
        try:
            asyncio.run(self._run())
        except BaseException as error:  # a round without a load would be clean
            self._error = error

    async def _run(self) -> None:
        producer = AIOKafkaProducer(
            **self._connection,
            acks="all",
            enable_idempotence=True,
            request_timeout_ms=20_000,
            metadata_max_age_ms=2_000,  # new partitions are used soon
        )
        while True:
            try:
                await producer.start()
                break
            except (KafkaError, OSError):
                await asyncio.sleep(0.5)
        try:
            while not self._stop.is_set():
                await self._send(producer, self.load.tick())
                await asyncio.sleep(TICK_S)
            for messages in self.load.rest():
                if self._over:
                    break
                await self._send(producer, messages)
        finally:
            await producer.stop()

    async def _send(self, producer: AIOKafkaProducer, messages: list[Message]) -> None:
        """Until the broker has all of them: what it did not acknowledge is sent again."""
        left = messages
        while left and not self._over:
            sent = [await self._put(producer, message) for message in left]
            done = await asyncio.gather(*sent, return_exceptions=True)
            left = [message for message, result in zip(left, done, strict=True) if isinstance(result, BaseException)]
            if left:
                await asyncio.sleep(0.5)
        self.sent += len(messages)

    async def _put(self, producer: AIOKafkaProducer, message: Message) -> asyncio.Future[object]:
        topic = self._topics[message.source]
        while True:
            if self._over:
                raise OSError("given up")
            try:
                future: asyncio.Future[object] = await producer.send(
                    topic, message.value, key=message.key, headers=list(message.headers)
                )
                return future
            except KafkaError:
                await asyncio.sleep(0.5)
