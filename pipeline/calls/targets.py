"""Legs → targets: whom the call tried and reached, in order.

Most targets have a leg of their own. A queue, an IVR, a voicemail box, a conference and a number
that forwards at once are targets on the caller's leg.
"""

from __future__ import annotations

import msgspec

from pipeline.calls.legs import Leg, Story
from schemas.event import Event
from schemas.words import REROUTE_REASON

# How long after a number was left its successor may start and still be its successor.
FORK_SLACK_MS = 2_000

NOT_HUMAN = frozenset(("queue", "ivr", "voicemail", "park"))

_LEFT_OUTCOME = {
    "forward_busy": "busy",
    "forward_no_answer": "no_answer",
    "forward_not_reachable": "unreachable",
}
_LEFT_END_REASON = {
    "blind_transfer": "blind_transfer_completed",
    "attended_transfer": "consult_transfer_completed",
    "semi_attended_transfer": "consult_transfer_completed",
    "pickup": "replaced",
    "queue_overflow": "referred",
    "queue_exit": "referred",
    "park": "referred",
}


class Target(msgspec.Struct, gc=False):
    """One target of the call while it is being understood. Becomes a call log."""

    kind: str
    number: str
    started: int
    leg: Leg | None = None
    name: str = ""
    domain: str = ""
    rang: int | None = None
    answered: int | None = None
    ended: int | None = None
    talk: tuple[int, int] | None = None  # with the caller, ms
    talk_ms: int = 0
    outcome: str = ""
    end_reason: str = ""
    reroute_reason: str = ""
    trunk: str = ""
    via_transfer: bool = False


def caller_leg(story: Story) -> Leg:
    """The leg of the party that began the call."""
    legs = story.legs
    if len(legs) == 1:
        return next(iter(legs.values()))
    named = {leg.peer for leg in legs.values() if leg.peer}
    return min(legs.values(), key=lambda leg: _callerness(leg, named))


def _callerness(leg: Leg, named_as_peer: set[str]) -> tuple[bool, bool, bool, bool, int, str]:
    return (
        leg.role != "caller",
        leg.role == "target" or bool(leg.peer),
        not leg.caller.number and leg.id not in named_as_peer,
        leg.started is None,
        leg.first_at if leg.started is None else leg.started,
        leg.id,
    )


def split(story: Story, caller: Leg) -> tuple[list[Leg], list[Leg], list[Leg]]:
    """Legs other than the caller's, in order: targets of the call, legs from which a party of the
    call began a second call (a consultation), and the targets of those."""
    targets: list[Leg] = []
    seconds: list[Leg] = []
    rest: list[Leg] = []
    for leg in story.legs.values():
        if leg is caller:
            continue
        if leg.role == "caller" or (not leg.role and not leg.peer and leg.caller.number):
            seconds.append(leg)
        elif leg.peer and leg.peer != caller.id:
            rest.append(leg)
        else:
            targets.append(leg)
    consulted: list[Leg] = []
    if rest:
        second_ids = {leg.id for leg in seconds}
        for leg in rest:
            (consulted if leg.peer in second_ids else targets).append(leg)
    if len(targets) > 1:
        targets.sort(key=_start)
    return targets, seconds, consulted


def _start(leg: Leg) -> tuple[int, str]:
    return (leg.first_at if leg.started is None else leg.started, leg.id)


def of_leg(leg: Leg, caller: Leg) -> Target:
    """The target that a leg of its own stands for."""
    number = leg.callee.number or leg.callee.extension or caller.callee.number
    kind = leg.kind or ("outside" if leg.trunk or leg.direction == "outbound" else "extension")
    return Target(
        kind,
        number,
        leg.first_at if leg.started is None else leg.started,
        leg,
        leg.callee.name,
        leg.callee.domain,
        leg.rang,
        leg.answered,
        leg.ended,
        trunk=leg.trunk,
    )


def of_caller(caller: Leg, started: int, ended: int | None) -> Target:
    """The target of a call that has no other leg: the number asked for, with the caller's times."""
    callee = caller.callee
    outside = caller.direction in ("outbound", "inbound_outbound")
    return Target(
        caller.kind or ("outside" if outside else "extension"),
        callee.number or callee.extension,
        started,
        None,
        callee.name,
        callee.domain,
        caller.rang,
        caller.answered,
        ended,
        trunk=caller.trunk if outside else "",
    )


def mailbox(event: Event) -> str:
    """`voicemail:1003` for the box 1003@default."""
    box = event.to or (event.callee if isinstance(event.callee, str) else "")
    return "voicemail:" + box.removeprefix("vm:").removeprefix("voicemail:").partition("@")[0]


def on_caller_leg(story: Story, caller: Leg, targets: list[Target], started: int, ended: int | None) -> list[Target]:
    """Targets that have no leg of their own: forwarding numbers, voicemail boxes, conferences."""
    found: list[Target] = []
    numbers = {target.number for target in targets}
    since = started
    for event in story.reroutes:
        kind = event.reason if event.type == "rerouted" else ""
        at: int = event.at  # type: ignore[assignment]
        if kind.startswith("forward_") and event.from_ and event.from_ not in numbers:
            numbers.add(event.from_)
            found.append(Target("extension", event.from_, since, ended=at, outcome=_LEFT_OUTCOME.get(kind, "")))
        since = at
    for event in story.voicemail:
        at = event.at  # type: ignore[assignment]
        # The box answers with the caller's leg, unless something answered before it.
        answered = caller.answered if caller.answered is not None and caller.answered >= at else at
        found.append(Target("voicemail", mailbox(event), at, answered=answered, ended=ended, outcome="answered"))
    for at, room, joined in caller.conferences or ():
        if joined:
            left = next((t for t, r, j in caller.conferences or () if not j and t >= at and r == room), ended)
            number = room or caller.callee.number
            found.append(Target("conference", number, at, answered=at, ended=left, outcome="answered"))
    return found


def leave(targets: list[Target], source: str, at: int, kind: str) -> None:
    """Mark the target that a reroute at `at` left, and why."""
    left: Target | None = None
    for target in targets:
        if target.number == source and target.started <= at and target.kind != "consultation":
            left = target
    if left is None:
        return
    left.reroute_reason = REROUTE_REASON.get(kind, "")
    left.end_reason = _LEFT_END_REASON.get(kind, "redirected")
