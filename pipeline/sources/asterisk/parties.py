"""Who is on an Asterisk channel: the caller on the first channel of a call, a party called on the others."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import msgspec

from pipeline.sources.asterisk.fields import LONGEST_TEXT, Fields, endpoint, numeric, outside, party
from schemas.event import Event, Party
from schemas.words import Direction, TargetKind

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


class Who(msgspec.Struct, frozen=True, gc=False):
    """What is known of a channel's party."""

    role: str = ""
    caller: Party | None = None
    callee: str | Party | None = None
    direction: Direction | None = None
    trunk: str = ""
    kind: TargetKind | None = None
    did: str = ""


@lru_cache(maxsize=32768)
def who(device: str, number: str, name: str, context: str, exten: str, first: bool) -> Who:
    """Who the party on a device is. `first`: the channel that began the call; `exten` is what it asks for."""
    if not first:
        callee, trunk = called(device, number, name)
        return Who(callee=callee, trunk=trunk, kind="outside" if trunk else None)
    caller = party(number or (device if numeric(device) else ""), name, device)
    asked = None if exten in NOWHERE else exten
    if number and outside(device, number, context):
        return Who("caller", caller, asked, "inbound", device, None, asked or "")
    return Who("caller", caller, asked)


def known(event: Event, found: Who, account: str, *, began: bool) -> Event:
    """Say on an event who its party is. The DID is told by its beginning only."""
    event.role, event.caller, event.callee = found.role, found.caller, found.callee
    event.direction, event.trunk, event.kind = found.direction, found.trunk, found.kind
    if began:
        event.did = found.did
    if account:
        event.user_data = account
    return event


def parties(fields: Fields, event: Event, channel: str, *, first: bool, number: str, name: str) -> Event:
    """Say on an event who the channel's party is. `first`: the channel that began the call."""
    began = event.type == "started"
    exten = fields.number("exten" if began else "calleriddnid")
    found = who(endpoint(channel), number, name, fields.text("context"), exten, first)
    return known(event, found, fields.number("accountcode")[:LONGEST_TEXT], began=began)


def called(device: str, number: str, name: str) -> tuple[Party, str]:
    """Whom a channel calls, and over which trunk."""
    if number and outside(device, number, "") and not numeric(device):
        return party(number, name, device), device
    return party(device if numeric(device) else number or device, name, device), ""


def answered(event: Event, application: str, *, first: bool) -> Event:
    """Say on an answer whether a phone or an application gave it."""
    if application in CALLED or not first:
        event.answered_by = "party"
    else:
        word = application.lower()
        if word in _ANSWERING:
            event.answered_by = "pbx"
            if word in _MENUS:
                event.kind = "ivr"
    return event


def is_menu(application: str) -> bool:
    """Whether an application lets the caller choose by keys."""
    return application.lower() in _MENUS
