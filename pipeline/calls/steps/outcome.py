"""What became of each target, in one word, and with which cause."""

from __future__ import annotations

from bisect import bisect_left

from pipeline.calls.causes import cause_from_name, q850_from_sip
from pipeline.calls.steps.call_state import Course
from pipeline.calls.steps.legs import Leg
from pipeline.calls.steps.talk import SAME_INSTANT_MS
from pipeline.calls.steps.targets import FORK_SLACK_MS, Target

BY_CAUSE = {
    17: "busy",
    18: "no_answer",
    19: "no_answer",
    20: "unreachable",
    21: "rejected",
    24: "rejected",
    26: "answered_elsewhere",
}
NORMAL_CLEARING = 16
ELSEWHERE = 26
INTERWORKING = 127
CANCEL_NAMES = frozenset(("ORIGINATOR_CANCEL", "CANCEL"))
_ANSWERING = frozenset(("ivr", "park", "voicemail", "conference"))
_SILENT = frozenset((0, NORMAL_CLEARING))
_UNTOLD = frozenset(("", "CANCEL", "NOANSWER", "ANSWER"))  # words of Asterisk's Dial that tell of no refusal
_AT_ONCE_MS = 2_000
_FEW = 8  # answers after the beginning of one target that are looked at


def cause(leg: Leg) -> tuple[int, str]:
    """The Q.850 cause of a leg's end and where it comes from, strongest source first: what the
    PBX said by number, by name, what its SIP status maps to (RFC 3398); (0, "") when unknown."""
    if leg.q850_cause:
        return leg.q850_cause, leg.cause_from
    if leg.cause:
        number = cause_from_name(leg.cause)
        if number:
            return number, "native"
    if leg.sip_status >= 300:
        number = q850_from_sip(leg.sip_status, leg.rang is not None)
        if number:
            return number, "mapped"
    return 0, ""


def cancelled_by_caller(leg: Leg) -> bool:
    """Whether the caller gave up this leg while it was not answered."""
    if leg.answered is not None or leg.ended is None:
        return False
    if leg.cause in CANCEL_NAMES or (leg.sip_status == 487 and leg.hung_up_by not in ("system", "peer", "callee")):
        return True
    return leg.hung_up_by in ("caller", "party") and leg.q850_cause in (0, NORMAL_CLEARING)


def outcome(leg: Leg, *, elsewhere: bool, caller_left: bool, caller_stayed: bool = False) -> str:
    """One word for a target leg that was not reached; "" while it is undecided.

    `elsewhere`: another target had been reached when this one ended; `caller_left`: the caller
    had gone. Both explain a normal clearing, which by itself says nothing. `caller_stayed`: he was there still, so that
    it was the PBX that cancelled the leg.
    """
    number, _ = cause(leg)
    word = BY_CAUSE.get(number)
    if 300 <= leg.sip_status < 400 and leg.rang is not None:
        return "no_answer"  # the phone rang, and then sent the call on
    if number == ELSEWHERE and not elsewhere:  # nobody has answered: the other phones of a fork were only given up
        return "cancelled" if caller_left or cancelled_by_caller(leg) else "no_answer" if leg.ended is not None else ""
    if word is not None:
        if word == "no_answer" and elsewhere and not leg.cause and not leg.sip_status and not leg.q850_cause:
            return "answered_elsewhere"
        return word
    if number not in _SILENT and leg.sip_status != 487 and not (number == INTERWORKING and _is_silent(leg)):
        return "failed"
    if elsewhere:
        return "answered_elsewhere"
    if caller_left or (cancelled_by_caller(leg) and not (caller_stayed and leg.cause == "CANCEL")):
        return "cancelled"
    return "no_answer" if leg.ended is not None else ""


def _is_silent(leg: Leg) -> bool:
    """Whether a cause of 127 says nothing: Asterisk has it of every 4xx, a 487 among them (chan_pjsip since 18.7),
    unless the phone itself refused."""
    return leg.hung_up_by not in ("party", "callee") and leg.sip_status < 300 and leg.cause in _UNTOLD


def gave_up(course: Course) -> bool:
    """Whether the caller ended the call himself before anybody answered it.

    A refusal leaves its cause on his leg; he gave up all the same if another phone was rung until then.
    """
    caller = course.caller
    if cancelled_by_caller(caller):
        return True
    if caller.answered is not None or caller.ended is None or caller.hung_up_by not in ("caller", "party"):
        return False
    return (
        not caller.q850_cause
        or caller.q850_cause == INTERWORKING
        or any(_until(target, caller.ended) for target in course.targets)
    )


def _until(target: Target, ended: int) -> bool:
    """Whether a target was tried until the caller left."""
    leg = target.leg
    if leg is None or leg.hung_up_by in ("party", "callee"):
        return False
    return target.started <= ended and (target.ended is None or target.ended >= ended - _AT_ONCE_MS)


def settle(course: Course) -> None:
    """Give each target its outcome."""
    caller, targets = course.caller, course.targets
    talking = course.talking
    answers = _answers(talking) if len(targets) > 1 else []
    quits = caller.ended is not None and caller.hung_up_by in ("caller", "party")
    latest = _latest(course)
    for target in targets:
        if target.talk is not None:
            target.outcome = "answered"
        elif target.outcome:
            continue
        elif target.answered is not None and target.kind in _ANSWERING:
            target.outcome = "answered"
        elif target.leg is None:
            if course.ended is not None:
                left = gave_up(course)
                target.outcome = outcome(caller, elsewhere=False, caller_left=left) or "no_answer"
                if left:
                    target.outcome = "cancelled"
        elif target.answered is not None and talking:
            target.outcome = "answered_elsewhere"
        else:
            if target.ended is None:
                if course.ended is None:
                    continue
                target.ended = course.ended
            # Whoever answered while this one was tried took the call from it.
            elsewhere = _taken_from(target, answers)
            elsewhere = elsewhere or (not talking and _answered_unseen(course))
            went_on = latest > target.ended or target.started < target.ended == latest
            if quits and not elsewhere and not went_on and caller.ended is not None and _until(target, caller.ended):
                target.outcome = "cancelled"
                continue
            gone = not went_on and caller.ended is not None and caller.ended <= target.ended + SAME_INSTANT_MS
            left = (
                gone and caller.hung_up_by not in ("system", "peer", "callee") and not quits
            )  # which was looked at before
            if course.handed_over and caller.ended is not None and target.started >= caller.ended - _AT_ONCE_MS:
                left = False  # it was tried for those who remained
            left = left and (course.answered is not None or caller.answered is not None or gave_up(course))
            stayed = caller.hung_up_by in ("system", "peer") or (caller.ended is not None and not gone)
            word = outcome(target.leg, elsewhere=elsewhere, caller_left=left, caller_stayed=stayed)
            target.outcome = word or ("no_answer" if course.ended is not None else "")


def _latest(course: Course) -> int:
    """When the PBX last did something for the caller while he was there: rang somebody, answered, ran an application.
    What it had rung before it gave up itself, without him."""
    caller = course.caller
    until = course.now if caller.ended is None else caller.ended
    did = [target.started for target in course.targets]
    did += [at for at, _ in caller.applications or ()]
    if caller.answered is not None and not course.talking:
        did.append(caller.answered)
    return max((at for at in did if at < until), default=0)


def _answers(talking: list[Target]) -> list[tuple[int, int]]:
    """When each of those who talked answered, and since when it had been tried; in order."""
    return sorted((t.answered, t.started) for t in talking if t.answered is not None)


def _taken_from(target: Target, answers: list[tuple[int, int]]) -> bool:
    """Whether somebody who was tried at the same time answered."""
    assert target.ended is not None
    for answered, since in answers[bisect_left(answers, (target.started, 0)) :][:_FEW]:
        if answered > target.ended + FORK_SLACK_MS:
            return False
        if since < target.ended or target.ended == target.started or answered <= target.ended:
            return True
    return False


def _answered_unseen(course: Course) -> bool:
    """Whether somebody answered the caller of whose leg nothing is told."""
    caller = course.caller
    if any(target.answered is not None for target in course.targets):
        return False  # who did is known
    return course.answered is not None and caller.answered_by != "pbx" and not course.visits
