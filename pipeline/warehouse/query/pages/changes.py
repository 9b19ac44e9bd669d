"""What changed in a tenant's finished calls since a client last asked.

`call_change_rows` has every finished or retired version with the instant at which the table took it. An
insert shows a moment after its instant; so the last seconds are read again each time, and what was told of
them is remembered.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from pipeline.warehouse.query.bindings import Bindings
from pipeline.warehouse.query.callers import had_part
from pipeline.warehouse.query.clauses import CLOSED_CALLS
from pipeline.warehouse.query.reader import Reader, Row
from pipeline.warehouse.query.view import View
from pipeline.warehouse.query.whole_calls import calls_of

_OVERLAP_MS: Final = 10_000  # no insert takes so long to show
_MOST_SEEN: Final = 50_000
_MOST_HELD: Final = 200_000


class Entry(NamedTuple):
    """One version in the order of writing; `at` in ms."""

    id: int
    version: int
    retired: int
    at: int


@dataclass(frozen=True, slots=True)
class Place:
    """How far a client has followed. `extension` empty: all calls of the tenant."""

    tenant: str
    extension: str
    from_id: int
    position: int = -1
    seen: frozenset[Entry] = frozenset()
    held: frozenset[int] = frozenset()  # ids the client has; kept where an extension is followed
    token_hash: str = ""  # under which it was kept


@dataclass(frozen=True, slots=True)
class Change:
    """A call that came (CREATED), changed (UPDATED) or went (DELETED); `row` is the call as it is now."""

    id: int
    kind: str
    row: Row | None = field(default=None, repr=False)


async def changes(reader: Reader, view: View, place: Place, most: int) -> tuple[list[Change], Place]:
    """At most `most` changes after `place`, in the order of writing, and the place after them: of calls that the view
    shows. The list may be empty though more follow, when nothing in between is worth
    telling: only a place equal to the one before is the end."""
    rows = await _entries(reader, place, most + len(place.seen))
    sent = {entry[:3] for entry in place.seen}
    fresh = [entry for entry in rows if entry not in place.seen][:most]
    if not fresh:
        return [], place
    history = await _history(reader, place.tenant, {entry.id for entry in fresh})
    live = {int(row["id"]): row for row in await calls_of(reader, view, list(history), CLOSED_CALLS)}
    found: list[Change] = []
    held, newest = set(place.held), []
    for id_ in dict.fromkeys(entry.id for entry in fresh):
        last = max(history[id_], key=_age)
        before = [one for one in history[id_] if one[:3] in sent or one.at <= place.position]
        newest.append(last)
        if any(one[:3] == last[:3] for one in before):
            continue  # told already; this one is older, or was written a second time
        known = id_ in held if place.extension else bool(before) and not max(before, key=_age).retired
        row = None if last.retired else live.get(id_)
        if row is not None:
            found.append(Change(id_, "UPDATED" if known else "CREATED", row))
            held.add(id_)
        elif known:
            found.append(Change(id_, "DELETED"))
            held.discard(id_)
    return found, _after(place, fresh, newest, held, await _now(reader))


def _age(entry: Entry) -> tuple[int, int, int]:
    return entry.version, entry.at, entry.retired


def _after(place: Place, fresh: Sequence[Entry], newest: Sequence[Entry], held: Iterable[int], now_ms: int) -> Place:
    position = max(place.position, min(fresh[-1].at - 1, now_ms - _OVERLAP_MS))
    seen = [entry for entry in {*place.seen, *fresh, *newest} if entry.at > position]
    if len(seen) > _MOST_SEEN:
        position = sorted(entry.at for entry in seen)[-_MOST_SEEN]
        seen = [entry for entry in seen if entry.at > position]
    kept = frozenset(sorted(held)[-_MOST_HELD:]) if place.extension else frozenset()
    return replace(place, position=position, seen=frozenset(seen), held=kept)


async def _entries(reader: Reader, place: Place, limit: int) -> list[Entry]:
    bindings = Bindings()
    after = f"fromUnixTimestamp64Milli({bindings.bind(place.position, 'Int64')}, 'UTC')"
    return await _read(
        reader,
        f"WHERE tenant = {bindings.bind(place.tenant, 'String')} AND id >= {bindings.bind(place.from_id, 'UInt64')}"
        f" AND changed_at > {after} AND {_candidates(place, bindings)}"
        f" ORDER BY changed_at, id, version LIMIT {bindings.bind(limit, 'UInt32')}",
        bindings,
    )


def _candidates(place: Place, bindings: Bindings) -> str:
    """Where an extension is followed: calls that it had a part in, as any version has it, and those that the client
    has."""
    if not place.extension:
        return "1"
    tenant, extension = bindings.bind(place.tenant, "String"), bindings.bind(place.extension, "String")
    token = bindings.bind(place.token_hash, "String")
    return (
        f"(id IN (SELECT id FROM call_rows WHERE tenant = {tenant}"
        f" AND {had_part(extension)})"
        f" OR id IN (SELECT session_id FROM call_log_rows WHERE tenant = {tenant} AND number = {extension})"
        f" OR id IN (SELECT arrayJoin(held) FROM sync_token_rows WHERE token_hash = {token}))"
    )


async def _history(reader: Reader, tenant: str, ids: set[int]) -> dict[int, list[Entry]]:
    """Everything that was ever written of these calls."""
    bindings = Bindings()
    entries = await _read(
        reader,
        f"WHERE tenant = {bindings.bind(tenant, 'String')} AND id IN {bindings.bind(sorted(ids), 'Array(UInt64)')}",
        bindings,
    )
    history: dict[int, list[Entry]] = {id_: [] for id_ in ids}
    for entry in entries:
        history[entry.id].append(entry)
    return history


async def _read(reader: Reader, rest: str, bindings: Bindings) -> list[Entry]:
    rows = await reader.rows(
        "call_changes",
        f"SELECT id, version, retired, toUnixTimestamp64Milli(changed_at) AS at FROM call_change_rows {rest}",
        bindings.values,
    )
    return [Entry(int(row["id"]), int(row["version"]), int(row["retired"]), int(row["at"])) for row in rows]


async def _now(reader: Reader) -> int:
    """The clock that the changes are dated by."""
    (row,) = await reader.rows("now", "SELECT toUnixTimestamp64Milli(now64(3, 'UTC')) AS now", {}, by_key=True)
    return int(row["now"])
