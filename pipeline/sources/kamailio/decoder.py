"""Kamailio and OpenSIPS → call events: accounting and dialog events, one JSON object a value.

Read are: rows of acc and acc_json (a transaction each), CDRs of acc (`start_time`, `end_time`, `duration`), what
scripts send at `event_route[dialog:start]`, `[dialog:end]` and `[dialog:failed]`, the events of CGRateS's evapi
configuration, and OpenSIPS's E_ACC_EVENT, E_ACC_MISSED_EVENT and E_ACC_CDR, bare or as JSON-RPC. The call is the SIP
Call-ID, the caller's leg the Call-ID with the caller's tag, as for SIP over HEP: what both tell of one call is one.

Reference: https://www.kamailio.org/docs/modules/stable/modules/acc.html, acc_json.html, dialog.html.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from pipeline.sources.contract import DEFAULTS, Decoded, Malformed, Options
from pipeline.sources.json_record import Record, decoded_each, parse
from pipeline.sources.kamailio.calls import Leg, cdr, dialog_ended, dialog_failed, dialog_started
from pipeline.sources.kamailio.transactions import transaction
from schemas.event import Event

MAX_BYTES: Final = 1_000_000  # of one value

_DIALOGS: Final[dict[str, Callable[[Leg], list[Event]]]] = {
    "dialog_start": dialog_started,
    "dialog_end": dialog_ended,
    "dialog_failed": dialog_failed,
    "cgr_call_start": dialog_started,
    "cgr_call_end": dialog_ended,
    "e_acc_cdr": cdr,
}


def decode(values: Sequence[bytes], options: Options = DEFAULTS, *, now_ms: int | None = None) -> Decoded:
    """Decode a batch. Never raises for a value.

    A value gives one event, several (a CDR), or none: a transaction that is no part of a call. `options.zone` is that
    of times which acc writes by `time_format`. With `now_ms`, ms since the epoch, a time more than a day after it is
    rejected.
    """
    return decoded_each(values, _events, options, now_ms)


def _events(value: bytes, options: Options, until: int) -> list[Event]:
    raw = parse(value, MAX_BYTES)
    name = raw.get("event") or raw.get("event_route") or raw.get("Event")
    inner = raw.get("params") or raw.get("attributes")
    if isinstance(inner, dict):  # JSON-RPC of OpenSIPS: the method is the event
        name = name or raw.get("method")
        raw = inner
    kind = str(name or "").strip().lower().replace(":", "_").replace("-", "_").replace(" ", "_")
    record = Record(raw, options.zone, until)
    node = record.id("node", "hostname", "host", "server", "server_id") or options.node
    if options.zones:
        record.zone = options.zone_of(node)
    leg = Leg(record, options, node)
    handler = _DIALOGS.get(kind)
    if handler is not None:
        return handler(leg)
    if kind and kind not in ("acc", "acc_request", "missed", "cdr", "e_acc_event", "e_acc_missed_event"):
        return []
    if record.text("method") and (record.text("sip_code") or _is_row(raw)):
        return transaction(leg)
    if record.text("start_time", "created") and record.text("end_time", "duration", "ms_duration"):
        return cdr(leg)
    raise Malformed(
        "/event: is missing, and the value is neither a transaction (method, callid, sip_code) nor a CDR (start_time,"
        " end_time, callid) of acc; send acc_json's output, or name the event, such as dialog:start"
    )


def _is_row(raw: dict[str, Any]) -> bool:
    return "from_tag" in raw and "to_tag" in raw
