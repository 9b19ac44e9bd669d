"""One channel of the simulated FreeSWITCH, and the headers that its events carry."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any, Final

TIMES: Final = ("Created", "Progress", "Progress-Media", "Answered", "Bridged", "Hangup")
PBX: Final = "pbx.example"


@dataclass(eq=False)
class Channel:
    """`times`: microseconds since the epoch, 0 for never."""

    place: int
    outward: bool
    number: str  # whom it shows as the caller
    dialled: str
    context: str = "default"
    gateway: str = ""
    user: str = ""  # of the phone that has signed in, or that is called
    name: str = ""
    originator: Channel | None = None
    agent_of: Channel | None = None  # the member of a queue for whom this agent is called
    variables: dict[str, str] = field(default_factory=dict)
    times: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TIMES, 0))
    peer: Channel | None = None
    called: list[Channel] = field(default_factory=list)
    ended: bool = False
    last_cause: str = ""  # of the attempt before, which the dial plan hangs up with
    application: str = ""
    holds: list[int] = field(default_factory=list)
    log: list[dict[str, str]] = field(default_factory=list)  # the applications that it ran

    @property
    def uuid(self) -> str:
        return str(uuid.uuid5(uuid.NAMESPACE_OID, f"channel {self.place}"))

    @property
    def answered(self) -> bool:
        return bool(self.times["Answered"])

    def all_variables(self) -> dict[str, str]:
        """The channel variables as switch_channel_set_variable left them."""
        told = {
            "uuid": self.uuid,
            "direction": "outbound" if self.outward else "inbound",
            "call_uuid": self.call_uuid(),
            "channel_name": f"sofia/{self.profile}/{self.dialled if self.outward else self.number}@192.0.2.1",
            "sofia_profile_name": self.profile,
            "sip_call_id": f"{self.place}@192.0.2.20",
        }
        if self.outward:
            told |= {"sip_gateway_name": self.gateway} if self.gateway else {"dialed_user": self.user}
        else:
            told |= {"sip_req_user": self.dialled, "sip_req_host": PBX}
            told |= {"sip_gateway": self.gateway} if self.gateway else {}
            told |= {"sip_auth_username": self.user, "user_name": self.user} if self.user else {}
        if self.originator is not None:
            told["originator"] = self.originator.uuid
        if self.agent_of is not None:
            told |= {"cc_side": "agent", "cc_member_session_uuid": self.agent_of.uuid, "cc_agent": f"{self.user}@{PBX}"}
        if self.application:
            told["current_application"] = self.application
        if self.called:
            told["originated_legs"] = "ARRAY::" + "|:".join(f"{c.uuid};Outbound Call;{c.dialled}" for c in self.called)
        if self.holds:
            pairs = [f"{{{a},{b}}}" for a, b in zip_longest(self.holds[::2], self.holds[1::2], fillvalue=0)]
            told["hold_events"] = "{" + ",".join(pairs) + "}"
        return told | self.variables

    @property
    def profile(self) -> str:
        return "external" if self.gateway else "internal"

    def call_uuid(self) -> str:
        return self.originator.uuid if self.originator is not None else self.uuid

    def headers(self) -> dict[str, Any]:
        """What every event of the channel carries (switch_channel_event_set_data)."""
        told = {
            "Unique-ID": self.uuid,
            "Call-Direction": "outbound" if self.outward else "inbound",
            "Channel-Call-UUID": self.call_uuid(),
            "Channel-Name": self.all_variables()["channel_name"],
            "Answer-State": "hangup" if self.ended else "answered" if self.answered else "ringing",
            "Caller-Direction": "outbound" if self.outward else "inbound",
            "Caller-Caller-ID-Name": self.name or self.number,
            "Caller-Caller-ID-Number": self.number,
            "Caller-Orig-Caller-ID-Number": self.number,
            "Caller-ANI": self.number,
            "Caller-Destination-Number": self.dialled,
            "Caller-Context": self.context,
            "Caller-Profile-Index": "1",
        }
        told |= {f"Caller-Channel-{name}-Time": str(at) for name, at in self.times.items()}
        if self.originator is not None:
            told |= {"Other-Type": "originator", "Other-Leg-Unique-ID": self.originator.uuid}
            told["Other-Leg-Destination-Number"] = self.originator.dialled
        return told | {f"variable_{name}": value for name, value in self.all_variables().items()}

    def document(self, *, encoded: bool) -> dict[str, Any]:
        """The channel's record as mod_json_cdr posts it (switch_ivr_generate_json_cdr)."""
        stamps = {"Created": "start", "Answered": "answer", "Progress": "progress", "Progress-Media": "progress_media"}
        stamps |= {"Bridged": "bridge", "Hangup": "end"}
        variables = self.all_variables()
        variables |= {f"{word}_uepoch": str(self.times[name]) for name, word in stamps.items()}
        variables["start_stamp"] = "2026-03-10 12:00:00"
        times = {f"{name.lower().replace('-', '_')}_time": str(at) for name, at in self.times.items()}
        profile = {"caller_id_name": self.name or self.number, "caller_id_number": self.number, "ani": self.number}
        profile |= {"destination_number": self.dialled, "uuid": self.uuid, "context": self.context}
        return {
            "core-uuid": CORE,
            "switchname": "fs1",
            "channel_data": {"state": "CS_REPORTING", "direction": variables["direction"]},
            "variables": {key: _encoded(value) for key, value in variables.items()} if encoded else variables,
            "app_log": {"applications": self.log},
            "callflow": [{"profile_index": "1", "caller_profile": profile, "times": times}],
        }


CORE: Final = "0d1f6d3a-1f5e-4c8b-9a51-7a3f8c2e4b60"


def _encoded(text: str) -> str:
    """switch_url_encode, for the characters of these documents."""
    return "".join(f"%{ord(each):02X}" if each in ' #%&+:;<=>?@[\\]^`{|}"' else each for each in text)
