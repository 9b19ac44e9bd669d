"""One SIP message (RFC 3261): bytes in, what a call record needs out.

Reads what real equipment sends: compact header forms, any case, folded lines, several Via values in
one line, spaces around colons and parameters, bare line feeds, invalid UTF-8 and NUL (both become
U+FFFD), fields of any size (bounded). What is no SIP message raises `MalformedMessage`, never anything else.
"""

from __future__ import annotations

import re
from typing import Final

import msgspec

from pipeline.sources.contract import Malformed
from pipeline.sources.sip.fields import (
    MAX_FORWARDS,
    MAX_TEXT,
    bounded,
    branch,
    charging_id,
    diversions,
    history,
    media,
    party,
    reason,
    refer_to,
    replaces,
    session_id,
    tag,
    user_domain,
)
from schemas.event import SipMessage

MAX_MESSAGE: Final = 65_535  # bytes; no datagram is longer
MAX_CSEQ: Final = 2**32
NO_CSEQ: Final = -1  # of a message that bears none

_FOLD: Final = re.compile(r"\r?\n[ \t]+")
_METHOD: Final = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]{1,32}\Z")

VIA, FROM, TO, CALL_ID, CSEQ, CONTACT, REASON, REPLACES, REFER_TO, AGENT, ASSERTED, X_CID, TYPE = range(1, 14)
DIVERSION, REFERRED, HISTORY, SESSION, REMOTE_PARTY, CHARGING = range(14, 20)

_KINDS: Final = {
    "via": VIA,
    "v": VIA,
    "from": FROM,
    "f": FROM,
    "to": TO,
    "t": TO,
    "call-id": CALL_ID,
    "i": CALL_ID,
    "cseq": CSEQ,
    "contact": CONTACT,
    "m": CONTACT,
    "reason": REASON,
    "replaces": REPLACES,
    "refer-to": REFER_TO,
    "r": REFER_TO,
    "user-agent": AGENT,
    "server": AGENT,
    "p-asserted-identity": ASSERTED,
    "x-cid": X_CID,
    "x-call-id": X_CID,
    "x-callid": X_CID,
    "x-correlation-id": X_CID,
    "x-aleg-call-id": X_CID,
    "content-type": TYPE,
    "c": TYPE,
    "diversion": DIVERSION,
    "history-info": HISTORY,
    "session-id": SESSION,
    "p-charging-vector": CHARGING,
    "x-broadworks-correlation-info": CHARGING,
    "remote-party-id": REMOTE_PARTY,
    "referred-by": REFERRED,
    "b": REFERRED,
}

# Spellings as they come, so that the common ones need no lower(). Grows to a bound: names are a stranger's words.
_SPELLED: dict[str, int] = {name.title().replace("Id", "ID"): kind for name, kind in _KINDS.items()}
_MAX_SPELLED: Final = 4096


class MalformedMessage(Malformed):
    """The bytes are no SIP message; the text names the field, what was there and what to do."""


class NoBeginning(MalformedMessage):
    """The bytes do not begin as a SIP message does; they may go on with one."""


class Message(msgspec.Struct, gc=False):
    """A parsed message: the part that travels with events, and the fields that only the decoder needs."""

    sip: SipMessage
    from_: str  # raw From field
    to: str
    asserted: str  # raw P-Asserted-Identity
    correlation: str  # the other Call-ID that an X-CID header names; "" without one
    ruri: str  # raw Request-URI
    referred_by: str = ""  # raw Referred-By
    remote_party: str = ""  # raw Remote-Party-ID of the calling party (RFC 3325's forerunner)
    diversions: list[str] | None = None  # who sent the call on, the latest first
    history: str = ""  # raw History-Info, all of them


def _kind(name: str) -> int:
    kind = _KINDS.get(name.strip().lower(), 0)
    if len(_SPELLED) < _MAX_SPELLED and len(name) <= 64:
        _SPELLED[name] = kind
    return kind


def shown(value: str) -> str:
    """A value as a message shows it: quoted and short."""
    return repr(value if len(value) <= 60 else value[:60] + "…")


def parse(payload: bytes) -> Message:
    """Parse one message. Raises `MalformedMessage` when it is none, or lacks Call-ID or CSeq."""
    text = payload[:MAX_MESSAGE].decode("utf-8", "replace")
    if "\0" in text:
        text = text.replace("\0", "\ufffd")
    head, end, body = text.partition("\r\n\r\n")
    if not end:
        head, end, body = text.replace("\r\n", "\n").partition("\n\n")
        if not end:  # cut short: the last line may be a part of one
            head = head[: head.rfind("\n") + 1] or head
    if "\n " in head or "\n\t" in head:
        head = _FOLD.sub(" ", head)
    lines = head.split("\n")
    first = lines[0].rstrip("\r")
    sip = SipMessage(method="")
    ruri = ""
    if first[:8].upper() == "SIP/2.0 ":
        code = first[8:11]
        if not (code.isascii() and code.isdigit() and "100" <= code < "700"):
            raise MalformedMessage(f"status line {shown(first)}: the status must be 100 to 699; send SIP messages only")
        sip.status = int(code)
        sip.reason = first[12:][:MAX_TEXT]
    else:
        method, _, rest = first.partition(" ")
        ruri, _, version = rest.strip().rpartition(" ")
        if version[:4].upper() != "SIP/" or _METHOD.match(method) is None:
            raise NoBeginning(
                f"first line {shown(first)} is neither a SIP request nor a response; "
                "capture SIP only, or give other payloads their own HEP protocol type"
            )
        sip.method = method.upper()
    found = Message(sip, "", "", "", "", ruri)
    cseq = content_type = ""
    vias = 0
    spelled = _SPELLED
    for line in lines:
        name, _, value = line.partition(":")
        kind = spelled.get(name)
        if kind is None:
            if line is lines[0]:
                continue
            kind = _kind(name)
        if not kind:
            continue
        value = value.strip()
        if kind == VIA:
            if "," in value:
                for one in value.split(","):
                    vias += 1
                    _via(sip, vias, one)
            else:
                vias += 1
                if vias < 3:
                    _via(sip, vias, value)
        elif kind == FROM:
            if not found.from_:
                found.from_ = value
                sip.from_tag = tag(value)
        elif kind == TO:
            if not found.to:
                found.to = value
                sip.to_tag = tag(value)
        elif kind == CALL_ID:
            if not sip.call_id:
                sip.call_id = bounded(value)
        elif kind == CSEQ:
            cseq = cseq or value
        elif kind == TYPE:
            content_type = value
        else:
            _rarer(found, kind, value)
    sip.via = vias
    if not sip.call_id:
        raise MalformedMessage(
            "header Call-ID is missing or empty; the message may be cut short: capture it whole (snap length, UDP size)"
        )
    number, _, method = cseq.replace("\t", " ").partition(" ")
    if number.isascii() and number.isdigit() and len(number) <= 10 and int(number) < MAX_CSEQ and method:
        sip.cseq = int(number)
    elif not cseq and (sip.method or (sip.to_tag and 100 < sip.status < 200)):
        sip.cseq = NO_CSEQ  # cut short, or the sender's fault: the other messages of the call tell
        method = "INVITE"
    else:
        raise MalformedMessage(
            f"header CSeq is {shown(cseq)}, expected a number below 2^32 and a method, as in '1 INVITE'"
        )
    if found.diversions or found.history:
        told, traced = (found.diversions or [])[::-1][-MAX_FORWARDS:], history(found.history)
        sip.forwards = (
            traced if len(traced) > len(told) else told
        ) or None  # some on the way wrote one of the two only
        if sip.forwards:
            sip.diversion, _, sip.diversion_reason = sip.forwards[-1].rpartition(";")
    if sip.status:
        sip.method = method.strip().upper()[:32]
        if body and 200 <= sip.status < 300 and sip.method == "INVITE" and "m=audio" in body:
            sip.media = media(body)  # the offer, where the request bore none
    else:
        sip.ruri = party(ruri).number if sip.method == "INVITE" else ""
        if body and sip.method != "ACK":
            _body(sip, content_type.lower(), body)
    return found


def _via(sip: SipMessage, place: int, value: str) -> None:
    if place == 1:
        sip.branch = branch(value)
    elif place == 2:
        sip.before = branch(value)


def _rarer(found: Message, kind: int, value: str) -> None:
    sip = found.sip
    if kind == CONTACT:
        if 300 <= sip.status < 400 and not sip.contact:
            sip.contact = user_domain(value)[0]
    elif kind == AGENT:
        sip.agent = value[:MAX_TEXT]
    elif kind == REASON:
        protocol, cause, text = reason(value)
        if cause and sip.reason_protocol != "q.850":
            sip.reason_protocol, sip.reason_cause, sip.reason_text = protocol, cause, text
    elif kind == REPLACES:
        sip.replaces = sip.replaces or replaces(value)
    elif kind == REFER_TO:
        sip.refer_to, sip.replaces = refer_to(value)
    elif kind == ASSERTED:
        found.asserted = found.asserted or value
    elif kind == X_CID:
        found.correlation = found.correlation or bounded(value)
    elif kind == HISTORY:
        found.history = f"{found.history}, {value}" if found.history else value
    elif kind == REFERRED:
        found.referred_by = found.referred_by or value
    elif kind == DIVERSION:
        found.diversions = [*(found.diversions or ()), *diversions(value)]
    elif kind == SESSION:
        sip.session = session_id(value) or sip.session
    elif kind == CHARGING:
        sip.session = sip.session or charging_id(value)
    elif kind == REMOTE_PARTY and "party=called" not in value.lower():
        found.remote_party = found.remote_party or value


def _body(sip: SipMessage, content_type: str, body: str) -> None:
    """What the body of a request says: the direction of the audio, or the outcome of a transfer (RFC 3515)."""
    if "sipfrag" in content_type:
        status = body.lstrip()[8:11]
        if body.lstrip()[:8].upper() == "SIP/2.0 " and status.isascii() and status.isdigit():
            sip.fragment = int(status)
    elif "m=audio" in body:
        sip.media = media(body)
