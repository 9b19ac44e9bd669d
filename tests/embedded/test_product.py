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


def produce(data: Path, *options: str) -> int:
    """Produce with the settings of the product that runs on `data`."""
    done = cdr("produce", *options, "--data", str(data), env=bare())
    assert done.returncode == 0, done.stderr
    assert f"cdr: the product on {data}\n" in done.stderr
    return int(done.stderr.split(" events produced")[0].split()[-1])


def bare() -> dict[str, str]:
    """An environment without any setting of ours."""
    return {name: value for name, value in os.environ.items() if not name.startswith("CDR_")}


def open_to_others(data: Path) -> list[str]:
    """What is there for users other than its owner."""
    return [str(path) for path in (data, *data.rglob("*")) if path.lstat().st_mode & 0o077 and not path.is_symlink()]


def test_calls_in_cdrs_out_and_nothing_lost_over_a_kill(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with product(data, "--no-traffic"):
        state = wait_for(lambda: status(data), "healthy")
        assert state["topics"]["events"] == "call-events" and state["topics"]["asterisk"] == "asterisk-events"
        shown = subprocess.run([*CDR, "status", "--data", str(data)], capture_output=True, text=True, timeout=60)
        for each in ("call-events, ", "dead-letters", state["clickhouse"]["password"], state["clickhouse"]["url"]):
            assert each in shown.stdout
        produce(data, "--scenario", "answered", "--calls", "50", "--seed", "2")
        wait_for(lambda: cdrs(state) == 50 or None, "fifty calls")
        assert open_to_others(data) == []
        os.kill(state["parts"]["worker"]["pid"], signal.SIGSTOP)  # what is produced now is not read
        more = produce(data, "--scenario", "queue", "--calls", "2000", "--seed", "3")
        for part in state["parts"].values():
            os.kill(part["pid"], signal.SIGKILL)
    assert more > 10_000
    with product(data, "--no-traffic") as running:
        state = wait_for(lambda: status(data), "healthy again")
        wait_for(lambda: cdrs(state) == 2050 or None, "all calls of the first run")
        assert ask(state, "SELECT count() FROM calls WHERE state = 'open'") == "0"
        running.send_signal(signal.SIGINT)
        assert running.wait(60) == 0
    assert status(data) is None


# The commands of every group that speak to a server, as a person types them beside `make run`.
TYPED = (
    "doctor",
    "migrate --dry-run",
    "token create --tenant default --name typed",
    "token list",
    "user create --tenant default --username alice --extension 101",
    "user list",
    "directory show",
    "rates list",
    "rates test +442071838750 --duration 60",
    "report run traffic --range TODAY",
    "report list",
    "webhook create --url https://example.com/hook",
    "webhook list",
    "dead-letters list",
    "verify --from 2026-01-01",
    "rebuild --from 2026-01-01",
    "erase --number +12125550100 --dry-run",
    "retention list",
)


def test_every_command_finds_the_product_that_runs(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with product(data, "--no-traffic") as running:
        wait_for(lambda: status(data), "healthy")
        for typed in TYPED:
            done = cdr(*typed.split(), cwd=tmp_path, env=bare())  # whose ./data it is
            assert done.returncode == 0, f"{typed}: {done.stderr}"
            assert done.stderr.startswith("cdr: the product on data\n"), f"{typed}: {done.stderr}"
        elsewhere = bare() | {"CDR_CLICKHOUSE": f"http://127.0.0.1:{free_port()}"}
        done = cdr("token", "list", cwd=tmp_path, env=elsewhere)
        assert done.returncode == 3 and elsewhere["CDR_CLICKHOUSE"].removeprefix("http://") in done.stderr
        done = cdr("dead-letters", "list", cwd=tmp_path, env=elsewhere)
        assert done.stderr.startswith("cdr: the product on data, ClickHouse as CDR_CLICKHOUSE says\n")
        assert done.returncode == 0
        running.send_signal(signal.SIGINT)
        assert running.wait(60) == 0
    done = cdr("token", "list", "--data", str(data), env=bare())
    assert done.returncode == 3 and done.stderr.startswith(f"cdr: Nothing runs on {data}.")


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
