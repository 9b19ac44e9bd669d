"""`cdr run` as a user has it: the processes, their end, and what is left."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.embedded.process import free_port
from tests.forks import cdr

pytestmark = pytest.mark.embedded

CDR = [sys.executable, "-m", "pipeline.cli"]


@contextlib.contextmanager
def product(data: Path, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """A running product; killed with all its parts at the end if it still runs."""
    out = (data.parent / "out.log").open("ab")
    command = [*CDR, "run", "--data", str(data), "--ports", "auto", *options]
    with out, subprocess.Popen(command, stdout=out, stderr=out) as running:
        try:
            yield running
        finally:
            running.kill()


def wait_for(condition: Callable[[], Any], what: str, seconds: float = 180) -> Any:
    deadline = time.monotonic() + seconds
    trouble = ""
    while time.monotonic() < deadline:
        try:
            if (found := condition()) is not None:
                return found
        except (OSError, subprocess.TimeoutExpired) as error:  # a busy machine answers later
            trouble = f" ({error})"
        time.sleep(0.5)
    raise AssertionError(f"not within {seconds} s: {what}{trouble}")


def status(data: Path) -> dict[str, Any] | None:
    done = cdr("status", "--data", str(data), "--output", "json")
    found: dict[str, Any] | None = json.loads(done.stdout) if done.returncode == 0 else None
    return found


def ask(state: dict[str, Any], sql: str) -> str:
    url = state["urls"]["clickhouse"]
    user, _, place = url.removeprefix("http://").partition("@")
    name, _, password = user.partition(":")
    headers = {"X-ClickHouse-User": name, "X-ClickHouse-Key": password}
    request = urllib.request.Request(f"http://{place}/?database=cdr", sql.encode(), headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return str(answer.read().decode().strip())


def cdrs(state: dict[str, Any]) -> int:
    headers = {"Authorization": f"Bearer {state['token']}"}
    request = urllib.request.Request(state["urls"]["api"] + "/api/cdrs?top=1&count=true", headers=headers)
    with urllib.request.urlopen(request, timeout=30) as answer:
        return int(json.load(answer)["count"])


def produce(state: dict[str, Any], *options: str) -> int:
    environment = dict(os.environ) | {"CDR_KAFKA": state["urls"]["kafka"], "CDR_IDEMPOTENT_PRODUCER": "false"}
    done = cdr("produce", *options, env=environment)
    assert done.returncode == 0, done.stderr
    return int(done.stderr.split(" events produced")[0].split()[-1])


def test_calls_in_cdrs_out_and_nothing_lost_at_the_end(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with product(data, "--no-traffic") as running:
        state = wait_for(lambda: status(data), "healthy")
        assert oct((data / "run.json").stat().st_mode & 0o777) == "0o600"
        assert state["topics"]["events"] == "call-events" and state["topics"]["asterisk"] == "asterisk-events"
        shown = subprocess.run([*CDR, "status", "--data", str(data)], capture_output=True, text=True, timeout=60)
        assert "call-events, " in shown.stdout and "dead-letters" in shown.stdout
        produce(state, "--scenario", "answered", "--calls", "50", "--seed", "2")
        wait_for(lambda: cdrs(state) == 50 or None, "fifty calls")
        more = produce(state, "--scenario", "queue", "--calls", "2000", "--seed", "3")
        running.send_signal(signal.SIGTERM)
        assert running.wait(60) == 0
    assert more > 10_000
    assert status(data) is None
    with product(data, "--no-traffic") as running:
        state = wait_for(lambda: status(data), "healthy again")
        wait_for(lambda: cdrs(state) == 2050 or None, "all calls of the first run")
        assert ask(state, "SELECT count() FROM calls WHERE state = 'open'") == "0"
        running.send_signal(signal.SIGINT)
        assert running.wait(60) == 0


def test_first_calls_are_shown_and_a_dead_part_comes_back(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with product(data, "--rate", "2") as running:
        state = wait_for(lambda: status(data), "healthy")
        shown = tmp_path / "out.log"
        wait_for(lambda: "end reason" in shown.read_text() or None, "the table of first calls")
        os.kill(state["parts"]["worker"]["pid"], signal.SIGKILL)

        def back() -> dict[str, Any] | None:
            found = status(data)
            return found if found and found["parts"]["worker"]["pid"] != state["parts"]["worker"]["pid"] else None

        state = wait_for(back, "a new worker")
        known = cdrs(state)
        wait_for(lambda: cdrs(state) > known or None, "more calls")
        assert "worker ended with status" in shown.read_text()
        second = subprocess.run(
            [*CDR, "run", "--data", str(data), "--ports", "auto"],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (second.returncode, "runs on" in second.stderr) == (3, True)
        pids = [part["pid"] for part in state["parts"].values()]
        running.kill()
        running.wait()
        wait_for(lambda: not any(map(_alive, pids)) or None, "all parts gone with a killed supervisor", 30)


def _alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def test_port_in_use_says_what_to_do(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        environment = dict(os.environ) | {
            "CDR_KAFKA": f"127.0.0.1:{free_port()}",
            "CDR_CLICKHOUSE": f"http://127.0.0.1:{port}",
        }
        done = subprocess.run(
            [*CDR, "run", "--data", str(tmp_path / "data")],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert done.returncode == 3
    assert f"Port {port}, for ClickHouse, is in use. End what listens there" in done.stderr
    assert "Traceback" not in done.stderr


def test_status_without_a_product(tmp_path: Path) -> None:
    done = subprocess.run(
        [*CDR, "status", "--data", str(tmp_path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, "Start it: cdr run" in done.stderr) == (3, True)
