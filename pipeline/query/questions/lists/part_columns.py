"""Parts of the call document as columns of files, each a text of JSON as the document has it; `include` names them.

The rows of a file come straight from ClickHouse, and so do their parts: times are written as the document writes
them, names are the directory's of today.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Final

import orjson

from pipeline.query.questions.fields import LOG_FIELDS, Presentation, value_sql
from pipeline.warehouse.query.directory_names import names_of
from schemas.call_model import CallLogDocument

# The targets of a call, by a join (see `Listing.targets`).
TARGETS: Final = "logs"
_TOKENS: Final = r"""'"(?:[^"\\\\]|\\\\.)*"|[^"]+'"""
_MS: Final = "'^:-?[0-9]+'"
# In JSON as we write it (without spaces) the number behind a name that ends in `at` is ms since the epoch.
_TIMED: Final = (
    "arrayStringConcat(arrayMap((token, name) -> if(endsWith(name, 'at\"') AND match(token, {ms}),"
    " concat(':\"', formatDateTime(fromUnixTimestamp64Milli(toInt64OrZero(substring(extract(token, {ms}), 2)), 'UTC'),"
    " '%Y-%m-%dT%H:%i:%S', 'UTC'), '.', leftPad(toString(positiveModulo(toInt64OrZero(substring(extract(token, {ms}),"
    " 2)), 1000)), 3, '0'), 'Z\"', substring(token, length(extract(token, {ms})) + 1)), token),"
    " extractAll({json}, {tokens}), arrayShiftRight(extractAll({json}, {tokens}), 1)))"
)


def _timed(json: str) -> str:
    return _TIMED.format(json=json, ms=_MS, tokens=_TOKENS)


def _listed(name: str) -> str:
    """A list that the row keeps as JSON."""
    return _timed(f"if(JSONHas(detail, '{name}'), JSONExtractRaw(detail, '{name}'), '[]')")


def _visits(look: Presentation) -> str:
    """Visits to queues, which are called as the directory calls them."""
    if not look.named:
        return _listed("queue_visits")
    names, number = names_of(masked=look.masked), "JSONExtractString(visit, 'number')"
    known = f"transform({number}, {names}.1, {names}.2, '')"
    named = f"if({known} = '', visit, jsonMergePatch(visit, concat('{{\"queue\":', toJSONString({known}), '}}')))"
    visits = f"arrayMap(visit -> {named}, JSONExtractArrayRaw(detail, 'queue_visits'))"
    return _timed(f"concat('[', arrayStringConcat({visits}, ','), ']')")


_PARTS: Final[Mapping[str, Callable[[Presentation], str]]] = {
    **{name: lambda look, name=name: _listed(name) for name in ("legs", "reroutes", "recordings")},  # type: ignore[misc]
    "queue_visits": _visits,
    "missed_by": lambda look: "toJSONString(missed_by)",
    "merged_call_ids": lambda look: "toJSONString(merged_call_ids)",
    "quality": lambda look: "if(JSONHas(detail, 'quality'), JSONExtractRaw(detail, 'quality'), 'null')",
}


def parts_select(parts: Sequence[str], look: Presentation) -> str:
    """The parts, targets aside, as columns; begins with a comma."""
    return "".join(f", {_PARTS[name](look)} AS {name}" for name in parts if name != TARGETS)


def target_select(look: Presentation) -> str:
    """SQL of one target as JSON, as the document has it."""
    names = [name for name in CallLogDocument.model_fields if name in LOG_FIELDS]
    kinds = ", ".join(f"{name} {_kind(name)}" for name in names)
    values = ", ".join(value_sql(LOG_FIELDS[name], look) for name in names)
    return f"toJSONString(CAST(tuple({values}), 'Tuple({kinds})'))"


def _kind(name: str) -> str:
    kind = LOG_FIELDS[name].kind
    if kind == "time":
        return "Nullable(DateTime64(3, \\'UTC\\'))"
    return "Nullable(Int64)" if kind == "number" else "Nullable(String)"


async def unwrapped(pieces: AsyncIterator[bytes], parts: Sequence[str]) -> AsyncIterator[bytes]:
    """Lines of JSON whose parts are texts of JSON, with the parts as they are meant."""
    held = b""
    async for piece in pieces:
        *lines, held = (held + piece).split(b"\n")
        if lines:
            yield b"".join(_unwrapped(line, parts) for line in lines)
    if held:
        yield _unwrapped(held, parts)


def _unwrapped(line: bytes, parts: Sequence[str]) -> bytes:
    if not line:
        return b""
    row = orjson.loads(line)
    return orjson.dumps(row | {name: orjson.Fragment(row[name]) for name in parts}) + b"\n"
