"""The service as a process of its own: outages, raw bytes, signals."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.forks import cdr
from tests.query.conftest import Running, until
from tests.servers import ClickHouseServer

pytestmark = pytest.mark.embedded


def test_it_answers(running: Running) -> None:
    assert running.get("/api/cdrs").json()["count"] == 6
    assert running.get("/readyz").json()["status"] == "ok"
    assert b'route="/api/cdrs"' in running.get("/metrics").content


def test_request_ids(running: Running) -> None:
    given = httpx.get(f"http://127.0.0.1:{running.port}/livez", headers={"X-Request-ID": "abc-1"})
    assert given.headers["x-request-id"] == "abc-1"
    forged = httpx.get(f"http://127.0.0.1:{running.port}/livez", headers={"X-Request-ID": 'a"b'})
    assert re.fullmatch(r"[0-9a-f]{32}", forged.headers["x-request-id"])


@pytest.mark.parametrize(
    "target",
    [
        b"/api/cdrs?filter=" + b"x" * 100_000,
        b"/api/cdrs?filter=caller%20eq%20'\xff\xfe'",
        b"/api/cdrs?" + b"&" * 5_000 + b"top=0",
        b"/api/cdrs/" + b"9" * 100_000,
        b"/api/cdrs/%ff%fe%00",
        b"/v1/calls?caller=\xc3\x28",
        b"/v1/calls?" + b"a" * 600_000,
        b"/docs/%2e%2e/%2e%2e/app.py",
        b"/docs//etc/passwd",
        b"//api/cdrs",
    ],
    ids=lambda target: target[:30].decode("latin-1"),
)
def test_bytes_that_make_no_sense_are_the_clients_fault(running: Running, target: bytes) -> None:
    head = b"GET " + target + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
    answer = running.raw(head + b"Authorization: Bearer " + running.token.encode() + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 4"), answer[:200]


def test_a_warehouse_that_is_away_is_said_and_comes_back(
    running: Running, clickhouse_endpoint: ClickHouseServer
) -> None:
    running.get("/v1/calls")
    clickhouse_endpoint.kill()
    try:
        answers = {path: running.get(path) for path in ("/api/cdrs", "/v1/calls", "/readyz")}
        for answer in answers.values():
            assert answer.status_code == 503
            assert int(answer.headers["retry-after"]) > 0
        assert answers["/api/cdrs"].json()["errors"][0]["code"] == "UNAVAILABLE"
        assert answers["/v1/calls"].headers["content-type"] == "application/problem+json"
        assert answers["/readyz"].json()["checks"]["clickhouse"]["status"] == "failed"
        assert "Traceback" not in "".join(answer.text for answer in answers.values())
        assert running.get("/livez").status_code == 200
    finally:
        clickhouse_endpoint.start()
    assert running.get("/api/cdrs").json()["count"] == 6
    assert running.get("/readyz").status_code == 200


@pytest.mark.parametrize(
    ("mode", "code", "status"), [("error", 241, 422), ("error", 202, 503), ("error", 159, 422), ("drop_answer", 0, 503)]
)
def test_a_warehouse_that_fails_is_worth_another_try(
    running: Running, clickhouse_endpoint: ClickHouseServer, mode: str, code: int, status: int
) -> None:
    clickhouse_endpoint.fault(mode, code=code, match="call_rows")
    answer = running.get("/api/cdrs")
    assert (answer.status_code, "retry-after" in answer.headers) == (status, True)
    clickhouse_endpoint.fault("none")
    assert running.get("/api/cdrs").status_code == 200


def test_a_warehouse_that_hangs_is_given_up(running: Running, clickhouse_endpoint: ClickHouseServer) -> None:
    running.get("/api/cdrs")
    clickhouse_endpoint.pause()
    try:
        assert running.get("/api/cdrs", timeout=60).status_code == 503
    finally:
        clickhouse_endpoint.resume()
    until(lambda: running.get("/api/cdrs").status_code == 200)


def test_nothing_secret_and_no_traceback_in_the_log(running: Running) -> None:
    text = running.log.read_text()
    assert running.token.removeprefix("cdr_") not in text
    assert "Traceback" not in text


def test_it_starts_without_a_warehouse_and_ends_on_sigterm(tmp_path: Path) -> None:
    log = tmp_path / "log"
    environment = os.environ | {"CDR_CLICKHOUSE": "http://u:s3cret@127.0.0.1:1"}
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline.cli", "api", "--port", "0"], stderr=out, env=environment
        )
    try:
        until(lambda: b"running on http" in log.read_bytes())
        found = re.search(rb"running on http://127\.0\.0\.1:(\d+)", log.read_bytes())
        assert found
        answer = httpx.get(f"http://127.0.0.1:{int(found[1])}/readyz", timeout=20)
        assert answer.status_code == 503
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
        assert "s3cret" not in answer.text + log.read_text()
    finally:
        process.kill()
        process.wait()


def test_a_port_in_use_is_said_in_one_line() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        ended = cdr("api", "--port", port)
    assert ended.returncode == 2
    assert "Traceback" not in ended.stderr
    assert ended.stderr.splitlines()[-1].startswith(f"cdr: The query service cannot listen on 127.0.0.1:{port}.")
