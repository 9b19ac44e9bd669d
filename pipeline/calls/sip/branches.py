"""SIP messages of a call, put in order: which INVITE tried whom, on which hop, and what came of it (RFC 3261).

A *session* is what one caller's side sees: one Call-ID and From tag, with every attempt (an INVITE without To
tag, again after an authentication challenge) and every *branch* of it: one INVITE transaction on one hop.
Branches form a tree by their Via headers: the ones with the fewest Via are nearest the caller, the leaves are the
targets.
Everything here is a function of the set of messages; the order in which they came does not count.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from schemas.event import Event, SipMessage

SAME_MS: Final = 1000  # two rows of a proxy's accounting about one answer lie no further apart
MAX_REFERS: Final = 32  # of one session; no call is transferred more often
_ACCOUNTED: Final = "acc-"  # how the ids of events begin that a proxy's accounting tells
# A final response after which the same INVITE is sent again, mended (RFC 3261 section 8.1.3.5, RFC 4028).
MENDED: Final = frozenset({401, 407, 413, 415, 416, 420, 421, 422, 494})


class Branch(msgspec.Struct):
    """One INVITE transaction on one hop."""

    cseq: int
    branch: str
    via: int
    before: str
    first: Event  # earliest message
    invite: Event | None = None
    ringing: Event | None = None
    progress: Event | None = None
    early_tags: set[str] = msgspec.field(default_factory=set)
    answers: dict[str, int] = msgspec.field(default_factory=dict)  # To tag → when its 2xx passed
    final: Event | None = None  # first response of 300 or more
    cancel: Event | None = None

    @property
    def started(self) -> int:
        """ms of the INVITE, or of the first sign of it."""
        return at(self.invite or self.first)


class Session(msgspec.Struct):
    """All messages of one Call-ID that concern one caller's tag."""

    call_id: str
    tag: str
    attempts: list[list[Branch]]  # in order of CSeq; those that were mended and sent again left out
    started: int
    first: Event  # the first INVITE, or the first message without one
    acks: dict[str, int]  # To tag → first ACK of a 2xx
    byes: dict[str, list[Event]]  # the callee's tag → BYE requests; without one, the answers to it
    refused_byes: set[tuple[str, int]]  # (From tag, CSeq) of BYE requests that were answered with 300 and more only
    offers: list[Event]  # re-INVITE and UPDATE requests that were not refused; answers that make the offer
    refers: list[Event]  # REFER requests that were not refused
    fragments: list[Event]  # NOTIFY with the outcome of a transfer
    correlations: set[str]  # call ids, other than the own Call-ID, that its INVITEs name
    replaces: str  # Call-ID that its INVITE replaces

    def callee_tag(self, message: SipMessage) -> str:
        """The far side's tag of a message inside a dialog."""
        return message.to_tag if message.from_tag == self.tag else message.from_tag

    def by_caller(self, event: Event) -> bool:
        """Whether the session's own caller sent this request."""
        return sip(event).from_tag == self.tag

    def offered_by_caller(self, event: Event) -> bool:
        """Whether the session's own caller made this offer, in a request or in the answer to one without."""
        return self.by_caller(event) != bool(sip(event).status)


def at(event: Event) -> int:
    """ms since the epoch."""
    return event.at


def sip(event: Event) -> SipMessage:
    """The message of an event that carries one."""
    assert event.sip is not None
    return event.sip


def _identity(event: Event) -> tuple[object, ...]:
    s = sip(event)
    return (s.call_id, s.cseq, s.method, s.status, s.from_tag, s.to_tag, s.branch, s.via, s.before)


def sessions(events: Iterable[Event]) -> list[Session]:
    """The sessions of a call, in order of their start."""
    events = list(events)
    if min([sip(event).cseq for event in events], default=0) < 0:
        events = _numbered(events)
    distinct: dict[tuple[object, ...], Event] = {}
    for event in events:
        key = _identity(event)
        known = distinct.get(key)
        if known is None or _precedence(event) < _precedence(known):
            distinct[key] = event
    by_call_id: dict[str, list[Event]] = {}
    for event in _in_order(distinct.values()):
        by_call_id.setdefault(sip(event).call_id, []).append(event)
    found = [session for call_id, group in by_call_id.items() for session in _of_call_id(call_id, group)]
    return sorted(found, key=lambda session: (session.started, session.call_id, session.tag))


def _numbered(events: Sequence[Event]) -> list[Event]:
    """The messages, with a CSeq number for those that bear none (cut short, or by the sender's fault): that of their
    transaction, whose branch they share, else the first one free."""
    known: dict[tuple[str, str], int] = {}
    highest: dict[str, int] = {}
    for event in events:
        message = sip(event)
        if message.cseq >= 0:
            known.setdefault((message.call_id, message.branch), message.cseq)
            highest[message.call_id] = max(highest.get(message.call_id, 0), message.cseq)
    found: list[Event] = []
    for event in events:
        message = sip(event)
        if message.cseq < 0:
            first = message.method in ("INVITE", "CANCEL", "ACK") and not (
                message.method == "INVITE" and message.to_tag
            )
            other = 1 if first else highest.get(message.call_id, 0) + 1
            cseq = known.get((message.call_id, message.branch), other)
            event = msgspec.structs.replace(event, sip=msgspec.structs.replace(message, cseq=cseq))
        found.append(event)
    return found


def _precedence(event: Event) -> tuple[object, ...]:
    s = sip(event)
    return (event.at, s.cseq, s.status, s.via, event.event_id, event.node, msgspec.json.encode(event))


def _in_order(events: Iterable[Event]) -> list[Event]:
    """Sorted by `_precedence`. What a whole event looks like is asked of those only that share their id: it is the
    dearest part of the order, and hardly ever decides."""
    found = list(events)
    if len(found) > 1:
        if len({event.event_id for event in found}) < len(found):
            found.sort(key=_precedence)
        else:
            found.sort(key=_place)
    return found


def _place(event: Event) -> tuple[int, int, int, int, str]:
    s = sip(event)
    return (event.at, s.cseq, s.status, s.via, event.event_id)


def _of_call_id(call_id: str, events: Sequence[Event]) -> list[Session]:
    events = _seen(events)
    callers = [m.from_tag for m in map(sip, events) if m.method == "INVITE" and not m.status and not m.to_tag]
    if not callers:  # the INVITE was not captured: its responses have its From tag, then whoever spoke first
        ranked = sorted(events, key=lambda e: (_witness(sip(e)), _precedence(e)))
        callers = [sip(ranked[0]).from_tag]
    groups: dict[str, list[Event]] = {tag: [] for tag in callers}
    for event in events:
        message = sip(event)
        if message.from_tag in groups:
            groups[message.from_tag].append(event)
        elif message.to_tag in groups:
            groups[message.to_tag].append(event)
        else:
            groups[callers[0]].append(event)
    return [_session(call_id, tag, group) for tag, group in groups.items()]


def _seen(events: Sequence[Event]) -> Sequence[Event]:
    """The messages that were captured; what a proxy's accounting says of a message counts where none was."""
    if not [event for event in events if event.event_id.startswith(_ACCOUNTED)]:
        return events
    captured = {_sort(sip(event)) for event in events if not is_accounted(event)}
    found: list[Event] = []
    failed: dict[tuple[int, str, str], int] = {}
    for event in events:
        message = sip(event)
        if is_accounted(event):
            if _sort(message) in captured:
                continue
            if message.status >= 300:  # accounted for twice: as a branch that missed, and as the transaction
                mark = (message.status, message.to_tag, message.ruri)
                known, failed[mark] = failed.get(mark), at(event)
                if known is not None and at(event) - known < SAME_MS:
                    continue
        found.append(event)
    return found


def is_accounted(event: Event) -> bool:
    """Whether a proxy's accounting tells of this message: it was not captured."""
    return event.event_id.startswith(_ACCOUNTED)


def _sort(message: SipMessage) -> tuple[str, bool]:
    return message.method, message.method == "INVITE" and message.status >= 200


def _witness(message: SipMessage) -> int:
    if message.method == "INVITE":
        return 0 if message.status and not message.to_tag else 1 if message.status else 2
    return 3 if message.method in ("ACK", "CANCEL") else 4


def _session(call_id: str, tag: str, events: Sequence[Event]) -> Session:
    if any(sip(event).via for event in events):  # a message without any Via was mangled: it has no place on a hop
        events = [event for event in events if sip(event).via]
    session = Session(call_id, tag, [], 0, events[0], {}, {}, set(), [], [], [], set(), "")
    initial = _initial(tag, events)
    branches: dict[tuple[int, str], Branch] = {}
    rest: list[Event] = []
    for event in events:
        message = sip(event)
        if message.method == "INVITE" and message.from_tag == tag and message.cseq in initial:
            _read(branches, event)
        else:
            rest.append(event)
    rest_messages = list(map(sip, rest))
    refused = {(m.method, m.from_tag, m.cseq) for m in rest_messages if m.status >= 300 and m.method != "BYE"}
    again = [m for m in rest_messages if m.method == "INVITE" and not m.status and m.to_tag]
    bare = {(m.from_tag, m.cseq) for m in again} - {(m.from_tag, m.cseq) for m in again if m.media}
    bye_answers: dict[str, list[Event]] = {}
    referred: set[tuple[str, int]] = set()
    accepted: set[tuple[str, int]] = set()
    for event, message in zip(rest, rest_messages, strict=True):
        method = message.method
        if method in ("CANCEL", "ACK") and not message.status and message.from_tag == tag:
            branch = branches.get((message.cseq, message.branch))
            if branch is not None:
                if method == "CANCEL" and branch.cancel is None:
                    branch.cancel = event
            elif method == "ACK" and message.to_tag and (message.cseq in initial or not initial):
                session.acks.setdefault(message.to_tag, at(event))
        elif method == "BYE":
            if message.status >= 300 and message.status not in MENDED:
                session.refused_byes.add((message.from_tag, message.cseq))
            elif message.status >= 200:
                accepted.add((message.from_tag, message.cseq))
            kept = bye_answers if message.status else session.byes
            kept.setdefault(session.callee_tag(message), []).append(event)
        elif message.status and method == "INVITE" and message.media and (message.from_tag, message.cseq) in bare:
            session.offers.append(event)  # the answer makes the offer (RFC 3261, section 13.2.1)
        elif message.status or (method, message.from_tag, message.cseq) in refused:
            continue
        elif method in ("INVITE", "UPDATE"):
            if message.media and message.to_tag:
                session.offers.append(event)
        elif method == "REFER":
            mark = (message.from_tag, message.cseq)  # the same on every hop
            if mark not in referred and len(referred) < MAX_REFERS:
                referred.add(mark)
                session.refers.append(event)
        elif method == "NOTIFY" and message.fragment:
            session.fragments.append(event)
    session.refused_byes -= accepted
    for callee, answers in bye_answers.items():
        session.byes.setdefault(callee, answers)
    _order(session, branches)
    return session


def _initial(tag: str, events: Sequence[Event]) -> set[int]:
    """The CSeq numbers of the attempts to set up the session, as against re-INVITEs inside it."""
    mine = [m for m in map(sip, events) if m.method == "INVITE" and m.from_tag == tag]
    initial = {message.cseq for message in mine if not message.status and not message.to_tag}
    again = {message.cseq for message in mine if not message.status and message.to_tag}
    if any(message.cseq in initial and 200 <= message.status < 300 for message in mine):
        return initial
    later = {message.cseq for message in mine if message.status} - again - initial
    if not initial:
        return {min(later)} if later else set()
    return initial | {cseq for cseq in later if cseq > max(initial)}  # the INVITE after a challenge was not captured


def _read(branches: dict[tuple[int, str], Branch], event: Event) -> None:
    message = sip(event)
    key = (message.cseq, message.branch or f"via {message.via}")
    branch = branches.get(key)
    if branch is None:
        branch = branches[key] = Branch(message.cseq, key[1], message.via, message.before, event)
    status = message.status
    if not status:
        if branch.invite is None:
            branch.invite = event
    elif status < 200:
        if message.to_tag:
            branch.early_tags.add(message.to_tag)
        if status == 180:
            branch.ringing = branch.ringing or event
        elif status > 180:
            branch.progress = branch.progress or event
    elif status < 300:
        branch.answers.setdefault(message.to_tag, at(event))
    elif branch.final is None:
        branch.final = event


def _order(session: Session, branches: dict[tuple[int, str], Branch]) -> None:
    """Attempts in order of CSeq, without those that were only mended: challenged, or lost without a sign of life."""
    by_cseq: dict[int, list[Branch]] = {}
    for branch in branches.values():
        by_cseq.setdefault(branch.cseq, []).append(branch)
        for event in (branch.invite, branch.first):
            message = sip(event) if event is not None else None
            if event is not None and message is not None:
                if event.call_id != session.call_id:
                    session.correlations.add(event.call_id)
                if message.session:
                    session.correlations.add(f"session:{message.session}")
                if message.replaces and not session.replaces:
                    session.replaces = message.replaces.partition(";")[0]
    last = max(by_cseq, default=0)
    for cseq in sorted(by_cseq):
        group = sorted(by_cseq[cseq], key=lambda branch: (branch.started, branch.via, branch.branch))
        nearest = nearest_caller(group)
        finals = [sip(branch.final).status for branch in nearest if branch.final is not None]
        mended = any(status in MENDED for status in finals) or (
            not finals and not any(branch.answers or branch.ringing for branch in group)
        )
        if cseq == last or not mended:
            session.attempts.append(group)
    firsts = [branch for group in by_cseq.values() for branch in group]
    if firsts:
        session.first = _in_order(branch.invite or branch.first for branch in firsts)[0]
    session.started = at(session.first)


def nearest_caller(branches: Sequence[Branch]) -> list[Branch]:
    """The branches of an attempt that are nearest the caller: those with the fewest Via."""
    fewest = min(branch.via for branch in branches)
    return [branch for branch in branches if branch.via == fewest]


def leaves(branches: Sequence[Branch]) -> list[Branch]:
    """The branches of an attempt that nobody was seen to forward: those towards the targets."""
    forwarded = {branch.before for branch in branches if branch.before}
    nameless = max((branch.via for branch in branches if branch.via > 1 and not branch.before), default=0)
    return [branch for branch in branches if branch.branch not in forwarded and branch.via >= nameless]
