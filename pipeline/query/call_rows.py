"""Calls of a list: the call document without what only a whole call shows."""

from __future__ import annotations

from typing import Any, Final

from pydantic import Field, create_model

from pipeline.warehouse.columns import CALL
from pipeline.warehouse.expressions import Column
from pipeline.warehouse.reader import Row
from schemas.call_model import CallDocument

_WHOLE_ONLY: Final = frozenset(
    {"logs", "legs", "reroutes", "queue_visits", "recordings", "quality", "missed_by", "merged_call_ids"}
)
_PARTY: Final = ("number", "name", "domain", "extension")
FIELDS: Final = tuple(name for name in CallDocument.model_fields if name not in _WHOLE_ONLY)
# Texts that are stored empty where the document has null.
_NEVER_NULL: Final = frozenset({"call_id", "tenant", "version", "state", "direction", "flags"})


def _columns() -> tuple[Column, ...]:
    names: list[str] = []
    for name in FIELDS:
        names += [f"{name}_{part}" for part in _PARTY] if name in ("caller", "callee") else [name]
    return tuple(CALL.get(name, Column(name, name)) for name in names)


COLUMNS: Final = _columns()


_SUMMARY: Final[dict[str, Any]] = {
    name: (field.annotation, field) for name, field in CallDocument.model_fields.items() if name in FIELDS
}
CallSummary: Any = create_model(
    "CallSummary", __doc__="One call of a list: the call document without its logs, legs and other parts.", **_SUMMARY
)
_PAGE: Final[dict[str, Any]] = {
    "data": (list[CallSummary], Field(description="Calls, newest first.")),
    "next_cursor": (
        str | None,
        Field(description="Give it back as `cursor` for the next page; null on the last one.", examples=[None]),
    ),
}
CallPage: Any = create_model("CallPage", __doc__="Calls, and where the next page begins.", **_PAGE)


def summary(row: Row) -> dict[str, Any]:
    """A row as an item of a list."""
    item: dict[str, Any] = {}
    for name in FIELDS:
        if name in ("caller", "callee"):
            item[name] = {part: row[f"{name}_{part}"] for part in _PARTY}
        elif name == "id":
            item[name] = str(row["id"])
        elif name in _NEVER_NULL:
            item[name] = row[name]
        elif name in ("sip_status", "q850_cause") or isinstance(row[name], str):
            item[name] = row[name] or None
        else:
            item[name] = row[name]
    return item
