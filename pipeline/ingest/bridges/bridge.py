"""From one PBX node to Kafka: connect, read, key, hand to the outbox; again after a loss, with growing pauses.

Nothing is acknowledged to the PBX, which would not wait for it anyway; what is counted as written is what Kafka has.
When Kafka does not keep up the node is read no further, and its own queue holds the rest.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import Final

import structlog
from prometheus_client import Counter, Gauge

from pipeline import clock
from pipeline.ingest.bridges.open_legs import OpenLegs
from pipeline.ingest.bridges.session import ConnectionLost, LoginRefused, Session, Standing
from pipeline.ingest.outbox import Outbox
from pipeline.sources.contract import RawDecoder

log = structlog.get_logger()

EVENTS: Final = Counter("cdr_bridge_events_total", "Events read from PBX nodes and handed on.", ["node"])
CONNECTED: Final = Gauge("cdr_bridge_connected", "1 while the node is connected.", ["node"])
LOSSES: Final = Counter("cdr_bridge_losses_total", "Connections that were lost or refused.", ["node"])
RESTARTS: Final = Counter("cdr_bridge_restarts_total", "Restarts of the node that were noticed.", ["node"])
OPEN_LEGS: Final = Gauge("cdr_bridge_open_legs", "Legs that are open on the node.", ["node"])

FIRST_PAUSE_S: Final = 0.5
LONGEST_PAUSE_S: Final = 30.0
# Events queued before the node was asked for its channels may come after its answer.
CONFIRM_S: Final = 5.0
_SAME_RUN_MS: Final = 10_000  # how much two reckonings of one start may differ


class Bridge:
    """One node. `raw` takes its events, `calls` what we say of its calls ourselves."""

    def __init__(
        self,
        name: str,
        connect: Callable[[], Awaitable[Session]],
        decode: RawDecoder,
        tenant: str,
        raw: Outbox,
        calls: Outbox,
    ) -> None:
        self.name = name
        self.trouble = "not connected yet"  # "" while connected
        self.legs = OpenLegs()
        self._connect = connect
        self._decode = decode
        self._tenant = tenant
        self._raw = raw
        self._calls = calls
        self._standing: Standing | None = None
        self._lost_at = 0  # ms
        self._confirming: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Until cancelled."""
        pause = FIRST_PAUSE_S
        while True:
            try:
                session = await self._connect()
            except ConnectionLost as lost:
                self._lost(lost)
            else:
                pause = FIRST_PAUSE_S
                try:
                    await self._read(session)
                except ConnectionLost as lost:
                    self._lost(lost)
                finally:
                    await session.close()
            await asyncio.sleep(pause * random.uniform(0.8, 1.2))
            pause = min(pause * 2, LONGEST_PAUSE_S)

    async def _read(self, session: Session) -> None:
        self.trouble = ""
        CONNECTED.labels(self.name).set(1)
        log.info("node connected", node=self.name, run=session.standing.run)
        try:
            await self._reached(session.standing)
            async for value in session.events():
                await self._take(session, value)
        finally:
            self._lost_at = _now_ms()
            CONNECTED.labels(self.name).set(0)

    def _lost(self, lost: ConnectionLost) -> None:
        if not self.trouble or str(lost) != self.trouble:
            say = log.error if isinstance(lost, LoginRefused) else log.warning
            say("node lost; trying again", node=self.name, why=str(lost))
        self.trouble = str(lost) or "lost"
        LOSSES.labels(self.name).inc()

    async def _take(self, session: Session, value: bytes) -> None:
        run = session.run_of(value)
        if run and self._standing is not None and run != self._standing.run:
            await self._reached(Standing(run, 0, None))
        decoded = self._decode([value], tenant=self._tenant, now_ms=_now_ms())
        self.legs.note(decoded.events)
        if decoded.events:
            await self._put(self._raw, decoded.events[0].call_id.encode(), value)
        elif decoded.rejected:  # for the dead letters
            await self._put(self._raw, self.name.encode(), value)
        else:
            return
        EVENTS.labels(self.name).inc()
        OPEN_LEGS.labels(self.name).set(len(self.legs))

    async def _reached(self, standing: Standing) -> None:
        """Tell the end of the calls that the node lost while it was not watched."""
        before, self._standing = self._standing, standing
        if before is None:
            return
        open_before = self.legs.known()
        if _restarted(before, standing):
            RESTARTS.labels(self.name).inc()
            log.warning("node began anew", node=self.name, open_legs=len(open_before), run=standing.run)
            for key, value in self.legs.ended(self._lost_at or standing.since or _now_ms(), open_before):
                await self._put(self._calls, key, value)
        elif standing.legs is not None:
            gone = [leg for leg in open_before if leg not in standing.legs]
            if gone:
                task = asyncio.ensure_future(self._confirm(gone, self._lost_at))
                self._confirming.add(task)
                task.add_done_callback(self._confirming.discard)

    async def _confirm(self, gone: list[str], at: int) -> None:
        """Legs that ended while nobody listened: nothing of them will come any more."""
        await asyncio.sleep(CONFIRM_S)
        ended = self.legs.ended(at, gone)
        if ended:
            log.warning("calls ended while the node was not connected", node=self.name, calls=len(ended))
        for key, value in ended:
            await self._put(self._calls, key, value)

    async def _put(self, outbox: Outbox, key: bytes, value: bytes) -> None:
        """Hand on; wait while there is no room."""
        while not outbox.put(key, value):
            room = asyncio.Event()
            outbox.when_room(room.set)
            await room.wait()


def _restarted(before: Standing, now: Standing) -> bool:
    if before.run and now.run:
        return before.run != now.run
    return bool(before.since and now.since) and abs(before.since - now.since) > _SAME_RUN_MS


def _now_ms() -> int:
    return clock.now_ms()
