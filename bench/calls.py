"""The calls that the benchmarks produce, as a switch would: events in the order of time, many calls at once.

Half of the calls have one leg and 4 events; of the others, with two legs, half are answered (6
events) and half are not (5). About 300 bytes an event. What must come out is known beforehand.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

from schemas.call import rfc3339

TENANTS = tuple(f"tenant-{number}" for number in range(8))

Record = tuple[int, bytes, bytes]  # at (ms), key (call_id), value
Moment = tuple[int, int, bytes, bytes]  # at (ms), order, key, value

_EVENT = (
    '{"type":"%s","at":"%s","call_id":"%s","event_id":"%s-%02d","leg_id":"%s-%s","tenant":"%s",'
    '"node":"pbx-%d.example.net","seq":%d%s}'
)
_CALLER = (
    ',"caller":{"number":"+4416329%05d","name":"Caller %d"},"callee":"%d","direction":"inbound","trunk":"carrier-%d"'
)
_PEER = ',"peer_leg_id":"%s-a","callee":"%d","kind":"extension","data":{"codec":"PCMA","device":"desk-phone-%d"}'
_STATE = ',"data":{"codec":"PCMA","media":"198.51.100.%d:%d","device":"desk-phone-%d"}'
_ENDED = ',"q850_cause":%d,"cause":"%s","hung_up_by":"%s","data":{"codec":"PCMA","packets":%d,"device":"desk-phone-%d"}'


@dataclass
class Truth:
    """What was produced, and so what must be stored."""

    events: int = 0
    calls: int = 0
    talk_ms: int = 0
    bytes: int = 0


@dataclass(frozen=True)
class Plan:
    """`calls_a_second` begin; each rings 2 to 8 s and is talked on for `talk_s` on the average (at least 2 s).

    `hang_up` false leaves every call open after its answer. `tenant` empty: eight of them.
    """

    calls_a_second: float = 420.0
    talk_s: float = 60.0
    ring_s: tuple[float, float] = (2.0, 8.0)
    hang_up: bool = True
    tenant: str = ""
    seed: int = 1


def call(plan: Plan, chance: Random, number: int, started: int) -> tuple[list[Moment], int]:
    """The events of one call that starts at `started` (ms), and how long its parties talk, ms."""
    call_id = f"{number:08x}-{plan.seed:04x}-4c1e-9d2a-{chance.getrandbits(48):012x}"
    tenant = plan.tenant or TENANTS[number % len(TENANTS)]
    key, short = call_id.encode(), f"{number:08x}{plan.seed:04x}"
    ring, span = chance.uniform(*plan.ring_s), plan.talk_s - 2.0
    rang = started + 350
    answered = rang + int(ring * 1000)
    ended = answered + 2000 + int(chance.expovariate(1 / span) * 1000 if span > 0 else 0)
    extension, node, phone = 1000 + number % 500, number % 4, number % 700
    state = _STATE % (number % 250, 10_000 + number % 50_000, phone)
    caller = _CALLER % (number % 100_000, number % 100_000, extension, number % 6)
    normal = _ENDED % (16, "NORMAL_CLEARING", "party", number % 9000, phone)
    two_legs, reached = number % 2 == 1, number % 4 != 3
    steps: list[tuple[str, int, str, str]]
    if not two_legs:
        steps = [("started", started, "a", caller), ("rang", rang, "a", state), ("answered", answered, "a", state)]
        steps.append(("ended", ended, "a", normal))
    else:
        peer = _PEER % (short, extension, phone)
        steps = [("started", started, "a", caller), ("started", started + 50, "b", peer), ("rang", rang, "b", state)]
        if reached:
            steps += [("answered", answered, "b", state), ("answered", answered + 20, "a", state)]
            steps.append(("ended", ended, "a", normal))
        else:
            ended = answered
            refused = _ENDED % (19, "NO_ANSWER", "system", 0, phone)
            steps += [("ended", ended, "b", refused), ("ended", ended + 20, "a", refused)]
    if not plan.hang_up:
        steps = [step for step in steps if step[0] != "ended"]
    moments = []
    for place, (kind, at, leg, rest) in enumerate(steps):
        text = _EVENT % (kind, rfc3339(at), call_id, short, place, short, leg, tenant, node, place, rest)
        moments.append((at, number * 8 + place, key, text.encode()))
    if not (reached and plan.hang_up):
        return moments, 0
    # They talk once both legs are answered.
    return moments, ended - answered - (20 if two_legs else 0)


def traffic(plan: Plan, begin_ms: int, events: int, truth: Truth, *, first: int = 0) -> Iterator[Record]:
    """Whole calls from `begin_ms` on, until there are `events` of them or a few more, in the order of time."""
    chance = Random(f"{plan.seed}-{first}")
    waiting: list[Moment] = []
    number = first
    gap_ms = 1000 / plan.calls_a_second
    while truth.events < events:
        started = begin_ms + int((number - first) * gap_ms)
        while waiting and waiting[0][0] < started:
            at, _, key, value = heapq.heappop(waiting)
            yield at, key, value
        moments, talk_ms = call(plan, chance, number, started)
        for moment in moments:
            heapq.heappush(waiting, moment)
            truth.bytes += len(moment[3])
        truth.events += len(moments)
        truth.calls += 1
        truth.talk_ms += talk_ms
        number += 1
    while waiting:
        at, _, key, value = heapq.heappop(waiting)
        yield at, key, value


def length_ms(plan: Plan, events: int) -> int:
    """How long traffic of so many events lasts, until nearly all of its calls are over."""
    return int((events / 4.75 / plan.calls_a_second + plan.talk_s * 15) * 1000)
