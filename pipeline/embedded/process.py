"""A program started as a child of this process: its log, its end, and what it said last."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import DEPENDENCY, Problem

HOST = "127.0.0.1"


def free_port(host: str = HOST) -> int:
    """A TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def port_is_free(port: int, host: str = HOST) -> bool:
    """Whether a server could listen on the port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def accepts(port: int, host: str = HOST) -> bool:
    """Whether somebody listens on the port."""
    with contextlib.suppress(OSError), socket.create_connection((host, port), timeout=1):
        return True
    return False


@dataclass
class Child:
    """A running program, leader of its own process group."""

    name: str
    popen: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        """Its process id."""
        return self.popen.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self.popen.poll() is None

    def last_words(self, lines: int = 5) -> str:
        """The end of its log."""
        with contextlib.suppress(OSError):
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])
        return ""

    def signal(self, sign: int) -> None:
        """Send a signal to it and to what it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, sign)

    def stop(self, seconds: float = 10.0) -> int:
        """SIGTERM, then SIGKILL when it has not ended in time. Gives its exit status."""
        if self.running:
            self.signal(signal.SIGCONT)
            self.signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                return self.popen.wait(seconds)
        return self.kill()

    def kill(self) -> int:
        """SIGKILL, to it and to what it started."""
        self.signal(signal.SIGKILL)
        return self.popen.wait()


def start(
    name: str, command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None, cwd: Path | None = None
) -> Child:
    """Start a program that ends with this process. Its output is appended to `log`."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as out:
        popen = subprocess.Popen(
            [sys.executable, "-m", "pipeline.embedded.leash", str(os.getpid()), *command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
            env=dict(os.environ) | {"PYTHONUNBUFFERED": "1"} | dict(environment or {}),
            cwd=cwd,
        )
    return Child(name, popen, log)


def wait_until(child: Child, ready: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait until the program is ready; Problem with its last words when it ends or takes too long."""
    deadline = time.monotonic() + seconds
    while not ready():
        if not child.running:
            said = child.last_words(1).removeprefix(f"{child.name}: ") or "it said nothing"
            raise Problem(f"{child.name} ended: {said}", hint=f"Log: {child.log}", code=DEPENDENCY)
        if time.monotonic() > deadline:
            child.kill()
            raise Problem(
                f"{child.name} was not ready after {seconds:.0f} s: {child.last_words(3)}",
                hint=f"Log: {child.log}",
                code=DEPENDENCY,
            )
        time.sleep(0.05)
