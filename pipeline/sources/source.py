"""What every dialect offers: a batch of raw values in, call events and rejections out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from schemas.event import Event


@dataclass(frozen=True, slots=True)
class Rejected:
    """A value that is no event. `index` is its place in the batch; `reason` names the field, what
    was there and what to do, for the person who mends the producer."""

    index: int
    reason: str


@dataclass(slots=True)
class Decoded:
    """The outcome of one batch. `origin[i]` is the index of the value that `events[i]` came from: a
    value may give several events, or none."""

    events: list[Event] = field(default_factory=list)
    origin: list[int] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)


# Decoders are pure and keep no state between batches: what needs several messages to be
# understood is understood by the fold, which sees all events of a call.
Decoder = Callable[[Sequence[bytes]], Decoded]


class RawDecoder(Protocol):
    """A decoder of a source other than the canonical one: its values do not say whose they are."""

    def __call__(self, values: Sequence[bytes], /, *, tenant: str, now_ms: int | None) -> Decoded:
        """Decode a batch. Never raises for a value. With `now_ms`, a time far after it is rejected."""
        ...
