"""A SIP session read to its end: the legs on either side of it, and what came of them."""

from __future__ import annotations

import msgspec

from pipeline.calls.sip.branches import Branch, Session, at, leaves, nearest_caller, sip
from pipeline.calls.sip.outcome import ELSEWHERE, End, answers, given_up, hung_up, lost
from pipeline.calls.sip.parties import leg_id, number_of, redirect_contacts, requested


class Tried(msgspec.Struct):
    """One target leg. Times in ms."""

    leg: str
    number: str
    branch: Branch
    answered: int | None = None
    end: End | None = None


class Side(msgspec.Struct):
    """A session with its legs. `tried` is in the order in which the targets were tried."""

    session: Session
    caller_leg: str
    confirmed: dict[str, int]  # callee's tag → ms of the answer
    winner: str  # callee's tag of the dialog that lasted; "" without an answer
    end: End | None  # of the caller's side
    tried: list[Tried] = msgspec.field(default_factory=list)

    @property
    def answered(self) -> int | None:
        """ms of the first answer that the caller's side saw."""
        return min(self.confirmed.values(), default=None)

    @property
    def reached(self) -> Tried | None:
        """The target that has, or had, the call; the last one tried when none was reached."""
        won = [tried for tried in self.tried if tried.answered is not None]
        return (won or self.tried)[-1] if self.tried else None


def side(session: Session, caller_leg: str) -> Side:
    """The caller's side of a session."""
    confirmed = answers(session)
    ends = {tag: hung_up(session, tag, near_caller=True) for tag in confirmed}
    if len(confirmed) == 1 and len(session.byes) == 1:  # a phone that gets the tags wrong still hangs up
        ends = {tag: hung_up(session, next(iter(session.byes)), near_caller=True) for tag in confirmed}
    if not confirmed:
        return Side(session, caller_leg, confirmed, "", given_up(session))
    known = [end for end in ends.values() if end is not None]
    last = None if len(known) < len(ends) else max(known, key=lambda end: (end.at, end.by or ""))

    def lasting(tag: str) -> tuple[bool, int, int, str]:
        end = ends[tag]
        return (end is None, 0 if end is None else end.at, -confirmed[tag], tag)

    return Side(session, caller_leg, confirmed, max(confirmed, key=lasting), last)


def read_targets(read: Side, elsewhere: int | None, ended: End | None) -> None:
    """Fill in the targets of a session.

    `elsewhere`: when a sibling session was answered; `ended`: the end of the party for which the targets were tried.
    """
    session = read.session
    contacts = redirect_contacts(session)
    answered = read.answered
    for group in session.attempts:
        last = group is session.attempts[-1]
        ends = leaves(group)
        open_ends = [branch for branch in ends if branch.final is None and branch.cancel is None]
        for branch in ends:
            hop = f"{branch.cseq} {branch.branch}" if branch.branch.startswith("via ") else branch.branch
            tried = Tried(leg_id(session.call_id, session.tag, hop), number_of(session, branch, contacts), branch)
            tag = _tag(read, branch, only=last and len(ends if len(ends) == 1 else open_ends) == 1)
            if tag and tag == read.winner:
                tried.answered = branch.answers.get(tag, read.confirmed[tag])
                tried.end = hung_up(session, tag, near_caller=False)
                if tried.end is None and read.end is not None:
                    tried.end = read.end
            elif tag:  # the second 2xx of a fork, which the caller released at once
                end = hung_up(session, tag, near_caller=False)
                when = end.at if end is not None else read.confirmed[tag]
                tried.end = End(when, 0, ELSEWHERE, "inferred", "", "system")
            else:
                tried.end = lost(branch, answered if answered is not None else elsewhere, ended)
            read.tried.append(tried)
    read.tried.sort(key=lambda tried: (tried.branch.started, tried.leg))


def _tag(read: Side, branch: Branch, *, only: bool) -> str:
    """The confirmed dialog that this branch led to; "" without one. `only`: no other branch can have."""
    if branch.answers:
        return read.winner if read.winner in branch.answers else min(branch.answers)
    if branch.final is not None:
        return ""
    early = sorted(tag for tag in branch.early_tags if tag in read.confirmed)
    if early:
        return read.winner if read.winner in early else early[0]
    return read.winner if only else ""


def far_number(read: Side) -> str:
    """The number of the far side of a session."""
    return read.reached.number if read.reached is not None else requested(read.session).number


def rang(session: Session) -> int | None:
    """ms of the first 180 that the caller's side saw."""
    return min((at(b.ringing) for b in _near(session) if b.ringing is not None), default=None)


def progressed(session: Session) -> int | None:
    """ms of the first 181, 182 or 183 that the caller's side saw."""
    return min((at(b.progress) for b in _near(session) if b.progress is not None), default=None)


def _near(session: Session) -> list[Branch]:
    return [branch for group in session.attempts for branch in nearest_caller(group)]


def contact(tried: Tried) -> str:
    """Whom the target's 3xx named instead; "" when it was none."""
    final = tried.branch.final
    return sip(final).contact if final is not None and 300 <= sip(final).status < 400 else ""
