"""Phone calls as their PBX would report them, for tests of the worker: a ledger with known truth."""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import orjson

from pipeline.calls.fold import fold
from pipeline.sources import canonical
from schemas.call import Call
from schemas.event import Event

CallKey = tuple[str, str]  # (tenant, call_id)
JsonEvent = dict[str, Any]


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def event(call_id: str, kind: str, at: int, number: int, **more: Any) -> JsonEvent:
    """One canonical event with an id of its own."""
    return {"type": kind, "at": at, "call_id": call_id, "event_id": f"{call_id}-{number}", "tenant": "acme"} | more


def phone_call(call_id: str, at: int, chance: random.Random, *, tenant: str = "acme") -> list[JsonEvent]:
    """The events of one call that starts at `at` (ms), of a shape that chance decides."""
    events: list[JsonEvent] = []

    def say(kind: str, after: int, leg: str, **more: Any) -> None:
        events.append(event(call_id, kind, at + after, len(events), leg_id=leg, tenant=tenant, node="pbx1", **more))

    caller, callee = str(chance.randrange(200, 300)), str(chance.randrange(300, 400))
    say("started", 0, "a", caller=caller, callee=callee, role="caller")
    shape = chance.choice(("answered", "answered", "held", "busy", "cancelled", "group", "transfer", "queue"))
    ring, answer, end = chance.randrange(100, 900), chance.randrange(1000, 9000), chance.randrange(10_000, 90_000)
    if shape == "queue":
        say("queue_joined", 50, "a", queue="800")
    legs = ["b"] if shape != "group" else ["b", "c", "d"]
    for place, leg in enumerate(legs):
        # Members of a group ring one after the other, so that the order of the call logs
        # depends on knowing all of them.
        say("started", 60 + 7 * place, leg, caller=caller, callee=str(int(callee) + place), role="target")
        say("rang", ring + 11 * place, leg)
    if shape in ("busy", "cancelled"):
        status = 486 if shape == "busy" else 487
        for leg in ("b", "a"):
            say("ended", answer, leg, sip_status=status, hung_up_by="callee" if shape == "busy" else "caller")
        return events
    for leg in legs[1:]:
        say("ended", answer + 5, leg, cause="answered_elsewhere")
    say("answered", answer, "b")
    if shape == "queue":
        say("queue_left", answer, "a", queue="800", reason="answered")
    say("answered", answer + 3, "a")
    if shape == "held":
        say("held", answer + 1000, "b")
        say("resumed", answer + 3000, "b")
    if shape == "transfer":
        say("transferred", end - 2000, "b", reason="blind", to="444", by=callee)
        say("started", end - 1990, "e", caller=caller, callee="444", role="target")
        say("answered", end - 1500, "e")
        say("ended", end - 1400, "b")
        say("ended", end, "e", hung_up_by="party")
    else:
        say("ended", end, "b", hung_up_by="party")
    say("ended", end + 4, "a")
    if chance.random() < 0.3:
        say("quality", end + 100, "a", quality={"mos": round(chance.uniform(1, 4.5), 2)})
    return events


def phone_calls(
    count: int, seed: int = 1, *, start: int | None = None, every_ms: int = 20, prefix: str = "call"
) -> list[list[JsonEvent]]:
    """So many calls, begun one after the other; the newest just ended."""
    chance = random.Random(seed)
    first = now_ms() - count * every_ms - 120_000 if start is None else start
    return [
        phone_call(f"{prefix}-{seed}-{number}", first + number * every_ms, chance, tenant=chance.choice(("acme", "ex")))
        for number in range(count)
    ]


def encoded(events: Iterable[JsonEvent]) -> list[tuple[bytes, bytes]]:
    """(key, value) of each event."""
    return [(event["call_id"].encode(), orjson.dumps(event)) for event in events]


def in_time(calls: Iterable[Sequence[JsonEvent]]) -> list[JsonEvent]:
    """All events of these calls in the order in which they happened."""
    return sorted((event for call in calls for event in call), key=lambda event: event["at"])


def truth(values: Iterable[bytes], *, expired: frozenset[CallKey] = frozenset()) -> dict[CallKey, Call]:
    """The calls that these values tell: the fold of all events, whatever the order."""
    events: dict[CallKey, list[Event]] = defaultdict(list)
    for each in canonical.decode(list(values)).events:
        events[each.tenant, each.call_id].append(each)
    return {key: fold(of_call, expired=key in expired) for key, of_call in events.items()}
