"""The fields of one Asterisk event, whichever interface wrote it, and what every event of a channel shares.

Header names differ in case only between AMI and CEL over AMI (`Uniqueid`, `UniqueID`), so they are looked up in lower
case; the columns of the CEL back-ends are brought to the same names by `cel`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final

from pipeline.sources.contract import Malformed, Options
from pipeline.sources.instants import instant
from schemas.event import EARLIEST_MS, Event, Party

LONGEST_TEXT: Final = 1024
_LONGEST_EVENT_ID: Final = 160
_LONGEST_ID: Final = 200  # with the node before it an id has at most 256 characters

_LINES: Final = "DAHDI/"
_GROUP: Final = re.compile(r"[gGrR]\d+\Z")  # of lines, of which chan_dahdi takes one
_NAME: Final = re.compile(r"([A-Za-z0-9_]+)/(.+?)(?:-[0-9a-fA-F]{4,16})?(?:;([12]))?")
# Words in the names of dial plan contexts by which people call where calls from outside, and from phones, begin.
_OUTSIDE: Final = ("trunk", "pstn", "external", "incoming", "inbound", "from-did", "carrier")
# Parts of names of contexts that the dial plan goes through, with whose call ever (FreePBX's macro-dialout-trunk).
_ON_THE_WAY: Final = ("macro-", "sub-", "dialout", "outrt")
_INSIDE: Final = ("internal", "inside", "phones", "users", "extensions", "local")
# Words in the names of devices by which people call trunks; asked where the context says neither.
_TRUNKS: Final = ("trunk", "carrier", "pstn", "provider", "gateway", "sbc", "dahdi/i")
# Channel technologies that a dial string may begin with.
_TECHNOLOGIES: Final = frozenset(("pjsip", "sip", "iax2", "dahdi", "sccp", "skinny", "ooh323", "motif", "woomera"))
_LONGEST_EXTENSION: Final = 6  # digits of a phone's own number
NOTHING: Final = frozenset(("<unknown>", "<null>", "(null)", "N/A", "anonymous", ""))
# Channels that are inner workings: halves of a call path, stand-ins, and what a channel leaves behind.
_INNER: Final = (
    "Local/",
    "AsyncGoto/",
    "Surrogate/",
    "Message/",
    "Recorder/",
    "Announcer/",
    "CBAnn/",
    "CBRec/",
    "Snoop/",
    "UnicastRTP/",
    "MulticastRTP/",
    "DAHDI/pseudo-",
)
_ZOMBIE: Final = "<ZOMBIE>"


class Fields:
    """One event: its fields by lower-case name, and what is made of them."""

    __slots__ = ("at", "latest", "name", "node", "options", "raw", "zone")

    def __init__(self, raw: Mapping[str, Any], options: Options, latest: int) -> None:
        self.raw = raw
        self.options = options
        self.zone = options.zone
        self.latest = latest
        self.node = ""
        self.name = ""
        self.at = 0

    def text(self, name: str) -> str:
        """A field as text, "" when it is not there."""
        value = self.raw.get(name, "")
        if value.__class__ is str:
            return value
        return str(value) if value.__class__ is int or value.__class__ is float else ""

    def first(self, *names: str) -> str:
        """The first of these fields that says something."""
        raw = self.raw
        for name in names:
            if name in raw:
                value = self.text(name)
                if value not in NOTHING:
                    return value
        return ""

    def number(self, *names: str) -> str:
        """The first of these fields, as a number or name that people read."""
        return self.first(*names).strip()[:LONGEST_TEXT]

    # When

    def begin(self, name: str, *times: str, unique_id: str) -> None:
        """Find node and instant; raises Malformed where there is no usable time."""
        self.name = name
        raw = self.raw
        node = raw.get("node") or raw.get("systemname")
        if not node or node.__class__ is not str:
            node = self.first("node", "systemname", "host", "server", "asterisk_id") or self.options.node
        if not node.isprintable():
            raise Malformed(f"/node: {node[:40]!r} has control characters; send printable text")
        self.node = node[:56]
        if self.options.zones:
            self.zone = self.options.zone_of(self.node)
        time_text = raw.get(times[0])
        if not time_text or time_text.__class__ is not str:
            time_text = self.first(*times)
        at = instant(time_text, self.zone, unique_id) if time_text else 0
        if EARLIEST_MS <= at <= self.latest:
            self.at = at
            return
        if not time_text:
            fix = "set timestampevents = yes in manager.conf" if times[0] == "timestamp" else "send the whole event"
            raise Malformed(f"/{times[0]}: is missing; {fix}")
        raise Malformed(
            f"/{times[0]}: {time_text[:40]!r} is no time since 2000 that has come; send epoch seconds or"
            " YYYY-MM-DD HH:MM:SS, and set the clock of the node"
        )

    # Which

    def id(self, unique_id: str) -> str:
        """The id of a channel or call across servers: unique ids of two servers may be equal."""
        found = channel_id(self.node, unique_id)
        if found is None:
            raise Malformed(f"/uniqueid: {unique_id[:40]!r} is no unique id; send it as Asterisk made it")
        return found

    def required(self, *names: str) -> str:
        """The first of these unique ids; raises Malformed when none is there."""
        found = self.first(*names)
        if not found:
            raise Malformed(f"/{names[0]}: is missing; send the whole event, as Asterisk gives it")
        return found

    def event(
        self, type_: str, unique_id: str, linked_id: str, *, what: str = "", mark: str = "", linked: bool = False
    ) -> Event:
        """An event of a channel.

        Asterisk numbers none, so its id is made of what tells it from the channel's others: what happened, when, and
        `what` (a state, a bridge, an application); `mark` tells two events of one report apart. `linked`: the channel's
        own id is an id of the call as well: it may be that the linked id has changed, because calls became one.
        """
        leg = self.id(unique_id)
        call_id = leg if linked_id == unique_id else self.id(linked_id) or leg
        id_ = f"ast-{leg}-{self.name}-{self.at}-{what}{mark}"
        if len(id_) > _LONGEST_EVENT_ID or not id_.isprintable():
            id_ = "ast-" + blake2b(id_.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        return Event(
            type_,
            self.at,
            call_id,
            id_,
            leg,
            self.options.tenant,
            self.node,
            linked_ids=[leg] if linked and leg != call_id else None,
        )


@lru_cache(maxsize=16384)
def channel_id(node: str, unique_id: str) -> str | None:
    """The id of a channel across servers: "" for no unique id, None for what cannot be one."""
    if not unique_id or unique_id in NOTHING:
        return ""
    if len(unique_id) > _LONGEST_ID or not unique_id.isprintable():
        return None
    return f"{node}-{unique_id}" if node else unique_id


def link(event: Event, *others: str) -> Event:
    """Add ids of the same call to an event."""
    known = {*(event.linked_ids or ()), *others} - {"", event.call_id}
    event.linked_ids = sorted(known) or None
    return event


def inner(channel: str) -> bool:
    """Whether a channel is none of a party: one half of a Local channel, a stand-in, or what a masquerade left."""
    return channel.startswith(_INNER) or channel.endswith(_ZOMBIE)


def local(channel: str) -> bool:
    """Whether a channel is one half of a Local channel: a piece of wire between two others."""
    return channel.startswith("Local/") and not channel.endswith(_ZOMBIE)


def zombie(channel: str) -> bool:
    """Whether a channel is what is left of one that another took the place of (main/channel.c, masquerade)."""
    return channel.endswith(_ZOMBIE)


@lru_cache(maxsize=4096)
def endpoint(channel: str) -> str:
    """The device of a channel: 1001 of `PJSIP/1001-0000002a`, 1003 of `Local/1003@from-queue-00000007;1`.

    Lines of DAHDI are numbered: the span `DAHDI/i1` of `DAHDI/i1/07700900123-2a`, `DAHDI/3` of `DAHDI/3-1`.
    """
    if channel[:6].upper() == _LINES:
        return (_LINES + channel[6:].partition("/")[0].partition("-")[0])[:LONGEST_TEXT]
    found = _NAME.fullmatch(channel.strip())
    device = found[2] if found else (channel.partition("/")[2] or channel)
    return device.partition("@")[0].partition("/")[0][:LONGEST_TEXT]


def own_number(channel: str) -> str:
    """The number of a phone by the name of its channel or dial string; "" for a trunk, and for a phone with a name."""
    device = endpoint(channel)
    return device if numeric(device) else ""


def dialled(string: str) -> tuple[str, str]:
    """The number and the trunk of one destination of Dial; ("", "") for a phone, and for the dial plan; no trunk where
    it is any line of a group.

    `PJSIP/0770…@carrier`, `SIP/carrier/0770…`, `PJSIP/carrier/sip:0770…@host`, `DAHDI/g1/0770…`; the manager tells them
    without the technology. `PJSIP/1001` and `PJSIP/1001/sip:1001@10.0.0.5` are phones.
    """
    technology, slash, rest = string.partition("/")
    word = technology.lower()
    if word == "local":
        return "", ""
    if not slash or word not in _TECHNOLOGIES:
        rest = string
    device, slash, number = rest.partition("/")
    if not slash:
        number, at, device = rest.partition("@")
        if not at:
            return "", ""
    number = number.partition("@")[0].rpartition(":")[2].strip()[:LONGEST_TEXT]
    if not numeric(number) or device == number:
        return "", ""
    if word == "dahdi":
        return number, "" if _GROUP.match(device) else endpoint(string)
    return ("", "") if is_extension(device) else (number, device[:LONGEST_TEXT])


def is_extension(device: str) -> bool:
    """Whether a text looks like the number of one of the PBX's own phones."""
    return device.isdigit() and len(device) <= _LONGEST_EXTENSION


def numeric(text: str) -> bool:
    """Whether a text is a number that can be dialled."""
    return text.lstrip("+*#").isdigit()


@lru_cache(maxsize=4096)
def outside(device: str, number: str, context: str) -> bool:
    """Whether a device is a trunk: calls from it begin where calls from outside do.

    Where the name of the context says neither, a device is one that is called so, or that is not named by a number and
    carries a number of seven digits or more.
    """
    if device == number or is_extension(device):
        return False
    where = context.lower()
    if not any(word in where for word in _ON_THE_WAY):
        if any(word in where for word in _OUTSIDE):
            return True
        if any(word in where for word in _INSIDE):
            return False
    name = device.lower()
    if any(word in name for word in _TRUNKS):
        return True
    return len(number.lstrip("+*#")) >= 7


def inside(context: str) -> bool:
    """Whether the name of a context says that calls of phones begin there."""
    where = context.lower()
    return not any(word in where for word in _OUTSIDE) and any(word in where for word in _INSIDE)


def party(number: str, name: str, device: str) -> Party:
    """A party; the device's number is an extension of the PBX."""
    own = number if number and number == device else ""
    return Party(number=number, name="" if name == number else name, extension=own)
