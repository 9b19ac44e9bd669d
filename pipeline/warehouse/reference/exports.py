"""Exports as they are kept: what was asked, by whom, and how far it is."""

from __future__ import annotations

from typing import Any, Final

import msgspec

from pipeline.instants import instant
from pipeline.warehouse.query.bindings import Bindings
from pipeline.warehouse.query.reader import Reader
from schemas.call import rfc3339

_TIMES: Final = ("created_at", "seen_at", "expires_at")


class Export(msgspec.Struct, frozen=True):
    """One export. Times in ms since the epoch. `state`: pending, running, ready, failed, deleted."""

    tenant: str
    id: str
    name: str
    extension: str
    masked: int
    question: str
    state: str
    rows: int
    bytes: int
    sha256: str
    problem: str
    created_at: int
    seen_at: int
    expires_at: int
    version: int = 1


async def save(reader: Reader, export: Export) -> Export:
    """Write the next version of it. Raises what `Reader.rows` raises."""
    following = msgspec.structs.replace(export, version=export.version + 1)
    row: dict[str, Any] = msgspec.structs.asdict(following)
    await reader.insert("export_rows", [row | {name: rfc3339(row[name]) for name in _TIMES}])
    return following


async def find(reader: Reader, tenant: str, id_: str) -> Export | None:
    """The newest version of this export; None when there is none such, or it was deleted."""
    bindings = Bindings()
    found = await _read(
        reader, f"tenant = {bindings.bind(tenant, 'String')} AND id = {bindings.bind(id_, 'String')}", bindings
    )
    return found[0] if found else None


async def of_tenant(reader: Reader, tenant: str) -> list[Export]:
    """The tenant's exports, newest first."""
    bindings = Bindings()
    return await _read(reader, f"tenant = {bindings.bind(tenant, 'String')}", bindings)


async def of_all(reader: Reader) -> list[Export]:
    """The exports of all tenants, newest first."""
    return await _read(reader, "1", Bindings())


async def _read(reader: Reader, where: str, bindings: Bindings) -> list[Export]:
    names = ", ".join(f"`{name}`" for name in Export.__struct_fields__)
    rows = await reader.rows(
        "exports",
        f"SELECT {names} FROM export_rows FINAL WHERE {where} AND state != 'deleted'"
        " ORDER BY created_at DESC, id LIMIT 1000",
        bindings.values,
        by_key=True,
    )
    return [Export(**(row | {name: instant(row[name]) for name in _TIMES})) for row in rows]
