"""Who is on an Asterisk channel: the caller on the first channel of a call, a party called on the others."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import msgspec

from pipeline.sources.asterisk.fields import (
    LONGEST_TEXT,
    Fields,
    endpoint,
    inside,
    is_extension,
    numeric,
    outside,
    party,
)
from schemas.event import Event, Facts, Party
from schemas.words import Direction, TargetKind

# Applications that have a caller answered because somebody else answered. All others answer by themselves.
_CONNECTING: Final = frozenset(
    ("", "dial", "retrydial", "queue", "parkedcall", "pickup", "pickupchan", "bridge", "bridgeadd", "page")
)
# Applications that the manager tells of (Newexten) and that answer, of those that people's dial plans use.
ANSWERING: Final = frozenset(
    (
        "agentlogin",
        "agentrequest",
        "agi",
        "amd",
        "answer",
        "authenticate",
        "background",
        "backgrounddetect",
        "bridgewait",
        "chanspy",
        "confbridge",
        "controlplayback",
        "dictate",
        "directory",
        "disa",
        "echo",
        "extenspy",
        "externalivr",
        "festival",
        "followme",
        "meetme",
        "milliwatt",
        "minivmgreet",
        "minivmrecord",
        "morsecode",
        "mp3player",
        "musiconhold",
        "park",
        "parkandannounce",
        "playback",
        "playtones",
        "privacymanager",
        "queuelog",
        "read",
        "readexten",
        "receivefax",
        "record",
        "rxfax",
        "sayalpha",
        "saydigits",
        "saynumber",
        "sayphonetic",
        "sayunixtime",
        "senddtmf",
        "sendfax",
        "sms",
        "speechbackground",
        "stasis",
        "txfax",
        "vmauthenticate",
        "voicemail",
        "voicemailmain",
        "waitexten",
        "waitfornoise",
        "waitforsilence",
        "zapateller",
    )
)
# What a channel that was called runs; AppDial2 one that the PBX originated.
CALLED: Final = frozenset(("AppDial", "AppDial2", "AppQueue"))
ORIGINATED: Final = "AppDial2"
LEGS_TOLD: Final = "legs_told"  # reason of an answer: the manager tells of every channel
UNREQUESTED: Final = "unrequested"  # reason of an end that no device asked for
_MENUS: Final = frozenset(("background", "read", "readexten", "waitexten"))
NOWHERE: Final = frozenset(("", "s", "h", "i", "t"))


class Who(msgspec.Struct, frozen=True, gc=False):
    """What is known of a channel's party."""

    role: str = ""
    caller: Party | None = None
    callee: str | Party | None = None
    direction: Direction | None = None
    trunk: str = ""
    kind: TargetKind | None = None
    did: str = ""
    device: Facts | None = None


@lru_cache(maxsize=32768)
def who(device: str, number: str, name: str, context: str, exten: str, first: bool, began: bool) -> Who:
    """Who the party on a device is.

    `first`: the channel that began the call; `exten` is what it asks for. `began`: as the channel begins; later the
    dial plan may have set another caller id, and says nothing of where the call comes from.
    """
    if not first:
        callee, trunk = called(device, number, name, context, own=began)
        facts = None if is_extension(device) else Facts(device=device)
        return Who(callee=callee, trunk=trunk, kind="outside" if trunk else None, device=facts)
    # A phone whose digits come one by one begins at its own number (chan_sccp); later rows tell the number it dialled.
    asked = None if exten in NOWHERE or (began and exten == device) else exten
    if outside(device, number if began else "", context):
        return Who("caller", party(number, name, device), asked, "inbound", device, None, asked or "")
    # Of a phone without a caller id its name is all that is known. What the PBX does then may show that it is a line.
    line = None if inside(context) or device == number or is_extension(device) else Facts(device=device)
    return Who("caller", party(number or device, name, device), asked, device=line)


@lru_cache(maxsize=4096)
def originated(device: str, number: str, name: str, context: str) -> Who:
    """Who is on a channel that the PBX began by itself: the caller's own phone, or somebody outside, who is called."""
    if outside(device, number, context):
        shown = Party(number=number, name="" if name == number else name)
        return Who("caller", shown, None, "outbound", device, "outside")
    return Who("caller", party(number or device, name, device))


def known(event: Event, found: Who, account: str, *, began: bool) -> Event:
    """Say on an event who its party is. The DID is told by its beginning only."""
    event.role, event.caller, event.callee = found.role, found.caller, found.callee
    event.direction, event.trunk, event.kind = found.direction, found.trunk, found.kind
    if began:
        event.did = found.did
        event.data = found.device
    if account:
        event.user_data = account
    return event


def parties(
    fields: Fields, event: Event, channel: str, *, first: bool, number: str, name: str, application: str = ""
) -> Event:
    """Say on an event who the channel's party is. `first`: the channel that began the call."""
    began = event.type == "started"
    exten = fields.number("exten" if began else "calleriddnid")
    device, context, account = endpoint(channel), fields.text("context"), fields.number("accountcode")[:LONGEST_TEXT]
    if first and application == ORIGINATED:
        return known(event, originated(device, number, name, context), account, began=began)
    if first and began and exten in NOWHERE:
        # Either the PBX begins it, or it comes over a line that tells no number: its later events say which.
        trunk = device if outside(device, number, context) else ""
        found = Who("caller", party(number, name, device) if number else None, trunk=trunk)
        return known(event, found, account, began=began)
    return known(event, who(device, number, name, context, exten, first, began), account, began=began)


def called(device: str, number: str, name: str, context: str = "", *, own: bool = False) -> tuple[Party, str]:
    """Whom a channel calls, and over which trunk. The name of a trunk, or of a phone, is no number.

    `own`: the number is the phone's own caller id, and not what the dial plan put there: where a phone is called
    otherwise than its user (91201 for 201), that is the extension.
    """
    # A device that is called by a long number may be a trunk with the account of its carrier, if its context says so.
    if not is_extension(device) and outside(device, "" if numeric(device) else number, context):
        return party(number, name, device), device
    if own and number != device and is_extension(number) and numeric(device) and device.endswith(number):
        return Party(number=number, name="" if name == number else name, extension=number), ""
    return party(device if numeric(device) else number, name, device), ""


def answered(event: Event, application: str, *, first: bool) -> Event:
    """Say on an answer whether a phone or an application gave it."""
    if application in CALLED or not first:
        event.answered_by = "party"
    else:
        word = application.lower()
        if word not in _CONNECTING:
            event.answered_by = "pbx"
            if word in _MENUS:
                event.kind = "ivr"
    return event


def is_menu(application: str) -> bool:
    """Whether an application lets the caller choose by keys."""
    return application.lower() in _MENUS
