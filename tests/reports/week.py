"""A generated week of calls, made of the contract's own structs, and the directory that knows its numbers.

What the reports must say of it is counted from these structs in plain Python (`truth.py`).
"""

from __future__ import annotations

import random
from typing import Any, Final

import msgspec

from pipeline.directory.model import Entry, Extension, ExtensionGroup, Queue, RingGroup, Tenant
from schemas.call import Call
from tests.query.stored_calls import stored_call

TENANT: Final = "acme"
ZONE: Final = "Asia/Singapore"  # +08:00, all year
MONDAY: Final = 1_723_996_800_000  # 2024-08-19T00:00:00+08:00
DAY_MS: Final = 86_400_000
WEEK: Final = (MONDAY, MONDAY + 7 * DAY_MS)
WEDNESDAY_AFTER: Final = MONDAY + 9 * DAY_MS + 10 * 3_600_000

EXTENSIONS: Final = {str(101 + place): name for place, name in enumerate(("Ada", "Ben", "Carla", "Dev", "Eva", "Finn"))}
QUEUES: Final = {"800": ("support", 20), "801": ("sales", 45), "802": ("idle", 30)}
GROUPS: Final = {"600": ("desk", ("101", "102", "103")), "601": ("night", ("104",))}
TEAMS: Final = {"Front": ("101", "102", "103"), "Back": ("103", "104")}
CLASSES: Final = (
    ("local", "44161", "0.41667"),
    ("international", "33", "1.5"),
    ("mobile", "447", "0.12"),
    ("", "", ""),
)


def directory() -> dict[tuple[str, str], Entry | None]:
    """The entries of the tenant's directory."""
    entries: dict[tuple[str, str], Entry | None] = {("tenant", TENANT): Tenant(TENANT, name="Acme", zone=ZONE)}
    for number, name in EXTENSIONS.items():
        entries["extension", number] = Extension(number, name=name)
    for number, (name, sla) in QUEUES.items():
        entries["queue", number] = Queue(
            number, name=name, sla_s=sla, members=("101", "102") if number == "800" else ()
        )
    for number, (name, members) in GROUPS.items():
        entries["ring_group", number] = RingGroup(number, name=name, members=members)
    for name, members in TEAMS.items():
        entries["group", name] = ExtensionGroup(name, members=members)
    return entries


def calls(seed: int = 7, number: int = 900) -> list[Call]:
    """Calls around the week, some of which end before or after it."""
    rng = random.Random(seed)
    made = []
    for place in range(number):
        at = MONDAY - DAY_MS // 2 + rng.randrange(8 * DAY_MS)
        if place < 40:  # at the edges, where a second decides
            at = rng.choice(WEEK) - rng.randrange(60_000)
        kind = rng.choice((_plain, _plain, _outbound, _queue, _queue, _ring_group))
        call = kind(rng, f"call-{place}", at)
        logs = [msgspec.structs.replace(log, direction=call.direction) for log in call.logs]
        made.append(msgspec.structs.replace(call, logs=logs))
    return made


_UNANSWERED: Final[dict[str, Any]] = {
    "answered_at": None,
    "talk_started_at": None,
    "answered_by": "",
    "talk_ms": 0,
    "billable_ms": 0,
    "setup_ms": None,
}


def _outside(rng: random.Random) -> str:
    return f"+4416{rng.randrange(10**8):08d}"


def _plain(rng: random.Random, id_: str, at: int) -> Call:
    """A phone calls a phone."""
    one, other = rng.sample(sorted(EXTENSIONS), 2)
    ring, talk = rng.randrange(500, 30_000), rng.randrange(200, 600_000)
    log: dict[str, Any] = {"number": other, "name": EXTENSIONS[other], "started_at": at + 80}
    changes: dict[str, Any] = {
        "caller_number": one,
        "caller_extension": one,
        "callee_number": other,
        "requested": other,
    }
    changes |= {"callee_extension": other, "destination": other, "caller_name": EXTENSIONS[one]}
    inbound = rng.random() < 0.5
    if inbound:
        changes |= {"direction": "inbound", "caller_number": _outside(rng), "caller_extension": "", "caller_name": ""}
        changes |= {"trunk": rng.choice(("carrier-a", "carrier-b")), "did": "+441632960001"}
    if rng.random() < 0.6:
        end = at + ring + talk
        log |= {"answered_at": at + ring, "ended_at": end, "talk_ms": talk}
        return stored_call(
            TENANT, id_, at, logs=[log], answered_by=other, answered_at=at + ring, talk_started_at=at + ring,
            rang_at=at + 300, ended_at=end, talk_ms=talk, billable_ms=talk, ring_ms=ring - 300, setup_ms=ring,
            duration_ms=ring + talk, **changes,
        )  # fmt: skip
    status, sip, end_reason = rng.choice((("busy", 486, ""), ("no_answer", 480, ""), ("cancelled", 487, "cancelled")))
    log |= {
        "answered_at": None,
        "ended_at": at + ring,
        "talk_ms": 0,
        "outcome": status,
        "end_reason": "",
        "sip_status": sip,
    }
    return stored_call(
        TENANT, id_, at, logs=[log], status=status, sip_status=sip, end_reason=end_reason, rang_at=at + 300,
        ended_at=at + ring, ring_ms=ring - 300, duration_ms=ring, **(changes | _UNANSWERED),
    )  # fmt: skip


def _outbound(rng: random.Random, id_: str, at: int) -> Call:
    """A phone calls out; some calls have a price."""
    who = rng.choice(sorted(EXTENSIONS))
    number = _outside(rng)
    ring, talk = rng.randrange(2000, 20_000), rng.randrange(200, 900_000)
    changes: dict[str, Any] = {
        "direction": "outbound", "caller_number": who, "caller_extension": who, "caller_name": EXTENSIONS[who],
        "callee_number": number, "callee_extension": "", "callee_name": "", "requested": number, "trunk": "carrier-a",
        "outbound_caller_id": "+441632960000", "rang_at": at + 900,
    }  # fmt: skip
    log = {"number": number, "name": "", "kind": "outside", "started_at": at + 150, "trunk": "carrier-a"}
    if rng.random() < 0.2:
        log |= {"answered_at": None, "ended_at": at + ring, "talk_ms": 0, "outcome": "no_answer", "end_reason": ""}
        changes |= _UNANSWERED | {"status": "no_answer", "sip_status": 480, "destination": "", "ended_at": at + ring}
        return stored_call(TENANT, id_, at, logs=[log], duration_ms=ring, end_reason="", **changes)
    class_, prefix, cost = rng.choice(CLASSES)
    end = at + ring + talk
    log |= {"answered_at": at + ring, "ended_at": end, "talk_ms": talk}
    return stored_call(
        TENANT, id_, at, logs=[log], destination=number, answered_by=number, answered_at=at + ring, ended_at=end,
        talk_started_at=at + ring, talk_ms=talk, billable_ms=talk, duration_ms=ring + talk, cost=cost,
        currency="GBP" if cost else "", rate=f"{class_}|{prefix}", billed_account="acme" if cost else "", **changes,
    )  # fmt: skip


def _queue(rng: random.Random, id_: str, at: int) -> Call:
    """A call from outside to one queue or two, whose agents are polled until one answers or the caller has gone."""
    caller = _outside(rng)
    if rng.random() < 0.3:
        caller = f"+44161555{rng.randrange(20):04d}"  # calls again, and is called back
    visits: list[dict[str, Any]] = []
    logs: list[dict[str, Any]] = []
    time = at + rng.randrange(100, 3000)
    reason = ""
    for number in rng.sample(sorted(QUEUES)[:2], rng.choice((1, 1, 2))):
        joined = time
        wait = rng.randrange(200, 90_000)
        left = joined + wait
        reason = rng.choice(("answered", "answered", "abandoned", "overflow", "exit", "callback"))
        queue_log: dict[str, Any] = {"kind": "queue", "number": number, "name": QUEUES[number][0], "started_at": joined}
        queue_log |= {"answered_at": joined, "ended_at": left, "talk_ms": 0, "rang_at": None, "ring_ms": None}
        logs.append(queue_log | {"outcome": "answered" if reason == "answered" else "no_answer"})
        agents: dict[str, dict[str, Any]] = {}
        tried = joined
        for agent in rng.choices(sorted(EXTENSIONS)[:4], k=rng.randrange(4)):
            until = min(left, tried + rng.randrange(500, 20_000))
            row = agents.setdefault(agent, {"agent": agent, "attempts": 0, "answered": 0, "missed": 0, "elsewhere": 0})
            row["attempts"] += 1
            row["missed"] += 1
            logs.append(_try(agent, tried, until))
            tried = until
        answered_by = ""
        end = left
        if reason == "answered":
            answered_by = rng.choice(sorted(EXTENSIONS)[:4])
            row = agents.setdefault(
                answered_by, {"agent": answered_by, "attempts": 0, "answered": 0, "missed": 0, "elsewhere": 0}
            )
            row["attempts"] += 1
            row["answered"] += 1
            end = left + rng.randrange(1000, 500_000)
            logs.append(_try(answered_by, tried, left, end))
        visits.append(
            {
                "queue": QUEUES[number][0], "number": number, "joined_at": joined, "left_at": left, "wait_ms": wait,
                "reason": reason, "answered_by": answered_by or None, "agents": list(agents.values()),
            }
        )  # fmt: skip
        time = end + 10
        if reason in ("answered", "abandoned", "callback"):
            break
    first = visits[0]["number"]
    served = reason == "answered"
    changes: dict[str, Any] = {
        "direction": "inbound", "caller_number": caller, "caller_extension": "", "caller_name": "",
        "trunk": "carrier-b",
        "callee_number": first, "callee_name": "", "callee_extension": "", "requested": first, "service_number": first,
        "answered_at": visits[0]["joined_at"], "ended_at": time, "duration_ms": time - at, "queue_visits": visits,
        "status": "answered" if served else "abandoned", "destination": visits[-1]["answered_by"] or "",
        "answered_by": visits[-1]["answered_by"] or "", "wait_ms": sum(visit["wait_ms"] for visit in visits),
    }  # fmt: skip
    if not served:
        changes |= {"talk_started_at": None, "talk_ms": 0}
    return stored_call(TENANT, id_, at, logs=logs, **changes)


def _try(agent: str, at: int, until: int, end: int | None = None) -> dict[str, Any]:
    """An agent's phone rings; with `end`, it is answered at `until`."""
    log = {"kind": "queue_agent", "number": agent, "name": EXTENSIONS[agent], "started_at": at, "rang_at": at + 50}
    if end is None:
        return log | {"answered_at": None, "ended_at": until, "talk_ms": 0, "outcome": "no_answer", "end_reason": ""}
    return log | {"answered_at": until, "ended_at": end, "talk_ms": end - until, "outcome": "answered"}


def _ring_group(rng: random.Random, id_: str, at: int) -> Call:
    """All members ring; one answers, or nobody."""
    number = rng.choice(sorted(GROUPS))
    members = GROUPS[number][1]
    winner = rng.choice((*members, ""))
    over = at + rng.randrange(1000, 25_000)
    end = over + (rng.randrange(1000, 200_000) if winner else 0)
    logs = []
    for member in members:
        log = {"kind": "ring_group_member", "number": member, "name": EXTENSIONS[member], "started_at": at + 80}
        if member == winner:
            logs.append(log | {"answered_at": over, "ended_at": end, "talk_ms": end - over})
        else:
            outcome = "answered_elsewhere" if winner else "no_answer"
            logs.append(
                log | {"answered_at": None, "ended_at": over, "talk_ms": 0, "outcome": outcome, "end_reason": ""}
            )
    changes: dict[str, Any] = {
        "direction": "inbound", "caller_number": _outside(rng), "caller_extension": "", "caller_name": "",
        "callee_number": number, "callee_name": "", "callee_extension": "", "requested": number, "ended_at": end,
        "duration_ms": end - at, "trunk": "carrier-a",
    }  # fmt: skip
    if winner:
        move = {"at": at + 80, "kind": "ring_group", "reason": None, "from": number, "to": winner, "by": None}
        changes |= {"service_number": number, "reroutes": [move | {"result": "answered"}], "answered_by": winner}
        changes |= {"destination": winner, "answered_at": over, "talk_started_at": over, "talk_ms": end - over}
    else:
        changes |= _UNANSWERED | {"status": "no_answer", "destination": "", "end_reason": "", "sip_status": 480}
    return stored_call(TENANT, id_, at, logs=logs, **changes)


def other_tenants(made: list[Call]) -> list[Call]:
    """The same calls again, of somebody whom nobody asked about."""
    return [
        msgspec.structs.replace(
            call, tenant="other", logs=[msgspec.structs.replace(log, tenant="other") for log in call.logs]
        )
        for call in made
    ]
