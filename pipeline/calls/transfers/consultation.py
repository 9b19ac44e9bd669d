"""Consultations: second calls that a party of the call makes, and the hand-over that may end them."""

from __future__ import annotations

from pipeline.calls.steps.call_state import Course
from pipeline.calls.steps.legs import Leg
from pipeline.calls.steps.moves import Move, by_time
from pipeline.calls.steps.outcome import cancelled_by_caller, outcome
from pipeline.calls.steps.talk import SAME_INSTANT_MS
from pipeline.calls.steps.targets import Target, of_leg
from schemas.event import Event


def handovers(course: Course) -> dict[str, Move | None]:
    """For each leg that began a second call: the transfer that put another party in its place."""
    by_second: dict[str, Move] = {}
    by_target: dict[str, Move] = {}
    for move in course.moves:
        if move.transfer:
            by_second.setdefault(move.event.second_leg_id, move)
            by_target.setdefault(move.event.target_leg_id, move)
    found: dict[str, Move | None] = {}
    for second in course.roles.seconds:
        handed = by_second.get(second.id)
        for phone in course.roles.consulted.get(second.id, ()):
            if handed is None:
                handed = by_target.get(phone.id)
        found[second.id] = handed or _untold(course, second)
    return found


def _untold(course: Course, second: Leg) -> Move | None:
    """The hand-over that no event tells: who was consulted hears the caller when the consultation has ended; where the
    caller himself consulted and has left, whom he had called."""
    caller = course.caller
    by_caller = second.caller.number == caller.caller.number
    if second.ended is None or (by_caller and not course.handed_over):
        return None
    others = {leg.id for leg in course.roles.targets} if by_caller else {caller.id}
    for phone in course.roles.consulted.get(second.id, ()):
        if phone.answered is None or (phone.ended is not None and phone.ended <= second.ended):
            continue
        heard = [at for at, peer, joined in phone.bridges or () if joined and peer in others]
        for leg in others:
            heard += [at for at, peer, on in course.story.legs[leg].bridges or () if on and peer == phone.id]
        since = min((at for at in heard if at >= phone.answered), default=None)
        if since is None or since < second.ended - SAME_INSTANT_MS:
            continue
        by, to = second.caller.number, phone.callee.number or phone.callee.extension
        told = Event("transferred", since, caller.call_id, second_leg_id=second.id, target_leg_id=phone.id)
        move = Move(since, "attended_transfer", by, to, by, told, True, by_caller)
        course.moves.append(move)
        course.moves.sort(key=by_time)
        return move
    return None


def consult(course: Course, handed: dict[str, Move | None]) -> None:
    """Log each consultation; the party consulted becomes a target of the call from the moment it is
    handed the caller."""
    for second in course.roles.seconds:
        phones = course.roles.consulted.get(second.id, [])
        move = handed[second.id]
        log = log_of(course, second, phones, move)
        if move is not None and move.kind == "attended_transfer" and phones and log.answered is None:
            move.kind = "semi_attended_transfer"  # handed over while it rang
        course.consultations.append(log)
        if move is not None:
            for phone in phones:
                if phone.ended is None or phone.ended >= move.at:
                    course.targets.append(taken_over(course, phone, log, move.at))


def log_of(course: Course, second: Leg, phones: list[Leg], move: Move | None) -> Target:
    callee = second.callee if second.callee.number or not phones else phones[0].callee
    both = (second, *phones)
    reached = _reached(phones, move)
    answered = second.answered
    if answered is None:
        answered = min((p.answered for p in reached if p.answered is not None), default=None)
    ends = [p.ended for p in reached if p.ended is not None]
    if move is None:
        ends = [max(ends)] if ends and reached is phones else ends  # of those that were tried, the last
        ended = min([*ends, *([] if second.ended is None else [second.ended])], default=course.ended)
    else:
        ended = min([move.at, *ends])
        if answered is not None and answered > ended:
            answered = None  # handed over while it still rang
    rang = min((p.rang for p in both if p.rang is not None), default=None)
    log = Target(
        "consultation",
        callee.number or callee.extension,
        second.first_at if second.started is None else second.started,
        second,
        callee.name,
        callee.domain,
        rang if rang is None or ended is None else min(rang, ended),
        answered,
        ended,
    )
    if answered is not None:
        log.outcome = "answered"
        log.talk_ms = max(0, (course.now if ended is None else ended) - answered)
    elif ended is not None:
        tried = phones[-1] if phones else second
        left = move is None and cancelled_by_caller(second)
        log.outcome = (move is None and outcome(tried, elsewhere=False, caller_left=left)) or "no_answer"
    if move is not None:
        log.end_reason = "consult_transfer_completed"
    return log


def _reached(phones: list[Leg], move: Move | None) -> list[Leg]:
    """Whom the consultation reached, of the phones and carriers that were tried for it: who was handed the caller, who
    answered; all where nobody did."""
    named = [phone for phone in phones if move is not None and phone.id == move.event.target_leg_id]
    return named or [phone for phone in phones if phone.answered is not None] or phones


def taken_over(course: Course, phone: Leg, log: Target, at: int) -> Target:
    """The party consulted, as a target of the call since it was handed the caller at `at`."""
    target = of_leg(phone, course.roles)
    target.number = phone.callee.number or phone.callee.extension or log.number
    target.started = at
    target.via_transfer = True
    if target.answered is not None:
        if target.answered <= at:
            target.rang = None  # it rang for the consultation
        target.answered = max(target.answered, at)
    if target.rang is not None:
        target.rang = max(target.rang, at)
    return target
