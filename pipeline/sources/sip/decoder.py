"""SIP over HEP → call events: each message alone gives the event that it looks like.

What needs several messages to be understood (which 2xx is the answer, which branch rang, who was
transferred) is left to `pipeline.calls.sip.dialog`, which sees all messages of a call: every event carries
the message in `sip`. The event id is made of what identifies the message on its hop, so that a
retransmission and the second capture of a hop are the same fact.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

import msgspec

from pipeline.calls.withheld import is_withheld
from pipeline.sources.contract import DEFAULTS, Decoded, Options, Rejected, latest
from pipeline.sources.sip import hep, hep_json, pieces
from pipeline.sources.sip import message as sip
from pipeline.sources.sip.fields import MAX_ID, anonymous, bounded, party, referral_ids, sip_id, user_domain
from pipeline.sources.sip.hep import Packet
from pipeline.sources.sip.pieces import TCP, joined, rest_of
from schemas.event import EARLIEST_MS, Event, Party, SipMessage

# Methods that are part of a call. The others (REGISTER, OPTIONS, SUBSCRIBE, PUBLISH, MESSAGE, …) are none of ours.
_IN_CALLS: Final = frozenset({"INVITE", "ACK", "BYE", "CANCEL", "REFER", "UPDATE", "NOTIFY", "PRACK", "INFO"})
_HOLD: Final = frozenset({"sendonly", "inactive"})


def decode(values: Sequence[bytes], options: Options = DEFAULTS, *, now_ms: int | None = None) -> Decoded:
    """Decode a batch of HEP version 3 packets (or their JSON forms). Never raises.

    A packet gives one event or, when it belongs to no call (other payload types, REGISTER, OPTIONS,
    keep-alives), none. With `now_ms`, a time more than a day after it is rejected.
    """
    decoded = Decoded()
    until = latest(now_ms)
    tails: list[int] = []
    for index, value in enumerate(values):
        try:
            captured = packet(value)
            event = _event(captured, options, until)
            if captured.protocol == TCP and (rest := rest_of(captured.payload)):
                _further(captured, rest, index, decoded, options, until)
        except sip.NoBeginning as malformed:
            tails.append(index)
            decoded.rejected.append(Rejected(index, str(malformed)))
            continue
        except (hep.MalformedHep, sip.MalformedMessage) as malformed:
            decoded.rejected.append(Rejected(index, str(malformed)))
            continue
        if event is not None:
            decoded.events.append(event)
            decoded.origin.append(index)
    if tails:
        _join(values, tails, decoded, options, until)
    return decoded


def _further(captured: Packet, rest: bytes, index: int, decoded: Decoded, options: Options, until: int) -> None:
    """The messages behind the first one of a TCP segment."""
    while rest:
        event = _event(msgspec.structs.replace(captured, payload=rest), options, until)
        if event is not None:
            decoded.events.append(event)
            decoded.origin.append(index)
        rest = rest_of(rest)


def _join(values: Sequence[bytes], tails: list[int], decoded: Decoded, options: Options, until: int) -> None:
    """Put the pieces of messages together that came in several packets."""
    found = joined(values, tails, packet)
    pieces = {place for head, others in found.items() for place in (head, *others)}
    kept = [place for place, index in enumerate(decoded.origin) if index not in found]
    decoded.rejected = [each for each in decoded.rejected if each.index not in pieces]
    decoded.events, decoded.origin = [decoded.events[at] for at in kept], [decoded.origin[at] for at in kept]
    for place, others in found.items():
        whole = packet(values[place])
        whole.payload = b"".join([whole.payload, *(packet(values[other]).payload for other in others)])
        try:
            event = _event(whole, options, until)
            if whole.protocol == TCP and (rest := rest_of(whole.payload)):
                _further(whole, rest, place, decoded, options, until)
        except (hep.MalformedHep, sip.MalformedMessage) as malformed:
            decoded.rejected += [Rejected(each, str(malformed)) for each in (place, *others)]
            continue
        if event is not None:
            decoded.events.append(event)
            decoded.origin.append(place)
    decoded.rejected.sort(key=lambda each: each.index)


def unfinished(values: Sequence[bytes]) -> int:
    """How many values of the end begin a message that they do not end."""
    return pieces.unfinished(values, packet)


def packet(value: bytes) -> Packet:
    """The HEP packet in `value`, binary or JSON. Raises `hep.MalformedHep`."""
    if value[:4] != hep.MAGIC and value[:64].lstrip()[:1] == b"{":
        return hep_json.parse(value)
    return hep.parse(value)


def correlation(message: sip.Message, hep_correlation: str, own: str) -> str:
    """The id of the call that a message belongs to: the other leg's Call-ID that the message names, else
    the capture agent's correlation id, else `own`: the message's Call-ID, without a suffix such as `_b2b-1`."""
    return message.correlation or (bounded(hep_correlation) if hep_correlation else "") or own


def _event(captured: Packet, options: Options, until: int) -> Event | None:
    if captured.kind != hep.SIP or not captured.payload.strip(b"\r\n\0 "):
        return None
    message = sip.parse(captured.payload)
    found = message.sip
    method = found.method
    if method not in _IN_CALLS or (method == "NOTIFY" and not found.fragment):
        return None
    at = captured.seconds * 1000 + captured.micros // 1000
    if at < EARLIEST_MS:
        raise hep.MalformedHep(
            f"chunk 9 (seconds) is {captured.seconds}, before 2000; set the clock of the capture agent"
        )
    if at > until:
        raise hep.MalformedHep(
            f"chunk 9 (seconds) is {captured.seconds}, more than a day ahead; set the clock of the capture agent"
        )
    found.src = f"{captured.src[:MAX_ID]}:{captured.src_port}"
    found.dst = f"{captured.dst[:MAX_ID]}:{captured.dst_port}"
    suffixes = options.call_id_suffixes
    own = sip_id(found.call_id, suffixes)
    call_id = correlation(message, captured.correlation, own)
    event = Event(
        type=_type(found),
        at=at,
        call_id=call_id,
        event_id=_event_id(found),
        leg_id=found.call_id,
        tenant=options.tenant,
        node=captured.node[:256] or str(captured.capture_id),
        sip=found,
    )
    others = {own, message.correlation}
    if captured.correlation:
        others.add(bounded(captured.correlation))
    if found.replaces:
        others.add(sip_id(found.replaces.partition(";")[0], suffixes))
    if method in ("INVITE", "REFER") and not found.status:
        referrer = message.referred_by or (message.from_ if method == "REFER" else "")
        who = party(message.from_ if method == "INVITE" else message.to).number
        whom = (found.ruri or party(message.to).number) if method == "INVITE" else found.refer_to
        others.update(referral_ids(method, at, user_domain(referrer)[0], who, whom))
    if found.session and method == "INVITE" and not found.to_tag:
        others.add(f"session:{found.session}")
    if len(others) > 1:
        others -= {"", call_id}
        if others:
            event.linked_ids = sorted(others)
    if method == "INVITE":
        event.caller = _caller(message)
        event.callee = party(message.to)
    status = found.status
    if status >= 300 and method == "INVITE":
        event.sip_status = status
    if event.type == "ended" and found.reason_protocol == "q.850":
        event.q850_cause = found.reason_cause
        event.cause_from = "reason_header"
    return event


def _type(message: SipMessage) -> str:
    """The event type that the message alone looks like."""
    status = message.status
    method = message.method
    if method == "INVITE":
        if not status:
            if not message.to_tag:
                return "started"
            return {"": "data"}.get(message.media) or ("held" if message.media in _HOLD else "resumed")
        if status == 180:
            return "rang"
        if status == 100:
            return "data"
        if status < 200:
            return "progress"
        return "answered" if status < 300 else "ended"
    if status:
        return "data"
    if method in ("BYE", "CANCEL"):
        return "ended"
    return "transferred" if method == "REFER" else "data"


def _event_id(message: SipMessage) -> str:
    """Names the message on its hop: equal for a retransmission and for both captures of the hop."""
    identity = (
        f"{message.call_id}\n{message.cseq}\n{message.method}\n{message.status}\n{message.from_tag}\n"
        f"{message.to_tag}\n{message.branch}\n{message.via}\n{message.before}"
    )
    return "sip-" + blake2b(identity.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def _caller(message: sip.Message) -> Party:
    """Who calls: From, unless that is withheld and the network asserts who it is (RFC 3325)."""
    caller = party(message.from_)
    asserted = message.asserted or message.remote_party
    if asserted and anonymous(caller):
        number, domain = user_domain(asserted)
        if number and not is_withheld(number):
            return Party(number=number, name=caller.name, domain=domain or caller.domain)
    return caller
