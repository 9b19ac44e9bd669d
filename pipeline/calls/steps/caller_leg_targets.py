"""Targets on the caller's own leg: IVRs, voicemail boxes, conferences, parking places, numbers that forward at once."""

from __future__ import annotations

from bisect import bisect_right

from pipeline.calls.steps.call_state import Course
from pipeline.calls.steps.moves import Move
from pipeline.calls.steps.targets import Target
from schemas.event import Event

_LEFT_OUTCOME = {
    "forward_busy": "busy",
    "forward_no_answer": "no_answer",
    "forward_not_reachable": "unreachable",
}


def on_caller_leg(course: Course) -> list[Target]:
    """The targets that have no leg of their own, in no particular order."""
    stops = _menus(course)
    found = [*_forwarding(course, stops), *_mailboxes(course), *_rooms(course)]
    if stops:
        _end_at_next(course, [*found, *stops], stops)
    return found + stops


def _menus(course: Course) -> list[Target]:
    """IVRs and parking places: the caller leaves them when the call goes on."""
    caller = course.caller
    found: list[Target] = []
    if caller.kind == "ivr":
        callee = caller.callee
        number = callee.number or callee.extension
        found.append(Target("ivr", number, course.started, name=callee.name, answered=caller.answered))
    for move in course.moves:
        kind = "park" if move.kind == "park" else move.event.kind
        if kind in ("park", "ivr") and move.to:
            found.append(Target(kind, move.to, move.at, answered=move.at))
    return found


def _end_at_next(course: Course, others: list[Target], stops: list[Target]) -> None:
    begins = [target.started for target in (*course.targets, *others)]
    begins += [move.at for move in course.moves] + [visit.joined for visit in course.visits]
    begins.sort()
    for stop in stops:
        place = bisect_right(begins, stop.started)
        stop.ended = begins[place] if place < len(begins) else course.ended
        if stop.answered is not None and stop.ended is not None and stop.answered > stop.ended:
            stop.answered = None


def _forwarding(course: Course, stops: list[Target]) -> list[Target]:
    """Numbers that forward without ringing a leg."""
    found: list[Target] = []
    numbers = {target.number for target in (*course.targets, *stops)}
    since = course.started
    for move in course.moves:
        if move.event.kind == "outside":
            continue  # it happened before the call came here
        if move.kind.startswith("forward_") and move.source and move.source not in numbers:
            numbers.add(move.source)
            if any(target.leg is not None and since <= target.started < move.at for target in course.targets):
                since = move.at
                continue  # a group, whose phones rang
            outcome = _LEFT_OUTCOME.get(move.kind, "")
            found.append(Target("extension", move.source, min(since, move.at), ended=move.at, outcome=outcome))
        since = move.at
    return found


def _mailboxes(course: Course) -> list[Target]:
    """Voicemail boxes; where the box has a leg of its own, that leg's target is the box."""
    caller = course.caller
    found: list[Target] = []
    by_leg = {target.leg.id: target for target in course.targets if target.leg is not None}
    for event in course.story.voicemail or ():
        at = event.at
        own = by_leg.get(event.leg_id)
        if own is not None:
            own.kind = "voicemail"
            own.number = _mailbox(event) or own.number
            continue
        if found and found[-1].number == _mailbox(event):
            continue  # told twice: greeting and recording
        # The box answers with the caller's leg, unless something answered before it.
        answered = caller.answered if caller.answered is not None and caller.answered >= at else at
        found.append(Target("voicemail", _mailbox(event), at, answered=answered, ended=course.ended))
    return found


def _mailbox(event: Event) -> str:
    """`voicemail:1003` for the box 1003@default."""
    box = event.to or (event.callee if isinstance(event.callee, str) else "")
    return "voicemail:" + box.removeprefix("vm:").removeprefix("voicemail:").partition("@")[0]


def _rooms(course: Course) -> list[Target]:
    """Conferences that the caller took part in."""
    found: list[Target] = []
    inside: dict[str, Target] = {}
    for at, room, joined in course.caller.conferences or ():
        if not joined:
            left = inside.pop(room, None)
            if left is not None:
                left.ended = at
        elif room not in inside:
            number = room or course.caller.callee.number
            inside[room] = Target("conference", number, at, answered=at, ended=course.ended)
            found.append(inside[room])
    return found


def is_on_caller_leg(course: Course) -> bool:
    """Whether anything tells of such a target."""
    story, caller = course.story, course.caller
    if story.voicemail or caller.conferences:
        return True
    if caller.kind == "ivr" and (course.targets or course.moves or course.visits or caller.conferences):
        return True
    return bool(course.moves) and any(_is_place(move) for move in course.moves)


def _is_place(move: Move) -> bool:
    return move.kind == "park" or move.kind.startswith("forward_") or move.event.kind == "ivr"
