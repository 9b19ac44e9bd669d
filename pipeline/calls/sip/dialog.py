"""SIP dialogs → plain call events: a pure function of the set of a call's SIP messages.

Every event that carries a SIP message says only what that message alone looks like. Here all of them are read
together: one leg for the caller, one for each branch towards a target, with the four moments of each,
holds, reroutes and transfers (RFC 3261, 3515, 3891, 3326). Neither order nor duplicates of the messages matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from pipeline.calls.numbering import outside
from pipeline.calls.sip.branches import Session, at, is_accounted, sessions, sip
from pipeline.calls.sip.clocks import CLOCK_SKEW, on_one_clock
from pipeline.calls.sip.outcome import End
from pipeline.calls.sip.parties import caller, comes_in, far_ends, host, leg_id, requested
from pipeline.calls.sip.relations import Key, Relations, key, referred_by, relate
from pipeline.calls.sip.reroutes import write_history, write_reroutes
from pipeline.calls.sip.sides import Side, Tried, progressed, rang, read_targets, side
from pipeline.calls.sip.transfers import Continued, continuations, is_pickup, write_transfers
from pipeline.calls.sip.writer import Writer
from schemas.event import Event, Facts, Party


def dialogs(events: Iterable[Event]) -> list[Event]:
    """The plain events of one call, in no particular order; events without `sip` are not looked at."""
    messages, skews = on_one_clock([event for event in events if event.sip is not None])
    found = sessions(messages)
    if not found:
        return []
    relations = relate(found)
    root = relations.root
    legs = _caller_legs(relations)
    sides = {key(session): side(session, legs[key(session)]) for session in found}
    _read_targets(relations, sides)
    followed = continuations(relations, sides)
    writer = Writer(root.first)
    _write_caller(writer, sides[key(root)], followed)
    write_history(writer, sides[key(root)])
    picked_up = {key(s) for s, replaced in relations.replacing if is_pickup(relations, replaced)}
    replaced = {key(r) for _, r in relations.replacing}
    for session in found:
        read = sides[key(session)]
        if session is root or key(session) in picked_up or read.caller_leg == legs[key(root)]:
            if key(session) in picked_up:
                _write_picker(writer, read)
                continue
            for tried in read.tried:
                _write_target(writer, read, tried, followed)
            reached = read.reached
            writer.holds(session, read.caller_leg, reached.leg if reached is not None else read.caller_leg)
            write_reroutes(writer, read)
        elif any(session is consulted for consulted in relations.consultations):
            _write_caller(writer, read, {})
        elif not any(key(c) in replaced for c in relations.consultations if legs[key(c)] == read.caller_leg):
            for tried in read.tried:  # the phone that was consulted, behind a PBX
                _write_target(writer, read, tried, followed)
    write_transfers(writer, relations, sides)
    newest = max([event.at for event in messages])
    if newest > max([event.at for event in writer.events]):
        writer.write("data", newest, legs[key(root)])  # the call was alive then
    for node, ahead in sorted(skews.items()):
        writer.write("data", root.started, legs[key(root)], node, reason=CLOCK_SKEW, to=str(ahead))
    others = {event.call_id for event in messages} - {writer.call_id}
    if others:
        writer.events[0].linked_ids = sorted(others)
    return writer.events


def beside(others: Iterable[Event], messages: Iterable[Event], told: Iterable[Event]) -> list[Event]:
    """`told`, which is of these messages, with what other sources tell of their legs.

    A moment that the messages tell is theirs: a proxy's dialog events come later than the message, and often in whole
    seconds. Who and what the leg is still counts; and accounting, which has answers only, is told by others when the
    INVITE came, and when it was answered where no answer was seen.
    """
    messages, by_others, found = list(messages), list(others), list(told)
    captured = not all(map(is_accounted, messages))
    legs = {leg_id(*own): leg for own, leg in _caller_legs(relate(sessions(messages))).items()}
    if any(event.type == "answered" for event in by_others) and not any(map(_is_answer, messages)):
        found = [event for event in found if event.type != "answered"]
        if not captured:
            found += _answered_after_failures(found, by_others)
    known = {(event.leg_id, event.type) for event in found}
    for event in by_others:
        leg = legs.get(event.leg_id)
        if leg is not None:
            begins = event.type == "started" and not captured and leg == event.leg_id
            kept = begins or (leg == event.leg_id and (leg, event.type) not in known)
            event = msgspec.structs.replace(event, leg_id=leg, type=event.type if kept else "data")
        found.append(event)
    return found


def _answered_after_failures(found: list[Event], others: list[Event]) -> list[Event]:
    """The target that was answered, where accounting tells of the branches that failed before it alone, and others of
    the call as a whole; takes their end out of `found`."""
    moments = {event.type: event for event in others if event.type in ("started", "answered", "ended")}
    answer, end = moments["answered"], moments.get("ended")
    failed = [event for event in found if event.type == "ended" and event.at <= answer.at]
    targets = {event.leg_id for event in found if event.type == "started" and event.role == "target"}
    if not any(event.leg_id in targets for event in failed):
        return []
    leg = answer.leg_id
    found[:] = [event for event in found if event.type != "ended" or event.leg_id != leg]
    began = max(event.at for event in failed if event.leg_id in targets)
    asked = moments["started"].callee if "started" in moments else None
    told = [("started", began), ("answered", answer.at), *([] if end is None else [("ended", end.at)])]
    return [
        Event(
            type_,
            at_,
            answer.call_id,
            f"{answer.event_id}-{type_}",
            f"{leg};answered",
            answer.tenant,
            answer.node,
            callee=asked,
            role="target",
            peer_leg_id=leg,
        )
        for type_, at_ in told
    ]


def _is_answer(event: Event) -> bool:
    message = sip(event)
    return message.method == "INVITE" and 200 <= message.status < 300


def _caller_legs(relations: Relations) -> dict[Key, str]:
    """Session → the leg on its caller's side: the call's caller, or the party that consults."""
    root = relations.root
    legs = {key(root): leg_id(root.call_id, root.tag)}
    for session in relations.consultations:
        legs[key(session)] = leg_id(session.call_id, session.tag)
    for session, _ in relations.replacing:
        legs[key(session)] = legs[key(root)]
    waiting = list(legs)
    while waiting:
        parent = waiting.pop()
        for child in relations.children.get(parent, []):
            if key(child) not in legs:
                legs[key(child)] = legs[parent]
                waiting.append(key(child))
    return legs


def _read_targets(relations: Relations, sides: Mapping[Key, Side]) -> None:
    """The targets of every session. Those of a session that a PBX continues in sessions of its own are the PBX itself,
    and not shown."""
    parents = {key(child): parent for parent, children in relations.children.items() for child in children}
    whose: dict[str, Side] = {}  # leg on the caller's side → the session in which its party began
    for read in sides.values():
        whose.setdefault(read.caller_leg, read)
    answered: dict[Key, list[tuple[int, Key]]] = {}  # per parent, the two children that were answered first
    for parent, children in relations.children.items():
        moments = [(sides[key(child)].answered, key(child)) for child in children]
        answered[parent] = sorted((when, own) for when, own in moments if when is not None)[:2]
    for own, read in sides.items():
        parent_key = parents.get(own)
        first = answered.get(parent_key, []) if parent_key is not None else []
        elsewhere = next((when for when, sibling in first if sibling != own), None)
        read_targets(read, elsewhere, (whose[read.caller_leg] if parent_key is not None else read).end)
    for parent, children in relations.children.items():
        read = sides[parent]
        for child in children:
            if read.tried and referred_by(child, read.session) is None:
                read.tried.remove(_towards(read, child))
        _released_by_pbx(read, [sides[key(child)] for child in children])


def _towards(read: Side, child: Session) -> Tried:
    """The target of a session that is the PBX which began `child` for it."""
    began_by = far_ends(child)[0]
    earlier = [tried for tried in read.tried if tried.branch.started <= child.started] or read.tried
    for tried in earlier:
        message = sip(tried.branch.invite or tried.branch.first)
        if host(message.dst if not message.status else message.src) == began_by and len(earlier) > 1:
            return tried
    return earlier[-1]


def _released_by_pbx(read: Side, children: list[Side]) -> None:
    """A PBX that hangs up on both of its sides ended the call itself."""
    ends = [child.end for child in children if child.answered is not None]
    if (
        read.end is not None
        and read.end.by == "callee"
        and ends
        and all(e is not None and e.by == "caller" for e in ends)
    ):
        released = read.end
        read.end = End(released.at, released.sip_status, released.cause, released.cause_from, released.text, "system")


def _write_caller(writer: Writer, read: Side, followed: Mapping[str, Continued]) -> None:
    """The leg of the party that began a session."""
    session = read.session
    leg, node = read.caller_leg, session.first.node
    asked = requested(session)
    first = session.first
    direction = first.direction or ("inbound" if comes_in(session) else None)
    told: dict[str, Any] = {"direction": direction, "trunk": first.trunk, "did": first.did}
    told |= {"data": Facts(address=far_ends(session)[0])} if far_ends(session)[0] else {}
    writer.write("started", session.started, leg, node, caller=caller(session), callee=asked, role="caller", **told)
    for type_, when in (("progress", progressed(session)), ("rang", rang(session))):
        if when is not None:
            writer.write(type_, when, leg, node)
    continued = followed.get(leg)
    answered = read.answered
    end = read.end
    if continued is not None:
        if answered is None:
            answered = continued.answered
        end = _later(end, continued)
    if answered is not None:
        writer.write("answered", answered, leg, node)
    if end is not None:
        writer.end(end, leg, node)


def _write_target(writer: Writer, read: Side, tried: Tried, followed: Mapping[str, Continued]) -> None:
    """The leg of one target."""
    branch, leg = tried.branch, tried.leg
    node = (branch.invite or branch.first).node
    asked = requested(read.session)
    callee = Party(tried.number, asked.name if asked.number == tried.number else "", asked.domain)
    begins = outside(caller(read.session).number) and not comes_in(read.session)  # both numbers are written in full
    told: dict[str, Any] = {"kind": "outside"} if outside(tried.number) and not begins else {}
    writer.write(
        "started", branch.started, leg, node, callee=callee, role="target", peer_leg_id=read.caller_leg, **told
    )
    for type_, event in (("progress", branch.progress), ("rang", branch.ringing)):
        if event is not None:
            writer.write(type_, at(event), leg, node)
    if tried.answered is not None:
        writer.write("answered", tried.answered, leg, node)
    end = tried.end
    if leg in followed:
        end = _later(end, followed[leg])
    if end is not None:
        writer.end(end, leg, node)


def _write_picker(writer: Writer, read: Side) -> None:
    """The leg of the party that took the call from a ringing phone: it began a session, but is a target."""
    session = read.session
    leg, node = leg_id(session.call_id, session.tag, "pickup"), session.first.node
    writer.write(
        "started", session.started, leg, node, callee=caller(session), role="target", peer_leg_id=read.caller_leg
    )
    if read.answered is not None:
        writer.write("answered", read.answered, leg, node)
    if read.end is not None:
        by = {"caller": "callee", "callee": "caller"}.get(read.end.by or "", "system")
        writer.write("ended", read.end.at, leg, node, sip_status=read.end.sip_status, hung_up_by=by)


def _later(end: End | None, continued: Continued) -> End | None:
    """The end of a party that went on in another session."""
    if continued.end is None:
        return None
    if end is None or continued.end.at >= end.at:
        return continued.end
    return end
