"""What holds of every call, whatever told it and however much of it was lost."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping
from typing import Any, Final

_HUMANS: Final = frozenset(("extension", "outside", "queue_agent", "ring_group_member", "conference"))
_NEAR_S: Final = 5.0  # two reports of one instant lie no further apart


def broken(call: Mapping[str, Any]) -> list[str]:
    """The laws that a call document breaks, in words."""
    return [*_moments(call), *_talk(call), *_outcomes(call), *_ends(call)]


def numbers_of(call: Mapping[str, Any]) -> set[str]:
    """All numbers that a call document shows."""
    found = {call["caller"]["number"], call["callee"]["number"]}
    found |= {call[field] for field in ("requested", "destination", "answered_by", "did", "outbound_caller_id")}
    found |= {log["number"] for log in call["logs"]} | set(call["missed_by"])
    found |= {item[end] for item in call["reroutes"] for end in ("from", "to", "by")}
    return {str(number).rpartition(":")[2] for number in found if number}


def _seconds(told: str | None) -> float | None:
    return None if told is None else dt.datetime.fromisoformat(told).timestamp()


def _moments(call: Mapping[str, Any]) -> Iterator[str]:
    for item in (call, *call["logs"]):
        told = [_seconds(item[name]) for name in ("started_at", "rang_at", "answered_at", "ended_at")]
        known = [moment for moment in told if moment is not None]
        if known != sorted(known):
            yield f"started, rang, answered, ended are not in order: {item.get('number', 'the call')} {told}"
    if call["ring_ms"] is not None and call["duration_ms"] is not None and call["ring_ms"] > call["duration_ms"]:
        yield f"it rang for longer than it lasted: {call['ring_ms']} of {call['duration_ms']} ms"


def _talk(call: Mapping[str, Any]) -> Iterator[str]:
    ended, answered = _seconds(call["ended_at"]), _seconds(call["answered_at"])
    for log in call["logs"]:
        begun = _seconds(log["answered_at"])
        if log["talk_ms"] and log["kind"] != "consultation" and (log["kind"] not in _HUMANS or begun is None):
            yield f"talk with nobody: {log['kind']} {log['number']}"
        if log["talk_ms"] and log["kind"] in _HUMANS and answered is None:
            yield f"talk in a call that was not answered: {log['number']}"
        if begun is None or ended is None or not log["talk_ms"] or log["kind"] == "consultation":
            continue
        if begun + log["talk_ms"] / 1000 > ended + 0.001:
            yield f"the call ended before its talk with {log['number']}"
    talked = sum(log["talk_ms"] for log in call["logs"] if log["kind"] != "consultation")
    if call["talk_ms"] > talked + 1:
        yield f"the call talked {call['talk_ms']} ms, its logs {talked}"
    if answered is None and (call["talk_ms"] or call["billable_ms"]):
        yield "talk or billable time without an answer"


def _outcomes(call: Mapping[str, Any]) -> Iterator[str]:
    elsewhere = [log["number"] for log in call["logs"] if log["outcome"] == "answered_elsewhere"]
    if elsewhere and call["answered_at"] is None:
        yield f"{elsewhere} lost the call, and nobody answered it"
    reached = {log["number"] for log in call["logs"] if log["talk_ms"] and log["kind"] in _HUMANS}
    if call["status"] == "answered" and call["answered_by"] and call["answered_by"] not in reached and call["talk_ms"]:
        yield f"answered by {call['answered_by']}, who talked with nobody"
    both = set(call["missed_by"]) & reached
    if both:
        yield f"{both} missed the call and talked"


def _ends(call: Mapping[str, Any]) -> Iterator[str]:
    ended = _seconds(call["ended_at"])
    if ended is None or not call["answered_at"]:
        return
    humans = [log for log in call["logs"] if log["talk_ms"] and log["kind"] in _HUMANS and log["leg_id"]]
    ends = [_seconds(log["ended_at"]) for log in humans]
    if call["hung_up_by"] == "callee" and ends and all(end is not None and end < ended - _NEAR_S for end in ends):
        yield "the callee hung up, and had left long before"
