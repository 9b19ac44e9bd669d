"""Faults of ClickHouse and Kafka, and of the lines that lead to them."""

from __future__ import annotations

import contextlib
import subprocess
import time
from collections.abc import Callable
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete

from pipeline.sources import canonical
from tests.long.chaos.arena import SETTLE_S, Arena
from tests.long.chaos.network import Weather
from tests.servers import ClickHouseServer, KafkaCluster, KafkaNode, KafkaServer
from tests.worker.administration import administer
from tests.worker.deployment import Deployment, WorkerProcess
from tests.worker.phone_calls import encoded, event, now_ms

# Codes that ClickHouse answers with: time-out, too many simultaneous queries, memory, network, too many parts,
# unknown, no table, wrong password, keeper, read-only table, no space.
CODES = (159, 202, 241, 210, 252, 1001, 60, 516, 999, 242, 243)


def clickhouse_answers(arena: Arena) -> int:
    """ClickHouse refuses, fails with each class of error, is slow, does the work and does not say so."""
    arena.begin()
    arena.working(arena.worker())
    done = 0
    codes: list[int] = []  # each of them before one comes again
    tables = ("", "event_rows", "call_rows", "call_log_rows")
    while not arena.over:
        mode = arena.chance.choice(("refuse", "error", "error", "slow", "drop_answer", "drop_answer", "pause"))
        match = "" if mode == "refuse" else arena.chance.choice(tables)
        count = arena.chance.randrange(1, 6)
        seconds = arena.chance.uniform(0.5, 4)
        codes = codes or arena.chance.sample(CODES, len(CODES))
        code = codes.pop() if mode == "error" else 0
        arena.clickhouse.fault(mode, count=count, code=code, seconds=seconds, match=match)
        deadline = time.monotonic() + 10
        while arena.clickhouse.struck() < count and time.monotonic() < deadline:
            time.sleep(0.1)
        done += arena.clickhouse.struck()
        arena.clickhouse.fault("none")
        arena.pause(0, 1.5)
    return done


def clickhouse_away(arena: Arena) -> int:
    """ClickHouse is away all the time of the round while 2,000 events a second come in: memory stays bounded, no
    commit runs ahead, and the worker goes on by itself."""
    arena.load.calls_a_tick = 50
    deployment = arena.begin(batch_events=5000)
    worker = arena.worker()
    arena.working(worker, batches=5)
    arena.clickhouse.fault("refuse")
    began = time.monotonic()
    time.sleep(3)  # for a commit of what was durable before
    before, rss, most = deployment.committed(), worker.rss_mb, 0.0
    while worker.running and time.monotonic() - began < arena.seconds:
        time.sleep(1)
        most = max(most, worker.rss_mb)
    waited = worker.checks().get("writes", "")
    ahead = deployment.committed()
    arena.clickhouse.fault("none")
    if ahead != before:
        arena.broken.append(f"committed {before} before, {ahead} while ClickHouse was away")
    if most > rss * 1.5 + 100:
        arena.broken.append(f"memory grew from {rss:.0f} to {most:.0f} MB")
    if not worker.running or waited in ("", "ok"):
        arena.broken.append(f"the worker did not wait: {waited!r} {worker.said[-300:]}")
    print(f"    away for {time.monotonic() - began:.0f} s: memory {rss:.0f} to {most:.0f} MB", flush=True)
    return 1


def clickhouse_dies(arena: Arena) -> int:
    """kill -9 of ClickHouse, and of the worker meanwhile now and then."""
    return _away(arena, arena.clickhouse.kill, arena.clickhouse.start, both=0.4, calm_s=(0, 2), rest_s=(1, 4))


def broker_dies(arena: Arena) -> int:
    """kill -9 or a restart of the broker, and of the worker meanwhile now and then."""

    def ends() -> None:
        (arena.broker.kill if arena.chance.random() < 0.6 else arena.broker.stop)()

    return _away(arena, ends, arena.broker.start, both=0.3, calm_s=(0, 3), rest_s=(4, 10))


def _away(
    arena: Arena,
    ends: Callable[[], None],
    begins: Callable[[], None],
    *,
    both: float,
    calm_s: tuple[float, float],
    rest_s: tuple[float, float],
    **settings: Any,
) -> int:
    """A service goes and comes back, again and again; with the chance `both` a worker is killed while it is away."""
    arena.begin(**settings)
    worker = arena.worker()
    done = 0
    while not arena.over:
        arena.working(worker)
        arena.pause(*calm_s)
        ends()
        done += 1
        if arena.chance.random() < both:
            worker.kill()
            done += 1
        arena.pause(0.5, 7)
        begins()
        if not worker.running:
            worker = arena.worker()
        arena.pause(*rest_s)
    return done


def leader_dies(arena: Arena) -> int:
    """Three brokers: kill -9 of the one that leads a partition of the events, again and again."""
    cluster = KafkaCluster(arena.folder / "cluster")
    arena.closing.callback(cluster.stop)
    arena.broker = cluster
    down: list[KafkaNode] = []

    def ends() -> None:
        down.append(cluster.nodes[leader(arena.deployment, arena.chance.randrange(4)) - 1])
        down[-1].kill()

    # It rests until the node follows again: two of three must be there.
    return _away(arena, ends, lambda: down[-1].start(), both=0.2, calm_s=(0, 2), rest_s=(5, 9), replication=3)


def leader(deployment: Deployment, partition: int) -> int:
    """Node that leads a partition of the events topic."""
    found: list[int] = []

    async def look(admin: AIOKafkaAdminClient) -> None:
        (topic,) = await admin.describe_topics([deployment.settings.events_topic])
        found.extend(each["leader"] for each in topic["partitions"] if each["partition"] == partition)

    administer(deployment, look)
    return max(found[0], 1)


def disk_full(arena: Arena) -> int:
    """The disk of the broker is full, the broker gives up; there is room again, and it is started anew."""
    folder = arena.folder / "broker"
    disk = folder / "log"
    disk.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", str(disk)]
    subprocess.run(mount, check=True)
    arena.closing.callback(subprocess.run, ["umount", "-l", str(disk)], check=False)
    broker = KafkaServer(folder)
    arena.closing.callback(broker.kill)
    arena.broker = broker
    arena.begin()
    worker = arena.worker()
    done = 0
    while not arena.over:
        arena.working(worker)
        arena.pause(1, 3)
        ballast = disk / "ballast"
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 16))
        done += 1
        arena.pause(4, 10)
        ballast.unlink()
        broker.kill()
        broker.start()
        if not worker.running:
            worker = arena.worker()
        arena.pause(4, 8)
    return done


def full_disk_of_clickhouse(arena: Arena) -> int:
    """The disk of ClickHouse is full: inserts fail, merges too; there is room again. Now and then it is killed while it
    is full."""
    disk = arena.folder / "clickhouse"
    disk.mkdir(parents=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256m", "tmpfs", str(disk)], check=True)
    arena.closing.callback(subprocess.run, ["umount", "-l", str(disk)], check=False)
    arena.clickhouse = ClickHouseServer(disk / "data")
    arena.closing.callback(arena.clickhouse.kill)
    arena.begin()
    worker = arena.worker()
    done = 0
    while not arena.over:
        arena.working(worker)
        arena.pause(1, 3)
        ballast = disk / "ballast"
        with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(1 << 16))
        done += 1
        arena.pause(3, 8)
        if arena.chance.random() < 0.3:
            arena.clickhouse.kill()
        ballast.unlink()
        arena.clickhouse.start()
        if not worker.running:
            worker = arena.worker()
        arena.pause(3, 6)
    return done


def topics_lose(arena: Arena) -> int:
    """Records dropped before they were read, and a topic that is deleted: the worker ends and says so, whatever
    the load is; told to go on, it goes on."""
    deployment = arena.begin()
    worker = arena.worker()
    arena.working(worker)
    while not arena.over:
        time.sleep(0.5)
    arena.feeder.stop()
    for _ in range(3):
        deployment.wait_done(SETTLE_S)
    worker.stop()
    doomed = [event(f"doomed-{number}", "started", now_ms(), 0, leg_id="a") for number in range(40)]
    deployment.produce(doomed)
    ends = {TopicPartition(deployment.settings.events_topic, part): end for part, end in deployment.log_ends().items()}
    unread = {part: RecordsToDelete(before_offset=end) for part, end in ends.items()}
    administer(deployment, lambda admin: admin.delete_records(unread))
    stopped = arena.worker()
    _ended(arena, stopped, "records were lost before they were read")
    worker = arena.worker(lost_events="skip")
    deployment.wait_done()  # that they are lost is committed, too: nobody is told of it twice
    after = [event(f"after-{number}", "started", now_ms(), 0, leg_id="a") for number in range(40)]
    arena.load.events += canonical.decode([value for _, value in encoded(after)]).events
    deployment.produce(after)
    arena.working(worker)
    gone = deployment.settings.kamailio_topic
    administer(deployment, lambda admin: admin.delete_topics([gone]))
    _ended(arena, worker, "a topic was deleted")
    arena.worker(lost_events="skip").wait_ready()
    return 2


def _ended(arena: Arena, worker: WorkerProcess, saying: str) -> None:
    """The worker ended by itself, with exit status 1 and a clear word."""
    try:
        status = worker.wait(90)
    except subprocess.TimeoutExpired:
        arena.broken.append(f"the worker went on, though {saying}")
        return
    if status != 1 or saying not in worker.said:
        arena.broken.append(f"exit status {status} without `{saying}`: {worker.said[-500:]}")


def network(arena: Arena) -> int:
    """The lines from workers to Kafka and to ClickHouse are late, narrow, silent, cut in the middle of an answer."""
    arena.begin()
    lines = (arena.kafka_line, arena.clickhouse_line)
    for line in lines:
        arena.closing.callback(line.set, Weather())
    worker, other = arena.worker(**arena.by_line), arena.worker(**arena.by_line)
    done = 0
    while not arena.over:
        worker, other = (each if each.running else arena.worker(**arena.by_line) for each in (worker, other))
        arena.working(worker)
        for line in arena.chance.sample(lines, arena.chance.choice((1, 1, 2))):
            kind = arena.chance.choice(("late", "narrow", "silent", "cut"))
            if kind == "cut":
                line.cut()
            elif kind == "late":
                line.set(Weather(delay_s=arena.chance.uniform(0.05, 0.8)))
            elif kind == "narrow":
                line.set(Weather(bytes_s=arena.chance.uniform(20_000, 200_000)))
            else:
                line.set(Weather(silent=True))
            done += 1
        arena.pause(1, 9)  # shorter and longer than the session time-out
        for line in lines:
            line.set(Weather())
        arena.pause(1, 4)
    return done
