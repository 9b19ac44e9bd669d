"""Calls in ipcortex' shapes (vendor page "Call Reports"): what an extension received, what a device dialled.

Durations are whole seconds. A call within the company is received by one extension and dialled by another:
it stands in both.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any, Final

import phonenumbers

from pipeline.directory.model import Directory
from pipeline.instants import instant
from pipeline.query.stable_numbers import number_of
from pipeline.rating.numbers import Numbering
from pipeline.warehouse.analytics.dispositions import TOTAL_S, epoch, lasting
from pipeline.warehouse.query.columns import CALL, CALL_LOG
from pipeline.warehouse.query.expressions import Column, Compare, In, Literal, Node
from pipeline.warehouse.query.reader import Row

_ZERO: Final = Decimal(0)
_CENT: Final = Decimal("0.01")

# Codes of the PBX itself (*600) are answered by no person, and last all the same; no extension is called so.
_CODE: Final = "(substring({}, 1, 1) IN ('*', '#'))"
_IS_CODE: Final = _CODE.format("callee_number")
# Received: targets that are extensions, of calls that somebody made to them; boxes tell of voicemail.
_PHONES: Final = ("extension", "ring_group_member", "queue_agent")
RECEIVED: Final[tuple[Node, ...]] = (
    In(CALL_LOG["kind"], tuple(Literal(kind) for kind in (*_PHONES, "voicemail"))),
    # Of a call that an extension made to the outside: who was handed it, not the phone that made it.
    Compare(
        "eq",
        Column("own", "(direction = 'outbound' AND (number = caller_number OR number = ''))", "number"),
        Literal("0", quoted=False),
    ),
    Compare("eq", Column("code", _CODE.format("number"), "number"), Literal("0", quoted=False)),
)
_UNTIL: Final = "if(isNull(answered_at), ended_at, answered_at)"
_TALKED: Final = "outcome = 'answered' AND isNotNull(answered_at)"
RECEIVED_COLUMNS: Final = (
    *(CALL_LOG[name] for name in ("id", "session_id", "started_at", "kind", "number", "name", "outcome", "direction")),
    *(CALL_LOG[name] for name in ("caller_number", "reroute_reason", "did", "ended_at")),
    Column("ring_s", f"greatest(toInt64({epoch(_UNTIL)} - {epoch('started_at')}), 0)", "number"),
    Column("talk_s", f"if({_TALKED}, {lasting('answered_at')}, 0)", "number"),
)

# Dialled: whose calls they are, and what they cost. A call that came in and was sent out again is that extension's
# which sent it, for it pays (docs/rating.md); else its first target's.
_SENT_BY: Final = (
    "arrayElement(arrayFilter(by -> match(by, '^[0-9]{1,9}$'), arrayMap(move -> if(JSONExtractString(move, 'by') != '',"
    " JSONExtractString(move, 'by'), JSONExtractString(move, 'from')), arrayFilter(move ->"
    " JSONExtractString(move, 'kind') IN ('blind_transfer', 'attended_transfer', 'semi_attended_transfer', 'redirect')"
    " OR startsWith(JSONExtractString(move, 'kind'), 'forward_'), JSONExtractArrayRaw(detail, 'reroutes')))), -1)"
)
OWNER: Final = Column(
    "owner",
    f"multiIf(direction = 'inbound_outbound', multiIf({_SENT_BY} != '', {_SENT_BY},"
    " callee_extension != '', toString(callee_extension), callee_number),"
    " caller_extension != '', toString(caller_extension), caller_number)",
)
SIP_USER: Final = Column("sip_user", "if(direction = 'inbound_outbound', '', caller_number)")
# What is billed, as docs/rating.md has it: of calls to the outside the seconds of the carriers' legs, which the rating
# names where they are not those of the caller's leg; of others the time with a person, of codes that of the PBX.
_LEGS: Final = "JSONExtractArrayRaw(rating, 'legs')"
_CARRIED: Final = (
    f"arraySum(leg -> if(JSONExtractString(leg, 'direction') = 'inbound', 0, JSONExtractInt(leg, 'billed_s')), {_LEGS})"
)
_ON_CALLERS_LEG: Final = (
    "if(isNull(talk_started_at) OR isNull(answered_at), 0, toInt64(intDiv(toUnixTimestamp64Milli("
    f"assumeNotNull(answered_at)) + billable_ms, 1000) - {epoch('answered_at')}))"
)
BILL_S: Final = Column(
    "bill_s",
    f"multiIf({_IS_CODE} AND isNull(talk_started_at), {lasting('answered_at')},"
    f" direction = 'internal', {lasting('talk_started_at')}, notEmpty({_LEGS}), {_CARRIED},"
    f" direction = 'outbound', {_ON_CALLERS_LEG}, {lasting('talk_started_at')})",
    "number",
)
# A call that went outside and was answered, and that no tariff has priced.
UNPRICED: Final = f"cost = '' AND direction != 'internal' AND ({BILL_S.sql}) > 0"
_RATE_CLASS: Final = Column("rate_class", "rate_class")
_CLASSES: Final = {"FEATURE": "Test Number", "": "External"}
DIALLED: Final = In(CALL["direction"], tuple(Literal(way) for way in ("outbound", "internal", "inbound_outbound")))
DIALLED_COLUMNS: Final = (
    *(CALL[name] for name in ("id", "started_at", "direction", "caller_name", "caller_number", "callee_number")),
    *(CALL[name] for name in ("callee_name", "trunk", "outbound_caller_id", "destination")),
    *(OWNER, SIP_USER, BILL_S, TOTAL_S, _RATE_CLASS),
    Column("cost", "cost"),
    Column("unpriced", UNPRICED, "number"),
    Column("outward_trunk", "JSONExtractString(detail, 'outward_trunk')"),
)

_WITHHELD: Final = ("", "anonymous", "withheld", "restricted", "private", "unavailable")
_DETAILS: Final = {"answered": "Answered", "busy": "Busy", "failed": "Failed"}
_QUEUE_WORDS: Final = {
    "answered": "Answered",
    "abandoned": "Abandoned",
    "overflow": "Overflow",
    "exit": "Exit",
    "callback": "Callback",
    "timeout": "Timeout",
}


def received(row: Row, boxes: Mapping[int, Collection[str]], visits: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A call as an extension received it. `boxes` are the voicemail boxes reached, by session; `visits` the
    call's times in queues."""
    at = instant(row["started_at"])
    visit = _visit(at, visits) if row["kind"] == "queue_agent" else None
    return {
        "acctid": number_of(row["id"]),
        "calldate": at // 1000,
        "caller": _shown_caller(row["caller_number"]),
        "type": "Internal" if row["direction"] == "internal" else "External",
        "ringtime": row["ring_s"],
        "billsecs": row["talk_s"],
        "detail": _detail(row, boxes),
        "qtime": str(visit["wait_ms"] // 1000) if visit else "",
        "qstatus": _QUEUE_WORDS.get(visit["reason"] or "", "Timeout") if visit else "",
    }


def dialled(row: Row, directory: Directory, numbering: Numbering) -> dict[str, Any]:
    """A call as a device dialled it, with what it cost, null where nobody knows."""
    outward = row["direction"] == "inbound_outbound"
    number = (row["destination"] or row["callee_number"]) if outward else row["callee_number"]
    return {
        "acctid": number_of(row["id"]),
        "calldate": instant(row["started_at"]) // 1000,
        "type": _type(row, number, numbering),
        "called_info": "" if outward else row["callee_name"] or directory.name_of(number),
        "called": short_form(number, directory.dial_plan.country),
        "dialled": number,
        "billsecs": row["bill_s"],
        "ringtime": max(row["total_s"] - row["bill_s"], 0),
        "cost": None if row["unpriced"] else money(row["cost"]),
        "trunk": (row["outward_trunk"] if outward else row["trunk"]) or "",
        "cid": row["outbound_caller_id"] or row["owner"],
    }


def money(cost: str | int | float | None) -> int | float:
    """A price as a number of two decimals at most, rounded half up."""
    try:
        exact = Decimal(str(cost)) if cost else _ZERO
        rounded = exact.quantize(_CENT, ROUND_HALF_UP)
    except InvalidOperation:
        return 0
    return int(rounded) if rounded == rounded.to_integral_value() else float(rounded)


def short_form(number: str, country: str) -> str:
    """A number as people of the country write it, without spaces; others stay as they are."""
    if not country or not number.startswith("+") or "*" in number:  # masked
        return number
    try:
        parsed = phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return number
    if phonenumbers.country_code_for_region(country) != parsed.country_code:
        return number
    national = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.NATIONAL)
    return "".join(each for each in national if each.isdigit())


def _type(row: Row, number: str, numbering: Numbering) -> str:
    """The class of the number, in the vendor's words: what was dialled says it, answered or not."""
    if number.startswith(numbering.plan.features or ("*", "#")):
        return "Test Number"
    if row["direction"] == "internal":
        return "Internal"
    # of a masked number, what it begins with says it
    plain = number.replace("*", "0") if "***" in number else number
    class_ = numbering.read(plain).class_ or str(row["rate_class"]).upper()
    return _CLASSES.get(class_, class_.capitalize())


def _shown_caller(number: str) -> str:
    """The caller's number, or that it was withheld (RFC 3323 and what carriers write)."""
    return "Anonymous" if number.lower() in _WITHHELD else number


def _detail(row: Row, boxes: Mapping[int, Collection[str]]) -> str:
    reached = boxes.get(row["session_id"], ())
    if row["outcome"] != "answered" and row["number"] in reached:
        return "Voicemail"  # its own box, also where the PBX tells of no diversion
    if row["outcome"] != "answered" and row["reroute_reason"]:
        return "Voicemail" if reached else "Diverted"
    return _DETAILS.get(row["outcome"], "Not answered")


def _visit(at: int, visits: Iterable[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The visit to a queue during which an agent was called."""
    before = [visit for visit in visits if (visit.get("joined_at") or 0) <= at]
    return before[-1] if before else None
