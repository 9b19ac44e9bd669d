"""Asterisk's manager interface (AMI): log in, choose events, read.

https://docs.asterisk.org/, "Asterisk Manager Interface". A message is lines `Name: value` and an empty line. Times are
in `Timestamp` with `timestampevents = yes` in manager.conf, and in the local `EventTime` of CEL.
"""

from __future__ import annotations

import asyncio
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
from pipeline.sources.instants import instant

_LONGEST: Final = 1 << 20  # of a message
_PING_S: Final = 20.0
# Classes of events: channels, bridges, CEL and transfers are of `call`, queues of `agent`, menus of `dialplan`.
EVENT_MASK: Final = "system,call,agent,dialplan"
# How late a row of CEL, whose time is a whole second, may come to be given the time at which it came instead.
_LIVE_S: Final = 2.0
_OURS: Final = frozenset(("FullyBooted", "Shutdown", "CoreShowChannel", "CoreShowChannelsComplete", "SuccessfulAuth"))

Message = dict[str, str]


class Manager(Reader[Message]):
    """A logged-in connection. `zone`: the node's, for the times of CEL."""

    def __init__(self, node: Node, zone: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        super().__init__()
        self._node = node
        self._zone = zone
        self._extra = {"node": node.name} | ({"zone": zone} if zone != "UTC" else {})
        self._reader = reader
        self._writer = writer
        self._early: deque[Message] = deque()
        self._number = 0
        self._since = 0
        self.standing = Standing("", 0, None)

    @classmethod
    async def connect(cls, node: Node, zone: str) -> Manager:
        """Connect and log in. Raises ConnectionLost; LoginRefused when we are not let in."""
        session = cls(node, zone, *await opened(node.host, node.port, _LONGEST))
        try:
            await session._enter()
        except TimeoutError:
            await session.close()
            raise ConnectionLost(f"{node.host}:{node.port} does not speak as a manager interface") from None
        except ConnectionLost:
            await session.close()
            raise
        return session

    async def _enter(self) -> None:
        node = self._node
        try:
            async with asyncio.timeout(CONNECT_S):
                banner = await self._reader.readline()
        except (ValueError, OSError):
            banner = b""
        if b"Call Manager" not in banner:
            raise ConnectionLost(f"{node.host}:{node.port} is no manager interface: it begins with {banner[:60]!r}")
        if any(sign in node.user + node.password for sign in "\r\n"):
            raise LoginRefused("user or password has a line break in it")
        answer = await self._ask("Login", Username=node.user, Secret=node.password, Events=EVENT_MASK)
        if answer.get("response") != "Success":
            why = answer.get("message", "")[:200]
            raise LoginRefused(f"login of {node.user!r} refused ({why}): see CDR_ASTERISK_USER, CDR_ASTERISK_PASSWORD")
        answer = await self._ask("Events", EventMask=EVENT_MASK)
        if answer.get("response") not in ("Success", "Events On"):
            raise LoginRefused(f"events refused: give {node.user!r} read = {EVENT_MASK} in manager.conf")
        status = await self._aside("CoreStatus")
        run = f"{status.get('corestartupdate', '')} {status.get('corestartuptime', '')}".strip()
        legs = await self._legs()
        self.standing = Standing(run, self._since, legs)

    async def _legs(self) -> frozenset[str] | None:
        """The channels that the node has now, by the ids of their legs; None when the user may not ask."""
        answer = await self._aside("CoreShowChannels")
        if answer.get("response") != "Success":
            return None
        found: set[str] = set()
        while True:
            try:
                message = await self.next(ASIDE_S)
            except TimeoutError:
                return None
            event = message.get("event")
            if event == "CoreShowChannel":
                found.add(f"{self._node.name}-{message.get('uniqueid', '')}")
            elif event == "CoreShowChannelsComplete":
                return frozenset(found)
            else:
                self._keep(message)

    async def events(self) -> AsyncIterator[bytes]:
        """Events as JSON. Raises ConnectionLost."""
        heard = time.monotonic()
        while True:
            while self._early:
                if (value := self._json(self._early.popleft())) is not None:
                    yield value
            try:
                message = await self.next(_PING_S)
            except TimeoutError:
                if time.monotonic() - heard > SILENCE_S:
                    raise ConnectionLost(
                        f"nothing was heard for {SILENCE_S:g} s, not even an answer to a ping"
                    ) from None
                self._say("Ping")
                continue
            heard = time.monotonic()
            if message.get("event") == "Shutdown":
                raise ConnectionLost("Asterisk shuts down")
            if (value := self._json(message)) is not None:
                yield value

    def _json(self, message: Message) -> bytes | None:
        """An event as its decoder reads it; None for what is not passed on."""
        name = message.get("event")
        if name is None or name in _OURS:
            return None
        now = time.time()
        event_time = message.get("eventtime", "")
        if name == "CEL" and event_time:
            # Local time in whole seconds. Beside the other events, and for durations, milliseconds are better.
            if message.get("timestamp"):
                message["eventtime"] = message["timestamp"]
            elif 0 <= now - instant(event_time, self._zone, message.get("uniqueid", "")) / 1000 < _LIVE_S:
                message["eventtime"] = f"{now:.6f}"
        elif not message.get("timestamp"):  # manager.conf without timestampevents
            message["timestamp"] = f"{now:.6f}"
        return orjson.dumps(message | self._extra)

    def run_of(self, _value: bytes) -> str:
        """Events do not say it."""
        return ""

    async def close(self) -> None:
        """Leave."""
        self.stop()
        if not self._writer.is_closing():
            self._say("Logoff")
        await closed(self._writer)

    def _say(self, action: str, **fields: str) -> str:
        self._number += 1
        id_ = f"cdr-{self._number}"
        lines = [f"Action: {action}", f"ActionID: {id_}", *(f"{name}: {value}" for name, value in fields.items())]
        self._writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
        return id_

    async def _ask(self, action: str, **fields: str) -> Message:
        """Send an action; its response. Events that come before it are kept."""
        return await self._answer(self._say(action, **fields), CONNECT_S)

    async def _aside(self, action: str) -> Message:
        """The response to an action that the user may not be allowed; empty when none comes in time."""
        try:
            return await self._answer(self._say(action), ASIDE_S)
        except TimeoutError:
            return {}

    async def _answer(self, id_: str, seconds: float) -> Message:
        until = time.monotonic() + seconds
        while True:
            message = await self.next(max(0.0, until - time.monotonic()))
            if "response" in message and message.get("actionid", id_) == id_:
                return message
            self._keep(message)

    def _keep(self, message: Message) -> None:
        if message.get("event") == "FullyBooted":
            uptime = message.get("uptime", "")
            if uptime.isascii() and uptime.isdigit():
                self._since = clock.now_ms() - int(uptime) * 1000
        elif "event" in message:
            self._early.append(message)

    async def _read(self) -> Message:
        """The next message; names in lower case, of a name that repeats the values one after the other."""
        try:
            block = await self._reader.readuntil(b"\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError, OSError):
            raise ConnectionLost("the node closed the connection") from None
        except asyncio.LimitOverrunError:
            raise ConnectionLost(f"a message of more than {_LONGEST} bytes came") from None
        message: Message = {}
        for line in block.decode("utf-8", "replace").split("\r\n"):
            name, colon, value = line.partition(":")
            if colon:
                name = name.strip().lower()
                value = value.removeprefix(" ")
                message[name] = f"{message[name]}\n{value}" if name in message else value
        return message
