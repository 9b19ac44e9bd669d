"""When the caller talked to whom. Each millisecond counts once."""

from __future__ import annotations

from collections.abc import Iterable

from pipeline.calls.legs import Leg
from pipeline.calls.targets import NOT_HUMAN, Target

# Two reports of one instant (a BYE seen on both sides of the PBX) lie no further apart than this.
SAME_INSTANT_MS = 5_000
# A proxy may tell of the callee's answer just after the caller's.
_ANSWER_JITTER_MS = 500


def union(intervals: Iterable[tuple[int, int]]) -> int:
    """Total length of the intervals, overlaps counted once."""
    total = 0
    reached: int | None = None
    for start, end in sorted(intervals):
        if reached is None or start > reached:
            total += max(0, end - start)
            reached = max(start, end)
        elif end > reached:
            total += end - reached
            reached = end
    return total


def assign(targets: list[Target], caller: Leg, transfers: list[int], ended: int | None, now: int) -> list[Target]:
    """Give each human target that was reached its talk with the caller; return them in order.

    `transfers` are the instants at which one target handed the caller to another. Where several
    phones answered at once (a fork with two 200s) the first that was bridged, else the first that
    answered, has the call; the others have none. Open calls count until `now`.
    """
    reached: list[tuple[int, int, Target]] = []
    for position, target in enumerate(targets):
        if target.answered is None or target.kind in NOT_HUMAN or target.kind == "consultation":
            continue
        reached.append((_talk_start(target, caller), position, target))
    if len(reached) > 1:
        reached.sort(key=lambda item: item[:2])
    talking: list[Target] = []
    for start, _, target in reached:
        end = _talk_end(target, caller, ended, now)
        if talking and target.kind != "conference":
            before = talking[-1]
            assert before.talk is not None
            if start < before.talk[1]:
                if not target.via_transfer and not any(before.talk[0] < at <= start for at in transfers):
                    continue  # the fork's second answer
                before.talk = (before.talk[0], start)
        target.talk = (start, max(start, end))
        talking.append(target)
    for target in talking:
        assert target.talk is not None
        target.talk_ms = target.talk[1] - target.talk[0]
    return talking


def _talk_start(target: Target, caller: Leg) -> int:
    """On the caller's own clock where the caller's leg tells of it."""
    answered = target.answered
    assert answered is not None
    leg = target.leg
    if leg is None or target.via_transfer:
        return answered
    own = caller.answered
    if own is not None and caller.answered_by != "pbx" and own >= answered - _ANSWER_JITTER_MS:
        return own if own - answered <= SAME_INSTANT_MS else answered
    bridge = min(
        [at for at, peer in caller.bridges or () if peer == leg.id]
        + [at for at, peer in leg.bridges or () if peer == caller.id],
        default=None,
    )
    if bridge is not None and bridge >= answered:
        return bridge
    return max(answered, own) if own is not None else answered


def _talk_end(target: Target, caller: Leg, ended: int | None, now: int) -> int:
    """When the caller's leg says so, if it tells both ends of the talk; else the target's leg."""
    leg = target.leg
    own = caller.ended if caller.ended is not None else ended
    if leg is None:
        if target.ended is not None:
            return target.ended
        return now if own is None else own
    tells_start = (
        caller.answered is not None
        and not target.via_transfer
        and (caller.answered >= (target.answered or 0) - _ANSWER_JITTER_MS or bool(caller.bridges))
    )
    for at, peer in caller.unbridges or ():
        if peer == leg.id and at >= (target.answered or 0) and not _bridged_again(caller, leg, at):
            return at
    if target.ended is None:
        return now if own is None else own
    if own is None:
        return target.ended
    if own <= target.ended:
        return own
    if tells_start and own - target.ended <= SAME_INSTANT_MS:
        return own
    return target.ended


def _bridged_again(caller: Leg, leg: Leg, after: int) -> bool:
    return any(at > after and peer == leg.id for at, peer in caller.bridges or ())


def hold_ms(legs: Iterable[Leg], ended: int) -> int:
    """Time on hold, ms: whoever pressed the key, each millisecond once."""
    spans: list[tuple[int, int]] = []
    for leg in legs:
        since: int | None = None
        for at, held in leg.holds or ():
            if held and since is None:
                since = at
            elif not held and since is not None:
                spans.append((since, at))
                since = None
        if since is not None:
            spans.append((since, ended if leg.ended is None else leg.ended))
    return union(spans) if spans else 0
