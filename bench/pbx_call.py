"""One ordinary call as FreeSWITCH and Asterisk tell it: a phone calls another, it rings, they talk, one hangs up."""

from __future__ import annotations

from uuid import UUID

import orjson

_CORE = "5f3c8c1e-6f4b-4a57-9d64-0c8c5a3b7e21"
# Headers and channel variables that every event of a real switch has and that say nothing of the call's course.
_FILLER = "variable_media_setting_%03d"


def freeswitch(number: int, at_ms: int, size: int = 0) -> list[bytes]:
    """The nine events of a call in the event socket's JSON, each of at least `size` bytes."""
    caller, callee = str(UUID(int=number * 2 + (7 << 96))), str(UUID(int=number * 2 + 1 + (7 << 96)))
    place = 0

    def told(name: str, leg: str, after_ms: int, **more: str) -> bytes:
        nonlocal place
        place += 1
        outward = leg == callee
        times = {"Created": 50 * outward, "Progress": 900 * outward, "Answered": 6000, "Bridged": 6020, "Hangup": 66000}
        event = {
            "Event-Name": name,
            "Core-UUID": _CORE,
            "FreeSWITCH-Hostname": "pbx1",
            "FreeSWITCH-Switchname": "pbx1",
            "Event-Date-Timestamp": str((at_ms + after_ms) * 1000),
            "Event-Sequence": str(number * 10 + place),
            "Channel-State": "CS_EXECUTE",
            "Channel-Name": "sofia/internal/1001@pbx.example.net",
            "Unique-ID": leg,
            "Call-Direction": "outbound" if outward else "inbound",
            "Channel-Call-UUID": caller,
            "Caller-Caller-ID-Name": f"Caller {number % 500}",
            "Caller-Caller-ID-Number": str(1000 + number % 500),
            "Caller-Destination-Number": str(2000 + number % 700),
            "Caller-Context": "default",
            "Caller-Profile-Index": "1",
            "Other-Type": "originator" if outward else "originatee",
            "Other-Leg-Unique-ID": caller if outward else callee,
        }
        if not outward and after_ms == 0:
            del event["Other-Type"], event["Other-Leg-Unique-ID"]
        for moment, reached in times.items():
            known = reached <= after_ms and (reached or moment == "Created")
            event[f"Caller-Channel-{moment}-Time"] = str((at_ms + reached) * 1000) if known else "0"
        variables = {"variable_direction": event["Call-Direction"], "variable_uuid": leg, "variable_call_uuid": caller}
        if outward:
            variables |= {"variable_originator": caller, "variable_dialed_user": event["Caller-Destination-Number"]}
        else:
            variables |= {"variable_user_name": event["Caller-Caller-ID-Number"]}
            variables |= {"variable_domain_name": "pbx.example.net", "variable_sip_req_host": "pbx.example.net"}
        event |= more | variables
        for filler in range(400):
            if len(orjson.dumps(event)) >= size:
                break
            event[_FILLER % filler] = "a value of some thirty letters"
        return orjson.dumps(event)

    heard = {"Bridge-A-Unique-ID": caller, "Bridge-B-Unique-ID": callee}
    gone = {"Hangup-Cause": "NORMAL_CLEARING", "variable_hangup_cause_q850": "16"}
    return [
        told("CHANNEL_CREATE", caller, 0),
        told("CHANNEL_CREATE", callee, 50),
        told("CHANNEL_PROGRESS", callee, 900),
        told("CHANNEL_ANSWER", callee, 6000),
        told("CHANNEL_ANSWER", caller, 6010),
        told("CHANNEL_BRIDGE", caller, 6020, **heard, variable_originated_legs=f"{callee};Outbound Call;2001"),
        told("CHANNEL_UNBRIDGE", caller, 66_000, **heard),
        told("CHANNEL_HANGUP_COMPLETE", callee, 66_020, **gone, variable_sip_hangup_disposition="send_bye"),
        told("CHANNEL_HANGUP_COMPLETE", caller, 66_030, **gone, variable_sip_hangup_disposition="recv_bye"),
    ]


def asterisk(number: int, at_ms: int) -> list[bytes]:
    """The ten rows of a call in Asterisk's channel event logging, as the manager interface gives them."""
    first = f"{at_ms // 1000}.{number * 2}"

    def told(name: str, side: int, after_ms: int, extra: str = "") -> bytes:
        own = str(1000 + number % 500) if side == 0 else str(2000 + number % 700)
        at = f"{(at_ms + after_ms) // 1000}.{(at_ms + after_ms) % 1000:03d}000"
        return orjson.dumps(
            {
                "Event": "CEL",
                "Privilege": "call,all",
                "Timestamp": at,
                "EventName": name,
                "AccountCode": "",
                "CallerIDnum": own,
                "CallerIDname": f"Caller {number % 500}",
                "CallerIDani": own,
                "CallerIDrdnis": "",
                "CallerIDdnid": str(2000 + number % 700),
                "Exten": str(2000 + number % 700),
                "Context": "from-internal",
                "Channel": f"PJSIP/{own}-{number * 2 + side:08x}",
                "Application": "AppDial" if side else "Dial",
                "AppData": "PJSIP/2001,30",
                "EventTime": at,
                "AMAFlags": "DOCUMENTATION",
                "UniqueID": first if side == 0 else f"{at_ms // 1000}.{number * 2 + 1}",
                "LinkedID": first,
                "Userfield": "",
                "Peer": "",
                "PeerAccount": "",
                "Extra": extra,
                "SystemName": "pbx1",
            }
        )

    bridge = f'{{"bridge_id":"{UUID(int=number)}","bridge_technology":"simple_bridge"}}'
    gone = '{"hangupcause":16,"hangupsource":"","dialstatus":"ANSWER"}'
    return [
        told("CHAN_START", 0, 0),
        told("CHAN_START", 1, 50),
        told("ANSWER", 1, 6000),
        told("ANSWER", 0, 6010),
        told("BRIDGE_ENTER", 1, 6020, bridge),
        told("BRIDGE_ENTER", 0, 6021, bridge),
        told("BRIDGE_EXIT", 0, 66_000, bridge),
        told("HANGUP", 0, 66_001, gone),
        told("BRIDGE_EXIT", 1, 66_002, bridge),
        told("HANGUP", 1, 66_003, gone),
    ]
