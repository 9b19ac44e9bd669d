"""Transfers and pickups in SIP: REFER, with or without Replaces, and INVITE with Replaces (RFC 3515, 3891, 5589)."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from pipeline.calls.sip.branches import Session, at, sip
from pipeline.calls.sip.outcome import End
from pipeline.calls.sip.parties import caller, requested
from pipeline.calls.sip.relations import Key, Relations, key, referred_by
from pipeline.calls.sip.sides import Side, Tried, far_number
from pipeline.calls.sip.writer import Writer
from schemas.event import Event

Sides = Mapping[Key, Side]


class Continued(msgspec.Struct):
    """A leg whose party went on talking in another session."""

    started: int
    answered: int | None
    end: End | None


def is_pickup(relations: Relations, replaced: Session) -> bool:
    """Whether replacing this session takes the call away from its target, rather than from a consultation."""
    return not any(replaced is consulted for consulted in relations.consultations)


def continuations(relations: Relations, sides: Sides) -> dict[str, Continued]:
    """Leg → how its party went on: the transferred party in the session that it began, the caller in a pickup."""
    found: dict[str, Continued] = {}
    root = sides[key(relations.root)]
    for session, replaced in relations.replacing:
        side = sides[key(session)]
        if is_pickup(relations, replaced):
            _add(found, root.caller_leg, side, _mirrored(side.end))
        else:
            _add(found, _transferee(relations, sides, session, replaced), side, side.end)
    for child in relations.children.get(key(relations.root), []):
        refer = referred_by(child, relations.root)
        if refer is not None:
            by_caller = relations.root.by_caller(refer)
            reached = root.reached
            leg = (reached.leg if reached is not None else "") if by_caller else root.caller_leg
            _add(found, leg, sides[key(child)], sides[key(child)].end)
    return found


def _add(found: dict[str, Continued], leg: str, side: Side, end: End | None) -> None:
    known = found.get(leg)
    if leg and (known is None or known.started <= side.session.started):
        found[leg] = Continued(side.session.started, side.answered, end)


def _mirrored(end: End | None) -> End | None:
    """The end as the other side sees it: who picked the call up began that session."""
    if end is None:
        return None
    by = {"caller": "callee", "callee": "caller"}.get(end.by or "")
    return msgspec.structs.replace(end, by=by if by else end.by)


def _refer_to(sides: Sides, replaced: Session) -> tuple[Side, Event] | None:
    """The REFER that named this consultation, and the session in which it was sent."""
    for side in sides.values():
        for refer in side.session.refers:
            if sip(refer).replaces.partition(";")[0] == replaced.call_id:
                return side, refer
    return None


def _transferee(relations: Relations, sides: Sides, session: Session, replaced: Session) -> str:
    """The leg of the party that began `session` to replace a consultation."""
    root = sides[key(relations.root)]
    reached = root.reached
    callee_leg = reached.leg if reached is not None else ""
    referred = _refer_to(sides, replaced)
    if referred is not None and referred[0] is root:
        return callee_leg if relations.root.by_caller(referred[1]) else root.caller_leg
    if caller(replaced).number == caller(relations.root).number and callee_leg:
        return callee_leg  # the caller consulted, so its callee was handed over
    return root.caller_leg


def write_transfers(writer: Writer, relations: Relations, sides: Sides) -> None:
    """A `transferred` event for each REFER, and for each replaced session that no captured REFER explains."""
    explained: set[Key] = set()
    begun: dict[str, list[Session]] = {}  # number → the sessions that were begun to reach it
    for children in relations.children.values():
        for child in children:
            for number in {requested(child).number, sip(child.first).ruri, far_number(sides[key(child)])}:
                begun.setdefault(number, []).append(child)
    for side in sides.values():
        for refer in side.session.refers:
            candidates = begun.get(sip(refer).refer_to, [])
            _write_refer(writer, relations, sides, side, refer, candidates, explained)
    root = sides[key(relations.root)]
    for session, replaced in relations.replacing:
        if key(replaced) in explained:
            continue
        side = sides[key(session)]
        if is_pickup(relations, replaced):
            who = caller(session).number
            writer.write(
                "rerouted", session.started, root.caller_leg, reason="pickup", from_=far_number(root), to=who, by=who
            )
            continue
        transferee = _transferee(relations, sides, session, replaced)
        _write(writer, sides, root, session.started, transferee != root.caller_leg, sides[key(replaced)], side, "")


def _write_refer(
    writer: Writer,
    relations: Relations,
    sides: Sides,
    side: Side,
    refer: Event,
    candidates: list[Session],
    explained: set[Key],
) -> None:
    message = sip(refer)
    session = side.session
    by_caller = session.by_caller(refer)
    consulted: Side | None = None
    taken: Side | None = None
    if message.replaces:
        named = message.replaces.partition(";")[0]
        consulted = next((s for s in sides.values() if s.session.call_id == named and s is not side), None)
        if consulted is not None:
            explained.add(key(consulted.session))
            taken = next((sides[key(s)] for s, r in relations.replacing if r is consulted.session), None)
            if taken is None:
                children = relations.children.get(key(consulted.session), [])
                taken = sides[key(children[-1])] if children else None
    else:
        taken = next((sides[key(c)] for c in candidates if referred_by(c, session) is refer), None)
        if taken is None:  # a PBX takes the REFER on one leg and begins another for the call
            later = [c for c in candidates if c.started >= at(refer)]
            taken = sides[key(later[0])] if later else None
    outcome = _fragment(session, refer)
    if outcome >= 300 and taken is None:
        writer.write(
            "data", at(refer), side.caller_leg, to=message.refer_to, sip_status=outcome, reason="transfer_failed"
        )
        return
    _write(writer, sides, side, at(refer), by_caller, consulted, taken, message.refer_to)


def _fragment(session: Session, refer: Event) -> int:
    """The last status that the transferred party reported (RFC 3515, section 2.4.5); 0 without one."""
    reports = [n for n in session.fragments if at(n) >= at(refer) and session.by_caller(n) != session.by_caller(refer)]
    return sip(max(reports, key=lambda n: (at(n), sip(n).cseq))).fragment if reports else 0


def _write(
    writer: Writer,
    sides: Sides,
    side: Side,
    when: int,
    by_caller: bool,
    consulted: Side | None,
    taken: Side | None,
    refer_to: str,
) -> None:
    reached = side.reached or _reached_behind(sides, side)
    callee_leg = reached.leg if reached is not None else ""
    by = caller(side.session).number if by_caller else reached.number if reached is not None else far_number(side)
    target = taken.reached if taken is not None else None
    reason = "blind"
    if consulted is not None:
        answered = consulted.answered
        reason = "attended" if answered is not None and answered <= when else "semi_attended"
    to = target.number if target is not None else far_number(consulted) if consulted is not None else refer_to
    writer.write(
        "transferred",
        when,
        side.caller_leg if by_caller or not callee_leg else callee_leg,
        reason=reason,
        by=by,
        from_=by,
        to=to or refer_to,
        second_leg_id=consulted.caller_leg if consulted is not None else "",
        transferee_leg_id=callee_leg if by_caller else side.caller_leg,
        target_leg_id=target.leg if target is not None else "",
    )


def _reached_behind(sides: Sides, side: Side) -> Tried | None:
    """The target behind a PBX whose own leg is not shown."""
    behind = [
        s.reached for s in sides.values() if s.caller_leg == side.caller_leg and s.reached is not None and s is not side
    ]
    won = [tried for tried in behind if tried.answered is not None]
    return min(won or behind, key=lambda tried: (tried.branch.started, tried.leg), default=None)
