"""FreeSWITCH events of subclass: conferences, parking, transfers (mod_sofia), mailboxes.

Those of queues are in `queue`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pipeline.sources.freeswitch.hangup import transfer, transferred
from pipeline.sources.freeswitch.headers import Headers
from pipeline.sources.freeswitch.queue import queue_event
from pipeline.sources.freeswitch.values import LONGEST_TEXT, clean, number_of
from schemas.event import Event


def custom(headers: Headers) -> list[Event]:
    """The events of one CUSTOM event; none for subclasses that tell nothing of calls."""
    handler = _SUBCLASSES.get(headers.text("Event-Subclass"))
    if handler is None:
        return []
    headers.instant()
    return handler(headers)


# Conferences


def _conference(headers: Headers) -> list[Event]:
    type_ = {"add-member": "conference_joined", "del-member": "conference_left"}.get(headers.text("Action"))
    if type_ is None:
        return []
    headers.leg = headers.id_of("Unique-ID", "Caller-Unique-ID")
    event = headers.event(type_)
    room, _, _ = (name := clean(headers.text("Conference-Name"))).partition("-")
    event.conference = room if room.isdigit() else name  # the stock dialplan appends the domain
    return [event]


# Parking


def _parked(headers: Headers) -> list[Event]:
    """mod_valet_parking: `hold` when a call is parked, `bridge` when it is fetched."""
    action = headers.text("Action")
    if action not in ("hold", "bridge"):
        return []
    headers.leg = headers.id_of("Unique-ID", "Caller-Unique-ID")
    if action == "hold":
        event = headers.event("rerouted")
        event.reason, event.to = "park", number_of(headers.text("Valet-Extension"))
        return [event]
    event = headers.event("data", linked=True)
    other = headers.usable("Bridge-To-UUID")
    if other:
        event.linked_ids = sorted({*(event.linked_ids or ()), other} - {event.call_id}) or None
    return [event]


# Transfers


def _transferor(headers: Headers) -> list[Event]:
    """Sent at the REFER where the profile has `fire-transfer-events`; the end of the leg tells the same, later."""
    headers.leg = headers.id_of("Unique-ID", "Caller-Unique-ID")
    original = headers.usable("att_xfer_original_call_id")
    target = headers.usable("att_xfer_destination_call_id")
    second = headers.usable("att_xfer_destination_peer_uuid") or headers.usable("variable_refer_uuid")
    if not (original or target):
        return transferred(headers, headers.at)
    reason = "attended_transfer"
    if headers.variable("transfer_to")[:4] != "att:":
        reason = "semi_attended_transfer"  # what it dialled has not answered yet
    return [transfer(headers, reason, headers.at, peer=original, second=second, target=target)]


def _mailbox(headers: Headers) -> list[Event]:
    """mod_voicemail: a message was left."""
    if headers.text("VM-Action") != "leave-message" or not headers.first("Unique-ID", "VM-UUID"):
        return []
    headers.leg = headers.id_of("Unique-ID", "VM-UUID")
    event = headers.event("voicemail")
    event.to = number_of(headers.text("VM-User"))
    file = headers.text("VM-File-Path")
    if not file:
        return [event]
    recorded = headers.event("recorded", mark="recorded")
    recorded.recording = file[:LONGEST_TEXT]
    return [event, recorded]


_SUBCLASSES: Final[dict[str, Callable[[Headers], list[Event]]]] = {
    "callcenter::info": queue_event,
    "conference::maintenance": _conference,
    "valet_parking::info": _parked,
    "sofia::transferor": _transferor,
    "vm::maintenance": _mailbox,
}
SUBCLASSES: Final = tuple(_SUBCLASSES)
