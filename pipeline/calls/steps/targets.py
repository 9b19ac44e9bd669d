"""Legs → targets: whom the call tried and reached, in order."""

from __future__ import annotations

import msgspec

from pipeline.calls.numbering import leads_out
from pipeline.calls.steps.legs import ORIGINATE, Leg
from pipeline.calls.steps.roles import Roles
from schemas.event import Party

# How long after a number was left its successor may start and still be its successor.
FORK_SLACK_MS = 2_000

NOT_HUMAN = frozenset(("queue", "ivr", "voicemail", "park", "consultation"))
_OUTWARD = frozenset(("outbound", "inbound_outbound"))


class Target(msgspec.Struct, gc=False):
    """One target of the call while it is being understood. Becomes a call log."""

    kind: str
    number: str
    started: int
    leg: Leg | None = None  # None: a target on the caller's leg
    name: str = ""
    domain: str = ""
    rang: int | None = None
    answered: int | None = None
    ended: int | None = None
    talk: tuple[int, int] | None = None  # with the caller, ms
    outcome: str = ""
    end_reason: str = ""
    reroute_reason: str = ""
    trunk: str = ""
    via_transfer: bool = False
    lost_race: bool = False  # it answered, and another one had the caller
    beside: bool = False  # came in beside who talks already
    talk_ms: int = 0


def of_leg(leg: Leg, roles: Roles) -> Target:
    """The target that a leg of its own stands for."""
    party = leg.caller if leg.id in roles.taken else leg.callee
    number = party.number or party.extension
    if not number and roles.caller is not leg:
        number = roles.caller.callee.number or roles.caller.callee.extension
    return Target(
        leg.kind
        or (
            "outside"
            if leg.trunk or leg.direction == "outbound" or _leads_out(roles.caller, party, number)
            else "extension"
        ),
        number,
        leg.first_at if leg.started is None else leg.started,
        leg,
        party.name,
        party.domain,
        leg.rang,
        leg.answered,
        leg.ended,
        trunk=leg.trunk,
    )


def _leads_out(caller: Leg, called: Party, number: str) -> bool:
    """Whether, where nothing tells which way the call went, its numbers show that it left the house."""
    if caller.direction or caller.trunk or caller.did:
        return False
    return leads_out(caller.caller, called if called.number else Party(number))


def of_caller(caller: Leg, started: int, ended: int | None) -> Target:
    """The target of a call that has no other leg: the number asked for, with the caller's times; where the PBX
    answered, one of its applications, which is no human."""
    callee = caller.callee
    outside = caller.direction in _OUTWARD or (
        not (caller.caller.extension or caller.answered_by == "pbx") and _leads_out(caller, callee, callee.number)
    )
    alone = caller.answered_by == "pbx" or (caller.start_reason in ORIGINATE and not outside and caller.answered)
    kind = "ivr" if alone and caller.kind in ("", "extension", "outside") else caller.kind
    return Target(
        kind or ("outside" if outside else "extension"),
        callee.number or callee.extension,
        started,
        None,
        callee.name,
        callee.domain,
        caller.rang,
        caller.answered,
        ended,
        trunk=caller.trunk if outside else "",
    )


def order(target: Target) -> tuple[int, str, str, str]:
    """Sorts targets: as they were tried."""
    return (target.started, target.leg.id if target.leg is not None else "", target.kind, target.number)
