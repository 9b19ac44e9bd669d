"""Saving reports, for all surfaces: who saves one decides how its numbers are shown, and of two people who change one
the second is told."""

from __future__ import annotations

from typing import Any

from pipeline import clock
from pipeline.errors import CdrError
from pipeline.query.access.caller import Caller
from pipeline.query.access.report_access import writer
from pipeline.reports.catalogue import ALL_FILTERS
from pipeline.reports.definition import Definition, parse
from pipeline.reports.store import RUN_WAITING, ReportStore, Run, new_id, run_id
from pipeline.warehouse.identity.access import numbers_of


class ChangedMeanwhile(CdrError):
    """Somebody else changed the report, or took it away (`now` is None), since it was read."""

    def __init__(self, now: Definition | None) -> None:
        super().__init__("the report was changed meanwhile")
        self.now = now


async def create(store: ReportStore, caller: Caller, body: Any, *, zone: str, types: Any = ALL_FILTERS) -> Definition:
    """A new report of what a body says. Raises BadField, RequestProblem (403)."""
    writer(caller)
    now = clock.now_ms()
    fields = parse(body, types, zone=zone)
    made = Definition(
        tenant=caller.tenant, id=new_id(now), requested_at=now, numbers=numbers_of(caller.scopes), **fields
    )
    await store.save(made)
    return made


async def change(
    store: ReportStore,
    caller: Caller,
    known: Definition,
    body: Any,
    *,
    zone: str,
    types: Any = ALL_FILTERS,
    read_at: int | None = None,
) -> Definition:
    """The report `known` with what a body says; what is not in it stays. `read_at`: `requested_at` of what the person
    saw who changes it; ChangedMeanwhile when it is another by now. Raises BadField, RequestProblem (403)."""
    writer(caller)
    fields = parse(body, types, known, zone=zone)
    if read_at is not None:
        newest = await store.definition(caller.tenant, known.id)
        if newest is None or newest[0].requested_at != read_at:
            raise ChangedMeanwhile(newest[0] if newest else None)
    now = max(clock.now_ms(), known.requested_at + 1)
    made = Definition(tenant=caller.tenant, id=known.id, requested_at=now, numbers=numbers_of(caller.scopes), **fields)
    if not await store.save(made, base=read_at):
        newest = await store.definition(caller.tenant, known.id)
        raise ChangedMeanwhile(newest[0] if newest else None)
    return made


async def run_now(store: ReportStore, caller: Caller, definition: Definition) -> Run:
    """Ask the workers for a run of the report as it is now, beside those of its schedule; one that was asked for and
    has not begun is that run."""
    writer(caller)
    for known in await store.of_definition(caller.tenant, definition.id):
        if known.state == RUN_WAITING:
            return known
    now = max(clock.now_ms(), definition.requested_at + 1)
    run = Run(
        caller.tenant, run_id(definition.id, now), definition.id, now, RUN_WAITING,
        name=definition.name, type=definition.type, format=definition.format,
    )  # fmt: skip
    await store.write_run(run)
    return run
