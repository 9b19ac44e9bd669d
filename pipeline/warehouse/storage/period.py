"""A period of time whose calls are looked at one after the other, in an order that can be resumed."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from clickhouse_connect.driver.client import Client

from pipeline import clock
from pipeline.errors import USAGE, Problem
from pipeline.instants import DAY_MS, instant
from pipeline.warehouse.storage.archive import CallKey

_AT = "at >= fromUnixTimestamp64Milli({first:Int64}) AND at < fromUnixTimestamp64Milli({end:Int64})"
_STARTED = _AT.replace("at ", "started_at ")
BEGINNING: CallKey = ("", "")


@dataclass(frozen=True, slots=True)
class Period:
    """Calls with an event from `first_ms` on and before `end_ms` (ms, UTC), of one tenant or of all ("")."""

    first_ms: int
    end_ms: int
    tenant: str = ""

    @property
    def parameters(self) -> dict[str, Any]:
        """What the queries here bind."""
        return {"first": self.first_ms, "end": self.end_ms, "tenant": self.tenant}

    def _events(self) -> str:
        return f"event_rows WHERE {_AT}" + (" AND tenant = {tenant:String}" if self.tenant else "")

    def _rows(self) -> str:
        return f"call_rows FINAL WHERE retired = 0 AND {_STARTED}" + (
            " AND tenant = {tenant:String}" if self.tenant else ""
        )


def period(first: str, end: str, tenant: str = "") -> Period:
    """A period as the command line gives it: RFC 3339 times or dates (UTC); an empty `end` is now.
    Raises `Problem` when they are no period."""
    begins = _moment("--from", first)
    ends = _moment("--to", end) if end else clock.now_ms() + 1
    if begins >= ends:
        raise Problem(f"--from {first} is not before --to {end or 'now'}.", hint="Swap them.", code=USAGE)
    return Period(begins, ends, tenant)


def _moment(option: str, text: str) -> int:
    try:
        return instant(text)
    except ValueError as error:
        raise Problem(f"{option} {text!r} {error}.", code=USAGE) from None


def shown(ms: int) -> str:
    """A moment as RFC 3339."""
    return dt.datetime.fromtimestamp(ms / 1000, dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def count(client: Client, of: Period, after: CallKey = BEGINNING) -> int:
    """About how many calls of a period come after a call."""
    query = f"SELECT uniq(tenant, call_id) FROM {of._events()} AND (tenant, call_id) > ({{t:String}}, {{c:String}})"
    parameters = of.parameters | {"t": after[0], "c": after[1]}
    return int(client.query(query, parameters=parameters).result_rows[0][0])


def page(client: Client, of: Period, after: CallKey, size: int) -> list[CallKey]:
    """The next calls of a period, in the order of tenant and call_id; none when it is over."""
    query = (
        f"SELECT tenant, call_id FROM {of._events()} AND (tenant, call_id) > ({{t:String}}, {{c:String}})"
        " GROUP BY tenant, call_id ORDER BY tenant, call_id LIMIT {size:UInt32}"
    )
    parameters = of.parameters | {"t": after[0], "c": after[1], "size": size}
    settings = {"optimize_aggregation_in_order": 1, "max_threads": 2}
    return [(tenant, call_id) for tenant, call_id in client.query(query, parameters, settings).result_rows]


def without_events(client: Client, of: Period) -> list[CallKey]:
    """Calls that have a row in the period and no event in the archive within a day of it, day by day."""
    found: list[CallKey] = []
    query = (
        f"SELECT DISTINCT tenant, call_id FROM {of._rows()} AND (tenant, call_id) NOT IN (SELECT tenant, call_id"
        " FROM event_rows WHERE at >= fromUnixTimestamp64Milli({first:Int64} - 86400000)"
        " AND at < fromUnixTimestamp64Milli({end:Int64} + 86400000)) LIMIT 100000"
    )
    days = f"SELECT DISTINCT toUnixTimestamp64Milli(started_at) DIV 86400000 AS day FROM {of._rows()} ORDER BY day"
    for (number,) in client.query(days, parameters=of.parameters).result_rows:
        first = max(int(number) * DAY_MS, of.first_ms)
        day = Period(first, min((int(number) + 1) * DAY_MS, of.end_ms), of.tenant)
        found += [(tenant, call_id) for tenant, call_id in client.query(query, day.parameters).result_rows]
    return found
