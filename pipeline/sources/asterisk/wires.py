"""Events of Local channels: pieces of wire that the fold cuts out (`pipeline.calls.channels.wires`)."""

from __future__ import annotations

from schemas.event import Event, Facts


def wire(event: Event, channel: str) -> Event:
    """The event marked as one of half a Local channel: it is no party, so it says nothing of one."""
    event.role = "wire"
    if event.type != "data":
        event.kind = None
    event.caller = event.callee = event.direction = None
    event.trunk = event.trunk if event.reason == "dials" else ""
    event.did = event.user_data = ""
    event.hung_up_by = None
    bridge = event.data.bridge if event.data is not None else None
    event.data = Facts(bridge=bridge, device=channel)
    return event
