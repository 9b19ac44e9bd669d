"""Quix Streams: a stateful dataframe, RocksDB and its changelog topic. No database.

Runs in an environment of its own (`bench/requirements.txt`): it wants other versions of what the product uses.
"""

from __future__ import annotations

import sys
from typing import Any

import orjson
from quixstreams import Application

from bench.contenders.clock import Clock
from bench.contenders.state import add


def main(bootstrap: str, result: str, topic: str, events: int, folder: str) -> None:
    """Read the first `events` of the topic; the last checkpoint counts."""
    clock = Clock(result)
    app = Application(
        broker_address=bootstrap,
        consumer_group="bench-quix",
        auto_offset_reset="earliest",
        state_dir=folder,
        loglevel="WARNING",
    )
    source = app.topic(topic, key_deserializer="str", value_deserializer="bytes")

    def fold(value: bytes, state: Any) -> None:
        if not clock.count:
            clock.start()
        clock.count += 1
        state.set("call", add(state.get("call", {}), orjson.loads(value)))

    app.dataframe(source).update(fold, stateful=True)
    app.run(count=events)
    clock.finish()


if __name__ == "__main__":
    _, servers, file, name, number, data = sys.argv
    main(servers, file, name, int(number), data)
