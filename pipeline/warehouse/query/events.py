"""The archived events of a call, for people to look at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import orjson

from pipeline.warehouse.query.bindings import Bindings
from pipeline.warehouse.query.reader import Reader
from pipeline.warehouse.query.view import HiddenNumbers, View

# A call has at most CDR_MAX_EVENTS_PER_CALL events.
_MOST: Final = 50_000


async def events_of(reader: Reader, view: View, call_ids: Sequence[str]) -> list[dict[str, Any]]:
    """The events of these calls, which the view shows, oldest first, each once: where it came from, and `event`, what
    the producer sent, or `raw` when that is no JSON. Raises HiddenNumbers, and what `Reader.rows` raises."""
    if view.masked:
        raise HiddenNumbers("events")
    bindings = Bindings()
    rows = await reader.rows(
        "call_events",
        "SELECT event_id, at, type, node, topic, `partition`, `offset`, archived_at, call_id, raw"
        f" FROM event_rows FINAL WHERE tenant = {bindings.bind(view.tenant, 'String')}"
        f" AND call_id IN {bindings.bind(list(dict.fromkeys(call_ids)), 'Array(String)')}"
        f" ORDER BY at, event_id LIMIT {bindings.bind(_MOST, 'UInt32')}",
        bindings.values,
        by_key=True,
    )
    return [_readable(row) for row in rows]


def _readable(row: dict[str, Any]) -> dict[str, Any]:
    raw = row.pop("raw")
    try:
        return row | {"event": orjson.loads(raw)}
    except orjson.JSONDecodeError:
        return row | {"event": None, "raw": raw}
