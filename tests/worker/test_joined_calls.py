"""Attended transfers join two call ids on two partitions: one CDR, whoever owns the partitions and whoever dies."""

from __future__ import annotations

import random
from collections.abc import Iterable

import orjson

from pipeline.kafka import partition_of
from pipeline.sources import canonical
from schemas.event import Event
from tests.worker.conftest import Deploy
from tests.worker.deployment import Deployment
from tests.worker.phone_calls import JsonEvent, event, in_time, now_ms

PARTITIONS = 2


def transfer(number: int, start: int, *, apart: bool = True) -> list[JsonEvent]:
    """200 talks to 300, who asks 400 by a call of its own and hands over. The two calls' ids lie on two partitions."""
    first = f"talk-{number}"
    second = next(
        name
        for name in (f"consult-{number}-{try_}" for try_ in range(100))
        if (partition_of(name.encode(), PARTITIONS) != partition_of(first.encode(), PARTITIONS)) is apart
    )
    moments = iter(range(1000))

    def say(type_: str, at: float, call_id: str, leg: str, **fields: object) -> JsonEvent:
        return event(call_id, type_, start + int(at * 1000), next(moments), leg_id=f"{leg}{number}", **fields)

    return [
        say("started", 0, first, "a", caller="200", callee="300", direction="internal"),
        say("started", 0.1, first, "b", caller="200", callee="300", peer_leg_id=f"a{number}"),
        say("rang", 0.5, first, "b"),
        say("answered", 3, first, "b"),
        say("answered", 3.1, first, "a"),
        say("started", 20, second, "c", caller="300", callee="400"),
        say("started", 20.1, second, "d", caller="300", callee="400", peer_leg_id=f"c{number}"),
        say("rang", 20.5, second, "d"),
        say("answered", 22, second, "d"),
        say("answered", 22.1, second, "c"),
        say(
            "transferred",
            30,
            first,
            "b",
            reason="attended_transfer",
            by="300",
            to="400",
            second_leg_id=f"c{number}",
            transferee_leg_id=f"a{number}",
            target_leg_id=f"d{number}",
            linked_ids=[second],
        ),
        say("ended", 30.2, first, "b", q850_cause=16),
        say("ended", 30.2, second, "c", q850_cause=16),
        say("ended", 60, first, "a", q850_cause=16, hung_up_by="party"),
        say("ended", 60.1, second, "d", q850_cause=16, hung_up_by="peer"),
    ]


def transfers(count: int, seed: int = 1) -> list[JsonEvent]:
    """Transfers one after the other, their events out of order."""
    chance = random.Random(seed)
    start = now_ms() - count * 50 - 100_000
    events = in_time(transfer(number, start + number * 50, apart=number % 4 != 0) for number in range(count))
    for place in range(0, len(events), 7):
        other = chance.randrange(len(events))
        events[place], events[other] = events[other], events[place]
    return events


def decoded(events: Iterable[JsonEvent]) -> list[Event]:
    return canonical.decode([orjson.dumps(each) for each in events]).events


def verify(deployment: Deployment, events: list[JsonEvent], calls: int) -> None:
    for _ in range(3):  # what was announced, and what came of that
        deployment.wait_done()
    found = deployment.verify_joined(decoded(events))
    assert len(found) == calls
    assert {call.status for call in found.values()} == {"answered"}
    assert all(call.merged_call_ids for call in found.values())


def test_one_worker(deploy: Deploy) -> None:
    deployment = deploy(partitions=PARTITIONS, batch_events=200)
    deployment.worker()
    events = transfers(100)
    deployment.produce(events)
    verify(deployment, events, 100)


def test_ids_of_another_day_stay_apart(deploy: Deploy) -> None:
    """A phone that counts its calls from 1 each day: the same ids, linked in the same way."""
    deployment = deploy(partitions=PARTITIONS)
    deployment.worker()
    today, before = now_ms() - 100_000, now_ms() - 86_400_000
    links = {"linked_ids": ["other"]}
    yesterday = [
        event("other", "started", before, 0, leg_id="o", caller="1", callee="2"),
        event("other", "ended", before + 9000, 1, leg_id="o"),
    ]
    now = [
        event("mine", "started", today, 0, leg_id="m", caller="3", callee="4", **links),
        event("mine", "ended", today + 5000, 1, leg_id="m"),
    ]
    deployment.produce(yesterday)
    deployment.wait_done()
    deployment.produce(now)
    for _ in range(3):
        deployment.wait_done()
    found = deployment.verify_joined(decoded([*yesterday, *now]))
    assert {call.call_id for call in found.values()} == {"other", "mine"}
