"""Events → legs: what happened to each channel, whatever the order in which it was told."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pipeline.calls.causes import cause_from_code
from pipeline.calls.sip.clocks import CLOCK_SKEW
from pipeline.calls.withheld import shown as party_shown
from schemas.event import Event, Party

NOBODY = Party()
_NO_CAUSE = frozenset(("", "ANSWER"))  # the latter is how Asterisk's Dial ended, and tells of no end
_LONGEST_ADDRESS = 45  # of IPv6, written out
# A `data` event that says that a value of the report was ignored: negative, no number, or years long.
IMPLAUSIBLE = "implausible"
# Reasons of events that the fold knows: what a leg's summary at hang-up remembers of its answer, and a
# `data` event that says that a node began anew, so that its legs are gone.
HANGUP_RECORD = "hangup_record"
NODE_RESTART = "node_restart"
# Reason of an `ended` event: a BYE that was answered with 481, or not at all.
REFUSED = "refused"
# Reason of an `ended` event: no device asked for the end, which somebody else on the call did, or the PBX.
UNREQUESTED = "unrequested"
# Reason of an `answered` event of a caller's leg: each leg is told of, so that the PBX itself answered where no
# other did.
LEGS_TOLD = "legs_told"
# A `data` event that says that its leg, a caller's, was never bridged with another: who answered a leg that was called
# for it spoke with the PBX alone.
NOT_BRIDGED = "not_bridged"
# A `data` event that says that an application of the PBX deals with the leg, and nobody else: `to` names it.
APPLICATION = "application"
# A leg that the PBX began towards its own caller, because somebody clicked to dial.
ORIGINATE = frozenset(("originate", "click_to_dial", "callback"))


class Leg(msgspec.Struct, gc=False):
    """One party's channel as the PBX reported it. Times in ms; the first report of a moment wins."""

    id: str
    call_id: str
    node: str
    first_at: int
    started: int | None = None
    progress: int | None = None
    rang: int | None = None
    answered: int | None = None
    ended: int | None = None
    start_reason: str = ""
    answer_source: str = ""  # reason of the event that said so
    end_source: str = ""
    answered_by: str = ""
    caller: Party = NOBODY
    callee: Party = NOBODY
    direction: str = ""
    role: str = ""
    kind: str = ""
    peer: str = ""
    trunk: str = ""
    did: str = ""
    outbound_caller_id: str = ""
    sip_status: int = 0
    q850_cause: int = 0
    cause: str = ""
    cause_from: str = ""
    hung_up_by: str = ""
    names_other: bool = False  # as who ended it, a certain other party, and not the PBX
    address: str = ""  # of its device
    not_bridged: bool = False
    clock_ahead: int = 0  # ms by which its node's clock was ahead of the caller's, before its times were put right
    bridges: list[tuple[int, str, bool]] | None = None  # (at, peer leg, joined)
    holds: list[tuple[int, bool]] | None = None
    conferences: list[tuple[int, str, bool]] | None = None  # (at, room, joined)
    applications: list[tuple[int, str]] | None = None  # (at, name) of the PBX that dealt with it


class Story(msgspec.Struct, gc=False):
    """Everything that the events of one call tell, legs first."""

    legs: dict[str, Leg]
    last_at: int
    user_data: str = ""
    bridged: bool = False  # some event tells which legs heard each other
    held: bool = False
    moves: list[Event] | None = None  # rerouted and transferred, in order
    queue: list[Event] | None = None
    voicemail: list[Event] | None = None
    recordings: list[Event] | None = None
    quality: list[Event] | None = None
    restarts: list[Event] | None = None
    implausible: bool = False  # a value was ignored that cannot be
    skews: dict[str, int] | None = None  # node → ms by which its clock was ahead


def read(events: Sequence[Event], nameless: str = "") -> Story:
    """The story of one call. `events` are distinct and in order; those without leg id belong to the leg
    `nameless`."""
    legs: dict[str, Leg] = {}
    story = Story(legs, events[-1].at)
    for event in events:
        at = event.at
        leg_id = event.leg_id or nameless
        leg = legs.get(leg_id)
        if leg is None:
            leg = legs[leg_id] = Leg(leg_id, event.call_id, event.node, at)
        kind = event.type
        if kind == "rang":
            if leg.rang is None:
                leg.rang = at
        elif kind == "started":
            if leg.started is None:
                leg.started = at
                leg.start_reason = event.reason
            if event.data is not None and not leg.address:
                leg.address = address_of(event)
        elif kind == "answered":
            # A moment that a hang-up record remembers yields to one that was seen.
            if leg.answered is None or (leg.answer_source == HANGUP_RECORD and event.reason != HANGUP_RECORD):
                leg.answered = at
                leg.answer_source = event.reason
                leg.answered_by = event.answered_by
                if event.reason in ORIGINATE:
                    leg.start_reason = event.reason
        elif kind == "ended":
            _end(leg, event, at)
        elif _read_rest(story, leg, event, at):
            continue
        _read_parties(leg, event)
        if event.user_data and not story.user_data:
            story.user_data = event.user_data
    if story.skews:
        for leg in legs.values():
            leg.clock_ahead = story.skews.get(leg.node, 0)
    if story.bridged or story.held or story.moves:
        _infer_answers(story)
    return story


def _infer_answers(story: Story) -> None:
    """A leg of whose beginning nothing was told had been answered when it heard another, was held or was handed over:
    who tells of the call came to it in its middle."""
    untold = {leg.id for leg in story.legs.values() if leg.started is leg.answered is leg.rang is None}
    if not untold:
        return
    signs: dict[str, list[int]] = {leg_id: [] for leg_id in untold}
    for leg in story.legs.values():
        for at, peer, joined in leg.bridges or ():
            for each in (leg.id, peer) if joined and peer else ():
                if each in signs:
                    signs[each].append(at)
        if leg.id in signs:
            signs[leg.id] += [at for at, _ in leg.holds or ()]
    for event in story.moves or ():
        for each in (event.leg_id, event.transferee_leg_id) if event.type == "transferred" else ():
            if each in signs:
                signs[each].append(event.at)
    for leg_id, found in signs.items():
        if found:
            leg = story.legs[leg_id]
            leg.answered = min(found)
            leg.first_at = min(leg.first_at, leg.answered)


def address_of(event: Event) -> str:
    """The IP address of the leg's device, as its first event tells it; "" when it does not."""
    address = event.data.address if event.data is not None else None
    return address[:_LONGEST_ADDRESS] if isinstance(address, str) else ""


def _read_parties(leg: Leg, event: Event) -> None:
    """Who and what the leg is; the first word stands."""
    if event.caller is not None:
        leg.caller = party_shown(_fuller(leg.caller, event.caller))
    if event.callee is not None:
        leg.callee = _fuller(leg.callee, event.callee)
    if event.direction is not None and not leg.direction:
        leg.direction = event.direction
    if event.kind is not None and not leg.kind:
        leg.kind = event.kind
    if event.peer_leg_id and not leg.peer:
        leg.peer = event.peer_leg_id
    if event.role and not leg.role:
        leg.role = event.role
    if event.trunk and not leg.trunk:
        leg.trunk = event.trunk
    if event.did and not leg.did:
        leg.did = event.did
    if event.outbound_caller_id and not leg.outbound_caller_id:
        leg.outbound_caller_id = event.outbound_caller_id


def _fuller(known: Party, told: str | Party) -> Party:
    """What is known of a party, completed by what an event tells; the first word stands."""
    new = told if isinstance(told, Party) else Party(told)
    if known is NOBODY or known == new:
        return new
    return Party(
        number=known.number or new.number,
        name=known.name or new.name,
        domain=known.domain or new.domain,
        extension=known.extension or new.extension,
    )


def _end(leg: Leg, event: Event, at: int) -> None:
    """The end of a leg, by the best witness: one that was seen, else the last of those that are remembered row by row,
    else a BYE that was refused, when the dialog had ended already."""
    if event.reason == REFUSED and leg.ended is not None:
        return
    if leg.end_source == REFUSED:
        leg.ended, leg.hung_up_by = None, ""
    if leg.ended is None or leg.end_source == HANGUP_RECORD:
        leg.ended = at
        leg.end_source = event.reason
    _read_end(leg, event)


def _read_end(leg: Leg, event: Event) -> None:
    """The cause of a hang-up; a later report of the same end adds what the earlier left out."""
    if event.q850_cause and not leg.q850_cause:
        leg.q850_cause = cause_from_code(event.q850_cause)
        if leg.q850_cause:
            leg.cause_from = event.cause_from or "native"
    if event.hung_up_by is not None and (not leg.hung_up_by or (leg.hung_up_by == "peer" and _is_own(event))):
        leg.hung_up_by = event.hung_up_by
    if event.by and event.hung_up_by == "peer":
        leg.names_other = True
    if 100 <= event.sip_status < 700 and not leg.sip_status:
        leg.sip_status = event.sip_status
    if event.cause and leg.cause in _NO_CAUSE:
        leg.cause = event.cause


def _is_own(event: Event) -> bool:
    """Whether a leg's own device is said to have ended it, which it knows better than its peer."""
    return event.hung_up_by == "party"


def _read_rest(story: Story, leg: Leg, event: Event, at: int) -> bool:
    """The events beyond the four moments; True when their parties are not the leg's."""
    kind = event.type
    if kind == "progress":
        if leg.progress is None:
            leg.progress = at
        return False
    if kind in ("bridged", "unbridged"):
        story.bridged = True
        leg.bridges = leg.bridges or []
        leg.bridges.append((at, event.peer_leg_id, kind == "bridged"))
        if event.caller is not None or event.callee is not None or event.role:
            _read_parties(leg, msgspec.structs.replace(event, peer_leg_id=""))  # which is no leg that it was made for
    elif kind in ("held", "resumed"):
        story.held = True
        leg.holds = leg.holds or []
        leg.holds.append((at, kind == "held"))
    elif kind in ("rerouted", "transferred"):
        story.moves = story.moves or []
        story.moves.append(event)
    elif kind in ("queue_joined", "queue_agent_rang", "queue_left"):
        story.queue = story.queue or []
        story.queue.append(event)
    elif kind == "voicemail":
        story.voicemail = story.voicemail or []
        story.voicemail.append(event)
    elif kind in ("conference_joined", "conference_left"):
        leg.conferences = leg.conferences or []
        leg.conferences.append((at, event.conference, kind == "conference_joined"))
    elif kind == "recorded":
        story.recordings = story.recordings or []
        story.recordings.append(event)
    elif kind == "quality":
        story.quality = story.quality or []
        story.quality.append(event)
    elif kind == "data" and event.reason == NODE_RESTART:
        story.restarts = story.restarts or []
        story.restarts.append(event)
    elif kind == "data" and event.reason == APPLICATION:
        leg.applications = leg.applications or []
        leg.applications.append((at, event.to))
        return False
    elif kind == "data" and event.reason in ORIGINATE:
        leg.start_reason = event.reason
        return False
    else:
        if kind == "data" and event.reason == NOT_BRIDGED:
            leg.not_bridged = True
        elif kind == "data" and event.reason == IMPLAUSIBLE:
            story.implausible = True
        elif kind == "data" and event.reason == CLOCK_SKEW and event.to.lstrip("-").isdecimal():
            story.skews = (story.skews or {}) | {event.node: int(event.to)}
        return False
    if event.user_data and not story.user_data:
        story.user_data = event.user_data
    return True
