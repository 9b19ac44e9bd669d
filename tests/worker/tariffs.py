"""A worker that prices nothing."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.worker.core.open_calls import OpenCall


async def no_tariffs(late: Sequence[OpenCall] = ()) -> None:
    """No call has a price here."""
