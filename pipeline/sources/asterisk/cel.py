"""Asterisk channel event logging (CEL) → call events.

Rows come as AMI events (`EventName`, `UniqueID`, `EventTime` …) or with the column names of the CEL back-ends
(`eventtype`, `uniqueid`, `eventtime` …). Which rows there are is a matter of cel.conf; CHAN_START, ANSWER, HANGUP and
CHAN_END are enough for right calls. LINKEDID_END says nothing of the call's end: it also comes when calls become one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from pipeline.sources.asterisk.applications import application, dial_strings
from pipeline.sources.asterisk.fields import (
    LONGEST_TEXT,
    Fields,
    endpoint,
    inner,
    link,
    local,
    numeric,
    own_number,
    zombie,
)
from pipeline.sources.asterisk.parties import ANSWERING, ORIGINATED, answered
from pipeline.sources.asterisk.row import Row
from pipeline.sources.asterisk.wires import wire
from schemas.event import Event, Facts

NORMAL_CLEARING: Final = 16

# Columns of the back-ends → names of the AMI headers, lower case.
_COLUMNS: Final = {
    "eventtype": "eventname",
    "cid_num": "calleridnum",
    "cid_name": "calleridname",
    "cid_ani": "calleridani",
    "cid_rdnis": "calleridrdnis",
    "cid_dnid": "calleriddnid",
    "channame": "channel",
    "appname": "application",
    "amaflags": "amaflags",
}
_NAMES: Final = (  # enum ast_cel_event_type of asterisk/cel.h, from 1: some back-ends write the number
    "CHAN_START",
    "CHAN_END",
    "HANGUP",
    "ANSWER",
    "APP_START",
    "APP_END",
    "BRIDGE_ENTER",
    "BRIDGE_EXIT",
    "PARK_START",
    "PARK_END",
    "BLINDTRANSFER",
    "ATTENDEDTRANSFER",
    "USER_DEFINED",
    "LINKEDID_END",
    "PICKUP",
    "FORWARD",
    "LOCAL_OPTIMIZE",
    "LOCAL_OPTIMIZE_BEGIN",
    "STREAM_BEGIN",
    "STREAM_END",
    "DTMF",
)
_NUMBERS: Final = {str(number): name for number, name in enumerate(_NAMES, 1)}


def renamed(raw: dict[str, Any]) -> dict[str, Any]:
    """A row with the column names of a back-end, by the names of AMI."""
    return {_COLUMNS.get(name, name): value for name, value in raw.items()}


def cel(fields: Fields) -> list[Event]:
    """The events of one row."""
    name = fields.text("eventname").upper()
    name = _NUMBERS.get(name, name)
    handler = _HANDLERS.get(name)
    if handler is None:
        return []
    fields.begin(name, *_times(fields), unique_id=fields.text("uniqueid"))
    row = Row(fields)
    if inner(row.channel):
        if handler is _forward:
            return _forward(row)
        if local(row.channel):
            return [wire(event, row.channel) for event in handler(row)]
        return _displaced(row) if handler is _ended and zombie(row.channel) else []
    return handler(row)


def _times(fields: Fields) -> tuple[str, str]:
    """Where the exact time is: over the manager EventTime is local time in whole seconds (cel/cel_manager.c)."""
    raw = fields.text("eventtime")
    exact = "." in raw or raw.isdigit()
    return ("eventtime", "timestamp") if exact or not fields.text("timestamp") else ("timestamp", "eventtime")


def _started(row: Row) -> list[Event]:
    event = row.known(row.event("started"))
    if not row.first:
        event.peer_leg_id = event.call_id
    return [event, *_dials(row)]


def _answered(row: Row) -> list[Event]:
    plan = row.first or local(
        row.channel
    )  # the far half of a Local channel goes through the dial plan as a caller does
    event = answered(row.known(row.event("answered", linked=True)), row.application, first=plan)
    if row.first and row.application == ORIGINATED:
        event.reason = "originate"
    if not row.first and row.application in ("AppDial", "AppQueue"):
        event.peer_leg_id = event.call_id
        if row.application == "AppQueue":
            event.kind = "queue_agent"
    return [event, *_mailbox(row), *_dials(row), *_in_queue(row)]


def _ended(row: Row) -> list[Event]:
    cause = row.extra.get("hangupcause")
    if isinstance(cause, str) and cause.isdigit() and len(cause) < 4:
        cause = int(cause)
    # A phone that never answered went with no other call.
    event = row.known(row.event("ended", linked=cause == NORMAL_CLEARING or not row.called))
    if row.application == "AppQueue" and not row.first:
        event.kind = "queue_agent"
    if isinstance(cause, int) and 0 < cause < 128:
        event.q850_cause, event.cause_from = cause, "native"
    event.cause = row.said("dialstatus")
    source = row.said("hangupsource")
    if source == row.channel:
        event.hung_up_by = "party"
    elif "/" in source:
        if source.startswith(("dialplan", "core")):
            event.hung_up_by = "system"
        else:
            event.hung_up_by, event.by = "peer", source  # another channel, by name
    return [event, *_in_queue(row, mark="-queue")]


def _displaced(row: Row) -> list[Event]:
    """What is left of a channel that another took the place of: its phone is out of the call. Yields to an end that
    is told of the channel itself."""
    event = row.event("ended", mark="-displaced")
    cause = row.extra.get("hangupcause")
    event.reason = "hangup_record"
    if isinstance(cause, int) and 0 < cause < 128:
        event.q850_cause, event.cause_from = cause, "native"
    return [event]


def _in_queue(row: Row, mark: str = "-in-queue") -> list[Event]:
    """A caller whose channel runs `Queue` waits there or talks to an agent, should no row have told that it joined."""
    queue = row.data.partition(",")[0].strip()[:LONGEST_TEXT]
    if not row.first or row.application != "Queue" or not queue:
        return []
    event = row.event("queue_joined", mark=mark)
    event.queue, event.reason = queue, "hangup_record"
    return [event]


def _dials(row: Row) -> list[Event]:
    """Which numbers the channel's Dial calls over trunks; phones are known by their own channels."""
    if row.application not in ("Dial", "RetryDial", "FollowMe") or not row.data:
        return []
    return dial_strings(row.data, lambda mark: row.event("data", mark=mark))


def _bridge(type_: str) -> Callable[[Row], list[Event]]:
    def handler(row: Row) -> list[Event]:
        bridge = row.said("bridge_id")
        event = row.event(type_, what=bridge, linked=not row.called)
        if bridge:
            event.data = Facts(bridge)
        if row.application == "AppQueue" and not row.first:
            event.kind = "queue_agent"
        if type_ == "bridged":
            return [event, *_in_queue(row), *_dials(row)]
        return [event, *_in_queue(row)]

    return handler


def _application(row: Row) -> list[Event]:
    word = row.application.lower()
    target = row.data.partition(",")[0].strip()[:LONGEST_TEXT]
    if word == "queue":
        event = row.event("queue_joined", what=f"{word} {target}")
        event.queue = target
        return [event]
    if word in ("confbridge", "meetme"):
        event = row.event("conference_joined", what=f"{word} {target}")
        event.conference = target
        return [event]
    if word == "mixmonitor":
        event = row.event("recorded", what=f"{word} {target}")
        event.recording = target
        return [event] if target else []
    if word in ANSWERING:
        return [application(row.event("data", what=word, mark="-application"), word), *_mailbox(row)]
    return _dials(row)


def _application_left(row: Row) -> list[Event]:
    word = row.application.lower()
    target = row.data.partition(",")[0].strip()[:LONGEST_TEXT]
    if word == "queue":
        event = row.event("queue_left", what=f"{word} {target}")
        event.queue = target
        return [event]
    if word in ("confbridge", "meetme"):
        event = row.event("conference_left", what=f"{word} {target}")
        event.conference = target
        return [event]
    return []


def _mailbox(row: Row) -> list[Event]:
    """`VoiceMail` with `1003@default,u`."""
    box = row.data.partition(",")[0].partition("&")[0].strip()[:LONGEST_TEXT]
    if row.application.lower() != "voicemail" or not box:
        return []
    event = row.event("voicemail", what=box, mark="-voicemail")
    event.to = box
    moved = row.event("rerouted", what=box, mark="-box")
    moved.reason, moved.from_, moved.to = "forward", box.partition("@")[0], f"vm:{box}"
    return [event, moved]


def _blind(row: Row) -> list[Event]:
    event = row.event("transferred", linked=True)
    event.reason, event.to = "blind_transfer", row.said("extension")
    event.transferee_leg_id = row.id("transferee_channel_uniqueid")
    return [link(event, event.transferee_leg_id)]


def _attended(row: Row) -> list[Event]:
    event = row.event("transferred", linked=True)
    event.reason = "attended_transfer"
    event.second_leg_id = row.id("channel2_uniqueid")
    event.transferee_leg_id = row.id("transferee_channel_uniqueid")
    event.target_leg_id = row.id("transfer_target_channel_uniqueid")
    target = endpoint(row.said("transfer_target_channel_name"))
    event.to = target if numeric(target) else ""
    return [link(event, event.second_leg_id, event.transferee_leg_id, event.target_leg_id)]


def _picked_up(row: Row) -> list[Event]:
    """The channel that rang goes on as the phone that took the call; from now on it is told of under the old id."""
    taker = row.id("pickup_channel_uniqueid")
    event = row.event("rerouted", linked=True)
    event.reason, event.from_ = "pickup", own_number(row.channel)
    event.to = own_number(row.said("pickup_channel"))
    event.by, event.target_leg_id = event.to or taker, taker
    if not taker:
        return [link(event)]
    taken = row.event("data", mark="taken")
    taken.reason, taken.peer_leg_id = "taken_over", taker
    return [link(event, taker), link(taken, taker)]


def _forward(row: Row) -> list[Event]:
    """The row is of who called (main/cel.c, cel_dial_cb): which of the phones it called sent it on, the fold tells."""
    event = row.event("rerouted")
    event.reason, event.to = "forward", endpoint(row.said("forward"))
    if row.called or inner(row.channel):
        event.from_ = own_number(row.channel)
    if inner(row.channel):  # of a number that the dialplan called by a Local channel: told of the caller's leg
        event.leg_id = event.call_id
    return [event]


def _parked(row: Row) -> list[Event]:
    event = row.event("rerouted", linked=True)
    event.reason, event.to = "park", row.said("parking_space") or row.said("parking_lot") or "park"
    event.by = event.from_ = own_number(row.said("parker_dial_string"))
    return [event]


def _streams(row: Row) -> list[Event]:
    """Music, a sound: what the channel runs meanwhile."""
    return _in_queue(row)


_HANDLERS: Final[dict[str, Callable[[Row], list[Event]]]] = {
    "CHAN_START": _started,
    "ANSWER": _answered,
    "HANGUP": _ended,
    "CHAN_END": _ended,
    "BRIDGE_ENTER": _bridge("bridged"),
    "BRIDGE_EXIT": _bridge("unbridged"),
    "APP_START": _application,
    "APP_END": _application_left,
    "BLINDTRANSFER": _blind,
    "ATTENDEDTRANSFER": _attended,
    "PICKUP": _picked_up,
    "FORWARD": _forward,
    "PARK_START": _parked,
    "STREAM_BEGIN": _streams,
}
