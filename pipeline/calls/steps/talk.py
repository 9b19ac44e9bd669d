"""When the caller talked to whom. Each millisecond counts once."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from pipeline.calls.steps.legs import Leg
from pipeline.calls.steps.targets import NOT_HUMAN, Target

# Two reports of one instant (a BYE seen on both sides of the PBX) lie no further apart than this.
SAME_INSTANT_MS = 5_000
# A proxy may tell of the callee's answer just after the caller's.
_ANSWER_JITTER_MS = 500
_PASSED_ON_MS = 1_000  # from a phone's answer to the caller's, which it causes
_HANGING_UP_MS = 200  # from the bridge that the end of the call dissolves to the end itself

Bridges = dict[str, list[tuple[int, bool]]]


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


def bridges(caller: Leg, legs: Iterable[Leg]) -> Bridges:
    """When the caller heard each leg and when no longer, in order, whichever side told it."""
    found: Bridges = {}
    for at, peer, joined in caller.bridges or ():
        found.setdefault(peer, []).append((at, joined))
    for leg in legs:
        joins = [(at, joined) for at, peer, joined in leg.bridges or () if peer == caller.id]
        if joins and leg is not caller:
            found[leg.id] = sorted([*found.get(leg.id, []), *joins])
    return found


def assign(
    targets: list[Target], caller: Leg, heard: Bridges, transfers: list[int], answered: int, ended: int | None, now: int
) -> list[Target]:
    """Give each human target that was reached its talk with the caller; return them in order.

    `answered` is when the network answered, `now` the end or, of an open call, its newest event.
    `transfers` are the instants, in order, at which one target handed the caller to another. Where
    several phones answered at once (a fork with two 200s) the first that was bridged, else the first
    that answered, has the call; the others have none.
    """
    reached: list[tuple[int, int, int, Target]] = []
    joined = max((at for times in heard.values() for at, on in times if on), default=0)
    for position, target in enumerate(targets):
        if (
            target.answered is not None
            and target.kind not in NOT_HUMAN
            and _conversed(target, caller, heard, joined, answered)
        ):
            leg = target.leg
            times: Sequence[tuple[int, bool]] = heard.get(leg.id, ()) if leg is not None else ()
            if target.via_transfer and times:  # what it heard of the caller before it was handed the call is over
                times = [each for each in times if each[0] > target.started + _ANSWER_JITTER_MS]
            start = min(max(_talk_start(target, caller, times), answered, target.started), now)
            end = min(max(start, _talk_end(target, caller, times, transfers, ended, now)), now)
            reached.append((start, end, position, target))
    if len(reached) > 1:
        reached.sort(key=_by_answer)
    talking: list[Target] = []
    before: Target | None = None  # who talks when the next one begins
    for start, end, _, target in reached:
        room = target.kind == "conference" or (target.leg is not None and target.leg.conferences is not None)
        room = room or target.beside
        if before is not None and before.talk is not None and start < before.talk[1] and not room:
            own = target.leg is not None and target.leg.id in heard
            if target.via_transfer or bisect_right(transfers, start) > bisect_right(transfers, before.talk[0]):
                before.talk = (before.talk[0], start)
            elif own and before.leg is not None and before.leg.id not in heard:
                talking.pop().lost_race = True  # it answered first, but the other got the caller
                before.talk = None
            elif not own:
                target.lost_race = True  # the fork's second answer
                continue
        target.talk = (start, end)
        talking.append(target)
        if not room:
            before = target
    for target in talking:
        assert target.talk is not None
        target.talk_ms = target.talk[1] - target.talk[0]
    if len(talking) > 1:
        talking.sort(key=_by_talk)
    return talking


def _conversed(target: Target, caller: Leg, heard: Bridges, last_joined: int, answered: int) -> bool:
    """Whether who answered spoke with the caller, and not with the PBX alone.

    A phone may be asked first whether it takes the call, and an agent hear an announcement, before the two are bridged
    (FreeSWITCH: `group_confirm_key`, mod_callcenter's `cc_outbound_announce`; Asterisk: FollowMe, Dial option U, queue
    announcements). A leg that was gone before the caller was answered did not converse, nor one that was told in no
    bridge when another was bridged with the caller after it.
    """
    leg = target.leg
    if leg is None or leg.ended is None or target.via_transfer or leg.conferences is not None or leg.id in heard:
        return True
    alone = answered - (target.answered or 0) > _PASSED_ON_MS  # the phone's answer was not passed on to the caller
    if leg.ended < answered - (0 if alone else _ANSWER_JITTER_MS):
        return False
    if caller.answered is None or caller.answered >= (target.answered or 0) - _ANSWER_JITTER_MS:
        return True  # the answer was passed on to the caller
    if heard:
        return bool(leg.bridges) or last_joined < leg.ended - _ANSWER_JITTER_MS
    return not caller.not_bridged


def _by_answer(item: tuple[int, int, int, Target]) -> tuple[int, int, int]:
    return item[0], item[3].answered or 0, item[2]


def _by_talk(target: Target) -> tuple[int, int]:
    return target.talk or (0, 0)


def _talk_start(target: Target, caller: Leg, heard: Sequence[tuple[int, bool]]) -> int:
    """On the caller's own clock where the caller's leg tells of it."""
    answered = target.answered
    assert answered is not None
    if target.leg is None or target.via_transfer:
        return answered
    rooms = caller.conferences
    if target.leg.conferences is not None and (heard == () or (rooms and rooms[0][0] <= answered)):
        return max(answered, target.leg.conferences[0][0])
    own = caller.answered
    if own is not None and caller.answered_by != "pbx" and own >= answered - _ANSWER_JITTER_MS:
        return own if own - answered <= SAME_INSTANT_MS else answered
    for at, joined in heard:
        if joined:
            return at if at >= answered else answered
    return max(answered, own) if own is not None else answered


def _talk_end(
    target: Target,
    caller: Leg,
    heard: Sequence[tuple[int, bool]],
    transfers: Sequence[int],
    ended: int | None,
    now: int,
) -> int:
    """When the caller's leg says so, if it tells both ends of the talk; else the target's leg, as where a transfer
    ended the talk before the call."""
    own = ended if ended is not None else now
    if target.leg is None:
        return own if target.ended is None else min(own, target.ended)
    if heard and not heard[-1][1] and heard[-1][0] >= (target.answered or 0):
        left = heard[-1][0]
        return own if 0 <= own - left <= _HANGING_UP_MS and ended is not None else min(left, own)
    if target.ended is None or ended is None:
        return own if target.ended is None else target.ended
    if own <= target.ended:
        return own
    tells_start = (
        caller.answered is not None
        and not target.via_transfer
        and (caller.answered >= (target.answered or 0) - _ANSWER_JITTER_MS or bool(heard))
    )
    handed_over = bisect_right(transfers, target.answered or 0) < bisect_right(transfers, target.ended + 1_000)
    return own if tells_start and not handed_over and own - target.ended <= SAME_INSTANT_MS else target.ended


def hold_ms(legs: Iterable[Leg], ended: int) -> int:
    """Time on hold, ms: whoever pressed the key, each millisecond once, and none after the end."""
    spans: list[tuple[int, int]] = []
    for leg in legs:
        since: int | None = None
        for at, held in leg.holds or ():
            if held and since is None:
                since = at
            elif not held and since is not None:
                spans.append((since, min(at, ended)))
                since = None
        if since is not None:
            spans.append((since, ended if leg.ended is None else min(leg.ended, ended)))
    return union(span for span in spans if span[1] > span[0]) if spans else 0
