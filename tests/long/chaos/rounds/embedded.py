"""The one-machine product: every part of it is killed, and what keeps them running, too."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import clickhouse_connect

from pipeline.embedded.process import HOST, free_port
from pipeline.embedded.run_file import RunState, read_run_file, status
from pipeline.errors import Problem
from pipeline.settings import Settings
from pipeline.warehouse.storage.client import connect
from tests.long.chaos.arena import Arena
from tests.worker.deployment import Deployment, WorkerProcess, wait_for

PARTS = ("kafka", "clickhouse", "worker", "api", "hep", "the product")


class Product(Deployment):
    """`cdr run` on a data directory and ports of its own, as far as a deployment is asked."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "product"
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        ports = [free_port() for _ in range(5)]
        self._run_environment = dict(os.environ) | {
            "CDR_KAFKA": f"{HOST}:{ports[0]}",
            "CDR_CLICKHOUSE": f"http://{HOST}:{ports[1]}",
            "CDR_API_PORT": str(ports[2]),
            "CDR_METRICS_PORT": str(ports[3]),
            "CDR_HEP_PORT": str(ports[4]),
            "CDR_GRACE_S": "2",
        }
        self.start()
        self.wait_healthy()
        self.env = dict(self.state.settings)
        names = {key.removeprefix("CDR_").lower(): value for key, value in self.env.items()}
        self.settings = Settings(**names)  # type: ignore[arg-type]
        self.client: clickhouse_connect.driver.Client = connect(self.settings.clickhouse, self.settings.database)
        self.workers = [_Worker(self)]

    @property
    def state(self) -> RunState:
        return read_run_file(self.data)

    @property
    def running(self) -> bool:
        return self._popen.poll() is None

    def start(self) -> None:
        """`cdr run`, as a person types it."""
        command = [sys.executable, "-m", "pipeline.cli", "run", "--data", str(self.data), "--no-traffic"]
        with (self.folder / "run.log").open("ab") as out:
            self._popen = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=self._run_environment
            )

    def wait_healthy(self) -> None:
        """Until every part is well, and each is the one that the product says."""

        def healthy() -> bool:
            try:
                return bool(status(self.data)["healthy"]) and self.state.pid == self._popen.pid
            except Problem:
                return False

        wait_for(healthy, lambda: (self.folder / "run.log").read_text(errors="replace")[-2000:])

    def kill(self, part: str) -> None:
        """kill -9 of a part, or of what keeps them all running; then it is started again."""
        if part != "the product":
            os.kill(self.state.parts[part].pid, signal.SIGKILL)
            return
        self._popen.kill()
        self._popen.wait()
        self.start()

    def close(self) -> None:
        self.client.close()
        self._popen.terminate()
        try:
            self._popen.wait(60)
        except subprocess.TimeoutExpired:
            self._popen.kill()
            self._popen.wait()


class _Worker(WorkerProcess):
    """The product's worker, whichever process it is now."""

    def __init__(self, product: Product) -> None:
        self._product = product
        self.log = product.data / "logs" / "worker.log"
        self._network = None

    @property
    def running(self) -> bool:
        return self._product.running

    @property
    def pid(self) -> int:
        return self._product.state.parts["worker"].pid


def embedded(arena: Arena) -> int:
    """kill -9 of Kafka, ClickHouse, worker, query service and HEP listener, now and then of two at once, and of the
    product itself; all must be well again by itself, or, when the product was killed, when it is run again."""
    product = Product(arena.folder)
    arena.closing.callback(product.close)
    arena.adopt(product)
    arena.until = time.monotonic() + arena.seconds
    done = 0
    left: list[str] = []  # each of them before one comes again
    while not arena.over:
        arena.pause(0.5, 5)
        left = left or arena.chance.sample(PARTS, len(PARTS))
        for _ in range(2 if arena.chance.random() < 0.3 and len(left) > 1 else 1):
            product.kill(left.pop())
            done += 1
        time.sleep(0.5)  # for the product to see it
        product.wait_healthy()
    return done
