"""Literals of expressions as parameters of the type of what they are compared with."""

from __future__ import annotations

import re
from typing import Final

from pipeline.instants import instant
from pipeline.warehouse.query.bindings import Bindings
from pipeline.warehouse.query.expressions import (
    BadExpression,
    Column,
    Literal,
    Operand,
)

_INT64: Final = 2**63
WHOLE: Final = re.compile(r"[+-]?\d{1,20}", re.ASCII)

DECIMAL: Final = re.compile(r"[+-]?\d{1,18}\.\d{1,18}", re.ASCII)


def stored_literal(column: Column, literal: Literal) -> str:
    if literal.text is None or literal.text == "":
        return ""
    words = {**column.aliases, **column.words}
    word = words.get(literal.text.upper(), words.get(literal.text))
    if word is None:
        raise BadExpression(f"{column.name}: {shown_literal(literal)} is none of {', '.join(column.words)}")
    return word


def is_absent(literal: Literal, kind: str) -> bool:
    return literal.text is None or (literal.text == "" and kind != "text")


def bound_literal(literal: Literal, kind: str, name: str, bindings: Bindings) -> str:
    text = literal.text or ""
    if kind == "text":
        return bindings.bind(text, "String")
    if kind == "time":
        return f"fromUnixTimestamp64Milli({bindings.bind(instant_of(literal, name), 'Int64')}, 'UTC')"
    return bindings.bind(*number_of(literal, kind, name))


def instant_of(literal: Literal, name: str) -> int:
    try:
        return instant(literal.text or "")
    except ValueError as error:
        raise BadExpression(f"{name}: {shown_literal(literal)} {error}") from None


def truth_of(literal: Literal, name: str) -> str:
    if literal.quoted or literal.text not in ("true", "false"):
        raise BadExpression(f"{name} is true or false, not {shown_literal(literal)}")
    return "1" if literal.text == "true" else "0"


def number_of(literal: Literal, kind: str, name: str) -> tuple[int | str, str]:
    """The number and its type in ClickHouse."""
    text = literal.text or ""
    if kind == "id" and WHOLE.fullmatch(text) and 0 <= int(text) < 2 * _INT64:
        return int(text), "UInt64"
    if kind != "id" and WHOLE.fullmatch(text) and abs(int(text)) < _INT64:
        return int(text), "Int64"
    if kind == "number" and DECIMAL.fullmatch(text):
        return text, "Decimal(38, 18)"
    what = "an id" if kind == "id" else "a number"
    raise BadExpression(f"{name}: {shown_literal(literal)} is not {what} within 64 bits; write digits")


def operand_name(operand: Operand) -> str:
    if isinstance(operand, Column):
        return operand.name
    return shown_literal(operand) if isinstance(operand, Literal) else f"{operand.function}(…)"


def shown_literal(literal: Literal) -> str:
    if literal.text is None:
        return "null"
    text = literal.text if len(literal.text) <= 60 else literal.text[:57] + "…"
    return f"'{text}'" if literal.quoted else text
