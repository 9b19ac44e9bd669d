"""The key under which a captured SIP message goes to Kafka: the call it belongs to, found by a cheap scan.

The same rule as `pipeline.sources.sip.decoder.correlation`, so that the messages of a call, and of the legs that name
each other, share a partition. A wrong guess costs a hop, never the message: the decoder publishes events under
their right key.
"""

from __future__ import annotations

import re
from typing import Final

from pipeline.sources.sip import decoder
from pipeline.sources.sip.fields import bounded
from pipeline.sources.sip.hep import MalformedHep, Packet

_CALL_ID: Final = re.compile(rb"\n(?:call-id|i)[ \t]*:[ \t]*([^\r\n]+)", re.IGNORECASE)
_OTHER_LEG: Final = re.compile(
    rb"\n(?:x-cid|x-call-id|x-callid|x-correlation-id|x-aleg-call-id)[ \t]*:[ \t]*([^\r\n]+)", re.IGNORECASE
)


def key(packet: Packet) -> str:
    """The call's id; "" when the payload names none."""
    payload = packet.payload
    if b"\nX-" in payload or b"\nx-" in payload:
        other = _OTHER_LEG.search(payload)
        if other is not None:
            return _text(other[1])
    if packet.correlation:
        return bounded(packet.correlation)
    own = _CALL_ID.search(payload)
    return _text(own[1]) if own is not None else ""


def _text(value: bytes) -> str:
    return bounded(value.decode("utf-8", "replace").replace("\0", "\ufffd").strip())


def read(value: bytes) -> Packet | None:
    """The packet in `value`; None when it is none."""
    try:
        return decoder.packet(value)
    except MalformedHep:
        return None
