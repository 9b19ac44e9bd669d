"""Calls to numbers outside, as events."""

from __future__ import annotations

from tests.worker.phone_calls import JsonEvent, event, now_ms


def outside(call_id: str, number: str, talk_ms: int, *, at: int | None = None) -> list[JsonEvent]:
    """An outbound call of extension 101 over the trunk carrier-a, answered after 5 s."""
    start = now_ms() - talk_ms - 6000 if at is None else at
    leg = {"role": "target", "kind": "outside", "direction": "outbound", "trunk": "carrier-a"}
    return [
        event(call_id, "started", start, 0, leg_id="a", caller={"number": "101", "extension": "101"}, callee=number),
        event(call_id, "started", start + 50, 1, leg_id="b", caller="101", callee=number) | leg,
        event(call_id, "rang", start + 1000, 2, leg_id="b"),
        event(call_id, "answered", start + 5000, 3, leg_id="b"),
        event(call_id, "answered", start + 5000, 4, leg_id="a"),
        event(call_id, "ended", start + 5000 + talk_ms, 5, leg_id="b", hung_up_by="caller"),
        event(call_id, "ended", start + 5000 + talk_ms, 6, leg_id="a", hung_up_by="caller"),
    ]
