"""Dialogs and CDRs of Kamailio and OpenSIPS → events of the caller's leg.

The attributes beside acc's own are the administrator's (`acc_extra`, `cdr_extra`, the script), so each is known by the
names that the modules' documentation and the stock configurations use.
"""

from __future__ import annotations

from typing import Final, get_args

from pipeline.calls.steps.legs import IMPLAUSIBLE
from pipeline.sources.contract import Malformed, Options
from pipeline.sources.json_record import LONGEST_CALL_S, Record
from pipeline.sources.sip.fields import refer_to, replaces, sip_id, user_domain
from schemas.event import Event, Party
from schemas.words import Direction

_CALLER: Final = (
    "src_user",
    "from_user",
    "caller",
    "cgr_account",
    "account",
    "caller_id",
    "calling",
    "from",
    "from_uri",
)
_REQUESTED: Final = ("dst_ouser", "to_user", "callee", "cgr_destination", "destination", "called", "to", "to_uri")
_REACHED: Final = ("dst_user", "ruri_user", "r_user", "ruri")
_DIRECTIONS: Final[dict[str, Direction]] = {
    "in": "inbound",
    "out": "outbound",
    "local": "internal",
    "*in": "inbound",
    "*out": "outbound",
    **{word: word for word in get_args(Direction)},
}
_HANGUP_RECORD: Final = "hangup_record"
_LONGEST_SETUP_S: Final = 900
_ROUNDED_MS: Final = 2_000  # durations are of whole seconds, or rounded up to them


class Leg:
    """The caller's leg of one value."""

    __slots__ = ("call_id", "node", "options", "record")

    def __init__(self, record: Record, options: Options, node: str) -> None:
        self.record = record
        self.options = options
        self.node = node
        self.call_id = record.id("callid", "call_id", "originid", "sip_call_id", "ci")

    @property
    def id(self) -> str:
        """The Call-ID with the caller's tag; "" where the tag is not told: then it is the only one."""
        tag = self.record.id("from_tag", "fromtag")
        return f"{self.call_id};{tag}" if tag and len(self.call_id) + len(tag) < 256 else ""

    @property
    def referred(self) -> tuple[str, str]:
        """The user that a REFER names, and the dialog that its Replaces names."""
        user, replaced = refer_to(self.record.text("refer_to", "refer_to_uri", "rt"))
        return self.record.text("refer_to_user") or user, replaced

    def other_ids(self) -> set[str]:
        """Other calls that the value names: what an INVITE or a REFER replaces, and the other side of a
        back-to-back user agent."""
        record = self.record
        replaced = replaces(record.text("replaces")) or self.referred[1]
        other = record.id("x_cid", "x_call_id", "x_correlation_id", "correlation_id", "aleg_callid")
        return {sip_id(replaced.partition(";")[0], self.options.call_id_suffixes), other} - {""}

    def event(self, type_: str, at: int, mark: str) -> Event:
        """An event of the leg. `mark` names its report."""
        if not self.call_id:
            raise Malformed("/callid: is missing; add callid=$ci to cdr_extra, acc_extra or the script's JSON")
        return Event(
            type_,
            at,
            sip_id(self.call_id, self.options.call_id_suffixes),
            f"{mark}-{type_}-{self.call_id}-{at}"[:256],
            self.id,
            self.options.tenant,
            self.node,
        )

    def caller(self) -> Party:
        """Who calls."""
        record = self.record
        address = record.text(*_CALLER)
        user, domain = _address(address)
        name = record.text("src_name", "caller_name", "from_name", "display_name").strip('" ')
        return Party(user, name, record.text("src_domain", "from_domain", "caller_domain") or domain)

    def callee(self) -> Party | None:
        """Whom it asks for."""
        record = self.record
        user, domain = _address(record.text(*_REQUESTED) or record.text(*_REACHED))
        domain = record.text("dst_odomain", "to_domain", "dst_domain", "callee_domain") or domain
        return Party(user, "", domain) if user else None

    @property
    def trunk(self) -> str:
        return self.record.text("trunk", "gateway", "carrier", "gw", "cgr_supplier", "supplier")

    @property
    def did(self) -> str:
        return self.record.text("did")

    @property
    def direction(self) -> Direction | None:
        return _DIRECTIONS.get(self.record.text("direction").lower())

    def started(self, at: int, mark: str) -> Event:
        """The leg begins: who calls whom."""
        event = self.event("started", at, mark)
        event.role, event.caller, event.callee = "caller", self.caller(), self.callee()
        event.trunk, event.did, event.direction = self.trunk, self.did, self.direction
        event.user_data = self.record.text("user_data", "accountcode")
        return event


def _address(raw: str) -> tuple[str, str]:
    """Number and domain of `1001`, `1001@pbx.example` or `sip:1001@pbx.example`."""
    if ":" in raw:
        return user_domain(raw)
    user, _, domain = raw.partition("@")
    return user, domain


def dialog_started(leg: Leg) -> list[Event]:
    """`dialog:start`: the answer. Its script tells when the INVITE came by `$dlg(start_ts)`."""
    record = leg.record
    begun = record.at("start_ts", "begun", "start_time", "setuptime", "cgr_setuptime", "created")
    answered = record.at("answertime", "answer_time", "cgr_answertime", "time", "timestamp", "start_ts")
    if not answered:
        raise Malformed("/time: is missing; let the script add time=$TS or $TV(sn), when the dialog was confirmed")
    events = [leg.started(min(begun or answered, answered), "dialog")]
    events.append(leg.event("answered", answered, "dialog"))
    return events


def dialog_ended(leg: Leg) -> list[Event]:
    """`dialog:end`: the BYE, or the dialog's time-out. CGRateS's event tells the whole call."""
    record = leg.record
    answered = record.at("answertime", "answer_time", "cgr_answertime")
    lasted = round(record.usage("usage", "cgr_duration", "duration") * 1000)
    ended = record.at("end_time", "end_ts", "time", "timestamp")
    if not ended and answered:
        ended = answered + lasted
    if not ended:
        raise Malformed("/time: is missing; let the script add time=$TS or $TV(sn), when the dialog ended")
    begun = record.at("setuptime", "cgr_setuptime", "start_ts", "start_time", "created")
    if not begun and answered:
        begun = answered - round(record.number("cgr_pdd", "pdd") * 1000)
    events = [leg.started(min(begun, ended), "dialog")] if begun else []
    if answered:
        answer = leg.event("answered", min(answered, ended), "dialog-end")
        answer.reason = _HANGUP_RECORD
        events.append(answer)
    events.append(_ended(leg, ended, "dialog"))
    return events


def dialog_failed(leg: Leg) -> list[Event]:
    """`dialog:failed`: a final response of 300 and more."""
    ended = leg.record.at("time", "timestamp", "end_time", "end_ts")
    if not ended:
        raise Malformed("/time: is missing; let the script add time=$TS or $TV(sn), when the dialog failed")
    begun = leg.record.at("start_ts", "begun", "start_time", "setuptime", "created") or ended
    end = _ended(leg, ended, "dialog")
    if end.hung_up_by is None and end.sip_status:
        end.hung_up_by = {408: "system", 487: "caller"}.get(end.sip_status, "callee")  # type: ignore[assignment]
    return [leg.started(min(begun, ended), "dialog"), end]


def cdr(leg: Leg) -> list[Event]:
    """A CDR of acc, or OpenSIPS's E_ACC_CDR. It is written when the call is over, so that its answer is remembered.

    Kamailio: `start_time` is the INVITE, and with `cdr_start_on_confirmed` the answer; a dialog that failed has the
    duration 0. OpenSIPS: `created` is the INVITE, `time` the answer.
    """
    record = leg.record
    ended = record.perhaps_at("end_time")
    lasted = record.seconds("ms_duration", longest=LONGEST_CALL_S * 1000) or record.seconds("duration") * 1000
    lasted = round(lasted)
    status = record.whole("sip_code", "code", "reply_code")
    begun = _created(record) or record.perhaps_at("start_time", "time") or (max(ended - lasted, 0) if ended else 0)
    if not begun:
        record.at("start_time")  # raises where the time is none
        raise Malformed("/start_time: is missing; send the whole CDR, as acc writes it")
    answered = record.perhaps_at("answer_time", "answered_time", "connect_time", "confirmed_time")
    if not answered and record.text("created"):
        answered = record.perhaps_at("time")
    if status >= 300 and not ended:
        ended, lasted = max(begun, record.perhaps_at("time")), 0  # what durations such a row has are another call's
    if ended < begun or lasted > ended - begun + _ROUNDED_MS:  # one of them cannot be
        record.implausible = record.implausible or bool(ended)
        ended, lasted = (ended, 0) if ended >= begun else ((answered or begun) + lasted, lasted)
    events = [leg.started(begun, "cdr")]
    if status < 300 and (status or lasted or answered or (record.implausible and ended > begun)):
        answer = leg.event("answered", min(max(answered or begun, begun), ended), "cdr")
        answer.reason = _HANGUP_RECORD
        events.append(answer)
    end = _ended(leg, ended, "cdr")
    end.reason = _HANGUP_RECORD
    events.append(end)
    if record.implausible:
        events.append(leg.event("data", ended, "cdr"))
        events[-1].reason = IMPLAUSIBLE
    return events


def _created(record: Record) -> int:
    """When OpenSIPS's dialog was created, ms; 0 where that is another call's: it does not agree with the time that the
    setup took."""
    created, answered = record.perhaps_at("created"), record.perhaps_at("time")
    if not created or not answered or not record.text("setuptime"):
        return created
    lasted = record.number("setuptime")
    if not lasted and record.text("setuptime").strip("0."):
        return created  # it is no number
    agree = any(abs(created + setup_ms - answered) <= _ROUNDED_MS for setup_ms in (lasted * 1000, lasted))
    if agree:
        return created
    begun = answered - round(lasted * 1000)
    return begun if begun <= answered and lasted <= _LONGEST_SETUP_S else 0


def _ended(leg: Leg, at: int, mark: str) -> Event:
    record = leg.record
    event = leg.event("ended", at, mark)
    status = record.whole("sip_code", "cgr_disconnectcause", "disconnectcause", "reply_code", "code")
    if 300 <= status < 700:
        event.sip_status = status
    cause = record.whole("q850_cause", "cause")
    if 0 < cause < 128:
        event.q850_cause, event.cause_from = cause, "reason_header"
    by = record.text("hung_up_by", "hangup_by", "by", "release_party").lower()
    if by in ("caller", "callee", "system"):
        event.hung_up_by = by  # type: ignore[assignment]
    elif by in ("timeout", "proxy", "server"):
        event.hung_up_by = "system"
    return event
