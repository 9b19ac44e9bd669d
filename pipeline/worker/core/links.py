"""Links between call ids: what makes a call know that it is one with another."""

from __future__ import annotations

import msgspec

from pipeline.worker.core.open_calls import OpenCall
from schemas.event import Event

REASON = "joined"


def is_link(event: Event) -> bool:
    """Whether this is the worker's own word that two ids are one call, not an event of the call."""
    return event.type == "data" and event.reason == REASON and event.event_id.startswith("joined:")


def announcement(event: Event, to: str) -> bytes:
    """The event that tells the call `to` that it is one with the call of `event`."""
    return msgspec.json.encode(
        Event(
            type="data",
            at=event.at,
            call_id=to,
            event_id=f"joined:{event.call_id}",
            tenant=event.tenant,
            node=event.node,
            linked_ids=[event.call_id],
            reason=REASON,
        )
    )


def note(announce: dict[tuple[str, str, str], bytes], call: OpenCall, event: Event) -> None:
    """Remember the ids that an event links its call with, and have them told: `announce` maps
    (tenant, to, from) to the event that says so: two tenants may have the same ids."""
    for other in event.linked_ids or ():
        if not 0 < len(other) <= 256 or other == call.call_id or "\0" in other:
            continue
        if call.links is None:
            call.links = set()
        call.links.add(other)
        if not is_link(event):
            announce.setdefault((call.tenant, other, call.call_id), announcement(event, other))
