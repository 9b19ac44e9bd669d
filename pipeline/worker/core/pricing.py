"""What closed calls are priced by, kept fresh without holding up the worker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

import structlog
from clickhouse_connect.driver.client import Client

from pipeline.rating.calls import is_as_ordered
from pipeline.rating.tariffs import Tariffs
from pipeline.warehouse.reference.decks import Loader, Versions, versions
from pipeline.warehouse.storage import archive
from pipeline.worker.core.durable_store import AWAY, Store
from pipeline.worker.core.open_calls import OpenCall

log = structlog.get_logger()

# How old decks and directories may be for a call that was not priced yet …
MAX_AGE_S = 5.0
# … and the orders to price old calls again, for a call that was. Rerating waits longer than this.
LATE_AGE_S = 0.5


class Pricing:
    """The tariffs of a worker. Read when the first batch comes, then anew in the background where they changed."""

    def __init__(self, store: Store, country: str, now: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._loader = Loader(country)
        self._now = now
        self._tariffs: Tariffs | None = None
        self._versions = Versions()
        self._checked_at = 0.0
        self._reading: asyncio.Task[None] | None = None

    async def tariffs(self, late: Sequence[OpenCall] = ()) -> Tariffs:
        """What to price by. Waits for the first time; and where calls were closed before (`late`), for orders to
        price them again, and for what these have made of them. Otherwise what changed is read in the background."""
        if self._tariffs is None:
            await self._store.step("tariffs", lambda: self._store.query(self._read))
            self._checked_at = self._now()
        elif self._now() - self._checked_at >= (LATE_AGE_S if late else MAX_AGE_S):
            if self._reading is None or self._reading.done():
                self._checked_at = self._now()
                self._reading = asyncio.create_task(self._refresh())
            if late and await self._ordered():
                await self._reading
        assert self._tariffs is not None
        await self._read_ratings(late, self._tariffs)
        return self._tariffs

    async def _read_ratings(self, late: Sequence[OpenCall], tariffs: Tariffs) -> None:
        """Have these calls priced as their rows are, where an order came after what memory has: the decks may have
        changed again since it was carried out."""
        rows = [
            (call.tenant, row)
            for call in late
            for row in call.stored_rows()
            if not is_as_ordered(row.rating, tariffs.ordered(call.tenant, row.key[0]))
        ]
        if not rows:
            return
        asked = {(tenant, row.call_id) for tenant, row in rows}
        found = await self._store.step("ratings", lambda: self._store.query(lambda it: archive.ratings(it, asked)))
        for call in late:
            kept = [(row, found.get((call.tenant, row.call_id, row.key))) for row in call.stored_rows()]
            for row, rating in kept:
                if rating and is_as_ordered(rating, tariffs.ordered(call.tenant, row.key[0])):
                    call.note_rating(row.key, rating)

    async def _ordered(self) -> bool:
        """Whether there are orders to price calls again that are not known here."""
        try:
            return (await self._store.query(versions)).rerates != self._versions.rerates
        except AWAY:
            return False

    async def _refresh(self) -> None:
        """With ClickHouse away, what is known is used on; nothing can be written then anyway."""
        try:
            await self._store.query(self._read)
        except AWAY as error:
            self._checked_at = 0.0
            log.info("tariffs not read again", error=str(error)[:200])

    def _read(self, client: Client) -> None:
        at = versions(client)
        if self._tariffs is None or at != self._versions:
            self._tariffs = self._loader.load(client, at)
            self._versions = at
            log.info("tariffs", decks=len(self._tariffs.decks), version=self._tariffs.version)
