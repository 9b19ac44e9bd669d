"""The HEP listener, `cdr hep`: captured SIP messages from the network to Kafka, as they came, keyed by call. Only what
an agent sent in pieces is put together.

Over UDP what finds no room is dropped and counted; over TCP the sender is made to wait. What is no HEP packet
goes on all the same, keyed by its sender's address, so that the worker can put it among the dead letters with a reason.
"""

from __future__ import annotations

import asyncio
import hmac
import socket
import time
from typing import Final, cast

import structlog
from prometheus_client import Counter, Gauge

from pipeline.errors import DEPENDENCY, Problem
from pipeline.ingest.hep.key import key, read
from pipeline.ingest.hep.senders import Senders
from pipeline.ingest.hep.whole import WAIT_S, Whole
from pipeline.ingest.outbox import Outbox
from pipeline.sources.sip import hep
from pipeline.sources.sip.hep import Packet

log = structlog.get_logger()

RECEIVED: Final = Counter("cdr_hep_packets_total", "HEP packets received.", ["transport"])
REFUSED: Final = Counter("cdr_hep_refused_total", "HEP packets or connections refused.", ["reason"])
DROPPED: Final = Counter("cdr_hep_dropped_total", "HEP packets dropped because Kafka did not keep up.")
UNREADABLE: Final = Counter("cdr_hep_unreadable_total", "What came and is no HEP packet; passed on for a dead letter.")
CONNECTIONS: Final = Gauge("cdr_hep_connections", "Open TCP connections of capture agents.")
WAITING: Final = Gauge("cdr_hep_waiting_bytes", "Bytes that wait to be written to Kafka.")

_STATS_S: Final = 60.0
_RECEIVE_BUFFER: Final = 8 << 20


class Listener:
    """UDP and TCP on one port. `password`: what chunk 14 of each packet must hold; "" for anything. `senders`: whose
    packets are taken."""

    def __init__(self, outbox: Outbox, *, password: str = "", senders: Senders | None = None) -> None:
        self.outbox = outbox
        self.senders = senders or Senders()
        self.password = password.encode()
        self.received = self.refused = self.dropped = self.unreadable = 0
        self.whole = Whole(self._put, time.monotonic)
        self._server: asyncio.Server | None = None
        self._datagrams: asyncio.DatagramTransport | None = None
        self.connections: set[_Connection] = set()

    async def listen(self, host: str, port: int) -> int:
        """Bind both; port 0 takes any that is free for both. Returns the port. Raises `Problem`."""
        loop = asyncio.get_running_loop()
        for attempt in range(20):
            try:
                self._server = await loop.create_server(lambda: _Connection(self), host, port)
                bound = int(self._server.sockets[0].getsockname()[1])
                self._datagrams, _ = await loop.create_datagram_endpoint(
                    lambda: _Datagrams(self), local_addr=(host, bound)
                )
                break
            except OSError as error:
                if self._server is not None:
                    self._server.close()
                if port or attempt == 19:
                    raise Problem(
                        f"Cannot listen for HEP on {host}:{port}: {error.strerror}.",
                        hint="Stop what uses the port, or choose another with --port or CDR_HEP_PORT.",
                        code=DEPENDENCY,
                    ) from error
        assert self._datagrams is not None
        sock: socket.socket = self._datagrams.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER)
        return bound

    def close(self) -> None:
        """Take nothing more."""
        if self._datagrams is not None:
            self._datagrams.close()
        if self._server is not None:
            self._server.close()
        for connection in list(self.connections):
            connection.close()
        self.whole.overdue(all_=True)

    def take(self, value: bytes, sender: str) -> bool:
        """A packet as it came; False when there was no room for it."""
        packet = read(value)
        if packet is None:
            self.unreadable += 1
            UNREADABLE.inc()
        if self.password and not (
            packet is not None and hmac.compare_digest(packet.password.encode("utf-8", "replace"), self.password)
        ):
            self.refuse("password", sender)
            return True
        if packet is None:
            return self.outbox.put(sender.encode("utf-8", "replace"), value)
        return self.whole.take(packet, value)

    def _put(self, packet: Packet, value: bytes) -> bool:
        name = key(packet) or f"{packet.src}:{packet.src_port}"
        return self.outbox.put(name.encode("utf-8", "replace"), value)

    def refuse(self, reason: str, sender: str) -> None:
        """Count a refusal, and log the first of each thousand."""
        REFUSED.labels(reason).inc()
        if self.refused % 1000 == 0:
            log.warning("HEP refused", reason=reason, sender=sender, refused=self.refused + 1)
        self.refused += 1

    def drop(self) -> None:
        """Count a loss, and log the first of each thousand."""
        DROPPED.inc()
        if self.dropped % 1000 == 0:
            log.error("HEP packets dropped: Kafka does not keep up", dropped=self.dropped + 1)
        self.dropped += 1

    async def pass_on(self) -> None:
        """Pass on packets whose message was never completed."""
        while True:
            await asyncio.sleep(WAIT_S / 2)
            self.whole.overdue()

    async def report(self) -> None:
        """Say every minute what came."""
        since, before = time.monotonic(), 0
        while True:
            await asyncio.sleep(_STATS_S)
            now = time.monotonic()
            WAITING.set(self.outbox.size)
            log.info(
                "HEP",
                received=self.received,
                per_second=round((self.received - before) / (now - since), 1),
                written=self.outbox.written,
                refused=self.refused,
                dropped=self.dropped,
                unreadable=self.unreadable,
                connections=len(self.connections),
                waiting_bytes=self.outbox.size,
            )
            since, before = now, self.received


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.counter = RECEIVED.labels("udp")

    def datagram_received(self, data: bytes, addr: tuple[str | int, ...]) -> None:
        sender = f"{addr[0]}:{addr[1]}"
        if not self.listener.senders.allows(str(addr[0])):
            self.listener.refuse("sender", sender)
            return
        self.listener.received += 1
        self.counter.inc()
        if not self.listener.take(data, sender):
            self.listener.drop()


class _Connection(asyncio.Protocol):
    """One capture agent over TCP: packets one after the other, each with its length."""

    def __init__(self, listener: Listener) -> None:
        self.listener = listener
        self.buffer = bytearray()
        self.counter = RECEIVED.labels("tcp")
        self.sender = ""
        self.transport: asyncio.Transport | None = None
        self.waiting = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self.sender = f"{peer[0]}:{peer[1]}"
        self.listener.connections.add(self)
        CONNECTIONS.inc()
        if not self.listener.senders.allows(str(peer[0])):
            self.listener.refuse("sender", self.sender)
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.transport = None
        self.listener.connections.discard(self)
        CONNECTIONS.dec()

    def close(self) -> None:
        if self.transport is not None:
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        self._packets()

    def _packets(self) -> None:
        buffer = self.buffer
        offset = 0
        while len(buffer) - offset >= 6:
            size = buffer[offset + 4] << 8 | buffer[offset + 5]
            if buffer[offset : offset + 4] != hep.MAGIC or size < 6:
                began = bytes(buffer[offset : offset + 8])
                log.warning("HEP connection closed: not HEP version 3", sender=self.sender, began=repr(began))
                self.listener.refuse("garbage", self.sender)
                buffer.clear()
                self.close()
                return
            if len(buffer) - offset < size:
                break
            if not self.listener.take(bytes(buffer[offset : offset + size]), self.sender):
                self._wait()
                break
            self.listener.received += 1
            self.counter.inc()
            offset += size
        del buffer[:offset]

    def _wait(self) -> None:
        """Read no more until something has been written: the sender's own buffer holds the rest."""
        if self.transport is not None and not self.waiting:
            self.waiting = True
            self.transport.pause_reading()
            self.listener.outbox.when_room(self._go_on)

    def _go_on(self) -> None:
        self.waiting = False
        self._packets()
        if not self.waiting and self.transport is not None and not self.transport.is_closing():
            self.transport.resume_reading()
