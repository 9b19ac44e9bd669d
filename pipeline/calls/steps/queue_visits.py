"""Queue visits: waiting, the agents that rang, how the caller left."""

from __future__ import annotations

from bisect import bisect_left
from typing import Any

import msgspec

from pipeline.calls.steps.legs import HANGUP_RECORD, Leg, Story
from pipeline.calls.steps.targets import FORK_SLACK_MS, Target
from schemas.event import Event, Party

# Other words for how a caller leaves a queue.
_REASONS = {
    "served": "answered",
    "connected": "answered",
    "agent_answered": "answered",
    "hangup": "abandoned",
    "cancel": "abandoned",
    "timeout": "overflow",
    "full": "overflow",
    "queue_overflow": "overflow",
    "exit_key": "exit",
    "queue_exit": "exit",
}
# What became of an agent that still rang when the caller left the queue.
_UNREACHED = {"answered": "answered_elsewhere", "abandoned": "cancelled"}
_LEFT = "left"  # for a reason that only the rest of the call tells
_WEAK = frozenset((_LEFT, "left_queue"))
_AT_ONCE_MS = 2_000  # between two reports of one move
_MOST_VISITS = 100  # that are looked at
_HANGING_UP_MS = 2_000  # between the end of a wait and the end of the call that it ended
_MEMBERS = frozenset(("extension", "queue_agent", "ring_group_member"))


class Visit(msgspec.Struct, gc=False):
    """One stay of the caller in a queue, ms. `reason`: answered, abandoned, overflow, exit, callback."""

    queue: str
    number: str
    joined: int
    left: int | None = None
    reason: str = ""
    to: str = ""  # where the caller went on to
    agents: list[Target] = []
    answered_by: str = ""


def visits(
    story: Story, caller: Leg, started: int, handed: dict[str, int | None], transfers: list[tuple[int, str]]
) -> list[Visit]:
    """The stays in queues, in order; a stay ends where the producer says so or the next begins.

    `handed` maps the legs of consultations to the instant at which the caller took their place, if
    it did: what they waited before is no wait of the caller. `transfers`: when the caller was sent to
    another number, in order.
    """
    found: list[Visit] = []
    own: list[Visit] = []  # of whose beginning the caller's leg tells
    stays: dict[str, Visit] = {}
    shown: dict[str, int] = {}  # queue → when a record showed the caller there last
    seen = {e.queue for e in story.queue or () if e.type == "queue_joined" and e.reason != HANGUP_RECORD}
    for event in story.queue or ():
        at = event.at
        if event.reason == HANGUP_RECORD:
            if event.queue in seen:
                continue
            # The record does not know when: since the caller was answered, or sent there.
            at = started if caller.answered is None else caller.answered
            at = max([at, *(when for when, _ in transfers if when <= event.at)])
            at = max([at, *(when for queue, when in shown.items() if queue != event.queue)])
            shown[event.queue] = event.at
        last = found[-1] if found and found[-1].left is None else None
        since = started
        if event.leg_id in handed:
            taken = handed[event.leg_id]
            if taken is None:
                continue
            since = max(taken, started)
        if event.type == "queue_joined":
            if last is not None and last.queue == event.queue:
                continue  # told twice
            if last is not None:
                last.left, last.reason = at, _LEFT
            asked = story.legs[event.leg_id].callee if event.leg_id in handed else None
            number = _number(event, asked.number if asked is not None else _asked(found, caller, transfers, at))
            stays[event.queue] = Visit(event.queue, number, max(at, since), agents=[])
            found.append(stays[event.queue])
            if event.reason != HANGUP_RECORD and event.leg_id == caller.id:
                own.append(stays[event.queue])
        elif event.type == "queue_left":
            stay = stays.get(event.queue) if event.queue else last
            reason = _REASONS.get(event.reason.lower(), event.reason.lower()) or _LEFT
            if stay is not None and stay.reason in _WEAK and reason not in _WEAK and not stay.answered_by:
                stay.reason, stay.answered_by = reason, event.agent  # told more exactly
                continue
            if stay is None or stay.reason:
                continue
            if at < since and stay is last:
                found.pop()  # it had left before the caller took its place
                continue
            if stay.left is None:  # else the next queue was joined in the same moment
                stay.left = max(at, stay.joined)
            stay.reason = reason
            stay.answered_by = event.agent
            stay.to = "voicemail" if event.to.startswith(("vm:", "voicemail:")) else event.to
    for visit in own:
        if visit.left is None:
            _went_on(visit, caller)
    return found


def _went_on(visit: Visit, caller: Leg) -> None:
    """End a stay of whose end nothing tells where the dial plan went on to another application."""
    after = [at for at, _ in caller.applications or () if at > visit.joined]
    if after:
        visit.left, visit.reason = min(after), _LEFT


def _asked(found: list[Visit], caller: Leg, transfers: list[tuple[int, str]], at: int) -> str:
    """The number that led to a queue which was joined at `at`; "" where that is not known."""
    since = found[-1].joined if found else -1
    sent = [to for when, to in transfers if since < when <= at + _AT_ONCE_MS]
    if sent:
        return sent[-1]
    return "" if found or caller.kind not in ("", "queue") else caller.callee.number


def _number(event: Event, asked: str) -> str:
    """The queue's number: as told, else the number that was called if the queue is where it led."""
    callee = event.callee
    number = (callee.number if isinstance(callee, Party) else callee) or event.to
    if number:
        return number
    return event.queue if event.queue.lstrip("+*#").isdigit() else asked or event.queue.partition("@")[0]


def is_queue(target: Target, found: list[Visit]) -> bool:
    """Whether a leg is the queue's own: of its number, answered as the caller joins it."""
    if target.answered is None or target.kind not in ("extension", "queue"):
        return False
    near = (visit for visit in found[:_MOST_VISITS] if abs(visit.joined - target.answered) <= _AT_ONCE_MS)
    return any(target.number == visit.number for visit in near)


def offered(story: Story, found: list[Visit], targets: list[Target]) -> list[Target]:
    """Agents that were rung, as the queue tells it, where no leg of theirs does."""
    known: dict[str, list[Target]] = {}
    for target in targets:
        known.setdefault(target.number, []).append(target)
    calls: list[Target] = []
    ringing: dict[str, Target] = {}
    for event in story.queue or ():
        at = event.at
        agent = event.agent
        if event.type == "queue_left":
            reason = _REASONS.get(event.reason.lower(), event.reason.lower())
            for target in ringing.values():
                if target.number == agent and reason == "answered":
                    target.answered = at
                else:
                    target.ended, target.outcome = at, _UNREACHED.get(reason, "no_answer")
            ringing.clear()
        elif event.type == "queue_agent_rang" and agent and not _rings(known.get(agent, []), at):
            if agent in ringing:
                ringing[agent].ended, ringing[agent].outcome = at, "no_answer"
            ringing[agent] = Target("queue_agent", agent, at, rang=at)
            calls.append(ringing[agent])
    return calls


def _rings(targets: list[Target], at: int) -> bool:
    """Whether one of these legs, in the order of their beginning, is the one that the queue offered at `at`."""
    place = bisect_left(targets, at + FORK_SLACK_MS, key=_started)
    if not place:
        return False
    ended = targets[place - 1].ended
    return ended is None or ended >= at - FORK_SLACK_MS


def _started(target: Target) -> int:
    return target.started


def inferred(caller: Leg, targets: list[Target]) -> list[Visit]:
    """The stay in a queue of which no event tells, but its agents' legs do: since the PBX answered or somebody had
    talked with the caller, at the latest since the first agent was rung."""
    agents = [target for target in targets if target.kind == "queue_agent" and target.leg is not None]
    if not agents:
        return []
    first = min(agents, key=_started).started
    since = [target.ended for target in targets if target.answered is not None and target.ended is not None]
    if caller.answered is not None and caller.answered_by == "pbx":
        since.append(caller.answered)
    joined = max((at for at in since if at <= first), default=first)
    visit = Visit("", caller.callee.number, joined, agents=[])
    ends = [agent.ended for agent in agents if agent.ended is not None]
    if len(ends) == len(agents) and all(agent.answered is None for agent in agents):
        after = [t.started for t in targets if t.leg is not None and t.kind != "queue_agent" and t.started >= max(ends)]
        if after:  # nobody served it, and the dial plan went on
            visit.left, visit.reason = min(after), "overflow"
    return [visit]


def serve(found: list[Visit], targets: list[Target], ended: int | None, hung_up_by: str = "") -> list[Target]:
    """Bind agents to visits, end the visits, and return one queue target for each. `hung_up_by`: who ended the
    caller's leg, as far as it says so."""
    logs: list[Target] = []
    members = sorted((t for t in targets if t.kind in _MEMBERS), key=_started)
    if found and found[-1].left is None and not found[-1].reason:
        _rang_others(found[-1], members)
    if found:
        found[0].agents += _ringing(members, found[0].joined)
    for position, visit in enumerate(found):
        place = bisect_left(members, visit.joined, key=_started)
        following = found[position + 1].joined if position + 1 < len(found) else None
        talk: Target | None = None
        while place < len(members):
            target = members[place]
            place += 1
            if target.via_transfer and target.started != visit.joined:
                continue  # who was handed a caller that waits already rang for the consultation in the queue
            if visit.left is not None and (target.started > visit.left or _is_next(target, visit)):
                break
            if following is not None and target.started >= following:
                break
            if talk is not None and talk.talk is not None and target.started > talk.talk[0]:
                break  # the caller was served, and went on from there
            target.kind = "queue_agent"
            visit.agents.append(target)
            if target.talk is not None and (talk is None or talk.talk is None or target.talk < talk.talk):
                talk = target
        if talk is not None and talk.talk is not None and visit.reason in ("", "answered", *_WEAK):
            visit.left, visit.reason, visit.answered_by = max(talk.talk[0], visit.joined), "answered", talk.number
        elif visit.left is None and ended is not None:
            left_by = "overflow" if hung_up_by == "system" else "abandoned"
            visit.left, visit.reason = max(ended, visit.joined), visit.reason or left_by
        elif visit.reason in _WEAK and visit.left is not None:
            gone = ended is not None and visit.left >= ended - _HANGING_UP_MS and hung_up_by != "system"
            gone = gone and (visit.reason == _LEFT or hung_up_by in ("party", "caller"))
            visit.reason = "abandoned" if gone else "overflow"
        logs.append(_log(visit))
    return logs


def _is_next(target: Target, visit: Visit) -> bool:
    """Whether a phone that was rung at the instant at which the stay ended, perhaps a second long, is no agent's."""
    return target.started == visit.left != visit.joined and target.leg is not None and not target.leg.kind


def _rang_others(visit: Visit, members: list[Target]) -> None:
    """End a stay of whose end nothing tells where a phone was rung that was none of its agents, of whom the PBX tells
    that they were, and of whom none had answered."""
    here = [target for target in members if target.leg is not None and target.started >= visit.joined]
    agents = [target for target in here if target.leg is not None and target.leg.kind == "queue_agent"]
    others = [target.started for target in here if target.leg is not None and not target.leg.kind]
    if not agents or not others or any(target.talk is not None for target in agents):
        return
    ends = [target.ended for target in agents if target.ended is not None and target.ended <= min(others)]
    if len(ends) == len(agents):
        visit.left, visit.reason = max(ends), _LEFT


def _ringing(members: list[Target], joined: int) -> list[Target]:
    """Agents that the queue rang already when the caller was put there, for somebody who had consulted it."""
    place = bisect_left(members, joined, key=_started)
    before = members[max(0, place - _MOST_VISITS) : place]
    return [
        t for t in before if t.kind == "queue_agent" and t.talk is None and t.ended is not None and t.ended > joined
    ]


def _log(visit: Visit) -> Target:
    log = Target("queue", visit.number, visit.joined, name=visit.queue, answered=visit.joined, ended=visit.left)
    if visit.reason == "answered":
        log.outcome, log.end_reason = "answered", "referred"
    elif visit.reason == "abandoned":
        log.outcome = "cancelled"
    elif visit.left is not None:
        log.outcome, log.end_reason = "no_answer", "referred"
    return log


def describe(visit: Visit, now: int) -> dict[str, Any]:
    """A visit as an item of `queue_visits`; times in ms, keys in …_at."""
    agents: dict[str, dict[str, Any]] = {}
    for target in visit.agents:
        row = agents.get(target.number)
        if row is None:
            row = {"agent": target.number, "attempts": 0, "answered": 0, "missed": 0, "elsewhere": 0}
            agents[target.number] = row
        row["attempts"] += 1
        if target.talk is not None:
            row["answered"] += 1
        elif target.outcome == "answered_elsewhere":
            row["elsewhere"] += 1
        elif target.outcome in ("no_answer", "busy", "rejected"):
            row["missed"] += 1
    return {
        "queue": visit.queue,
        "number": visit.number,
        "joined_at": visit.joined,
        "left_at": visit.left,
        "wait_ms": waited(visit, now),
        "reason": visit.reason or None,
        "answered_by": visit.answered_by or None,
        "agents": list(agents.values()),
    }


def waited(visit: Visit, now: int) -> int:
    """Time in the queue, ms; until `now` while it lasts."""
    return max(0, (now if visit.left is None else min(visit.left, now)) - visit.joined)
