"""The events topic gets partitions while calls are open on it."""

from __future__ import annotations

from aiokafka.admin import AIOKafkaAdminClient, NewPartitions

from tests.long.chaos.arena import Arena
from tests.worker.administration import administer
from tests.worker.deployment import Deployment

MOST = 16


def partitions_grow(arena: Arena) -> int:
    """One or two partitions more, again and again, while two workers fold: later events of an open call come by
    another partition than its earlier ones. Workers are killed and stopped meanwhile."""
    deployment = arena.begin()
    workers = [arena.worker() for _ in range(2)]
    done = 0
    while not arena.over:
        arena.working(workers[0])
        arena.pause(3, 6)
        if deployment.settings.partitions < MOST:
            grow(deployment, deployment.settings.partitions + arena.chance.randrange(1, 3))
            done += 1
        arena.pause(1, 5)
        leaving = workers.pop(arena.chance.randrange(2))
        if arena.chance.random() < 0.5:
            leaving.kill()
        else:
            leaving.stop()
        workers.append(arena.worker())
    return done


def grow(deployment: Deployment, partitions: int) -> None:
    """Let the events topic have so many partitions."""
    topic = deployment.settings.events_topic

    async def create(admin: AIOKafkaAdminClient) -> None:
        await admin.create_partitions({topic: NewPartitions(total_count=partitions)})

    administer(deployment, create)
    deployment.settings = deployment.settings.model_copy(update={"partitions": partitions})
