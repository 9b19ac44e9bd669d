"""Partitions are added to the events topic while calls are open: earlier and later events of a call lie on two."""

from __future__ import annotations

import random

import orjson
import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

from pipeline.sources import canonical
from tests.worker.administration import administer
from tests.worker.conftest import Deploy
from tests.worker.deployment import Deployment, wait_for
from tests.worker.phone_calls import encoded, in_time, phone_calls
from tests.worker.test_joined_calls import transfers


def add_partitions(deployment: Deployment, count: int) -> None:
    """Let the events topic have so many partitions."""
    topic = deployment.settings.events_topic

    async def create(admin: AIOKafkaAdminClient) -> None:
        await admin.create_partitions({topic: NewPartitions(total_count=count)})

    administer(deployment, create)
    deployment.settings = deployment.settings.model_copy(update={"partitions": count})


@pytest.mark.parametrize("noticed", [True, False])
def test_calls_that_are_open_meanwhile(deploy: Deploy, noticed: bool) -> None:
    """Also with producers that go on by the old number for a while, and workers that never saw it; in a group that had
    committed nothing when it began to read, and that notices before events come by the new number, or after some did.
    """
    deployment = deploy(partitions=2, batch_events=200)
    events = in_time(phone_calls(100)) + transfers(20)
    random.Random(8).shuffle(events)
    part = len(events) // 4
    first = deployment.worker()
    second = deployment.worker(ready=noticed)
    deployment.produce(events[:part])
    deployment.wait_done()
    add_partitions(deployment, 5)
    if noticed:
        wait_for(lambda: "partitions were added" in first.said, lambda: deployment.said)
    deployment.produce(events[part : 2 * part])
    for number in (0, 1):  # by the old number of partitions
        deployment.send(encoded(events[2 * part + number : 3 * part : 2]), partition=number)
    second.kill()  # so that the group looks at the topic anew
    third = deployment.worker(ready=False)
    deployment.wait_done()
    third.kill()
    deployment.worker(ready=False)
    deployment.produce(events[3 * part :])
    for _ in range(3):
        deployment.wait_done()
    deployment.verify_joined(canonical.decode([orjson.dumps(each) for each in events]).events)


def test_events_by_the_new_number_before_anybody_noticed(deploy: Deploy) -> None:
    """They were folded as if they were all of their calls, and nothing more comes of these. The new partitions are
    read within seconds: the group does not wait until it looks at its topics by itself."""
    deployment = deploy(partitions=2, batch_events=200)
    events = in_time(phone_calls(100))
    random.Random(8).shuffle(events)
    half = len(events) // 2
    worker = deployment.worker()
    deployment.produce(events[:half])
    deployment.wait_done()
    add_partitions(deployment, 5)
    deployment.produce(events[half:])
    deployment.wait_done(seconds=60)
    wait_for(lambda: "calls on several partitions" in worker.said, lambda: deployment.said)
    deployment.wait_done()
    deployment.verify_joined(canonical.decode([orjson.dumps(each) for each in events]).events)
