"""The shortest events of FreeSWITCH read straight: a leg rings, has early media, is held or taken off hold.

It holds no rules of its own: whatever is not utterly plain returns None and takes the general way, and a test holds the
two equal, event for event.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from pipeline.sources.source import Options
from schemas.event import EARLIEST_MS, Event

_NAME: Final = re.compile(
    rb'\s*\{\s*"Event-Name"\s*:\s*"(?:CHANNEL_PROGRESS|CHANNEL_PROGRESS_MEDIA|CHANNEL_HOLD|CHANNEL_UNHOLD)"'
).match
_TYPES: Final = {
    "CHANNEL_PROGRESS": "rang",
    "CHANNEL_PROGRESS_MEDIA": "progress",
    "CHANNEL_HOLD": "held",
    "CHANNEL_UNHOLD": "resumed",
}


class _Brief(msgspec.Struct, gc=False):
    name: str = msgspec.field(name="Event-Name")
    core: str = msgspec.field(name="Core-UUID")
    at: str = msgspec.field(name="Event-Date-Timestamp")
    sequence: str = msgspec.field(name="Event-Sequence")
    leg: str = msgspec.field(name="Unique-ID")
    call_id: str = msgspec.field(name="Channel-Call-UUID")
    node: str = msgspec.field(name="FreeSWITCH-Switchname")
    rang: str = msgspec.field(name="Caller-Channel-Progress-Time", default="0")
    early: str = msgspec.field(name="Caller-Channel-Progress-Media-Time", default="0")


_decode: Final = msgspec.json.Decoder(_Brief).decode


def plain(value: bytes, options: Options, until: int) -> Event | None:
    """The event of a value; None where it is not plain."""
    if _NAME(value) is None or b'"variable_cc_side"' in value or not value.rstrip().endswith(b"}"):
        return None
    end = value.find(b'"variable_')
    try:  # the channel variables come last, are two thirds of an event and say nothing of these
        brief = _decode(value if end < 0 else value[:end].rstrip(b", \t\r\n") + b"}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    type_ = _TYPES.get(brief.name)
    told = brief.rang if type_ == "rang" else brief.early if type_ == "progress" else brief.at
    if type_ is None or not _is_time(brief.at) or not _is_number(brief.sequence):
        return None
    at = int(told) // 1000 if _is_time(told) else int(brief.at) // 1000
    if not EARLIEST_MS <= at <= until or not EARLIEST_MS <= int(brief.at) // 1000 <= until:
        return None
    for id_ in (brief.core, brief.leg, brief.call_id, brief.node):
        if not id_ or len(id_) > 64 or not id_.isprintable():
            return None
    sequence = int(brief.sequence)
    if not sequence:
        return None
    id_ = f"fs-{brief.core}-{sequence}"
    return Event(type_, at, brief.call_id, id_, brief.leg, options.tenant, brief.node, sequence)


def _is_time(told: str) -> bool:
    return len(told) == 16 and told.isascii() and told.isdigit()


def _is_number(told: str) -> bool:
    return told.isascii() and told.isdigit() and len(told) < 16
