"""A FreeSWITCH leg as its creation and its end describe it, read straight into a struct: who it is, which ids it has.

The rules are those of `parties`, `channel` and `links`, written for the shape that
nearly every event has; `fast_path` tests before it uses them that an event has it.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Annotated, Any, Final

import msgspec

from pipeline.sources.freeswitch.values import LONGEST_TEXT, clean, items, number_of
from schemas.event import EARLIEST_MS, Event, Party
from schemas.words import Direction, TargetKind

_PLACEHOLDERS: Final = frozenset(("Outbound Call", "Inbound Call", "_undef_"))

Id = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
PerhapsId = Annotated[str, msgspec.Meta(max_length=64)]
# Numbers are written as text; the decoder is not strict.
Micros = Annotated[int, msgspec.Meta(ge=EARLIEST_MS * 1000, lt=10**16)]
PerhapsMicros = Annotated[int, msgspec.Meta(ge=0, lt=10**16)]
Sequence = Annotated[int, msgspec.Meta(ge=1, lt=10**15)]
_told = msgspec.field


class Brief(msgspec.Struct, gc=False):
    """What every event has."""

    core: Id = _told(name="Core-UUID")
    node: Id = _told(name="FreeSWITCH-Switchname")
    at: Micros = _told(name="Event-Date-Timestamp")
    sequence: Sequence = _told(name="Event-Sequence")
    leg: Id = _told(name="Unique-ID")
    call_id: Id = _told(name="Channel-Call-UUID")


class Joined(Brief, gc=False):
    """With what says whose call it is and which other legs it hears."""

    way: str = _told(name="Call-Direction", default="")
    other_type: str = _told(name="Other-Type", default="")
    other_leg: PerhapsId = _told(name="Other-Leg-Unique-ID", default="")
    old: object = _told(name="Old-Unique-ID", default=None)
    side: str = _told(name="variable_cc_side", default="")
    for_leg: PerhapsId = _told(name="variable_originator", default="")
    for_leg_too: PerhapsId = _told(name="variable_originating_leg_uuid", default="")
    one: PerhapsId = _told(name="Bridge-A-Unique-ID", default="")
    other: PerhapsId = _told(name="Bridge-B-Unique-ID", default="")
    heard: PerhapsId = _told(name="variable_bridge_uuid", default="")
    heard_last: PerhapsId = _told(name="variable_last_bridge_to", default="")
    called: Any = _told(name="variable_originated_legs", default=None)
    application: str = _told(name="variable_current_application", default="")


class Leg(Joined, gc=False):
    """With its parties."""

    created: PerhapsMicros = _told(name="Caller-Channel-Created-Time", default=0)
    index: str = _told(name="Caller-Profile-Index", default="")
    name: str = _told(name="Caller-Caller-ID-Name", default="")
    number: str = _told(name="Caller-Caller-ID-Number", default="")
    first_name: str = _told(name="Caller-Orig-Caller-ID-Name", default="")
    first_number: str = _told(name="Caller-Orig-Caller-ID-Number", default="")
    ani: str = _told(name="Caller-ANI", default="")
    callee_name: str = _told(name="Caller-Callee-ID-Name", default="")
    callee_number: str = _told(name="Caller-Callee-ID-Number", default="")
    destination: str = _told(name="Caller-Destination-Number", default="")
    context: str = _told(name="Caller-Context", default="")
    user: str = _told(name="variable_user_name", default="")
    signed_in: str = _told(name="variable_sip_auth_username", default="")
    domain: str = _told(name="variable_domain_name", default="")
    from_host: str = _told(name="variable_sip_from_host", default="")
    asked_user: str = _told(name="variable_sip_req_user", default="")
    asked_host: str = _told(name="variable_sip_req_host", default="")
    profile: str = _told(name="variable_sofia_profile_name", default="")
    gateway: str = _told(name="variable_sip_gateway_name", default="")
    gateway_in: str = _told(name="variable_sip_gateway", default="")
    phone: str = _told(name="variable_dialed_user", default="")
    phone_domain: str = _told(name="variable_dialed_domain", default="")
    to_host: str = _told(name="variable_sip_to_host", default="")
    account: str = _told(name="variable_accountcode", default="")
    address: str = _told(name="variable_sip_network_ip", default="")
    caller_address: str = _told(name="Caller-Network-Addr", default="")


def originator(row: Joined) -> str:
    """The leg for which FreeSWITCH called this one, "" when it was called for none."""
    found = row.for_leg or row.for_leg_too
    if not found and row.other_type == "originator":
        found = row.other_leg
    return "" if found == row.leg else found


def others(row: Joined, root: str) -> list[str] | bool | None:
    """The other ids of the call of a leg, for which `root` was called or itself; False where it takes all rules."""
    leg, call_id = row.leg, row.call_id
    if row.old is not None:
        return False
    if not (row.one or row.heard or row.heard_last or row.other):
        return [root] if root != call_id else None
    known = {root}
    children: set[str] | None = None
    for heard in (row.one, row.other, row.heard, row.heard_last):
        if not heard or heard == leg or heard in (call_id, root):
            continue
        if children is None:
            if row.side:
                return False
            if root != leg or leg != call_id:
                known.add(leg)
            if row.called is not None:
                children = {called.partition(";")[0] for called in items(row.called)}
            else:
                children = {row.other_leg} if row.other_type == "originatee" else set()
        if heard not in children:
            known.add(heard)
    known.discard(call_id)
    return sorted(known) or None


class Who(msgspec.Struct, frozen=True, gc=False):
    """What is known of a leg's parties."""

    role: str = ""
    caller: Party | None = None
    callee: Party | None = None
    direction: Direction | None = None
    kind: TargetKind | None = None
    trunk: str = ""
    did: str = ""
    outbound_caller_id: str = ""
    reason: str = ""
    account: str = ""


def parties(row: Leg, event: Event, origin: str) -> None:
    """Say on an event who and what the leg is."""
    find = _outward if row.way == "outbound" else _inward
    who = find(row, origin)
    event.role, event.caller, event.callee = who.role, who.caller, who.callee
    event.direction, event.kind, event.trunk, event.did = who.direction, who.kind, who.trunk, who.did
    event.outbound_caller_id, event.reason, event.user_data = who.outbound_caller_id, who.reason, who.account


def _inward(row: Leg, origin: str) -> Who:
    user = row.user or row.signed_in
    by_index, asked = row.index in ("1", ""), row.asked_user
    dialled = row.destination or asked if by_index else asked or row.destination
    return _who_calls(
        row.first_number or row.number or row.ani,
        row.first_name or row.name,
        user,
        row.domain or row.from_host,
        dialled,
        row.asked_host,
        row.gateway or row.gateway_in,
        row.account,
        not user and bool(row.gateway or row.gateway_in or row.context == "public" or row.profile == "external"),
    )


@lru_cache(maxsize=32768)
def _who_calls(
    caller_number: str,
    name: str,
    user: str,
    domain: str,
    dialled: str,
    host: str,
    gateway: str,
    account: str,
    outside: bool,
) -> Who:
    number, name, dialled = number_of(caller_number), clean(name), number_of(dialled)
    caller = Party(
        number, "" if name == number else name, domain[:LONGEST_TEXT], number if number and user == number else ""
    )
    callee = Party(dialled, domain=host[:LONGEST_TEXT])
    trunk, direction, did = gateway[:LONGEST_TEXT], None, ""
    if outside:
        return Who("caller", caller, callee, "inbound", None, trunk, dialled, account=clean(account))
    return Who("caller", caller, callee, direction, None, trunk, did, account=clean(account))


def _outward(row: Leg, origin: str) -> Who:
    return _who_is_called(
        row.first_number or row.number or row.ani,
        row.first_name or row.name,
        row.number,
        row.phone or row.destination or row.callee_number,
        row.callee_name,
        row.phone,
        row.phone_domain or row.to_host,
        row.gateway or (row.to_host if row.profile == "external" and not row.phone else ""),
        row.account,
        bool(origin),
    )


@lru_cache(maxsize=32768)
def _who_is_called(
    caller_number: str,
    name: str,
    shown: str,
    dialled: str,
    callee_name: str,
    phone: str,
    domain: str,
    gateway: str,
    account: str,
    called_for: bool,
) -> Who:
    dialled, callee_name, account = number_of(dialled), clean(callee_name), clean(account)
    callee = Party(
        dialled,
        "" if callee_name in _PLACEHOLDERS or callee_name == dialled else callee_name,
        domain[:LONGEST_TEXT],
        number_of(phone),
    )
    if not called_for and not gateway:
        return Who("caller", callee, reason="originate", account=account)
    number, name = number_of(caller_number), clean(name)
    caller = Party(number, "" if name == number else name)
    trunk = gateway[:LONGEST_TEXT]
    kind: TargetKind | None = "outside" if gateway else None
    return Who("", caller, callee, None, kind, trunk, "", number_of(shown) if gateway else "", account=account)
