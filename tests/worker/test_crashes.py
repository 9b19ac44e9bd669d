"""kill -9, anywhere: nothing lost, nothing doubled, no field wrong. Hundreds of kills, at every step: `make chaos`."""

from __future__ import annotations

import random
import signal
import time

import pytest

from tests.worker.conftest import Deploy
from tests.worker.deployment import wait_for
from tests.worker.phone_calls import event, in_time, now_ms, phone_calls
from tests.worker.slow_producer import produce_slowly

STEPS = ("archive", "calls", "feed", "forward", "dead_letters")


def test_killed_between_every_two_steps(deploy: Deploy) -> None:
    deployment = deploy(batch_events=300, group_instance="only")
    events = in_time(phone_calls(900))
    random.Random(5).shuffle(events)
    poison = b'{"type": "started"}'
    for number, step in enumerate(STEPS):
        deployment.produce(events[len(events) * number // len(STEPS) : len(events) * (number + 1) // len(STEPS)])
        wrong_key = event(f"forwarded-{step}", "started", now_ms(), 0, leg_id="a")
        deployment.send([(b"k", poison), (b"wrong", encode(wrong_key))])
        worker = deployment.worker(ready=False, crash_after=f"{step}:{1 + number % 2}")
        assert worker.wait() == -signal.SIGKILL, step
    deployment.worker()
    deployment.wait_done()
    deployment.wait_done()
    deployment.verify([value for value in deployment.values if value != poison])
    dead = deployment.dead_letters()
    places = {dict(record.headers)["partition"] + b":" + dict(record.headers)["offset"] for record in dead}
    assert len(places) == len(STEPS)
    assert {record.value for record in dead} == {poison}


def encode(value: object) -> bytes:
    import orjson

    return orjson.dumps(value)


@pytest.mark.parametrize("step", ["call_logs", "feed"])
def test_killed_while_a_silent_call_is_closed(deploy: Deploy, step: str) -> None:
    """No event comes again for it: the worker that takes over finds it open, and closes it whole."""
    deployment = deploy(open_limit_s=4, group_instance="only")
    call = ("acme", "silent")
    deployment.produce([event("silent", "started", now_ms(), 0, leg_id="a", caller="200", callee="300")])
    worker = deployment.worker(ready=False, crash_after=f"{step}:2")
    assert worker.wait() == -signal.SIGKILL
    assert deployment.committed() == deployment.ends
    deployment.worker()
    wait_for(lambda: deployment.client.command("SELECT count() FROM calls WHERE state = 'closed'") == 1, "closed")
    deployment.verify(expired=frozenset((call,)))


@pytest.mark.slow
def test_killed_at_random_moments_under_load(deploy: Deploy) -> None:
    deployment = deploy(batch_events=400, group_instance="only", grace_s=1)
    chance = random.Random(11)
    events = in_time(phone_calls(1500, every_ms=10))
    # Neighbours in time change places: late and out of order, but a stream all the same.
    for place in range(0, len(events) - 2000, 50):
        other = place + chance.randrange(2000)
        events[place], events[other] = events[other], events[place]
    events += chance.sample(events, 500)
    load = produce_slowly(deployment, events, 10)
    for _ in range(5):
        worker = deployment.worker(ready=False)
        while worker.metric("cdr_batches_total") < 1 and worker.running:
            time.sleep(0.05)
        time.sleep(chance.random() * 0.8)
        worker.kill()
    load.join()
    deployment.worker()
    deployment.wait_done()
    deployment.verify()
