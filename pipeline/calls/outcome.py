"""Why a leg was not answered, in one word, and with which cause."""

from __future__ import annotations

from pipeline.calls.causes import cause_from_name, q850_from_sip
from pipeline.calls.legs import Leg

_BY_CAUSE = {
    17: "busy",
    18: "no_answer",
    19: "no_answer",
    20: "unreachable",
    21: "rejected",
    24: "rejected",
    26: "answered_elsewhere",
}
NORMAL_CLEARING = 16
ANSWERED_ELSEWHERE = 26
_CANCEL_NAMES = frozenset(("ORIGINATOR_CANCEL", "CANCEL"))


def cause(leg: Leg) -> tuple[int, str]:
    """The Q.850 cause of a leg's end and where it comes from, strongest source first: what the
    PBX said by number, by name, what its SIP status maps to (RFC 3398); (0, "") when unknown."""
    if leg.q850_cause:
        return leg.q850_cause, leg.cause_from
    if leg.cause:
        number = cause_from_name(leg.cause)
        if number:
            return number, "native"
    if leg.sip_status >= 300:
        number = q850_from_sip(leg.sip_status, leg.rang is not None)
        if number:
            return number, "mapped"
    return 0, ""


def cancelled_by_caller(leg: Leg) -> bool:
    """Whether the caller gave up this leg while it was not answered."""
    if leg.answered is not None or leg.ended is None:
        return False
    if leg.cause in _CANCEL_NAMES or (leg.sip_status == 487 and leg.hung_up_by not in ("system", "peer", "callee")):
        return True
    return leg.hung_up_by in ("caller", "party") and (leg.q850_cause in (0, NORMAL_CLEARING))


def outcome(leg: Leg, *, elsewhere: bool, caller_left: bool) -> str:
    """One word for a target leg that was not reached.

    `elsewhere`: another target had been reached when this one ended; `caller_left`: the caller
    had gone. Both explain a normal clearing, which by itself says nothing.
    """
    number, _ = cause(leg)
    word = _BY_CAUSE.get(number)
    if word is not None:
        if word == "no_answer" and elsewhere and leg.cause == "":
            return "answered_elsewhere" if not leg.sip_status and not leg.q850_cause else word
        return word
    if number and number != NORMAL_CLEARING and leg.sip_status != 487:
        return "failed"
    if elsewhere:
        return "answered_elsewhere"
    if caller_left or cancelled_by_caller(leg):
        return "cancelled"
    return "no_answer" if leg.ended is not None else ""
