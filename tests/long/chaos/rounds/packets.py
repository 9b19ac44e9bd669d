"""Lost, late, repeated and reordered packets between the workers and their servers."""

from __future__ import annotations

import sys

from pipeline.embedded.process import HOST
from tests.long.chaos.arena import Arena
from tests.long.chaos.packets import Loss, bad_path
from tests.servers import KafkaServer
from tests.worker.deployment import Program, WorkerProcess


def packets(arena: Arena) -> int:
    """Two workers in a network namespace of their own, from which Kafka and ClickHouse are reached by a path that loses
    up to a fifth of the packets, or all of them for a while, delays, repeats and reorders them."""
    path = arena.closing.enter_context(bad_path(arena.load.seed))
    kafka_line, clickhouse_line = path.line(), path.line()
    for line in (kafka_line, clickhouse_line):
        arena.closing.callback(line.close)
    kafka = f"{path.far.address}:{kafka_line.port}"
    broker = KafkaServer(arena.folder / "kafka", kafka)
    arena.closing.callback(broker.kill)
    kafka_line.target, clickhouse_line.target = broker.far, arena.clickhouse.port
    arena.broker = broker
    arena.begin()
    near = f"{HOST}:{arena.clickhouse.port}"
    clickhouse = arena.clickhouse.url.replace(near, f"{path.far.address}:{clickhouse_line.port}")
    command = (*path.near.command, sys.executable, "-m", "pipeline.cli", "worker")
    program = Program(command, network=path.near.threads)

    def worker() -> WorkerProcess:
        return arena.worker(program=program, kafka=kafka, clickhouse=clickhouse)

    workers = [worker(), worker()]
    arena.working(workers[0])
    done = 0
    while not arena.over:
        workers = [each if each.running else worker() for each in workers]
        chance = arena.chance
        if chance.random() < 0.2:
            path.packets.loss = Loss(lost=1.0)
        else:
            path.packets.loss = Loss(
                chance.uniform(0, 0.2), chance.uniform(0, 0.05), chance.uniform(0, 0.3), chance.uniform(0, 0.03)
            )
        done += 1
        arena.pause(2, 9)  # shorter and longer than the session time-out
        path.packets.loss = Loss()
        arena.pause(1, 4)
    print(f"    {path.packets.carried} packets, {path.packets.dropped} dropped", flush=True)
    return done
