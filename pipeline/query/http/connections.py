"""Connections that do not hold the service up: few for one address, and none that waits for a request without end.

A request's head has 10 s, its body 30 s and a second more for each 64 KiB that came (RFC 9110, 15.5.9: 408). Behind a
trusted proxy all connections are the proxy's own: they are not counted, and the requests of each client are (see
`limits`).
"""

from __future__ import annotations

import asyncio
import ipaddress
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

_PIECE: Final = 1 << 16
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(slots=True)
class Bounds:
    """What one connection, and one address, may take. Times in seconds."""

    per_address: int = 0  # connections at a time; 0: any number
    trusted: Sequence[Network] = ()  # proxies, whose connections are not counted
    head_s: float = 10.0
    body_s: float = 30.0
    open: Counter[str] = field(default_factory=Counter)

    def counts(self, address: str) -> bool:
        """Whether connections from this address are counted."""
        return bool(address and self.per_address) and not is_one_of(address, self.trusted)


def is_one_of(address: str, networks: Sequence[Network]) -> bool:
    """Whether an IP address lies in one of the networks; an IPv4 address that IPv6 carries is that IPv4 address."""
    try:
        found = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in network for network in networks)


def bounded(bounds: Bounds) -> type[H11Protocol]:
    """uvicorn's protocol within these bounds."""

    class Bounded(BoundedProtocol):
        _bounds = bounds

    return Bounded


class BoundedProtocol(H11Protocol):
    """HTTP/1.1 with an end to waiting."""

    _bounds = Bounds()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._waiting: asyncio.TimerHandle | None = None
        self._waits_for = ""  # head, body; "" for nothing
        self._deadline = 0.0
        address = self.client[0] if self.client else ""
        self._counted = address if self._bounds.counts(address) else ""
        if self._counted:
            self._bounds.open[self._counted] += 1
            if self._bounds.open[self._counted] > self._bounds.per_address:
                self._refuse(b"503 Service Unavailable", "Too many connections of this address; use those there are.")
                return
        self._wait("head", self._bounds.head_s)

    def connection_lost(self, exc: Exception | None) -> None:
        self._wait("", 0)
        if self._counted:
            self._bounds.open[self._counted] -= 1
            if not self._bounds.open[self._counted]:
                del self._bounds.open[self._counted]
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        super().data_received(data)
        state = self.conn.their_state
        if state is h11.SEND_BODY:
            if self._waits_for != "body":
                self._wait("body", self._bounds.body_s)
            self._deadline += len(data) / _PIECE
        elif state is h11.IDLE and self._waits_for != "head":  # the next request has begun
            self._wait("head", self._bounds.head_s)
        elif state is not h11.IDLE:
            self._wait("", 0)

    def _wait(self, for_: str, seconds: float) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
        self._waits_for = for_
        if for_:
            self._deadline = self.loop.time() + seconds
            self._waiting = self.loop.call_later(seconds, self._look)

    def _look(self) -> None:
        """The time is over, unless more of the body came, or it waits for us to read it."""
        left = self._deadline - self.loop.time()
        if self._waits_for == "body" and self.flow.read_paused:
            left = max(left, 1.0)
        if left > 0.001:
            self._waiting = self.loop.call_later(left, self._look)
            return
        self._waiting = None
        if self.transport.is_closing():
            return
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
            if self.cycle.response_started:
                self.transport.close()
                return
        what = "body" if self._waits_for == "body" else "head"
        self._refuse(b"408 Request Timeout", f"The {what} of the request did not come in time; send it again.")

    def _refuse(self, status: bytes, why: str) -> None:
        text = why.encode()
        self.transport.write(
            b"HTTP/1.1 %s\r\nContent-Type: text/plain\r\nRetry-After: 1\r\nConnection: close\r\n"
            b"Content-Length: %d\r\n\r\n%s" % (status, len(text), text)
        )
        self.transport.close()


def networks_of(text: str) -> tuple[Network, ...]:
    """IP addresses and networks (CIDR) between commas. Raises ValueError when one is none."""
    parts = (part.strip() for part in text.split(","))
    return tuple(ipaddress.ip_network(part, strict=False) for part in parts if part)
