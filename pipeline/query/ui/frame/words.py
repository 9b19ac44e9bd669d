"""Words of the call document as people read them, and the tone (colour) that goes with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pipeline.calls.causes import q850_name
from pipeline.query.ui.frame.language import N_

STATUS: Final[Mapping[str, str]] = {
    "answered": N_("Answered"),
    "no_answer": N_("No answer"),
    "busy": N_("Busy"),
    "cancelled": N_("Cancelled"),
    "failed": N_("Failed"),
    "voicemail": N_("Voicemail"),
    "abandoned": N_("Left the queue"),
    "open": N_("In progress"),
}
OUTCOME: Final[Mapping[str, str]] = {
    "answered": N_("Answered"),
    "no_answer": N_("No answer"),
    "busy": N_("Busy"),
    "rejected": N_("Declined"),
    "cancelled": N_("Cancelled"),
    "answered_elsewhere": N_("Answered elsewhere"),
    "failed": N_("Failed"),
    "unreachable": N_("Not reachable"),
}
DIRECTION: Final[Mapping[str, str]] = {
    "inbound": N_("Inbound"),
    "outbound": N_("Outbound"),
    "internal": N_("Internal"),
    "inbound_outbound": N_("Through"),
}
KIND: Final[Mapping[str, str]] = {
    "extension": N_("Extension"),
    "ivr": N_("Menu"),
    "queue": N_("Queue"),
    "queue_agent": N_("Agent"),
    "ring_group": N_("Ring group"),
    "ring_group_member": N_("Group member"),
    "voicemail": N_("Voicemail"),
    "conference": N_("Conference"),
    "outside": N_("Outside"),
    "park": N_("Parked"),
    "consultation": N_("Consultation"),
}
HUNG_UP_BY: Final[Mapping[str, str]] = {
    "caller": N_("Caller"),
    "callee": N_("Called party"),
    "system": N_("System"),
}
END_REASON: Final[Mapping[str, str]] = {
    "caller_disconnected": N_("Caller hung up"),
    "callee_disconnected": N_("Called party hung up"),
    "blind_transfer_completed": N_("Blind transfer"),
    "consult_transfer_completed": N_("Transfer after consultation"),
    "replaced": N_("Replaced"),
    "referred": N_("Referred"),
    "redirected": N_("Redirected"),
    "cancelled": N_("Cancelled"),
}
REROUTE: Final[Mapping[str, str]] = {
    "blind_transfer": N_("Transferred"),
    "attended_transfer": N_("Transferred after consultation"),
    "semi_attended_transfer": N_("Transferred while ringing"),
    "pickup": N_("Picked up"),
    "park": N_("Parked"),
    "forward_unconditional": N_("Forwarded (always)"),
    "forward_busy": N_("Forwarded (busy)"),
    "forward_no_answer": N_("Forwarded (no answer)"),
    "forward_not_reachable": N_("Forwarded (not reachable)"),
    "forward_exception": N_("Forwarded (exception)"),
    "forward_lunch": N_("Forwarded (lunch)"),
    "forward_business_trip": N_("Forwarded (business trip)"),
    "forward_away": N_("Forwarded (away)"),
    "forward_night_mode": N_("Forwarded (night)"),
    "redirect": N_("Redirected"),
    "carrier_failover": N_("Next carrier"),
    "capacity_blocked": N_("No line free"),
    "ring_group": N_("Ring group"),
    "queue": N_("Queue"),
    "queue_overflow": N_("Queue overflow"),
    "queue_exit": N_("Left the queue for another target"),
    "queue_abandoned": N_("Left the queue"),
    "disa": N_("Through the PBX"),
}
TONE: Final[Mapping[str, str]] = {
    "answered": "good",
    "answered_elsewhere": "calm",
    "open": "live",
    "voicemail": "calm",
    "no_answer": "warn",
    "busy": "warn",
    "cancelled": "warn",
    "abandoned": "bad",
    "rejected": "warn",
    "unreachable": "bad",
    "failed": "bad",
}
# Causes of ITU-T Q.850 as people say them; the others by their names in the standard.
CAUSE: Final[Mapping[int, str]] = {
    1: N_("Number not in use"),
    2: N_("No route to the network"),
    3: N_("No route to the destination"),
    16: N_("Ended as usual"),
    17: N_("User busy"),
    18: N_("Phone did not respond"),
    19: N_("Rang, nobody answered"),
    20: N_("Phone not registered"),
    21: N_("Call rejected"),
    22: N_("Number changed"),
    26: N_("Answered elsewhere"),
    27: N_("Destination out of order"),
    28: N_("Number incomplete or invalid"),
    31: N_("No reason given"),
    34: N_("No line free"),
    38: N_("Network out of order"),
    41: N_("Temporary failure"),
    42: N_("Exchange overloaded"),
    44: N_("Requested line not free"),
    47: N_("No resources left"),
    50: N_("Not subscribed to this service"),
    52: N_("Outgoing calls barred"),
    54: N_("Incoming calls barred"),
    57: N_("Not authorised"),
    58: N_("Not available at present"),
    63: N_("Service not available"),
    65: N_("Codec or service not supported"),
    79: N_("Service not implemented"),
    88: N_("Incompatible destination"),
    102: N_("Timed out"),
    111: N_("Protocol error"),
    127: N_("Interworking with another network"),
}
_TABLES: Final[Mapping[str, Mapping[str, str]]] = {
    "status": STATUS,
    "state": {"open": N_("In progress"), "closed": N_("Finished")},
    "outcome": OUTCOME,
    "direction": DIRECTION,
    "kind": KIND,
    "hung_up_by": HUNG_UP_BY,
    "end_reason": END_REASON,
    "reroute": REROUTE,
}


def word(table: str, value: str | None) -> str:
    """The message for a word of the contract; the word itself, readable, where a producer has one of its own."""
    return _TABLES[table].get(value or "") or (value or "").replace("_", " ")


def cause(number: int | None) -> str:
    """The message for a cause of Q.850; "" for none."""
    return CAUSE.get(number or 0) or q850_name(number or 0)
