"""The filter language of /v1, one for query strings and JSON.

    ?status=busy&status=no_answer          any of them
    ?started_at[gte]=2026-03-01&caller.number[contains]=1632
    ?callee.number=+4416*                  a final * stands for any rest
    ?status[not_in]=answered,voicemail&talk_ms[between]=1000,5000&answered_at[exists]=false
    {"status": ["busy", "no_answer"], "talk_ms": {"gte": 1000}, "not": {"trunk": "a"}, "or": [{…}, {…}]}

Parts beside each other must all hold. What is absent equals nothing and differs from nothing: a comparison with it
never holds, and neither does its opposite (`ne`, `not_…`, `not`); ask `exists` for that. Texts that are stored empty
and numbers that are stored as 0 where they are unknown are absent, too. A list is never absent: `ne` asks whether
the value is not in it. Of names that stand for several fields (`any_number`) those count that are there.

A date alone is a day of the zone: `gte` its begin, `lte` its end, `eq` any time of it. An empty value is refused. The
JSON form goes into the parameter `filter`, or into the body of a POST.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final
from zoneinfo import ZoneInfo

import orjson

from pipeline.errors import shortened
from pipeline.instants import day_of
from pipeline.query.http.parameters import LONGEST_VALUE, Parameters
from pipeline.query.http.problems import RequestProblem, invalid
from pipeline.query.questions.fields import Field
from pipeline.warehouse.query.bindings import Bindings
from pipeline.warehouse.query.conditions import condition
from pipeline.warehouse.query.expressions import (
    All,
    Any_,
    BadExpression,
    Call,
    Column,
    Compare,
    Contains,
    In,
    Literal,
    Node,
    Not,
)
from schemas.call import rfc3339

_DEEPEST: Final = 20
_MOST_PARTS: Final = 500
_MOST_VALUES: Final = 1000

_ORDERED: Final = {"gt": "gt", "gte": "ge", "lt": "lt", "lte": "le"}
_PARTIAL: Final = ("contains", "startswith", "endswith")
_SETS: Final = ("in", "between")
OPERATORS: Final = (
    *("eq", "ne", *_ORDERED, *_SETS, *_PARTIAL, "exists"),
    *(f"not_{name}" for name in (*_SETS, *_PARTIAL)),
)
_BY_KIND: Final[Mapping[str, frozenset[str]]] = {
    "text": frozenset(OPERATORS),
    "word": frozenset({"eq", "ne", "in", "not_in", "exists"}),
    "list": frozenset({"eq", "ne", "in", "not_in", "exists"}),
    "id": frozenset({"eq", "ne", *_ORDERED, "in", "not_in", "between", "not_between"}),
    "number": frozenset({"eq", "ne", *_ORDERED, "in", "not_in", "between", "not_between", "exists"}),
    "decimal": frozenset({"eq", "ne", *_ORDERED, "in", "not_in", "between", "not_between", "exists"}),
    "time": frozenset({"eq", "ne", *_ORDERED, "in", "not_in", "between", "not_between", "exists"}),
}

UTC: Final = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class Language:
    """What can be filtered by: fields by path, and names that stand for several of them. `column` gives the
    column to compare, which may differ from the field's own. `zone`: whose days dates alone are."""

    fields: Mapping[str, Field]
    groups: Mapping[str, tuple[str, ...]]
    column: Callable[[Field], Column] = lambda field: field.column
    zone: ZoneInfo = UTC

    def __contains__(self, name: object) -> bool:
        """Whether this is a parameter of a filter: a field, or a field with an operator."""
        if not isinstance(name, str):
            return False
        path, bracket, rest = name.partition("[")
        if path not in self.fields and path not in self.groups:
            return False
        return not bracket or (rest.endswith("]") and rest[:-1] in OPERATORS)

    def __iter__(self) -> Iterator[str]:
        return iter([*self.fields, *self.groups])

    def __len__(self) -> int:
        return len(self.fields) + len(self.groups)

    def of_parameters(self, options: Parameters) -> Node:
        """The condition of a query string."""
        parts: list[Node] = []
        for name, values in options.all():
            if name not in self:
                continue
            path, bracket, rest = name.partition("[")
            operator = rest[:-1] if bracket else "eq"
            given = list(values)
            if "" in given:
                raise invalid(name, None, f"is empty; {_HOW_TO_MEAN_ABSENT}")
            if operator in (*_SETS, *(f"not_{each}" for each in _SETS)):
                given = [piece for value in given for piece in value.split(",")]
                parts.append(self._part(path, operator, given, name))
            elif operator == "eq":
                parts.append(Any_(tuple(self._part(path, "eq", value, name, star=True) for value in given)))
            elif len(given) > 1:
                raise invalid(name, None, "is given more than once; give it once")
            else:
                parts.append(self._part(path, operator, given[0], name))
        if options.has("filter"):
            text = options.text("filter") or ""
            try:
                parts.append(self.of_json(orjson.loads(text)))
            except orjson.JSONDecodeError as error:
                raise invalid("filter", text, f'is no JSON ({error}); write it like {{"status": "busy"}}') from None
        return _checked(parts[0] if len(parts) == 1 else All(tuple(parts)))

    def of_json(self, value: Any) -> Node:
        """The condition of a JSON filter."""
        return _checked(self._node(value, "filter", [0], 0))

    def _node(self, value: Any, pointer: str, seen: list[int], depth: int, *, negated: bool = False) -> Node:
        """The condition of an object, or its opposite: `not` goes down to each comparison, which knows what of it may
        be absent."""
        if not isinstance(value, dict):
            raise invalid(pointer, _shown(value), 'is no object; write it like {"status": "busy"}')
        seen[0] += len(value)
        if depth > _DEEPEST or seen[0] > _MOST_PARTS:
            raise invalid(pointer, None, f"is deeper than {_DEEPEST} or has more than {_MOST_PARTS} parts; simplify it")
        parts: list[Node] = []
        for name, inner in value.items():
            at = f"{pointer}.{shortened(name)}"
            if name in ("and", "or"):
                if not isinstance(inner, list) or not inner:
                    raise invalid(at, _shown(inner), "is no list of filters with at least one in it")
                nodes = tuple(
                    self._node(each, f"{at}.{n}", seen, depth + 1, negated=negated) for n, each in enumerate(inner)
                )
                parts.append(All(nodes) if (name == "and") != negated else Any_(nodes))
            elif name == "not":
                parts.append(self._node(inner, at, seen, depth + 1, negated=not negated))
            elif name in self.fields or name in self.groups:
                parts.append(self._conditions(name, inner, at, seen, negated=negated))
            else:
                raise invalid(at, None, f"is no field here; there are and, or, not, {', '.join(self)}")
        return Any_(tuple(parts)) if negated else All(tuple(parts))

    def _conditions(self, path: str, value: Any, at: str, seen: list[int], *, negated: bool) -> Node:
        if isinstance(value, list):
            return self._part(path, "in", value, at, negated=negated)
        if not isinstance(value, dict):
            return self._part(path, "eq", value, at, negated=negated)
        if not value:
            raise invalid(at, None, f"is an empty object; {_HOW_TO_MEAN_ABSENT}")
        seen[0] += len(value)
        for operator in value:
            if operator not in OPERATORS:
                raise invalid(at, operator, f"is no operator; there are {', '.join(OPERATORS)}")
        parts = tuple(
            self._part(path, operator, inner, f"{at}.{operator}", negated=negated) for operator, inner in value.items()
        )
        return Any_(parts) if negated else All(parts)

    def _part(
        self, path: str, operator: str, value: Any, at: str, *, star: bool = False, negated: bool = False
    ) -> Node:
        """One comparison of a field, or of any field of a group; or its opposite."""
        fields = [self.fields[name] for name in self.groups.get(path, (path,))]
        for field in fields:
            if operator not in _BY_KIND[field.kind]:
                allowed = ", ".join(name for name in OPERATORS if name in _BY_KIND[field.kind])
                raise invalid(at, None, f"{operator} cannot be asked of {field.path}; there are {allowed}")
        if operator.startswith("not_") or operator == "ne":
            operator, negated = operator.removeprefix("not_") if operator != "ne" else "eq", not negated
        if operator == "exists" or (operator == "eq" and value is None):
            found = [_exists(field, self.column(field), False if operator == "eq" else value, at) for field in fields]
            node = found[0] if len(found) == 1 else Any_(tuple(found))
            return Not(node) if negated else node
        compared = [self._compare(field, operator, value, at, star=star) for field in fields]
        there = [_present(field, self.column(field)) for field in fields]
        if not negated:
            parts = tuple(All((known, node)) if known else node for known, node in zip(there, compared, strict=True))
            return parts[0] if len(parts) == 1 else Any_(parts)
        opposites = tuple(Not(node) for node in compared)
        known = tuple(node for node in there if node is not None)
        return All((Any_(known), *opposites)) if len(known) == len(fields) else All(opposites)

    def _compare(self, field: Field, operator: str, value: Any, at: str, *, star: bool) -> Node:
        column = self.column(field)
        if operator == "between":
            if not isinstance(value, list) or len(value) != 2:
                raise invalid(at, _shown(value), "takes two values, the least and the greatest")
            low, high = (
                self._compare(field, name, each, at, star=False)
                for name, each in zip(("gte", "lte"), value, strict=True)
            )
            return All((low, high))
        if operator == "in":
            if not isinstance(value, list) or not value or len(value) > _MOST_VALUES:
                raise invalid(at, _shown(value), f"takes 1 to {_MOST_VALUES} values")
            if field.kind in ("list", "time"):
                return Any_(tuple(self._compare(field, "eq", each, at, star=False) for each in value))
            return In(column, tuple(_literal(field, each, at) for each in value))
        literal = _literal(field, value, at)
        if field.kind == "time":
            return _timed(column, _ORDERED.get(operator, operator), literal, self.zone)
        if operator in _PARTIAL:
            return _partial(operator, column, field, literal)
        if field.kind == "list":
            return Call("has", (column, literal))
        if star and field.kind == "text" and (literal.text or "").endswith("*"):
            return Call("startswith", (column, Literal((literal.text or "")[:-1])))
        return Compare(_ORDERED.get(operator, operator), column, literal)


def _present(field: Field, column: Column) -> Node | None:
    """The condition that the field is there; None for one that always is."""
    if field.absent == "":
        return None
    return Compare("ne", column, Literal("0" if field.absent == "zero" else None, quoted=False))


def _timed(column: Column, operator: str, literal: Literal, zone: ZoneInfo) -> Node:
    """A comparison with an instant, or with a day that is given by its date alone."""
    day = day_of(literal.text or "", zone)
    if day is None:
        return Compare(operator, column, literal)
    first, end = (Literal(rfc3339(ms)) for ms in day)
    match operator:
        case "eq":
            return All((Compare("ge", column, first), Compare("lt", column, end)))
        case "gt":
            return Compare("ge", column, end)
        case "le":
            return Compare("lt", column, end)
        case _:
            return Compare(operator, column, first)


def _checked(node: Node) -> Node:
    """The node, once it is sure that ClickHouse will understand it."""
    try:
        condition(node, Bindings())
    except BadExpression as error:
        raise invalid("filter", None, str(error)) from None
    except RecursionError:
        raise invalid("filter", None, "is too deep; simplify it") from None
    return node


def _partial(operator: str, column: Column, field: Field, literal: Literal) -> Node:
    """Parts of texts, whatever their case."""
    text = literal.text or ""
    if operator == "contains":
        return Contains((column,), text)
    if field.is_number or field.path.endswith(("number", "extension")):
        return Call(operator, (column, literal))
    return Call(operator, (Call("tolower", (column,)), Literal(text.lower())))


def _exists(field: Field, column: Column, value: Any, at: str) -> Node:
    wanted = {"true": True, "false": False}.get(value.lower(), value) if isinstance(value, str) else value
    if not isinstance(wanted, bool):
        raise invalid(at, _shown(value), "is neither true nor false")
    if field.kind == "list":
        return Compare("gt" if wanted else "le", Call("count", (column,)), Literal("0", quoted=False))
    return Compare("ne" if wanted else "eq", column, Literal("0" if field.absent == "zero" else None, quoted=False))


def _literal(field: Field, value: Any, at: str) -> Literal:
    """A value as it was written, when it can be one of this field's."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise invalid(at, _shown(value), "is no text or number")
    text = value if isinstance(value, str) else orjson.dumps(value).decode()
    if "\0" in text or len(text) > LONGEST_VALUE:
        raise invalid(at, text, f"has a NUL character or more than {LONGEST_VALUE} characters")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise invalid(at, None, "is not UTF-8") from None
    if field.kind == "word" and text and text not in field.words:
        raise invalid(at, text, f"is none of {', '.join(field.words)}")
    if not text:
        raise invalid(at, None, f"is empty; {_HOW_TO_MEAN_ABSENT}")
    try:
        condition(Compare("eq", Column(at, "x", _KINDS[field.kind]), Literal(text)), Bindings())
    except BadExpression as error:
        raise RequestProblem(400, "invalid", str(error), field=at) from None
    return Literal(text)


_HOW_TO_MEAN_ABSENT: Final = "write a value, or exists=false to ask for what is absent"
_KINDS: Final = {"number": "number", "decimal": "number", "id": "id", "time": "time"} | dict.fromkeys(
    ("text", "word", "list"), "text"
)


def _shown(value: Any) -> str:
    try:
        return shortened(value if isinstance(value, str) else orjson.dumps(value).decode())
    except TypeError:
        return "this"
