"""The headers of event-socket JSON that are read. An event has some hundreds; the others are passed over unparsed."""

from __future__ import annotations

import re
import typing
from collections.abc import Callable
from typing import Any, Final, cast

import msgspec

# What an event needs so that its headers alone identify it; else its id is made of all of them.
_NEEDED: Final = ("Core-UUID", "Event-Sequence", "Event-Date-Timestamp", "Unique-ID")
_NAME: Final = re.compile(rb'\s*\{\s*"Event-Name"\s*:\s*"([A-Z_]{4,40})"').match

_OF_LEG: Final = (
    "Event-Name",
    "Core-UUID",
    "FreeSWITCH-Hostname",
    "FreeSWITCH-Switchname",
    "Event-Date-Timestamp",
    "Event-Sequence",
    "Unique-ID",
    "Call-Direction",
    "Channel-Call-UUID",
    "Caller-Direction",
    "Other-Type",
    "Other-Leg-Unique-ID",
)
_CALLED_FOR: Final = (
    "variable_direction",
    "variable_originator",
    "variable_originating_leg_uuid",
    "variable_cc_side",
    "variable_cc_member_session_uuid",
    "variable_call_uuid",
)
_ANSWERED: Final = (
    "Caller-Channel-Answered-Time",
    "variable_current_application",
    "variable_current_application_data",
)
_BRIDGED: Final = (
    "Bridge-A-Unique-ID",
    "Bridge-B-Unique-ID",
    "Caller-Caller-ID-Number",
    "Caller-Orig-Caller-ID-Number",
    "Old-Unique-ID",
    "variable_bridge_uuid",
    "variable_cc_agent_uuid",
    "variable_current_application",
    "variable_last_bridge_to",
    "variable_originated_legs",
    "variable_signal_bond",
    "variable_sip_call_id",
    "variable_sip_h_X-A-Call-ID",
    "variable_sip_h_X-CID",
    "variable_sip_h_X-Call-ID",
    "variable_sip_h_X-Correlation-ID",
)


def _decoder(*names: str) -> Callable[[bytes], dict[str, Any]]:
    """Decodes to a dict of these headers. It pays for few: each header of the event is compared with all of them."""
    made: Any = typing.TypedDict("NeededFields", dict.fromkeys(names, Any), total=False)  # type: ignore[misc]
    decode: Any = msgspec.json.Decoder(made).decode
    return cast(Callable[[bytes], dict[str, Any]], decode)


_bridged: Final = _decoder(*_OF_LEG, *_CALLED_FOR, *_BRIDGED)
_DECODERS: Final = {
    b"CHANNEL_ANSWER": _decoder(*_OF_LEG, *_CALLED_FOR, *_ANSWERED),
    b"CHANNEL_BRIDGE": _bridged,
    b"CHANNEL_UNBRIDGE": _bridged,
}


def parse_needed(value: bytes) -> dict[str, Any] | None:
    """The headers of an event that are read; None where all of it has to be."""
    name = _NAME(value)
    if name is None:
        return None
    decode = _DECODERS.get(name[1])
    if decode is None:
        return None
    try:
        raw = decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    for needed in _NEEDED:
        if not raw.get(needed):
            return None
    return raw
