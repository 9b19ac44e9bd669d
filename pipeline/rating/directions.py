"""Which way a call went, by the tenant's directory and dial plan: they know whose a number is, and come first.

A PBX, or the fold, may only have guessed: by the look of a number, the name of a dial plan's context, or not at all
(rows of acc). A call that came over a trunk came from outside, whatever number it shows; one of whose numbers nothing
is known stays as it was told.
"""

from __future__ import annotations

from typing import Final

from pipeline.rating.carrier_legs import INWARD, OUTWARD
from pipeline.rating.numbers import EMERGENCY, FEATURE, TELEPHONE, Numbering
from pipeline.rating.tariffs import Tariffs
from schemas.call import Call

_PHONES: Final = frozenset(("extension", "ring_group_member"))
_TRIED: Final = frozenset(("extension", "ring_group_member", "outside"))
_DIALLED_OUT: Final = TELEPHONE | {EMERGENCY}


def direct(call: Call, tariffs: Tariffs) -> None:
    """Give a call the direction that the tenant's directory tells, and its logs what follows of it."""
    owners = tariffs.owners(call.tenant)
    if owners is None:
        return  # nobody has told whose any number is
    _without_phones_as_trunks(call, owners)
    found = _found(call, tariffs.numbering(call.tenant), owners)
    if found and found != call.direction:
        set_direction(call, found)


def set_direction(call: Call, direction: str) -> None:
    """Have a call go this way. Whom a call outward asked for is outside; whom one from outside or within asked for
    is not, unless a trunk's leg led there."""
    call.direction = direction
    outward = direction in OUTWARD and all(log.kind != "outside" for log in call.logs)
    for log in call.logs:
        log.direction = direction
        if log.number != call.requested:
            continue
        if outward and log.kind in _PHONES:
            log.kind = "outside"
            call.missed_by = [number for number in call.missed_by if number != log.number]
        elif direction not in OUTWARD and log.kind == "outside" and not (log.leg_id and log.trunk):
            log.kind = "extension"
            if log.outcome == "busy" or (log.rang_at is not None and log.outcome in ("no_answer", "cancelled")):
                call.missed_by = [*call.missed_by, log.number]


def _found(call: Call, numbering: Numbering, owners: dict[str, str]) -> str:
    """The direction; "" where the directory does not tell."""
    over_trunk = bool(call.did) or (call.direction in (INWARD, "inbound_outbound") and bool(call.trunk))
    caller, called = call.caller_number, call.requested or call.callee_number
    went_out = any(log.kind == "outside" and log.trunk and log.leg_id for log in call.logs)
    class_ = numbering.read(called).class_
    own = numbering.is_own(called) or called in owners or class_ == FEATURE
    did = numbering.is_did(call.did) or numbering.is_did(called)
    if not over_trunk and (caller in owners or call.caller_extension in owners):
        if own or did:
            return "" if went_out else "internal"
        tried = any(log.kind in _TRIED for log in call.logs)
        return "outbound" if class_ in _DIALLED_OUT and tried else ""
    if did or (own and (over_trunk or numbering.read(caller).class_ in TELEPHONE)):
        return "inbound_outbound" if went_out else INWARD
    if not over_trunk and numbering.is_did(caller) and class_ in _DIALLED_OUT:
        return "outbound"  # a phone that shows the company's number
    return ""


def _without_phones_as_trunks(call: Call, owners: dict[str, str]) -> None:
    """A device of an extension is no trunk, whatever its name or context."""
    if call.trunk in owners and call.trunk:
        call.caller_extension = call.caller_extension or owners[call.trunk]
        call.trunk = call.did = ""
    for log in call.logs:
        if log.trunk in owners and log.trunk:
            log.kind = "extension" if log.kind == "outside" else log.kind
            log.trunk = call.trunk
        if not call.did:
            log.did = ""
