"""What stands beside a committed offset: how many partitions the topic has, and the claims beyond the offset."""

from __future__ import annotations

from aiokafka.structs import OffsetAndMetadata


def claims_of(at: OffsetAndMetadata) -> tuple[int, ...]:
    """What `claim_on` has written; nothing of what somebody else has."""
    claims = [int(text) for text in at.metadata.partition(":")[2].split(",") if text.isdigit()]
    return tuple(sorted(claim for claim in claims if claim > at.offset))


def noted_count(at: OffsetAndMetadata) -> int:
    """How many partitions the topic had when this was committed; 0 when that is not known."""
    count, colon, _ = at.metadata.partition(":")
    return int(count) if colon and count.isdigit() else 0
