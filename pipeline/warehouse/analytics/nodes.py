"""The PBX nodes of a tenant as its archive knows them: what each told last, and how late it comes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pipeline.instants import instant
from pipeline.warehouse.query.conditions import Bindings
from pipeline.warehouse.query.masking import masked_text
from pipeline.warehouse.query.reader import Reader
from pipeline.warehouse.query.view import View

SLOT_S: Final = 300  # in which a node tells something or nothing
DAYS: Final = 8  # that are looked at
_MOST: Final = 1000
_EACH: Final = 5  # events that are shown of a node
_HOUR: Final = "archived_at > now() - INTERVAL 1 HOUR"
_LATE: Final = "toFloat64(toUnixTimestamp(archived_at)) - toFloat64(toUnixTimestamp64Milli(at)) / 1000"


@dataclass(frozen=True, slots=True)
class Told:
    """An event that a node told. `at`: ms."""

    at: int
    type: str
    call_id: str


@dataclass(frozen=True, slots=True)
class Node:
    """A node that told something within the last days. Times in ms; `late_s`: seconds that the freshest and the usual
    event of the last hour took to the archive, whose clock has whole seconds; None of none. `slots`: when it told
    something, in seconds, cut to `SLOT_S`. `told`: its newest events of the last hour, or its last
    one; newest first."""

    name: str
    events_hour: int
    last_at: int
    archived_at: int
    late_s: float | None
    usual_s: float | None
    slots: tuple[int, ...]
    told: tuple[Told, ...]


async def nodes_of(reader: Reader, view: View) -> list[Node]:
    """The nodes that told of the tenant's calls, by name. Raises what `Reader.rows` raises."""
    bindings = Bindings()
    rows = await reader.rows(
        "nodes",
        f"SELECT node, countIf({_HOUR}) AS events_hour, max(at) AS last_at, max(archived_at) AS last_archived_at,"
        f" minOrNullIf({_LATE}, {_HOUR} AND type != 'data') AS late_s,"
        f" quantileOrNullIf(0.5)({_LATE}, {_HOUR} AND type != 'data') AS usual_s,"
        f" arraySort(groupUniqArray(intDiv(toUnixTimestamp(toDateTime(at)), {SLOT_S}) * {SLOT_S})) AS slots"
        f" FROM event_rows WHERE tenant = {bindings.bind(view.tenant, 'String')}"
        f" AND at > now() - INTERVAL {DAYS} DAY GROUP BY node ORDER BY node LIMIT {_MOST}",
        bindings.values,
    )
    told = await _told(reader, view, [instant(row["last_at"]) for row in rows]) if rows else {}
    return [
        Node(
            row["node"], int(row["events_hour"]), instant(row["last_at"]), instant(row["last_archived_at"]),
            _seconds(row["late_s"]), _seconds(row["usual_s"]), tuple(int(slot) for slot in row["slots"]),
            tuple(told.get(row["node"], ())),
        )
        for row in rows
    ]  # fmt: skip


async def _told(reader: Reader, view: View, last: list[int]) -> dict[str, list[Told]]:
    """The newest events of each node: ids of calls are read where these lie, not of all events of the days."""
    bindings = Bindings()
    rows = await reader.rows(
        "nodes_told",
        "SELECT node, at, type, call_id FROM event_rows"
        f" WHERE tenant = {bindings.bind(view.tenant, 'String')} AND (at > now() - INTERVAL 1 HOUR OR at IN"
        f" (SELECT fromUnixTimestamp64Milli(arrayJoin({bindings.bind(last, 'Array(Int64)')}), 'UTC')))"
        f" ORDER BY at DESC, call_id LIMIT {_EACH} BY node LIMIT {_MOST * _EACH}",
        bindings.values,
    )
    found: dict[str, list[Told]] = {}
    for row in rows:
        call_id = masked_text(row["call_id"]) if view.masked else row["call_id"]
        found.setdefault(row["node"], []).append(Told(instant(row["at"]), row["type"], call_id))
    return found


def _seconds(value: float | None) -> float | None:
    return None if value is None else float(value)
