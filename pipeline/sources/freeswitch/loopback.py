"""Legs of mod_loopback: `loopback/1002-a` and `loopback/1002-b`, two halves that lead from one dialplan into another.

Neither is a party. What the second half calls is called for it, so its events bear an id of their own; all that the
halves tell is that these ids are one call.
"""

from __future__ import annotations

from typing import Final

from pipeline.sources.freeswitch.headers import Headers
from schemas.event import Event

_TRUE: Final = frozenset(("1", "true"))


def is_loopback(headers: Headers) -> bool:
    """Whether a leg is a half of a loopback."""
    name = headers.first("Channel-Name", "variable_channel_name")
    return name.startswith("loopback/") or headers.text("variable_is_loopback") in _TRUE


def halves(headers: Headers) -> list[Event]:
    """The ids that are one call with this half: its own, the other half's, and that for which it was called."""
    found = headers.event("data", headers.at, mark="loopback", linked=True)
    other = headers.usable("variable_other_loopback_leg_uuid")
    ids = {*(found.linked_ids or ()), headers.leg, other, headers.originator()} - {"", found.call_id}
    if not ids:
        return []
    found.leg_id, found.linked_ids = "", sorted(ids)
    return [found]
