"""Fixtures of the real parts, and the guard that keeps unit tests away from running servers."""

from __future__ import annotations

import os
import shutil
import socket
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import settings as hypothesis_settings

from pipeline.errors import Problem
from tests.servers import ClickHouseServer, KafkaServer, Server

AnyServer = TypeVar("AnyServer", bound=Server)

# How long an example takes says how busy the machine is.
hypothesis_settings.register_profile("patient", deadline=None)
hypothesis_settings.load_profile("patient")

# A test that uses one of these fixtures is of that suite.
SUITES = {
    "kafka": "kafka",
    "kafka_server": "kafka",
    "clickhouse_server": "embedded",
    "clickhouse_endpoint": "embedded",
    "database": "embedded",
    "empty_database": "embedded",
}

# Where the settings point when nobody sets them: what an unmarked test must not find.
DEFAULT_PORTS = frozenset({9092, 8123, 8000, 9000, 9464})


def pytest_configure(config: pytest.Config) -> None:
    """Commands of the tests do not find the product that runs on this working copy's data/."""
    if "CDR_DATA" not in os.environ:
        os.environ["CDR_DATA"] = folder = tempfile.mkdtemp(prefix="cdr-tests-")
        config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


def missing(problem: object) -> None:
    """A part is not there: a loud skip for a person, a failure where everything must have run."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"A part of this suite is missing: {problem}", pytrace=False)
    pytest.skip(f"A part of this suite is missing: {problem}")


# What takes long begins first, so that nobody waits for it at the end when files run side by side.
SLOW_FOLDERS = {"worker", "embedded", "docs", "sip", "ingest"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark each test with the suite of the parts it asks for; the slow folders first."""
    items.sort(key=lambda item: not SLOW_FOLDERS.intersection(item.path.parts))
    for item in items:
        for fixture in getattr(item, "fixturenames", ()):
            if fixture in SUITES:
                item.add_marker(SUITES[fixture])


@pytest.fixture(autouse=True)
def no_accidental_server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """A test outside the kafka, embedded and sip suites reaches its own sockets only."""
    if any(request.node.get_closest_marker(suite) for suite in ("kafka", "embedded", "sip")):
        return

    def guarded(connect: Callable[..., Any]) -> Callable[..., Any]:
        def check(self: socket.socket, address: Any) -> Any:
            if isinstance(address, tuple):
                host, port = str(address[0]), address[1]
                if port in DEFAULT_PORTS or not (host.startswith("127.") or host in ("localhost", "::1", "0.0.0.0")):
                    raise AssertionError(f"A unit test may not connect to {host}:{port}. Mark it kafka or embedded.")
            return connect(self, address)

        return check

    monkeypatch.setattr(socket.socket, "connect", guarded(socket.socket.connect))
    monkeypatch.setattr(socket.socket, "connect_ex", guarded(socket.socket.connect_ex))


def _running(kind: type[AnyServer], folder: Path) -> Iterator[AnyServer]:
    try:
        server = kind(folder)
    except Problem as problem:
        missing(problem)
        raise
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="session")
def clickhouse_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ClickHouseServer]:
    """The endpoint process, once a session."""
    yield from _running(ClickHouseServer, tmp_path_factory.mktemp("clickhouse") / "data")


@pytest.fixture
def clickhouse_endpoint(clickhouse_server: ClickHouseServer) -> Iterator[ClickHouseServer]:
    """The endpoint over chDB, running and without a fault at the start and at the end of each test."""
    clickhouse_server.start()
    yield clickhouse_server
    clickhouse_server.resume()
    clickhouse_server.start()
    clickhouse_server.fault("none")


@pytest.fixture
def database(clickhouse_endpoint: ClickHouseServer) -> Iterator[str]:
    """Name of a database of this test's own, with this version's schema and no rows."""
    name = clickhouse_endpoint.migrated_database()
    yield name
    clickhouse_endpoint.give_back(name)


@pytest.fixture
def empty_database(clickhouse_endpoint: ClickHouseServer) -> str:
    """Name of a database of this test's own, with nothing in it."""
    return clickhouse_endpoint.fresh_database()


@pytest.fixture(scope="session")
def kafka_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[KafkaServer]:
    """Apache Kafka, once a session."""
    yield from _running(KafkaServer, tmp_path_factory.mktemp("kafka") / "data")


@pytest.fixture
def kafka(kafka_server: KafkaServer) -> Iterator[KafkaServer]:
    """Apache Kafka, running at the start of each test. Topics are the test's own."""
    kafka_server.start()
    yield kafka_server
    kafka_server.resume()


@pytest.fixture
def broker(kafka: KafkaServer) -> KafkaServer:
    """The same under another name, for modules that know `pipeline.kafka` as kafka."""
    return kafka
