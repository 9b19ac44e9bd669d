"""The frequent events of Asterisk read straight: CEL rows of a channel's life, and the AMI events of the same.

They are nearly all that a node sends, and this way takes a third of the time. It holds no rules of its own: whatever is
not utterly plain returns None and takes the general way, and a test holds the two equal, event for event.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

import msgspec

from pipeline.sources.asterisk.fields import LONGEST_TEXT, NOTHING, channel_id, endpoint, inner
from pipeline.sources.asterisk.parties import (
    CALLED,
    LEGS_TOLD,
    NOWHERE,
    ORIGINATED,
    UNREQUESTED,
    Who,
    answered,
    known,
    who,
)
from pipeline.sources.contract import Options
from pipeline.sources.instants import instant
from schemas.event import EARLIEST_MS, Event, Facts

_NORMAL_CLEARING: Final = 16
_LONGEST_BRIDGE: Final = 36
_LONGEST_NODE: Final = 56
_MOST: Final = 90  # characters of an id: longer ones are shortened by the general way
_IGNORED: Final = frozenset(("LINKEDID_END", "LOCAL_OPTIMIZE", "LOCAL_OPTIMIZE_BEGIN", "STREAM_END", "DTMF"))
_WEIGHED: Final = frozenset(("Dial", "Queue", "AppQueue", "RetryDial", "FollowMe"))
_GENERAL: Final = frozenset(("VoiceMail", "Voicemail", "voicemail", "Queue", "RetryDial", "FollowMe"))
# AMI events that tell nothing of a call and come in masses.
_NOISE: Final = frozenset(
    (
        "VarSet",
        "RTCPSent",
        "RTCPReceived",
        "DeviceStateChange",
        "ExtensionStatus",
        "PeerStatus",
        "ContactStatus",
        "Registry",
        "ChallengeSent",
        "SuccessfulAuth",
        "NewCallerid",
        "NewConnectedLine",
        "NewAccountCode",
        "BridgeCreate",
        "BridgeDestroy",
        "MusicOnHoldStart",
        "MusicOnHoldStop",
        "SoftHangupRequest",
        "DialState",
    )
)


class _Row(msgspec.Struct, gc=False, rename={"node": "node", "zone": "zone"}):
    """Fields of AMI events, CEL over AMI among them."""

    Event: str = ""  # in the order of AMI: the decoder expects the next field first
    Timestamp: str = ""
    EventName: str = ""
    AccountCode: str = ""
    CallerIDnum: str = ""
    CallerIDname: str = ""
    CallerIDani: str = ""
    CallerIDdnid: str = ""
    Exten: str = ""
    Context: str = ""
    Channel: str = ""
    ChannelState: str = ""
    Application: str = ""
    AppData: str = ""
    EventTime: str = ""
    UniqueID: str = ""
    LinkedID: str = ""
    Extra: str = ""
    Uniqueid: str = ""
    Linkedid: str = ""
    CallerIDNum: str = ""
    CallerIDName: str = ""
    BridgeUniqueid: str = ""
    Cause: str = ""
    SystemName: str = ""
    node: str = ""
    zone: str = ""
    eventtype: object = None  # columns of a back-end: not these
    host: object = None
    server: object = None
    asterisk_id: object = None


class _Extra(msgspec.Struct, gc=False):
    """What `extra` of a CEL row may say of the events read here."""

    hangupcause: int = 0
    hangupsource: str = ""
    dialstatus: str = ""
    bridge_id: str = ""


_decode: Final = msgspec.json.Decoder(_Row).decode
_extra: Final = msgspec.json.Decoder(_Extra).decode


def plain(value: bytes, options: Options, until: int) -> Event | Sequence[Event] | None:
    """The event of a value, () where it tells nothing of a call, None where it is not plain."""
    try:
        row = _decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    name = row.EventName
    cel = bool(name)
    if cel:
        told, unique_id, linked_id = row.EventTime, row.UniqueID, row.LinkedID
        if len(told) == 19 and row.Timestamp and not told.isdigit():
            told = row.Timestamp  # over the manager EventTime is local time in whole seconds
    else:
        name = row.Event
        if name in _NOISE:
            return ()
        told, unique_id, linked_id = row.Timestamp, row.Uniqueid, row.Linkedid
    node = row.node or row.SystemName
    if not node:
        if row.host or row.server or row.asterisk_id:
            return None
        node = options.node
    place = _place(node, unique_id, linked_id, row.Channel)
    if place is None or row.zone or row.eventtype is not None:
        return None
    read = (_CEL if cel else _AMI).get(name)
    if len(told) == 17 and told[10] == ".":
        digits = told[:10] + told[11:]
        if not digits.isdigit() or not digits.isascii():
            return None
        at = int(digits) // 1000
    else:
        at = instant(told, options.zones.get(node, options.zone) if options.zones else options.zone, unique_id)
    if not EARLIEST_MS <= at <= until:
        return None
    if read is None:
        return () if cel and name in _IGNORED else None
    leg, call_id, device = place
    event = Event("", at, call_id, f"ast-{leg}-{name}-{at}-", leg, options.tenant, node)
    return event if read(row, event, device) else None


@lru_cache(maxsize=65536)
def _place(node: str, unique_id: str, linked_id: str, channel: str) -> tuple[str, str, str] | None:
    """Leg, call and device of a channel; None where they are not plain, and for what is no channel of a party."""
    leg = channel_id(node, unique_id)
    call_id = leg if linked_id == unique_id or not linked_id else channel_id(node, linked_id)
    if not leg or not call_id or len(leg) > _MOST or not node.isprintable() or len(node) > _LONGEST_NODE:
        return None
    return (leg, call_id, endpoint(channel)) if channel and not inner(channel) else None


@lru_cache(maxsize=32768)
def _who(device: str, number: str, ani: str, name: str, context: str, exten: str, first: bool, began: bool) -> Who:
    """`who` of fields as they came."""
    number = ani if number in NOTHING else number
    told = ["" if text in NOTHING else text.strip()[:LONGEST_TEXT] for text in (number, name, exten)]
    return who(device, told[0], told[1], context, told[2], first, began)


def _account(row: _Row) -> str:
    account = row.AccountCode
    return "" if account in NOTHING else account.strip()[:LONGEST_TEXT]


def _names_trunk(dialled: str) -> bool:
    """Whether a dial string may name a number over a trunk."""
    return "@" in dialled or dialled.count("/") > 1


def _dials_on(row: _Row) -> bool:
    """Whether the row may tell of further legs that its channel dials."""
    application = row.Application
    return bool(application) and (application in _GENERAL or (application == "Dial" and _names_trunk(row.AppData)))


# Each of these completes the event of its row; False where the row is not plain after all.


def _begun(row: _Row, event: Event, device: str) -> bool:
    event.type, first = "started", event.leg_id == event.call_id
    if first and (row.Exten in NOWHERE or row.Application == ORIGINATED or _dials_on(row)):
        return False
    found = _who(device, row.CallerIDnum, row.CallerIDani, row.CallerIDname, row.Context, row.Exten, first, True)
    known(event, found, _account(row) if row.AccountCode else "", began=True)
    if not first:
        event.peer_leg_id = event.call_id
    return True


def _answer(row: _Row, event: Event, device: str) -> bool:
    application, first = row.Application, event.leg_id == event.call_id
    if application in _GENERAL or (application == ORIGINATED and first):
        return False
    if application == "Dial" and _names_trunk(row.AppData):
        return False
    event.type = "answered"
    found = _who(
        device, row.CallerIDnum, row.CallerIDani, row.CallerIDname, row.Context, row.CallerIDdnid, first, False
    )
    known(event, found, _account(row) if row.AccountCode else "", began=False)
    answered(event, application, first=first)
    if not first:
        event.linked_ids = [event.leg_id]
        if application == "AppDial":
            event.peer_leg_id = event.call_id
        elif application == "AppQueue":
            event.peer_leg_id, event.kind = event.call_id, "queue_agent"
    return True


def _gone(row: _Row, event: Event, device: str) -> bool:
    application, first = row.Application, event.leg_id == event.call_id
    if first and application in ("Queue", ORIGINATED):
        return False
    event.type = "ended"
    found = _who(
        device, row.CallerIDnum, row.CallerIDani, row.CallerIDname, row.Context, row.CallerIDdnid, first, False
    )
    known(event, found, _account(row) if row.AccountCode else "", began=False)
    cause = 0
    if row.Extra:
        try:
            extra = _extra(row.Extra)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return False
        cause, source = extra.hangupcause, extra.hangupsource
        if 0 < cause < 128:
            event.q850_cause, event.cause_from = cause, "native"
        if extra.dialstatus and extra.dialstatus != "N/A":
            event.cause = extra.dialstatus[:LONGEST_TEXT]
        if source:
            if source == row.Channel:
                event.hung_up_by = "party"
            elif "/" in source:
                if source.startswith(("dialplan", "core")):
                    event.hung_up_by = "system"
                else:
                    event.hung_up_by, event.by = "peer", source[:LONGEST_TEXT]
    if not first:
        if application == "AppQueue":
            event.kind = "queue_agent"
        if cause == _NORMAL_CLEARING or not _called(row):
            event.linked_ids = [event.leg_id]
    return True


def _bridged(type_: str) -> Callable[[_Row, Event, str], bool]:
    def read(row: _Row, event: Event, device: str) -> bool:
        bridge = ""
        if row.Extra:
            try:
                bridge = _extra(row.Extra).bridge_id
            except (msgspec.DecodeError, UnicodeDecodeError):
                return False
        application, claims = row.Application, True
        if application in _WEIGHED:
            if application == "Dial":
                if type_ == "bridged" and _names_trunk(row.AppData):
                    return False
            elif application != "AppQueue":
                return False
            elif event.leg_id != event.call_id:
                event.kind = "queue_agent"
        if application in CALLED:
            asked = row.CallerIDdnid
            claims = bool(asked) and asked != row.Exten and asked not in NOTHING
        return _in_bridge(event, type_, bridge, claims=claims)

    return read


def _called(row: _Row) -> bool:
    """See `Row.called`."""
    if row.Application not in CALLED:
        return False
    asked = row.CallerIDdnid
    return not asked or asked in NOTHING or asked == row.Exten


def _in_bridge(event: Event, type_: str, bridge: str, *, claims: bool) -> bool:
    if len(bridge) > _LONGEST_BRIDGE or not bridge.isprintable() or bridge == "N/A":
        return False
    event.type = type_
    if bridge:
        event.event_id += bridge
        event.data = Facts(bridge)
    if claims and event.leg_id != event.call_id:
        event.linked_ids = [event.leg_id]
    return True


def _state(row: _Row, event: Event, device: str) -> bool:
    state = row.ChannelState
    if state == "5":
        event.type = "rang"
    elif state == "6":
        event.type = "answered"
        if event.leg_id != event.call_id:
            event.answered_by = "party"
        else:
            event.reason = LEGS_TOLD
    else:
        return False
    event.event_id += state
    return True


def _ami_bridged(type_: str) -> Callable[[_Row, Event, str], bool]:
    def read(row: _Row, event: Event, device: str) -> bool:
        bridge = row.BridgeUniqueid
        return bridge not in NOTHING and _in_bridge(event, type_, bridge, claims=row.Exten not in NOWHERE)

    return read


def _ami_created(row: _Row, event: Event, device: str) -> bool:
    event.type, first = "started", event.leg_id == event.call_id
    if first and row.Exten in NOWHERE:
        return False
    found = _who(device, row.CallerIDNum, "", row.CallerIDName, row.Context, row.Exten, first, True)
    known(event, found, _account(row) if row.AccountCode else "", began=True)
    if not first:
        event.peer_leg_id = event.call_id
    return True


def _marked(type_: str) -> Callable[[_Row, Event, str], bool]:
    def read(row: _Row, event: Event, device: str) -> bool:
        event.type = type_
        return True

    return read


def _ami_gone(row: _Row, event: Event, device: str) -> bool:
    event.type, event.hung_up_by, event.reason = "ended", "peer", UNREQUESTED
    cause = row.Cause
    if cause.isascii() and cause.isdigit() and 0 < int(cause[:6]) < 128:
        event.q850_cause, event.cause_from = int(cause), "native"
    if event.leg_id != event.call_id and row.Exten not in NOWHERE:
        event.linked_ids = [event.leg_id]
    return True


_CEL: Final[dict[str, Callable[[_Row, Event, str], bool]]] = {
    "CHAN_START": _begun,
    "ANSWER": _answer,
    "HANGUP": _gone,
    "CHAN_END": _gone,
    "BRIDGE_ENTER": _bridged("bridged"),
    "BRIDGE_EXIT": _bridged("unbridged"),
}
_AMI: Final[dict[str, Callable[[_Row, Event, str], bool]]] = {
    "Newchannel": _ami_created,
    "Newstate": _state,
    "Hangup": _ami_gone,
    "BridgeEnter": _ami_bridged("bridged"),
    "BridgeLeave": _ami_bridged("unbridged"),
    "Hold": _marked("held"),
    "Unhold": _marked("resumed"),
}
