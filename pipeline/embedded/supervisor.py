"""The one-machine product: starts its parts, keeps them running, ends them without losing an event.

Order of the end: traffic stops, the worker makes durable what the broker holds, then it, the query
service, ClickHouse and the broker end. What the memory broker still holds after DRAIN_S goes to a
file and is produced again by the next run.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime as dt
import fcntl
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from aiokafka.errors import KafkaError

from pipeline.embedded import broker, clickhouse, kafka, unread
from pipeline.embedded.ports import PortMap, Ports, choose_ports
from pipeline.embedded.process import HOST, Child, start, wait_until
from pipeline.embedded.run_file import FILE, TOKEN_FILE, PartState, RunState, health_of, write_private, write_run_file
from pipeline.embedded.screen import Screen
from pipeline.errors import DEPENDENCY, Problem
from pipeline.kafka import raw_topics, topic_names
from pipeline.settings import Settings

DRAIN_S = 4.0
END_S = 3.0  # for each part to end by itself
BACK_OFF_S = (0.5, 1.0, 2.0, 5.0, 10.0)
DEMO_TENANT = "default"


@dataclass(frozen=True)
class Plan:
    """What to run."""

    data: Path
    ports: Ports = Ports.fixed
    broker: str = "tansu"
    traffic: bool = True
    rate: float = 1.0
    seed: int = 1


@dataclass
class Part:
    """One child: how it is started, and how often it has died."""

    name: str
    launch: Callable[[], Child]
    health: str
    child: Child | None = None
    deaths: int = 0
    again_at: float = 0.0

    @property
    def running(self) -> bool:
        """Whether its process is there."""
        return self.child is not None and self.child.running


class Stopped(BaseException):
    """The user has asked for the end while the product was starting."""


class Supervisor:
    """Starts, watches and ends the parts of one data directory."""

    def __init__(self, plan: Plan, settings: Settings, screen: Screen) -> None:
        """Nothing is started yet."""
        self.plan, self.settings, self.screen = plan, settings, screen
        self.data = plan.data.resolve()
        self.logs = self.data / "logs"
        self.parts: dict[str, Part] = {}
        self.stopping = False
        self.environment: dict[str, str] = {}
        self.map: PortMap | None = None

    def run(self) -> None:
        """Run until SIGINT or SIGTERM."""
        with self._only_one():
            for sign in (signal.SIGINT, signal.SIGTERM):
                signal.signal(sign, self._stop)
            try:
                self._start()
                self._watch()
            except Stopped:
                pass
            finally:
                self._end()

    def _stop(self, *_: object) -> None:
        if self.stopping:
            self.screen.say("Ending already; a few seconds.")
        self.stopping = True

    @contextlib.contextmanager
    def _only_one(self) -> Iterator[None]:
        try:
            self.data.mkdir(parents=True, exist_ok=True)
            lock = (self.data / "run.lock").open("a+b")
        except OSError as error:
            raise Problem(
                f"The data directory {self.data} cannot be used: {error.strerror}.",
                hint="Choose another with --data (make run DATA=dir).",
                code=DEPENDENCY,
            ) from None
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise Problem(
                    f"The product runs on {self.data} already.",
                    hint=f"See it with `cdr status --data {self.plan.data}`, or choose another directory with --data.",
                    code=DEPENDENCY,
                ) from None
            yield

    def _start(self) -> None:
        ports = self.map = choose_ports(self.plan.ports, self.settings)
        self.environment = self._settings_of(ports)
        with self.screen.starting() as step:
            with step(f"broker ({'Apache Kafka' if self.plan.broker == 'kafka' else 'in memory'})"):
                self._launch("broker", self._broker, f"{HOST}:{ports.broker}")
            with step("ClickHouse"):
                self._launch("clickhouse", self._clickhouse, f"http://{HOST}:{ports.clickhouse}/ping")
            with step("tables"):
                self._once("migrate")
            with step("worker"):
                self._command("worker", f"http://{HOST}:{ports.metrics}/readyz")
            with step("query service"):
                self._command("api", f"http://{HOST}:{ports.api}/readyz")
            with step("HEP listener"):
                self._command("hep", "")
            for name in ("worker", "api"):
                with step(f"{name} ready"):
                    self._await(self.parts[name])
            token = self._token()
            if self.plan.broker == "tansu" and (
                number := asyncio.run(unread.produce_unread(f"{HOST}:{ports.broker}", self.data))
            ):
                self.screen.say(f"{number} events that the last run had not read were produced again.")
            if self.plan.traffic:
                with step("traffic"):
                    self._traffic()
        self._write_run_file()
        self.screen.started(self._urls(), token, self.data, self.plan.traffic)

    def _settings_of(self, ports: PortMap) -> dict[str, str]:
        return {
            "CDR_KAFKA": f"{HOST}:{ports.broker}",
            "CDR_CLICKHOUSE": clickhouse.url_of(self.data / "clickhouse", HOST, ports.clickhouse),
            "CDR_DATABASE": self.settings.database,
            "CDR_DATA": str(self.data),
            "CDR_API_PORT": str(ports.api),
            "CDR_METRICS_PORT": str(ports.metrics),
            "CDR_HEP_PORT": str(ports.hep),
            "CDR_HEP_METRICS_PORT": "0",  # any: two products may run on one machine
        } | (broker.CLIENT_SETTINGS if self.plan.broker == "tansu" else {})

    def _broker(self) -> Child:
        assert self.map is not None
        log = self.logs / "broker.log"
        if self.plan.broker == "kafka":
            return kafka.start_kafka(self.data / "kafka", self.map.broker, log)
        return broker.start_tansu(self.map.broker, log)

    def _clickhouse(self) -> Child:
        assert self.map is not None
        return clickhouse.start_clickhouse(self.data / "clickhouse", self.map.clickhouse, self.logs / "clickhouse.log")

    def _launch(self, name: str, launch: Callable[[], Child], health: str) -> None:
        self._check()
        part = self.parts[name] = Part(name, launch, health)
        part.child = launch()

    def _cdr(self, name: str, *arguments: str) -> Child:
        return start(
            name, [sys.executable, "-m", "pipeline.cli", *arguments], self.logs / f"{name}.log", self.environment
        )

    def _command(self, name: str, health: str) -> None:
        self._launch(name, lambda: self._cdr(name, name), health)

    def _traffic(self) -> None:
        live = ["produce", "--scenario", "day", "--live", "--rate", str(self.plan.rate), "--seed", str(self.plan.seed)]
        self._launch("traffic", lambda: self._cdr("traffic", *live), "")

    def _once(self, *arguments: str) -> str:
        """Run a command to its end and give what it printed; Problem when it fails."""
        self._check()
        log = self.logs / f"{arguments[0]}.log"
        log.unlink(missing_ok=True)
        child = self._cdr(arguments[0], *arguments)
        while child.running:
            self._check()
            time.sleep(0.02)
        said = log.read_text(errors="replace").strip()
        if child.popen.returncode != 0:
            raise Problem(f"`cdr {' '.join(arguments)}` failed: {said[-500:]}", hint=f"Log: {log}", code=DEPENDENCY)
        return said

    def _await(self, part: Part) -> None:
        def ready() -> bool:
            self._check()
            assert part.child is not None
            return health_of(PartState(part.child.pid, part.health, "")) == "ok"

        assert part.child is not None
        wait_until(part.child, ready, seconds=120)

    def _check(self) -> None:
        if self.stopping:
            raise Stopped

    def _token(self) -> str:
        """The demo tenant's token: made by the first run, kept beside the data."""
        file = self.data / TOKEN_FILE
        if not file.exists():
            said = self._once("token", "create", "--tenant", DEMO_TENANT, "--name", "demo", "--scope", "admin")
            write_private(file, said.splitlines()[-1].encode() + b"\n")
            (self.logs / "token.log").unlink(missing_ok=True)  # a token is not for logs
        return file.read_text().strip()

    def _urls(self) -> dict[str, str]:
        assert self.map is not None
        return {
            "api": f"http://{HOST}:{self.map.api}",
            "docs": f"http://{HOST}:{self.map.api}/docs",
            "ingest": f"http://{HOST}:{self.map.api}/ingest",
            "metrics": f"http://{HOST}:{self.map.metrics}/metrics",
            "hep": f"udp+tcp://{self.settings.hep_host}:{self.map.hep}",
            "kafka": f"{HOST}:{self.map.broker}",
            "clickhouse": self.environment["CDR_CLICKHOUSE"],
        }

    def _write_run_file(self) -> None:
        parts = {
            name: PartState(part.child.pid, part.health, str(part.child.log))
            for name, part in self.parts.items()
            if part.child is not None
        }
        now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        token = str(self.data / TOKEN_FILE)
        topics = topic_names(self.settings)
        state = RunState(os.getpid(), str(self.data), now, self.plan.broker, self._urls(), token, parts, topics)
        write_run_file(self.data, state)

    def _watch(self) -> None:
        while not self.stopping:
            for part in self.parts.values():
                self._mend(part)
            self.screen.look()
            time.sleep(0.1)

    def _mend(self, part: Part) -> None:
        """Start a part again that has died, later each time it dies soon."""
        if part.running:
            return
        now = time.monotonic()
        if part.again_at == 0.0:
            assert part.child is not None
            wait = BACK_OFF_S[min(part.deaths, len(BACK_OFF_S) - 1)]
            part.deaths += 1
            part.again_at = now + wait
            loss = " What it held in memory is gone." if part.name == "broker" and self.plan.broker == "tansu" else ""
            self.screen.say(
                f"{part.name} ended with status {part.child.popen.returncode}; starting again in {wait:g} s."
                f"{loss} Log: {part.child.log}"
            )
        elif now >= part.again_at:
            part.again_at = 0.0
            try:
                part.child = part.launch()
                self._write_run_file()
            except Problem as problem:
                self.screen.say(str(problem))
                part.again_at = now + BACK_OFF_S[-1]

    def _end(self) -> None:
        """Drain and end everything. Runs whatever came before, also a failed start."""
        begun = time.monotonic()
        ran = any(part.running for part in self.parts.values())
        if ran:
            self.screen.say("Ending: the worker finishes what the broker holds ...")
        for name in ("traffic", "hep"):
            self._end_part(name)
        if self._runs("worker") and self._runs("broker"):
            self._drain(begun + DRAIN_S)
        self._end_part("worker")
        if self.plan.broker == "tansu" and self._runs("broker"):
            self._keep_unread()
        for name in ("api", "clickhouse", "broker"):
            self._end_part(name)
        (self.data / FILE).unlink(missing_ok=True)
        if ran:
            self.screen.say(f"Ended after {time.monotonic() - begun:.1f} s. Data: {self.data}")

    def _runs(self, name: str) -> bool:
        return name in self.parts and self.parts[name].running

    def _end_part(self, name: str) -> None:
        part = self.parts.get(name)
        if part is not None and part.child is not None and part.child.stop(END_S) == -signal.SIGKILL:
            self.screen.say(f"{name} did not end by itself within {END_S:g} s and was killed.")

    def _topics(self) -> list[str]:
        return [*raw_topics(self.settings).values(), self.settings.events_topic]

    def _drain(self, deadline: float) -> None:
        """Wait until the worker has made everything durable that was produced."""
        assert self.map is not None
        bootstrap = f"{HOST}:{self.map.broker}"
        with contextlib.suppress(KafkaError, OSError):  # a broker that fails now is told by what follows
            while time.monotonic() < deadline:
                if not asyncio.run(unread.any_unread(bootstrap, self.settings.group, self._topics())):
                    return
                time.sleep(0.1)

    def _keep_unread(self) -> None:
        assert self.map is not None
        bootstrap = f"{HOST}:{self.map.broker}"
        try:
            number = asyncio.run(unread.keep_unread(bootstrap, self.settings.group, self._topics(), self.data))
        except (KafkaError, OSError) as error:
            self.screen.say(f"What the broker still held could not be read: {error}. Produce it again if it matters.")
            return
        if number:
            self.screen.say(
                f"{number} events were not read in time; kept in {self.data / unread.FILE} for the next run."
            )
