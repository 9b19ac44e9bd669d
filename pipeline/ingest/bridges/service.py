"""Runs `cdr freeswitch` and `cdr asterisk`: a bridge for each node, until SIGTERM."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, cast

import structlog
from prometheus_client import Gauge

from pipeline import logs, probes
from pipeline.ingest.bridges.bridge import Bridge
from pipeline.ingest.bridges.event_socket import EventSocket
from pipeline.ingest.bridges.manager import Manager
from pipeline.ingest.bridges.nodes import Node, nodes
from pipeline.ingest.bridges.session import Session
from pipeline.ingest.outbox import Outbox, Producer
from pipeline.ingest.producing import connected
from pipeline.ingest.signals import until_signal
from pipeline.settings import Settings
from pipeline.sources.contract import Options
from pipeline.sources.registry import raw_decoder

log = structlog.get_logger()

WAITING: Final = Gauge("cdr_bridge_waiting_bytes", "Bytes that wait to be written to Kafka.")
WRITTEN: Final = Gauge("cdr_bridge_written", "Events that Kafka has acknowledged since the start.")
_DRAIN_S: Final = 8.0

Connect = Callable[[], Awaitable[Session]]


def run_freeswitch(settings: Settings) -> None:
    """Read FreeSWITCH nodes until SIGTERM or Ctrl-C. Raises `Problem` when it cannot start."""
    configured = nodes(
        settings.freeswitch_host,
        port=settings.freeswitch_port,
        user="",
        password=settings.freeswitch_password,
        setting="CDR_FREESWITCH_HOST",
    )
    connects = {node.name: _event_socket(node) for node in configured}
    _run(settings, "freeswitch", settings.freeswitch_topic, settings.freeswitch_metrics_port, connects)


def run_asterisk(settings: Settings) -> None:
    """Read Asterisk nodes until SIGTERM or Ctrl-C. Raises `Problem` when it cannot start."""
    configured = nodes(
        settings.asterisk_host,
        port=settings.asterisk_port,
        user=settings.asterisk_user,
        password=settings.asterisk_password,
        setting="CDR_ASTERISK_HOST",
    )
    options = Options(zone=settings.zone, zones=settings.zones)
    connects = {node.name: _manager(node, options.zone_of(node.name)) for node in configured}
    _run(settings, "asterisk", settings.asterisk_topic, settings.asterisk_metrics_port, connects)


def _event_socket(node: Node) -> Connect:
    async def connect() -> Session:
        return await EventSocket.connect(node)

    return connect


def _manager(node: Node, zone: str) -> Connect:
    async def connect() -> Session:
        return await Manager.connect(node, zone)

    return connect


def _run(settings: Settings, source: str, topic: str, port: int, connects: dict[str, Connect]) -> None:
    logs.configure(settings.log_level)
    decode = raw_decoder(source, Options(zone=settings.zone, zones=settings.zones))
    raw = Outbox(topic, 1, limit=settings.bridge_waiting_mb << 20)
    calls = Outbox(settings.events_topic, 1, limit=settings.bridge_waiting_mb << 20)
    bridges = [Bridge(name, connect, decode, settings.tenant, raw, calls) for name, connect in connects.items()]
    state = {"kafka": "not reached yet"}

    def checks() -> probes.Checks:
        WAITING.set(raw.size + calls.size)
        WRITTEN.set(raw.written + calls.written)
        nodes_ = {f"node {bridge.name}": bridge.trouble or None for bridge in bridges}
        return {"kafka": state["kafka"] or None} | nodes_

    server = probes.serve(settings.metrics_host, port, checks)
    log.info(f"{source} bridge", nodes=list(connects), kafka=settings.kafka, metrics_port=server.server_port)
    try:
        asyncio.run(_serve(settings, bridges, (raw, calls), state))
    finally:
        server.shutdown()


async def _serve(
    settings: Settings, bridges: list[Bridge], outboxes: tuple[Outbox, ...], state: dict[str, str]
) -> None:
    stopped = asyncio.ensure_future(until_signal())
    connecting = asyncio.ensure_future(connected(settings))
    # The nodes are read at once: what they tell waits for Kafka.
    reading = [asyncio.ensure_future(bridge.run()) for bridge in bridges]
    writing: list[asyncio.Future[None]] = []
    try:
        await asyncio.wait({stopped, connecting, *reading}, return_when=asyncio.FIRST_COMPLETED)
        if connecting.done():
            producer, partitions = connecting.result()
            state["kafka"] = ""
            for outbox in outboxes:
                outbox.partitions = partitions[outbox.topic]
                writing.append(asyncio.ensure_future(outbox.run(cast(Producer, producer))))
            await asyncio.wait({stopped, *reading, *writing}, return_when=asyncio.FIRST_COMPLETED)
            await _end(reading, outboxes, writing)
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(2):
                    await producer.stop()
    finally:
        connecting.cancel()
        for task in reading:
            task.cancel()
    log.info("bridge ends", written=sum(outbox.written for outbox in outboxes))
    if left := sum(outbox.size for outbox in outboxes):
        log.error("events lost: Kafka did not take them before the end", bytes=left)
    for done in (*reading, *writing):
        if done.done() and not done.cancelled() and (error := done.exception()) is not None:
            raise error


async def _end(
    reading: Sequence[asyncio.Future[None]], outboxes: Sequence[Outbox], writing: Sequence[asyncio.Future[None]]
) -> None:
    """Read no more, and write what was read."""
    for task in reading:
        task.cancel()
    await asyncio.wait(reading, timeout=3)
    for outbox in outboxes:
        outbox.close()
    await asyncio.wait(writing, timeout=_DRAIN_S)
