"""What may be asked of rows: a small expression tree. Surfaces parse their filter languages into it;
`pipeline.warehouse.query.conditions` makes SQL of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from pipeline.errors import CdrError
from pipeline.warehouse.query.masking import masked_text


class BadExpression(CdrError, ValueError):
    """The expression makes no sense: the message names what was written and what to write."""


@dataclass(frozen=True, slots=True)
class Signature:
    """Kinds of a function's arguments, and of its result."""

    arguments: tuple[str, ...]
    result: str


# Those of OData 4.01 part 2, 5.1.1, that lists of calls need; `has` and `count` are of lists.
FUNCTIONS: Final[Mapping[str, Signature]] = {
    **dict.fromkeys(("startswith", "endswith", "contains"), Signature(("text", "text"), "truth")),
    **dict.fromkeys(("tolower", "toupper", "trim"), Signature(("text",), "text")),
    "length": Signature(("text",), "number"),
    "has": Signature(("list", "text"), "truth"),
    "count": Signature(("list",), "number"),
    "date": Signature(("time",), "time"),
    **dict.fromkeys(("year", "month", "day", "hour", "minute", "second"), Signature(("time",), "number")),
}


@dataclass(frozen=True, slots=True)
class Column:
    """Something a row has. `kind`: text, number, time or id. `words` maps the spelling outside to
    the one stored, for enumerations; `aliases` further spellings, understood but never shown."""

    name: str  # as the surface calls it, for messages
    sql: str
    kind: str = "text"
    nullable: bool = False
    words: Mapping[str, str] = field(default_factory=dict)
    aliases: Mapping[str, str] = field(default_factory=dict)

    @property
    def stored(self) -> str:
        """The table's own column that this one is; "" where it is computed."""
        return self.sql if self.sql.isidentifier() else ""


@dataclass(frozen=True, slots=True)
class Literal:
    """A value as it was written. `quoted` tells '101' from 101; a bare null has value None."""

    text: str | None
    quoted: bool = True


@dataclass(frozen=True, slots=True)
class Call:
    """A function of operands, one of `FUNCTIONS`."""

    function: str
    arguments: tuple[Operand, ...]


@dataclass(frozen=True, slots=True)
class Compare:
    operator: str
    left: Operand
    right: Operand


@dataclass(frozen=True, slots=True)
class In:
    left: Operand
    values: tuple[Literal, ...]


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds; of no parts, always."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Any_:
    """At least one part holds."""

    parts: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Not:
    part: Node


@dataclass(frozen=True, slots=True)
class Contains:
    """Any of the columns contains `text`, whatever its case."""

    columns: tuple[Column, ...]
    text: str


@dataclass(frozen=True, slots=True)
class Involving:
    """The extension made the call with the id `key`, or was a target of it. `first_ms` and `end_ms`: of rows that
    started in this time only, half-open; None for any."""

    key: Column
    tenant: str
    extension: str
    first_ms: int | None = None
    end_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Within:
    """Only to skip what cannot match: the call is of one of the months (yyyymm), and has one of the terms or one of the
    call_ids. Of calls it may let others through, too."""

    months: tuple[int, ...]
    terms: tuple[str, ...]
    call_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class OfFinished:
    """The call with the id `key` is not in progress."""

    key: Column
    tenant: str


Operand = Column | Literal | Call
Node = All | Any_ | Not | Compare | In | Call | Contains | Involving | Within | OfFinished


def masked_literals(node: Node) -> Node:
    """The node for rows whose numbers are masked: what a number is said to equal is masked too, so a number typed in
    full finds what looks like it, and no more. Parts of numbers are looked for as they stand."""
    match node:
        case All(parts=parts):
            return All(tuple(map(masked_literals, parts)))
        case Any_(parts=parts):
            return Any_(tuple(map(masked_literals, parts)))
        case Not(part=part):
            return Not(masked_literals(part))
        case Compare(operator="eq" | "ne" as operator, left=left, right=right):
            return Compare(operator, _masked(left, beside=right), _masked(right, beside=left))
        case In(left=left, values=values):
            return In(left, tuple(_masked(value, beside=left) for value in values))
        case Call(function="has", arguments=(column, value)):
            return Call("has", (column, _masked(value, beside=column)))
    return node


def _masked(operand: _OperandT, *, beside: Operand) -> _OperandT:
    """A value that stands beside a column of texts or lists, masked; identifiers hold no number."""
    if not isinstance(operand, Literal) or not operand.text:
        return operand
    if not isinstance(beside, Column) or beside.kind not in ("text", "list") or _IDENTIFIERS.search(beside.sql):
        return operand
    return replace(operand, text=masked_text(operand.text))


_OperandT = TypeVar("_OperandT", Literal, Operand)
_IDENTIFIERS: Final = re.compile(r"_ids?\b")
EVERYTHING: Final = All(())
NOTHING: Final = Any_(())
