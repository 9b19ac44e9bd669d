"""A worker that prices nothing."""

from __future__ import annotations


async def no_tariffs(*, late: bool) -> None:
    """No call has a price here."""
