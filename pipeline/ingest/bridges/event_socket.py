"""FreeSWITCH's event socket, inbound: connect, authenticate, subscribe, read.

https://developer.signalwire.com/freeswitch/, mod_event_socket. A message is headers, an empty line and, with a
Content-Length, a body. Events come as `text/event-json`, answers to `api` as `api/response`.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import deque
from collections.abc import AsyncIterator
from typing import Final

import orjson

from pipeline import clock
from pipeline.ingest.bridges.nodes import Node
from pipeline.ingest.bridges.session import (
    ASIDE_S,
    CONNECT_S,
    SILENCE_S,
    ConnectionLost,
    LoginRefused,
    Reader,
    Standing,
    closed,
    opened,
)
from pipeline.sources.freeswitch.custom import SUBCLASSES
from pipeline.sources.freeswitch.decoder import EVENTS

_LONGEST_HEAD: Final = 64 << 10
_LONGEST_BODY: Final = 32 << 20
SUBSCRIPTION: Final = " ".join(("event json HEARTBEAT", *EVENTS, "CUSTOM", *SUBCLASSES))
_CORE: Final = re.compile(rb'"Core-UUID"\s*:\s*"([^"\\]+)"')
_HEARTBEAT: Final = re.compile(rb'\s*\{\s*"Event-Name"\s*:\s*"HEARTBEAT"')

Message = tuple[dict[str, str], bytes]


class EventSocket(Reader[Message]):
    """An authenticated, subscribed connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        super().__init__()
        self._reader = reader
        self._writer = writer
        self._early: deque[bytes] = deque()  # events that came between the answers to our commands
        self.standing = Standing("", 0, None)

    @classmethod
    async def connect(cls, node: Node) -> EventSocket:
        """Connect and subscribe. Raises ConnectionLost; LoginRefused when the node does not let us in."""
        session = cls(*await opened(node.host, node.port, _LONGEST_HEAD))
        try:
            await session._enter(node)
        except TimeoutError:
            await session.close()
            raise ConnectionLost(f"{node.host}:{node.port} does not speak as an event socket") from None
        except ConnectionLost:
            await session.close()
            raise
        return session

    async def _enter(self, node: Node) -> None:
        kind = (await self.next(CONNECT_S))[0].get("content-type", "")
        if kind == "text/rude-rejection":
            raise LoginRefused(
                "the node's access list does not let this address in: apply-inbound-acl of event_socket.conf"
            )
        if kind != "auth/request":
            raise ConnectionLost(f"{node.host}:{node.port} is no event socket: it begins with {kind[:60]!r}")
        if "\n" in node.password:
            raise LoginRefused("the password has a line break in it")
        if not (await self._command(f"auth {node.password}")).startswith("+OK"):
            raise LoginRefused("the password is wrong: see CDR_FREESWITCH_PASSWORD and event_socket.conf.xml")
        reply = await self._command(SUBSCRIPTION)
        if not reply.startswith("+OK"):
            raise ConnectionLost(f"the subscription is refused: {reply[:200]}")
        core = (await self._api("global_getvar core_uuid")).strip()
        uptime = (await self._api("uptime ms")).strip()
        since = clock.now_ms() - int(uptime) if uptime.isascii() and uptime.isdigit() else 0
        self.standing = Standing(core if re.fullmatch(r"[\w-]{8,64}", core) else "", since, await self._legs())

    async def _legs(self) -> frozenset[str] | None:
        """The channels that the node has now; None when it does not say."""
        try:
            answer = orjson.loads(await self._api("show channels as json"))
        except orjson.JSONDecodeError:
            return None
        if not isinstance(answer, dict) or "row_count" not in answer:
            return None
        rows = answer.get("rows", [])
        if not isinstance(rows, list) or len(rows) != answer["row_count"]:
            return None
        return frozenset(str(row.get("uuid")) for row in rows if isinstance(row, dict))

    async def events(self) -> AsyncIterator[bytes]:
        """Events as JSON. Raises ConnectionLost."""
        while True:
            while self._early:
                yield self._early.popleft()
            try:
                headers, body = await self.next(SILENCE_S)
            except TimeoutError:
                raise ConnectionLost(f"nothing was heard for {SILENCE_S:g} s, not even a heartbeat") from None
            if headers.get("content-type") == "text/event-json" and not _HEARTBEAT.match(body):
                yield body

    def run_of(self, value: bytes) -> str:
        """The Core-UUID: FreeSWITCH makes a new one each time it starts."""
        found = _CORE.search(value)
        return found[1].decode("ascii", "replace") if found else ""

    async def close(self) -> None:
        """Leave."""
        self.stop()
        await closed(self._writer)

    async def _command(self, line: str) -> str:
        """Send a command; its Reply-Text."""
        return (await self._asked(line, "command/reply", CONNECT_S))[0].get("reply-text", "")

    async def _api(self, line: str) -> str:
        """What a command of the console says; "" when it says nothing in time."""
        try:
            return (await self._asked(f"api {line}", "api/response", ASIDE_S))[1].decode("utf-8", "replace")
        except TimeoutError:
            return ""

    async def _asked(self, line: str, kind: str, seconds: float) -> Message:
        self._writer.write(f"{line}\n\n".encode())
        until = time.monotonic() + seconds
        while True:
            headers, body = await self.next(max(0.0, until - time.monotonic()))
            content_type = headers.get("content-type", "")
            if content_type == "text/event-json":
                self._early.append(body)
            elif content_type == kind or (content_type == "command/reply" and "-ERR" in headers.get("reply-text", "")):
                return headers, body

    async def _read(self) -> Message:
        """The next message. Raises ConnectionLost."""
        try:
            head = await self._reader.readuntil(b"\n\n")
            while not head.strip():
                head = await self._reader.readuntil(b"\n\n")
            headers: dict[str, str] = {}
            for line in head.decode("utf-8", "replace").splitlines():
                name, colon, value = line.partition(":")
                if colon:
                    headers[name.strip().lower()] = value.strip()
            announced = headers.get("content-length", "0")
            length = int(announced) if announced.isascii() and announced.isdigit() else -1
            if not 0 <= length <= _LONGEST_BODY:
                raise ConnectionLost(
                    f"a message of {announced[:20]} bytes was announced; at most {_LONGEST_BODY} are read"
                )
            body = await self._reader.readexactly(length) if length else b""
        except (asyncio.IncompleteReadError, ConnectionError, OSError):
            raise ConnectionLost("the node closed the connection") from None
        except asyncio.LimitOverrunError:
            raise ConnectionLost("what comes is no event socket's message") from None
        if headers.get("content-type") == "text/disconnect-notice":
            raise ConnectionLost("the node said good-bye")
        return headers, body
