"""What PortSIP's reports must say of generated calls: counted call by call, cell by cell, in plain Python.

Shares nothing with `pipeline.reports`: another way to the same figures.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from schemas.call import Call, CallLog
from tests.reports.week import EXTENSIONS, GROUPS, QUEUES, TEAMS, ZONE

Row = list[str]


def when(ms: int | None) -> str:
    if ms is None:
        return ""
    return dt.datetime.fromtimestamp(ms // 1000, ZoneInfo(ZONE)).isoformat()


def hms(seconds: int) -> str:
    return f"{seconds // 3600:02d}:{seconds % 3600 // 60:02d}:{seconds % 60:02d}"


def share(part: int, whole: int) -> str:
    if not whole or not part:
        return "0.0%"
    return f"{(Decimal(100 * part) / Decimal(whole)).quantize(Decimal('0.01'), ROUND_HALF_UP)} %"


def mean(total: int, number: int) -> str:
    return hms(int((Decimal(total) / number).quantize(Decimal(1), ROUND_HALF_UP)) if number else 0)


def between(first: int | None, end: int | None) -> int:
    return 0 if first is None or end is None else max(0, end // 1000 - first // 1000)


def who(number: str) -> str:
    name = EXTENSIONS.get(number) or QUEUES.get(number, ("",))[0] or GROUPS.get(number, ("",))[0]
    return f"{name} [{number}]" if name else number


def ended_in(calls: Iterable[Call], first: int, end: int) -> list[Call]:
    found = [call for call in calls if call.ended_at is not None and first <= call.ended_at < end]
    return sorted(found, key=lambda call: (call.started_at, call.id))


class Stay:
    """A visit with the tries of agents that belong to it."""

    def __init__(self, call: Call, visit: dict[str, Any], tries: Sequence[CallLog]) -> None:
        self.call, self.visit, self.tries = call, visit, tries
        self.queue: str = visit["number"]
        self.served = visit["reason"] == "answered"
        self.wait = between(visit["joined_at"], visit["left_at"])


def stays(calls: Iterable[Call], queues: Sequence[str] = (), least: int = 0) -> list[Stay]:
    found = []
    for call in calls:
        visits = call.queue_visits
        for place, visit in enumerate(visits):
            until = visits[place + 1]["joined_at"] if place + 1 < len(visits) else 10**15
            mine = [
                log for log in call.logs if log.kind == "queue_agent" and visit["joined_at"] <= log.started_at < until
            ]
            found.append(Stay(call, visit, mine))
    found = [stay for stay in found if not queues or stay.queue in queues]
    return [stay for stay in found if stay.served or stay.wait >= least]


def by_queue(found: Iterable[Stay], queues: Sequence[str] = ()) -> dict[str, list[Stay]]:
    groups: dict[str, list[Stay]] = {number: [] for number in (queues or sorted(QUEUES))}
    for stay in found:
        groups.setdefault(stay.queue, []).append(stay)
    return dict(sorted(groups.items()))


def ring_of(found: Iterable[Stay]) -> int:
    return sum(between(log.started_at, log.answered_at or log.ended_at) for stay in found for log in stay.tries)


def talk_of(found: Iterable[Stay]) -> int:
    return sum(between(log.answered_at, log.ended_at) for stay in found for log in stay.tries)


def normal(calls: Sequence[Call]) -> list[Row]:
    rows = []
    for call in calls:
        rows.append(
            [
                who(call.caller_number),
                who(call.callee_number),
                *map(when, (call.started_at, call.rang_at, call.answered_at, call.ended_at)),
                hms(between(call.answered_at, call.ended_at)),
                call.cost,
                call.outbound_caller_id,
                call.did,
                call.end_reason.upper() or "CallEndCode(0)",
                call.trunk,
                call.user_data,
            ]
        )
        for log in sorted(call.logs, key=lambda log: log.position):
            rows.append(
                [
                    "",
                    who(log.number),
                    *map(when, (log.started_at, log.rang_at, log.answered_at, log.ended_at)),
                    hms(between(log.answered_at, log.ended_at)),
                    "",
                    log.outbound_caller_id,
                    log.did,
                    log.end_reason.upper() or "CallEndCode(0)",
                    log.trunk,
                    log.user_data,
                ]
            )
    return rows


def group_costs(calls: Sequence[Call], groups: Sequence[str] = (), class_: str = "") -> list[Row]:
    rows = []
    for group in groups or sorted(TEAMS):
        name, talk, cost = group, 0, Decimal(0)
        for call in calls:
            if call.direction != "outbound" or call.answered_at is None or call.caller_extension not in TEAMS[group]:
                continue
            kind, prefix = call.rate.split("|")
            if class_ and kind != class_:
                continue
            seconds = between(call.answered_at, call.ended_at)
            talk, cost = talk + seconds, cost + Decimal(call.cost or 0)
            times = map(when, (call.started_at, call.rang_at, call.answered_at, call.ended_at))
            parties = (who(call.caller_number), who(call.callee_number))
            rows.append([name, *parties, kind.upper(), *times, hms(seconds), prefix, call.cost])
            name = ""
        if name:
            rows.append([name, *[""] * 10])
        text = f"{cost:f}"
        rows.append(["Total:", *[""] * 7, hms(talk), "", text.rstrip("0").rstrip(".") if "." in text else text])
    return rows


def performance(found: Sequence[Stay], queues: Sequence[str] = ()) -> list[Row]:
    rows = []
    for number, mine in by_queue(found, queues).items():
        served = Counter(stay.visit["answered_by"] for stay in mine if stay.served)
        tried: Counter[str] = Counter()
        for stay in mine:
            for agent in stay.visit["agents"]:
                tried[agent["agent"]] += agent["attempts"]
        talk: Counter[str] = Counter()
        for stay in mine:
            for log in stay.tries:
                talk[log.number] += between(log.answered_at, log.ended_at)
        head = [who(number), str(len(mine))]
        for agent in sorted(tried):
            rows.append(
                [
                    *head,
                    who(agent),
                    str(served[agent]),
                    f"{tried[agent] - served[agent]} Polls",
                    hms(talk[agent]),
                    mean(talk[agent], served[agent]),
                ]
            )
            head = ["", ""]
        if not tried:
            rows.append([*head, *[""] * 5])
        done = sum(served.values())
        total = hms(sum(talk.values()))
        rows.append(["Total:", str(len(mine)), "", str(done), f"{len(mine) - done} Calls", total, ""])
    return rows


def detailed(found: Sequence[Stay], queues: Sequence[str] = ()) -> list[Row]:
    rows = []
    sums = [0] * 5
    for number, mine in by_queue(found, queues).items():
        served = sum(stay.served for stay in mine)
        ring, talk, total = ring_of(mine), talk_of(mine), len(mine)
        rows.append(
            [
                who(number),
                str(total),
                str(served),
                str(total - served),
                share(served, total),
                hms(ring),
                mean(ring, total),
                hms(talk),
                mean(talk, total),
            ]
        )
        sums = [one + other for one, other in zip(sums, (total, served, total - served, ring, talk), strict=True)]
    rows.append(["Total:", *map(str, sums[:3]), "", hms(sums[3]), "", hms(sums[4]), ""])
    return rows


def team(found: Sequence[Stay], queues: Sequence[str] = ()) -> list[Row]:
    rows = []
    sums = [0] * 7
    for number, mine in by_queue(found, queues).items():
        served = sum(stay.served for stay in mine)
        agents = 2 if number == "800" else len({log.number for stay in mine for log in stay.tries})
        ring, talk, wait, total = ring_of(mine), talk_of(mine), sum(stay.wait for stay in mine), len(mine)
        rows.append(
            [
                who(number),
                str(agents),
                str(total),
                str(served),
                str(total - served),
                share(total - served, total),
                hms(ring),
                mean(ring, total),
                hms(wait),
                hms(talk),
                mean(talk, served),
            ]
        )
        more = (agents, total, served, total - served, ring, wait, talk)
        sums = [one + other for one, other in zip(sums, more, strict=True)]
    rows.append(["Total:", *map(str, sums[:4]), "", hms(sums[4]), "", hms(sums[5]), hms(sums[6]), ""])
    return rows


def abandoned(found: Sequence[Stay], queues: Sequence[str] = ()) -> list[Row]:
    rows = []
    for number, mine in by_queue(found, queues).items():
        name = who(number)
        for stay in sorted(mine, key=lambda stay: (stay.call.started_at, stay.call.id, stay.visit["joined_at"])):
            if stay.served:
                continue
            head = [name, when(stay.visit["joined_at"]), str(stay.wait), who(stay.call.caller_number)]
            for agent in stay.visit["agents"] or [{"agent": "", "attempts": 0}]:
                rows.append([*head, who(agent["agent"]) if agent["agent"] else "", str(agent["attempts"])])
                head, name = ["", "", "", ""], ""
    return rows


def late(stay: Stay) -> bool:
    return stay.wait > QUEUES[stay.queue][1]


def sla(found: Sequence[Stay], queues: Sequence[str] = ()) -> list[Row]:
    rows = []
    for number, mine in by_queue(found, queues).items():
        breached = sum(map(late, mine))
        rows.append([who(number), str(len(mine)), str(breached), share(breached, len(mine))])
    return rows


def breaches(found: Sequence[Stay]) -> list[Row]:
    return [
        [when(stay.visit["joined_at"]), who(stay.queue), who(stay.call.caller_number), hms(stay.wait)]
        for stay in sorted(found, key=lambda stay: (stay.call.started_at, stay.call.id, stay.visit["joined_at"]))
        if late(stay)
    ]


def called_back(everything: Iterable[Call], stay: Stay) -> tuple[bool, int]:
    """Whether the caller was reached within a day of asking for it, and how long it rang."""
    left = stay.visit["left_at"]
    tries = [
        log
        for call in everything
        for log in call.logs
        if log.kind in ("outside", "extension")
        and log.number[-9:] == stay.call.caller_number[-9:]
        and left <= log.started_at < left + 86_400_000
    ]
    reached = any(log.outcome == "answered" for log in tries)
    return reached, sum(between(log.started_at, log.answered_at or log.ended_at) for log in tries)


def callbacks(found: Sequence[Stay], everything: Sequence[Call], queues: Sequence[str] = ()) -> list[Row]:
    rows = []
    for number, mine in by_queue(found, queues).items():
        asked = [stay for stay in mine if stay.visit["reason"] == "callback"]
        done = sum(called_back(everything, stay)[0] for stay in asked)
        rows.append([who(number), str(len(mine)), str(len(asked)), str(done), str(len(asked) - done)])
    return rows


def failed_callbacks(found: Sequence[Stay], everything: Sequence[Call]) -> list[Row]:
    rows = []
    for stay in sorted(found, key=lambda stay: (stay.call.started_at, stay.call.id, stay.visit["joined_at"])):
        if stay.visit["reason"] == "callback":
            reached, ring = called_back(everything, stay)
            if not reached:
                head = (when(stay.visit["joined_at"]), who(stay.queue))
                rows.append([*head, who(stay.call.caller_number), hms(ring)])
    return rows


def ring_groups(calls: Sequence[Call], groups: Sequence[str] = ()) -> list[Row]:
    received: Counter[str] = Counter()
    answered: dict[str, Counter[str]] = defaultdict(Counter)
    for call in calls:
        members = [log for log in call.logs if log.kind == "ring_group_member"]
        if members:
            received[call.requested] += 1
            for log in members:
                answered[call.requested][log.number] += log.outcome == "answered"
    rows = []
    for group in groups or sorted(GROUPS):
        head = [who(group), str(received[group])]
        for member in sorted({*GROUPS[group][1], *answered[group]}):
            rows.append([head[0], who(member), str(answered[group][member]), head[1]])
            head = ["", ""]
        rows.append(["Total:", "", str(sum(answered[group].values())), str(received[group])])
    return rows
