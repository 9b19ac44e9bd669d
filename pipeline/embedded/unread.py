"""What the memory broker still holds when the product ends: kept in a file, produced again at the next start.

The file is a run of length-prefixed records: topic, partition, key, value, time in ms. Events are
idempotent, so a record that was read after all does no harm.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

FILE = "unread.records"
QUIET_MS = 250  # nothing for so long: the end


class Unread(msgspec.Struct, frozen=True, array_like=True):
    """One record."""

    topic: str
    partition: int
    key: bytes | None
    value: bytes
    timestamp: int
    headers: list[tuple[str, bytes]]


async def unread(bootstrap: str, group: str, topics: list[str]) -> AsyncGenerator[Unread]:
    """Records behind the group's committed offsets, to the end of each topic."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=bootstrap,
        group_id=group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        fetch_max_wait_ms=50,
    )
    await consumer.start()
    try:
        existing = await consumer.topics()
        parts = [TopicPartition(t, n) for t in topics if t in existing for n in consumer.partitions_for_topic(t) or ()]
        if not parts:
            return
        consumer.assign(parts)
        for part in parts:
            consumer.seek(part, await consumer.committed(part) or 0)
        # The memory broker's word on its end offset is too low, so it is read until nothing comes.
        while batch := await consumer.getmany(timeout_ms=QUIET_MS):
            for part, records in batch.items():
                for record in records:
                    headers = list(record.headers)
                    yield Unread(part.topic, part.partition, record.key, record.value, record.timestamp, headers)
    finally:
        await consumer.stop()


async def any_unread(bootstrap: str, group: str, topics: list[str]) -> bool:
    """Whether there are records that nobody has made durable yet."""
    async with contextlib.aclosing(unread(bootstrap, group, topics)) as records:
        async for _ in records:
            return True
    return False


async def keep_unread(bootstrap: str, group: str, topics: list[str], folder: Path) -> int:
    """Write unread records to the file of the data directory; gives their number. No file when there are none."""
    number = 0
    fresh = folder / f"{FILE}.new"
    encoder = msgspec.msgpack.Encoder()
    with fresh.open("wb") as out:
        async for record in unread(bootstrap, group, topics):
            line = encoder.encode(record)
            out.write(len(line).to_bytes(4, "big") + line)
            number += 1
    if number:
        fresh.replace(folder / FILE)
    else:
        fresh.unlink()
    return number


async def produce_unread(bootstrap: str, folder: Path) -> int:
    """Produce the records of the file, then remove it; gives their number."""
    file = folder / FILE
    if not file.exists():
        return 0
    decoder = msgspec.msgpack.Decoder(Unread)
    content = file.read_bytes()
    number = at = 0
    async with AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", linger_ms=5) as producer:
        while at < len(content):
            size = int.from_bytes(content[at : at + 4], "big")
            record = decoder.decode(content[at + 4 : at + 4 + size])
            at += 4 + size
            await producer.send(
                record.topic,
                record.value,
                key=record.key,
                partition=record.partition,
                timestamp_ms=record.timestamp if record.timestamp > 0 else None,
                headers=record.headers,
            )
            number += 1
        await producer.flush()
    file.unlink()
    return number
