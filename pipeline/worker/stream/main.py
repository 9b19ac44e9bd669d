"""Runs a worker process: `cdr worker`."""

from __future__ import annotations

import asyncio
import gc
import time
from collections.abc import Sequence
from typing import Protocol

import faust
import structlog
import uvloop

from pipeline import kafka, logs, probes
from pipeline.errors import Problem
from pipeline.kafka_security import KafkaRefused
from pipeline.settings import Settings
from pipeline.worker.stream.app import Service

log = structlog.get_logger()

# How long the worker waits for Kafka at its start before it says that it gives up.
KAFKA_WAIT_S = 120.0


class Sidecar(Protocol):
    """What runs in the worker's process beside the fold, in a thread of its own."""

    def start(self) -> None: ...
    def stop(self) -> None: ...


def run(settings: Settings, beside: Sequence[Sidecar] = ()) -> None:
    """Work until SIGTERM. Raises `Problem` when it cannot start."""
    logs.configure(settings.log_level)
    uvloop.install()
    # Events live as long as their calls; scanning half a million of them again and again finds nothing.
    gc.set_threshold(50_000, 50, 1000)
    partitions = _topics(settings)
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    service = Service(settings, partitions)
    server = probes.serve(settings.metrics_host, settings.metrics_port, lambda: _checks(service))
    log.info("worker starts", kafka=settings.kafka, metrics=f"http://{settings.metrics_host}:{server.server_port}")
    gc.freeze()
    worker = faust.Worker(
        service.app, loop=loop, loglevel=settings.log_level.upper(), redirect_stdouts=False, override_logging=False
    )
    for part in beside:
        part.start()
    try:
        worker.execute_from_commandline()
    finally:
        for part in beside:
            part.stop()
        server.shutdown()


def _checks(service: Service) -> probes.Checks:
    waiting = service.worker.waiting_for
    return {
        "kafka": service.kafka_trouble or (None if service.ready else "no partitions assigned yet"),
        "writes": waiting or None,
    }


def _topics(settings: Settings) -> dict[str, int]:
    """The topics' partition counts; waits for a broker that is still starting."""
    until = time.monotonic() + KAFKA_WAIT_S
    while True:
        try:
            return asyncio.run(kafka.ensure_topics(settings))
        except Problem as problem:
            if time.monotonic() > until or isinstance(problem, KafkaRefused):
                raise
            log.warning("waiting for Kafka", error=str(problem))
            time.sleep(1)
