"""How long the rows of single tenants are kept, where that is shorter than for all (`migrate.set_retention`)."""

from __future__ import annotations

import datetime as dt
import time
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from pipeline.errors import USAGE, Problem

# What a rule may be about → tables, and the column that says how old a row is.
KINDS: Final = {
    "calls": (("call_rows", "started_at"), ("call_log_rows", "started_at"), ("call_term_rows", "until")),
    "archive": (("event_rows", "at"),),
    "webhooks": (("webhook_message_rows", "created_at"), ("webhook_delivery_rows", "created_at")),
}
_OLD: Final = "tenant = {tenant:String} AND %s < now() - toIntervalDay({days:UInt32})"


def set_rule(client: Client, tenant: str, kind: str, days: int, who: str = "") -> None:
    """Keep the tenant's rows of a kind for so many days; 0 takes the rule away. Raises `Problem`."""
    if kind not in KINDS:
        raise Problem(f"--table {kind[:40]!r} is none of {', '.join(KINDS)}.", code=USAGE)
    if not tenant:
        raise Problem("Whose rows?", hint="Give --tenant.", code=USAGE)
    client.insert(
        "retention_rows",
        [[tenant, kind, days, who, dt.datetime.now(dt.UTC), time.time_ns()]],
        column_names=["tenant", "kind", "days", "who", "set_at", "version"],
    )


def rules(client: Client, tenant: str | None = None) -> list[dict[str, Any]]:
    """The rules in force, of all tenants or of one."""
    found = client.query(
        "SELECT tenant, kind AS `table`, days, who, set_at FROM retention_rows FINAL WHERE days > 0"
        " AND ({all:UInt8} OR tenant = {tenant:String}) ORDER BY tenant, kind",
        parameters={"all": int(tenant is None), "tenant": tenant or ""},
    )
    return [dict(zip(found.column_names, row, strict=True)) for row in found.result_rows]


def apply_rules(client: Client) -> int:
    """Delete what is older than its rule; returns how many rows."""
    deleted = 0
    for rule in rules(client):
        parameters = {"tenant": rule["tenant"], "days": rule["days"]}
        for table, column in KINDS[rule["table"]]:
            old = _OLD % column
            count = client.query(f"SELECT count() FROM {table} WHERE {old}", parameters=parameters).result_rows[0][0]
            if count:
                client.command(
                    f"ALTER TABLE {table} DELETE WHERE {old}", parameters=parameters, settings={"mutations_sync": 2}
                )
                deleted += int(count)
    return deleted
