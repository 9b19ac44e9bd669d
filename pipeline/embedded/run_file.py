"""DIR/run.json: where the parts of a running product are, for `cdr status` and for scripts.

Only its owner may read it: there are passwords in it.
"""

from __future__ import annotations

import os
import socket
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec

from pipeline.embedded.process import HOST
from pipeline.errors import DEPENDENCY, Problem

FILE = "run.json"
TOKEN_FILE = "token"


class PartState(msgspec.Struct, frozen=True):
    """One child process. `health` is a URL that answers 200 when it is ready, or host:port, or empty."""

    pid: int
    health: str
    log: str


class RunState(msgspec.Struct, frozen=True):
    """A running product. `settings` are environment variables with which any command speaks to it."""

    pid: int
    data: str
    started_at: str
    urls: dict[str, str]
    token_file: str
    parts: dict[str, PartState]
    topics: dict[str, str] = {}
    settings: dict[str, str] = {}


def write_run_file(folder: Path, state: RunState) -> None:
    """Put the file in place at once, so that nobody reads half of it."""
    write_private(folder / FILE, msgspec.json.format(msgspec.json.encode(state)) + b"\n")


def write_private(file: Path, content: bytes) -> None:
    """Write a file that only its owner may read."""
    fresh = file.with_suffix(file.suffix + ".new")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(content)
    fresh.replace(file)


def read_run_file(folder: Path) -> RunState:
    """The running product of a data directory; Problem when none runs there."""
    missing = Problem(
        f"Nothing runs on {folder}.", hint=f"Start it: cdr run --data {folder} (or make run).", code=DEPENDENCY
    )
    try:
        state = msgspec.json.decode((folder / FILE).read_bytes(), type=RunState)
        os.kill(state.pid, 0)
    except (OSError, msgspec.DecodeError):
        raise missing from None
    return state


def health_of(part: PartState) -> str:
    """`ok`, or what is wrong."""
    try:
        os.kill(part.pid, 0)
    except ProcessLookupError:
        return "not running"
    except PermissionError:
        pass
    try:
        if part.health.startswith("http"):
            with urllib.request.urlopen(part.health, timeout=2) as answer:
                answer.read()
        elif part.health:
            with socket.create_connection((HOST, int(part.health.rpartition(":")[2])), timeout=2):
                pass
    except urllib.error.HTTPError as error:
        with error:
            return f"not ready: {error.read(300).decode(errors='replace')}"
    except OSError as error:
        return f"does not answer: {error}"
    return "ok"


def status(folder: Path) -> dict[str, Any]:
    """What `cdr status` prints: URLs, users, topics, token, health of each part."""
    state = read_run_file(folder)
    token = Path(state.token_file)
    parts = {name: {"pid": part.pid, "health": health_of(part), "log": part.log} for name, part in state.parts.items()}
    clickhouse, settings = urlsplit(state.urls["clickhouse"]), state.settings
    return {
        "data": state.data,
        "pid": state.pid,
        "started_at": state.started_at,
        "urls": state.urls,
        "clickhouse": {
            "url": f"{clickhouse.scheme}://{clickhouse.hostname}:{clickhouse.port}",
            "user": clickhouse.username,
            "password": clickhouse.password,
            "database": settings.get("CDR_DATABASE", ""),
        },
        "kafka": {
            "bootstrap": settings.get("CDR_KAFKA", ""),
            "security_protocol": settings.get("CDR_KAFKA_SECURITY_PROTOCOL", ""),
            "sasl_mechanism": settings.get("CDR_KAFKA_SASL_MECHANISM", ""),
            "user": settings.get("CDR_KAFKA_SASL_USERNAME", ""),
            "password": settings.get("CDR_KAFKA_SASL_PASSWORD", ""),
            "client_config": str(Path(state.data) / "kafka" / "client.conf"),
        },
        "topics": state.topics,
        "token": token.read_text().strip() if token.exists() else "",
        "healthy": all(part["health"] == "ok" for part in parts.values()),
        "parts": parts,
    }
