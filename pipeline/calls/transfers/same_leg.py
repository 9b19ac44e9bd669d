"""Consultations on the leg by which a party talks already: the PBX holds the caller and calls for that leg.

So do FreeSWITCH (application `att_xfer`) and Asterisk (attended transfer of features.conf). The leg of whom it consults
looks like one more target of the call, until the caller hears it.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from pipeline.calls.steps.call_state import Course
from pipeline.calls.steps.legs import NOBODY, Leg
from pipeline.calls.steps.moves import Move, by_time
from pipeline.calls.steps.talk import SAME_INSTANT_MS
from pipeline.calls.steps.targets import Target
from pipeline.calls.transfers.consultation import log_of, taken_over
from schemas.event import Event

_PHONES = frozenset(("extension", "outside", "ring_group_member"))
_AT_ONCE_MS = 1_000
_MOST = 100  # transfers of one call that are looked at


def consult_on_same_leg(course: Course) -> None:
    """Log these consultations; who was consulted stays a target where it was handed the caller, from then on."""
    talking = {t.leg.id: t.leg for t in course.targets if t.leg is not None and t.leg.answered is not None}
    caller = course.caller
    if not talking and caller.answered is None:
        return
    legs = course.story.legs
    transfers = [move for move in course.moves[:_MOST] if move.transfer]
    by_leg = {move.event.leg_id: move for move in transfers if _is_on_own_leg(move)}
    # Who hands the call over in another way, or is handed over, has not consulted on this leg.
    otherwise = {
        word for move in transfers for word in (move.event.leg_id, move.by, move.event.transferee_leg_id) if word
    }
    heard = _first_heard(course) if course.story.bridged else {}
    kept: list[Target] = []
    for target in course.targets:
        leg, by, move = target.leg, None, None
        if leg is not None and leg.kind == "consultation" and leg.peer in legs:
            by = legs[leg.peer]
            move = next((m for m in transfers if m.event.leg_id == by.id and _concerns(m, leg, legs)), None)
        elif course.handed_over and caller.ended is not None and target.started >= caller.ended - _AT_ONCE_MS:
            pass  # nobody is on hold: it is called for who talks on
        elif leg is not None and target.kind in _PHONES and not target.via_transfer:
            for id_ in (leg.peer, heard.get(leg.id, ""), *by_leg):
                move = by_leg.get(id_)
                if move is not None and not _concerns(move, leg, legs):
                    move = None
                other = talking.get(id_)
                if other is None or other is leg or not _talks(other, target.started):
                    continue
                if move is not None or not otherwise & {id_, other.callee.number}:
                    by = other
                    break
        if leg is None or by is None:
            kept.append(target)
            continue
        join = next((j for j in course.joins if j.event.leg_id == by.id and j.at >= target.started), None)
        if join is not None and move is None:
            kept.append(_beside(course, leg, by, target, join))
            continue
        move = move or _untold(course, leg, by)
        if leg.kind == "consultation":
            leg.kind = "outside" if leg.trunk else ""
        second = msgspec.structs.replace(by, caller=NOBODY, callee=leg.callee, rang=None, answered=None)
        second.started = second.first_at = target.started
        log = log_of(course, second, [leg], move)
        course.consultations = [*course.consultations, log]
        if move is not None:
            if move.kind == "attended_transfer" and (leg.answered is None or leg.answered > move.at):
                move.kind = "semi_attended_transfer"
            move.to = log.number
            kept.append(taken_over(course, leg, log, move.at))
    course.targets[:] = kept


def _beside(course: Course, leg: Leg, by: Leg, target: Target, join: Move) -> Target:
    """Who was consulted, as one of three since the other two were joined with him; logs the consultation before."""
    if leg.kind == "consultation":
        leg.kind = "outside" if leg.trunk else ""
    second = msgspec.structs.replace(by, caller=NOBODY, callee=leg.callee, rang=None, answered=None)
    second.started = second.first_at = target.started
    log = log_of(course, second, [leg], join)
    log.end_reason = ""
    course.consultations = [*course.consultations, log]
    third = taken_over(course, leg, log, join.at)
    third.beside = True
    return third


def _is_on_own_leg(move: Move) -> bool:
    event = move.event
    if move.kind == "blind_transfer":
        return False
    return event.second_leg_id in ("", event.leg_id) and bool(event.leg_id and event.target_leg_id)


def _concerns(move: Move, leg: Leg, legs: dict[str, Leg]) -> bool:
    """Whether a transfer is to this leg, or to one that is not told of (half of a Local channel)."""
    to = move.event.target_leg_id
    if to in legs:
        return to == leg.id
    begun = leg.first_at if leg.started is None else leg.started
    return begun <= move.at and (leg.ended is None or leg.ended > move.at)


def _talks(leg: Leg, at: int) -> bool:
    return leg.answered is not None and leg.answered <= at and (leg.ended is None or leg.ended > at)


def _joins(course: Course) -> Iterator[tuple[int, str, str]]:
    for leg in course.story.legs.values():
        for at, peer, joined in leg.bridges or ():
            if joined and peer:
                yield at, leg.id, peer
                yield at, peer, leg.id


def _first_heard(course: Course) -> dict[str, str]:
    """The leg that each leg heard first."""
    found: dict[str, tuple[int, str]] = {}
    for at, leg, peer in _joins(course):
        if leg not in found or (at, peer) < found[leg]:
            found[leg] = (at, peer)
    return {leg: peer for leg, (_, peer) in found.items()}


def _untold(course: Course, leg: Leg, by: Leg) -> Move | None:
    """The hand-over that no event tells: the caller hears this leg, or goes on with it when the other has gone."""
    caller = course.caller
    joined = [at for at, peer, on in leg.bridges or () if on and peer == caller.id]
    joined += [at for at, peer, on in caller.bridges or () if on and peer == leg.id]
    since = min(joined, default=None)
    if since is None:
        ends = (leg.ended, course.ended)
        if leg.answered is None or by.ended is None:
            return None
        if any(end is not None and end <= by.ended + SAME_INSTANT_MS for end in ends):
            return None
        since = by.ended
    kind = "attended_transfer"
    if by.ended is not None and (leg.answered is None or leg.answered > by.ended):
        kind, since = "semi_attended_transfer", by.ended
    source, to = (each.callee.number or each.callee.extension for each in (by, leg))
    event = Event("transferred", since, caller.call_id, leg_id=by.id, target_leg_id=leg.id)
    move = Move(since, kind, source, to, source, event, True, False)
    course.moves.append(move)
    course.moves.sort(key=by_time)
    return move
