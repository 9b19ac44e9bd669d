"""SQL conditions of expressions, with every value bound.

Names reach SQL only as the `sql` of a `Column`, which comes from a table in the program; values reach
it only through `Bindings`. Comparisons with something absent are neither true nor false, so `not` of
them finds nothing either (as OData has it).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from pipeline.instants import instant
from pipeline.warehouse.query.callers import had_part
from pipeline.warehouse.query.expressions import (
    All,
    Any_,
    BadExpression,
    Call,
    Column,
    Compare,
    Contains,
    In,
    Involving,
    Literal,
    Node,
    Not,
    Operand,
    Within,
)
from schemas.call import RERATED_BITS, SNOWFLAKE_EPOCH_MS, snowflake

_INT64: Final = 2**63
_WHOLE: Final = re.compile(r"[+-]?\d{1,20}", re.ASCII)
_DECIMAL: Final = re.compile(r"[+-]?\d{1,18}\.\d{1,18}", re.ASCII)
_OPERATORS: Final = {"eq": "=", "ne": "!=", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}


class Bindings:
    """The bound parameters of one query."""

    def __init__(self, values: Mapping[str, Any] | None = None) -> None:
        self.values: dict[str, Any] = dict(values or {})

    def bind(self, value: Any, type_: str) -> str:
        """The placeholder of `value` as ClickHouse type `type_`."""
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f"{{{name}:{type_}}}"


_Render = Callable[..., str]

# name -> kinds of the arguments, kind of the result, SQL
FUNCTIONS: Final[Mapping[str, tuple[tuple[str, ...], str, _Render]]] = {
    "startswith": (("text", "text"), "truth", lambda a, b: f"startsWith({a}, {b})"),
    "endswith": (("text", "text"), "truth", lambda a, b: f"endsWith({a}, {b})"),
    "contains": (("text", "text"), "truth", lambda a, b: f"(position({a}, {b}) > 0)"),
    "tolower": (("text",), "text", lambda a: f"lowerUTF8({a})"),
    "toupper": (("text",), "text", lambda a: f"upperUTF8({a})"),
    "trim": (("text",), "text", lambda a: f"trimBoth({a})"),
    "length": (("text",), "number", lambda a: f"lengthUTF8({a})"),
    "has": (("list", "text"), "truth", lambda a, b: f"has({a}, {b})"),
    "count": (("list",), "number", lambda a: f"length({a})"),
    "date": (("time",), "time", lambda a: f"toDateTime64(toStartOfDay({a}, 'UTC'), 3, 'UTC')"),
    "year": (("time",), "number", lambda a: f"toYear({a}, 'UTC')"),
    "month": (("time",), "number", lambda a: f"toMonth({a}, 'UTC')"),
    "day": (("time",), "number", lambda a: f"toDayOfMonth({a}, 'UTC')"),
    "hour": (("time",), "number", lambda a: f"toHour({a}, 'UTC')"),
    "minute": (("time",), "number", lambda a: f"toMinute({a}, 'UTC')"),
    "second": (("time",), "number", lambda a: f"toSecond({a}, 'UTC')"),
}


def condition(node: Node, bindings: Bindings) -> str:
    """The SQL condition of `node`. Raises BadExpression where kinds do not fit."""
    match node:
        case All(parts=()):
            return "1"
        case All(parts=parts):
            return "(" + " AND ".join(condition(part, bindings) for part in parts) + ")"
        case Any_(parts=()):
            return "0"
        case Any_(parts=parts):
            return "(" + " OR ".join(condition(part, bindings) for part in parts) + ")"
        case Not(part=part):
            return f"(NOT {condition(part, bindings)})"
        case Contains(columns=columns, text=text):
            return "(" + " OR ".join(part_of(_text(column), text, bindings) for column in columns) + ")"
        case Call():
            sql, kind = _operand(node, bindings)
            if kind != "truth":
                raise BadExpression(f"{node.function}(…) alone is no condition; compare it, for example with eq")
            return sql
        case In():
            return _one_of(node, bindings)
        case Involving():
            return _involving(node, bindings)
        case Within():
            return _within(node, bindings)
        case Compare():
            return _compare(node, bindings)


def part_of(sql: str, text: str, bindings: Bindings) -> str:
    """Whether the text `sql` contains `text`, whatever its case; digits have none, which is looked for faster."""
    same = "position" if text.lower() == text.upper() else "positionCaseInsensitiveUTF8"
    return f"{same}({sql}, {bindings.bind(text, 'String')}) > 0"


# As the index `terms_filter` has them: the same expression, or it is of no use.
TERMS: Final = (
    "[caller_number, callee_number, requested, destination, answered_by, did, outbound_caller_id, caller_name,"
    " callee_name]"
)


def _within(node: Within, bindings: Bindings) -> str:
    """indexHint: which stretches are read, without looking at each row a second time."""
    months = f"toYYYYMM(started_at) IN {bindings.bind(list(node.months), 'Array(UInt32)')}"
    has = []
    if node.terms:
        has.append(f"hasAny({TERMS}, {bindings.bind(list(node.terms), 'Array(String)')})")
    if node.call_ids:
        has.append(f"call_id IN {bindings.bind(list(node.call_ids), 'Array(String)')}")
    return f"({months} AND indexHint({' OR '.join(has)}))"


def _compare(node: Compare, bindings: Bindings) -> str:
    left, right, operator = node.left, node.right, node.operator
    if isinstance(left, Literal) and isinstance(right, Literal):
        raise BadExpression(f"{_shown(left)} {operator} {_shown(right)} compares no property; name one on one side")
    if isinstance(left, Literal):  # 'x' eq caller is caller eq 'x'
        left, right = right, left
        operator = {"gt": "lt", "lt": "gt", "ge": "le", "le": "ge"}.get(operator, operator)
    sign = _OPERATORS[operator]
    if isinstance(left, Column) and left.words and isinstance(right, Literal) and operator in ("eq", "ne"):
        return f"({left.sql} {sign} {bindings.bind(_stored(left, right), 'String')})"
    sql, kind = _operand(left, bindings)
    if isinstance(right, Literal):
        if kind == "truth":
            return f"({sql} {sign} {_truth(right, _named(left))})"
        if _is_absent(right, kind):
            return _absence(sql, kind, operator)
        return f"({sql} {sign} {_bound(right, kind, _named(left), bindings)})"
    other, other_kind = _operand(right, bindings)
    if kind != other_kind:
        raise BadExpression(f"{_named(left)} is a {kind}, {_named(right)} a {other_kind}; compare like with like")
    return f"({sql} {sign} {other})"


def _involving(node: Involving, bindings: Bindings) -> str:
    """A call and its logs are written under one version, but for how often the call was priced again. So
    versions tell which logs are of the call as it is, without FINAL, which would look at every row."""
    whose = f"tenant = {bindings.bind(node.tenant, 'String')} AND retired = 0"
    extension = bindings.bind(node.extension, "String")
    fold = f"bitShiftRight(version, {RERATED_BITS})"
    made = had_part(extension)
    key = f"({node.key.sql}, {fold})"
    is_call = node.key.sql == "id"  # a row of the calls themselves; else a log, whose call began some time before
    first_ms = node.first_ms if node.first_ms is None or is_call else node.first_ms - _LONGEST_CALL_MS
    end_ms = None if node.end_ms is None else node.end_ms + _LONGEST_CALL_MS
    logs = f"{whose}{_times(first_ms, end_ms, bindings)}{_ids('session_id', first_ms, node.end_ms, bindings)}"
    target = f"{key} IN (SELECT session_id, {fold} FROM call_log_rows WHERE {logs} AND number = {extension})"
    if is_call:
        return f"({made} OR {target})"
    calls = f"{whose}{_times(first_ms, node.end_ms, bindings)}"
    return f"({key} IN (SELECT id, {fold} FROM call_rows WHERE {calls} AND {made}) OR {target})"


# A call's last target is tried no later than this after its start.
_LONGEST_CALL_MS: Final = 31 * 86_400_000


def _times(first_ms: int | None, end_ms: int | None, bindings: Bindings) -> str:
    """The primary key's part of it."""
    found = ""
    for sign, at in ((">=", first_ms), ("<", end_ms)):
        if at is not None:
            found += f" AND started_at {sign} fromUnixTimestamp64Milli({bindings.bind(at, 'Int64')}, 'UTC')"
    return found


def _ids(name: str, first_ms: int | None, end_ms: int | None, bindings: Bindings) -> str:
    """An id holds the time it was made from. (What began before ids do wraps around.)"""
    if first_ms is None or first_ms < SNOWFLAKE_EPOCH_MS:
        return ""
    found = f" AND {name} >= {bindings.bind(snowflake(first_ms, 0), 'UInt64')}"
    if end_ms is not None:
        found += f" AND {name} < {bindings.bind(snowflake(end_ms, 0), 'UInt64')}"
    return found


def _one_of(node: In, bindings: Bindings) -> str:
    left = node.left
    if isinstance(left, Literal):
        raise BadExpression(f"{_shown(left)} in (…) asks for no property; name one before in")
    if isinstance(left, Column) and left.words:
        stored = [_stored(left, value) for value in node.values]
        return f"({left.sql} IN {bindings.bind(stored, 'Array(String)')})"
    sql, kind = _operand(left, bindings)
    if kind == "text":
        return f"({sql} IN {bindings.bind([value.text or '' for value in node.values], 'Array(String)')})"
    return "(" + " OR ".join(_compare(Compare("eq", left, value), bindings) for value in node.values) + ")"


def _operand(operand: Operand, bindings: Bindings) -> tuple[str, str]:
    """SQL and kind of a column or a function."""
    if isinstance(operand, Column):
        return (_text(operand), "text") if operand.words else (operand.sql, operand.kind)
    if isinstance(operand, Literal):
        raise BadExpression(f"{_shown(operand)} stands where a property was expected")
    kinds, result, render = FUNCTIONS[operand.function]
    if len(kinds) != len(operand.arguments):
        raise BadExpression(f"{operand.function} takes {len(kinds)} argument(s), not {len(operand.arguments)}")
    parts = []
    for argument, wanted in zip(operand.arguments, kinds, strict=True):
        if isinstance(argument, Literal):
            parts.append(_bound(argument, wanted, operand.function, bindings))
            continue
        sql, kind = _operand(argument, bindings)
        if wanted == "text" and kind == "id" and isinstance(argument, Column):
            sql, kind = _text(argument), "text"
        if kind != wanted:
            raise BadExpression(f"{operand.function} takes a {wanted}; {_named(argument)} is a {kind}")
        parts.append(sql)
    return render(*parts), result


def _text(column: Column) -> str:
    """The column as text, in the spelling outside."""
    if column.words:
        stored = ", ".join(f"'{word}'" for word in column.words.values())
        shown = ", ".join(f"'{word}'" for word in column.words)
        return f"transform(toString({column.sql}), [{stored}], [{shown}], '')"
    return column.sql if column.kind == "text" else f"toString({column.sql})"


def _stored(column: Column, literal: Literal) -> str:
    if literal.text is None or literal.text == "":
        return ""
    words = {**column.aliases, **column.words}
    word = words.get(literal.text.upper(), words.get(literal.text))
    if word is None:
        raise BadExpression(f"{column.name}: {_shown(literal)} is none of {', '.join(column.words)}")
    return word


def _is_absent(literal: Literal, kind: str) -> bool:
    return literal.text is None or (literal.text == "" and kind != "text")


def _absence(sql: str, kind: str, operator: str) -> str:
    """`eq null` and `ne null`. Texts are stored empty where unknown; other comparisons hold never."""
    if operator not in ("eq", "ne"):
        return "(1 = 0)"
    if kind == "text":
        return f"({sql} {_OPERATORS[operator]} '')"
    return f"(isNull({sql}))" if operator == "eq" else f"(isNotNull({sql}))"


def _bound(literal: Literal, kind: str, name: str, bindings: Bindings) -> str:
    text = literal.text or ""
    if kind == "text":
        return bindings.bind(text, "String")
    if kind == "time":
        try:
            return f"fromUnixTimestamp64Milli({bindings.bind(instant(text), 'Int64')}, 'UTC')"
        except ValueError as error:
            raise BadExpression(f"{name}: {_shown(literal)} {error}") from None
    return _number(literal, kind, name, bindings)


def _truth(literal: Literal, name: str) -> str:
    if literal.quoted or literal.text not in ("true", "false"):
        raise BadExpression(f"{name} is true or false, not {_shown(literal)}")
    return "1" if literal.text == "true" else "0"


def _number(literal: Literal, kind: str, name: str, bindings: Bindings) -> str:
    text = literal.text or ""
    if kind == "id" and _WHOLE.fullmatch(text) and 0 <= int(text) < 2 * _INT64:
        return bindings.bind(int(text), "UInt64")
    if kind != "id" and _WHOLE.fullmatch(text) and abs(int(text)) < _INT64:
        return bindings.bind(int(text), "Int64")
    if kind == "number" and _DECIMAL.fullmatch(text):
        return bindings.bind(text, "Decimal(38, 18)")
    what = "an id" if kind == "id" else "a number"
    raise BadExpression(f"{name}: {_shown(literal)} is not {what} within 64 bits; write digits")


def _named(operand: Operand) -> str:
    if isinstance(operand, Column):
        return operand.name
    return _shown(operand) if isinstance(operand, Literal) else f"{operand.function}(…)"


def _shown(literal: Literal) -> str:
    if literal.text is None:
        return "null"
    text = literal.text if len(literal.text) <= 60 else literal.text[:57] + "…"
    return f"'{text}'" if literal.quoted else text
