"""Faust as it comes: an agent and a Table in memory with its changelog topic. No database."""

from __future__ import annotations

import os
import sys
from typing import Any

import faust
import orjson

from bench.contenders.clock import Clock
from bench.contenders.state import add

ENOUGH_S = 30.0


def main(bootstrap: str, result: str, topic: str, events: int, partitions: int, folder: str) -> None:
    """Read the first `events` of the topic, or as many as it can in half a minute."""
    clock = Clock(result)
    app = faust.App(
        "bench-stock-faust",
        broker=f"kafka://{bootstrap}",
        store="memory://",
        datadir=folder,
        web_enabled=False,
        topic_partitions=partitions,
        topic_replication_factor=1,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        stream_wait_empty=False,
    )
    calls: Any = app.Table("calls", default=dict, partitions=partitions)
    source = app.topic(topic, key_type=bytes, value_type=bytes, value_serializer="raw")

    @app.agent(source)  # type: ignore[untyped-decorator]
    async def fold(stream: Any) -> None:
        async for value in stream:
            if not clock.count:
                clock.start()
            event = orjson.loads(value)
            calls[event["call_id"]] = add(calls[event["call_id"]], event)
            clock.count += 1
            if clock.count == events or (clock.count % 1000 == 0 and clock.seconds > ENOUGH_S):
                clock.finish()
                os._exit(0)

    faust.Worker(app, loglevel="WARNING").execute_from_commandline()


if __name__ == "__main__":
    _, servers, file, name, number, parts, data = sys.argv
    main(servers, file, name, int(number), int(parts), data)
