"""Writes anew the calls of a period that differ from a fresh fold of the archive: `cdr rebuild`.

Page by page in the order of tenant and call id, so memory stays what it is however long the period, and
a rebuild that was interrupted goes on where it was. It runs beside the workers. What differs because a
worker has it in hand is looked at again a little later; what was corrected, too, lest a worker wrote it at
the same time from less.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field

import orjson
from clickhouse_connect.driver.client import Client

from pipeline import clock
from pipeline.calls import fold
from pipeline.output import progress_bar
from pipeline.settings import Settings
from pipeline.warehouse.storage import period as periods
from pipeline.warehouse.storage.archive import CallKey
from pipeline.warehouse.storage.client import connect
from pipeline.warehouse.storage.period import BEGINNING, Period
from pipeline.worker.repair.correction_writer import Corrections
from pipeline.worker.repair.recheck import LOOKS, Doubt, Doubtful, doubt_of, in_hand, left_to_worker
from pipeline.worker.repair.refold import Difference, Refolded, load_tariffs, refold, too_old

PAGE = 2000  # calls looked at together

Only = Callable[[Refolded], bool]


@dataclass(slots=True)
class Outcome:
    """What a rebuild did. `left` tells of calls that differ and were not written, because the archive has
    fewer events of them than their rows were made of."""

    looked: int = 0
    corrected: int = 0
    left: list[Difference] = field(default_factory=list)


def rebuild(
    settings: Settings, of: Period, *, kind: str = "rebuild", only: Only | None = None, show: bool = False
) -> Outcome:
    """Write every call of the period that differs from its fresh fold; those for which `only` says False
    stay as they are. `kind` names the job: one of the same kind and period that was interrupted goes on.

    `show` draws a progress bar on stderr where that is a terminal. Raises `Problem` when ClickHouse or Kafka
    does not answer at the start; later it waits for them.
    """
    return asyncio.run(_Rebuild(settings, of, kind, only).run(show))


class _Rebuild:
    """One run of a rebuild."""

    def __init__(self, settings: Settings, of: Period, kind: str, only: Only | None) -> None:
        self._settings, self._period, self._kind, self._only = settings, of, kind, only
        self._outcome = Outcome()
        self._begun_ms = clock.now_ms()
        self._after: CallKey = BEGINNING
        self._doubtful = Doubtful()

    async def run(self, show: bool) -> Outcome:
        client = connect(self._settings.clickhouse, self._settings.database)
        corrections = await Corrections.begin(self._settings)
        outcome = self._outcome
        try:
            self._resume(client)
            self._tariffs = load_tariffs(client, self._settings)
            left = await asyncio.to_thread(periods.count, client, self._period, self._after)
            with progress_bar(show) as progress:
                task = progress.add_task("calls", total=outcome.looked + left, completed=outcome.looked)
                while page := await corrections.query(self._next_page):
                    await self._correct(corrections, page, {})
                    self._after = page[-1]
                    outcome.looked += len(page)
                    progress.update(task, completed=outcome.looked)
                    if self._doubtful.due:
                        await self._settle(corrections)
                    await corrections.query(self._note)
                while self._doubtful:
                    await self._settle(corrections)
                await corrections.query(lambda client: self._note(client, finished=True))
        finally:
            await corrections.end()
        return outcome

    def _next_page(self, client: Client) -> list[CallKey]:
        return periods.page(client, self._period, self._after, PAGE)

    async def _settle(self, corrections: Corrections) -> None:
        """Look again at what a worker had in hand, and at what was corrected."""
        some = await self._doubtful.take(PAGE)
        await self._correct(corrections, list(some), some)

    async def _correct(self, corrections: Corrections, calls: list[CallKey], before: dict[CallKey, Doubt]) -> None:
        """Write what differs and is in nobody's hand; note what to look at again."""
        ready: list[Refolded] = []
        for group in await corrections.query(lambda client: list(refold(client, self._settings, self._tariffs, calls))):
            differences = group.differences()
            if not differences or too_old(group, self._settings):
                continue
            if self._only is not None and not self._only(group):
                continue
            doubt = doubt_of(group, before)
            since = doubt.since if doubt is not None else self._after
            looks = doubt.looks if doubt is not None else 0
            if group.beyond_archive:  # perhaps only because it was written between two looks at it
                if looks < LOOKS:
                    self._doubtful.note(group, since, doubt)
                else:
                    self._outcome.left += differences
                continue
            write = not in_hand(group, doubt) and not left_to_worker(group)
            if write:
                ready.append(group)
                self._outcome.corrected += doubt is None or not doubt.written
            if looks < LOOKS or (write and looks < 2 * LOOKS):
                self._doubtful.note(group, since, doubt, written=write)
        await corrections.write(ready)

    # -- how far it got ----------------------------------------------------------------------------

    def _resume(self, client: Client) -> None:
        query = (
            "SELECT toUnixTimestamp64Milli(started_at), last_tenant, last_call_id, looked, corrected FROM rebuild_rows"
            " FINAL WHERE kind = {kind:String} AND tenant = {tenant:String} AND generation = {generation:UInt32}"
            " AND first_at = fromUnixTimestamp64Milli({first:Int64}) AND end_at = fromUnixTimestamp64Milli({end:Int64})"
            " AND finished = 0"
        )
        name = self._period.parameters | {"kind": self._kind, "generation": fold.GENERATION}
        for begun_ms, tenant, call_id, looked, corrected in client.query(query, name).result_rows:
            self._begun_ms, self._after = begun_ms, (tenant, call_id)
            self._outcome.looked, self._outcome.corrected = looked, corrected

    def _note(self, client: Client, finished: bool = False) -> None:
        """Note how far it got; pages with calls that are to be looked at again are not done."""
        after = self._doubtful.first_page(self._after)
        values = {
            "kind": self._kind,
            "tenant": self._period.tenant,
            "first_at": self._period.first_ms / 1000,
            "end_at": self._period.end_ms / 1000,
            "generation": fold.GENERATION,
            "started_at": self._begun_ms / 1000,
            "last_tenant": after[0],
            "last_call_id": after[1],
            "looked": self._outcome.looked,
            "corrected": self._outcome.corrected,
            "finished": int(finished),
            "version": time.time_ns(),
        }
        body = orjson.dumps(list(values.values()))
        client.raw_insert("rebuild_rows", list(values), body, {"async_insert": 0}, "JSONCompactEachRow")
