"""The directory in ClickHouse: one row an entry, a change is a new version, a deletion a mark.

Services read it through `Directories`, at most 5 s old; commands load and save it with a client.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import msgspec
from clickhouse_connect.driver.client import Client

from pipeline.directory.model import KINDS, Directory, Entry, Key, Tenant, build, key_of, kind_of
from pipeline.errors import CdrError
from pipeline.warehouse.query.masking import masked_value
from pipeline.warehouse.query.reader import Reader
from pipeline.warehouse.query.view import View
from pipeline.warehouse.storage.domains import domain_owner

_CHANGED: Final = "SELECT max(version) AS version FROM directory_rows WHERE tenant = {tenant:String}"
# One row a kind, however many entries: a reader limits rows, not their size.
_ENTRIES: Final = (
    "SELECT kind, groupArray(body) AS bodies, max(version) AS version FROM directory_rows FINAL"
    " WHERE tenant = {tenant:String} AND deleted = 0 GROUP BY kind"
)
_DECODERS: Final = {kind: msgspec.json.Decoder(class_, strict=False) for kind, class_ in KINDS.items()}
_encode: Final = msgspec.json.Encoder().encode
_REMEMBERED: Final = 10_000  # tenants


class DomainTaken(CdrError, ValueError):
    """A tenant names a domain by which logins of another tenant are told. The message says which."""


def body_of(entry: Entry) -> str:
    """An entry as its row's JSON."""
    return _encode(entry).decode()


class Directories:
    """The directories of a service's tenants, each at most `max_age_s` old.

    After that time one small query asks whether anything changed; only then is it read again.
    A tenant without entries has an empty directory, zone UTC.
    """

    def __init__(self, reader: Reader, max_age_s: float = 5.0, now: Callable[[], float] = time.monotonic) -> None:
        self._reader = reader
        self._max_age_s = max_age_s
        self._now = now
        self._known: OrderedDict[str, tuple[float, Directory]] = OrderedDict()
        self._masked: dict[str, Directory] = {}
        self._loading: dict[str, asyncio.Task[Directory]] = {}

    async def of(self, tenant: str) -> Directory:
        """The tenant's directory. Raises what `Reader.rows` raises."""
        known = self._known.get(tenant)
        if known is not None and self._now() - known[0] < self._max_age_s:
            return known[1]
        task = self._loading.get(tenant)
        if task is None:  # one question, however many ask
            task = self._loading[tenant] = asyncio.create_task(self._load(tenant, known and known[1]))
            task.add_done_callback(lambda _: self._loading.pop(tenant, None))
        return await asyncio.shield(task)

    async def seen(self, view: View) -> Directory:
        """The directory of the view's tenant, its numbers and the numbers in its names masked where the view masks
        them. Raises what `Reader.rows` raises."""
        directory = await self.of(view.tenant)
        if not view.masked:
            return directory
        masked = self._masked.get(view.tenant)
        if masked is None or masked.version != directory.version:
            masked = self._masked[view.tenant] = masked_directory(directory)
        return masked

    def forget(self, tenant: str) -> None:
        """Read the tenant's directory again when it is next asked for: it was changed here."""
        self._known.pop(tenant, None)

    async def _load(self, tenant: str, known: Directory | None) -> Directory:
        asked_at = self._now()
        rows = await self._reader.rows("directory_version", _CHANGED, {"tenant": tenant}, by_key=True)
        version = int(rows[0]["version"])
        if known is None or known.version != version:
            rows = await self._reader.rows("directory", _ENTRIES, {"tenant": tenant}, by_key=True) if version else []
            known = _built(tenant, {row["kind"]: row["bodies"] for row in rows}, version)
        self._known[tenant] = (asked_at, known)
        self._known.move_to_end(tenant)
        while len(self._known) > _REMEMBERED:
            self._masked.pop(self._known.popitem(last=False)[0], None)
        return known


def masked_directory(directory: Directory) -> Directory:
    """A copy with every number masked; rows that are masked too find their names in it. Of numbers that look alike the
    first one stands for all, first as it is shown: which one says nothing of hidden digits."""
    entries: dict[Key, Entry] = {}
    shown: list[tuple[str, bytes]] = []
    for (kind, key), entry in directory.entries().items():
        if kind == "tenant":
            entries[kind, key] = entry
        else:
            shown.append((kind, _encode(masked_value(msgspec.to_builtins(entry)))))
    for kind, body in sorted(shown):
        masked = _DECODERS[kind].decode(body)
        entries.setdefault((kind, key_of(masked)), masked)
    return build(directory.tenant.id, entries, directory.version)


def load(client: Client, tenant: str) -> Directory:
    """The tenant's directory as it is now."""
    version = int(client.query(_CHANGED, parameters={"tenant": tenant}).result_rows[0][0])
    return build(tenant, load_entries(client, tenant), version)


def load_entries(client: Client, tenant: str) -> dict[Key, Entry]:
    """The tenant's entries as they were saved: groups and extensions have not learned of each other."""
    rows = client.query(_ENTRIES, parameters={"tenant": tenant}).result_rows
    return _decoded({kind: bodies for kind, bodies, _ in rows})


def tenants(client: Client) -> list[str]:
    """The tenants that have a directory."""
    rows = client.query("SELECT DISTINCT tenant FROM directory_rows FINAL WHERE deleted = 0 ORDER BY tenant")
    return [row[0] for row in rows.result_rows]


def save(client: Client, tenant: str, changes: Mapping[Key, Entry | None], by: str) -> int:
    """Write entries, None for one that goes, all in one block; returns the version they bear.

    Raises DomainTaken. A version is the clock in µs, or one more than the tenant's last where a clock stands behind.
    """
    if not changes:
        return 0
    for taken in taken_domains(client, tenant, changes.values()):
        raise DomainTaken(taken)
    last = int(client.query(_CHANGED, parameters={"tenant": tenant}).result_rows[0][0])
    version = max(time.time_ns() // 1000, last + 1)
    rows: list[list[Any]] = [
        [tenant, kind, key, "{}" if entry is None else body_of(entry), int(entry is None), version // 1000, by, version]
        for (kind, key), entry in sorted(changes.items(), key=lambda change: change[0])
    ]
    client.insert(
        "directory_rows",
        rows,
        column_names=["tenant", "kind", "key", "body", "deleted", "changed_at", "changed_by", "version"],
        settings={"async_insert": 0},
    )
    return version


def taken_domains(client: Client, tenant: str, entries: Iterable[Entry | None]) -> list[str]:
    """What is wrong with the domain that a tenant gives itself: by it, logins of another tenant are told."""
    return [
        f"domain {entry.domain!r} is tenant {owner!r}'s; a domain belongs to one tenant"
        for entry in entries
        if isinstance(entry, Tenant) and (owner := domain_owner(client, entry.domain, but=tenant))
    ]


def _built(tenant: str, kinds: Mapping[str, list[str]], version: int) -> Directory:
    return build(tenant, _decoded(kinds), version)


def _decoded(kinds: Mapping[str, list[str]]) -> dict[Key, Entry]:
    """Entries of their JSON; a kind of a newer version of this program is passed over."""
    entries = (_DECODERS[kind].decode(body) for kind in KINDS if kind in kinds for body in kinds[kind])
    return {(kind_of(entry), key_of(entry)): entry for entry in entries}
