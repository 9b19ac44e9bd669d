"""Connections over real sockets: requests that never end are ended, one address holds so many, proxies are believed
when they are trusted."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn

from pipeline.query.app import create_app
from pipeline.query.http.connections import Bounds, bounded, networks_of
from pipeline.settings import Settings

_SOON = 0.2
_LONG = 60.0
LOOK = b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n"
LAST = b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@asynccontextmanager
async def served(bounds: Bounds, **settings: Any) -> AsyncIterator[int]:
    """The service within these bounds, without a warehouse; its port."""
    app = create_app(Settings(clickhouse="http://127.0.0.1:1", kafka="127.0.0.1:1", _env_file=None, **settings))
    server = uvicorn.Server(
        uvicorn.Config(
            app, port=0, http=bounded(bounds), proxy_headers=False, access_log=False, log_level="error", lifespan="on"
        )
    )
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    running = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = True
        await running


async def answer_to(port: int, *pieces: bytes) -> bytes:
    """What comes back until the connection is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for piece in pieces:
        writer.write(piece)
        await writer.drain()
    async with asyncio.timeout(_LONG):
        found = await reader.read()
    writer.close()
    return found


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: ",
        b"POST /rest/auth/ HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
        b"POST /rest/auth/ HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{  \r\n",
    ],
)
async def test_what_never_ends_is_ended(sent: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    async with served(Bounds(head_s=_SOON, body_s=_SOON)) as port:
        answer = await answer_to(port, sent)
        assert answer.startswith(b"HTTP/1.1 408 Request Timeout\r\n")
        assert answer.endswith(b"send it again.")
        assert b"200 OK" in await answer_to(port, LAST)
    assert "Traceback" not in capsys.readouterr().out


async def test_the_second_request_of_a_connection_has_an_end_too() -> None:
    async with served(Bounds(head_s=_SOON, body_s=_SOON)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(LOOK)
        async with asyncio.timeout(_LONG):
            assert (await reader.readuntil(b'{"status":"ok"}')).startswith(b"HTTP/1.1 200 OK")
            writer.write(b"GET /livez HTTP/1.1\r\nHo")
            assert (await reader.read()).startswith(b"HTTP/1.1 408")
        writer.close()


async def test_a_slow_body_that_goes_on_is_waited_for() -> None:
    async with served(Bounds(head_s=_SOON, body_s=_SOON)) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        size = 64 * 1024 * 4
        writer.write(b"POST /rest/auth/ HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % size)
        for _ in range(4):
            writer.write(b" " * (size // 4))
            await writer.drain()
            await asyncio.sleep(_SOON)
        async with asyncio.timeout(_LONG):
            assert (await reader.read(12)).startswith(b"HTTP/1.1 200")  # ipcortex' way to say that it is no JSON
        writer.close()


async def test_a_client_that_hangs_up_is_no_failure(capsys: pytest.CaptureFixture[str]) -> None:
    async with served(Bounds()) as port:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"POST /rest/auth/ HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        async with asyncio.timeout(_LONG):
            while "status=499" not in (logged := capsys.readouterr().out):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        assert "Traceback" not in logged


async def test_one_address_holds_so_many_connections() -> None:
    async with served(Bounds(per_address=3)) as port:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        refused = await answer_to(port)
        assert refused.startswith(b"HTTP/1.1 503 Service Unavailable\r\n") and b"\r\nRetry-After: 1\r\n" in refused
        held[0][1].close()
        await held[0][1].wait_closed()
        async with asyncio.timeout(_LONG):
            while not (await answer_to(port, LAST)).startswith(b"HTTP/1.1 200"):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
        for _, writer in held[1:]:
            writer.close()


async def test_connections_of_a_trusted_proxy_are_not_counted() -> None:
    async with served(Bounds(per_address=1, trusted=networks_of("127.0.0.0/8"))) as port:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(5)]
        for reader, writer in held:
            writer.write(LOOK)
            assert (await reader.read(12)).startswith(b"HTTP/1.1 200")
            writer.close()


async def is_refused(port: int, forwarded: str) -> bool:
    """Whether one more request is too many, of whoever asks through a proxy that says so."""
    sent = b"GET /v1/calls HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Forwarded-For: %s\r\n\r\n" % forwarded.encode()
    return (await answer_to(port, sent)).startswith(b"HTTP/1.1 429")


async def test_clients_behind_a_trusted_proxy_are_told_apart() -> None:
    async with served(Bounds(), trusted_proxies="127.0.0.1, 10.0.0.0/8", api_rate=1) as port:
        assert not await is_refused(port, "192.0.2.1")
        assert not await is_refused(port, "192.0.2.2")
        assert await is_refused(port, "192.0.2.1, 10.0.0.3")  # through another trusted one
        assert await is_refused(port, "192.0.2.99, 192.0.2.1")  # what stands further left, anybody may write
        assert not await is_refused(port, "nonsense")  # the proxy itself


async def test_nobody_else_is_believed() -> None:
    async with served(Bounds(), api_rate=1) as port:
        assert [await is_refused(port, f"192.0.2.{n}") for n in range(3)] == [False, True, True]


async def test_made_up_headers_give_nobody_a_count_of_its_own() -> None:
    async with served(Bounds(), api_rate=1) as port:
        answers = [
            await answer_to(port, b"GET /v1/calls HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%s\r\n\r\n" % made_up)
            for made_up in (
                b"Authorization: Bearer a",
                b"Authorization: Bearer b",
                b"Cookie: a=b",
                b"X-Forwarded-For: 1",
            )
        ]
        assert [answer.split(b" ")[1] for answer in answers] == [b"401", b"429", b"429", b"429"]


@pytest.mark.parametrize("name", ["X-Forwarded-For: 192.0.2.1", "Via: 1.1 proxy", "Forwarded: for=192.0.2.1"])
async def test_metrics_are_for_this_machine(name: str) -> None:
    async with served(Bounds()) as port:
        close = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        assert (await answer_to(port, close + b"\r\n")).startswith(b"HTTP/1.1 200")
        assert (await answer_to(port, close + name.encode() + b"\r\n\r\n")).startswith(b"HTTP/1.1 403")


@pytest.mark.parametrize("setting", ["trusted_proxies", "api_origins"])
def test_settings_that_are_none(setting: str) -> None:
    with pytest.raises(ValueError, match=r"'nowhere' is no (IP address|origin)"):
        Settings.model_validate({setting: "nowhere"})
