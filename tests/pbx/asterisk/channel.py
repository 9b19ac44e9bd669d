"""A channel: what a snapshot of it holds (main/stasis_channels.c)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

DOWN, RING, RINGING, UP = 0, 4, 5, 6
STATES: Final = {DOWN: "Down", RING: "Ring", RINGING: "Ringing", UP: "Up"}


@dataclass(eq=False, slots=True)
class Channel:
    """One channel. `dialled_by`: whose application dialled it; `pair`: the other half of a Local channel."""

    name: str
    unique_id: str
    linked_id: str
    number: str = ""
    caller_name: str = ""
    ani: str = ""
    dnid: str = ""
    exten: str = ""
    context: str = ""
    application: str = ""
    data: str = ""
    state: int = DOWN
    cause: int = 0
    source: str = ""
    dial_status: str = ""
    account: str = ""
    bridge: Bridge | None = None
    dialled_by: Channel | None = None
    pair: Channel | None = None
    dialled: list[Channel] = field(default_factory=list)  # what its application rings
    gone: bool = False
    outgoing: bool = False

    @property
    def is_local(self) -> bool:
        return self.name.startswith("Local/")


@dataclass(eq=False, slots=True)
class Bridge:
    """A bridge and who is in it, in the order in which they came."""

    id: str
    technology: str = "simple_bridge"
    kind: str = "basic"
    inside: list[Channel] = field(default_factory=list)
