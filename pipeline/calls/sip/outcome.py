"""What came of a SIP session and of each of its branches: answered when, ended when, by whom and why."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from pipeline.calls.sip.branches import Branch, Session, at, is_accounted, nearest_caller, sip
from schemas.event import Event, SipMessage
from schemas.words import LegHungUpBy

CANCELLED = 487
TIMEOUT = 408
SLACK_MS = 500  # one cause and its effect on another hop lie no further apart
NORMAL_CLEARING, NO_USER_RESPONDING, NO_ANSWER, ELSEWHERE = 16, 18, 19, 26


class End(msgspec.Struct, frozen=True):
    """The end of a leg. `cause` as Q.850, 0 where the fold may map the status."""

    at: int
    sip_status: int = 0
    cause: int = 0
    cause_from: str = ""
    text: str = ""  # why, in the words of the Reason header
    by: LegHungUpBy | None = None


def _reason_of(message: SipMessage) -> tuple[int, str, str]:
    """Cause of a Reason header (RFC 3326), where it comes from, and its text."""
    if message.reason_protocol == "q.850":
        return message.reason_cause, "reason_header", message.reason_text
    if message.reason_protocol == "sip" and message.reason_cause == 200:
        return ELSEWHERE, "sip_reason", message.reason_text
    return 0, "", message.reason_text


def answers(session: Session) -> dict[str, int]:
    """The callee's tags that were confirmed → when the caller's side saw the answer, ms.

    A lost 2xx is made good by its copy on another hop, by the ACK that names the tag, or by what only an answered call
    sends: a re-INVITE, or the callee's BYE.
    """
    found: dict[str, int] = {}
    branches = [branch for group in session.attempts for branch in group]
    for group in session.attempts:
        for branch in nearest_caller(group):
            for tag, when in branch.answers.items():
                found[tag] = min(when, found.get(tag, when))
    for group in session.attempts:
        if not _refused(group):  # else who took it answered a proxy that had refused the caller
            for branch in group:
                for tag, when in branch.answers.items():
                    found.setdefault(tag, when)
    refused = any(_refused(group) for group in session.attempts[-1:])
    if not refused:
        refusals = {sip(branch.final).to_tag for branch in branches if branch.final is not None}
        for tag, when in session.acks.items():
            if tag not in refusals:  # the ACK of a refusal, on a branch of its own: some phones send it so
                found.setdefault(tag, when)
    if not found and not refused:
        for event in sorted([*session.offers, *(bye for byes in session.byes.values() for bye in byes)], key=at):
            message = sip(event)
            tag = session.callee_tag(message)
            given_up = any(branch.cancel is not None for branch in branches)
            if tag and message.method != "UPDATE" and not (given_up and session.by_caller(event)):
                found.setdefault(tag, at(event))
    return found


def _refused(group: Sequence[Branch]) -> bool:
    return any(branch.final is not None and not branch.answers for branch in nearest_caller(group))


def hung_up(session: Session, tag: str, *, near_caller: bool) -> End | None:
    """How the dialog with this callee's tag ended by BYE; None when none was seen.

    A BYE is captured on every hop; each leg's end is the copy nearest to it.
    """
    byes = session.byes.get(tag)
    if not byes:
        return None
    accepted = [bye for bye in byes if not _is_refused(session, bye)]
    first = (accepted or byes)[0]
    by_caller = session.by_caller(first)
    copies = [bye for bye in byes if session.by_caller(bye) == by_caller and sip(bye).cseq == sip(first).cseq]
    vias = [sip(bye).via for bye in copies]
    wanted = min(vias) if by_caller == near_caller else max(vias)
    nearest = min(at(bye) for bye in copies if sip(bye).via == wanted)
    cause, cause_from, text = next((_reason_of(sip(b)) for b in copies if sip(b).reason_protocol), (0, "", ""))
    if not accepted and len({session.by_caller(bye) for bye in byes}) == 1:
        return End(nearest, 200, cause, cause_from, text, "system")  # the other side had ended it, or was gone
    by: LegHungUpBy = "system" if _is_of_proxy(session, byes) else "caller" if by_caller else "callee"
    return End(nearest, 200, cause, cause_from, text, by)


def _is_of_proxy(session: Session, byes: Sequence[Event]) -> bool:
    """Whether one host between the parties hung up on both (a proxy whose dialog ran out of time, or that found one of
    them gone)."""
    hosts: dict[bool, str] = {}
    for bye in byes:
        if sip(bye).via == 1:
            hosts.setdefault(session.by_caller(bye), sip(bye).src.rpartition(":")[0])
    return len(hosts) == 2 and hosts[True] == hosts[False] != ""


def _is_refused(session: Session, bye: Event) -> bool:
    """Whether a BYE was answered with 481 or another failure only (RFC 3261, section 15.1.1)."""
    message = sip(bye)
    return (message.from_tag, message.cseq) in session.refused_byes


def given_up(session: Session) -> End | None:
    """How the last attempt failed, as the caller saw it; None while it goes on."""
    if not session.attempts:
        return None
    ends = [_refusal(branch) for branch in nearest_caller(session.attempts[-1])]
    known = [end for end in ends if end is not None]
    if len(known) < len(ends):
        byes = [
            at(bye) for group in session.byes.values() for bye in group
        ]  # a caller may leave an early dialog by BYE
        return End(min(byes), CANCELLED, NORMAL_CLEARING, "inferred", "", "caller") if byes else None
    return max(known, key=lambda end: (end.at, end.sip_status))


def _refusal(branch: Branch) -> End | None:
    """The failure of a branch nearest the caller."""
    final, cancel = branch.final, branch.cancel
    if final is None and cancel is None:
        return None
    status = sip(final).status if final is not None else CANCELLED
    if cancel is not None and (status == CANCELLED or _is_late(final, cancel)):
        cause, cause_from, text = _reason_of(sip(cancel))
        if not cause and final is not None:
            cause, cause_from, text = _reason_of(sip(final))
        if not cause:
            cause, cause_from = NORMAL_CLEARING, "inferred"
        return End(at(cancel), CANCELLED, cause, cause_from, text, "caller")
    assert final is not None
    cause, cause_from, text = _timed_out(branch) or _reason_of(sip(final))
    by: LegHungUpBy | None = "caller" if status == CANCELLED else "callee" if status in (486, 600, 603) else "system"
    return End(at(final), status, cause, cause_from, text, by)


def _is_late(final: Event | None, cancel: Event) -> bool:
    """Whether a failure came after the CANCEL, as which status ever (RFC 3261, section 9.2, asks for 487)."""
    return final is not None and at(final) >= at(cancel)


def _timed_out(branch: Branch) -> tuple[int, str, str] | None:
    """The cause of a time-out of a branch of which it is not known whether it rang: most did."""
    final = branch.final
    if final is None or sip(final).status != TIMEOUT or not is_accounted(final):
        return None
    return NO_ANSWER, "inferred", ""


def lost(branch: Branch, elsewhere: int | None, ended: End | None) -> End | None:
    """How a branch that did not get the call ended; None while it is still tried.

    `elsewhere`: when another branch was answered; `ended`: the end of the caller's side of the call.
    """
    final, cancel = branch.final, branch.cancel
    late = cancel is not None and _is_late(final, cancel)
    if final is not None and sip(final).status != CANCELLED and not late:
        cause, cause_from, text = _timed_out(branch) or _reason_of(sip(final))
        by: LegHungUpBy = "system" if sip(final).status == TIMEOUT else "callee"
        return End(at(final), sip(final).status, cause, cause_from, text, by)
    witness = cancel if cancel is not None else final
    if witness is None:  # whatever ended it was not captured
        if elsewhere is not None and elsewhere >= branch.started:
            return End(elsewhere, CANCELLED, ELSEWHERE, "inferred", "", "system")
        return ended if ended is not None and ended.at >= branch.started else None
    when = at(witness)
    for event in (cancel, final):
        if event is not None:
            cause, cause_from, text = _reason_of(sip(event))
            if cause:
                return End(when, CANCELLED, cause, cause_from, text, "system" if cause == ELSEWHERE else "caller")
    if elsewhere is not None and elsewhere <= when + SLACK_MS:
        return End(when, CANCELLED, ELSEWHERE, "inferred", "", "system")
    if ended is not None and ended.by == "caller" and ended.at <= when + SLACK_MS:
        return End(when, CANCELLED, NORMAL_CLEARING, "inferred", "", "caller")
    return End(when, CANCELLED, NO_USER_RESPONDING if branch.ringing is None else NO_ANSWER, "inferred", "", "system")


def first(events: Sequence[Event | None]) -> int | None:
    """ms of the earliest of these events; None without any."""
    return min((at(event) for event in events if event is not None), default=None)
