"""The scenario files of every source."""

from __future__ import annotations

import json

from pipeline.sources import registry
from schemas.event import Event
from tests.sources import scenario

Message = tuple[bytes, bytes, str]


def scenarios(dialect: str) -> tuple[list[Message], list[Event]]:
    """The raw values of all scenarios that end, each a tenant of its own; and the events that they are."""
    messages: list[Message] = []
    events: list[Event] = []
    for name in scenario.names(dialect):
        told = scenario.load(dialect, name)
        if told.get("expired"):
            continue
        zone = told.get("zone", "UTC")
        values = told["values"]
        if zone != "UTC":
            values = [json.dumps({**json.loads(value), "zone": zone}).encode() for value in values]
        decode = registry.raw_decoder(dialect)
        events += decode(values, tenant=name, now_ms=None).events
        messages += [(f"{name}-{place % 3}".encode(), value, name) for place, value in enumerate(values)]
    return messages, events
