"""The usual events of FreeSWITCH read straight: of a leg that begins, rings, is answered, bridged, held, and ends.

It holds no rules of its own: whatever is not utterly plain returns None and takes the general way, and a test holds the
two equal, event for event. Each kind of event has a struct of the headers that it needs; the decoder passes over the
others, of which an event has some hundreds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import msgspec

from pipeline.calls.steps.legs import NOT_BRIDGED
from pipeline.sources.contract import Options
from pipeline.sources.freeswitch.channel import ANSWERING, PICKUPS, at_address
from pipeline.sources.freeswitch.fast_leg import (
    Brief,
    Joined,
    Leg,
    PerhapsId,
    PerhapsMicros,
    originator,
    others,
    parties,
)
from pipeline.sources.freeswitch.hangup import HANGUP_RECORD, cause_of, end_of, heard_nobody, measured, sent_on
from schemas.event import EARLIEST_MS, Event

_told = msgspec.field
_VOICEMAIL: Final = "voicemail"
_WAYS: Final = frozenset(("inbound", "outbound"))


class _Moment(Brief, gc=False):
    rang: PerhapsMicros = _told(name="Caller-Channel-Progress-Time", default=0)
    early: PerhapsMicros = _told(name="Caller-Channel-Progress-Media-Time", default=0)


class _Answer(Brief, gc=False):
    way: str = _told(name="Call-Direction", default="")
    answered: PerhapsMicros = _told(name="Caller-Channel-Answered-Time", default=0)
    side: str = _told(name="variable_cc_side", default="")
    application: str = _told(name="variable_current_application", default="")


class _Unbridged(Brief, gc=False):
    side: str = _told(name="variable_cc_side", default="")
    other_leg: PerhapsId = _told(name="Other-Leg-Unique-ID", default="")
    bond: PerhapsId = _told(name="variable_signal_bond", default="")
    heard: PerhapsId = _told(name="variable_bridge_uuid", default="")
    heard_last: PerhapsId = _told(name="variable_last_bridge_to", default="")


class _Created(Leg, gc=False):
    redirecting: str = _told(name="Caller-RDNIS", default="")


class _Gone(Leg, gc=False):
    """CHANNEL_HANGUP_COMPLETE: the record of a leg."""

    rang: PerhapsMicros = _told(name="Caller-Channel-Progress-Time", default=0)
    early: PerhapsMicros = _told(name="Caller-Channel-Progress-Media-Time", default=0)
    answered: PerhapsMicros = _told(name="Caller-Channel-Answered-Time", default=0)
    ended: PerhapsMicros = _told(name="Caller-Channel-Hangup-Time", default=0)
    bridged: str = _told(name="Caller-Channel-Bridged-Time", default="")
    rang_too: PerhapsMicros = _told(name="variable_progress_uepoch", default=0)
    early_too: PerhapsMicros = _told(name="variable_progress_media_uepoch", default=0)
    answered_too: PerhapsMicros = _told(name="variable_answer_uepoch", default=0)
    cause: str = _told(name="Hangup-Cause", default="")
    cause_too: str = _told(name="variable_hangup_cause", default="")
    number_of_cause: str = _told(name="variable_hangup_cause_q850", default="")
    status: str = _told(name="variable_sip_term_status", default="")
    status_of_failure: str = _told(name="variable_sip_invite_failure_status", default="")
    status_of_protocol: str = _told(name="variable_proto_specific_hangup_cause", default="")
    disposition: str = _told(name="variable_sip_hangup_disposition", default="")
    transfer: str = _told(name="variable_transfer_disposition", default="")
    called: str = _told(name="variable_originate_disposition", default="")
    holds: str = _told(name="variable_hold_events", default="")
    history: Any = _told(name="variable_transfer_history", default=None)
    last_application: str = _told(name="variable_last_app", default="")
    mos: str = _told(name="variable_rtp_audio_in_mos", default="")
    percent: str = _told(name="variable_rtp_audio_in_quality_percentage", default="")
    jitter: str = _told(name="variable_rtp_audio_in_jitter_max_variance", default="")


def plain(value: bytes, options: Options, until: int) -> Event | Sequence[Event] | None:
    """The event or events of a value; None where it is not plain."""
    head = value[:64].split(b'"', 4)
    if len(head) < 5 or head[1] != b"Event-Name" or head[2].strip() != b":" or head[0].strip() != b"{":
        return None
    kind = _KINDS.get(head[3])
    if kind is None or b"loopback" in value:
        return None
    decode, read, brief = kind
    if brief:  # the channel variables come last, are two thirds of an event and say nothing of these
        if b'"variable_cc_side"' in value or not value.rstrip().endswith(b"}"):
            return None
        end = value.find(b'"variable_')
        if end >= 0:
            value = value[:end].rstrip(b", \t\r\n") + b"}"
    try:
        row = decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    at = row.at // 1000
    core, leg, call_id, node = row.core, row.leg, row.call_id, row.node
    id_ = f"fs-{core}-{row.sequence}"
    if at > until or not f"{id_}{leg}{call_id}{node}".isprintable():
        return None
    event = Event("", at, call_id, id_, leg, options.tenant, node, row.sequence)
    found: Event | Sequence[Event] | None = read(row, event, options, until)
    return found


# Each of these completes the event of its row; None where the row is not plain after all. Of two instants that a row
# tells of one moment the first that is set counts, as in `Headers.ms`.


def _moment(type_: str, name: str = "") -> Callable[[Any, Event, Options, int], Event]:
    def read(row: _Moment, event: Event, options: Options, until: int) -> Event:
        event.type = type_
        if name and EARLIEST_MS <= (at := getattr(row, name) // 1000) <= until:
            event.at = at
        return event

    return read


def _printable(row: Joined) -> bool:
    """Whether all ids are usable."""
    ids = f"{row.one}{row.other}{row.heard}{row.heard_last}{row.for_leg}{row.for_leg_too}{row.other_leg}"
    return ids.isprintable()


def _answered(row: _Answer, event: Event, options: Options, until: int) -> Event | None:
    application = row.application
    if row.side == "agent" or row.way not in _WAYS or application == _VOICEMAIL:
        return None
    event.type = "answered"
    if EARLIEST_MS <= (at := row.answered // 1000) <= until:
        event.at = at
    if row.way == "outbound":
        event.answered_by = "party"
    elif application in ANSWERING:
        event.answered_by = "pbx"
        if application == "ivr":
            event.kind = "ivr"
    return event


def _bridged(row: Joined, event: Event, options: Options, until: int) -> Event | None:
    leg = row.leg
    peer = row.other if row.one == leg else row.one
    if options.sip_ids or row.side == "agent" or row.way not in _WAYS or not peer or row.application in PICKUPS:
        return None
    if not _printable(row):
        return None
    origin = originator(row) if row.way == "outbound" else ""
    linked = others(row, origin or leg)
    if linked is False or linked is True:
        return None
    event.type, event.linked_ids, event.peer_leg_id = "bridged", linked, peer
    return event


def _unbridged(row: _Unbridged, event: Event, options: Options, until: int) -> Event | None:
    if row.side == "agent":
        return None
    event.type = "unbridged"
    for heard in (row.other_leg, row.bond, row.heard, row.heard_last):
        if heard and heard != row.leg:
            if not heard.isprintable():
                return None
            event.peer_leg_id = heard
            break
    return event


def _created(row: _Created, event: Event, options: Options, until: int) -> Event | None:
    outward = row.way == "outbound"
    if options.sip_ids or row.side == "agent" or row.way not in _WAYS:
        return None
    if not _printable(row):
        return None
    origin = originator(row) if outward else ""
    if origin and row.redirecting:
        return None
    linked = others(row, origin or row.leg)
    if linked is False or linked is True:
        return None
    event.type, event.linked_ids, event.peer_leg_id = "started", linked, origin
    if EARLIEST_MS <= (at := row.created // 1000) <= until:
        event.at = at
    event.data = at_address(row.address or ("" if outward else row.caller_address))
    parties(row, event, origin)
    return event


def _gone(row: _Gone, event: Event, options: Options, until: int) -> list[Event] | None:
    outward, leg, call_id = row.way == "outbound", row.leg, row.call_id
    name = row.cause or row.cause_too
    if options.sip_ids or row.side or row.way not in _WAYS or row.holds:
        return None
    if row.transfer == "recv_replace" or name == "BLIND_TRANSFER" or row.status[:1] == "3":
        return None
    if _VOICEMAIL in (row.application, row.last_application):
        return None
    if not _printable(row):
        return None
    ended, begun = row.ended // 1000, row.created // 1000
    if not EARLIEST_MS <= ended <= until or not EARLIEST_MS <= begun <= until:
        return None
    origin = originator(row) if outward else ""
    linked = others(row, origin or leg)
    if linked is False or linked is True:
        return None
    if row.history and not outward and sent_on(row.history, row.answered // 1000 or row.answered_too // 1000):
        return None
    tenant, node = options.tenant, row.node
    stem = f"fs-{leg}-"
    start = Event("started", begun, call_id, stem + "started", leg, tenant, node, linked_ids=linked)
    start.peer_leg_id = origin
    parties(row, start, origin)
    events = [start]
    for type_, first, too in (("rang", row.rang, row.rang_too), ("progress", row.early, row.early_too)):
        if EARLIEST_MS <= (at := first // 1000) <= until or EARLIEST_MS <= (at := too // 1000) <= until:
            events.append(Event(type_, at, call_id, stem + type_, leg, tenant, node))
    if EARLIEST_MS <= (at := row.answered // 1000) <= until or EARLIEST_MS <= (at := row.answered_too // 1000) <= until:
        answer = Event("answered", at, call_id, stem + "answered", leg, tenant, node)
        answer.reason = HANGUP_RECORD
        if outward:
            answer.answered_by = "party"
        events.append(answer)
        if not outward and heard_nobody(
            row.bridged, row.application or row.last_application, row.heard, row.heard_last
        ):
            answer.answered_by = "pbx"
            events.append(Event("data", ended, call_id, stem + "data", leg, tenant, node, reason=NOT_BRIDGED))
    if row.mos:
        quality = measured(row.mos, row.percent, row.jitter)
        if quality:
            event = Event("quality", ended, call_id, stem + "quality", leg, tenant, node)
            event.quality = quality
            events.append(event)
    end = msgspec.structs.replace(start, type="ended", at=ended, event_id=stem + "ended")
    start.data = at_address(row.address or ("" if outward else row.caller_address))
    end.linked_ids = linked and list(linked)
    cause_of(end, name, row.number_of_cause)
    statuses = row.status, row.status_of_failure
    end_of(end, name, statuses, row.status_of_protocol, row.disposition, row.called)
    events.append(end)
    return events


def _kind(shape: type[Brief], read: Callable[[Any, Event, Options, int], Any], *, brief: bool = False) -> Any:
    return msgspec.json.Decoder(shape, strict=False).decode, read, brief


_KINDS: Final[dict[bytes, Any]] = {
    b"CHANNEL_PROGRESS": _kind(_Moment, _moment("rang", "rang"), brief=True),
    b"CHANNEL_PROGRESS_MEDIA": _kind(_Moment, _moment("progress", "early"), brief=True),
    b"CHANNEL_HOLD": _kind(_Moment, _moment("held"), brief=True),
    b"CHANNEL_UNHOLD": _kind(_Moment, _moment("resumed"), brief=True),
    b"CHANNEL_CREATE": _kind(_Created, _created),
    b"CHANNEL_ANSWER": _kind(_Answer, _answered),
    b"CHANNEL_BRIDGE": _kind(Joined, _bridged),
    b"CHANNEL_UNBRIDGE": _kind(_Unbridged, _unbridged),
    b"CHANNEL_HANGUP_COMPLETE": _kind(_Gone, _gone),
}
