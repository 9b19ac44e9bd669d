"""What the transport hands over: the records of a partition, and where its new owner begins to read it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol


class Record(Protocol):
    """What is needed of a Kafka record."""

    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int

    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


@dataclass(frozen=True, slots=True)
class Start:
    """Where a new owner begins to read a partition."""

    offset: int | None  # that the group has committed; None when nothing was
    # Beyond it: owners before may have written calls as of these offsets, and these writes may still be on their way.
    claims: tuple[int, ...] = ()
    # Whether partitions were added to the topic lately: earlier or later events of its calls may lie on another.
    grown: bool = False


@dataclass(frozen=True, slots=True)
class Chunk:
    """Records of one partition, in order."""

    topic: str
    partition: int
    records: Sequence[Record]
    token: Any = None  # what the transport acknowledges
    epoch: int = 0  # of the process: grows each time that partitions are given to it
    begins_at: int | None = None  # where the chunk before it ended, or the epoch began; None when that is unknown
