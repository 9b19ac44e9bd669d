"""PBX nodes that speak the real protocols: FreeSWITCH's event socket and Asterisk's manager interface."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable
from typing import Any

from tests.sources.scenario import CORE


class Pbx:
    """A TCP server of one protocol. Everything is sent in small pieces, so that nothing comes whole."""

    password = "sesame"

    def __init__(self, *, piece: int = 37) -> None:
        self.piece = piece
        self.port = 0
        self.core = CORE
        self.uptime_ms = 60_000
        self.channels: list[str] = []
        self.asked: list[str] = []  # what clients sent
        self.subscribed = asyncio.Event()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        try:
            await self.talk(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        raise NotImplementedError

    async def write(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        for start in range(0, len(data), self.piece):
            writer.write(data[start : start + self.piece])
            await writer.drain()
            if self.piece < 1000:
                await asyncio.sleep(0)

    async def say(self, data: bytes) -> None:
        """To every client."""
        for writer in list(self._writers):
            await self.write(writer, data)

    def hang_up(self) -> None:
        """Cut every connection."""
        self.subscribed.clear()
        for writer in list(self._writers):
            writer.transport.abort()

    async def stop(self) -> None:
        """As when the process dies: connections cut, port closed."""
        self.hang_up()
        if self._server is not None:
            self._server.close()
        while self._writers:  # noqa: ASYNC110  until every talk has noticed
            await asyncio.sleep(0.01)


class FreeSwitch(Pbx):
    """mod_event_socket, as far as an inbound client sees it."""

    answers_api = True

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.write(writer, b"Content-Type: auth/request\n\n")
        while True:
            line = (await reader.readuntil(b"\n\n")).decode().strip()
            self.asked.append(line)
            if line.startswith("auth "):
                if line != f"auth {self.password}":
                    await self.write(writer, b"Content-Type: command/reply\nReply-Text: -ERR invalid\n\n")
                    notice = b"Disconnected, goodbye.\n"
                    head = f"Content-Type: text/disconnect-notice\nContent-Length: {len(notice)}\n\n"
                    await self.write(writer, head.encode() + notice)
                    return
                await self.write(writer, b"Content-Type: command/reply\nReply-Text: +OK accepted\n\n")
            elif line.startswith("event json "):
                reply = b"Content-Type: command/reply\nReply-Text: +OK event listener enabled json\n\n"
                await self.write(writer, reply)
                self.subscribed.set()
            elif line.startswith("api ") and self.answers_api:
                body = self._api(line[4:]).encode()
                head = f"Content-Type: api/response\nContent-Length: {len(body)}\n\n"
                await self.write(writer, head.encode() + body)

    def _api(self, command: str) -> str:
        if command == "global_getvar core_uuid":
            return self.core
        if command == "uptime ms":
            return f"{self.uptime_ms}\n"
        if command == "show channels as json":
            rows = [{"uuid": uuid} for uuid in self.channels]
            return json.dumps({"row_count": len(rows), **({"rows": rows} if rows else {})})
        return "-ERR command not found\n"

    async def send(self, values: Iterable[bytes]) -> None:
        """Events."""
        for value in values:
            head = f"Content-Length: {len(value)}\nContent-Type: text/event-json\n\n"
            await self.say(head.encode() + value)


class Asterisk(Pbx):
    """The manager interface."""

    user = "cdr"
    rights = True  # to ask for status and channels
    booted = "2026-03-10 08:00:00"

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self.write(writer, b"Asterisk Call Manager/9.0.0\r\n")
        while True:
            block = (await reader.readuntil(b"\r\n\r\n")).decode()
            fields = dict(line.split(": ", 1) for line in block.strip().split("\r\n"))
            self.asked.append(fields["Action"])
            id_ = f"ActionID: {fields['ActionID']}\r\n"
            action = fields["Action"]
            if action == "Login":
                if (fields["Username"], fields["Secret"]) != (self.user, self.password):
                    answer = f"Response: Error\r\n{id_}Message: Authentication failed\r\n\r\n"
                    await self.write(writer, answer.encode())
                    return
                booted = f"Event: FullyBooted\r\nPrivilege: system,all\r\nUptime: {self.uptime_ms // 1000}\r\n"
                booted += "LastReload: 1\r\nStatus: Fully Booted\r\n\r\n"
                answer = f"Response: Success\r\n{id_}Message: Authentication accepted\r\n\r\n{booted}"
            elif action == "Events":
                answer = f"Response: Success\r\n{id_}Events: On\r\n\r\n"
                self.subscribed.set()
            elif action == "CoreStatus" and self.rights:
                date, time = self.booted.split()
                answer = f"Response: Success\r\n{id_}CoreStartupDate: {date}\r\nCoreStartupTime: {time}\r\n\r\n"
            elif action == "CoreShowChannels" and self.rights:
                answer = f"Response: Success\r\n{id_}EventList: start\r\nMessage: Channels will follow\r\n\r\n"
                for channel in self.channels:
                    answer += f"Event: CoreShowChannel\r\n{id_}Uniqueid: {channel}\r\n\r\n"
                answer += f"Event: CoreShowChannelsComplete\r\n{id_}EventList: Complete\r\n\r\n"
            elif action == "Ping":
                answer = f"Response: Success\r\n{id_}Ping: Pong\r\n\r\n"
            else:
                answer = f"Response: Error\r\n{id_}Message: Permission denied\r\n\r\n"
            await self.write(writer, answer.encode())

    async def send(self, values: Iterable[bytes]) -> None:
        """Events, given as JSON."""
        for value in values:
            fields: dict[str, Any] = json.loads(value)
            name = fields.pop("Event", "CEL")
            lines = [f"Event: {name}", *(f"{field}: {told}" for field, told in fields.items())]
            await self.say(("\r\n".join(lines) + "\r\n\r\n").encode())
