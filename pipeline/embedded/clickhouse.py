"""The ClickHouse endpoint process: `python -m pipeline.embedded.clickhouse --path DIR --port N`.

Holds the data directory (one process a directory), listens until SIGTERM or SIGINT, lets running
statements end, and goes. The password of its user `cdr` is random and lies in DIR/secret, mode 0600.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import secrets
import shutil
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from pipeline.embedded.process import Child, accepts, start, wait_until
from pipeline.errors import DEPENDENCY, Problem

if TYPE_CHECKING:
    from pipeline.embedded.chdb_endpoint.endpoint import Handler

USER = "cdr"
LEAST_FREE_MB = 200
DRAIN_S = 5.0


def secret_of(path: Path) -> str:
    """The password of a data directory; made when it has none. Only its owner may read it."""
    file = path / "secret"
    try:
        return file.read_text().strip()
    except FileNotFoundError:
        pass
    path.mkdir(parents=True, exist_ok=True)
    value = secrets.token_urlsafe(24)
    fresh = file.with_suffix(f".{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write(value + "\n")
    try:
        os.link(fresh, file)  # the first of several that try at once wins
    except FileExistsError:
        value = file.read_text().strip()
    finally:
        fresh.unlink()
    return value


def url_of(path: Path, host: str, port: int) -> str:
    """The URL with user and password, as CDR_CLICKHOUSE takes it."""
    return f"http://{USER}:{secret_of(path)}@{host}:{port}"


def lock_directory(path: Path) -> BinaryIO:
    """Take the data directory for this process; Problem when another has it or it cannot be used."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        lock = (path / "lock").open("a+b")
        free_mb = shutil.disk_usage(path).free >> 20
    except OSError as error:
        raise Problem(
            f"The data directory {path} cannot be used: {error.strerror}.",
            hint="Choose another with --data.",
            code=DEPENDENCY,
        ) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        lock.seek(0)
        owner = lock.read().decode().strip() or "unknown"
        raise Problem(
            f"The data directory {path} is in use by process {owner}.",
            hint="Stop that one, or choose another directory with --data.",
            code=DEPENDENCY,
        ) from None
    if free_mb < LEAST_FREE_MB:
        raise Problem(
            f"The disk of {path} has {free_mb} MB free and ClickHouse needs at least {LEAST_FREE_MB}.",
            hint="Free some, or choose another directory with --data.",
            code=DEPENDENCY,
        )
    lock.truncate(0)
    lock.write(str(os.getpid()).encode())
    lock.flush()
    return lock


def serve(path: Path, host: str, port: int, *, authenticate: bool = True, handler: type[Handler] | None = None) -> None:
    """Listen until a signal comes. `handler` answers the connections."""
    os.environ["TZ"] = "UTC"  # the engine takes its time zone from here
    lock = lock_directory(path)
    try:
        from pipeline.embedded.chdb_endpoint.endpoint import Endpoint, Handler
        from pipeline.embedded.chdb_endpoint.engine import Engine
    except ImportError as error:
        raise Problem(
            f"The embedded ClickHouse is not installed ({error}).",
            hint="pip install 'call-detail-pipeline[embedded]'",
            code=DEPENDENCY,
        ) from None
    secret = secret_of(path) if authenticate else ""
    try:
        engine = Engine(path / "engine")
    except RuntimeError as error:
        raise Problem(
            f"The data in {path} cannot be opened: {error}",
            hint="It may be of a newer version, or damaged; choose another directory with --data.",
            code=DEPENDENCY,
        ) from None
    try:
        endpoint = Endpoint((host, port), engine, USER, secret, handler or Handler)
    except OSError as error:
        raise Problem(
            f"Cannot listen on {host}:{port}: {error.strerror}.",
            hint="Use another port, or --ports auto.",
            code=DEPENDENCY,
        ) from None
    stop = threading.Event()
    for sign in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sign, lambda *_: stop.set())
    threading.Thread(target=endpoint.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()
    print(f"listening on http://{host}:{endpoint.server_port}", file=sys.stderr, flush=True)
    stop.wait()
    endpoint.shutdown()
    endpoint.drained(DRAIN_S)
    engine.close()
    lock.close()


def begin_clickhouse(path: Path, port: int, log: Path, module: str = "pipeline.embedded.clickhouse") -> Child:
    """Start the endpoint as a child of this process; it answers a second later. `module` is what is run."""
    command = [sys.executable, "-m", module, "--path", str(path), "--port", str(port)]
    return start("clickhouse", command, log, {"TZ": "UTC"})


def start_clickhouse(path: Path, port: int, log: Path, module: str = "pipeline.embedded.clickhouse") -> Child:
    """The same, and wait until it answers."""
    child = begin_clickhouse(path, port, log, module)
    wait_until(child, lambda: accepts(port))
    return child


def main(handler: type[Handler] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="python -m pipeline.embedded.clickhouse", description=__doc__)
    parser.add_argument("--path", type=Path, required=True, help="data directory")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8123, help="0: any free one")
    parser.add_argument("--no-password", action="store_true", help="let every local client in")
    arguments = parser.parse_args()
    try:
        serve(arguments.path, arguments.host, arguments.port, authenticate=not arguments.no_password, handler=handler)
    except Problem as problem:
        print(f"clickhouse: {problem}", file=sys.stderr)
        sys.stderr.flush()
        os._exit(problem.code)
    sys.stderr.flush()
    os._exit(0)  # the engine's own threads need not be waited for: everything is on disk


if __name__ == "__main__":
    main()
