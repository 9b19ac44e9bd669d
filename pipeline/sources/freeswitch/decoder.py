"""FreeSWITCH → call events: event-socket JSON, one event a value, and documents of mod_json_cdr.

Each event is understood alone. The Unique-ID is the leg; the call is its caller's leg. Other ids go along as
`linked_ids` only where the event tells of two calls that are one (`links`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from pipeline.sources.contract import DEFAULTS, Decoded, Malformed, Options, collected, latest
from pipeline.sources.freeswitch.cdr import document
from pipeline.sources.freeswitch.channel import HANDLERS
from pipeline.sources.freeswitch.custom import custom
from pipeline.sources.freeswitch.fast_path import plain
from pipeline.sources.freeswitch.hangup import hung_up, hung_up_completely
from pipeline.sources.freeswitch.headers import Headers
from pipeline.sources.freeswitch.loopback import halves, is_loopback
from pipeline.sources.freeswitch.partial_json import parse_needed
from pipeline.sources.json_record import parse
from schemas.event import Event

MAX_BYTES: Final = 4_000_000  # of one value; a json_cdr with a long call flow has some hundred thousand

_HANDLERS: Final = HANDLERS | {"CHANNEL_HANGUP": hung_up, "CHANNEL_HANGUP_COMPLETE": hung_up_completely}
# The events that tell something of calls, for whoever subscribes to them; beside CUSTOM ones.
EVENTS: Final = tuple(name for name in _HANDLERS if name != "CHANNEL_ORIGINATE")


def decode(values: Sequence[bytes], options: Options = DEFAULTS, *, now_ms: int | None = None) -> Decoded:
    """Decode a batch. Never raises.

    A value gives one event, several (a hang-up record), or none (HEARTBEAT, DTMF and all that tells nothing of a
    call). With `now_ms`, ms since the epoch, a time more than a day after it is rejected.
    """
    until = latest(now_ms)
    return collected([plain(value, options, until) for value in values], values, general, options, until)


def general(value: bytes, options: Options, until: int) -> list[Event]:
    """The events of any value. Raises Malformed."""
    raw = (b"loopback" not in value and parse_needed(value)) or parse(value, MAX_BYTES)
    name = raw.get("Event-Name")
    if name == "CUSTOM":
        return custom(Headers(raw, options, until))
    handler = _HANDLERS.get(name) if isinstance(name, str) else None
    if handler is not None:
        headers = Headers(raw, options, until)
        headers.begin()
        return halves(headers) if is_loopback(headers) else handler(headers)
    if name is None:
        if "variables" in raw:
            return document(raw, options, until)
        raise Malformed("/Event-Name: is missing; send event-socket JSON (`events json`) or documents of mod_json_cdr")
    if not isinstance(name, str):
        raise Malformed(f"/Event-Name: {str(name)[:60]!r} is no text; send the JSON as FreeSWITCH gives it")
    return []
