"""The one-machine product: starts its parts, keeps them running, ends them.

Order of the end: traffic stops, then the worker, which makes durable what it has begun, the query service, ClickHouse
and Kafka. What nobody has read stays in Kafka's log, and the next run goes on with it.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import fcntl
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator

from pipeline.embedded import clickhouse, kafka
from pipeline.embedded.parts import Part, Plan
from pipeline.embedded.ports import PortMap, choose_ports
from pipeline.embedded.process import HOST, Child, start, wait_until
from pipeline.embedded.run_file import FILE, TOKEN_FILE, PartState, RunState, health_of, write_private, write_run_file
from pipeline.embedded.screen import Screen
from pipeline.errors import DEPENDENCY, Problem
from pipeline.kafka import topic_names
from pipeline.settings import Settings

PATIENCE_S = 180.0  # for each part to be ready: a busy machine takes its time over a JVM
END_S = 5.0  # for each part to end by itself
BACK_OFF_S = (0.5, 1.0, 2.0, 5.0, 10.0)
DEMO_TENANT = "default"
_DEMO_SCOPES = ("--scope", "admin", "--scope", "operate")  # who runs it looks after it


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
        os.umask(0o077)  # whatever is written here is for its owner only: calls, passwords, tokens, exports
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
            lock_file = self.data / "run.lock"
            if lock_file.exists():  # of a version that left it open to other users
                self.data.chmod(0o700)
            lock = lock_file.open("a+b")
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
        kafka.classpath()  # fetched now, with a progress bar of its own
        ports = self.map = choose_ports(self.plan.ports, self.settings)
        self.environment = self._settings_of(ports)
        with self.screen.starting() as step:
            with step("ClickHouse"):
                self._launch("clickhouse", self._clickhouse, f"http://{HOST}:{ports.clickhouse}/ping")
                self._launch("kafka", self._kafka, f"{HOST}:{ports.broker}")  # takes its time meanwhile
                self._await("clickhouse")
            with step("tables"):
                self._once("migrate", *self._company())
            with step("Apache Kafka"):
                self._await("kafka")
            self._command("worker", f"http://{HOST}:{ports.metrics}/readyz")
            self._command("api", f"http://{HOST}:{ports.api}/readyz")
            self._command("hep", "")
            with step("query service"):
                self._await("api")
            with step("worker"):
                self._await("worker")
            token = self._token()
            if self.plan.traffic:
                with step("traffic"):
                    self._traffic()
        self._write_run_file()
        if self.settings.hep_is_open:
            self.screen.say(
                f"HEP is open on {self.settings.hep_host}: anyone who reaches port {ports.hep} can forge calls."
                " Set CDR_HEP_PASSWORD or CDR_HEP_SENDERS."
            )
        self.screen.started(self._urls(), token, self.plan.data, self.plan.traffic)

    def _settings_of(self, ports: PortMap) -> dict[str, str]:
        return {
            **kafka.client_settings(self.data / "kafka", ports.broker),
            "CDR_CLICKHOUSE": clickhouse.url_of(self.data / "clickhouse", HOST, ports.clickhouse),
            "CDR_DATABASE": self.settings.database,
            "CDR_DATA": str(self.data),
            "CDR_API_PORT": str(ports.api),
            "CDR_METRICS_PORT": str(ports.metrics),
            "CDR_HEP_PORT": str(ports.hep),
            "CDR_WEBHOOK_KEY": self.settings.webhook_key or clickhouse.secret_of(self.data / "webhooks"),
            "CDR_HEP_METRICS_PORT": "0",  # any: two products may run on one machine
        }

    def _kafka(self) -> Child:
        assert self.map is not None
        folder = self.data / "kafka"
        kafka.write_client_config(folder, self.map.broker)
        return kafka.begin_private_kafka(folder, self.map.broker, self.logs / "kafka.log")

    def _clickhouse(self) -> Child:
        assert self.map is not None
        return clickhouse.begin_clickhouse(self.data / "clickhouse", self.map.clickhouse, self.logs / "clickhouse.log")

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

    def _await(self, name: str) -> None:
        part = self.parts[name]
        assert part.child is not None
        state = PartState(part.child.pid, part.health, "")

        def ready() -> bool:
            self._check()
            return health_of(state) == "ok"

        wait_until(part.child, ready, PATIENCE_S)

    def _check(self) -> None:
        if self.stopping:
            raise Stopped

    def _token(self) -> str:
        """The demo tenant's token: made by the first run, kept beside the data."""
        file = self.data / TOKEN_FILE
        if not file.exists():
            said = self._once("token", "create", "--tenant", DEMO_TENANT, "--name", "demo", *_DEMO_SCOPES)
            write_private(file, said.splitlines()[-1].encode() + b"\n")
            (self.logs / "token.log").unlink(missing_ok=True)  # a token is not for logs
        return file.read_text().strip()

    def _company(self) -> tuple[str, ...]:
        """The first run with traffic stores what the simulated company has written down, before a call is priced."""
        first = self.plan.traffic and not (self.data / TOKEN_FILE).exists()
        return ("--company", DEMO_TENANT) if first else ()

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
        settings = {name: value for name, value in os.environ.items() if name.startswith("CDR_")} | self.environment
        write_run_file(
            self.data, RunState(os.getpid(), str(self.data), now, self._urls(), token, parts, topics, settings)
        )

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
            self.screen.say(
                f"{part.name} ended with status {part.child.popen.returncode}; starting again in {wait:g} s."
                f" Log: {part.child.log}"
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
        """End everything in order. Runs whatever came before, also a failed start."""
        begun = time.monotonic()
        ran = any(part.running for part in self.parts.values())
        if ran:
            self.screen.say("Ending: the worker makes durable what it has begun ...")
        for name in ("traffic", "hep", "worker", "api", "clickhouse", "kafka"):
            self._end_part(name)
        (self.data / FILE).unlink(missing_ok=True)
        if ran:
            self.screen.say(f"Ended after {time.monotonic() - begun:.1f} s. Data: {self.data}")

    def _end_part(self, name: str) -> None:
        part = self.parts.get(name)
        if part is not None and part.child is not None and part.child.stop(END_S) == -signal.SIGKILL:
            self.screen.say(f"{name} did not end by itself within {END_S:g} s and was killed.")
