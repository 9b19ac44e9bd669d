"""A call as a story: what happened when, in order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic import BaseModel, Field

from schemas.call_model import Time

# Of one instant the cause stands before what it causes.
_ORDER: Final = (
    *("started", "tried", "queue_joined", "progress", "rang", "answered", "talk_started"),
    *("recorded", "rerouted", "queue_left", "left", "ended"),
)
_RANKS: Final = {name: rank for rank, name in enumerate(_ORDER)}


class Step(BaseModel):
    """One thing that happened."""

    at: Time = Field(description="When.")
    what: str = Field(description=f"One of {', '.join(_RANKS)}.", examples=["rang"])
    who: str | None = Field(description="The target, or who moved the call.", examples=["201"])
    detail: dict[str, Any] = Field(description="More of it.", examples=[{"kind": "extension", "outcome": "answered"}])


class Timeline(BaseModel):
    """What happened in a call, in order."""

    id: str = Field(description="Id of the call.", examples=["1407374883553280"])
    data: list[Step]


def timeline(document: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The steps of a call document, oldest first."""
    steps = [step for step in _steps(document) if step["at"] is not None]
    return sorted(steps, key=lambda step: (step["at"], _RANKS[step["what"]]))


def _step(at: str | None, what: str, who: str | None, **detail: Any) -> dict[str, Any]:
    kept = {key: value for key, value in detail.items() if value not in (None, "", [])}
    return {"at": at, "what": what, "who": who or None, "detail": kept}


def _steps(call: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    caller = call["caller"]["number"]
    yield _step(call["started_at"], "started", caller, to=call["requested"], direction=call["direction"])
    yield _step(call["progress_at"], "progress", call["requested"])
    yield _step(call["talk_started_at"], "talk_started", call["answered_by"])
    for log in call["logs"]:
        about = {"kind": log["kind"], "name": log["name"], "trunk": log["trunk"]}
        yield _step(log["started_at"], "tried", log["number"], **about)
        yield _step(log["rang_at"], "rang", log["number"], kind=log["kind"])
        yield _step(log["answered_at"], "answered", log["number"], kind=log["kind"])
        yield _step(
            log["ended_at"],
            "left",
            log["number"],
            kind=log["kind"],
            outcome=log["outcome"],
            end_reason=log["end_reason"],
            reroute_reason=log["reroute_reason"],
            talk_ms=log["talk_ms"],
        )
    for reroute in call["reroutes"]:
        detail = {key: reroute.get(key) for key in ("kind", "reason", "from", "to", "result")}
        yield _step(reroute.get("at"), "rerouted", reroute.get("by"), **detail)
    for visit in call["queue_visits"]:
        queue = {"queue": visit.get("queue")}
        yield _step(visit.get("joined_at"), "queue_joined", visit.get("number"), **queue)
        left = {"reason": visit.get("reason"), "wait_ms": visit.get("wait_ms"), "answered_by": visit.get("answered_by")}
        yield _step(visit.get("left_at"), "queue_left", visit.get("number"), **queue, **left)
    for recording in call["recordings"]:
        at = next((recording[key] for key in ("started_at", "at", "ended_at") if recording.get(key)), None)
        yield _step(at, "recorded", None, **{key: value for key, value in recording.items() if not key.endswith("at")})
    cause = {key: call[key] for key in ("status", "end_reason", "sip_status", "q850_cause")}
    yield _step(call["ended_at"], "ended", call["hung_up_by"], **cause, duration_ms=call["duration_ms"])
