"""Asterisk manager interface (AMI) events → call events.

Reference: https://docs.asterisk.org/, AMI events. The field `Timestamp` is there with `timestampevents = yes` in
manager.conf; without it an event has no time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from pipeline.sources.asterisk.applications import application, dial_strings
from pipeline.sources.asterisk.cel import cel
from pipeline.sources.asterisk.fields import (
    LONGEST_TEXT,
    Fields,
    dialled,
    endpoint,
    inner,
    is_extension,
    link,
    local,
    numeric,
    own_number,
    zombie,
)
from pipeline.sources.asterisk.parties import ANSWERING, LEGS_TOLD, NOWHERE, ORIGINATED, UNREQUESTED, called, parties
from pipeline.sources.asterisk.wires import wire
from schemas.event import Event, Facts, Party

_RING, _RINGING, _UP = "4", "5", "6"  # channels that call, and that are called, until they are answered
_FAILED: Final = frozenset(("BUSY", "CONGESTION", "CHANUNAVAIL", "NOANSWER", "CANCEL"))


def ami(fields: Fields) -> list[Event]:
    """The events of one AMI event; none where it tells nothing of a call."""
    name = fields.text("event")
    if name == "CEL":
        return cel(fields)
    found = _HANDLERS.get(name)
    if found is None:
        return []
    handler, prefix = found
    unique_id = fields.text(prefix + "uniqueid")
    fields.begin(name, "timestamp", "eventtime", unique_id=unique_id)
    channel = fields.text(prefix + "channel")
    if inner(channel) and name not in _OF_LOCAL:
        if local(channel) and name in _OF_WIRE:
            return [wire(event, channel) for event in handler(fields)]
        return _displaced(fields) if name == "Hangup" and zombie(channel) else []
    return handler(fields)


def _event(
    fields: Fields, type_: str, prefix: str = "", *, what: str = "", mark: str = "", linked: bool = True
) -> Event:
    """An event of a channel. `linked`: with the channel's own id, should its linked id have changed: the channel may
    have begun a call of its own, which those that were called (they have no extension) have not."""
    unique_id = fields.required(prefix + "uniqueid")
    linked = linked and fields.text(prefix + "exten") not in NOWHERE
    return fields.event(type_, unique_id, fields.first(prefix + "linkedid"), what=what, mark=mark, linked=linked)


def _started(fields: Fields) -> list[Event]:
    event = _event(fields, "started", linked=False)
    first = event.leg_id == event.call_id
    number, name = fields.number("calleridnum"), fields.number("calleridname")
    parties(fields, event, fields.text("channel"), first=first, number=number, name=name)
    if not first:
        event.peer_leg_id = event.call_id
    return [event]


def _state(fields: Fields) -> list[Event]:
    state = fields.text("channelstate")
    if state == _RINGING:
        return [_event(fields, "rang", what=state, linked=False)]
    if state != _UP:
        return []
    event = _event(fields, "answered", what=state, linked=False)
    if event.leg_id != event.call_id:
        event.answered_by = "party"
    else:
        event.reason = LEGS_TOLD
    return [event]


def _dials(fields: Fields) -> list[Event]:
    """A channel is called for another: which, and under which number. Nobody calls it where the PBX itself does."""
    channel, callee = fields.text("channel"), fields.text("destchannel")
    if inner(callee):
        return []
    event = _event(fields, "data", "dest", linked=False)
    first = event.leg_id == event.call_id
    device, context, string = endpoint(callee), fields.text("destcontext"), fields.text("dialstring").partition(",")[0]
    lines = device.startswith("DAHDI/")
    number, trunk = dialled(f"DAHDI/{string}" if lines else string)
    if lines and number:
        trunk = device  # whichever of a group was free
    if not number:
        number = fields.number("destcalleridnum")
        event.callee, trunk = called(device, number if numeric(number) else "", "", context)
    else:
        event.callee = Party(number=number)
    if trunk:
        event.trunk, event.kind = trunk, "outside"
    if first:  # originated
        event.reason = "originate"
        event.callee = event.callee if trunk else None
        event.direction = "outbound" if trunk else None
    else:
        caller = "" if inner(channel) else fields.id(fields.text("uniqueid"))
        event.peer_leg_id = caller or event.call_id
    return [event]


def _dialled(fields: Fields) -> list[Event]:
    if inner(fields.text("destchannel")):
        return []
    status, forward = fields.text("dialstatus").upper(), fields.first("forward")
    events: list[Event] = []
    if forward:
        moved = _event(fields, "rerouted", "dest", mark="forward")
        moved.reason, moved.from_, moved.to = "forward", own_number(fields.text("destchannel")), endpoint(forward)
        events.append(moved)
        status = "FORWARDED"
    if status in _FAILED:
        event = _event(fields, "ended", "dest", linked=False)
        event.cause = status
        events.append(event)
    return events


def _displaced(fields: Fields) -> list[Event]:
    """What is left of a channel that another took the place of: its phone is out of the call. Yields to an end that
    is told of the channel itself."""
    (event,) = _hung_up(fields)
    event.reason = "hangup_record"
    return [event]


def _hung_up(fields: Fields) -> list[Event]:
    event = _event(fields, "ended")
    event.hung_up_by, event.reason = "peer", UNREQUESTED  # unless the device asked for it (HangupRequest)
    cause = fields.text("cause")
    if cause.isascii() and cause.isdigit() and 0 < int(cause[:6]) < 128:
        event.q850_cause, event.cause_from = int(cause), "native"
    return [event]


def _device_hung_up(fields: Fields) -> list[Event]:
    """The device itself ended its leg (BYE, CANCEL or a refusal)."""
    event = _event(fields, "ended")
    event.hung_up_by = "party"
    if fields.text("channelstate") == _RING:
        event.cause = "CANCEL"  # whose call nobody had answered
    return [event]


def _bridge(type_: str) -> Callable[[Fields], list[Event]]:
    def handler(fields: Fields) -> list[Event]:
        bridge = fields.first("bridgeuniqueid")[:LONGEST_TEXT]
        event = _event(fields, type_, what=bridge)
        if bridge:
            event.data = Facts(bridge)
        return [event]

    return handler


def _plain(type_: str) -> Callable[[Fields], list[Event]]:
    return lambda fields: [_event(fields, type_, linked=False)]


def _blind(fields: Fields) -> list[Event]:
    event = _event(fields, "transferred", "transferer")
    if fields.text("result") not in ("Success", ""):
        return []
    event.reason, event.to = "blind_transfer", fields.number("extension")
    event.transferee_leg_id = fields.id(fields.text("transfereeuniqueid"))
    return [link(event, event.transferee_leg_id, fields.id(fields.text("transfereelinkedid")))]


def _attended(fields: Fields) -> list[Event]:
    event = _event(fields, "transferred", "origtransferer")
    if fields.text("result") not in ("Success", ""):
        return []
    if fields.text("desttype").lower() == "threeway":
        event.reason = "three_way"  # nobody left
    else:
        event.reason = "attended_transfer"
    event.second_leg_id = fields.id(fields.text("secondtransfereruniqueid"))
    event.transferee_leg_id = fields.id(fields.text("transfereeuniqueid"))
    event.target_leg_id = fields.id(fields.text("transfertargetuniqueid"))
    target = endpoint(fields.text("transfertargetchannel"))
    event.to = target if numeric(target) else ""
    linked = ("secondtransfererlinkedid", "transfereelinkedid", "transfertargetlinkedid")
    others = [fields.id(fields.text(name)) for name in linked]
    return [link(event, event.second_leg_id, event.transferee_leg_id, event.target_leg_id, *others)]


def _picked_up(fields: Fields) -> list[Event]:
    """`Target…` is the channel that rang; it goes on as the phone that took the call."""
    event = _event(fields, "rerouted", "target")
    taker = fields.id(fields.text("uniqueid"))
    event.reason, event.from_ = "pickup", own_number(fields.text("targetchannel"))
    event.to = own_number(fields.text("channel"))
    event.by, event.target_leg_id = event.to or taker, taker
    taken = _event(fields, "data", "target", mark="taken")
    taken.reason, taken.peer_leg_id = "taken_over", taker
    return [link(event, taker), link(taken, taker)]


def _queue(type_: str, reason: str = "") -> Callable[[Fields], list[Event]]:
    def handler(fields: Fields) -> list[Event]:
        queue = fields.number("queue")
        event = _event(fields, type_, what=f"{queue} {fields.text('interface')}", linked=False)
        event.queue, event.reason = queue, reason
        if type_ == "queue_agent_rang" or reason == "answered":
            device, own = endpoint(fields.text("interface")), fields.number("destcalleridnum")
            if is_extension(own) and numeric(device) and device.endswith(own) and not inner(fields.text("destchannel")):
                device = own  # a phone that is called otherwise than its user
            event.agent = (
                device if numeric(device) else endpoint(fields.text("destchannel")) or fields.number("membername")
            )
        return [event]

    return handler


def _parked(fields: Fields) -> list[Event]:
    event = _event(fields, "rerouted", "parkee")
    event.reason, event.to = "park", fields.number("parkingspace") or fields.number("parkinglot")
    event.by = event.from_ = own_number(fields.text("parkerdialstring"))
    return [event]


def _unparked(fields: Fields) -> list[Event]:
    event = _event(fields, "data", "parkee")
    retriever = fields.id(fields.text("retrieveruniqueid"))
    return [link(event, retriever, fields.id(fields.text("retrieverlinkedid")))]


def _conference(type_: str) -> Callable[[Fields], list[Event]]:
    def handler(fields: Fields) -> list[Event]:
        room = fields.number("conference")
        event = _event(fields, type_, what=room, linked=False)
        event.conference = room
        return [event]

    return handler


def _executes(fields: Fields) -> list[Event]:
    """What the channel runs: a box, an application that answers by itself, Dial with its destinations."""
    word, data = fields.text("application").lower(), fields.text("appdata")
    if word == "appdial2":
        event = _event(fields, "data", mark="-originate", linked=False)
        if event.leg_id != event.call_id:
            return []
        event.reason = "originate"
        number, name = fields.number("calleridnum"), fields.number("calleridname")
        channel = fields.text("channel")
        return [parties(fields, event, channel, first=True, number=number, name=name, application=ORIGINATED)]
    if word == "dial":
        return dial_strings(data, lambda mark: _event(fields, "data", mark=mark, linked=False))
    if word not in ANSWERING:
        return []
    told = [application(_event(fields, "data", what=word, mark="-application", linked=False), word)]
    box = data.partition(",")[0].partition("&")[0].strip()[:LONGEST_TEXT]
    if word != "voicemail" or not box:
        return told
    event = _event(fields, "voicemail", what=box, linked=False)
    event.to = box
    moved = _event(fields, "rerouted", mark="-box", linked=False)
    moved.reason, moved.from_, moved.to = "forward", box.partition("@")[0], f"vm:{box}"
    return [*told, event, moved]


# Events whose first channel may be a half of a Local channel and that tell of another.
_OF_LOCAL: Final = frozenset(("DialBegin", "DialEnd"))
# What is told of half a Local channel.
_OF_WIRE: Final = frozenset(
    (
        "Newchannel",
        "Newstate",
        "Newexten",
        "Hangup",
        "BridgeEnter",
        "BridgeLeave",
        "QueueCallerJoin",
        "QueueCallerLeave",
        "QueueCallerAbandon",
        "AgentCalled",
        "AgentConnect",
        "ConfbridgeJoin",
        "ConfbridgeLeave",
        "ParkedCall",
        "UnParkedCall",
    )
)
_HANDLERS: Final[dict[str, tuple[Callable[[Fields], list[Event]], str]]] = {
    "Newchannel": (_started, ""),
    "Newstate": (_state, ""),
    "Newexten": (_executes, ""),
    "DialBegin": (_dials, ""),
    "DialEnd": (_dialled, ""),
    "HangupRequest": (_device_hung_up, ""),
    "Hangup": (_hung_up, ""),
    "BridgeEnter": (_bridge("bridged"), ""),
    "BridgeLeave": (_bridge("unbridged"), ""),
    "Hold": (_plain("held"), ""),
    "Unhold": (_plain("resumed"), ""),
    "BlindTransfer": (_blind, "transferer"),
    "AttendedTransfer": (_attended, "origtransferer"),
    "Pickup": (_picked_up, "target"),
    "QueueCallerJoin": (_queue("queue_joined"), ""),
    "AgentCalled": (_queue("queue_agent_rang"), ""),
    "AgentConnect": (_queue("queue_left", "answered"), ""),
    "QueueCallerAbandon": (_queue("queue_left", "abandoned"), ""),
    "QueueCallerLeave": (_queue("queue_left", "left_queue"), ""),
    "ParkedCall": (_parked, "parkee"),
    "UnParkedCall": (_unparked, "parkee"),
    "ConfbridgeJoin": (_conference("conference_joined"), ""),
    "ConfbridgeLeave": (_conference("conference_left"), ""),
}
