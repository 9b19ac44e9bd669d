"""Calls as they were before they were rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from pipeline.instants import instant
from pipeline.warehouse.query.reader import Row
from schemas.call import Call, CallLog


def as_call(row: Row, logs: Sequence[Row]) -> Call:
    """The call that a whole row and the rows of its logs were written from."""
    detail = orjson.loads(row["detail"]) if row["detail"] else {}
    return Call(
        **{name: _plain(name, row[name]) for name in Call.__struct_fields__ if name in row},
        legs=detail.get("legs", []),
        reroutes=detail.get("reroutes", []),
        queue_visits=detail.get("queue_visits", []),
        recordings=detail.get("recordings", []),
        quality=detail.get("quality"),
        logs=[CallLog(**{name: _plain(name, log[name]) for name in CallLog.__struct_fields__}) for log in logs],
    )


def _plain(name: str, value: Any) -> Any:
    return instant(value) if name.endswith("_at") and value is not None else value
