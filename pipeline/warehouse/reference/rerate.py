"""Old calls priced again, by the decks and directories of now: each into a new version of its row.

The version of a call has room for how often it was priced again, below the number of its events: a later event still
replaces the row, and a worker that folds the same events again does not. An order is written down first; a
worker that has calls in memory asks for orders before it folds one of them again. Done twice, the second time changes
nothing: each row tells which tariffs priced it. Cut off anywhere, it is taken up by doing it again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import orjson
from clickhouse_connect.driver.client import Client

from pipeline.instants import DAY_MS, instant
from pipeline.rating.calls import clear, is_as_ordered, price
from pipeline.rating.carrier_legs import OUTWARD
from pipeline.rating.tariffs import Order, Tariffs
from pipeline.warehouse.query.clauses import STARTED_DAY
from pipeline.warehouse.query.from_row import as_call
from pipeline.warehouse.reference.decks import Loader, next_version, versions
from pipeline.warehouse.storage import rows, writer
from schemas.call import Call, CallLog
from schemas.version import MOST_RERATED, Version

# Longer than a worker may not know of an order, and a batch in flight takes.
SETTLE_S: Final = 1.5
_AT_ONCE: Final = 10_000

Publish = Callable[[Sequence[Call]], None]

_SETTINGS: Final = {
    "date_time_output_format": "iso",
    "output_format_json_quote_64bit_integers": 0,
    "do_not_merge_across_partitions_select_final": 1,
}
_CALL_COLUMNS: Final = (
    *(name for name in Call.__struct_fields__ if name not in {"legs", "reroutes", "queue_visits", "recordings",
                                                              "quality", "logs"}),
    "detail",
)  # fmt: skip
_BETWEEN: Final = (
    "started_at >= fromUnixTimestamp64Milli({first:Int64}, 'UTC')"
    " AND started_at < fromUnixTimestamp64Milli({end:Int64}, 'UTC')"
)
_OF_TENANT: Final = "({tenant:String} = '' OR tenant = {tenant:String})"
_LAST: Final = f"SELECT max(greatest(ended_at, last_event_at)) FROM call_rows WHERE {_OF_TENANT} AND {_BETWEEN}"
# A call of any direction may have a leg that went outside: somebody was consulted, or it was handed on.
_WENT_OUTSIDE: Final = (
    "SELECT tenant, session_id FROM call_log_rows FINAL WHERE retired = 0 AND isNotNull(answered_at)"
    f" AND kind IN ('outside', 'consultation') AND {_OF_TENANT}"
    f" AND started_at >= fromUnixTimestamp64Milli({{first:Int64}}, 'UTC') AND started_at <= ({_LAST})"
)
_PRICED: Final = (
    f"FROM call_rows FINAL WHERE {_OF_TENANT} AND {_BETWEEN} AND retired = 0 AND state = 'closed' AND"
    " (isNotNull(answered_at) AND direction IN {directions:Array(String)} OR rating != ''"
    f" OR (tenant, id) IN ({_WENT_OUTSIDE}))"
)
_DUE: Final = f"SELECT 1 {_PRICED} AND rating != '' AND JSONExtractUInt(rating, 'tariffs') < {{newest:UInt64}} LIMIT 1"
_CALLS: Final = (
    f"SELECT {', '.join(_CALL_COLUMNS)} {_PRICED}"
    " AND ({all:Bool} OR rating = '')"
    " AND (tenant, started_at, id) > ({after:String}, fromUnixTimestamp64Milli({since:Int64}, 'UTC'), {id:UInt64})"
    " ORDER BY tenant, started_at, id LIMIT {limit:UInt32}"
)
_LOGS: Final = (
    f"SELECT {', '.join(CallLog.__struct_fields__)} FROM call_log_rows FINAL WHERE retired = 0"
    " AND tenant IN {tenants:Array(String)} AND session_id IN {ids:Array(UInt64)}"
    f" AND {_BETWEEN} ORDER BY session_id, position, started_at, id"
)
_DAYS: Final = f"SELECT DISTINCT {STARTED_DAY} AS day FROM call_rows WHERE {_OF_TENANT} AND {_BETWEEN} ORDER BY day"


@dataclass(slots=True)
class Rerated:
    """What pricing again came to. `unknown`: calls that are billed and that no deck has a price for."""

    calls: int = 0
    changed: int = 0
    unknown: int = 0
    before: dict[str, Decimal] = field(default_factory=dict)  # currency → sum
    after: dict[str, Decimal] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        """For people."""
        return {
            "calls": self.calls,
            "changed": self.changed,
            "unknown": self.unknown,
            "before": {currency: f"{total:f}" for currency, total in sorted(self.before.items())},
            "after": {currency: f"{total:f}" for currency, total in sorted(self.after.items())},
        }


def rerate(
    client: Client,
    first_ms: int,
    end_ms: int,
    *,
    tenant: str = "",
    country: str = "",
    by: str = "",
    publish: Publish | None = None,
    dry_run: bool = False,
) -> Rerated:
    """Price again the calls that started in [first_ms, end_ms). Calls that still go on are priced when they end.

    Parameters:
        tenant: whose; "" for all tenants
        country: ISO code for numbers without country code
        by: who asked, for the record
        publish: called with the new versions before they are written, so that the change feed misses none
        dry_run: count, write nothing
    """
    at = versions(client)
    loader = Loader(country)
    tariffs = loader.load(client, at)
    if _is_due(client, tenant, first_ms, end_ms, tariffs, at.newest):
        order = Order(next_version(max(at.newest, at.rerates)), tenant, first_ms, end_ms)
        if not dry_run:
            row = [order.version, tenant, first_ms, end_ms, by]
            columns = ["version", "tenant", "first_at", "end_at", "by"]
            client.insert("rerate_rows", [row], column_names=columns, settings={"async_insert": 0})
            time.sleep(SETTLE_S)
        tariffs = loader.load(client, at, *([order] if dry_run else ()))
    done = Rerated()
    for calls in _calls(client, tenant, first_ms, end_ms, tariffs):
        _price(client, calls, tariffs, done, publish, dry_run=dry_run)
    return done


def _is_due(client: Client, tenant: str, first_ms: int, end_ms: int, tariffs: Tariffs, newest: int) -> bool:
    """Whether a call was priced before decks or directory changed for the last time, or was not and now can be. What
    stays without a rating (a colleague was consulted, who is no carrier's) needs no order."""
    parameters = {"tenant": tenant, "first": first_ms, "end": end_ms, "newest": newest, "directions": _billed(tariffs)}
    if client.query(_DUE, parameters=parameters).result_rows:
        return True
    for calls in _calls(client, tenant, first_ms, end_ms, tariffs, unrated=True):
        for call in calls:
            price(call, tariffs)
            if call.rating:
                return True
    return False


def _billed(tariffs: Tariffs) -> list[str]:
    return [direction for direction in ("outbound", "inbound_outbound", "inbound") if tariffs.bills(direction)]


def _rows(client: Client, sql: str, parameters: dict[str, Any]) -> list[dict[str, Any]]:
    body = client.raw_query(sql, parameters=parameters, settings=_SETTINGS, fmt="JSONEachRow")
    return [orjson.loads(line) for line in body.split(b"\n") if line]


def _calls(
    client: Client, tenant: str, first_ms: int, end_ms: int, tariffs: Tariffs, *, unrated: bool = False
) -> Iterator[list[Call]]:
    """The calls in question with their logs; a day's at a time, in portions. `unrated`: only those without a rating."""
    parameters = {"tenant": tenant, "first": first_ms, "end": end_ms}
    for (day,) in client.query(_DAYS, parameters=parameters).result_rows:
        begin, end = max(first_ms, day * DAY_MS), min(end_ms, (day + 1) * DAY_MS)
        asked = {"tenant": tenant, "first": begin, "end": end, "directions": _billed(tariffs), "limit": _AT_ONCE}
        asked["all"] = not unrated
        place: dict[str, Any] = {"after": "", "since": 0, "id": 0}
        while portion := _rows(client, _CALLS, asked | place):
            last = portion[-1]
            place = {"after": last["tenant"], "since": instant(last["started_at"]), "id": last["id"]}
            yield _with_logs(client, portion, begin)


def _with_logs(client: Client, portion: list[dict[str, Any]], begin: int) -> list[Call]:
    moments = [row[name] for row in portion for name in ("started_at", "ended_at", "last_event_at") if row[name]]
    asked = {
        "tenants": sorted({row["tenant"] for row in portion}),
        "ids": [row["id"] for row in portion],
        "first": begin,
        "end": max(map(instant, moments)) + 1,
    }
    logs: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for log in _rows(client, _LOGS, asked):
        logs.setdefault((log["tenant"], log["session_id"]), []).append(log)
    return [as_call(row, logs.get((row["tenant"], row["id"]), ())) for row in portion]


def _price(
    client: Client, calls: list[Call], tariffs: Tariffs, done: Rerated, publish: Publish | None, *, dry_run: bool
) -> None:
    changed = []
    for call in calls:
        before = (call.cost, call.currency)
        if is_as_ordered(call.rating, tariffs.ordered(call.tenant, call.started_at)) and call.rating:
            _count(done, before, call)
            continue
        rated = call.rating
        clear(call)
        price(call, tariffs)
        if not (call.rating or rated or call.direction in OUTWARD):
            continue  # the colleague who was consulted is no carrier's
        _count(done, before, call)
        if (call.rating or rated) and Version.of(call.version).rerated < MOST_RERATED:
            call.version += 1
            changed.append(call)
    done.changed += len(changed)
    if changed and not dry_run:
        if publish is not None:
            publish(changed)
        writer.write_calls(client, [rows.call_row(call) for call in changed])


def _count(done: Rerated, before: tuple[str, str], call: Call) -> None:
    done.calls += 1
    cost, currency = before
    if cost:
        done.before[currency] = done.before.get(currency, Decimal(0)) + Decimal(cost)
    if call.cost:
        done.after[call.currency] = done.after.get(call.currency, Decimal(0)) + Decimal(call.cost)
    else:
        done.unknown += 1
