"""A bare loop: aiokafka's `getmany`, `orjson.loads`, nothing else. The most a Python worker could reach."""

from __future__ import annotations

import asyncio
import sys

import orjson
import uvloop
from aiokafka import AIOKafkaConsumer

from bench.contenders.clock import Clock


async def consume(bootstrap: str, result: str, topic: str, events: int) -> None:
    """Read the topic from its beginning."""
    clock = Clock(result)
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=bootstrap,
        group_id="bench-bare",
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        max_partition_fetch_bytes=4 << 20,
    )
    await consumer.start()
    try:
        while clock.count < events:
            polled = await consumer.getmany(timeout_ms=1000, max_records=20_000)
            if polled and not clock.count:
                clock.start()
            for records in polled.values():
                for record in records:
                    orjson.loads(record.value)
                clock.count += len(records)
        clock.finish()
    finally:
        await consumer.stop()


if __name__ == "__main__":
    uvloop.install()
    asyncio.run(consume(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
