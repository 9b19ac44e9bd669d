"""Asterisk REST interface (ARI) events → call events, where an application in Stasis gets them.

ARI knows no linked id: a call is known by its channels, joined by Dial, bridge and transfer events.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pipeline.sources.asterisk.fields import LONGEST_TEXT, Fields, endpoint, inner, link, numeric
from pipeline.sources.asterisk.parties import called, parties
from pipeline.sources.contract import Malformed
from pipeline.sources.instants import instant
from schemas.event import EARLIEST_MS, Event, Facts

Channel = dict[str, Any]


def ari(fields: Fields) -> list[Event]:
    """The events of one ARI event; none where it tells nothing of a call."""
    found = _HANDLERS.get(fields.text("type"))
    if found is None:
        return []
    name, handler = found
    channel = _channel(fields, name)
    if channel is None:
        raise Malformed(f"/{name}: is missing; send the whole event, as ARI gives it")
    fields.begin(fields.text("type"), "timestamp", unique_id=_text(channel, "id"))
    if inner(_text(channel, "name")):
        return []
    return handler(fields, channel)


def _channel(fields: Fields, name: str) -> Channel | None:
    value = fields.raw.get(name)
    return value if isinstance(value, dict) else None


def _text(channel: Channel | None, name: str, inside: str = "") -> str:
    value = channel.get(name) if channel else None
    if inside:
        value = value.get(inside) if isinstance(value, dict) else None
    return value[:LONGEST_TEXT] if isinstance(value, str) else ""


def _event(fields: Fields, type_: str, channel: Channel, *, what: str = "") -> Event:
    unique_id = _text(channel, "id")
    if not unique_id:
        raise Malformed("/channel/id: is missing; send the whole event, as ARI gives it")
    return fields.event(type_, unique_id, _text(channel, "linkedid"), what=what, linked=True)


def _created(fields: Fields, channel: Channel) -> list[Event]:
    event = _event(fields, "started", channel)
    born = instant(_text(channel, "creationtime"), fields.zone, "")
    if EARLIEST_MS <= born <= fields.at:
        event.at = born
    number, name = _text(channel, "caller", "number"), _text(channel, "caller", "name")
    exten = _text(channel, "dialplan", "exten")
    plan = {"exten": exten, "context": _text(channel, "dialplan", "context")}
    about = Fields(plan, fields.options, fields.latest)
    called_out = not exten or _text(channel, "state") == "Down"
    parties(about, event, _text(channel, "name"), first=not called_out, number=number, name=name)
    event.role = "" if called_out else event.role
    event.event_id = f"ast-{event.leg_id}-started"
    return [event]


def _state(fields: Fields, channel: Channel) -> list[Event]:
    state = _text(channel, "state")
    type_ = {"Ringing": "rang", "Up": "answered"}.get(state)
    return [_event(fields, type_, channel, what=state)] if type_ else []


def _destroyed(fields: Fields, channel: Channel) -> list[Event]:
    event = _event(fields, "ended", channel)
    cause = fields.raw.get("cause")
    if isinstance(cause, int) and 0 < cause < 128:
        event.q850_cause, event.cause_from = cause, "native"
    return [event]


def _dial(fields: Fields, peer: Channel) -> list[Event]:
    caller = _channel(fields, "caller")
    event = _event(fields, "data", peer, what=fields.text("dialstatus"))
    dialled = fields.text("dialstring").rpartition("/")[2].partition("@")[0]
    event.callee, trunk = called(endpoint(_text(peer, "name")), dialled if numeric(dialled) else "", "")
    if trunk:
        event.trunk, event.kind = trunk, "outside"
    if caller is not None and not inner(_text(caller, "name")):
        event.peer_leg_id = fields.id(_text(caller, "id"))
        link(event, event.peer_leg_id)
    if fields.text("dialstatus") == "RINGING":
        event.type = "rang"
    return [event]


def _bridge(type_: str) -> Callable[[Fields, Channel], list[Event]]:
    def handler(fields: Fields, channel: Channel) -> list[Event]:
        bridge = _channel(fields, "bridge")
        event = _event(fields, type_, channel, what=_text(bridge, "id"))
        if _text(bridge, "id"):
            event.data = Facts(_text(bridge, "id"))
        members = bridge.get("channels") if bridge else None
        if isinstance(members, list) and len(members) <= 16:
            link(event, *(fields.id(member) for member in members if isinstance(member, str)))
        return [event]

    return handler


def _plain(type_: str) -> Callable[[Fields, Channel], list[Event]]:
    return lambda fields, channel: [_event(fields, type_, channel)]


def _blind(fields: Fields, channel: Channel) -> list[Event]:
    if fields.text("result") not in ("Success", ""):
        return []
    event = _event(fields, "transferred", channel)
    event.reason, event.to = "blind_transfer", fields.number("exten")
    event.transferee_leg_id = fields.id(_text(_channel(fields, "transferee"), "id"))
    return [link(event, event.transferee_leg_id)]


def _attended(fields: Fields, channel: Channel) -> list[Event]:
    if fields.text("result") not in ("Success", ""):
        return []
    event = _event(fields, "transferred", channel)
    event.reason = "attended_transfer"
    event.second_leg_id = fields.id(_text(_channel(fields, "transferer_second_leg"), "id"))
    event.transferee_leg_id = fields.id(_text(_channel(fields, "transferee"), "id"))
    event.target_leg_id = fields.id(_text(_channel(fields, "transfer_target"), "id"))
    return [link(event, event.second_leg_id, event.transferee_leg_id, event.target_leg_id)]


# Type → the field with the channel that it is about, and what it tells.
_HANDLERS: Final[dict[str, tuple[str, Callable[[Fields, Channel], list[Event]]]]] = {
    "ChannelCreated": ("channel", _created),
    "StasisStart": ("channel", _created),
    "ChannelStateChange": ("channel", _state),
    "ChannelDestroyed": ("channel", _destroyed),
    "ChannelHold": ("channel", _plain("held")),
    "ChannelUnhold": ("channel", _plain("resumed")),
    "ChannelEnteredBridge": ("channel", _bridge("bridged")),
    "ChannelLeftBridge": ("channel", _bridge("unbridged")),
    "Dial": ("peer", _dial),
    "BridgeBlindTransfer": ("channel", _blind),
    "BridgeAttendedTransfer": ("transferer_first_leg", _attended),
}
