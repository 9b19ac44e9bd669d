"""Which legs are open on a node, so that their end can be told when the node began anew or they are gone."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Collection, Iterable
from typing import Final

import msgspec

from schemas.event import Event

# Legs remembered; beyond, the oldest are left to the time after which a silent call is closed.
MOST: Final = 200_000


class OpenLegs:
    """The legs of one node that began and did not end, as its events told."""

    def __init__(self) -> None:
        self._legs: OrderedDict[str, tuple[str, str, str]] = OrderedDict()  # leg → call, node, tenant

    def __len__(self) -> int:
        return len(self._legs)

    def note(self, events: Iterable[Event]) -> None:
        """Take in what the node told."""
        for event in events:
            if event.type == "ended":
                self._legs.pop(event.leg_id, None)
            elif event.type == "started" and event.leg_id:
                self._legs[event.leg_id] = (event.call_id, event.node, event.tenant)
                if len(self._legs) > MOST:
                    self._legs.popitem(last=False)

    def known(self) -> list[str]:
        """The legs that are open."""
        return list(self._legs)

    def ended(self, at: int, legs: Collection[str]) -> list[tuple[bytes, bytes]]:
        """Forget these legs; (key, value) of the call events that say that the node lost them at `at` (ms).

        A call some of whose legs live on is left alone: its end is told by those.
        """
        gone = {leg: self._legs.pop(leg) for leg in legs if leg in self._legs}
        alive = {call for call, _, _ in self._legs.values()}
        events: list[tuple[bytes, bytes]] = []
        for call_id, node, tenant in dict.fromkeys(gone.values()):
            if call_id in alive:
                continue
            event = Event(
                type="data",
                at=at,
                call_id=call_id,
                event_id=f"restart-{node[:100]}-{at}",
                tenant=tenant,
                node=node,
                reason="node_restart",
            )
            events.append((call_id.encode(), msgspec.json.encode(event)))
        return events
