"""One connection to a PBX node, as a bridge uses it, whatever protocol it speaks."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final, Generic, Protocol, TypeVar

from pipeline.errors import CdrError

CONNECT_S: Final = 10.0
ASIDE_S: Final = 3.0  # for a question that can do without an answer
# A node that says nothing for so long is taken for dead: heartbeats come every 20 s.
SILENCE_S: Final = 65.0

Message = TypeVar("Message")


class ConnectionLost(CdrError):
    """The connection is over; the text says why."""


class LoginRefused(ConnectionLost):
    """The node does not let us in: the text says what to change."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a node says of itself when it is reached: which run of it this is, since when (ms; 0 unknown), and the
    legs that it has (None: it does not say)."""

    run: str
    since: int
    legs: frozenset[str] | None


class Reader(ABC, Generic[Message]):
    """Reads messages one by one. A read that is given up for the time goes on, so that no part of a message is lost."""

    def __init__(self) -> None:
        self._reading: asyncio.Task[Message] | None = None

    @abstractmethod
    async def _read(self) -> Message:
        """The next message. Raises ConnectionLost."""

    async def next(self, seconds: float) -> Message:
        """The next message. Raises TimeoutError, ConnectionLost."""
        if self._reading is None:
            self._reading = asyncio.ensure_future(self._read())
        done, _ = await asyncio.wait({self._reading}, timeout=seconds)
        if not done:
            raise TimeoutError
        reading, self._reading = self._reading, None
        return reading.result()

    def stop(self) -> None:
        """Read no more."""
        if self._reading is not None:
            self._reading.cancel()


class Session(Protocol):
    """An open, subscribed connection."""

    standing: Standing

    def events(self) -> AsyncIterator[bytes]:
        """Its events as JSON, one by one. Raises ConnectionLost when the connection is over or silent for too long."""
        ...

    def run_of(self, value: bytes) -> str:
        """Which run of the node an event is of; "" where it does not say."""
        ...

    async def close(self) -> None:
        """Leave."""
        ...


async def opened(host: str, port: int, limit: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A TCP connection. Raises ConnectionLost."""
    try:
        async with asyncio.timeout(CONNECT_S):
            return await asyncio.open_connection(host, port, limit=limit)
    except TimeoutError:
        raise ConnectionLost(f"{host}:{port} does not answer within {CONNECT_S:g} s") from None
    except OSError as error:
        raise ConnectionLost(f"{host}:{port}: {error.strerror or error}") from None


async def closed(writer: asyncio.StreamWriter) -> None:
    """Close, whatever the other side does."""
    writer.close()
    try:
        async with asyncio.timeout(2):
            await writer.wait_closed()
    except (TimeoutError, OSError):
        writer.transport.abort()
