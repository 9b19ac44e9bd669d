"""Yeastar P-Series → call events: reports 30011 (call status), 30012 (end of a call) and 30039 (its timeline).

The envelope is `{"type": 30012, "sn": …, "msg": "…"}`, its `msg` JSON as text or as an object. The S-Series' `NewCdr`
is read as 30012. 30011 bears no time: the HTTP endpoint that takes it adds `received_at`. Records (30012, 30039) bear
local time without a zone; the call's id is an Asterisk unique id and begins with the second in which the call began,
so that even a zone that nobody set is found. Once 30011 has told of a call's channels, its records no longer tell of
targets.

Reference: https://help.yeastar.com/, P-Series developer guide, event notifications.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import orjson

from pipeline.sources.contract import DEFAULTS, Decoded, Malformed, Options
from pipeline.sources.json_record import Record, decoded_each, parse
from pipeline.sources.yeastar.members import members
from pipeline.sources.yeastar.record import record_of_call
from schemas.event import Event

MAX_BYTES: Final = 1_000_000  # of one value

_STATUS, _RECORDS = "30011", frozenset(("30012", "30039", "newcdr"))


def decode(values: Sequence[bytes], options: Options = DEFAULTS, *, now_ms: int | None = None) -> Decoded:
    """Decode a batch. Never raises for a value.

    A value gives several events, or none: reports of extensions, trunks and the like. `options.zone` is that of the
    PBX, or `options.zones` of the one with its serial number. With `now_ms`, ms since the epoch, a time more than a
    day after it is rejected.
    """
    return decoded_each(values, _events, options, now_ms)


def _events(value: bytes, options: Options, until: int) -> list[Event]:
    raw = parse(value, MAX_BYTES)
    named = str(raw.get("event") or raw.get("action") or "").strip().lower()  # of the S-Series and the Cloud PBX
    kind = named if named in _RECORDS else str(raw.get("type") or named).strip().lower()
    if not raw.get("type") and kind == "":
        raise Malformed("/type: is missing; send the whole report, with its envelope, as Yeastar gives it")
    if kind in ("inbound", "outbound", "internal"):  # of a record without its envelope
        raise Malformed(f"/type: {kind!r} is no report; send it with its envelope, as Yeastar gives it")
    if kind != _STATUS and kind not in _RECORDS:
        return []
    message = _message(raw)
    serial = str(raw.get("sn") or message.get("sn") or "")[:64]
    node = serial if serial.isprintable() else ""
    record = Record({"received_at": raw.get("received_at"), **message}, options.zone_of(node), until)
    if kind == _STATUS:
        return members(record, message.get("members"), options, node or options.node)
    return record_of_call(record, options, node or options.node)


def _message(raw: dict[str, Any]) -> dict[str, Any]:
    message = raw.get("msg", raw)
    if isinstance(message, str):
        try:
            message = orjson.loads(message)
        except orjson.JSONDecodeError as error:
            raise Malformed(f"/msg: is no JSON ({error}); send the report as Yeastar gives it") from None
    if not isinstance(message, dict):
        raise Malformed("/msg: is no object; send the report as Yeastar gives it")
    return message
