"""Documents of mod_json_cdr → the headers that the same leg's CHANNEL_HANGUP_COMPLETE has.

The module posts one document a leg when the leg is gone. Of its values only the `variables` are URL-encoded, or not
(`encode-values`); caller profiles and the application log never are (switch_ivr.c, switch_ivr_generate_json_cdr). Its
`callflow` is a list since 2017 and an object before; the newest profile comes first.
"""

from __future__ import annotations

import re
from typing import Any, Final

from pipeline.sources.contract import Malformed, Options
from pipeline.sources.freeswitch.channel import menu, voicemail
from pipeline.sources.freeswitch.hangup import record
from pipeline.sources.freeswitch.headers import Headers
from pipeline.sources.freeswitch.loopback import halves, is_loopback
from pipeline.sources.freeswitch.values import microseconds
from schemas.event import EARLIEST_MS, Event

# What switch_url_encode writes as %XX (switch_utils.h, SWITCH_URL_UNSAFE); it leaves text that looks like %XX as it is.
_UNSAFE: Final = re.compile(r"[^ -~]|[ #&+:;<=>?@\[\\\]^`{|}\"]")
_ENCODED: Final = re.compile(r"(?:%[0-9A-F]{2})+")


def document(raw: dict[str, Any], options: Options, until: int) -> list[Event]:
    """The events that a document remembers of its leg. Raises Malformed."""
    variables = raw.get("variables")
    if not isinstance(variables, dict):
        raise Malformed("/variables: is no object; send the whole document of mod_json_cdr")
    if any(isinstance(value, str) and _UNSAFE.search(value) for value in variables.values()):
        named = {f"variable_{name}": value for name, value in variables.items()}
    else:
        named = {f"variable_{name}": _decoded(value) for name, value in variables.items()}
    named["Core-UUID"] = raw.get("core-uuid", "")
    named["FreeSWITCH-Switchname"] = raw.get("switchname", "")
    channel = raw.get("channel_data")
    if isinstance(channel, dict):
        named["Call-Direction"] = channel.get("direction", "")
    flow = raw.get("callflow")
    profiles = [item for item in (flow if isinstance(flow, list) else [flow]) if isinstance(item, dict)]
    if profiles:
        _profile(named, profiles)
    headers = Headers(named, options, until)
    headers.leg = headers.id_of("variable_uuid")
    at = headers.ms("variable_end_uepoch", "Caller-Channel-Hangup-Time")
    if not at:
        shown = headers.text("variable_end_uepoch")[:40]
        raise Malformed(f"/variables/end_uepoch: {shown!r} is no time since 2000; send microseconds since 1970 UTC")
    headers.at = at
    if is_loopback(headers):
        return halves(headers)
    return record(headers, at) + _applications(headers, raw.get("app_log"))


def _profile(named: dict[str, Any], profiles: list[dict[str, Any]]) -> None:
    """The first profile has the number that was dialled, the last one the times."""
    first = min(profiles, key=_index)
    last = max(profiles, key=_index)
    caller = first.get("caller_profile")
    if isinstance(caller, dict):
        named["Caller-Caller-ID-Number"] = caller.get("caller_id_number")
        named["Caller-Caller-ID-Name"] = caller.get("caller_id_name")
        named["Caller-ANI"] = caller.get("ani")
        named["Caller-Destination-Number"] = caller.get("destination_number")
        named["Caller-Context"] = caller.get("context")
        named["Caller-Profile-Index"] = "1"
        originator = caller.get("originator")
        found = originator.get("originator_caller_profiles") if isinstance(originator, dict) else None
        if isinstance(found, list) and found and isinstance(found[0], dict) and not named.get("variable_originator"):
            named["variable_originator"] = found[0].get("uuid")
    times = last.get("times")
    if isinstance(times, dict):
        for name, header in _TIMES.items():
            named[header] = times.get(name, "")


_TIMES = {
    "created_time": "Caller-Channel-Created-Time",
    "progress_time": "Caller-Channel-Progress-Time",
    "progress_media_time": "Caller-Channel-Progress-Media-Time",
    "answered_time": "Caller-Channel-Answered-Time",
    "bridged_time": "Caller-Channel-Bridged-Time",
    "hangup_time": "Caller-Channel-Hangup-Time",
}


def _index(profile: dict[str, Any]) -> int:
    index = str(profile.get("profile_index", ""))
    return int(index) if index.isascii() and index.isdigit() and len(index) < 6 else 0


def _applications(headers: Headers, log: object) -> list[Event]:
    """Menus and mailboxes among the applications that the leg executed."""
    applications = log.get("applications") if isinstance(log, dict) else None
    events: list[Event] = []
    for item in applications if isinstance(applications, list) else ():
        name = str(item.get("app_name")) if isinstance(item, dict) else ""
        at = microseconds(str(item.get("app_stamp", ""))) // 1000 if name in ("ivr", "voicemail") else 0
        if not EARLIEST_MS <= at <= headers.at:
            continue
        events += [menu(headers, at)] if name == "ivr" else voicemail(headers, name, str(item.get("app_data")), at)
    return events


def _decoded(value: Any) -> Any:
    """A value before switch_url_encode: what that function does not write, such as %41, stood in the value itself."""
    return _ENCODED.sub(_characters, value) if isinstance(value, str) and "%" in value else value


def _characters(found: re.Match[str]) -> str:
    text = found[0]
    octets = bytearray()
    for place in range(0, len(text), 3):
        octet = int(text[place + 1 : place + 3], 16)
        if octet == 0x25 or _UNSAFE.match(chr(octet)):
            octets.append(octet)
        else:
            octets += text[place : place + 3].encode()
    return octets.decode("utf-8", "replace")
