"""Memory has all records of a partition before an offset: a chunk that leaves some out ends the worker."""

from __future__ import annotations

import pytest

from pipeline.worker.core.chunk import Chunk, Start
from pipeline.worker.core.open_calls import PartitionCalls
from tests.worker.records import Record


def chunk(first: int, begins_at: int | None) -> Chunk:
    return Chunk("call-events", 0, [Record(first, b"c", b"{}")], begins_at=begins_at)


@pytest.mark.parametrize(
    ("start", "begins_at", "joins"),
    [
        (40, 40, True),
        (40, 41, False),  # one chunk was left out
        (40, 39, False),  # it was read before
        (None, None, True),  # nothing was committed: this is the first chunk there is
        (None, 12, False),  # nothing was committed, and the first chunk was left out
        (40, None, True),  # whoever hands chunks over does not say
    ],
)
def test_a_chunk_joins_what_was_read(start: int | None, begins_at: int | None, joins: bool) -> None:
    state = PartitionCalls(0, Start(start))
    if joins:
        state.joins(chunk(begins_at or 0, begins_at))
        return
    with pytest.raises(RuntimeError, match=rf"partition 0 was .* next chunk begins at {begins_at}"):
        state.joins(chunk(begins_at or 0, begins_at))
