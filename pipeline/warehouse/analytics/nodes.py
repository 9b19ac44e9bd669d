"""The PBX nodes of a tenant as its archive knows them: what each told last, and how late it comes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from pipeline.instants import instant
from pipeline.warehouse.query.conditions import Bindings
from pipeline.warehouse.query.reader import Reader
from pipeline.warehouse.query.view import View

SLOT_S: Final = 300  # in which a node tells something or nothing
DAYS: Final = 8  # that are looked at
_MOST: Final = 1000
_HOUR: Final = "archived_at > now() - INTERVAL 1 HOUR"
_LATE: Final = "toFloat64(toUnixTimestamp(archived_at)) - toFloat64(toUnixTimestamp64Milli(at)) / 1000"


@dataclass(frozen=True, slots=True)
class Node:
    """A node that told something within the last days. Times in ms; `late_s`: seconds that the freshest and the usual
    event of the last hour took to the archive, whose clock has whole seconds; None of none. `slots`: when it told
    something, in seconds, cut to `SLOT_S`."""

    name: str
    events_hour: int
    last_at: int
    archived_at: int
    last_type: str
    last_call_id: str
    late_s: float | None
    usual_s: float | None
    slots: tuple[int, ...]


async def nodes_of(reader: Reader, view: View) -> list[Node]:
    """The nodes that told of the tenant's calls, by name. Raises what `Reader.rows` raises."""
    bindings = Bindings()
    rows = await reader.rows(
        "nodes",
        f"SELECT node, countIf({_HOUR}) AS events_hour, max(at) AS last_at, max(archived_at) AS last_archived_at,"
        " argMax(type, at) AS last_type, argMax(call_id, at) AS last_call_id,"
        f" minOrNullIf({_LATE}, {_HOUR} AND type != 'data') AS late_s,"
        f" quantileOrNullIf(0.5)({_LATE}, {_HOUR} AND type != 'data') AS usual_s,"
        f" arraySort(groupUniqArray(intDiv(toUnixTimestamp(toDateTime(at)), {SLOT_S}) * {SLOT_S})) AS slots"
        f" FROM event_rows WHERE tenant = {bindings.bind(view.tenant, 'String')}"
        f" AND at > now() - INTERVAL {DAYS} DAY GROUP BY node ORDER BY node LIMIT {_MOST}",
        bindings.values,
    )
    return [
        Node(
            row["node"], int(row["events_hour"]), instant(row["last_at"]), instant(row["last_archived_at"]),
            row["last_type"], row["last_call_id"], _seconds(row["late_s"]), _seconds(row["usual_s"]),
            tuple(int(slot) for slot in row["slots"]),
        )
        for row in rows
    ]  # fmt: skip


def _seconds(value: float | None) -> float | None:
    return None if value is None else float(value)
