"""Transactions that acc accounts for → what the same messages look like over HEP.

A row says that a request was answered finally: INVITE with 200 is the answer, with 300 and more the failure of a branch
(the call may go on to another), BYE a hang-up by the sender of its From tag, CANCEL that the caller gave up. What they
mean together is told by `pipeline.calls.sip.dialog`, which reads captured messages too.
"""

from __future__ import annotations

from typing import Final

from pipeline.calls.steps.legs import REFUSED
from pipeline.sources.contract import Malformed
from pipeline.sources.json_record import Record, digest
from pipeline.sources.kamailio.calls import Leg
from pipeline.sources.sip.fields import referral_ids, replaces, user_domain
from schemas.event import Event, SipMessage

# A challenge is answered by the same attempt with credentials.
_CHALLENGES: Final = frozenset((401, 407))
_ROUNDED_MS: Final = 2_000  # acc's times are of whole seconds
_LONGEST_SETUP_MS: Final = 900_000  # of an INVITE that was forwarded several times
_METHODS: Final = frozenset(("INVITE", "BYE", "CANCEL", "REFER"))


def transaction(leg: Leg) -> list[Event]:
    """The event of one row; none for a method that is no part of a call."""
    record = leg.record
    method = record.text("method").upper()
    status = record.whole("sip_code", "code", "status")
    if method not in _METHODS or status in _CHALLENGES:
        return []
    at = record.at("time", "time_attr", "timestamp")
    if not at:
        raise Malformed("/time: is missing; keep the attribute that acc writes (time_attr), or add it to acc_extra")
    if at % 1000 == 0:  # acc's time_mode 1 tells the microseconds beside the second
        at = min(at + record.whole("time_exten", "time_exten_attr") % 1_000_000 // 1000, record.latest)
    from_tag, to_tag = record.id("from_tag", "fromtag"), record.id("to_tag", "totag")
    if not from_tag:
        raise Malformed("/from_tag: is missing; send the whole row, as acc writes it")
    if method == "BYE" and status >= 300:
        return [_refused_bye(leg, at, from_tag, to_tag, status)]
    failed = method == "INVITE" and status >= 300
    refer_to, replaced = leg.referred
    message = SipMessage(
        method,
        status=status if method == "INVITE" else 0,
        reason=record.text("sip_reason", "reason"),
        cseq={"INVITE": 1, "CANCEL": 1, "BYE": 3, "REFER": 2}[method],
        call_id=leg.call_id,
        from_tag=from_tag,
        to_tag=to_tag,
        branch=f"acc-{status}-{to_tag}-{at}"[:256] if failed else "acc",
        via=1,
        ruri=record.text("dst_user", "ruri_user", "rU"),
        contact=record.text("contact_user"),
        refer_to=refer_to,
        replaces=replaces(record.text("replaces")) or replaced,
        src=record.text("src_ip", "caller_ip_port", "source"),
    )
    if method == "REFER" and not message.refer_to:
        return []
    type_ = {"BYE": "ended", "CANCEL": "ended", "REFER": "transferred"}.get(method, "ended" if failed else "answered")
    event = leg.event(type_, at, "")
    event.event_id = "acc-" + digest(leg.call_id, method, status, from_tag, to_tag, at if failed else "")
    event.leg_id, event.sip = leg.call_id, message
    others = leg.other_ids()
    if method in ("INVITE", "REFER"):
        referrer = user_domain(record.text("referred_by"))[0] or (leg.caller().number if method == "REFER" else "")
        asked = leg.callee()
        whom = asked.number if asked is not None else ""
        sent = (leg.caller().number, whom) if method == "INVITE" else (whom, refer_to)
        others.update(referral_ids(method, at, referrer, *sent))
    others.discard(event.call_id)
    if others:
        event.linked_ids = sorted(others)
    if method == "INVITE":
        event.caller, event.callee = leg.caller(), leg.callee()
        event.trunk, event.did, event.direction = leg.trunk, leg.did, leg.direction
        event.sip_status = status if failed else 0
        begun = _begun(record, at)
        if begun and begun < at:
            return [leg.started(begun, "acc"), event]
    return [event]


def _begun(record: Record, at: int) -> int:
    """When the INVITE of a row came, ms; 0 where the row does not say.

    OpenSIPS adds `created` and `setuptime` to its missed and failed rows (acc.c: `time(NULL) - created`), in seconds,
    some versions in milliseconds; without a dialog of their own they are another call's, and do not agree with the time
    of the row.
    """
    begun = record.perhaps_at("begun", "invite_time", "start_ts")
    if begun or not record.text("created"):
        return begun
    created, lasted = record.perhaps_at("created"), record.number("setuptime")
    for setup_ms in (lasted * 1000, lasted):
        if created and abs(created + setup_ms - at) <= _ROUNDED_MS and at - created <= _LONGEST_SETUP_MS:
            return created
    return 0


def _refused_bye(leg: Leg, at: int, from_tag: str, to_tag: str, status: int) -> Event:
    """A BYE that was answered with 481, or not at all (408): the other side had ended the call, or was gone. It ends
    the leg where nothing better does, and nobody's phone did it."""
    event = leg.event("ended", at, "")
    event.event_id = "acc-" + digest(leg.call_id, "BYE", status, from_tag, to_tag)
    event.leg_id = ""  # which side sent it the row does not say
    event.reason, event.hung_up_by = REFUSED, "system"
    return event
