"""The PBX nodes of a tenant as its archive knows them: what each told last, and how late it comes.

The archive is in the order of calls, so that events of eight days are read in all parts of them. What they say (when a
node told something) changes slowly and is kept for some minutes; what is asked each time are the newest parts.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from pipeline.instants import instant
from pipeline.warehouse.query.bindings import Bindings
from pipeline.warehouse.query.masking import masked_text
from pipeline.warehouse.query.reader import Reader, Row
from pipeline.warehouse.query.view import View

SLOT_S: Final = 300  # in which a node tells something or nothing
DAYS: Final = 8  # that are looked at
_MOST: Final = 1000
_EACH: Final = 5  # events that are shown of a node
_KEPT_S: Final = 300.0
_TENANTS: Final = 256
_HOUR: Final = "now() - INTERVAL 1 HOUR"
_LATE: Final = "toFloat64(toUnixTimestamp(archived_at)) - toFloat64(toUnixTimestamp64Milli(at)) / 1000"


@dataclass(frozen=True, slots=True)
class NodeEvent:
    """An event as a node sent it. `at`: ms."""

    at: int
    type: str
    call_id: str


@dataclass(frozen=True, slots=True)
class Node:
    """A node that told something within the last days. Times in ms; `late_s`: seconds that the freshest and the usual
    event of the last hour took to the archive, whose clock has whole seconds; None of none. `slots`: when it told
    something, in seconds, cut to `SLOT_S`. `newest_events`: those of the last hour, or its last
    one; newest first."""

    name: str
    events_hour: int
    last_at: int
    archived_at: int
    late_s: float | None
    usual_s: float | None
    slots: tuple[int, ...]
    newest_events: tuple[NodeEvent, ...]


@dataclass(frozen=True, slots=True)
class _Past:
    """What a node told in the last days: when (slots, s), and its last event or those of the same moment."""

    last_at: int
    archived_at: int
    slots: frozenset[int]
    newest_events: tuple[Row, ...]


class _Pasts:
    """What was found of the tenants lately, by (monotonic) time."""

    def __init__(self) -> None:
        self._found: OrderedDict[str, tuple[float, dict[str, _Past]]] = OrderedDict()

    @classmethod
    def of(cls, reader: Reader) -> _Pasts:
        """Those of this reader."""
        found: _Pasts = reader.kept.setdefault(cls, cls())
        return found

    async def past(self, reader: Reader, tenant: str) -> dict[str, _Past]:
        """The nodes of the tenant, at most `_KEPT_S` old."""
        known = self._found.get(tenant)
        if known is None or time.monotonic() - known[0] > _KEPT_S:
            known = self._found[tenant] = (time.monotonic(), await _past(reader, tenant))
            self._found.move_to_end(tenant)
            while len(self._found) > _TENANTS:
                self._found.popitem(last=False)
        return known[1]


async def nodes_of(reader: Reader, view: View) -> list[Node]:
    """The nodes that told of the tenant's calls, by name. Raises what `Reader.rows` raises."""
    past, fresh, newest_events = await asyncio.gather(
        _Pasts.of(reader).past(reader, view.tenant), _fresh(reader, view.tenant), _newest(reader, view.tenant)
    )
    found = []
    for name in sorted(past.keys() | fresh.keys())[:_MOST]:
        before, now = past.get(name), fresh.get(name)
        slots = (before.slots if before else frozenset()) | (now.slots if now else frozenset())
        rows = newest_events.get(name) or (before.newest_events if before else ())
        found.append(
            Node(
                name,
                now.events if now else 0,
                max(each.last_at for each in (before, now) if each),
                max(each.archived_at for each in (before, now) if each),
                now.late_s if now else None,
                now.usual_s if now else None,
                tuple(sorted(slots)),
                tuple(_shown(row, masked=view.masked) for row in rows[:_EACH]),
            )
        )
    return found


async def _past(reader: Reader, tenant: str) -> dict[str, _Past]:
    bindings = Bindings()
    rows = await reader.rows(
        "nodes_past",
        f"SELECT node, max(at) AS last_at, max(archived_at) AS last_archived_at,"
        f" groupUniqArray(intDiv(toUnixTimestamp(toDateTime(at)), {SLOT_S}) * {SLOT_S}) AS slots"
        f" FROM event_rows WHERE tenant = {bindings.bind(tenant, 'String')}"
        f" AND at > now() - INTERVAL {DAYS} DAY GROUP BY node ORDER BY node LIMIT {_MOST}",
        bindings.values,
    )
    last = [instant(row["last_at"]) for row in rows]
    bindings = Bindings()
    # ids of calls are read where these events lie, not of all events of the days
    where = f"at IN (SELECT fromUnixTimestamp64Milli(arrayJoin({bindings.bind(last, 'Array(Int64)')}), 'UTC'))"
    newest_events = await _events(reader, tenant, where, bindings) if rows else {}
    return {
        row["node"]: _Past(
            instant(row["last_at"]),
            instant(row["last_archived_at"]),
            frozenset(int(slot) for slot in row["slots"]),
            tuple(newest_events.get(row["node"], ())),
        )
        for row in rows
    }


@dataclass(frozen=True, slots=True)
class _Fresh:
    """What a node told in the last hour: events that were archived in it, and their times."""

    events: int
    last_at: int
    archived_at: int
    late_s: float | None
    usual_s: float | None
    slots: frozenset[int]


async def _fresh(reader: Reader, tenant: str) -> dict[str, _Fresh]:
    """Of a day: what comes late was told before the hour in which it is archived. How long events usually take is said
    by those that happened in the hour, where there are some: an archive that is filled belatedly says nothing of it."""
    bindings = Bindings()
    usual = f"quantileOrNullIf(0.5)({_LATE}, type != 'data'"
    rows = await reader.rows(
        "nodes",
        f"SELECT node, count() AS events, max(at) AS last_at, max(archived_at) AS last_archived_at,"
        f" minOrNullIf({_LATE}, type != 'data') AS late_s,"
        f" coalesce({usual} AND at > {_HOUR}), {usual})) AS usual_s,"
        f" groupUniqArray(intDiv(toUnixTimestamp(toDateTime(at)), {SLOT_S}) * {SLOT_S}) AS slots"
        f" FROM event_rows WHERE tenant = {bindings.bind(tenant, 'String')}"
        f" AND at > now() - INTERVAL 1 DAY AND archived_at > {_HOUR} GROUP BY node ORDER BY node LIMIT {_MOST}",
        bindings.values,
    )
    return {
        row["node"]: _Fresh(
            int(row["events"]),
            instant(row["last_at"]),
            instant(row["last_archived_at"]),
            _seconds(row["late_s"]),
            _seconds(row["usual_s"]),
            frozenset(int(slot) for slot in row["slots"]),
        )
        for row in rows
    }


async def _newest(reader: Reader, tenant: str) -> dict[str, list[Row]]:
    """The newest events of the last hour, of each node."""
    return await _events(reader, tenant, f"at > {_HOUR}", Bindings())


async def _events(reader: Reader, tenant: str, where: str, bindings: Bindings) -> dict[str, list[Row]]:
    rows = await reader.rows(
        "nodes_told",
        "SELECT node, at, type, call_id FROM event_rows"
        f" WHERE tenant = {bindings.bind(tenant, 'String')} AND {where}"
        f" ORDER BY at DESC, call_id LIMIT {_EACH} BY node LIMIT {_MOST * _EACH}",
        bindings.values,
    )
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(row["node"], []).append(row)
    return found


def _shown(row: Row, *, masked: bool) -> NodeEvent:
    call_id = masked_text(row["call_id"]) if masked else row["call_id"]
    return NodeEvent(instant(row["at"]), row["type"], call_id)


def _seconds(value: float | None) -> float | None:
    return None if value is None else float(value)
