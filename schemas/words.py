"""The enumerations of the call document and of the call event, spelled once.

Lower-case inside; the PortSIP surface shows them in upper case.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

EventType = Literal[
    "started",
    "progress",
    "rang",
    "answered",
    "bridged",
    "unbridged",
    "held",
    "resumed",
    "rerouted",
    "transferred",
    "queue_joined",
    "queue_agent_rang",
    "queue_left",
    "voicemail",
    "conference_joined",
    "conference_left",
    "recorded",
    "quality",
    "callback",
    "data",
    "ended",
]

Direction = Literal["inbound", "outbound", "internal", "inbound_outbound"]

State = Literal["open", "closed"]

Status = Literal["answered", "no_answer", "busy", "cancelled", "failed", "voicemail", "abandoned"]

# PortSIP's eight (vendor page "Call Detail Records", end_reason).
EndReason = Literal[
    "caller_disconnected",
    "callee_disconnected",
    "blind_transfer_completed",
    "consult_transfer_completed",
    "replaced",
    "referred",
    "redirected",
    "cancelled",
]

# PortSIP's sixteen (vendor page "Call Detail Records", reroute_reason).
RerouteReason = Literal[
    "transfer",
    "overflow",
    "capacity_blocked",
    "queue_exit",
    "queue_abandoned",
    "redirect",
    "forwarding_unconditional",
    "forwarding_busy",
    "forwarding_no_answer",
    "forwarding_not_reachable",
    "forwarding_exception",
    "forwarding_lunch",
    "forwarding_business_trip",
    "forwarding_away",
    "forwarding_night_mode",
    "disa",
]

# What happened, finer than PortSIP's names.
RerouteKind = Literal[
    "blind_transfer",
    "attended_transfer",
    "semi_attended_transfer",
    "pickup",
    "park",
    "forward_unconditional",
    "forward_busy",
    "forward_no_answer",
    "forward_not_reachable",
    "forward_exception",
    "forward_lunch",
    "forward_business_trip",
    "forward_away",
    "forward_night_mode",
    "redirect",
    "carrier_failover",
    "capacity_blocked",
    "ring_group",
    "queue",
    "queue_overflow",
    "queue_exit",
    "queue_abandoned",
    "disa",
]

# The PortSIP name of a reroute; kinds that PortSIP has no word for are absent.
REROUTE_REASON: Final[dict[str, RerouteReason]] = {
    "blind_transfer": "transfer",
    "attended_transfer": "transfer",
    "semi_attended_transfer": "transfer",
    "forward_unconditional": "forwarding_unconditional",
    "forward_busy": "forwarding_busy",
    "forward_no_answer": "forwarding_no_answer",
    "forward_not_reachable": "forwarding_not_reachable",
    "forward_exception": "forwarding_exception",
    "forward_lunch": "forwarding_lunch",
    "forward_business_trip": "forwarding_business_trip",
    "forward_away": "forwarding_away",
    "forward_night_mode": "forwarding_night_mode",
    "redirect": "redirect",
    "capacity_blocked": "capacity_blocked",
    "queue_overflow": "overflow",
    "queue_exit": "queue_exit",
    "queue_abandoned": "queue_abandoned",
    "disa": "disa",
}

TargetKind = Literal[
    "extension",
    "ivr",
    "queue",
    "queue_agent",
    "ring_group",
    "ring_group_member",
    "voicemail",
    "conference",
    "park",
    "outside",
    "consultation",
]

Outcome = Literal[
    "answered",
    "no_answer",
    "busy",
    "rejected",
    "cancelled",
    "answered_elsewhere",
    "failed",
    "unreachable",
]

# Who ended the call; None when nobody can tell.
HungUpBy = Literal["caller", "callee", "system"]

# Who ended a leg, as a producer sees it: `party` is the leg's own phone, `peer` the far side or
# the PBX. The other three speak of the call and may be used by producers that know it.
LegHungUpBy = Literal["caller", "callee", "system", "party", "peer"]

# Where the cause of a call that was not answered comes from, strongest first.
CauseFrom = Literal["reason_header", "native", "sip_reason", "mapped", "inferred"]

EVENT_TYPES: Final[frozenset[str]] = frozenset(get_args(EventType))
