"""Beginnings that many stories share, and their numbers."""

from __future__ import annotations

from typing import Any, Final

from tests.pbx.story import Step, step

OUTSIDE: Final = "+441632960123"
DID: Final = "+442079460000"
MOBILE: Final = "07700900123"
CARRIER: Final = "carrier-a"
INBOUND: Final[dict[str, Any]] = {
    "caller": OUTSIDE,
    "direction": "inbound",
    "trunk": CARRIER,
    "did": DID,
    "requested": DID,
}


def internal(answered: float = 4) -> tuple[Step, ...]:
    """1001 calls 1002, who answers."""
    return (
        step(0, "1001", "calls", "1002"),
        step(0.1, "1001", "tries", "1002"),
        step(0.4, "1002", "rings"),
        step(answered, "1002", "answers"),
    )


def inbound(answered: float = 5, by: str = "1001") -> tuple[Step, ...]:
    """Somebody from outside calls the company; a phone answers."""
    return (
        step(0, OUTSIDE, "calls", DID, over=CARRIER),
        step(0.1, OUTSIDE, "tries", by),
        step(0.4, by, "rings"),
        step(answered, by, "answers"),
    )


def outbound(answered: float = 8, to: str = MOBILE) -> tuple[Step, ...]:
    """1001 calls somebody outside, who answers."""
    return (
        step(0, "1001", "calls", to),
        step(0.1, "1001", "tries", to, over=CARRIER),
        step(2, to, "rings"),
        step(answered, to, "answers"),
    )


def queued() -> tuple[Step, ...]:
    """Somebody from outside is put into the queue 8000, which tells him that he waits."""
    return (
        step(0, OUTSIDE, "calls", DID, over=CARRIER),
        step(0.1, OUTSIDE, "answer"),
        step(0.5, OUTSIDE, "queue", "support", at="8000"),
    )
