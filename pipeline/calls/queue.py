"""Queue visits: waiting, the agents that rang, how the caller left."""

from __future__ import annotations

from typing import Any

import msgspec

from pipeline.calls.legs import Leg, Story
from pipeline.calls.targets import Target
from schemas.event import Event, Party


class Visit(msgspec.Struct, gc=False):
    """One stay of the caller in a queue, ms. `reason`: answered, abandoned, overflow, exit, callback."""

    queue: str
    number: str
    joined: int
    left: int | None = None
    reason: str = ""
    agents: list[Target] = []
    answered_by: str = ""


def visits(story: Story, caller: Leg) -> list[Visit]:
    """The stays in queues, in order; a stay ends where the producer says so or the next begins."""
    found: list[Visit] = []
    for event in story.queue:
        at: int = event.at  # type: ignore[assignment]
        if event.type == "queue_joined":
            if found and found[-1].left is None and found[-1].queue == event.queue:
                continue  # told twice
            if found and found[-1].left is None:
                found[-1].left = at
            found.append(Visit(event.queue, _number(event, caller), at, agents=[]))
        elif event.type == "queue_left" and found and found[-1].left is None:
            found[-1].left = at
            found[-1].reason = event.reason
            found[-1].answered_by = event.agent
    return found


def _number(event: Event, caller: Leg) -> str:
    callee = event.callee
    number = callee.number if isinstance(callee, Party) else callee
    return number or event.to or caller.callee.number or event.queue


def serve(found: list[Visit], targets: list[Target], ended: int | None) -> list[Target]:
    """Bind agents to visits, end the visits, and return one queue target for each."""
    logs: list[Target] = []
    for position, visit in enumerate(found):
        until = visit.left
        following = found[position + 1].joined if position + 1 < len(found) else None
        for target in targets:
            if target.leg is None or target.started < visit.joined or target.kind not in ("extension", "queue_agent"):
                continue
            if (until is None or target.started <= until) and (following is None or target.started < following):
                target.kind = "queue_agent"
                visit.agents.append(target)
        talk = [agent for agent in visit.agents if agent.talk is not None]
        if talk and visit.reason in ("", "answered"):
            first = min(talk, key=lambda agent: agent.talk or (0, 0))
            assert first.talk is not None
            visit.left, visit.reason, visit.answered_by = first.talk[0], "answered", first.number
        elif visit.left is None and ended is not None:
            visit.left, visit.reason = ended, visit.reason or "abandoned"
        log = Target(
            "queue",
            visit.number,
            visit.joined,
            name=visit.queue,
            answered=visit.joined,
            ended=visit.left,
            outcome="answered" if visit.reason == "answered" else "",
        )
        if visit.reason == "answered":
            log.end_reason = "referred"
        elif visit.reason == "abandoned":
            log.outcome = "cancelled"
        elif visit.left is not None:
            log.outcome = "no_answer"
        logs.append(log)
    return logs


def describe(visit: Visit, now: int) -> dict[str, Any]:
    """A visit as an item of `queue_visits`; times in ms, keys in …_at."""
    agents: dict[str, dict[str, Any]] = {}
    for target in visit.agents:
        row = agents.setdefault(
            target.number, {"agent": target.number, "attempts": 0, "answered": 0, "missed": 0, "elsewhere": 0}
        )
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
        "wait_ms": max(0, (now if visit.left is None else visit.left) - visit.joined),
        "reason": visit.reason or None,
        "answered_by": visit.answered_by or None,
        "agents": list(agents.values()),
    }
