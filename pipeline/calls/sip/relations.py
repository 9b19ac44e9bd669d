"""How the SIP sessions of one call belong together: legs of a back-to-back user agent, consultations, and sessions that
replace others (RFC 3891)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pipeline.calls.sip.branches import Session, at, sip
from pipeline.calls.sip.parties import requested
from schemas.event import Event

Key = tuple[str, str]


class Relations(msgspec.Struct):
    """The sessions by their part in the call."""

    root: Session  # of the party that began the call
    children: dict[Key, list[Session]]  # session → those that a PBX, or a transferred party, began for it
    consultations: list[Session]  # second calls that a party began in order to transfer
    replacing: list[tuple[Session, Session]]  # (session, the one that it replaced)


def key(session: Session) -> Key:
    """What names a session."""
    return (session.call_id, session.tag)


def relate(sessions: Sequence[Session]) -> Relations:
    """The relations of the sessions of one call, given in order of their start (at least one)."""
    by_call_id: dict[str, Session] = {}
    for session in sessions:
        by_call_id.setdefault(session.call_id, session)
    replacing: list[tuple[Session, Session]] = []
    named: set[Key] = set()
    for session in sessions:
        replaced = by_call_id.get(session.replaces)
        if replaced is not None and replaced is not session:
            replacing.append((session, replaced))
            named.add(key(replaced))
        for refer in session.refers:
            consulted = by_call_id.get(sip(refer).replaces.partition(";")[0])
            if consulted is not None and consulted is not session:
                named.add(key(consulted))
    later = {key(session) for session, _ in replacing}
    parents = _parents(sessions, by_call_id, later)
    free = [s for s in sessions if key(s) not in later and key(s) not in parents]
    unnamed = [s for s in free if key(s) not in named]
    root = (unnamed or free or list(sessions))[0]
    consultations = [s for s in free if key(s) in named and s is not root]
    consulting = {key(s) for s in consultations}
    children: dict[Key, list[Session]] = {}
    for session in sessions:
        own = key(session)
        if session is root or own in later or own in consulting:
            continue
        children.setdefault(parents.get(own, key(root)), []).append(session)
    replacing = [(session, replaced) for session, replaced in replacing if session is not root]
    return Relations(root, children, consultations, replacing)


def _parents(sessions: Sequence[Session], by_call_id: dict[str, Session], later: set[Key]) -> dict[Key, Key]:
    """Session → the earlier session whose Call-ID, or whose correlation id, it names."""
    parents: dict[Key, Key] = {}
    groups: dict[str, Session] = {}
    places = {key(session): place for place, session in enumerate(sessions)}
    for place, session in enumerate(sessions):
        for name in sorted(session.correlations):
            parent = by_call_id.get(name) or groups.get(name)
            groups.setdefault(name, session)
            if parent is None or parent is session or key(session) in later or key(session) in parents:
                continue
            if places[key(parent)] < place:
                parents[key(session)] = key(parent)
    return parents


def referred_by(session: Session, parent: Session) -> Event | None:
    """The REFER in `parent` that made a party of it begin `session`; None when no REFER did."""
    wanted = requested(session).number
    for refer in sorted(parent.refers, key=at, reverse=True):
        message = sip(refer)
        if (
            at(refer) <= session.started
            and not message.replaces
            and message.refer_to in (wanted, sip(session.first).ruri)
        ):
            return refer
    return None
