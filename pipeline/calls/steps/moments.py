"""The moments of a call: when it started, when it was answered, when it ended."""

from __future__ import annotations

from bisect import bisect_left

from pipeline.calls.steps.call_state import Course
from pipeline.calls.steps.legs import HANGUP_RECORD, ORIGINATE, Leg
from pipeline.calls.steps.outcome import CANCEL_NAMES, NORMAL_CLEARING, cause
from pipeline.calls.steps.targets import Target

# The caller's CANCEL and the callee's answer can cross on the wire within this time.
_CROSSING_MS = 2_000
_NEVER = 1 << 62


def find_start(course: Course) -> None:
    """When the call started: the caller's leg says so, else its first evidence."""
    caller = course.caller
    if caller.started is not None:
        course.started = caller.started
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
    if ended is None and course.expired:
        course.flags += ["incomplete", "end_estimated"]
        ended = course.story.last_at
    if ended is not None and ended < course.started:
        ended = course.started
        _skewed(course)
    course.ended = ended
    course.now = max(course.story.last_at, course.started) if ended is None else ended


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
        answered = _first_answer(targets)
        if answered is not None and _refused(caller, answered):
            answered = None
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
    assert caller.answered is not None
    legs = course.roles.targets
    return bool(legs) and all(leg.first_at >= caller.answered for leg in legs)


def _refused(caller: Leg, answered: int) -> bool:
    """Whether the caller had given up, and the answer only crossed its CANCEL."""
    if caller.ended is None or (caller.sip_status < 300 and caller.cause not in CANCEL_NAMES):
        return False
    return answered > caller.ended - _CROSSING_MS


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
