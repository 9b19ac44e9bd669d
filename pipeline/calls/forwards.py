"""Moves that a PBX tells in part only: forwards without their reason, pick-ups without whom they were taken from.

A dialplan that goes from one number to another (`rerouted` with the reason `forward`) may have translated the number
that was dialled, tried a phone before, or gone on from a menu: only the whole call tells.
"""

from __future__ import annotations

from pipeline.calls.course import Course
from pipeline.calls.moves import Move
from pipeline.calls.outcome import outcome
from pipeline.calls.targets import FORK_SLACK_MS, Target

FORWARD = "forward"
_KINDS = {
    "busy": "forward_busy",
    "rejected": "forward_busy",
    "no_answer": "forward_no_answer",
    "cancelled": "forward_no_answer",
}


def complete(course: Course) -> None:
    """Give each forward its kind and each pick-up its source; drop forwards that were none."""
    known = {course.caller.callee.number, *(target.number for target in course.targets)} - {""}
    kept: list[Move] = []
    done: set[tuple[str, str]] = set()
    for move in course.moves:
        if move.kind == FORWARD:
            if (move.source, move.to) in done or not _is_forward(course, move, known):
                continue
            done.add((move.source, move.to))
            move.kind = _kind(course, move)
        elif move.kind == "pickup" and move.source in ("", move.to):
            move.source = _ringing(course, move)
        if move.to:
            known.add(move.to)
        kept.append(move)
    course.moves = kept


def _is_forward(course: Course, move: Move, known: set[str]) -> bool:
    caller = course.caller
    if move.source in ("", move.to, caller.did) or move.source not in known:
        return False
    answered = caller.answered
    gone_on = answered is not None and answered < move.at
    return not gone_on or move.to == "voicemail"


def _tried(course: Course, number: str, at: int) -> Target | None:
    """The last target of this number that began before `at`."""
    found = [t for t in course.targets if t.number == number and t.started <= at and t.leg is not None]
    return max(found, key=lambda target: target.started, default=None)


def _kind(course: Course, move: Move) -> str:
    target = _tried(course, move.source, move.at)
    if target is None or target.leg is None:
        return "forward_unconditional"
    word = outcome(target.leg, elsewhere=False, caller_left=False)
    if word == "no_answer" and target.rang is None and target.leg.q850_cause not in (0, 16, 19):
        word = ""
    return _KINDS.get(word, "forward_not_reachable")


def _ringing(course: Course, move: Move) -> str:
    """Whom a call was picked up from: the last that rang and had not answered."""
    rung = [
        target
        for target in course.targets
        if target.leg is not None
        and target.number != move.to
        and target.started <= move.at
        and target.answered is None
        and (target.ended is None or target.ended >= move.at - FORK_SLACK_MS)
    ]
    return max(rung, key=lambda target: target.started).number if rung else ""
