"""Topics changed under a running worker."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiokafka.admin import AIOKafkaAdminClient

from pipeline import kafka
from tests.worker.deployment import Deployment


def administer(deployment: Deployment, work: Callable[[AIOKafkaAdminClient], Awaitable[object]]) -> None:
    async def run() -> None:
        admin = AIOKafkaAdminClient(**kafka.connection(deployment.settings))
        await admin.start()
        try:
            await work(admin)
        finally:
            await admin.close()

    asyncio.run(run())
