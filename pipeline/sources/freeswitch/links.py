"""Which other ids a FreeSWITCH event shows to be its call.

The key of a call is its caller's Unique-ID: FreeSWITCH writes it as `call_uuid` on every leg that it calls for that
caller, and mod_callcenter as `cc_member_session_uuid` on the legs of agents. A usual call therefore needs no other
id. Other ids remain where the event itself tells of two calls: the call_uuid contradicts the originator (it is wrong
in about one call of a hundred, FreeSWITCH issue 1042), the leg hears one that was not made for it (transfer, pick-up,
uuid_bridge), or it bears a new id (CHANNEL_UUID).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from pipeline.sources.freeswitch.values import items
from pipeline.sources.sip.fields import sip_id

if TYPE_CHECKING:
    from pipeline.sources.freeswitch.headers import Headers

# Who hears whom. `signal_bond` is no witness: it names the leg that was called last, answered or not.
_HEARD: Final = ("Bridge-A-Unique-ID", "Bridge-B-Unique-ID", "variable_bridge_uuid", "variable_last_bridge_to")
_SIP_IDS: Final = (
    "variable_sip_call_id",
    "variable_sip_h_X-CID",
    "variable_sip_h_X-Correlation-ID",
    "variable_sip_h_X-Call-ID",
    "variable_sip_h_X-A-Call-ID",
)


def others(headers: Headers, call_id: str) -> list[str]:
    """The other ids of the call, in order."""
    leg, originator = headers.leg, headers.originator()
    known: set[str] = set()
    known.add(originator or leg)
    if "Old-Unique-ID" in headers.raw:
        known |= {headers.usable("Old-Unique-ID"), leg}
    children: set[str] | None = None
    for name in _HEARD:
        if name not in headers.raw:
            continue
        heard = headers.usable(name)
        if not heard or heard in (leg, call_id, originator):
            continue
        if children is None:
            children = _children(headers)
        if originator or leg != call_id:
            known.add(leg)  # a leg that this one called bears this one's id as its call's
        if heard not in children and not _is_agent(headers, heard):
            known.add(heard)
    if headers.options.sip_ids:
        suffixes = headers.options.call_id_suffixes
        known |= {sip_id(headers.usable(name), suffixes) for name in _SIP_IDS if name in headers.raw}
    known -= {"", call_id}
    return sorted(known)


def _children(headers: Headers) -> set[str]:
    """The legs that were called for this one."""
    raw = headers.raw
    if "variable_originated_legs" in raw:
        return {listed.partition(";")[0] for listed in items(raw["variable_originated_legs"])}
    if headers.text("Other-Type") == "originatee":
        return {headers.usable("Other-Leg-Unique-ID")}
    return set()


def _is_agent(headers: Headers, heard: str) -> bool:
    """Whether the caller of a queue hears the agent that the queue called for it."""
    if headers.text("variable_cc_side") != "member":
        return False
    return headers.text("variable_cc_agent_uuid") in ("", heard)
