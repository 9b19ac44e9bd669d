"""ClickHouse behind TLS: certificates are checked, and what is wrong is said."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.errors import DEPENDENCY, Problem
from pipeline.warehouse.query.reader import Reader, Unavailable
from pipeline.warehouse.storage.client import connect
from tests.certificates import Certificates, make_certificates
from tests.servers import ClickHouseServer

pytestmark = pytest.mark.embedded


@pytest.fixture
def certificates(tmp_path: Path) -> Certificates:
    return make_certificates(tmp_path)


@pytest.fixture
def secure_port(clickhouse_endpoint: ClickHouseServer, certificates: Certificates) -> Iterator[int]:
    """A port that speaks TLS in front of the endpoint."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=_serve, args=(listener, context, clickhouse_endpoint.port), daemon=True).start()
        yield listener.getsockname()[1]


def _serve(listener: socket.socket, context: ssl.SSLContext, port: int) -> None:
    while True:
        try:
            plain, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=_relay, args=(plain, context, port), daemon=True).start()


def _relay(plain: socket.socket, context: ssl.SSLContext, port: int) -> None:
    with contextlib.suppress(OSError), plain:
        plain.settimeout(30)
        inner = context.wrap_socket(plain, server_side=True)
        with inner, socket.create_connection(("127.0.0.1", port), 30) as onward:
            back = threading.Thread(target=_copy, args=(onward, inner), daemon=True)
            back.start()
            _copy(inner, onward)
            back.join()


def _copy(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(65_536):
            sink.sendall(piece)
    with contextlib.suppress(OSError):
        sink.shutdown(socket.SHUT_WR)


def _url(server: ClickHouseServer, port: int, rest: str = "") -> str:
    return f"https://{server.user}:{server.password}@localhost:{port}{rest}"


async def test_with_the_right_authority(
    clickhouse_endpoint: ClickHouseServer, secure_port: int, certificates: Certificates
) -> None:
    url = _url(clickhouse_endpoint, secure_port, f"?ca_cert={certificates.ca}")
    client = connect(url)
    assert client.command("SELECT 1 + 1") == 2
    client.close()
    reader = Reader(url, "default", threads=1)
    assert await reader.rows("two", "SELECT 2 AS two", {}) == [{"two": 2}]
    reader.close()


async def test_an_authority_that_nobody_trusts(
    clickhouse_endpoint: ClickHouseServer, secure_port: int, certificates: Certificates
) -> None:
    for rest in ("", f"?ca_cert={certificates.stranger}"):
        url = _url(clickhouse_endpoint, secure_port, rest)
        with pytest.raises(Problem, match=r"certificate verify failed.*\?ca_cert=FILE") as caught:
            connect(url)
        assert caught.value.code == DEPENDENCY
        assert clickhouse_endpoint.password not in str(caught.value) and "\n" not in str(caught.value)
        reader = Reader(url, "default", threads=1)
        with pytest.raises(Unavailable, match="certificate verify failed"):
            await reader.rows("two", "SELECT 2 AS two", {})
        reader.close()


def test_tls_where_there_is_none(clickhouse_endpoint: ClickHouseServer) -> None:
    with pytest.raises(Problem, match="write http:// in CDR_CLICKHOUSE"):
        connect(_url(clickhouse_endpoint, clickhouse_endpoint.port))


def test_a_wrong_password(clickhouse_endpoint: ClickHouseServer) -> None:
    with pytest.raises(Problem, match="Write the user and its password into CDR_CLICKHOUSE") as caught:
        connect(f"http://{clickhouse_endpoint.user}:wrong-horse@127.0.0.1:{clickhouse_endpoint.port}")
    assert "wrong-horse" not in str(caught.value)
