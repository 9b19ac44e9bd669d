"""Calls found by a part of a number or of a name without reading all of them.

`call_term_rows` has each number and name of a tenant once a month: far fewer rows than calls, and short ones. What is
looked for is looked up there first; then an index of `call_rows` says which stretches of which months can have it.
Of what is common nothing is gained, and nothing is changed: its calls are found soon wherever one begins.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from pipeline.warehouse.query.bindings import Bindings
from pipeline.warehouse.query.clauses import Source
from pipeline.warehouse.query.conditions import TERM_COLUMNS, part_of
from pipeline.warehouse.query.expressions import (
    NOTHING,
    All,
    Any_,
    Call,
    Column,
    Compare,
    Contains,
    In,
    Literal,
    Node,
    Within,
)
from pipeline.warehouse.query.reader import Reader
from pipeline.warehouse.query.view import View
from schemas.call import snowflake_ms

_MOST_TERMS: Final = 256  # more would be in most stretches
_MOST_ROWS: Final = 4 * _MOST_TERMS  # the same term in several months
# Fewer digits are in too many numbers, and short whole ones are extensions, which every stretch has.
_SHORTEST_DIGITS: Final = 5
_SHORTEST_TEXT: Final = 3


@dataclass(frozen=True, slots=True)
class _Clue:
    """What a row must have: a term with `text` in it, or `text` whole; or this call_id, or this id."""

    kind: str  # part, any_case, whole, call_id, id
    text: str


@dataclass(frozen=True, slots=True)
class Narrowed:
    """A condition that the same rows match. `is_narrow`: few stretches can hold them, so that reading all of those at
    once costs little."""

    where: Node
    is_narrow: bool = False


async def narrowed(reader: Reader, view: View, source: Source, where: Node) -> Narrowed:
    """`where`, with the months and stretches that can hold its rows when numbers or names in it are rare. Raises what
    `Reader.rows` raises."""
    if source.table != "call_rows" or view.masked:  # terms are numbers in full
        return Narrowed(where)
    tenant = view.tenant
    clues = _clues(where)
    if clues is None:
        return Narrowed(where)
    found = await _found(reader, tenant, [clue for clue in clues if clue.kind in ("part", "any_case", "whole")])
    if found is None:
        return Narrowed(where)
    terms, months = found
    call_ids = [clue.text for clue in clues if clue.kind == "call_id"]
    ids = [int(clue.text) for clue in clues if clue.kind == "id"]
    if call_ids or ids:  # few, and looked up by key: then their months are known too
        named = await _calls(reader, tenant, call_ids, ids)
        if named is None:
            return Narrowed(where)
        call_ids = sorted(named)
        months |= set(named.values())
    if not months:
        return Narrowed(NOTHING, is_narrow=True)
    return Narrowed(All((Within(tuple(sorted(months)), tuple(sorted(terms)), tuple(call_ids)), where)), is_narrow=True)


def _clues(node: Node) -> list[_Clue] | None:
    """What every row of the node has at least one of; None when that cannot be told."""
    match node:
        case All(parts=parts):
            known = [clues for part in parts if (clues := _clues(part)) is not None]
            return min(known, key=len, default=None)
        case Any_(parts=parts) if parts:
            each = [_clues(part) for part in parts]
            return None if None in each else [clue for clues in each if clues for clue in clues]
        case Contains(columns=columns, text=text) if _tells(text) and _searched(columns):
            return [_Clue("any_case", text)]
        case Call(function="contains" | "startswith" | "endswith", arguments=(Column() as column, Literal(text=text))):
            if text is not None and _tells(text) and _searched((column,)):
                return [_Clue("part", text)]
        case Compare(operator="eq", left=Column() as column, right=Literal(text=text)) if text:
            return _whole(column, [text])
        case In(left=Column() as column, values=values):
            return _whole(column, [value.text or "" for value in values])
    return None


def _searched(columns: Iterable[Column]) -> bool:
    return all(column.stored in TERM_COLUMNS and not column.words for column in columns)


def _tells(text: str) -> bool:
    return len(text) >= (_SHORTEST_DIGITS if text.isdigit() else _SHORTEST_TEXT)


def _whole(column: Column, texts: list[str]) -> list[_Clue] | None:
    if len(texts) > _MOST_TERMS:
        return None
    if _searched((column,)) and all(map(_tells, texts)):
        return [_Clue("whole", text) for text in texts]
    if column.stored == "call_id" and all(texts):
        return [_Clue("call_id", text) for text in texts]
    if column.stored == "id" and all(text.isascii() and text.isdigit() and int(text) < 2**64 for text in texts):
        return [_Clue("id", text) for text in texts]
    return None


async def _found(reader: Reader, tenant: str, clues: list[_Clue]) -> tuple[set[str], set[int]] | None:
    """The terms that fit any of the clues, and their months (yyyymm); None when there are too many."""
    if not clues:
        return set(), set()
    bindings = Bindings()
    fits = [part_of("term", clue.text, bindings) for clue in clues if clue.kind == "any_case"]
    fits += [
        f"position(term, {bindings.bind(text, 'String')}) > 0"
        for text in sorted({clue.text for clue in clues if clue.kind == "part"})
    ]
    whole = sorted({clue.text for clue in clues if clue.kind == "whole"})
    if whole:
        fits.append(f"term IN {bindings.bind(whole, 'Array(String)')}")
    rows = await reader.rows(
        "terms",
        "SELECT DISTINCT term, toYYYYMM(until) AS month FROM call_term_rows"
        f" WHERE tenant = {bindings.bind(tenant, 'String')} AND ({' OR '.join(fits)}) LIMIT {_MOST_ROWS + 1}",
        bindings.values,
    )
    terms = {str(row["term"]) for row in rows}
    if len(rows) > _MOST_ROWS or len(terms) > _MOST_TERMS:
        return None
    return terms, {int(row["month"]) for row in rows}


async def _calls(reader: Reader, tenant: str, call_ids: list[str], ids: list[int]) -> dict[str, int] | None:
    """call_id → month of the calls with one of these ids; None when a call_id is of several months."""
    bindings = Bindings()
    whose = f"tenant = {bindings.bind(tenant, 'String')}"
    questions = []
    if call_ids:
        questions.append(f"call_id IN {bindings.bind(call_ids, 'Array(String)')}")
    if ids:
        moments = bindings.bind(sorted({snowflake_ms(id_) for id_ in ids}), "Array(Int64)")
        questions.append(
            f"started_at IN arrayMap(ms -> fromUnixTimestamp64Milli(ms, 'UTC'), {moments})"
            f" AND id IN {bindings.bind(ids, 'Array(UInt64)')}"
        )
    rows: list[dict[str, Any]] = []
    for question in questions:
        rows += await reader.rows(
            "calls_named",
            f"SELECT DISTINCT call_id, toYYYYMM(started_at) AS month FROM call_rows WHERE {whose} AND {question}",
            bindings.values,
        )
    found = {str(row["call_id"]): int(row["month"]) for row in rows}
    return found if len(found) == len({(row["call_id"], row["month"]) for row in rows}) else None
