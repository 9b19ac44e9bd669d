"""Somebody sends far too much: the others keep their pace."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass

import orjson
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from aiokafka.structs import TopicPartition

from pipeline import kafka
from pipeline.sources import canonical
from tests.long.chaos.arena import Arena
from tests.worker.deployment import Deployment
from tests.worker.phone_calls import event, now_ms

EVENTS = 100_000  # of one call
CALLS, EVENTS_A_CALL = 5_000, 4  # of the tenant that floods
# How long the others may lag, as a share of the time that the flood takes.
MOST = 0.4


@dataclass(slots=True)
class Lag:
    """Of one partition: since when its committed offset has not reached an end that was seen, and the worst of it."""

    end: int = 0
    since: float = 0.0
    worst_s: float = 0.0


def floods(arena: Arena) -> int:
    """One call of 100,000 events, and a tenant that sends 20,000 at once, both to one partition, which lags: calls of
    the other partitions are done after a fraction of the time that the flood takes."""
    arena.load.dialects = ()
    deployment = arena.begin(max_events_per_call=2 * EVENTS, batch_events=5_000)
    worker = arena.worker()
    arena.working(worker, batches=5)
    flooded = kafka.partition_of(b"huge", deployment.settings.partitions)
    values = _huge() + _crowd(flooded, deployment.settings.partitions)
    stop = threading.Event()
    lags: dict[int, Lag] = {}
    watch = threading.Thread(target=lambda: asyncio.run(_watch(deployment, lags, stop)), daemon=True)
    watch.start()
    began = time.monotonic()
    deployment.send([(key.encode(), value) for key, value in values])
    arena.load.events += canonical.decode([value for _, value in values]).events
    end = deployment.log_ends()[flooded]
    while worker.running and deployment.committed().get(flooded, 0) < end and time.monotonic() - began < 300:
        time.sleep(0.5)
    took = time.monotonic() - began
    stop.set()
    watch.join()
    others = max(lag.worst_s for partition, lag in lags.items() if partition != flooded)
    print(f"    the flood took {took:.1f} s; others lagged {others:.1f} s, {others / took:.2f} of it", flush=True)
    if others > MOST * took:
        arena.broken.append(f"others lagged {others:.1f} s while a flood of {took:.1f} s went on")
    while not arena.over:
        time.sleep(0.5)
    return 2


def _huge() -> list[tuple[str, bytes]]:
    at = now_ms() - 900_000
    events = [event("huge", "started", at, 0, leg_id="a", caller="200", callee="300")]
    events += [event("huge", "answered", at + 1, 1, leg_id="a")]
    kinds = ("held", "resumed")
    events += [event("huge", kinds[n % 2], at + n, n, leg_id="a") for n in range(2, EVENTS - 1)]
    events += [event("huge", "ended", at + EVENTS, EVENTS - 1, leg_id="a")]
    return [("huge", orjson.dumps(each)) for each in events]


def _crowd(partition: int, partitions: int) -> list[tuple[str, bytes]]:
    told: list[tuple[str, bytes]] = []
    number = 0
    while len(told) < CALLS * EVENTS_A_CALL:
        number += 1
        name = f"crowd-{number}"
        if kafka.partition_of(name.encode(), partitions) != partition:
            continue
        at = now_ms() - 800_000 + number
        events = [event(name, "started", at, 0, leg_id="a", tenant="crowd")]
        kinds = ("rang", "answered", "ended")
        events += [event(name, kind, at + 10 * n, n, leg_id="a", tenant="crowd") for n, kind in enumerate(kinds, 1)]
        told += [(name, orjson.dumps(each)) for each in events]
    return told


async def _watch(deployment: Deployment, lags: dict[int, Lag], stop: threading.Event) -> None:
    """How long each partition takes from a record's arrival to its commit."""
    admin = AIOKafkaAdminClient(bootstrap_servers=deployment.broker.bootstrap)
    await admin.start()
    topic = deployment.settings.events_topic
    tps = [TopicPartition(topic, number) for number in range(deployment.settings.partitions)]
    try:
        while not stop.is_set():
            try:
                ends = await deployment._log_ends(topic)
                offsets = await admin.list_consumer_group_offsets(deployment.settings.group, partitions=tps)
            except KafkaError:
                continue
            now = time.monotonic()
            for partition, end in ends.items():
                _note(lags.setdefault(partition, Lag()), end, offsets[TopicPartition(topic, partition)].offset, now)
            await asyncio.sleep(0.25)
    finally:
        await admin.close()


def _note(lag: Lag, end: int, committed: int, now: float) -> None:
    if lag.since:
        lag.worst_s = max(lag.worst_s, now - lag.since)
        if committed >= lag.end:
            lag.since = 0.0
    if not lag.since and committed < end:
        lag.end, lag.since = end, now
