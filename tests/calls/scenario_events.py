"""Events of scenario files, in their order and in others."""

from __future__ import annotations

import json
import random
import shlex
from typing import Any

from pipeline.calls.fold import distinct, fold
from pipeline.sources.canonical import decode
from schemas.call import Call
from schemas.event import Event

T0 = 1_773_144_000_000  # ms


def events_of(text: str) -> list[Event]:
    """The events in the lines of a scenario: time, leg ("-" for none), type, fields."""
    values = []
    for number, line in enumerate(dict.fromkeys(text.strip().splitlines())):
        when, leg, type_, *fields = shlex.split(line)
        told: dict[str, Any] = dict(field.split("=", 1) for field in fields)
        for field in ("sip_status", "q850_cause", "seq"):
            if field in told:
                told[field] = int(told[field])
        if "linked_ids" in told:
            told["linked_ids"] = told["linked_ids"].split(",")
        at = when if "T" in when else T0 + round(float(when) * 1000)
        event = {"type": type_, "at": at, "call_id": "c-1", "event_id": f"e-{number}", "leg_id": leg.strip("-")} | told
        values.append(json.dumps(event).encode())
    decoded = decode(values)
    assert not decoded.rejected
    return decoded.events


def in_any_order(events: list[Event], call: Call, expired: bool, chance: random.Random) -> None:
    for _ in range(20):
        again = events + [event for event in events if chance.random() < 0.5]
        chance.shuffle(again)
        assert fold(again, expired=expired) == call
        batched: list[Event] = []
        while again:
            size = chance.randint(1, len(again))
            batched, again = distinct([*batched, *again[:size]]), again[size:]
        assert fold(batched, expired=expired) == call
