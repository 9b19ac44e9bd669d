"""Compares the calls of a period with a fresh fold of the archive, field by field: `cdr verify`. Writes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from clickhouse_connect.driver.client import Client

from pipeline.output import progress_bar
from pipeline.settings import Settings
from pipeline.warehouse.storage import period as periods
from pipeline.warehouse.storage.archive import CallKey
from pipeline.warehouse.storage.client import connect
from pipeline.warehouse.storage.period import BEGINNING, Period
from pipeline.worker.repair.rebuild import PAGE
from pipeline.worker.repair.recheck import Doubt, Doubtful, doubt_of, in_hand
from pipeline.worker.repair.refold import Difference, load_tariffs, refold, too_old, without_archive


@dataclass(slots=True)
class Verdict:
    """Calls looked at, and how many of them differ."""

    looked: int = 0
    wrong: int = 0


def verify(settings: Settings, of: Period, report: Callable[[Difference], None], *, show: bool = False) -> Verdict:
    """Report each field of each call of the period that is not as the archive tells it.

    A call that a worker has in hand is looked at again before it is said to differ. Rows that retention may
    have touched are left out. Raises `Problem` when ClickHouse does not answer.
    """
    return asyncio.run(_verify(settings, of, report, show))


async def _verify(settings: Settings, of: Period, report: Callable[[Difference], None], show: bool) -> Verdict:
    client = connect(settings.clickhouse, settings.database)
    tariffs = load_tariffs(client, settings)
    verdict = Verdict()
    doubtful = Doubtful()

    def tell(found: list[Difference]) -> None:
        verdict.wrong += 1
        for each in found:
            report(each)

    async def look(calls: list[CallKey], before: dict[CallKey, Doubt]) -> None:
        for group in await asyncio.to_thread(lambda: list(refold(client, settings, tariffs, calls, as_written=True))):
            if not (found := group.differences()) or too_old(group, settings):
                continue
            doubt = doubt_of(group, before)
            # Once more at least: a write has several parts.
            if doubt is None or in_hand(group, doubt):
                doubtful.note(group, BEGINNING, doubt)
            else:
                tell(found)

    with progress_bar(show) as progress:
        task = progress.add_task("calls", total=await asyncio.to_thread(periods.count, client, of))
        after = BEGINNING
        while page := await asyncio.to_thread(periods.page, client, of, after, PAGE):
            await look(page, {})
            after = page[-1]
            verdict.looked += len(page)
            progress.update(task, completed=verdict.looked)
            if doubtful.due:
                some = await doubtful.take(PAGE)
                await look(list(some), some)
        while doubtful:
            some = await doubtful.take(PAGE)
            await look(list(some), some)
    await asyncio.to_thread(_rows_without_events, client, settings, of, tell)
    return verdict


def _rows_without_events(
    client: Client, settings: Settings, of: Period, tell: Callable[[list[Difference]], None]
) -> None:
    keys = periods.without_events(client, of)
    for group in without_archive(client, keys, of.first_ms, of.end_ms) if keys else ():
        if (found := group.differences()) and not too_old(group, settings):
            tell(found)
