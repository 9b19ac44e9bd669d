"""Calls and events as rows of their tables, encoded for the wire. Pure.

Calls and call logs travel as JSONCompactEachRow: one C call encodes a whole batch. Archived
events travel as TabSeparated, because their bytes go in as they came.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
import orjson

from schemas.call import Call, CallLog

_NESTED = ("legs", "reroutes", "queue_visits", "recordings", "quality")
_CALL_FIELDS = Call.__struct_fields__
_FIRST_NESTED = _CALL_FIELDS.index("legs")
_LOGS = _CALL_FIELDS.index("logs")

CALL_COLUMNS: tuple[str, ...] = (*_CALL_FIELDS[:_FIRST_NESTED], *_CALL_FIELDS[_LOGS + 1 :], "detail", "retired")
LOG_COLUMNS: tuple[str, ...] = (*CallLog.__struct_fields__, "retired")
EVENT_COLUMNS = ("tenant", "call_id", "event_id", "at", "type", "node", "topic", "partition", "offset", "raw")
# Columns that are moments, in both tables.
TIMES = frozenset(
    ("started_at", "progress_at", "rang_at", "answered_at", "talk_started_at", "ended_at", "last_event_at")
)
_CALL_TIMES = tuple(index for index, name in enumerate(_CALL_FIELDS) if name in TIMES)
_LOG_TIMES = tuple(index for index, name in enumerate(CallLog.__struct_fields__) if name in TIMES)

Key = tuple[int, int]  # (started_at ms, id): what identifies a row within its tenant


def call_row(call: Call) -> list[Any]:
    """A call in the order of CALL_COLUMNS. Times become seconds with a fraction: ClickHouse reads a
    whole JSON number as seconds, whatever the column's precision."""
    values = list(msgspec.structs.astuple(call))
    for index in _CALL_TIMES:
        at = values[index]
        if at is not None:
            values[index] = at / 1000
    detail = {name: value for name in _NESTED if (value := getattr(call, name))}
    for log in call.logs:  # what questions about calls need of their targets
        if log.kind == "conference":
            detail.setdefault("conferences", []).append([log.number, log.answered_at, log.ended_at])
        elif log.kind == "outside" and call.direction == "inbound_outbound":
            detail.setdefault("outward_trunk", log.trunk)
    del values[_FIRST_NESTED : _LOGS + 1]
    values += (orjson.dumps(detail).decode(), 0)
    return values


def log_rows(call: Call) -> list[list[Any]]:
    """The call's logs in the order of LOG_COLUMNS."""
    rows = []
    for log in call.logs:
        values = list(msgspec.structs.astuple(log))
        for index in _LOG_TIMES:
            at = values[index]
            if at is not None:
                values[index] = at / 1000
        values.append(0)
        rows.append(values)
    return rows


def _void(struct: type[msgspec.Struct], drop: slice, extra: list[Any]) -> list[Any]:
    """A row of zeros, empty texts and nulls in the order of a table's columns."""
    zero: dict[object, Any] = {"int": 0, "str": "", "list[str]": []}
    values = [zero.get(annotation) for annotation in struct.__annotations__.values()]
    del values[drop]
    return values + extra


_STATE = CALL_COLUMNS.index("state")
_LAST_EVENT = CALL_COLUMNS.index("last_event_at")
_VOID_CALL = _void(Call, slice(_FIRST_NESTED, _LOGS + 1), ["", 1])
_VOID_LOG = _void(CallLog, slice(0, 0), [1])


def _voided(template: list[Any], columns: tuple[str, ...], **values: Any) -> list[Any]:
    row = template.copy()
    for name, value in values.items():
        row[columns.index(name)] = value
    return row


def retired_call(tenant: str, key: Key, call_id: str, version: int) -> list[Any]:
    """The call row that voids `key`, in the order of CALL_COLUMNS."""
    started_at, id_ = key
    return _voided(
        _VOID_CALL, CALL_COLUMNS, tenant=tenant, id=id_, call_id=call_id, version=version, started_at=started_at / 1000
    )


def opened_call(tenant: str, key: Key, call_id: str, version: int) -> list[Any]:
    """The call row that says no more than "this call is open", in the order of CALL_COLUMNS."""
    row = retired_call(tenant, key, call_id, version)
    row[_STATE] = "open"
    row[_LAST_EVENT] = key[0] / 1000
    row[-1] = 0
    return row


def retired_log(tenant: str, key: Key, session_id: int, call_id: str, version: int) -> list[Any]:
    """The call-log row that voids `key`, in the order of LOG_COLUMNS."""
    started_at, id_ = key
    return _voided(
        _VOID_LOG,
        LOG_COLUMNS,
        tenant=tenant,
        id=id_,
        session_id=session_id,
        call_id=call_id,
        version=version,
        started_at=started_at / 1000,
    )


def call_key(call: Call) -> Key:
    """The key under which the call is stored."""
    return call.started_at, call.id


def log_keys(call: Call) -> list[Key]:
    """The keys under which its logs are stored."""
    return [(log.started_at, log.id) for log in call.logs]


def encode(rows: Sequence[Sequence[Any]]) -> bytes:
    """Rows as JSONCompactEachRow."""
    return orjson.dumps(rows)[1:-1]


def escape(text: str) -> str:
    """A string as a field of TabSeparated."""
    if "\\" in text or "\t" in text or "\n" in text or "\r" in text or "\0" in text:
        text = text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n")
        text = text.replace("\r", "\\r").replace("\0", "\\0")
    return text


def escape_bytes(raw: bytes) -> bytes:
    """Bytes as a field of TabSeparated."""
    if b"\\" in raw or b"\t" in raw or b"\n" in raw or b"\r" in raw or b"\0" in raw:
        raw = raw.replace(b"\\", b"\\\\").replace(b"\t", b"\\t").replace(b"\n", b"\\n")
        raw = raw.replace(b"\r", b"\\r").replace(b"\0", b"\\0")
    return raw


def tab_separated(lines: Iterable[bytes]) -> bytes:
    """Encoded lines as one body."""
    return b"\n".join(lines) + b"\n"
