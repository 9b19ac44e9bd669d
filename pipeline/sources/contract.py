"""What every dialect offers: a batch of raw values in, call events and rejections out."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from pipeline.errors import CdrError
from pipeline.instants import DAY_MS
from schemas.event import Event

LATEST_MS: Final = 4_102_444_800_000  # 2100-01-01: later than any call, whatever a clock says
FUTURE_MS: Final = DAY_MS  # how far the clock of a node may run ahead


class Malformed(CdrError, ValueError):
    """A value cannot be understood; the text names the field, what was there and the fix."""


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


@dataclass(frozen=True, slots=True)
class Options:
    """What a dialect cannot know from its values.

    `tenant`: whose calls they are. `zone`: IANA zone of local times that are written without one; `zones` gives it
    for nodes by their names. `node`: names the node where values do not. `sip_ids`: calls of several nodes in a row are
    one where a SIP Call-ID or an X- header says so; each call then costs the worker a look-up. `call_id_suffixes`: what
    back-to-back user agents append to a Call-ID, beside those that are known; `#` stands for digits.
    """

    tenant: str = "default"
    zone: str = "UTC"
    zones: Mapping[str, str] = field(default_factory=dict)
    node: str = ""
    sip_ids: bool = False
    call_id_suffixes: tuple[str, ...] = ()

    def zone_of(self, node: str) -> str:
        """The zone of a node's local times."""
        return self.zones.get(node, self.zone)


DEFAULTS: Final = Options()


class Decoder(Protocol):
    """Decodes a batch. Never raises for a value.

    Decoders are pure and keep no state between batches: what needs several messages to be understood is
    understood by the fold, which sees all events of a call. With `now_ms`, ms since the epoch, a time more than a day
    after it is rejected.
    """

    def __call__(self, values: Sequence[bytes], *, now_ms: int | None = None) -> Decoded: ...


class RawDecoder(Protocol):
    """A decoder of a source other than the canonical one: its values do not say whose they are."""

    def __call__(self, values: Sequence[bytes], /, *, tenant: str, now_ms: int | None) -> Decoded: ...


def latest(now_ms: int | None) -> int:
    """The latest time that an event may bear, ms."""
    return LATEST_MS if now_ms is None else min(LATEST_MS, now_ms + FUTURE_MS)


def collected(
    straight: Sequence[Event | Sequence[Event] | None],
    values: Sequence[bytes],
    general: Callable[[bytes, Options, int], list[Event]],
    options: Options,
    until: int,
) -> Decoded:
    """The outcome of a batch of which `straight` has what could be read straight, value by value; None: to be read by
    `general`, which raises Malformed."""
    if set(map(type, straight)) == {Event}:
        return Decoded(straight, list(range(len(straight))))  # type: ignore[arg-type]
    decoded = Decoded()
    events, origin = decoded.events, decoded.origin
    for index, found in enumerate(straight):
        if found.__class__ is Event:
            events.append(found)
            origin.append(index)
            continue
        if found is None:
            try:
                found = general(values[index], options, until)
            except Malformed as malformed:
                decoded.rejected.append(Rejected(index, str(malformed)))
                continue
        events += found  # type: ignore[arg-type]
        origin += [index] * len(found)  # type: ignore[arg-type]
    return decoded
