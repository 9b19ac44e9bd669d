"""Lists of calls that somebody keeps under a name: what the page's address asks, for its owner alone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pipeline.clock import now_ms
from pipeline.warehouse.query.bindings import Bindings
from pipeline.warehouse.query.reader import Reader
from schemas.call import rfc3339

MOST: Final = 100  # of one owner


@dataclass(frozen=True, slots=True)
class SavedView:
    """A name, and the query string behind it."""

    name: str
    query: str


async def views_of(reader: Reader, tenant: str, owner: str) -> list[SavedView]:
    """The owner's views by name. Raises what `Reader.rows` raises."""
    bindings = Bindings()
    rows = await reader.rows(
        "saved_views",
        f"SELECT name, query FROM saved_view_rows FINAL WHERE tenant = {bindings.bind(tenant, 'String')}"
        f" AND owner = {bindings.bind(owner, 'String')} AND deleted = 0 ORDER BY name LIMIT {MOST}",
        bindings.values,
        by_key=True,
    )
    return [SavedView(row["name"], row["query"]) for row in rows]


async def keep(reader: Reader, tenant: str, owner: str, view: SavedView, *, deleted: bool = False) -> None:
    """Keep a view, in place of another one of its name; or delete it."""
    now = now_ms()
    row = {
        "tenant": tenant,
        "owner": owner,
        "name": view.name,
        "query": view.query,
        "deleted": int(deleted),
        "changed_at": rfc3339(now),
        "version": now,
    }
    await reader.insert("saved_view_rows", [row])
