"""The moments of a call: when it started, when it was answered, when it ended."""

from __future__ import annotations

from bisect import bisect_left

from pipeline.calls.steps.call_state import Course
from pipeline.calls.steps.legs import HANGUP_RECORD, LEGS_TOLD, ORIGINATE, Leg
from pipeline.calls.steps.outcome import CANCEL_NAMES, INTERWORKING, NORMAL_CLEARING, cause
from pipeline.calls.steps.talk import SAME_INSTANT_MS
from pipeline.calls.steps.targets import Target

_NEVER = 1 << 62
_AT_ONCE_MS = 1_000  # between the ends of legs that one hang-up ends
_ANSWER_JITTER_MS = 500  # a phone's answer may be told just after the caller's, which it caused


def find_start(course: Course) -> None:
    """When the call started: the caller's leg says so, else its first evidence."""
    caller = course.caller
    if caller.started is not None:
        course.started = caller.started
        if caller.start_reason in ORIGINATE:  # perhaps a customer was rung before his agent
            begun = (leg.first_at for leg in course.roles.targets if leg.answered is not None)
            course.started = min([caller.started, *begun])
        return
    course.started = min([caller.first_at, *(leg.first_at for leg in course.roles.targets)])
    course.flags.append("start_missing")


def find_end(course: Course) -> None:
    """When the call ended; it goes on while its caller's leg does."""
    caller = course.caller
    if course.story.restarts:
        _restart(course)
    ended = caller.ended
    if ended is not None and any(move.by_caller and move.at <= ended for move in course.moves):
        # The caller handed the call over: it lives until the last of those that remain has gone.
        course.handed_over = True
        roles = course.roles
        consulted = [leg for legs in roles.consulted.values() for leg in legs]
        remaining = [leg for leg in (*roles.targets, *consulted) if leg.answered is not None]
        ends = [leg.ended for leg in remaining]
        ended = None if None in ends else max([ended, *(at for at in ends if at is not None)])
    elif ended is not None and len(course.story.legs) > 2 and course.story.bridged and _others_talk_on(course, ended):
        course.handed_over = True
        ends = [leg.ended for leg in _others(course) if leg.answered is not None]
        ended = None if None in ends else max([ended, *(at for at in ends if at is not None)])
    if ended is None and course.expired:
        course.flags += ["incomplete", "end_estimated"]
        ended = course.story.last_at
    if ended is not None and ended < course.started:
        ended = course.started
        _skewed(course)
    course.ended = ended
    course.now = max(course.story.last_at, course.started) if ended is None else ended


def _others(course: Course) -> list[Leg]:
    roles = course.roles
    return [*roles.targets, *(leg for legs in roles.consulted.values() for leg in legs)]


def _others_talk_on(course: Course, ended: int) -> bool:
    """Whether those whom the caller called hear each other after he has left: he handed the call over, though no event
    says so, or it was a call of three."""
    others = {leg.id for leg in _others(course)}
    if len(others) < 2:
        return False
    answered = [leg for leg in _others(course) if leg.answered is not None and leg.answered <= ended]
    lasting = [leg for leg in answered if leg.ended is None or leg.ended > ended + _AT_ONCE_MS]
    for leg in _others(course):
        if leg.started is not None and leg.started >= ended and any(_lasts(other, leg.started) for other in lasting):
            return True  # somebody is called for whom he had called
        if leg.ended is not None and leg.ended <= ended + _AT_ONCE_MS:
            continue
        hears: dict[str, int] = {}
        for at, peer, joined in leg.bridges or ():
            if peer not in others:
                continue
            if joined:
                hears[peer] = at
            elif at <= ended + _AT_ONCE_MS:
                hears.pop(peer, None)
        if hears:
            return True
    return False


def _lasts(leg: Leg, at: int) -> bool:
    return leg.ended is None or leg.ended > at


def _restart(course: Course) -> None:
    """A node that began anew has lost its legs: they ended then, whenever their hang-up was told."""
    instants: dict[str, list[int]] = {}
    for event in course.story.restarts or ():
        for node in {event.node, ""}:
            instants.setdefault(node, []).append(event.at)
    anywhere = [event.at for event in course.story.restarts or () if not event.node]
    for leg in course.story.legs.values():
        sign = _last_sign(leg)
        at = min(_next(instants.get(leg.node, []), sign), _next(anywhere, sign))
        if at < _NEVER and (leg.ended is None or leg.ended >= at):
            if leg is course.caller:
                course.flags += ["incomplete", "end_estimated"] if leg.ended is None else ["late_hangup"]
            elif "node_restarted" not in course.flags:  # of the caller's leg the flags above say more
                course.flags.append("node_restarted")
            leg.ended = at


def _next(instants: list[int], at: int) -> int:
    """The first of these instants, in order, that is not before `at`."""
    place = bisect_left(instants, at)
    return instants[place] if place < len(instants) else _NEVER


def _last_sign(leg: Leg) -> int:
    """The last moment at which the leg was surely alive."""
    signs = [leg.started, leg.progress, leg.rang, leg.answered]
    signs += [at for at, _ in leg.holds or ()] + [at for at, _, _ in leg.bridges or ()]
    return max((at for at in signs if at is not None), default=leg.first_at)


def find_answerer(course: Course) -> None:
    """Whether an application of the PBX answered, where the answer itself does not say: one dealt with the caller
    then, or each leg is told of, and no phone answered just before."""
    caller = course.caller
    answered = caller.answered
    if answered is None or caller.answered_by:
        return
    dealt_with = caller.applications and caller.applications[0][0] <= answered
    if not dealt_with and caller.answer_source != LEGS_TOLD:
        return
    for target in course.targets:
        at = target.answered
        if at is not None and target.leg is not None and at - _ANSWER_JITTER_MS <= answered <= at + SAME_INSTANT_MS:
            return
        if not dealt_with and at is None and target.leg is not None and _heard(target.leg, caller):
            return  # its answer was lost
    caller.answered_by = "pbx"


def _heard(leg: Leg, caller: Leg) -> bool:
    return any(peer == caller.id for _, peer, _ in leg.bridges or ()) or any(
        peer == leg.id for _, peer, _ in caller.bridges or ()
    )


def find_answer(course: Course) -> None:
    """When the network answered: the caller's leg says so, else the first target that did.

    Of a click to dial it is the destination's answer: the caller's own phone answers first.
    """
    caller, targets = course.caller, course.targets
    answered = caller.answered
    if answered is not None and _is_click_to_dial(course):
        course.click_to_dial = True
        answered = _first_answer(targets)
    elif answered is not None:
        if caller.answer_source == HANGUP_RECORD:
            course.flags.append("answer_from_hangup_record")
        _infer_answer(course, answered)
    elif targets:
        answered = _first_answer([target for target in targets if _heard_caller(course, target)])
    if answered is not None:
        if answered < course.started:
            answered = course.started
            _skewed(course)
        if course.ended is not None and answered > course.ended:
            answered = course.ended
            _skewed(course)
    course.answered = answered


def _first_answer(targets: list[Target]) -> int | None:
    first: int | None = None
    for target in targets:
        if target.answered is not None and (first is None or target.answered < first):
            first = target.answered
    return first


def _is_click_to_dial(course: Course) -> bool:
    """Whether the PBX called the caller's own phone first, and the destination after it had answered."""
    caller = course.caller
    told = caller.start_reason in ORIGINATE
    if not told and not (caller.role == "caller" and caller.answered_by == "party"):
        return False
    if caller.kind == "outside":
        return False  # somebody outside was called first: the carrier counts from that answer
    assert caller.answered is not None
    legs = course.roles.targets
    return bool(legs) and all(leg.first_at >= caller.answered for leg in legs)


def _heard_caller(course: Course, target: Target) -> bool:
    """Whether the answer of a target shows that of the caller, which is not told.

    A phone that answers and is asked first ("press 1 to accept") talks to the PBX alone: the caller is answered when
    the two are bridged (FreeSWITCH `group_confirm_key`, switch_ivr_originate.c; FollowMe of Asterisk). A caller's leg
    that ends refused or cancelled never was; one that goes on after the phone has gone was not bridged with it.
    """
    caller = course.caller
    if caller.ended is None:
        return True
    if caller.sip_status >= 300 or caller.cause in CANCEL_NAMES:
        return False
    if caller.q850_cause == INTERWORKING and caller.hung_up_by in ("caller", "party"):
        return False  # a CANCEL, as Asterisk has it
    leg = target.leg
    if leg is None or leg.ended is None:
        return True
    alone = leg.answered_by == "party" and not course.story.bridged  # by a PBX that tells of bridges
    if alone and leg.hung_up_by in ("party", "callee") and _went_on(caller, leg.ended):
        return False
    if leg.ended >= caller.ended - SAME_INSTANT_MS:
        return True
    heard = [peer for _, peer, _ in leg.bridges or ()] + [peer for _, peer, _ in caller.bridges or ()]
    return caller.id in heard or leg.id in heard or target.via_transfer


def _went_on(caller: Leg, at: int) -> bool:
    """Whether the caller's leg goes on after `at`, or the dial plan ends it, be it at once."""
    assert caller.ended is not None
    return at < caller.ended or (at == caller.ended and caller.hung_up_by == "system")


def _infer_answer(course: Course, own: int) -> None:
    """A lost answer of the only target that can have taken the call."""
    targets = course.targets
    if course.caller.answered_by == "pbx" or course.visits:
        return
    for target in targets:
        if target.answered is not None or target.leg is None:
            return
    alive = [t for t in targets if t.started <= own and (t.ended is None or t.ended >= own)]
    if len(alive) == 1 and alive[0].leg is not None and cause(alive[0].leg)[0] in (0, NORMAL_CLEARING):
        alive[0].answered = own


def _skewed(course: Course) -> None:
    if "clock_skew" not in course.flags:
        course.flags.append("clock_skew")
