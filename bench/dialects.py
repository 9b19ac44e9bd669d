"""Raw events of answered calls as FreeSWITCH and Asterisk send them, for `bench.decode`."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import orjson

_CORE = "0d1f6d3a-1f5e-4c8b-9a51-7a3f8c2e4b60"
# What else every event of a channel bears: variables that nobody reads, here to give it the size that it has in the
# field.
_SDP = "v=0\r\no=- 1 1 IN IP4 192.0.2.7\r\ns=-\r\nc=IN IP4 192.0.2.7\r\nt=0 0\r\nm=audio 24010 RTP/AVP 8 0 101\r\n" * 2
_UNREAD = {f"variable_unread_{number:02}": f"value {number} of a channel variable" for number in range(30)}
_UNREAD |= {"variable_switch_r_sdp": _SDP, "variable_rtp_local_sdp_str": _SDP}


def freeswitch(calls: int, t0_ms: int) -> Iterator[bytes]:
    """Events of the event socket: two legs, eight events a call."""
    sequence = 100
    for call in range(calls):
        caller, phone = (str(uuid.UUID(int=(call << 8) + leg)) for leg in (1, 2))
        start = (t0_ms + call * 40) * 1000
        stamps: dict[str, dict[str, str]] = {caller: {}, phone: {}}
        for after, leg, name, stamp, extra in (
            (0, caller, "CREATE", "Created", {}),
            (50, phone, "CREATE", "Created", {}),
            (400, phone, "PROGRESS", "Progress", {}),
            (6_400, phone, "ANSWER", "Answered", {}),
            (6_450, caller, "ANSWER", "Answered", {"variable_current_application": "bridge"}),
            (6_500, caller, "BRIDGE", "Bridged", {"Bridge-A-Unique-ID": caller, "Bridge-B-Unique-ID": phone}),
            (66_500, caller, "HANGUP_COMPLETE", "Hangup", {"variable_sip_hangup_disposition": "recv_bye"}),
            (66_520, phone, "HANGUP_COMPLETE", "Hangup", {"variable_sip_hangup_disposition": "send_bye"}),
        ):
            sequence += 1
            at = str(start + after * 1000)
            stamps[leg][stamp] = at
            inward = leg == caller
            other = {} if inward else {"variable_originator": caller, "variable_dialed_user": "1001"}
            end = {"Hangup-Cause": "NORMAL_CLEARING", "variable_hangup_cause_q850": "16"} if stamp == "Hangup" else {}
            yield orjson.dumps(
                {
                    "Event-Name": f"CHANNEL_{name}",
                    "Core-UUID": _CORE,
                    "FreeSWITCH-Hostname": "fs1",
                    "FreeSWITCH-Switchname": "fs1",
                    "Event-Date-Timestamp": at,
                    "Event-Sequence": str(sequence),
                    **end,
                    "Unique-ID": leg,
                    "Call-Direction": "inbound" if inward else "outbound",
                    "Channel-Call-UUID": caller,
                    "Caller-Caller-ID-Name": f"Caller {call % 1000}",
                    "Caller-Caller-ID-Number": f"+44163296{call % 1000:04}",
                    "Caller-Destination-Number": "1001",
                    "Caller-Context": "public" if inward else "default",
                    **{f"Caller-Channel-{word}-Time": stamps[leg].get(word, "0") for word in _STAMPS},
                    "Other-Type": "originatee" if inward else "originator",
                    "Other-Leg-Unique-ID": phone if inward else caller,
                    **other,
                    **_UNREAD,
                    **extra,
                }
            )


_STAMPS = ("Created", "Answered", "Progress", "Progress-Media", "Hangup", "Bridged")


def asterisk(calls: int, t0_ms: int) -> Iterator[bytes]:
    """CEL rows as AMI events: two channels, ten rows a call."""
    for call in range(calls):
        start = t0_ms + call * 40
        first, second = (f"{start // 1000}.{2 * call + leg}" for leg in (0, 1))
        channels = {first: f"PJSIP/carrier1-{2 * call:08x}", second: f"PJSIP/1001-{2 * call + 1:08x}"}
        end = orjson.dumps({"hangupcause": 16, "hangupsource": channels[first], "dialstatus": "ANSWER"}).decode()
        bridge = orjson.dumps({"bridge_id": f"{uuid.UUID(int=call)}", "bridge_technology": "simple_bridge"}).decode()
        for after, channel, name, application, extra in (
            (0, first, "CHAN_START", "", ""),
            (50, second, "CHAN_START", "", ""),
            (6_400, second, "ANSWER", "AppDial", ""),
            (6_450, first, "ANSWER", "Dial", ""),
            (6_460, first, "BRIDGE_ENTER", "Dial", bridge),
            (6_470, second, "BRIDGE_ENTER", "AppDial", bridge),
            (66_500, first, "BRIDGE_EXIT", "Dial", bridge),
            (66_500, first, "HANGUP", "Dial", end),
            (66_510, second, "BRIDGE_EXIT", "AppDial", bridge),
            (66_520, second, "HANGUP", "AppDial", end),
        ):
            at = start + after
            yield orjson.dumps(
                {
                    "Event": "CEL",
                    "Privilege": "call,all",
                    "EventName": name,
                    "AccountCode": "",
                    "CallerIDnum": f"+44163296{call % 1000:04}" if channel == first else "1001",
                    "CallerIDname": "",
                    "CallerIDani": "",
                    "CallerIDrdnis": "",
                    "CallerIDdnid": "1001" if channel == first else "",
                    "Exten": "1001" if channel == first else "",
                    "Context": "from-trunk" if channel == first else "from-internal",
                    "Channel": channels[channel],
                    "Application": application,
                    "AppData": "",
                    "EventTime": f"{at // 1000}.{at % 1000:03}000",
                    "AMAFlags": "DOCUMENTATION",
                    "UniqueID": channel,
                    "LinkedID": first,
                    "UserField": "",
                    "Peer": "",
                    "PeerAccount": "",
                    "Extra": extra,
                    "SystemName": "pbx1",
                }
            )
