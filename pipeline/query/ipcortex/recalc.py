"""`recalc` of ipcortex' reports: the calls of the report priced again first, by the tariffs of now."""

from __future__ import annotations

import asyncio

import structlog
from clickhouse_connect.driver.exceptions import ClickHouseError
from urllib3.exceptions import HTTPError

from pipeline.errors import Problem
from pipeline.query.access.caller import Caller
from pipeline.query.http.problems import RequestProblem, unavailable
from pipeline.settings import Settings
from pipeline.warehouse.identity.access import RATE

log = structlog.get_logger("cdr.query")


async def recalculate(settings: Settings, caller: Caller, first_ms: int, end_ms: int) -> None:
    """Price the tenant's calls again that started in [first_ms, end_ms). Cut off, it may be done again. Raises
    RequestProblem when ClickHouse or Kafka is away, or the caller lacks the scope rating:write."""
    if not caller.sees_all:
        raise RequestProblem(403, "forbidden", "scope.recalc: only those who see all calls may have them priced again.")
    if not caller.may(RATE):
        raise RequestProblem(
            403,
            "forbidden",
            f"scope.recalc changes prices; the token lacks the scope {RATE}. Leave it out to read.",
        )
    try:
        done = await asyncio.to_thread(_price, settings, caller, first_ms, end_ms)
    except (ClickHouseError, HTTPError, OSError, Problem) as error:
        log.warning("recalc", problem=str(error))
        raise unavailable(
            "The calls cannot be priced again now; try again in a moment, or leave recalc out."
        ) from error
    log.info("recalc", tenant=caller.tenant, **done)


def _price(settings: Settings, caller: Caller, first_ms: int, end_ms: int) -> dict[str, int]:
    from pipeline.worker.repair.rerating import kafka_away, run  # heavy, and seldom needed

    feed = kafka_away(settings) is None
    by = f"ipcortex recalc of {caller.name}"
    done = run(settings, first_ms, end_ms, tenant=caller.tenant, feed=feed, by=by)
    return {"calls": done.calls, "changed": done.changed, "unknown": done.unknown}
