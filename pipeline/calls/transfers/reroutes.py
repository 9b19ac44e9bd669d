"""Reroutes: how the call went from one target to the next, as told and as inferred."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from typing import Any

from pipeline.calls.steps.call_state import Course
from pipeline.calls.steps.moves import ROUTES, Move
from pipeline.calls.steps.outcome import outcome
from pipeline.calls.steps.targets import FORK_SLACK_MS, Target
from schemas.words import REROUTE_REASON

_LEFT_END_REASON = {
    "blind_transfer": "blind_transfer_completed",
    "attended_transfer": "consult_transfer_completed",
    "semi_attended_transfer": "consult_transfer_completed",
    "pickup": "replaced",
    "queue_overflow": "referred",
    "queue_exit": "referred",
    "park": "referred",
}
_PHONES = frozenset(("extension", "ring_group_member"))
_MOST_TRIED = 100  # for one transfer: so many are looked at
_FAILED = frozenset(("busy", "rejected", "unreachable", "failed", "no_answer"))


ByNumber = dict[str, list[Target]]


def reroutes(course: Course) -> list[dict[str, Any]]:
    """The reroutes in order, times in ms; marks the targets that were left."""
    found: list[dict[str, Any]] = []
    if course.moves or course.visits:
        index, reached = _by_number(course.targets), _Reached(course)
        for place, move in enumerate(course.moves):
            to = move.to or (_next_number(course.targets, move.at) if move.transfer else "")
            result = _result(index.get(to, []) if to and move.kind not in ROUTES else course.targets, move.at)
            if move.transfer:
                result = reached.outcome(place, move, result)
            item = _item(move.at, move.kind, move.source, to, move.by, result)
            if move.event.sip_status:
                item["sip_status"] = move.event.sip_status
            found.append(item)
            if move.kind not in ROUTES:
                _leave(index.get(move.source, []), move.at, move.kind)
        kinds = {item["kind"] for item in found}
        for position, visit in enumerate(course.visits):
            if visit.left is None:
                continue
            if visit.reason == "answered":
                found.append(_item(visit.left, "queue", visit.number, visit.answered_by, "", "answered"))
            elif visit.reason in ("overflow", "exit") and f"queue_{visit.reason}" not in kinds:
                following = course.visits[position + 1].number if position + 1 < len(course.visits) else ""
                to = visit.to or following or _next_number(course.targets, visit.left)
                result = _result(index.get(to, []), visit.left)
                found.append(_item(visit.left, f"queue_{visit.reason}", visit.number, to, "", result))
                _leave(index.get(visit.number, []), visit.left, f"queue_{visit.reason}")
    elif len(course.targets) > 1:
        found = _failovers(course) or _ring_group(course)
    if len(found) > 1:
        found.sort(key=_at)  # of one instant: in the order in which they were told
    return found


def _at(item: dict[str, Any]) -> int:
    at: int = item["at"]
    return at


def _item(at: int, kind: str, source: str, to: str, by: str, result: str | None) -> dict[str, Any]:
    return {
        "at": at,
        "kind": kind,
        "reason": REROUTE_REASON.get(kind),
        "from": source or None,
        "to": to or None,
        "by": by or None,
        "result": result,
    }


def _by_number(targets: list[Target]) -> ByNumber:
    index: ByNumber = {}
    for target in targets:  # in the order of their beginning
        if target.kind != "consultation":
            index.setdefault(target.number, []).append(target)
            if target.kind == "voicemail":
                index.setdefault("voicemail", []).append(target)
    return index


def _result(targets: list[Target], at: int) -> str | None:
    """What became of the target that the call went to at `at`."""
    place = bisect_left(targets, at - FORK_SLACK_MS, key=_started)
    if place < len(targets):
        return targets[place].outcome or None
    before = targets[-1] if targets else None  # who had been there already
    there = before is not None and before.talk is not None and before.talk[1] > at
    return before.outcome or None if before is not None and there else None


class _Reached:
    """What became of each transfer: of the leg that it names, else of the number that was dialled, else of those that
    were tried for it, since the number may have been a line prefix, a ring group, or a queue."""

    def __init__(self, course: Course) -> None:
        self.caller = course.caller
        self.targets = [target for target in course.targets if target.kind != "consultation"]
        self.by_leg = {target.leg.id: target for target in self.targets if target.leg is not None}
        self.until: dict[int, int] = {}  # place of a transfer → when the call went on from there
        after: int | None = None
        for place in range(len(course.moves) - 1, -1, -1):
            move = course.moves[place]
            if move.transfer and after is not None:
                self.until[place] = after
            if move.transfer or move.kind.startswith("forward_"):
                after = move.at

    def outcome(self, place: int, move: Move, by_number: str | None) -> str | None:
        """The outcome of the transfer at `place`. `by_number`: of the target that has the number dialled."""
        named = self.by_leg.get(move.event.target_leg_id)
        if named is not None:
            return named.outcome or by_number
        if by_number is not None:
            return by_number
        until = self.until.get(place)
        last = ""
        first = bisect_left(self.targets, move.at - FORK_SLACK_MS, key=_started)
        for target in self.targets[first : first + _MOST_TRIED]:
            if until is not None and target.started >= until:
                break
            if target.kind == "queue" or (target.answered is not None and target.answered < move.at):
                continue
            if target.outcome == "answered":
                return "answered"
            last = target.outcome or last
        if last or until is not None or self.caller.ended is None:
            return last or None
        # Nothing was called: a phone that is not registered, a number that does not exist.
        word = outcome(self.caller, elsewhere=False, caller_left=True)
        return word if word in _FAILED else None


def _next_number(targets: list[Target], at: int) -> str:
    place = bisect_left(targets, at, key=_started)
    return targets[place].number if place < len(targets) else ""


def _leave(targets: list[Target], at: int, kind: str) -> None:
    """Mark the target that a reroute at `at` left, and why."""
    place = bisect_right(targets, at, key=_started)
    if place:
        left = targets[place - 1]
        if kind == "pickup" and left.answered is None and (left.ended is None or left.ended > at):
            left.ended = at  # the channel that rang may go on as the one that took the call
        left.reroute_reason = REROUTE_REASON.get(kind, "")
        left.end_reason = _LEFT_END_REASON.get(kind, "redirected")


def _started(target: Target) -> int:
    return target.started


def _failovers(course: Course) -> list[dict[str, Any]]:
    """One number tried over one trunk after the other."""
    found: list[dict[str, Any]] = []
    before: Target | None = None
    for target in course.targets:
        if target.leg is None or not target.trunk:
            continue
        if before is not None and before.leg is not None and before.number == target.number:
            failed = before.ended is not None and before.ended <= target.started and before.outcome == "failed"
            if failed and before.trunk != target.trunk and before.ended is not None:
                result = target.outcome or None
                item = _item(before.ended, "carrier_failover", before.trunk, target.trunk, "", result)
                if before.leg.sip_status:
                    item["sip_status"] = before.leg.sip_status
                found.append(item)
        before = target
    return found


def _ring_group(course: Course) -> list[dict[str, Any]]:
    """Several phones rung at once under a number that is none of theirs are a ring group."""
    requested = course.caller.callee.number
    if not requested:
        return []
    own = course.roles.taken  # who came into the call by a call of their own
    phones = [t for t in course.targets if t.leg is not None and t.kind in _PHONES and t.leg.id not in own]
    if len(phones) < 2 or any(t.number == requested for t in phones):
        return []
    # One that was refused at once says nothing, where an instant is a second long.
    first_end = min((t.ended for t in phones if t.ended is not None and t.ended > t.started), default=None)
    if first_end is not None and any(t.started >= first_end for t in phones):
        return []
    first_answer = min((t.answered for t in phones if t.answered is not None), default=None)
    if first_answer is not None and any(t.started > first_answer for t in phones):
        return []
    for phone in phones:
        phone.kind = "ring_group_member"
    if not course.talking:
        return []
    winner = course.talking[0]
    return [_item(winner.started, "ring_group", requested, winner.number, "", "answered")]
