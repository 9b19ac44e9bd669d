"""Which legs of a call went over a carrier, and for how long: what is billed.

A carrier's leg is billed for as long as it lasted, from its own answer to its own end, whoever talked on it: a call
that is handed over does not end the legs that stay up. Both moments are cut to their second first, as PortSIP shows
durations.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from pipeline.rating.numbers import TELEPHONE
from pipeline.rating.tariffs import Subject, Tariffs
from schemas.call import Call, CallLog

OUTWARD: Final = ("outbound", "inbound_outbound")
INWARD: Final = "inbound"
_SENT: Final = frozenset(("blind_transfer", "attended_transfer", "semi_attended_transfer", "redirect"))
_AT_ONCE_MS: Final = 1_000  # a leg may begin just before the row that tells why


class CarrierLeg(msgspec.Struct, frozen=True, gc=False):
    """A leg to be billed. `leg_id`: the PBX's own, "" for the caller's; `log_id`: its call log, 0 for none."""

    subject: Subject
    billed_s: int
    leg_id: str = ""
    log_id: int = 0


def carrier_legs(call: Call, tariffs: Tariffs) -> list[CarrierLeg]:
    """The answered legs of a closed call that a carrier bills: those that went outside, in the order in which they were
    tried, then the one that came in (which nobody bills where no deck is for it)."""
    found: list[CarrierLeg] = []
    seen: set[str] = set()
    for log in call.logs:
        if log.answered_at is None or not log.number or not _is_outside(log, call, tariffs):
            continue
        if log.leg_id:
            if log.leg_id in seen:
                continue  # the same leg, back from a hold or a park
            seen.add(log.leg_id)
        found.append(_outward(call, log, tariffs))
    if not found and call.direction in OUTWARD and call.answered_at is not None:
        outside = next((log for log in call.logs if log.kind == "outside" and log.number), None)
        if outside is None or not outside.leg_id or outside.outcome == "answered":
            found.append(_by_caller(call, outside, tariffs))
    if call.direction in (INWARD, "inbound_outbound") and call.answered_at is not None:
        number = call.did or call.requested or call.callee_number or call.destination
        subject = Subject(call.tenant, number, call.started_at, INWARD, call.trunk, extension_of(call, tariffs))
        found.append(CarrierLeg(subject, seconds(call.answered_at, call.answered_at + call.billable_ms)))
    return found


def seconds(answered_at: int, ended_at: int) -> int:
    """Whole seconds that are billed from one moment to the other, both cut to their second, ms; never less than 0."""
    return max(0, ended_at // 1000 - answered_at // 1000)


def extension_of(call: Call, tariffs: Tariffs) -> str:
    """The extension that pays: the caller, else who was called."""
    extension = call.caller_extension or call.callee_extension
    if extension:
        return extension
    own = tariffs.directory(call.tenant).extensions
    return next((each for each in (call.caller_number, call.requested) if each in own), "")


def payer_of(log: CallLog, call: Call, tariffs: Tariffs) -> str:
    """The extension that pays for a leg outside: who sent the call there (a phone that forwards, who transfers), or who
    consulted it, else who pays for the call."""
    own = tariffs.directory(call.tenant).extensions
    if log.kind == "consultation":
        leg = next((leg for leg in call.legs if leg.get("leg_id") == log.leg_id), None)
        by = str((leg.get("from") if leg is not None else None) or "")
        if by in own:
            return by
    for move in sorted(call.reroutes, key=_at, reverse=True):
        if move["at"] <= log.started_at + _AT_ONCE_MS and (
            move["kind"] in _SENT or move["kind"].startswith("forward_")
        ):
            by = str(move["by"] or move["from"] or "")
            return by if by in own else extension_of(call, tariffs)
    return extension_of(call, tariffs)


def _at(move: dict[str, Any]) -> int:
    at: int = move["at"]
    return at


def _is_outside(log: CallLog, call: Call, tariffs: Tariffs) -> bool:
    """Whether the target is a line outside. Who was consulted, and not handed the call, is one where the number is a
    telephone number: the log does not say over which leg it went."""
    if log.kind == "outside":
        return True
    if log.kind != "consultation" or log.end_reason == "consult_transfer_completed":
        return False
    return tariffs.numbering(call.tenant).read(log.number).class_ in TELEPHONE


def _outward(call: Call, log: CallLog, tariffs: Tariffs) -> CarrierLeg:
    direction = call.direction if call.direction in OUTWARD else "outbound"
    trunk = log.trunk or call.trunk
    subject = Subject(call.tenant, log.number, call.started_at, direction, trunk, payer_of(log, call, tariffs))
    answered, ended = log.answered_at, log.ended_at
    if not log.leg_id:  # on the caller's own leg
        if call.answered_at is not None and ended is None:
            ended = call.answered_at + call.billable_ms
    elif log.kind == "outside":
        leg = next((leg for leg in call.legs if leg.get("leg_id") == log.leg_id), None)
        answered, ended = _moments(leg, answered, ended)
    assert answered is not None
    if ended is None:
        ended = answered if call.ended_at is None else call.ended_at
    return CarrierLeg(subject, seconds(answered, ended), log.leg_id, log.id)


def _moments(leg: dict[str, Any] | None, answered: int | None, ended: int | None) -> tuple[int | None, int | None]:
    """The leg's own answer and end: the log ends where the call left it, the leg goes on."""
    if leg is None:
        return answered, ended
    answered_at = leg.get("answered_at")
    return (answered if answered_at is None else answered_at), leg.get("ended_at")


def _by_caller(call: Call, log: CallLog | None, tariffs: Tariffs) -> CarrierLeg:
    """Of producers that tell the caller's leg alone: billed for as long as that lasted."""
    number = call.requested or call.callee_number or call.destination
    trunk, log_id = call.trunk, 0
    if log is not None:
        number, trunk, log_id = log.number, log.trunk or trunk, log.id
    subject = Subject(call.tenant, number, call.started_at, call.direction, trunk, extension_of(call, tariffs))
    assert call.answered_at is not None
    return CarrierLeg(subject, seconds(call.answered_at, call.answered_at + call.billable_ms), "", log_id)
