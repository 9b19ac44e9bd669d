"""The PBX: its channels and bridges, its clock, and all that it tells."""

from __future__ import annotations

from typing import Any, Final

from tests.pbx.asterisk import cel, manager
from tests.pbx.asterisk.channel import DOWN, RING, RINGING, UP, Bridge, Channel

T0: Final = 1_773_144_000  # 2026-03-10T12:00:00Z
_TICK: Final = 0.0003  # between two things that one cause has: some share a millisecond, as they really do
NORMAL_CLEARING, BUSY, ELSEWHERE, INTERWORKING = 16, 17, 26, 127

Told = tuple[float, dict[str, str]]  # seconds after T0, and a CEL row or a manager event


class Pbx:
    """`told` has everything, in order: CEL rows of all types and manager events."""

    def __init__(self) -> None:
        self.now = 0.0
        self.told: list[Told] = []
        self.parties: dict[str, Channel] = {}  # the newest channel of each party
        self.parked: dict[str, Channel] = {}
        self._serial = 0
        self._calls = 0
        self._bridges = 0
        self._linked: dict[str, int] = {}

    def at(self, seconds: float) -> None:
        """What follows happens now, or as soon as what was begun is over."""
        self.now = max(self.now + _TICK, seconds)

    # What it tells

    def row(self, channel: Channel, event: str, extra: dict[str, Any] | None = None, peer: str = "") -> None:
        self.told.append((self._tick(), cel.row(channel, event, extra, peer)))

    def event(self, name: str, *parts: dict[str, str], **further: str) -> None:
        self.told.append((self._tick(), manager.event(name, *parts, **further)))

    def _tick(self) -> float:
        self.now += _TICK
        return self.now

    # Channels

    def channel(self, device: str, **fields: Any) -> Channel:
        """A new channel of a device, or half of a Local channel. `requestor`: the channel it is made for."""
        self._serial += 1
        unique_id = f"{T0 + int(self.now)}.{self._serial}"
        requestor: Channel | None = fields.pop("requestor", None)
        linked_id = requestor.linked_id if requestor is not None else unique_id
        name = fields.pop("name", None)
        if name is None:
            self._calls += 1
            name = f"PJSIP/{device}-{self._calls:08x}"
        channel = Channel(name, unique_id, linked_id, **fields)
        self._linked[linked_id] = self._linked.get(linked_id, 0) + 1
        self.row(channel, "CHAN_START")
        self.event("Newchannel", manager.snapshot(channel))
        return channel

    def runs(self, channel: Channel, application: str, data: str = "") -> None:
        """The channel executes an application (main/pbx.c pbx_exec; cel_channel_app_change)."""
        if channel.application and channel.application != application:
            self.row(channel, "APP_END")
        begins = channel.application != application
        channel.application, channel.data = application, data
        if application and begins:
            self.row(channel, "APP_START")
        if application:
            extension = "" if channel.exten == "" else channel.exten
            snapshot = manager.snapshot(channel)
            self.event("Newexten", snapshot, Extension=extension, Application=application, AppData=data)

    def rings(self, channel: Channel) -> None:
        channel.state = RINGING
        self.event("Newstate", manager.snapshot(channel))

    def answers(self, channel: Channel) -> None:
        """The channel goes up (cel_channel_state_change)."""
        if channel.state == UP:
            return
        channel.state = UP
        self.row(channel, "ANSWER")
        self.event("Newstate", manager.snapshot(channel))

    def requested(self, channel: Channel) -> None:
        """The device itself ends its leg (manager event HangupRequest of ast_queue_hangup_with_cause)."""
        further = {"Cause": str(channel.cause)} if channel.cause else {}
        self.event("HangupRequest", manager.snapshot(channel), **further)

    def hangs_up(self, channel: Channel, cause: int | None = None, source: str | None = None) -> None:
        """The channel is destroyed."""
        if channel.gone:
            return
        channel.gone = True
        if cause is not None:
            channel.cause = cause
        if source is not None:
            channel.source = source
        if not channel.outgoing and channel.application:
            self.row(channel, "APP_END")
            channel.application = channel.data = ""
        extra = {"hangupcause": channel.cause, "hangupsource": channel.source, "dialstatus": channel.dial_status}
        self.row(channel, "HANGUP", extra)
        self.row(channel, "CHAN_END")
        self._retire(channel, channel.linked_id)
        further = {"Cause": str(channel.cause), "Cause-txt": "Normal Clearing" if channel.cause == 16 else "Unknown"}
        self.event("Hangup", manager.snapshot(channel), **further)

    def _retire(self, channel: Channel, linked_id: str) -> None:
        self._linked[linked_id] -= 1
        if not self._linked[linked_id]:
            self.row(channel, "LINKEDID_END")

    def dialplan_goes(self, channel: Channel, exten: str) -> None:
        """The channel's dial plan goes on at another extension."""
        channel.exten = exten

    # Bridges

    def bridge(self, technology: str = "simple_bridge", kind: str = "basic") -> Bridge:
        self._bridges += 1
        return Bridge(f"00000000-0000-4000-8000-{self._bridges:012x}", technology, kind)

    def enters(self, channel: Channel, bridge: Bridge) -> None:
        """A channel joins a bridge; all in it get the oldest linked id (ast_bridge … ast_channel_set_linkgroup)."""
        if channel.outgoing and channel.exten and not channel.is_local:
            channel.exten = ""
        others = list(bridge.inside)
        if others and bridge.kind == "basic":
            oldest = min((c.linked_id for c in (channel, *others)), key=_age)
            for each in (channel, *others):
                self._relink(each, oldest)
        bridge.inside.append(channel)
        channel.bridge = bridge
        extra = {"bridge_id": bridge.id, "bridge_technology": bridge.technology}
        self.row(channel, "BRIDGE_ENTER", extra, ",".join(c.name for c in others))
        self.event("BridgeEnter", manager.bridge_snapshot(bridge), manager.snapshot(channel))

    def leaves(self, channel: Channel) -> Bridge | None:
        """A channel leaves its bridge."""
        bridge = channel.bridge
        if bridge is None:
            return None
        bridge.inside.remove(channel)
        channel.bridge = None
        extra = {"bridge_id": bridge.id, "bridge_technology": bridge.technology}
        self.row(channel, "BRIDGE_EXIT", extra, ",".join(c.name for c in bridge.inside))
        self.event("BridgeLeave", manager.bridge_snapshot(bridge), manager.snapshot(channel))
        return bridge

    def _relink(self, channel: Channel, linked_id: str) -> None:
        if channel.linked_id == linked_id:
            return
        before, channel.linked_id = channel.linked_id, linked_id
        self._linked[linked_id] = self._linked.get(linked_id, 0) + 1
        self._linked[before] -= 1
        if not self._linked[before]:
            channel.linked_id = before  # the row is of the snapshot before
            self.row(channel, "LINKEDID_END")
            channel.linked_id = linked_id


def _age(linked_id: str) -> tuple[int, int]:
    seconds, _, serial = linked_id.partition(".")
    return int(seconds), int(serial)


__all__ = ["BUSY", "DOWN", "ELSEWHERE", "INTERWORKING", "NORMAL_CLEARING", "RING", "T0", "Pbx", "Told"]
