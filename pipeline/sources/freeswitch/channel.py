"""FreeSWITCH channel events → call events, but for the end of a leg (`hangup`)."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b
from typing import Final

from pipeline.sources.freeswitch.headers import Headers
from pipeline.sources.freeswitch.parties import callee, caller, dialled
from pipeline.sources.freeswitch.values import LONGEST_TEXT, clean, microseconds, number_of
from schemas.event import Event, Facts

# Applications by which FreeSWITCH itself takes a call.
ANSWERING: Final = frozenset(
    (
        "answer",
        "callcenter",
        "conference",
        "delay_echo",
        "eavesdrop",
        "echo",
        "fifo",
        "gather",
        "ivr",
        "lua",
        "park",
        "play_and_get_digits",
        "playback",
        "read",
        "rxfax",
        "sleep",
        "valet_park",
        "voicemail",
    )
)
# Parts of a mailbox that are no message for its owner: he listens to it, or signs in.
_OWN_MAILBOX: Final = frozenset(("check", "auth", "auth_only"))
PICKUPS: Final = frozenset(("intercept", "pickup"))


def started(headers: Headers, at: int = 0) -> Event:
    """A leg begins: whose it is, and for which other leg it was made."""
    event = headers.event("started", at or headers.ms("Caller-Channel-Created-Time") or headers.at, linked=True)
    event.data = device(headers)
    return parties(headers, event)


def device(headers: Headers) -> Facts | None:
    """The address of the leg's device. Of a leg that FreeSWITCH calls, Caller-Network-Addr is the caller's."""
    address = headers.text("variable_sip_network_ip")
    if not address and not headers.outward:
        address = headers.text("Caller-Network-Addr")
    return at_address(address)


def at_address(address: str) -> Facts | None:
    """A device's address as the fold reads it; None without one."""
    return Facts(address=address[:LONGEST_TEXT]) if address else None


def parties(headers: Headers, event: Event) -> Event:
    """Say on an event who and what the leg is."""
    if headers.outward:
        _outward(headers, event)
    else:
        event.role = "caller"
        event.caller = caller(headers)
        event.callee = callee(headers)
        event.trunk = headers.first("variable_sip_gateway_name", "variable_sip_gateway")[:LONGEST_TEXT]
        if _from_outside(headers):
            event.direction = "inbound"
            event.did = dialled(headers)
    event.user_data = clean(headers.text("variable_accountcode"))
    return event


def _outward(headers: Headers, event: Event) -> None:
    gateway = headers.text("variable_sip_gateway_name") or _carrier(headers)
    event.peer_leg_id = headers.originator()
    if gateway:
        event.trunk, event.kind = gateway[:LONGEST_TEXT], "outside"
        event.outbound_caller_id = headers.number("Caller-Caller-ID-Number")
    elif headers.agent:
        event.kind = "queue_agent"
    if event.peer_leg_id or headers.agent or gateway:
        event.caller, event.callee = caller(headers), callee(headers)
    else:
        # Called for no other leg: somebody clicked to dial, and this is his own phone.
        event.role, event.reason, event.caller = "caller", "originate", callee(headers)


def _carrier(headers: Headers) -> str:
    """The host that a leg without a gateway was sent to over the profile `external` (dial string
    `sofia/external/number@host`), "" where it is a phone that has registered there."""
    if headers.text("variable_sofia_profile_name") != "external" or headers.text("variable_dialed_user"):
        return ""
    return headers.text("variable_sip_to_host")


def _from_outside(headers: Headers) -> bool:
    """Whether the leg came over a trunk. The stock dialplan sends those to the context `public`, the stock profile for
    them is `external`; a phone has signed in."""
    if headers.first("variable_sip_auth_username", "variable_user_name"):
        return False
    if headers.first("variable_sip_gateway_name", "variable_sip_gateway"):
        return True
    return headers.text("Caller-Context") == "public" or headers.text("variable_sofia_profile_name") == "external"


def _created(headers: Headers) -> list[Event]:
    events = [started(headers)]
    before = headers.number("Caller-RDNIS")
    if headers.originator() and before and not headers.agent:
        now = headers.number("Other-Leg-Destination-Number") or dialled(headers)
        if before != now:
            # The dialplan went from one number to another: the fold knows whether that was a forward.
            moved = headers.event("rerouted", headers.at, mark="moved")
            moved.leg_id, moved.reason, moved.from_, moved.to = headers.originator(), "forward", before, now
            events.append(moved)
    return events


def _rang(headers: Headers) -> list[Event]:
    return [headers.event("rang", headers.ms("Caller-Channel-Progress-Time"))]


def _early_media(headers: Headers) -> list[Event]:
    return [headers.event("progress", headers.ms("Caller-Channel-Progress-Media-Time"))]


def _answered(headers: Headers) -> list[Event]:
    event = headers.event("answered", headers.ms("Caller-Channel-Answered-Time"))
    if headers.outward:
        event.answered_by = "party"
        return [event]
    application = headers.text("variable_current_application")
    if application in ANSWERING:
        event.answered_by = "pbx"
        if application == "ivr":
            event.kind = "ivr"
    return [event, *voicemail(headers, application, headers.text("variable_current_application_data"), event.at)]


def voicemail(headers: Headers, application: str, data: str, at: object) -> list[Event]:
    """A caller is sent to a box: `voicemail` with `default pbx.example 1003`."""
    words = data.split()
    if application != "voicemail" or len(words) < 3 or words[0] in _OWN_MAILBOX or not isinstance(at, int):
        return []
    event = headers.event("voicemail", at, mark="voicemail")
    event.event_id = f"fs-{headers.leg}-voicemail-{at}"
    event.to = number_of(words[-1])
    moved = headers.event("rerouted", at, mark="box")
    moved.event_id = f"fs-{headers.leg}-box-{at}"
    moved.reason, moved.from_, moved.to = "forward", event.to.partition("@")[0], f"vm:{event.to}"
    return [event, moved]


def _bridged(headers: Headers) -> list[Event]:
    """CHANNEL_BRIDGE names both legs; it is sent for one of them."""
    event = headers.event("bridged", linked=True)
    one, other = headers.text("Bridge-A-Unique-ID"), headers.text("Bridge-B-Unique-ID")
    event.peer_leg_id = (other if one == headers.leg else one)[:256] or headers.peer()
    return [event, *_picked_up(headers)]


def _picked_up(headers: Headers) -> list[Event]:
    """Another phone took the call while it rang, by the application `intercept`."""
    if headers.outward or headers.text("variable_current_application") not in PICKUPS:
        return []
    taken = headers.event("rerouted", mark="pickup")
    number = headers.number("Caller-Orig-Caller-ID-Number", "Caller-Caller-ID-Number")
    taken.event_id, taken.reason, taken.to, taken.by = f"fs-{headers.leg}-pickup", "pickup", number, number
    return [taken]


def _unbridged(headers: Headers) -> list[Event]:
    event = headers.event("unbridged")
    event.peer_leg_id = headers.peer()
    return [event]


def _held(headers: Headers) -> list[Event]:
    return [headers.event("held")]


def _resumed(headers: Headers) -> list[Event]:
    return [headers.event("resumed")]


def _renamed(headers: Headers) -> list[Event]:
    """The leg goes on under another id (CHANNEL_UUID)."""
    event = headers.event("data", linked=True)
    event.reason, event.peer_leg_id = "renamed", headers.text("Old-Unique-ID")[:256]
    return [event]


def _executed(headers: Headers) -> list[Event]:
    application, data = headers.text("Application"), headers.text("Application-Data")
    if application == "ivr":
        return [menu(headers, headers.at)]
    return voicemail(headers, application, data, headers.at)


def menu(headers: Headers, at: int) -> Event:
    """The caller hears a menu (application `ivr`)."""
    event = headers.event("data", at, mark="ivr")
    event.event_id, event.kind, event.answered_by = f"fs-{headers.leg}-ivr-{at}", "ivr", "pbx"
    return event


def _recorded(headers: Headers) -> list[Event]:
    path = headers.text("Record-File-Path")
    if not path:
        return []
    event = headers.event("recorded")
    event.recording = path[:LONGEST_TEXT]
    event.event_id = f"fs-{headers.leg}-recorded-{blake2b(path.encode('utf-8', 'replace'), digest_size=6).hexdigest()}"
    return [event]


def holds(headers: Headers) -> list[Event]:
    """What the end of a leg remembers of its holds: `{{since,until},{since,until}}`, microseconds."""
    events: list[Event] = []
    words = headers.text("variable_hold_events").replace("{", " ").replace("}", " ").split()
    for place, pair in enumerate(words):
        for type_, word in zip(("held", "resumed"), pair.split(","), strict=False):
            at = microseconds(word) // 1000
            if headers.at - 864_000_000 <= at <= headers.at:
                event = headers.remembered(type_, at)
                event.event_id += f"-{place}"
                events.append(event)
    return events


HANDLERS: Final[dict[str, Callable[[Headers], list[Event]]]] = {
    "CHANNEL_CREATE": _created,
    "CHANNEL_ORIGINATE": lambda headers: [],
    "CHANNEL_PROGRESS": _rang,
    "CHANNEL_PROGRESS_MEDIA": _early_media,
    "CHANNEL_ANSWER": _answered,
    "CHANNEL_BRIDGE": _bridged,
    "CHANNEL_UNBRIDGE": _unbridged,
    "CHANNEL_HOLD": _held,
    "CHANNEL_UNHOLD": _resumed,
    "CHANNEL_UUID": _renamed,
    "CHANNEL_EXECUTE": _executed,
    "RECORD_START": _recorded,
    "RECORD_STOP": _recorded,
}
