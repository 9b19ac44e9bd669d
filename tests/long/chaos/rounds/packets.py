"""Lost, late, repeated and reordered packets between the workers and their servers."""

from __future__ import annotations

import sys

from tests.long.chaos.arena import Arena
from tests.long.chaos.packets import Loss, bad_path
from tests.servers import KafkaServer
from tests.worker.deployment import Program, WorkerProcess


def packets(arena: Arena) -> int:
    """Two workers in a network namespace of their own, from which Kafka and ClickHouse are reached by a path that loses
    up to a fifth of the packets, or all of them for a while, delays, repeats and reorders them."""
    broker = KafkaServer(arena.folder / "kafka", line=1)  # whom it tells to come by is said below
    arena.closing.callback(broker.kill)
    path, namespace, (kafka, clickhouse) = arena.closing.enter_context(
        bad_path(arena.load.seed, broker.far, arena.clickhouse.port)
    )
    broker.stop()
    broker.line_host, broker.line = kafka.host, kafka.port
    broker.start()
    arena.broker = broker
    arena.begin()
    url = arena.clickhouse.url.replace(f"127.0.0.1:{arena.clickhouse.port}", f"{clickhouse.host}:{clickhouse.port}")
    program = Program((*namespace.command, sys.executable, "-m", "pipeline.cli", "worker"), network=namespace.threads)

    def worker() -> WorkerProcess:
        return arena.worker(program=program, kafka=f"{kafka.host}:{kafka.port}", clickhouse=url)

    workers = [worker(), worker()]
    arena.working(workers[0])
    done = 0
    while not arena.over:
        workers = [each if each.running else worker() for each in workers]
        chance = arena.chance
        if chance.random() < 0.2:
            path.loss = Loss(lost=1.0)
        else:
            path.loss = Loss(
                chance.uniform(0, 0.2), chance.uniform(0, 0.05), chance.uniform(0, 0.3), chance.uniform(0, 0.03)
            )
        done += 1
        arena.pause(2, 9)  # shorter and longer than the session time-out
        path.loss = Loss()
        arena.pause(1, 4)
    print(f"    {path.carried} packets, {path.dropped} dropped", flush=True)
    return done
