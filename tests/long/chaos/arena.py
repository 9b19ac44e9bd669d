"""One round: servers, a deployment of its own, a load, a fault again and again, and the audit."""

from __future__ import annotations

import random
import shutil
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from pipeline.calls import fold
from pipeline.embedded.process import HOST
from pipeline.kafka import raw_topics
from tests.forks import run_cdr
from tests.long.chaos.audit import Audit, audit
from tests.long.chaos.feeder import Feeder
from tests.long.chaos.load import Load
from tests.long.chaos.network import Line
from tests.long.chaos.observed import Observed, Truth, observe, save
from tests.servers import BrokerServer, ClickHouseServer
from tests.worker.deployment import PATIENCE_S, Deployment, WorkerProcess, wait_for

SETTLE_S = 600.0


@dataclass
class Arena:
    """What a fault acts upon. It acts for so many `seconds` from the first batch that a worker stored."""

    broker: BrokerServer
    clickhouse: ClickHouseServer
    folder: Path
    chance: random.Random
    load: Load
    seconds: float
    kafka_line: Line  # lead to the parts, and can be made worse
    clickhouse_line: Line
    strikes: int = 0  # how many are wanted; 0: as many as fit
    evidence: Path | None = None  # where a round that fails leaves what was sent and what was found
    broken: list[str] = field(default_factory=list)  # what a fault found that must not be
    reports: list[str] = field(default_factory=list)  # ids of reports that were asked for
    cdr: Callable[..., subprocess.CompletedProcess[bytes]] = run_cdr  # how a command is run
    older: str = ""  # a commit of this repository: the version before, of `upgrade`
    repeats: int = 0  # posts of webhooks that kills may have repeated
    rests: list[tuple[Callable[[], bool], str]] = field(default_factory=list)  # what else must come to rest
    # Each adds what the tables do not say, and gives what is broken in it.
    observers: list[Callable[[Observed], list[str]]] = field(default_factory=list)
    observed: Observed = field(default_factory=Observed)  # at the last audit
    closing: ExitStack = field(default_factory=ExitStack)  # parts of this round alone
    until: float = field(init=False)  # monotonic
    deployment: Deployment = field(init=False)
    feeder: Feeder = field(init=False)
    rss_mb: float = 0.0

    def begin(self, **env: Any) -> Deployment:
        """The deployment, and the load on it."""
        self.folder.mkdir(parents=True, exist_ok=True)
        settings = {"batch_events": 400, "grace_s": 2, "rebalance_timeout_s": 10} | env
        self.adopt(Deployment(self.broker, self.clickhouse, self.folder, **settings))
        return self.deployment

    def adopt(self, deployment: Deployment) -> None:
        """Put the load on a deployment."""
        self.until = time.monotonic() + self.seconds + PATIENCE_S
        self._working = False
        self.deployment = deployment
        self.feeder = Feeder(deployment.settings, self.load)

    @property
    def by_line(self) -> dict[str, str]:
        """Settings of a worker that comes to Kafka and ClickHouse by the two lines."""
        url = self.clickhouse.url.replace(f":{self.clickhouse.port}", f":{self.clickhouse_line.port}")
        return {"kafka": f"{HOST}:{self.kafka_line.port}", "clickhouse": url}

    @property
    def period(self) -> tuple[str, ...]:
        """Options of a command that looks at all calls."""
        return "--from", "2020-01-01", "--to", f"{date.today() + timedelta(days=2)}"

    @property
    def over(self) -> bool:
        return time.monotonic() > self.until

    def done(self, strikes: int) -> bool:
        """Whether there were enough strikes: as many as wanted, or as many as fit."""
        return strikes >= self.strikes if self.strikes else self.over

    def worker(self, **env: Any) -> WorkerProcess:
        """A worker that may still be starting."""
        return self.deployment.worker(ready=False, **env)

    def working(self, worker: WorkerProcess, batches: int = 1, seconds: float = 60) -> bool:
        """Wait until it has stored so many batches; False when it ended before."""
        deadline = time.monotonic() + seconds
        while worker.running and time.monotonic() < deadline:
            if worker.metric("cdr_batches_total") >= batches:
                if not self._working:
                    self._working, self.until = True, time.monotonic() + self.seconds
                return True
            time.sleep(0.05)
        return False

    def pause(self, least: float, most: float) -> None:
        time.sleep(self.chance.uniform(least, most))

    def healthy(self) -> None:
        """At least one worker runs."""
        if not any(worker.running for worker in self.deployment.workers):
            self.worker(batch_events=20_000)  # what is left is read at once, not in the small batches of the fault

    def finish(self) -> Audit:
        """Let everything come to rest and compare it with the truth."""
        self.feeder.stop()
        self.healthy()
        # What raw sources, wrong keys and joined calls send on comes after what they were read from.
        for _ in range(3):
            self.deployment.wait_done(SETTLE_S)
            wait_for(lambda: raw_done(self.deployment), "raw events read", SETTLE_S)
        for done, what in self.rests:
            wait_for(done, what, SETTLE_S)
        running = [worker for worker in self.deployment.workers if worker.running]
        self.rss_mb = max((worker.rss_mb for worker in running), default=0.0)
        deadline = time.monotonic() + 25  # what two owners wrote at once is set right after seconds
        while not (found := self._audit()).clean and time.monotonic() < deadline:
            time.sleep(2)  # rows of open calls may be a moment old
        self._verified(found)
        if not found.clean:
            self.keep_evidence(found)
        self.close()
        return found

    @property
    def truth(self) -> Truth:
        """What was sent so far."""
        return Truth(self.load.events, sorted(self.load.poison), self.reports, self.repeats, fold.GENERATION)

    def _audit(self) -> Audit:
        self.observed = observe(self.deployment)
        broken = [each for add in self.observers for each in add(self.observed)]
        found = Audit()
        for each in [*self.broken, *broken]:
            found.found("wrong", "promise broken", each)
        return found + audit(self.truth, self.observed)

    def keep_evidence(self, found: Audit) -> None:
        """What was sent and what was found, to be judged again with `--replay`, and the logs of the workers."""
        if self.evidence is None:
            return
        save(self.evidence, self.truth, self.observed)
        (self.evidence / "found.txt").write_text("\n".join(found.examples) + "\n")
        for log in (*self.folder.glob("*.log"), *self.folder.glob("*/logs/*.log")):
            shutil.copy(log, self.evidence)

    def _verified(self, found: Audit) -> None:
        """`cdr verify` finds nothing either."""
        verify = self.cdr("verify", *self.period, "--output", "ndjson", env=self.deployment.environment)
        if verify.returncode != 0:
            found.found("wrong", "cdr verify", (verify.stderr[-300:], verify.stdout[:600]))

    def give_up(self, found: Audit) -> None:
        """End a round that came to no rest; what there is, is kept."""
        if not hasattr(self, "feeder"):
            self.close()
            return
        self.feeder.give_up()
        with suppress(Exception):  # a server may be away: what was seen before is better than nothing
            self.observed = observe(self.deployment)
        self.keep_evidence(found)
        self.close()

    def close(self) -> None:
        """End what belongs to this round."""
        if hasattr(self, "feeder"):
            self.feeder.give_up()
        if hasattr(self, "deployment"):
            self.deployment.close()
        self.closing.close()


def raw_done(deployment: Deployment) -> bool:
    """Whether everything in the raw topics is decoded and sent on."""
    return all(_topic_done(deployment, topic) for topic in raw_topics(deployment.settings).values())


def _topic_done(deployment: Deployment, topic: str) -> bool:
    ends, committed = deployment.log_ends(topic), deployment.committed(topic=topic)
    return all(committed.get(partition, 0) >= end for partition, end in ends.items())


Fault = Callable[[Arena], int]
