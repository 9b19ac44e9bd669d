"""Runs the HEP listener (`cdr hep`) and feeds capture files (`cdr sip`)."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterable
from typing import Final, cast

import structlog
from prometheus_client import start_http_server

from pipeline import logs
from pipeline.errors import DEPENDENCY, Problem
from pipeline.ingest.hep.key import key, read
from pipeline.ingest.hep.listener import Listener
from pipeline.ingest.hep.senders import parse_senders
from pipeline.ingest.outbox import Outbox, Producer
from pipeline.ingest.producing import connected
from pipeline.ingest.signals import until_signal
from pipeline.settings import Settings

log = structlog.get_logger()

_DRAIN_S: Final = 8.0


def run(settings: Settings) -> None:
    """Listen until SIGTERM or Ctrl-C, then write what came and end. Raises `Problem` when it cannot start."""
    logs.configure(settings.log_level)
    asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    outbox = Outbox(settings.sip_topic, 1, limit=settings.hep_waiting_mb << 20)
    listener = Listener(outbox, password=settings.hep_password, senders=parse_senders(settings.hep_senders))
    port = await listener.listen(settings.hep_host, settings.hep_port)
    _metrics(settings)
    log.info("HEP listener", host=settings.hep_host, port=port, topic=settings.sip_topic, kafka=settings.kafka)
    if settings.hep_is_open:
        log.warning(
            "HEP is open: anyone who reaches this port can forge calls. Set CDR_HEP_PASSWORD or CDR_HEP_SENDERS",
            host=settings.hep_host,
            port=port,
        )
    stopped = asyncio.ensure_future(until_signal())
    connecting = asyncio.ensure_future(connected(settings))  # packets wait meanwhile
    await asyncio.wait({stopped, connecting}, return_when=asyncio.FIRST_COMPLETED)
    if not connecting.done():
        connecting.cancel()
        listener.close()
        _lost(outbox)
        return
    producer, partitions = connecting.result()
    outbox.partitions = partitions[settings.sip_topic]
    writing = asyncio.ensure_future(outbox.run(cast(Producer, producer)))
    beside = [asyncio.ensure_future(listener.report()), asyncio.ensure_future(listener.pass_on())]
    try:
        await asyncio.wait({stopped, writing}, return_when=asyncio.FIRST_COMPLETED)
        listener.close()
        outbox.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_DRAIN_S):
                await writing
        log.info("HEP listener ends", received=listener.received, written=outbox.written, dropped=listener.dropped)
        _lost(outbox)
    finally:
        for each in beside:
            each.cancel()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                await producer.stop()


def _lost(outbox: Outbox) -> None:
    if outbox.size:
        log.error("HEP packets lost: Kafka did not take them before the end", bytes=outbox.size)


def _metrics(settings: Settings) -> None:
    if settings.hep_metrics_port < 0:
        return
    try:
        start_http_server(settings.hep_metrics_port, addr=settings.metrics_host)
    except OSError as error:
        raise Problem(
            f"Cannot serve metrics on {settings.metrics_host}:{settings.hep_metrics_port}: {error.strerror}.",
            hint="Set CDR_HEP_METRICS_PORT to a free port, 0 for any, -1 for none.",
            code=DEPENDENCY,
        ) from error


def feed(settings: Settings, packets: Iterable[bytes]) -> int:
    """Write HEP packets to the SIP topic; returns how many, when the broker has them all."""
    return asyncio.run(_feed(settings, packets))


async def _feed(settings: Settings, packets: Iterable[bytes]) -> int:
    producer, partitions = await connected(settings, wait_s=0)
    outbox = Outbox(settings.sip_topic, partitions[settings.sip_topic])
    writing = asyncio.ensure_future(outbox.run(cast(Producer, producer)))
    try:
        for value in packets:
            packet = read(value)
            name = (key(packet) if packet is not None else "") or "file"
            while not outbox.put(name.encode("utf-8", "replace"), value):
                room = asyncio.Event()
                outbox.when_room(room.set)
                waiting = asyncio.ensure_future(room.wait())
                await asyncio.wait({waiting, writing}, return_when=asyncio.FIRST_COMPLETED)
                if writing.done():
                    writing.result()
        outbox.close()
        await writing
    finally:
        await producer.stop()
    return outbox.written
