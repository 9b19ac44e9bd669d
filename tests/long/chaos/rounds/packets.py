"""Lost, late, repeated and reordered packets between the workers and their servers."""

from __future__ import annotations

from tests.long.chaos.arena import Arena
from tests.servers import KafkaServer


def packets(arena: Arena) -> int:
    """Two workers in a network namespace of their own, from which Kafka and ClickHouse are reached over a path that
    loses up to a fifth of the packets, or all of them for a while, delays, repeats and reorders them."""
    own = KafkaServer.__new__(KafkaServer)
    raise NotImplementedError(own)
