"""Records and chunks as the transport hands them on."""

from __future__ import annotations

from dataclasses import dataclass

import orjson

from pipeline.worker.core.chunk import Chunk
from tests.worker.phone_calls import JsonEvent


@dataclass
class Record:
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int = 0
    headers: tuple[tuple[str, bytes], ...] = ()


def chunk(events: list[JsonEvent], first: int = 0) -> Chunk:
    """A chunk of events under their call_id."""
    records = [Record(first + place, e["call_id"].encode(), orjson.dumps(e)) for place, e in enumerate(events)]
    return Chunk("call-events", 0, records)
