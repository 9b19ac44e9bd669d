"""The state that the other engines keep per call: what a call record needs at the least, and far less than ours.

Standard library only, so that it can be imported where the product is not installed.
"""

from __future__ import annotations

from typing import Any


def add(state: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
    """Take an event into the state of its call and give the state."""
    kind, at, leg = event["type"], event["at"], event["leg_id"]
    state["events"] = state.get("events", 0) + 1
    legs = state.setdefault("legs", {})
    times = legs.setdefault(leg, {})
    times.setdefault(kind, at)
    if kind == "started":
        state.setdefault("started", at)
        if "caller" in event:
            state["caller"] = event["caller"]["number"]
        if "callee" in event:
            state["callee"] = event["callee"]
    elif kind == "answered":
        state.setdefault("answered", at)
    elif kind == "ended":
        state["cause"] = event["q850_cause"]
        if all("ended" in of_leg for of_leg in legs.values()):
            state["ended"] = at
    return state
