"""Who is on an Asterisk channel: the caller on the first channel of a call, a party called on the others."""

from __future__ import annotations

from typing import Final

from pipeline.sources.asterisk_fields import LONGEST_TEXT, Fields, endpoint, numeric, outside, party
from schemas.event import Event, Party

# Applications by which Asterisk itself takes a call.
_ANSWERING: Final = frozenset(
    (
        "agi",
        "answer",
        "background",
        "bridgewait",
        "confbridge",
        "echo",
        "meetme",
        "musiconhold",
        "park",
        "parkandannounce",
        "playback",
        "read",
        "record",
        "stasis",
        "voicemail",
        "voicemailmain",
        "waitexten",
    )
)
# What a channel that was called runs.
CALLED: Final = frozenset(("AppDial", "AppDial2", "AppQueue"))
_MENUS: Final = frozenset(("background", "read", "waitexten"))
NOWHERE: Final = frozenset(("", "s", "h", "i", "t"))


def parties(fields: Fields, event: Event, channel: str, *, first: bool, number: str, name: str) -> Event:
    """Say on an event who the channel's party is. `first`: the channel that began the call."""
    device = endpoint(channel)
    context = fields.text("context")
    if first:
        event.role = "caller"
        exten = fields.number("exten")
        if event.type != "started":
            exten = fields.number("calleriddnid")
        if exten not in NOWHERE:
            event.callee = exten
        event.caller = party(number or (device if numeric(device) else ""), name, device)
        if number and outside(device, number, context):
            event.direction, event.trunk = "inbound", device
            if event.type == "started" and exten not in NOWHERE:
                event.did = exten
    else:
        event.callee, trunk = called(device, number, name)
        if trunk:
            event.trunk, event.kind = trunk, "outside"
    account = fields.number("accountcode")
    if account:
        event.user_data = account[:LONGEST_TEXT]
    return event


def called(device: str, number: str, name: str) -> tuple[Party, str]:
    """Whom a channel calls, and over which trunk."""
    if number and outside(device, number, "") and not numeric(device):
        return party(number, name, device), device
    return party(device if numeric(device) else number or device, name, device), ""


def answered(event: Event, application: str, *, first: bool) -> Event:
    """Say on an answer whether a phone or an application gave it."""
    word = application.lower()
    if application in CALLED or not first:
        event.answered_by = "party"
    elif word in _ANSWERING:
        event.answered_by = "pbx"
        if word in _MENUS:
            event.kind = "ivr"
    return event


def is_menu(application: str) -> bool:
    """Whether an application lets the caller choose by keys."""
    return application.lower() in _MENUS
