"""The end of a FreeSWITCH leg: its cause, who hung up, a transfer that ended it, and all that its record remembers.

CHANNEL_HANGUP_COMPLETE and the documents of mod_json_cdr sum the whole leg up, so they stand in for events that
were lost. What they remember has the same event ids wherever it is read, and the fold lets a moment that was
seen go before a moment that is remembered.
"""

from __future__ import annotations

from math import sqrt
from typing import Any, Final

import msgspec

from pipeline.calls.steps.legs import NOT_BRIDGED
from pipeline.sources.freeswitch.channel import device, holds, parties, voicemail
from pipeline.sources.freeswitch.headers import Headers
from pipeline.sources.freeswitch.parties import callee
from pipeline.sources.freeswitch.queue import queue_record
from pipeline.sources.freeswitch.values import LONGEST_TEXT, items, number_of
from pipeline.sources.sip.fields import user_domain
from pipeline.sources.visible import visible
from schemas.event import EARLIEST_MS, Event

HANGUP_RECORD: Final = "hangup_record"
SENT_ON: Final = "sent_on"
# Ends that nobody's phone brought about: an operator, a time limit, lost media, a shutdown.
_BY_SYSTEM: Final = frozenset(
    (
        "ALLOTTED_TIMEOUT",
        "MANAGER_REQUEST",
        "MEDIA_TIMEOUT",
        "SYSTEM_SHUTDOWN",
        "CRASH",
        "SRTP_READ_ERROR",
        # What makes no leg at all (switch_types.h).
        "GATEWAY_DOWN",
        "INVALID_GATEWAY",
        "INVALID_PROFILE",
        "INVALID_URL",
        "USER_NOT_REGISTERED",
    )
)
_MEASURES: Final = {
    "mos": "rtp_audio_in_mos",
    "quality_percent": "rtp_audio_in_quality_percentage",
    "jitter_ms": "rtp_audio_in_jitter_max_variance",
}


def hung_up(headers: Headers) -> list[Event]:
    """CHANNEL_HANGUP: the leg begins to end."""
    at = _end(headers)
    end = ended(headers, parties(headers, headers.event("ended", at, linked=True)))
    return [end, *transferred(headers, at), *redirected(headers, at)]


def hung_up_completely(headers: Headers) -> list[Event]:
    """CHANNEL_HANGUP_COMPLETE: the leg is gone, and its record is whole."""
    return record(headers, _end(headers))


def _end(headers: Headers) -> int:
    return headers.ms("Caller-Channel-Hangup-Time", "variable_end_uepoch") or headers.at


def ended(headers: Headers, event: Event) -> Event:
    """Say on an event how the leg ended."""
    name = headers.first("Hangup-Cause", "variable_hangup_cause")
    cause_of(event, name, headers.text("variable_hangup_cause_q850"))
    statuses = headers.text("variable_sip_term_status"), headers.text("variable_sip_invite_failure_status")
    protocol = headers.text("variable_proto_specific_hangup_cause")
    disposition = headers.text("variable_sip_hangup_disposition")
    end_of(event, name, statuses, protocol, disposition, headers.text("variable_originate_disposition"))
    event.peer_leg_id = headers.originator()
    return event


def cause_of(event: Event, name: str, number: str) -> None:
    """Say on an event why the leg ended: the cause's name, and its number in Q.850 where it has one."""
    event.cause = name[:LONGEST_TEXT]
    if number.isascii() and number.isdigit() and 0 < int(number[:6]) < 128:
        # FreeSWITCH writes 16 where its own cause has no Q.850 number; then the name says more.
        event.q850_cause = int(number) if number != "16" or name in ("", "NORMAL_CLEARING") else 0
        event.cause_from = "native" if event.q850_cause else ""


def end_of(event: Event, name: str, statuses: tuple[str, str], protocol: str, disposition: str, called: str) -> None:
    """Say on an event with which SIP status the leg ended, and by whom.

    `called`: what became of the last leg that was called for this one (switch_ivr_originate.c); where none was, it is
    the dial plan that refuses.
    """
    status = _final_status(statuses, protocol)
    if status >= 300:
        event.sip_status = status
    if disposition.startswith("recv_"):
        event.hung_up_by = "party"
    elif name in _BY_SYSTEM or (disposition == "send_refuse" and not called):
        event.hung_up_by = "system"
    elif disposition.startswith("send_"):
        event.hung_up_by = "peer"


def _final_status(statuses: tuple[str, str], protocol: str) -> int:
    for code in statuses:
        if code.isascii() and code.isdigit() and len(code) == 3:
            return int(code)
    code = protocol.removeprefix("sip:")
    return int(code) if code.isascii() and code.isdigit() and len(code) == 3 else 0


def transferred(headers: Headers, at: int) -> list[Event]:
    """The transfer by which the phone of this leg left the call.

    Only a REFER counts (mod_sofia then sets `transfer_disposition` and `transfer_to` on the leg), or a hang-up with the
    cause BLIND_TRANSFER. `transfer_history` does not: the dialplan writes `bl_xfer` into it for every call that it
    passes from one context to another; see `sent_on`.
    """
    asked = headers.variable("transfer_disposition") == "recv_replace"
    to = headers.variable("transfer_to")
    cause = headers.first("Hangup-Cause", "variable_hangup_cause")
    peer, second, target = "", headers.variable("refer_uuid"), ""
    reason = "blind_transfer"
    number = ""
    if asked and second:
        reason = "attended_transfer" if to.startswith("att:") else "semi_attended_transfer"
        target = to.removeprefix("att:") if to.startswith("att:") else ""
        peer = headers.peer()
    elif to.startswith("blind:") and (asked or cause == "BLIND_TRANSFER"):
        peer, second = to.removeprefix("blind:"), ""
        number = number_of(headers.variable("transfer_destination").removeprefix("blind:")).partition("@")[0]
    elif cause == "BLIND_TRANSFER":
        peer, second = headers.peer(), ""
    else:
        return []
    if target == peer:
        peer = ""
    return [transfer(headers, reason, at, peer=peer, second=second, target=target, number=number)]


def transfer(
    headers: Headers, reason: str, at: int, *, peer: str, second: str = "", target: str = "", number: str = ""
) -> Event:
    """One transfer: made once by a leg, so every report of it is the same fact. The earliest counts."""
    event = headers.event("transferred", at, linked=True)
    event.event_id, event.seq = f"fs-{headers.leg}-transferred", 0
    event.reason, event.to = reason, number
    event.transferee_leg_id, event.second_leg_id, event.target_leg_id = peer[:256], second[:256], target[:256]
    event.linked_ids = sorted({*(event.linked_ids or ()), *(x[:256] for x in (peer, second, target) if x)}) or None
    return event


def redirected(headers: Headers, at: int) -> list[Event]:
    """The phone of a leg that FreeSWITCH called answered with 3xx: it sends the call on, to the first contact that it
    names (mod_sofia, sofia.c, `sip_redirected_to`)."""
    origin = headers.originator()
    if not origin or headers.variable("sip_term_status")[:1] != "3":
        return []
    to = number_of(headers.variable("sip_redirect_contact_user_0"))
    to = to or visible(user_domain(headers.variable("sip_redirected_to"))[0])
    source = callee(headers).number
    if not to or to == source:
        return []
    event = headers.remembered("rerouted", at, linked=True)
    event.leg_id, event.from_, event.to, event.by = origin, source, to, source
    rang = headers.ms("Caller-Channel-Progress-Time", "variable_progress_uepoch")
    event.reason = "forward_no_answer" if rang else "forward_unconditional"
    return [event]


def sent_on(history: Any, answered: int) -> list[tuple[int, str]]:
    """When the leg was sent to another number after its answer (ms, whole seconds), and to which.

    `epoch:uuid:bl_xfer:number/context/dialplan`. What came before the answer is the dialplan's.
    """
    found: list[tuple[int, str]] = []
    for item in items(history) if history and answered else ():
        words = item.split(":", 3)
        if len(words) == 4 and words[2] == "bl_xfer" and words[0].isascii() and words[0].isdigit():
            at = int(words[0][:12]) * 1000
            if at + 999 >= answered:
                found.append((at, number_of(words[3].partition("/")[0])))
    return found


def _sent_on(headers: Headers, answered: int, ended: int) -> list[Event]:
    """Told of every leg that goes on in the dialplan: the fold knows whether that took it from somebody."""
    events: list[Event] = []
    for at, to in sent_on(headers.raw.get("variable_transfer_history"), answered):
        if EARLIEST_MS <= at <= ended and to:
            event = headers.remembered("rerouted", at)
            event.event_id += f"-{at}"
            event.reason, event.to = SENT_ON, to
            events.append(event)
    return events


def record(headers: Headers, at: int) -> list[Event]:
    """Everything that the record of an ended leg tells, each moment an event of its own."""
    begun = headers.ms("Caller-Channel-Created-Time", "variable_start_uepoch")
    events: list[Event] = []
    end = headers.remembered("ended", at, linked=True)
    parties(headers, end)
    if begun:
        start = msgspec.structs.replace(end, type="started", at=begun, event_id=f"fs-{headers.leg}-started")
        start.data = device(headers)
        events.append(start)
    rang = headers.ms("Caller-Channel-Progress-Time", "variable_progress_uepoch")
    if rang:
        events.append(headers.remembered("rang", rang))
    early = headers.ms("Caller-Channel-Progress-Media-Time", "variable_progress_media_uepoch")
    if early:
        events.append(headers.remembered("progress", early))
    answered = headers.ms("Caller-Channel-Answered-Time", "variable_answer_uepoch")
    alone = not headers.outward and heard_nobody(
        headers.text("Caller-Channel-Bridged-Time"),
        headers.first("variable_current_application", "variable_last_app"),
        headers.text("variable_bridge_uuid"),
        headers.text("variable_last_bridge_to"),
    )
    if answered:
        answer = headers.remembered("answered", answered)
        answer.reason = HANGUP_RECORD
        answer.answered_by = "party" if headers.outward else "pbx" if alone else ""
        events.append(answer)
        events += _left_in_box(headers, answered)
        if not headers.outward:
            events += _sent_on(headers, answered, at)
    if headers.text("variable_hold_events"):
        events += holds(headers)
    if headers.text("variable_cc_side") == "member":
        events += queue_record(headers)
    events += transferred(headers, at)
    if headers.outward:
        events += redirected(headers, at)
    elif answered and alone:
        events.append(headers.remembered("data", at))
        events[-1].reason = NOT_BRIDGED
    quality = _quality(headers, at)
    if quality is not None:
        events.append(quality)
    events.append(ended(headers, end))
    return events


def heard_nobody(bridged: str, application: str, *peers: str) -> bool:
    """Whether the record of a caller's leg shows that no other leg was ever bridged with it: the time of its last
    bridge, and the peers that switch_ivr_bridge.c notes. `application`: the last one of its dial plan, which a whole
    record has."""
    return bridged == "0" and bool(application) and not any(peers)


def _left_in_box(headers: Headers, answered: int) -> list[Event]:
    """The caller ended in a mailbox that answered: no bridge came before it."""
    if headers.ms("Caller-Channel-Bridged-Time", "variable_bridge_uepoch"):
        return []
    application = headers.first("variable_current_application", "variable_last_app")
    data = headers.first("variable_current_application_data", "variable_last_arg")
    return voicemail(headers, application, data, answered)


def _quality(headers: Headers, at: int) -> Event | None:
    measures = measured(*(headers.variable(variable) for variable in _MEASURES.values()))
    if not measures:
        return None
    event = headers.remembered("quality", at)
    event.quality = measures
    return event


def measured(*texts: str) -> dict[str, float]:
    """The measures of a leg's sound, as FreeSWITCH writes them; none where it does not tell the mean opinion score."""
    measures: dict[str, float] = {}
    for name, text in zip(_MEASURES, texts, strict=True):
        try:
            value = float(text or 0)
        except ValueError:
            continue
        if 0 < value < 1e9:  # what it calls jitter is the variance of the packets' intervals, in square milliseconds
            measures[name] = round(sqrt(value), 2) if name == "jitter_ms" else value
    return measures if "mos" in measures else {}
