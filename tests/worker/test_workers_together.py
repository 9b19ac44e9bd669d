"""Several workers share the partitions, come and go."""

from __future__ import annotations

import random
import time

import pytest

from tests.worker.conftest import Deploy
from tests.worker.phone_calls import in_time, phone_calls
from tests.worker.slow_producer import produce_slowly


@pytest.mark.slow
def test_workers_join_and_leave_under_load(deploy: Deploy) -> None:
    deployment = deploy(batch_events=500)
    events = in_time(phone_calls(2500))
    random.Random(3).shuffle(events)
    first = deployment.worker()
    load = produce_slowly(deployment, events, 18)
    second = deployment.worker(ready=False)
    time.sleep(4)
    third = deployment.worker(ready=False)
    time.sleep(5)
    assert first.stop() == 0
    time.sleep(3)
    second.kill()
    load.join()
    deployment.wait_done()
    assert third.running
    deployment.verify()


def test_two_workers_share_the_partitions(deploy: Deploy) -> None:
    deployment = deploy()
    both = [deployment.worker(ready=False) for _ in range(2)]
    for worker in both:
        worker.wait_ready()
    time.sleep(2)
    deployment.produce(in_time(phone_calls(300)))
    deployment.wait_done()
    deployment.verify()
    assert all(worker.metric("cdr_events_total") > 0 for worker in both)
