"""SQL conditions of expressions, with every value bound.

Names reach SQL only as the `sql` of a `Column`, which comes from a table in the program; values reach
it only through `Bindings`.

What is absent (NULL in ClickHouse) compares as OData 4.01 part 2, 5.1.1.1 has it: it equals null and nothing else, so
`ne` of any value holds; it is neither greater nor less than anything, so `gt`, `ge`, `lt`, `le` and `in` do not hold
and their `not` does. Every condition is true or false, never NULL. Surfaces that ask for something else (`/v1`: absent
equals nothing and differs from nothing) say so in the tree.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from pipeline.instants import DAY_MS
from pipeline.warehouse.query.bindings import Bindings
from pipeline.warehouse.query.callers import had_part
from pipeline.warehouse.query.expressions import (
    FUNCTIONS,
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
    OfFinished,
    Operand,
    Within,
)
from pipeline.warehouse.query.literals import (
    bound_literal,
    instant_of,
    is_absent,
    number_of,
    operand_name,
    shown_literal,
    stored_literal,
    truth_of,
)
from schemas.call import SNOWFLAKE_EPOCH_MS, snowflake
from schemas.version import FOLD_SQL

_OPERATORS: Final = {"eq": "=", "ne": "!=", "gt": ">", "ge": ">=", "lt": "<", "le": "<="}

# Of each of `FUNCTIONS`, its SQL.
_RENDERED: Final[Mapping[str, Callable[..., str]]] = {
    "startswith": lambda a, b: f"startsWith({a}, {b})",
    "endswith": lambda a, b: f"endsWith({a}, {b})",
    "contains": lambda a, b: f"(position({a}, {b}) > 0)",
    "tolower": lambda a: f"lowerUTF8({a})",
    "toupper": lambda a: f"upperUTF8({a})",
    "trim": lambda a: f"trimBoth({a})",
    "length": lambda a: f"lengthUTF8({a})",
    "has": lambda a, b: f"has({a}, {b})",
    "count": lambda a: f"length({a})",
    "date": lambda a: f"toDateTime64(toStartOfDay({a}, 'UTC'), 3, 'UTC')",
    "year": lambda a: f"toYear({a}, 'UTC')",
    "month": lambda a: f"toMonth({a}, 'UTC')",
    "day": lambda a: f"toDayOfMonth({a}, 'UTC')",
    "hour": lambda a: f"toHour({a}, 'UTC')",
    "minute": lambda a: f"toMinute({a}, 'UTC')",
    "second": lambda a: f"toSecond({a}, 'UTC')",
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
            held = condition(part, bindings)
            return f"(NOT ifNull({held}, 0))" if _may_be_null(part) else f"(NOT {held})"
        case Contains(columns=columns, text=text):
            return "(" + " OR ".join(part_of(shown_text(column), text, bindings) for column in columns) + ")"
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
        case OfFinished():
            return _of_finished(node, bindings)
        case Compare():
            return _compare(node, bindings)


def _may_be_null(node: Node) -> bool:
    """Whether SQL may leave the condition undecided: it compares something that may be absent."""
    match node:
        case All(parts=parts) | Any_(parts=parts):
            return any(_may_be_null(part) for part in parts)
        case Compare(left=left, right=right):
            return _is_nullable(left) or _is_nullable(right)
        case In(left=left):
            return _is_nullable(left)
        case Call():
            return _is_nullable(node)
        case Contains(columns=columns):
            return any(column.nullable for column in columns)
    return False


def _is_nullable(operand: Operand) -> bool:
    if isinstance(operand, Call):
        return any(_is_nullable(argument) for argument in operand.arguments)
    return isinstance(operand, Column) and operand.nullable


def part_of(sql: str, text: str, bindings: Bindings) -> str:
    """Whether the text `sql` contains `text`, whatever its case; digits have none, which is looked for faster."""
    same = "position" if text.lower() == text.upper() else "positionCaseInsensitiveUTF8"
    return f"{same}({sql}, {bindings.bind(text, 'String')}) > 0"


# What `call_term_rows` and the index `terms_filter` are made of (migration 0013), in its order: ClickHouse uses the
# index for the same expression only.
TERM_COLUMNS: Final = (
    *("caller_number", "callee_number", "requested", "destination", "answered_by", "did", "outbound_caller_id"),
    *("caller_name", "callee_name"),
)

TERMS: Final = f"[{', '.join(TERM_COLUMNS)}]"


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
        raise BadExpression(
            f"{shown_literal(left)} {operator} {shown_literal(right)} compares no property; name one on one side"
        )
    if isinstance(left, Literal):  # 'x' eq caller is caller eq 'x'
        left, right = right, left
        operator = {"gt": "lt", "lt": "gt", "ge": "le", "le": "ge"}.get(operator, operator)
    sign = _OPERATORS[operator]
    if isinstance(left, Column) and left.words and isinstance(right, Literal) and operator in ("eq", "ne"):
        return f"({left.sql} {sign} {bindings.bind(stored_literal(left, right), 'String')})"
    sql, kind = _operand(left, bindings)
    if isinstance(right, Literal):
        if kind == "truth":
            return f"({sql} {sign} {truth_of(right, operand_name(left))})"
        if is_absent(right, kind):
            return _absence(sql, kind, operator)
        compared = f"{sql} {sign} {bound_literal(right, kind, operand_name(left), bindings)}"
        return f"(isNull({sql}) OR {compared})" if operator == "ne" and _is_nullable(left) else f"({compared})"
    other, other_kind = _operand(right, bindings)
    if kind != other_kind:
        raise BadExpression(
            f"{operand_name(left)} is a {kind}, {operand_name(right)} a {other_kind}; compare like with like"
        )
    if operator in ("eq", "ne") and (_is_nullable(left) or _is_nullable(right)):  # null equals null
        same = f"((isNull({sql}) AND isNull({other})) OR ifNull({sql} = {other}, 0))"
        return same if operator == "eq" else f"(NOT {same})"
    return f"({sql} {sign} {other})"


def _involving(node: Involving, bindings: Bindings) -> str:
    """A call and its logs are written under one version, but for how often the call was priced again. So
    versions tell which logs are of the call as it is, without FINAL, which would look at every row."""
    whose = f"tenant = {bindings.bind(node.tenant, 'String')} AND retired = 0"
    extension = bindings.bind(node.extension, "String")
    made = had_part(extension)
    key = f"({node.key.sql}, {FOLD_SQL})"
    bindings.tables |= {"call_rows", "call_log_rows"}
    is_call = node.key.stored == "id"  # a row of the calls themselves; else a log, whose call began some time before
    first_ms = node.first_ms if node.first_ms is None or is_call else node.first_ms - _LONGEST_CALL_MS
    end_ms = None if node.end_ms is None else node.end_ms + _LONGEST_CALL_MS
    logs = f"{whose}{_times(first_ms, end_ms, bindings)}{_ids('session_id', first_ms, node.end_ms, bindings)}"
    target = f"{key} IN (SELECT session_id, {FOLD_SQL} FROM call_log_rows WHERE {logs} AND number = {extension})"
    if is_call:
        return f"({made} OR {target})"
    calls = f"{whose}{_times(first_ms, node.end_ms, bindings)}"
    return f"({key} IN (SELECT id, {FOLD_SQL} FROM call_rows WHERE {calls} AND {made}) OR {target})"


def _of_finished(node: OfFinished, bindings: Bindings) -> str:
    """Calls in progress are few, and no older than the longest call. Where any version of a call says open is found
    first, without FINAL; the last versions are compared there only."""
    whose = f"tenant = {bindings.bind(node.tenant, 'String')} AND state = 'open'"
    recent = f"started_at >= now64(3, 'UTC') - INTERVAL {_LONGEST_CALL_MS} MILLISECOND"
    begun = f"SELECT started_at FROM call_rows WHERE {whose} AND {recent}"
    return (
        f"({node.key.sql} NOT IN (SELECT id FROM call_rows FINAL WHERE {whose} AND retired = 0"
        f" AND started_at IN ({begun})))"
    )


# A call's last target is tried no later than this after its start.
_LONGEST_CALL_MS: Final = 31 * DAY_MS


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
        raise BadExpression(f"{shown_literal(left)} in (…) asks for no property; name one before in")
    if isinstance(left, Column) and left.words:
        stored = [stored_literal(left, value) for value in node.values]
        return f"({left.sql} IN {bindings.bind_list(stored, 'String')})"
    sql, kind = _operand(left, bindings)
    if kind == "text":
        return f"({sql} IN {bindings.bind_list([value.text or '' for value in node.values], 'String')})"
    if kind == "truth":
        return "(" + " OR ".join(_compare(Compare("eq", left, value), bindings) for value in node.values) + ")"
    found = [value for value in node.values if not is_absent(value, kind)]
    parts = [_among(sql, kind, operand_name(left), found, bindings)] if found else []
    if len(found) < len(node.values):
        parts.append(_absence(sql, kind, "eq"))
    return f"({' OR '.join(parts)})"


def _among(sql: str, kind: str, name: str, values: Sequence[Literal], bindings: Bindings) -> str:
    """Whether the number, id or time `sql` is one of the values: as an array, of any length."""
    if kind == "time":
        moments = bindings.bind_list([instant_of(value, name) for value in values], "Int64")
        return f"{sql} IN arrayMap(ms -> fromUnixTimestamp64Milli(ms, 'UTC'), {moments})"
    numbers = [number_of(value, kind, name) for value in values]
    if any(type_.startswith("Decimal") for _, type_ in numbers):
        exact = bindings.bind_list([str(number) for number, _ in numbers], "String")
        return f"accurateCastOrNull({sql}, 'Decimal(38, 18)') IN arrayMap(x -> toDecimal128(x, 18), {exact})"
    return f"{sql} IN {bindings.bind_list([number for number, _ in numbers], numbers[0][1])}"


def _operand(operand: Operand, bindings: Bindings) -> tuple[str, str]:
    """SQL and kind of a column or a function."""
    if isinstance(operand, Column):
        return (shown_text(operand), "text") if operand.words else (operand.sql, operand.kind)
    if isinstance(operand, Literal):
        raise BadExpression(f"{shown_literal(operand)} stands where a property was expected")
    signature = FUNCTIONS[operand.function]
    kinds = signature.arguments
    if len(kinds) != len(operand.arguments):
        raise BadExpression(f"{operand.function} takes {len(kinds)} argument(s), not {len(operand.arguments)}")
    parts = []
    for argument, wanted in zip(operand.arguments, kinds, strict=True):
        if isinstance(argument, Literal):
            parts.append(bound_literal(argument, wanted, operand.function, bindings))
            continue
        sql, kind = _operand(argument, bindings)
        if wanted == "text" and kind == "id" and isinstance(argument, Column):
            sql, kind = shown_text(argument), "text"
        if kind != wanted:
            raise BadExpression(f"{operand.function} takes a {wanted}; {operand_name(argument)} is a {kind}")
        parts.append(sql)
    return _RENDERED[operand.function](*parts), signature.result


def shown_text(column: Column) -> str:
    """SQL of the column as text, in the spelling outside."""
    if column.words:
        stored = ", ".join(f"'{word}'" for word in column.words.values())
        shown = ", ".join(f"'{word}'" for word in column.words)
        return f"transform(toString({column.sql}), [{stored}], [{shown}], '')"
    return column.sql if column.kind == "text" else f"toString({column.sql})"


def _absence(sql: str, kind: str, operator: str) -> str:
    """`eq null` and `ne null`. Texts are stored empty where unknown; other comparisons hold never."""
    if operator not in ("eq", "ne"):
        return "(1 = 0)"
    if kind == "text":
        return f"({sql} {_OPERATORS[operator]} '')"
    return f"(isNull({sql}))" if operator == "eq" else f"(isNotNull({sql}))"
