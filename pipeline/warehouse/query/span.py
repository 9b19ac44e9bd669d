"""The time that holds a tenant's rows."""

from __future__ import annotations

from pipeline.warehouse.query.clauses import Source
from pipeline.warehouse.query.conditions import Bindings
from pipeline.warehouse.query.reader import Reader


async def span_of(reader: Reader, tenant: str, source: Source) -> tuple[int, int] | None:
    """From the oldest to the newest start, half-open, ms; None when there are no rows. Rows lie in this order: both
    ends are looked up, not searched for."""
    bindings = Bindings()
    whose = f"FROM {source.table} WHERE tenant = {bindings.bind(tenant, 'String')}"
    ends = (f"(SELECT started_at {whose} ORDER BY tenant {way}, started_at {way} LIMIT 1)" for way in ("ASC", "DESC"))
    rows = await reader.rows(
        f"{source.name}_span",
        f"SELECT toUnixTimestamp64Milli(started_at) AS at FROM ({' UNION ALL '.join(ends)})",
        bindings.values,
    )
    moments = [int(row["at"]) for row in rows]
    return (min(moments), max(moments) + 1) if moments else None
