"""PortSIP PBX → call events: its live call events, as its WebSocket interface and its webhooks send them.

`call_start`, `call_update_info`, `cdr_target_add`, `_ringing`, `_answer`, `_noanswer`, `_fail`, `_end`,
`queue_caller_status` and the final `call_cdr` with its `call_targets`. Times are seconds since 1970 as text, "0" is
never. The call is the session. Live events of targets name the destination only, which a queue may try again and
again; once `call_cdr` has come, its targets take their place.

Reference: https://support.portsip.com/, WebSocket interface and webhooks, CDR events.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from pipeline.calls.steps.provisional import PROVISIONAL
from pipeline.sources.contract import DEFAULTS, Decoded, Malformed, Options
from pipeline.sources.json_record import Record, decoded_each, parse
from pipeline.sources.portsip.record import NO_ANSWER, Session, call_cdr
from schemas.event import Event, Party

MAX_BYTES: Final = 1_000_000  # of one value

_QUEUE_REASONS: Final = {
    "agent_answered": "answered",
    "overflow": "overflow",
    "hangup": "abandoned",
    "callback": "callback",
}


def decode(values: Sequence[bytes], options: Options = DEFAULTS, *, now_ms: int | None = None) -> Decoded:
    """Decode a batch. Never raises for a value.

    A value gives one event, several (`call_cdr`), or none: events of extensions, agents and registrations. With
    `now_ms`, ms since the epoch, a time more than a day after it is rejected.
    """
    return decoded_each(values, _events, options, now_ms)


def _events(value: bytes, options: Options, until: int) -> list[Event]:
    raw = parse(value, MAX_BYTES)
    inner = raw.get("data") or raw.get("message")
    if isinstance(inner, dict) and "event_type" in inner:  # of the WebSocket, with its topic around it
        raw = inner
    kind = raw.get("event_type")
    if not isinstance(kind, str):
        raise Malformed("/event_type: is missing; send the events of the topic cdr_events as PortSIP gives them")
    record = Record(raw, options.zone, until)
    kind = kind.strip().lower()
    if kind == "call_cdr":
        return call_cdr(Session(record, options), raw.get("call_targets"))
    handler = _HANDLERS.get(kind)
    return handler(Session(record, options)) if handler is not None else []


def _begun(session: Session) -> list[Event]:
    event = session.event("started", session.time(), "start")
    return [session.parties(event)]


def _updated(session: Session) -> list[Event]:
    event = session.event("data", session.time(), "update")
    return [session.parties(event)]


def _target(type_: str, cause: int = 0) -> Callable[[Session], list[Event]]:
    def handler(session: Session) -> list[Event]:
        record = session.record
        destination = record.id("destination", "destiantion", "callee")  # the second is PortSIP's own spelling
        event = session.event(type_, session.time(), f"live-{destination}")
        event.leg_id = session.leg(destination)
        event.reason = PROVISIONAL
        event.role, event.peer_leg_id = "target", session.id
        if type_ == "started":
            event.callee = Party(session.number(destination))
        status = record.whole("status_code")
        if type_ == "ended":
            event.q850_cause = cause
            event.sip_status = status if 300 <= status < 700 else 0
        return [event]

    return handler


def _queued(session: Session) -> list[Event]:
    reason = session.record.text("reason", "status").lower()
    queue = session.record.text("queue", "queue_number", "queue_extension", "queue_name")
    if not queue or (reason != "enqueue" and reason not in _QUEUE_REASONS):
        return []
    event = session.event("queue_joined" if reason == "enqueue" else "queue_left", session.time(), f"{queue}-{reason}")
    event.queue = queue
    event.agent = session.record.text("agent", "agent_number", "agent_extension")
    event.reason = _QUEUE_REASONS.get(reason, "")
    return [event]


_HANDLERS: Final[dict[str, Callable[[Session], list[Event]]]] = {
    "call_start": _begun,
    "call_update_info": _updated,
    "cdr_target_add": _target("started"),
    "cdr_target_ringing": _target("rang"),
    "cdr_target_answer": _target("answered"),
    "cdr_target_noanswer": _target("ended", NO_ANSWER),
    "cdr_target_fail": _target("ended"),
    "cdr_target_end": _target("ended"),
    "queue_caller_status": _queued,
}
