"""A story while it is played: the PBX, and on which channel each party's dial plan runs."""

from __future__ import annotations

from collections.abc import Mapping

from tests.pbx.asterisk.channel import Bridge, Channel
from tests.pbx.asterisk.dial import Dialler
from tests.pbx.asterisk.pbx import Pbx


class Scene:
    """`plans`: the channel that runs the dial plan for a party, where that is not the party's own."""

    def __init__(self, devices: Mapping[str, str]) -> None:
        self.pbx = Pbx()
        self.dialler = Dialler(self.pbx, dict(devices))
        self.plans: dict[str, Channel] = {}
        self.queues: dict[Channel, str] = {}  # who waits, and where
        self.served: dict[Channel, tuple[str, Channel]] = {}  # agent → queue and caller
        self.screened: set[Channel] = set()
        self.going_on: set[Channel] = set()  # Dial option g: the dial plan goes on when the callee is gone
        self.homes: dict[Channel, Bridge] = {}  # the bridge that who consults by key has left
        self.rooms: dict[str, Bridge] = {}
        self.parkers: dict[Channel, str] = {}  # who parked a channel

    def party(self, who: str) -> Channel:
        return self.pbx.parties[who]

    def plan(self, who: str) -> Channel:
        return self.plans.get(who) or self.party(who)

    def other(self, channel: Channel) -> Channel:
        """Who is in the bridge with a channel."""
        assert channel.bridge is not None
        return next(each for each in channel.bridge.inside if each is not channel)
