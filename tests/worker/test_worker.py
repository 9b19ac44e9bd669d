"""Events in, calls out: the worker as a process on Apache Kafka."""

from __future__ import annotations

import random

from tests.worker.conftest import Deploy
from tests.worker.phone_calls import encoded, in_time, phone_calls


def test_shuffled_doubled_and_misrouted_events_give_the_right_calls(deploy: Deploy) -> None:
    deployment = deploy()
    deployment.worker()
    events = in_time(phone_calls(400))
    chance = random.Random(7)
    events += chance.sample(events, 300)
    chance.shuffle(events)
    messages: list[tuple[bytes | None, bytes]] = [*encoded(events)]
    for place in chance.sample(range(len(messages)), 60):
        messages[place] = (chance.choice((None, b"", b"another")), messages[place][1])
    poison = [b"no json", b"{}", b'{"type":"started"}']
    for bad in poison:
        messages.insert(chance.randrange(len(messages)), (b"k", bad))
    deployment.send(messages[:1500])
    deployment.send(messages[1500:])
    deployment.wait_done()
    deployment.wait_done()  # what was sent on under its right key, too
    deployment.verify([value for value in deployment.values if value not in poison])
    assert sorted(record.value for record in deployment.dead_letters()) == sorted(poison)
