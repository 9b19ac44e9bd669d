"""Hours of steady load with a kill every minute: nothing grows, nothing becomes slower, nothing is lost.

    python -m tests.long.chaos.soak --minutes 60 --rate 1000

Prints of each process how its memory, files and threads changed, as a slope an hour by least squares over all but the
first sixth, and how fresh calls are: from a call's last event handed to Kafka to its closed row in ClickHouse.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import sys
import threading
import time
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from tests.forks import Forked, run_cdr
from tests.long.chaos.arena import raw_done
from tests.long.chaos.feeder import TICK_S, Feeder
from tests.long.chaos.load import Load
from tests.long.chaos.parts import Parts, servers
from tests.worker.deployment import Deployment, WorkerProcess, wait_for
from tests.worker.phone_calls import event, now_ms

EVENTS_A_CALL = 10.5  # of the load, on average
SAMPLE_S = 5.0
# What counts as flat, over an hour. Of runs of less than half an hour the slopes say nothing, and are not judged.
JUDGED_MINUTES = 30
MOST = {"rss": 0.10, "files": 3.0, "threads": 3.0}  # rss: a share of its mean; the others: numbers


@dataclass
class Endless(Load):
    """The same load; it counts what it tells and forgets it."""

    told: int = 0

    def tick(self) -> Any:
        messages = super().tick()
        # All events of a call are told at once; two reports of one fact at one moment are one row of the archive.
        self.told += len({(each.tenant, each.call_id, each.event_id, each.at) for each in self.events})
        self.events.clear()
        return messages


@dataclass
class Series:
    """Samples of one figure of one process: (seconds since the begin, value)."""

    points: list[tuple[float, float]] = field(default_factory=list)

    def slope(self) -> float:
        """Change an hour, by least squares, without the first sixth of the time."""
        first = self.points[-1][0] / 6 if self.points else 0.0
        kept = [(at, value) for at, value in self.points if at >= first]
        if len(kept) < 3:
            return 0.0
        line = statistics.linear_regression([at for at, _ in kept], [value for _, value in kept])
        return line.slope * 3600

    @property
    def mean(self) -> float:
        return statistics.fmean(value for _, value in self.points)


def sample(pid: int) -> dict[str, float]:
    """RSS in MiB, open files, threads; nothing of a process that is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
        files = sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return {}
    rss = int(status.partition("VmRSS:")[2].split()[0]) / 1024
    return {"rss": rss, "files": files, "threads": int(status.partition("Threads:")[2].split()[0])}


class Probe:
    """Sends a short call every few seconds and waits for its closed row."""

    def __init__(self, deployment: Deployment) -> None:
        self._deployment = deployment
        self._client = deployment.clickhouse.client(deployment.database)
        self.freshness = Series()
        self._stop = threading.Event()
        self._began = time.monotonic()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(120)
        self._client.close()

    def _run(self) -> None:
        number = 0
        while not self._stop.wait(SAMPLE_S):
            call_id, at = f"probe-{number}", now_ms() - 5_000
            number += 1
            kinds = ("started", "answered", "ended")
            events = [event(call_id, kind, at + 1_000 * n, n, leg_id="a") for n, kind in enumerate(kinds)]
            self._deployment.produce(events)
            handed = time.monotonic()
            while not self._closed(call_id) and time.monotonic() - handed < 120:
                time.sleep(0.05)
            self.freshness.points.append((handed - self._began, time.monotonic() - handed))

    def _closed(self, call_id: str) -> bool:
        query = "SELECT count() FROM call_rows WHERE call_id = {id:String} AND state = 'closed'"
        return bool(self._client.query(query, parameters={"id": call_id}).result_rows[0][0])


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.long.chaos.soak",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--rate", type=float, default=1000, help="events a second")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
    with servers() as parts:
        return soak(parts, given.minutes, given.rate, given.seed)


def soak(parts: Parts, minutes: float, rate: float, seed: int) -> int:
    """Run and judge; the exit status."""
    folder = parts.folder / "soak"
    folder.mkdir()
    deployment = Deployment(parts.broker, parts.clickhouse, folder, rebalance_timeout_s=10)
    steady = deployment.worker(group_instance="steady")
    killed = deployment.worker(group_instance="killed")
    with (folder / "api.log").open("ab") as out:
        api = Forked(["api", "--port", "0"], stdout=out, stderr=out, env=deployment.environment)
    load = Endless(seed, calls_a_tick=max(1, round(rate * TICK_S / EVENTS_A_CALL)))
    feeder, probe = Feeder(deployment.settings, load), Probe(deployment)
    found: dict[tuple[str, str], Series] = defaultdict(Series)
    began = time.monotonic()
    minute, kills = 0, 0
    while (at := time.monotonic() - began) < minutes * 60:
        for name, pid in _processes(parts, steady, killed, api).items():
            for figure, value in sample(pid).items():
                found[name, figure].points.append((at, value))
        if int(at // 60) > minute:
            minute = int(at // 60)
            killed.kill()
            kills += 1
            killed = deployment.worker(ready=False, group_instance="killed")
        time.sleep(SAMPLE_S)
    feeder.stop()
    probe.stop()
    seconds = time.monotonic() - began
    for _ in range(3):
        deployment.wait_done(600)
        wait_for(lambda: raw_done(deployment), "raw events read", 600)
    broken = _judge(found, probe.freshness, seconds) if minutes >= JUDGED_MINUTES else []
    _print(found, probe.freshness)
    told = load.told + 3 * len(probe.freshness.points)
    print(
        f"{seconds / 60:.0f} minutes, {kills} kills, {load.calls} calls, {told} events, {told / seconds:.0f} a second"
    )
    broken += _audit(deployment, told)
    api.terminate()
    api.wait(30)
    deployment.close()
    for each in broken:
        print(f"*** {each}")
    return 1 if broken else 0


def _processes(parts: Parts, steady: WorkerProcess, killed: WorkerProcess, api: Forked) -> dict[str, int]:
    assert parts.broker.child is not None and parts.clickhouse.child is not None
    return {
        "worker": steady.pid,
        "worker, killed every minute": killed.pid,
        "query service": api.pid,
        "ClickHouse": parts.clickhouse.child.pid,
        "Kafka": parts.broker.child.pid,
    }


def _judge(found: dict[tuple[str, str], Series], freshness: Series, seconds: float) -> list[str]:
    broken = []
    for (name, figure), series in found.items():
        most = MOST[figure] * (series.mean if figure == "rss" else 1)
        if series.slope() > most:
            broken.append(f"{figure} of {name} grows by {series.slope():.1f} an hour; {most:.1f} are allowed")
    third = seconds / 3
    early = [value for at, value in freshness.points if at < third]
    late = [value for at, value in freshness.points if at >= 2 * third]
    if statistics.median(late) > 1.5 * statistics.median(early) + 0.2:
        broken.append(f"freshness went from {statistics.median(early):.2f} to {statistics.median(late):.2f} s")
    return broken


def _print(found: dict[tuple[str, str], Series], freshness: Series) -> None:
    print(f"{'process':28} {'figure':8} {'first':>8} {'mean':>8} {'last':>8} {'slope/h':>9}")
    for (name, figure), series in found.items():
        first, last = series.points[0][1], series.points[-1][1]
        print(f"{name:28} {figure:8} {first:8.1f} {series.mean:8.1f} {last:8.1f} {series.slope():+9.1f}")
    values = sorted(value for _, value in freshness.points)
    p50, p99 = values[len(values) // 2], values[min(len(values) - 1, len(values) * 99 // 100)]
    worst, slope = values[-1], freshness.slope()
    print(f"freshness: p50 {p50:.2f} s, p99 {p99:.2f} s, worst {worst:.2f} s, slope {slope:+.2f} s an hour")


def _audit(deployment: Deployment, told: int) -> list[str]:
    """Every event is archived, and `cdr verify` finds nothing."""
    broken: list[str] = []
    count = "SELECT count() FROM event_rows FINAL WHERE NOT startsWith(event_id, 'joined:')"

    def archived() -> int:
        return int(deployment.client.query(count).result_rows[0][0])

    if archived() != told:
        broken.append(f"{archived()} events archived, {told} told")
    period = ("--from", "2020-01-01", "--to", f"{date.today() + timedelta(days=2)}")
    verify = run_cdr("verify", *period, "--output", "ndjson", env=deployment.environment, seconds=1800)
    if verify.returncode != 0:
        broken.append(f"cdr verify: {verify.stderr[-300:]!r} {verify.stdout[:600]!r}")
    return broken


if __name__ == "__main__":
    sys.exit(main())
