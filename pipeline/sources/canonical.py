"""The canonical dialect: one call event of version 1 as one JSON object.

Also with the five bytes of framing that Confluent's serializers put before it (a zero byte and a
schema id). The framing is not part of the event.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

import msgspec

from pipeline.instants import DAY_MS
from pipeline.sources.cloud_events import unwrapped
from pipeline.sources.contract import DEFAULTS, Decoded, Options, Rejected, latest
from schemas.event import EARLIEST_MS, Event

MAX_BYTES: Final = 1_000_000  # of one value

_SEQ_AS_TEXT: Final = re.compile(rb'[{,]\s*"seq"\s*:\s*("(-?\d{1,18})")')
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_UNDECODABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_decode: Final = msgspec.json.Decoder(Event).decode


def decode(values: Sequence[bytes], options: Options = DEFAULTS, *, now_ms: int | None = None) -> Decoded:
    """The events of a batch, one a value; what is none is rejected with its reason, alone.

    `at` becomes integer ms, floored. An event without `event_id` gets one made of its bytes, so that
    the same bytes stay one fact. `now_ms`, ms since the epoch: events more than a day later are rejected. Events
    say all themselves: `options` change nothing.
    """
    decoded = Decoded()
    if not values:
        return decoded
    until = latest(now_ms)
    try:
        if max(map(len, values)) > MAX_BYTES:
            raise msgspec.DecodeError
        events = list(map(_decode, values))
        payloads = values
        decoded.origin = list(range(len(values)))
    except _UNDECODABLE:
        events, payloads = _one_by_one(values, decoded)
    late: list[int] = []
    for place, (event, payload) in enumerate(zip(events, payloads, strict=True)):
        at = event.at
        if at.__class__ is not int:
            since: dt.timedelta = at - _EPOCH  # type: ignore[assignment,operator]
            event.at = at = since.days * DAY_MS + since.seconds * 1000 + since.microseconds // 1000
        if not EARLIEST_MS <= at <= until or (b"\\" in payload and _unprintable(event)):
            late.append(place)
        elif not event.event_id:
            event.event_id = "h-" + blake2b(payload, digest_size=16).hexdigest()
    decoded.events = events
    if late:
        _reject(decoded, payloads, late)
    return decoded


def _one_by_one(values: Sequence[bytes], decoded: Decoded) -> tuple[list[Event], list[bytes]]:
    """The events and their JSON, where at least one value of the batch is no plain event."""
    events: list[Event] = []
    payloads: list[bytes] = []
    for index, value in enumerate(values):
        payload = value[5:] if value[:1] == b"\0" and value[5:6] == b"{" else value
        if len(payload) > MAX_BYTES:
            reason = f"the value has {len(payload)} bytes; at most {MAX_BYTES} are allowed, send large data elsewhere"
            decoded.rejected.append(Rejected(index, reason))
            continue
        try:
            try:
                events.append(_decode(payload))
            except _UNDECODABLE:
                payload = _with_number(unwrapped(payload))  # a CloudEvent in structured mode, perhaps
                events.append(_decode(payload))
        except RecursionError:
            reason = "the value is nested too deeply; send plain values, and small objects in data"
            decoded.rejected.append(Rejected(index, reason))
        except _UNDECODABLE as error:
            decoded.rejected.append(Rejected(index, _why(payload, error)))
        else:
            payloads.append(payload)
            decoded.origin.append(index)
    return events, payloads


def _with_number(payload: bytes) -> bytes:
    """The event with its `seq` as a number, where it is one in quotes, as many JSON writers have long numbers."""
    match = _SEQ_AS_TEXT.search(payload)
    return payload if match is None else payload[: match.start(1)] + b"%d" % int(match[2]) + payload[match.end(1) :]


def _reject(decoded: Decoded, payloads: Sequence[bytes], places: list[int]) -> None:
    """Move the events at `places` to the rejected."""
    for place in places:
        event, payload = decoded.events[place], payloads[place]
        field = _unprintable(event)
        if field:
            value = msgspec.json.encode(getattr(event, field)).decode()
            reason = f"/{field}: {value} has control characters; send printable text"
        elif event.at < EARLIEST_MS:
            reason = _why(payload, None)
        else:
            reason = f"/at: {event.at} ms is in the future; set the clock of the node, or send milliseconds since 1970"
        decoded.rejected.append(Rejected(decoded.origin[place], reason))
    bad = set(places)
    decoded.events = [event for place, event in enumerate(decoded.events) if place not in bad]
    decoded.origin = [index for place, index in enumerate(decoded.origin) if place not in bad]
    decoded.rejected.sort(key=lambda rejected: rejected.index)


def _unprintable(event: Event) -> str:
    """The first id with a control character, "" when there is none. JSON can only hold them escaped."""
    for field in ("call_id", "event_id", "leg_id", "tenant", "node"):
        if any(character < " " for character in getattr(event, field)):
            return field
    return ""


def _why(payload: bytes, error: Exception | None) -> str:
    from schemas.contract import explain  # slow to load, and seldom needed

    return "; ".join(explain(payload)) or f"the value is no call event ({error}); see the schema call-event.v1.json"
