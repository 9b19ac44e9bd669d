"""Calls folded anew from the archive, beside what the tables have of them. Reads, writes nothing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import orjson
from clickhouse_connect.driver.client import Client

from pipeline import clock
from pipeline.calls.grouping import group as group_events
from pipeline.calls.grouping import over
from pipeline.calls.id_reuse import NEAR_MS
from pipeline.rating.calls import price
from pipeline.rating.directions import direct, set_direction
from pipeline.rating.tariffs import Tariffs
from pipeline.settings.calls import CallSettings
from pipeline.settings.clickhouse import ClickHouseSettings
from pipeline.warehouse.reference.decks import Loader, versions
from pipeline.warehouse.storage import archive, rows, stored_rows
from pipeline.warehouse.storage.archive import CallKey, Stored
from pipeline.warehouse.storage.stored_rows import MARGIN_MS, Row
from pipeline.worker.core import joining
from pipeline.worker.core.folding import call_of
from pipeline.worker.core.links import is_link
from schemas.call import Call
from schemas.event import Event
from schemas.version import Version, fold_of

_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that is not as the archive tells it. `what`: call, or log and its position."""

    tenant: str
    call_id: str
    what: str
    field: str
    stored: object
    folded: object

    def row(self) -> dict[str, object]:
        """The difference as a row of a list."""
        return {
            "tenant": self.tenant,
            "call_id": self.call_id,
            "what": self.what,
            "field": self.field,
            "stored": self.stored,
            "folded": self.folded,
        }


@dataclass(slots=True)
class Refolded:
    """One call: what the archive makes of it (`call`, None when it has no event of it), and its live rows."""

    tenant: str
    call_ids: tuple[str, ...]  # all ids that are this call
    call: Call | None
    partition: int = 0  # of its events
    archived_at: int = 0  # s since the epoch; when the newest of its events was
    known: int = 0  # distinct events of all calls under its ids
    calls: list[Row] = field(default_factory=list)
    logs: list[Row] = field(default_factory=list)

    @property
    def stored_events(self) -> int:
        """How many events its newest row was folded from; 0 when it has no row."""
        return max((Version.of(row["version"]).events for row in self.calls), default=0)

    @property
    def in_work(self) -> bool:
        """Whether the archive is ahead of the rows: a worker may be about to write it."""
        return self.call is not None and self.stored_events < self.call.events

    @property
    def beyond_archive(self) -> bool:
        """Whether its row knows of more events than the archive has: some were dropped, for their age or by hand."""
        return self.stored_events > max(self.known, self.call.events if self.call is not None else 0)

    def differences(self) -> list[Difference]:
        """Everything that is not as the archive tells it."""
        call = self.call
        want_calls = {_key(row): row for row in ([call_fields(call)] if call is not None else [])}
        want_logs = {_key(row): row for row in (log_fields(log) for log in (call.logs if call is not None else ()))}
        found = self._compare("call", self.calls, want_calls)
        return found + self._compare("log", self.logs, want_logs)

    def _compare(self, what: str, stored: list[Row], wanted: Mapping[tuple[Any, ...], Row]) -> list[Difference]:
        found: list[Difference] = []
        have = {_key(row): row for row in stored}
        for key in have.keys() | wanted.keys():
            old, new = have.get(key), wanted.get(key)
            row = old or new or {}
            name = f"log {row['position']}" if what == "log" else what
            if old is None or new is None:
                shown = (None, row["started_at"]) if old is None else (row["started_at"], None)
                found.append(Difference(self.tenant, row["call_id"], name, "row", *shown))
                continue
            for column, value in new.items():
                if column in old and not _same(column, old[column], value):
                    found.append(Difference(self.tenant, row["call_id"], name, column, old[column], value))
        return sorted(found, key=lambda each: (each.call_id, each.what, each.field))


def call_fields(call: Call) -> Row:
    """A call as the columns of `call_rows`; times in ms."""
    values = msgspec.structs.asdict(call)
    row = dict(zip(rows.CALL_COLUMNS, rows.call_row(call), strict=True))
    return row | {name: values[name] for name in rows.TIMES if name in row}


def log_fields(log: msgspec.Struct) -> Row:
    """A call log as the columns of `call_log_rows`; times in ms."""
    return msgspec.structs.asdict(log) | {"retired": 0}


def _key(row: Row) -> tuple[Any, ...]:
    return row["started_at"], row["id"], row["call_id"]


def _same(column: str, old: object, new: object) -> bool:
    if old == new:
        return True
    if column == "version":
        return fold_of(int(str(old))) == fold_of(int(str(new)))
    return column == "detail" and orjson.loads(str(old) or "{}") == orjson.loads(str(new) or "{}")


def load_tariffs(client: Client, settings: CallSettings) -> Tariffs:
    """What calls are priced by that were not priced before."""
    return Loader(settings.country).load(client, versions(client))


def refold(
    client: Client, settings: CallSettings, tariffs: Tariffs, of: Collection[CallKey], *, as_written: bool = False
) -> Iterator[Refolded]:
    """Fold these calls anew. Those that are one with others come once, with all their ids.

    `as_written`: a call keeps the direction that its row has; the directory may have changed since it was written.
    """
    known = _events(client, of)
    groups = {_group(key, known): None for key in of}
    wanted = {(tenant, call_id) for tenant, ids in groups for call_id in ids}
    moments = [event.at for key in wanted if key in known for event in known[key].events]
    first, last = (min(moments), max(moments)) if moments else (0, 0)
    calls = _by_call(stored_rows.calls(client, wanted, first, last))
    logs = _by_call(stored_rows.logs(client, wanted, first, last))
    silent_before = clock.now_ms() - int(settings.open_limit_s * 1000)
    for tenant, ids in groups:
        keys = [(tenant, call_id) for call_id in ids]
        stored = [known[key] for key in keys if key in known]
        events = [event for each in stored for event in each.events if not is_link(event)]
        found = _Rows(
            [row for key in keys for row in calls.get(key, ())], [row for key in keys for row in logs.get(key, ())]
        )
        for group in _calls(tenant, ids, events, found, silent_before):
            if group.call is not None:
                _complete(group, group.call, tariffs, as_written)
                own = known.get((tenant, group.call.call_id)) or stored[0]
                group.partition = own.partition
                group.archived_at = max(each.archived_at for each in stored)
            yield group


@dataclass(slots=True)
class _Rows:
    """The live rows under some ids, not yet assigned to a call."""

    calls: list[Row]
    logs: list[Row]

    def take(self, first_ms: int, last_ms: int) -> tuple[list[Row], list[Row]]:
        """Those that begin within this time; they are left no longer."""
        taken = []
        for rows_of in (self.calls, self.logs):
            taken.append([row for row in rows_of if first_ms < row["started_at"] < last_ms])
            rows_of[:] = [row for row in rows_of if not first_ms < row["started_at"] < last_ms]
        return taken[0], taken[1]


def _calls(
    tenant: str, ids: tuple[str, ...], events: list[Event], found: _Rows, silent_before: int
) -> Iterator[Refolded]:
    """The calls under these ids, one each day that they were used, with the rows of each."""
    parts = group_events(events)
    known = len({(event.call_id, event.event_id, event.at) for event in events})
    for part, ended in zip(parts, over(parts), strict=True):
        instants = [event.at for event in part]
        margin = NEAR_MS if len(parts) > 1 else MARGIN_MS
        group = Refolded(tenant, tuple(sorted({event.call_id for event in part})) if len(parts) > 1 else ids, None)
        group.calls, group.logs = found.take(min(instants) - margin, max(instants) + margin)
        group.known = known
        group.call = _fold(part, group, silent_before, ended)
        yield group
    if not parts:  # there is nothing but rows
        yield Refolded(tenant, ids, None, calls=found.calls, logs=found.logs)


def without_archive(client: Client, of: Iterable[CallKey], first_ms: int, end_ms: int) -> Iterator[Refolded]:
    """Calls of which the archive has nothing at all, with their rows."""
    keys = list(of)
    known = archive.load_events(client, keys)
    lacking = [key for key in keys if key not in known]
    calls = _by_call(stored_rows.calls(client, lacking, first_ms, end_ms))
    logs = _by_call(stored_rows.logs(client, lacking, first_ms, end_ms))
    for key in lacking:
        yield Refolded(key[0], (key[1],), None, calls=calls.get(key, []), logs=logs.get(key, []))


def too_old(group: Refolded, settings: ClickHouseSettings) -> bool:
    """Whether retention may have dropped the call's rows or a part of its events."""
    now_ms = clock.now_ms()
    moments = [row["started_at"] for row in group.calls] + ([group.call.started_at] if group.call is not None else [])
    days = [limit for limit in (settings.retention_days, settings.archive_retention_days) if limit]
    return bool(moments and days) and min(moments) < now_ms - (min(days) - 1) * _DAY_MS


def _fold(events: list[Event], group: Refolded, silent_before: int, ended: bool) -> Call:
    """The fold as the worker does it: a call without hang-up is closed when it is over by other evidence (`ended`),
    when its row says so, or when it has been silent for so long that the worker would have closed it and there is
    no row."""
    call = call_of(events, expired=ended)
    if call.state == "closed":
        return call
    newest = max(((of.events, of.expired) for of in _versions(group.calls)), default=(0, False))
    expired = newest[1] if newest[0] == call.events else call.last_event_at < silent_before
    return call_of(events, expired=True) if expired else call


def _versions(of: Iterable[Row]) -> Iterator[Version]:
    return (Version.of(row["version"]) for row in of)


def _complete(group: Refolded, call: Call, tariffs: Tariffs, as_written: bool) -> None:
    """Direction and price as the worker gives them: the price by the line that the call was priced by before. A row of
    the same fold keeps its version, in which is how often it was priced again."""
    rows_of = [row for row in group.calls if row["call_id"] == call.call_id]
    newest = max(rows_of, key=lambda row: int(row["version"]), default=None)
    direct(call, tariffs)
    same = as_written and newest is not None and fold_of(newest["version"]) == fold_of(call.version)
    if same and newest is not None and newest["direction"] != call.direction and tariffs.owners(call.tenant):
        set_direction(call, str(newest["direction"]))
    if call.state == "closed":
        call.rating = newest["rating"] if newest is not None else ""
        price(call, tariffs)
    if newest is not None and (fold_of(newest["version"]) == fold_of(call.version) or _of_more(newest, group, call)):
        call.version = newest["version"]
        for log in call.logs:
            log.version = call.version


def _of_more(row: Row, group: Refolded, call: Call) -> bool:
    """Whether a row has the version of a call that turned out to be several: the number of the events of all."""
    events = Version.of(row["version"]).events
    return call.events < events <= group.known and group.known > call.events


def _events(client: Client, of: Collection[CallKey]) -> dict[CallKey, Stored]:
    """The events of these calls and of all that are one with them."""
    known: dict[CallKey, Stored] = {}
    missing = set(of)
    while missing:
        found = archive.load_events(client, missing)
        for key in missing:
            known[key] = found.get(key) or Stored()
            joining.read(known[key])
        missing = {
            other
            for key, stored in known.items()
            if any(event.linked_ids for event in stored.events)
            for other in joining.closure(key, _links(stored), known)
        } - known.keys()
    return {key: stored for key, stored in known.items() if stored.events}


def _links(stored: Stored) -> set[str]:
    return {other for event in stored.events for other in event.linked_ids or ()}


def _group(key: CallKey, known: Mapping[CallKey, Stored]) -> tuple[str, tuple[str, ...]]:
    """The tenant and all ids of a call. Ids that are joined with too many are joined with none."""
    stored = known.get(key)
    links = _links(stored) if stored is not None else set()
    others = joining.closure(key, links, known) if links else set()
    if len(others) > joining.MOST_IDS:
        others = set()
    return key[0], tuple(sorted({key[1], *(call_id for _, call_id in others)}))


def _by_call(found: Iterable[Row]) -> dict[CallKey, list[Row]]:
    grouped: dict[CallKey, list[Row]] = defaultdict(list)
    for row in found:
        grouped[row["tenant"], row["call_id"]].append(row)
    return grouped
