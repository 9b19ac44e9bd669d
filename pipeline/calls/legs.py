"""Events → legs: what happened to each channel, whatever the order in which it was told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import msgspec

from schemas.event import Event, Party

# Where two events share their millisecond, cause comes before effect.
_RANK = {
    "started": 0,
    "data": 1,
    "queue_joined": 2,
    "progress": 3,
    "queue_agent_rang": 4,
    "rang": 5,
    "rerouted": 6,
    "voicemail": 7,
    "answered": 8,
    "bridged": 9,
    "transferred": 12,
    "queue_left": 13,
    "unbridged": 14,
    "ended": 15,
}
_MIDDLE = 10

NOBODY = Party()


class Leg(msgspec.Struct, gc=False):
    """One party's channel as the PBX reported it. Times in ms; the first report of a moment wins."""

    id: str
    call_id: str
    first_at: int
    started: int | None = None
    progress: int | None = None
    rang: int | None = None
    answered: int | None = None
    ended: int | None = None
    answer_source: str = ""  # reason of the event that said so
    answered_by: str = ""
    caller: Party = NOBODY
    callee: Party = NOBODY
    direction: str = ""
    role: str = ""
    kind: str = ""
    peer: str = ""
    node: str = ""
    trunk: str = ""
    did: str = ""
    outbound_caller_id: str = ""
    sip_status: int = 0
    q850_cause: int = 0
    cause: str = ""
    cause_from: str = ""
    hung_up_by: str = ""
    end_reason: str = ""
    bridges: list[tuple[int, str]] | None = None
    unbridges: list[tuple[int, str]] | None = None
    holds: list[tuple[int, bool]] | None = None
    conferences: list[tuple[int, str, bool]] | None = None


class Story(msgspec.Struct, gc=False):
    """Everything that the events of one call tell, legs first."""

    legs: dict[str, Leg]
    last_at: int
    reroutes: list[Event]  # rerouted and transferred, in order
    queue: list[Event]
    voicemail: list[Event]
    recordings: list[Event]
    quality: list[Event]
    callbacks: list[Event]
    user_data: str


def distinct(events: Iterable[Event]) -> list[Event]:
    """Each fact once, in the order in which it happened.

    The same event id is the same fact; should two reports of it differ (two captures of one SIP
    message), the earlier one counts, whichever came first.
    """
    known: dict[str, Event] = {}
    for event in events:
        other = known.setdefault(event.event_id, event)
        if other is not event and _precedence(event) < _precedence(other):
            known[event.event_id] = event
    return sorted(known.values(), key=_order)


def _precedence(event: Event) -> tuple[object, ...]:
    return (event.at, event.type, event.leg_id, event.seq, msgspec.json.encode(event))


def _order(event: Event) -> tuple[int, int, int, str, str]:
    return (event.at, _RANK.get(event.type, _MIDDLE), event.seq, event.leg_id, event.event_id)  # type: ignore[return-value]


def party(value: str | Party | None) -> Party | None:
    """A party given as a bare number or in full."""
    if value is None or isinstance(value, Party):
        return value
    return Party(number=value)


def _fuller(known: Party, told: str | Party | None) -> Party:
    """What is known of a party, completed by what an event tells; the first word stands."""
    if told is None:
        return known
    if known is NOBODY:
        return told if isinstance(told, Party) else Party(number=told)
    new = party(told)
    assert new is not None
    return Party(
        number=known.number or new.number,
        name=known.name or new.name,
        domain=known.domain or new.domain,
        extension=known.extension or new.extension,
    )


def read(events: Sequence[Event]) -> Story:
    """The story of one call. `events` are distinct and in order, see `distinct`."""
    story = Story({}, 0, [], [], [], [], [], [], "")
    legs = story.legs
    for event in events:
        at: int = event.at  # type: ignore[assignment]
        leg = legs.get(event.leg_id)
        if leg is None:
            leg = legs[event.leg_id] = Leg(event.leg_id, event.call_id, at, node=event.node)
        kind = event.type
        if kind == "started":
            if leg.started is None:
                leg.started = at
        elif kind == "rang":
            if leg.rang is None:
                leg.rang = at
        elif kind == "answered":
            # A moment that a hang-up record remembers yields to one that was seen.
            if leg.answered is None or (leg.answer_source == "hangup_record" and event.reason != "hangup_record"):
                leg.answered = at
                leg.answer_source = event.reason
                leg.answered_by = event.answered_by
        elif kind == "ended":
            if leg.ended is None:
                leg.ended = at
            _read_end(leg, event)
        else:
            _read_rest(story, leg, event, at)
        if event.caller is not None:
            leg.caller = _fuller(leg.caller, event.caller)
        if event.callee is not None:
            leg.callee = _fuller(leg.callee, event.callee)
        if event.direction is not None and not leg.direction:
            leg.direction = event.direction
        if event.kind is not None and not leg.kind:
            leg.kind = event.kind
        if event.peer_leg_id and not leg.peer and kind not in ("bridged", "unbridged"):
            leg.peer = event.peer_leg_id
        if event.role and not leg.role:
            leg.role = event.role
        if event.trunk and not leg.trunk:
            leg.trunk = event.trunk
        if event.did and not leg.did:
            leg.did = event.did
        if event.outbound_caller_id and not leg.outbound_caller_id:
            leg.outbound_caller_id = event.outbound_caller_id
        if event.user_data and not story.user_data:
            story.user_data = event.user_data
    story.last_at = events[-1].at  # type: ignore[assignment]
    return story


def _read_end(leg: Leg, event: Event) -> None:
    """The cause of a hang-up; a later report of the same end adds what the earlier left out."""
    if event.sip_status and not leg.sip_status:
        leg.sip_status = event.sip_status
    if event.q850_cause and not leg.q850_cause:
        leg.q850_cause = event.q850_cause
        leg.cause_from = event.cause_from or "native"
    if event.cause and not leg.cause:
        leg.cause = event.cause
    if event.hung_up_by and not leg.hung_up_by:
        leg.hung_up_by = event.hung_up_by
    if event.reason and not leg.end_reason:
        leg.end_reason = event.reason


def _read_rest(story: Story, leg: Leg, event: Event, at: int) -> None:
    kind = event.type
    if kind == "progress":
        if leg.progress is None:
            leg.progress = at
    elif kind == "bridged":
        leg.bridges = leg.bridges or []
        leg.bridges.append((at, event.peer_leg_id))
    elif kind == "unbridged":
        leg.unbridges = leg.unbridges or []
        leg.unbridges.append((at, event.peer_leg_id))
    elif kind == "held":
        leg.holds = leg.holds or []
        leg.holds.append((at, True))
    elif kind == "resumed":
        leg.holds = leg.holds or []
        leg.holds.append((at, False))
    elif kind in ("rerouted", "transferred"):
        story.reroutes.append(event)
    elif kind in ("queue_joined", "queue_agent_rang", "queue_left"):
        story.queue.append(event)
    elif kind == "voicemail":
        story.voicemail.append(event)
    elif kind == "conference_joined":
        leg.conferences = leg.conferences or []
        leg.conferences.append((at, event.conference, True))
    elif kind == "conference_left":
        leg.conferences = leg.conferences or []
        leg.conferences.append((at, event.conference, False))
    elif kind == "recorded":
        story.recordings.append(event)
    elif kind == "quality":
        story.quality.append(event)
    elif kind == "callback":
        story.callbacks.append(event)
