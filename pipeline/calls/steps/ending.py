"""How a call ended: its status, its cause, and who hung up."""

from __future__ import annotations

from pipeline.calls.steps.call_state import Course
from pipeline.calls.steps.legs import UNREQUESTED, Leg
from pipeline.calls.steps.outcome import (
    CANCEL_NAMES,
    INTERWORKING,
    NORMAL_CLEARING,
    cause,
    gave_up,
    outcome,
)
from pipeline.calls.steps.talk import SAME_INSTANT_MS
from pipeline.calls.steps.targets import Target

STATUS_OF = {
    "busy": "busy",
    "no_answer": "no_answer",
    "answered_elsewhere": "no_answer",
    "unreachable": "no_answer",
    "cancelled": "cancelled",
    "rejected": "failed",
    "failed": "failed",
    "": "no_answer",
}
_PERSONS = frozenset(("extension", "outside", "queue_agent", "ring_group_member"))
_FROM_BEHIND = {"party": "callee", "peer": "caller"}
_REASON = {"caller": "caller_disconnected", "callee": "callee_disconnected"}


def status(course: Course) -> str:
    """What became of the call; "" while it is undecided."""
    if course.talking:
        return "answered"
    if len(course.targets) != 1 or course.targets[0].leg is None:
        for target in course.targets:
            if target.kind == "voicemail" and target.answered is not None:
                return "voicemail"
    if course.visits:
        last = course.visits[-1].reason
        if last == "abandoned":
            return "abandoned"
        if course.ended is not None:
            return "no_answer"
    if course.answered is not None:
        return _answered_by_pbx(course)
    return "" if course.ended is None else _unanswered(course)


def _answered_by_pbx(course: Course) -> str:
    """The PBX answered and no human did: what became of the human that it tried last, if it did."""
    caller = course.caller
    if course.ended is None or not (caller.kind == "ivr" or caller.answered_by == "pbx"):
        return "answered"
    for target in reversed(course.targets):
        if target.kind in _PERSONS and target.leg is not None and target.outcome:
            return STATUS_OF.get(target.outcome, "failed")
    return "answered"


def _unanswered(course: Course) -> str:
    caller = course.caller
    if gave_up(course):
        return "cancelled"
    word = STATUS_OF.get(outcome(caller, elsewhere=False, caller_left=False), "failed")
    if word == "no_answer" and cause(caller)[0] in (0, NORMAL_CLEARING, INTERWORKING) and caller.sip_status < 300:
        # The caller's leg does not say why; the last target that failed does.
        for target in reversed(course.targets):
            if target.leg is not None and target.outcome not in ("", "cancelled", "answered_elsewhere"):
                return STATUS_OF.get(target.outcome, word)
    elif word in ("busy", "failed") and _rang_on(course):
        return "no_answer"
    return word


def _rang_on(course: Course) -> bool:
    """Whether the caller's leg has the cause of a phone that refused, and another one rang in vain after that."""
    tried = [target for target in course.targets if target.leg is not None and target.ended is not None]
    last = max(tried, key=_ended, default=None)
    if last is None or last.outcome != "no_answer":
        return False
    shown = cause(course.caller)[0]
    return any(t.outcome != "no_answer" and t.leg is not None and cause(t.leg)[0] == shown for t in tried)


def _ended(target: Target) -> int:
    assert target.ended is not None
    return target.ended


def hung_up(course: Course, call_status: str) -> tuple[str, str]:
    """Who hung up, and the end reason; ("", "") when nobody can tell.

    Who ended the call, not who left it earlier: a party whose leg ended well before the call has no say.
    """
    caller = course.caller
    if course.ended is None or "end_estimated" in course.flags:
        return "", ""
    if call_status == "cancelled" and course.answered is None:
        return "caller", "cancelled"
    last = _last_talker(course)
    said = caller.hung_up_by if not course.handed_over else ""
    if caller.peer and caller.peer not in course.story.legs and caller.role != "caller":
        said = _FROM_BEHIND.get(said, said)  # all that is told of is the leg of whom was called
    if said == "peer" and caller.end_source == UNREQUESTED and len(course.story.legs) == 1:
        said = "system"  # nobody else was there
    if last is not None and last.ended is not None and last.ended < course.ended - SAME_INSTANT_MS:
        by = "caller" if said in ("caller", "party") else "system" if said else ""
        return by, _REASON.get(by, "")
    stayed = last is not None and last.ended is not None and last.ended > course.ended + SAME_INSTANT_MS
    stated = (
        last.hung_up_by if last is not None and not stayed else ""
    )  # who stayed on hung up later, and ended nothing
    if stayed and said in ("", "peer") and not course.handed_over:
        said = "caller"
    if stated not in ("party", "callee") and _another_left(course):
        stated = "party"
    if course.answered is None:
        if call_status == "abandoned" and said in ("caller", "party"):
            return "caller", "caller_disconnected"
        refused = any(t.leg is not None and t.leg.hung_up_by in ("party", "callee") for t in course.targets)
        by_callee = call_status in ("busy", "failed") and (said in ("callee", "peer") or refused)
        return ("callee" if by_callee else "system"), ""
    by = ""
    if stated in ("party", "callee"):
        by = "callee"
    elif said in ("caller", "party"):
        by = "caller"
    elif said in ("callee", "system"):
        by = said
    elif stated == "peer" and said == "peer":
        # Each says that it was the other: nobody knows, unless both mean the PBX.
        by = "" if caller.names_other or (last is not None and last.names_other) else "system"
    elif stated in ("caller", "peer") and not course.handed_over:
        by = "caller"
    elif stated == "peer" and last is not None and not last.names_other:
        by = "system"  # none of those who remained did
    elif stated == "system":
        by = "system"
    elif said == "peer":
        alone = last is None and not (course.talking and course.talking[-1].leg is None)
        by = "system" if alone else "callee"
    elif last is not None and not course.handed_over:
        by = _first_gone(caller, last)
    return by, _REASON.get(by, "")


def _last_talker(course: Course) -> Leg | None:
    """The leg of who talked last, if it was there when the call ended."""
    leg = course.talking[-1].leg if course.talking else None
    if leg is not None and _transferred(course, leg):
        return None
    if leg is None or course.ended is None or leg.ended is None or leg.ended >= course.ended - SAME_INSTANT_MS:
        return leg
    return None


def _another_left(course: Course) -> bool:
    """Whether one of several that talked at the end (a call of three, a call handed over) ended it."""
    if course.ended is None or (len(course.talking) < 2 and not course.handed_over):
        return False
    for target in course.talking:
        leg = target.leg
        if leg is None or leg.ended is None or leg.hung_up_by not in ("party", "callee") or _transferred(course, leg):
            continue
        to_the_end = target.talk is not None and target.talk[1] >= course.ended - SAME_INSTANT_MS
        if abs(leg.ended - course.ended) <= SAME_INSTANT_MS and (to_the_end or course.handed_over):
            return True
    return False


def _transferred(course: Course, leg: Leg) -> bool:
    """Whether who has this leg sent the others on: that it hung up then ended nothing."""
    return any(move.transfer and move.event.leg_id == leg.id for move in course.moves)


def _first_gone(caller: Leg, callee: Leg) -> str:
    """Where one clock saw both ends, who was gone first hung up."""
    if callee.node != caller.node or callee.ended is None or caller.ended is None or callee.ended == caller.ended:
        return ""
    return "callee" if callee.ended < caller.ended else "caller"


def final_cause(course: Course, call_status: str) -> tuple[int, str, int]:
    """Q.850 cause, where it comes from, and the SIP status of an ended call that was not answered."""
    caller = course.caller
    if course.ended is None:
        return 0, "", 0
    number, source = cause(caller)
    sip_status = caller.sip_status if course.answered is None else 0
    if course.answered is None and not sip_status and number in (0, NORMAL_CLEARING) and call_status != "cancelled":
        for target in reversed(course.targets):
            if target.leg is not None and target.outcome not in ("", "cancelled", "answered_elsewhere"):
                stated, its_source = cause(target.leg)
                if stated:
                    number, source, sip_status = stated, its_source, target.leg.sip_status
                    break
    if (
        not number
        and "end_estimated" not in course.flags
        and (course.answered is not None or call_status == "cancelled")
    ):
        number, source = NORMAL_CLEARING, "inferred"
    if call_status == "cancelled" and number == INTERWORKING:  # all that Asterisk says of a 487
        number, source = NORMAL_CLEARING, "inferred"
    if course.answered is None and not sip_status and caller.cause in CANCEL_NAMES:
        sip_status = 487
    return number, source, sip_status
