"""Moves that a PBX tells in part only: forwards without their reason, pick-ups without whom they were taken from.

A dialplan that goes from one number to another (`rerouted` with the reason `forward`) may have translated the number
that was dialled, tried a phone before, or gone on from a menu: only the whole call tells.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator

from pipeline.calls.steps.call_state import Course
from pipeline.calls.steps.moves import Move, by_time
from pipeline.calls.steps.outcome import outcome
from pipeline.calls.steps.targets import FORK_SLACK_MS, Target

FORWARD = "forward"
SENT_ON = "sent_on"  # the dialplan goes on with the caller at another number, whole seconds
_GOING_MS = 4_000  # between that and the end of the leg that it left
_AT_ONCE_MS = 2_000
_FEWEST = 1_000  # phones that can ring at once: so many are looked at
_GROUP = 32  # phones that ring at once when one of them sends the call on: so many are looked at
_KINDS = {
    "busy": "forward_busy",
    "rejected": "forward_busy",
    "no_answer": "forward_no_answer",
    "cancelled": "forward_no_answer",
}


def complete(course: Course) -> None:
    """Give each forward its kind and each pick-up its source; drop forwards that were none."""
    known = {course.caller.callee.number, *(target.number for target in course.targets)} - {""}
    tried = [target for target in course.targets if target.leg is not None]  # in the order of their beginning
    by_number: dict[str, list[Target]] = {}
    for target in tried:
        by_number.setdefault(target.number, []).append(target)
    _park(course)
    transfers = [move.at for move in course.moves[:_FEWEST] if move.transfer]
    kept: list[Move] = []
    done: set[tuple[str, str]] = set()
    for move in course.moves:
        if move.kind == FORWARD:
            phone = _sent_on_by(tried, move)
            if phone is not None:
                move.source = move.by = phone.number
            if (move.source, move.to) in done:
                continue
            if phone is None and not _is_forward(course, move, known, by_number):
                continue
            done.add((move.source, move.to))
            left = [phone] if phone else by_number.get(move.source) or _group_of(course, tried, move)
            move.kind = _kind(left, move.at, by_phone=move.to != "voicemail")
        elif move.kind == "pickup" and move.source in ("", move.to):
            move.source = _ringing(tried, move)
        elif move.kind == SENT_ON:
            if not _is_taken_away(course, tried, transfers, move):
                continue
        elif (
            (move.transfer or move.kind == "park") and not move.source and not move.by
        ):  # told of no leg: who talked with the caller did it
            talked = (each.number for each in _there(tried, move) if each.answered is not None)
            move.source = move.by = next(talked, "")
        if move.to:
            known.add(move.to)
        kept.append(move)
    course.moves = kept
    course.moves.sort(key=by_time)


def _sent_on_by(tried: list[Target], move: Move) -> Target | None:
    """The phone that sent the call on (302): it was rung, and is let go of as the number it named is dialled. The PBX
    may tell this of the caller's leg only."""
    latest = bisect_right(tried, move.at, key=_started)
    for place in range(latest - 1, max(-1, latest - _GROUP), -1):
        target = tried[place]
        if target.answered is not None or target.ended is None or target.number == move.to:
            continue
        at_once = move.to != "voicemail" and abs(target.ended - move.at) <= _AT_ONCE_MS // 4
        if at_once and move.source in ("", target.number):
            return target
    return None


def _is_taken_away(course: Course, tried: list[Target], transfers: list[int], move: Move) -> bool:
    """Whether the dialplan took the caller from whom he talked with (a key, or somebody at a panel), who did not hang
    up: that is a blind transfer. Completes the move."""
    if any(abs(at - move.at) <= _GOING_MS for at in transfers):
        return False  # told already
    latest = bisect_right(tried, move.at + 999, key=_started)
    for place in range(latest - 1, max(-1, latest - _FEWEST), -1):
        target = tried[place]
        leg, ended = target.leg, target.ended
        if leg is None or target.answered is None or ended is None or leg.hung_up_by == "party":
            continue
        then = move.at <= ended + 999 and ended <= move.at + _GOING_MS and target.answered < ended
        if then and (course.ended is None or course.ended > ended + _AT_ONCE_MS):
            move.kind, move.transfer, move.at = "blind_transfer", True, ended
            move.source = move.by = target.number
            return True
    return False


def _park(course: Course) -> None:
    """A transfer to a parking place is the parking."""
    places = [move for move in course.moves if move.kind == "park"]
    for place in places:
        if not place.to.isdigit():
            place.to = _dialled_place(course, place.at) or place.to
        for move in course.moves:
            same = move.to == place.to or not place.source or move.by == place.by
            if move.transfer and same and abs(place.at - move.at) <= _AT_ONCE_MS:
                place.source, place.by = place.source or move.source, place.by or move.by
                course.moves = [other for other in course.moves if other is not move]
                break


def _dialled_place(course: Course, at: int) -> str:
    """The parking place that who took the call back had dialled, where only the lot is told."""
    back = [course.story.legs[leg] for leg in course.roles.taken]
    dialled = [(leg.started, leg.callee.number) for leg in back if leg.started is not None and leg.started >= at]
    return min((each for each in dialled if each[1].isdigit()), default=(0, ""))[1]


def _is_forward(course: Course, move: Move, known: set[str], tried: dict[str, list[Target]]) -> bool:
    caller = course.caller
    if move.source in ("", move.to) or move.source not in known:
        return False
    if move.source == caller.did and move.source not in tried:
        return False  # the dialplan translated the number that was dialled from outside
    answered = caller.answered
    gone_on = answered is not None and answered < move.at
    return not gone_on or move.to == "voicemail"


def _group_of(course: Course, tried: list[Target], move: Move) -> list[Target]:
    """The phones that rang under the number that the call left: since the call was sent there."""
    since = max([other.at for other in course.moves if other.at < move.at and other.to == move.source], default=0)
    latest = bisect_right(tried, move.at, key=_started)
    near = tried[max(0, latest - _GROUP) : latest]
    return [target for target in near if since <= target.started < move.at and target.number != move.to]


def _kind(tried: list[Target], at: int, *, by_phone: bool) -> str:
    """Why the call left the number that these targets have, in the order of their beginning. `by_phone`: one of them
    may have sent it on by itself."""
    place = bisect_right(tried, at, key=_started)
    target = tried[place - 1] if place else None
    if target is None or target.leg is None:
        return "forward_unconditional"
    at_once = by_phone and target.rang is None and at - target.started < _AT_ONCE_MS
    if at_once and target.leg.q850_cause in (0, 16, 127):
        return "forward_unconditional"  # the phone itself sent the call on (302), without a word of its own state
    word = outcome(target.leg, elsewhere=False, caller_left=False)
    if word == "no_answer" and target.rang is None and target.leg.q850_cause not in (0, 16, 19, 127):
        word = ""
    return _KINDS.get(word, "forward_not_reachable")


def _ringing(tried: list[Target], move: Move) -> str:
    """Whom a call was picked up from: the last that rang and had not answered, else who talked."""
    talked = ""
    for target in _there(tried, move):
        if target.answered is None:
            return target.number
        talked = talked or target.number
    return talked


def _there(tried: list[Target], move: Move) -> Iterator[Target]:
    """Whom else the call had when it was moved, the last first."""
    latest = bisect_right(tried, move.at, key=_started)
    for place in range(latest - 1, max(-1, latest - _FEWEST), -1):
        target = tried[place]
        if target.number != move.to and (target.ended is None or target.ended >= move.at - FORK_SLACK_MS):
            yield target


def _started(target: Target) -> int:
    return target.started
