"""The simulated switch: its clock, its channels, and everything that it tells."""

from __future__ import annotations

import json
from typing import Any, Final

from tests.pbx.folded import T0_MS
from tests.pbx.freeswitch.channel import CORE, Channel

# Cause → Q.850 number, and the SIP status that a phone refuses with or FreeSWITCH refuses the caller with.
CAUSES: Final = {
    "NORMAL_CLEARING": (16, 200),
    "ORIGINATOR_CANCEL": (16, 487),
    "LOSE_RACE": (16, 487),
    "NO_ANSWER": (19, 480),
    "USER_BUSY": (17, 486),
    "CALL_REJECTED": (21, 603),
    "NORMAL_TEMPORARY_FAILURE": (41, 503),
    "UNALLOCATED_NUMBER": (1, 404),
    "USER_NOT_REGISTERED": (20, 480),
    "GATEWAY_DOWN": (0, 502),
    "NORMAL_UNSPECIFIED": (31, 302),
    "BLIND_TRANSFER": (16, 200),
    "ATTENDED_TRANSFER": (16, 200),
}


class Switch:
    """`events` as event-socket JSON, `documents` as mod_json_cdr posts them, each in order."""

    def __init__(self) -> None:
        self.now = 0  # microseconds since the epoch
        self.events: list[bytes] = []
        self.documents: list[bytes] = []
        self.parties: dict[str, Channel] = {}
        self._channels = 0

    def at(self, seconds: float) -> None:
        """The clock is set to a step of the story; what one step makes happen takes a few milliseconds."""
        self.now = max(T0_MS * 1000 + round(seconds * 1_000_000), self.now + 1000 if self.events else 0)

    def channel(self, *, outward: bool, number: str, dialled: str, **fields: Any) -> Channel:
        """A new channel, told as CHANNEL_CREATE."""
        self._channels += 1
        self.now += 1000
        made = Channel(self._channels, outward, number, dialled, **fields)
        made.times["Created"] = self.now
        if made.originator is not None:
            made.originator.called.append(made)
        self.tell(made, "CHANNEL_CREATE")
        return made

    def tell(self, channel: Channel, name: str, subclass: str = "", **headers: str) -> None:
        """One event of a channel."""
        event = {
            "Event-Name": name,
            "Core-UUID": CORE,
            "FreeSWITCH-Hostname": "fs1",
            "FreeSWITCH-Switchname": "fs1",
            "Event-Date-Timestamp": str(self.now),
            "Event-Sequence": str(500 + len(self.events)),
        }
        event |= {"Event-Subclass": subclass} if subclass else {}
        named = {key.replace("_", "-") if key[:1].isupper() else key: value for key, value in headers.items()}
        self.events.append(json.dumps(event | channel.headers() | named).encode())

    def executes(self, channel: Channel, application: str, data: str = "") -> None:
        """The channel's dial plan runs an application."""
        channel.application = application
        channel.log.append({"app_name": application, "app_data": data, "app_stamp": str(self.now)})
        channel.variables["current_application_data"] = data
        self.tell(channel, "CHANNEL_EXECUTE", Application=application, Application_Data=data)

    def rings(self, channel: Channel, word: str = "Progress") -> None:
        """180, or 183 with `Progress-Media`: the leg, then the caller's, if that is not answered yet."""
        for each in (channel, channel.originator):
            if each is not None and not each.answered and not each.times[word]:
                each.times[word] = self.now
                self.tell(each, f"CHANNEL_{word.upper().replace('-', '_')}")

    def answers(self, channel: Channel, application: str = "") -> None:
        """The channel is answered, by its phone or, on the caller's side, by an application."""
        if channel.answered:
            return
        channel.times["Answered"] = self.now
        channel.application = application or channel.application
        self.tell(channel, "CHANNEL_ANSWER")

    def bridges(self, one: Channel, other: Channel) -> None:
        """The two hear each other (switch_ivr_multi_threaded_bridge)."""
        for leg, peer in ((one, other), (other, one)):
            leg.peer, leg.times["Bridged"] = peer, self.now
            leg.variables |= {"bridge_uuid": peer.uuid, "last_bridge_to": peer.uuid}
        self.tell(one, "CHANNEL_BRIDGE", Bridge_A_Unique_ID=one.uuid, Bridge_B_Unique_ID=other.uuid)

    def parts(self, channel: Channel) -> Channel | None:
        """The end of the bridge that a channel is in; who was there with it."""
        peer = channel.peer
        if peer is not None:
            self.tell(channel, "CHANNEL_UNBRIDGE", Other_Leg_Unique_ID=peer.uuid)
            channel.peer = peer.peer = None
        return peer

    def ends(self, channel: Channel, cause: str, disposition: str) -> None:
        """A channel is gone, and its record is posted."""
        if channel.ended:
            return
        channel.ended, channel.times["Hangup"] = True, self.now
        if channel.originator is not None:
            channel.originator.last_cause = cause
        number, status = CAUSES[cause]
        channel.variables |= {"hangup_cause": cause, "hangup_cause_q850": str(number)}
        channel.variables["sip_hangup_disposition"] = disposition
        if not disposition.endswith("bye"):
            channel.variables["sip_term_status"] = str(status)
        self.tell(channel, "CHANNEL_HANGUP", Hangup_Cause=cause)
        self.tell(channel, "CHANNEL_HANGUP_COMPLETE", Hangup_Cause=cause)
        document = channel.document(encoded=len(self.documents) % 2 == 0)
        self.documents.append(json.dumps(document).encode())
