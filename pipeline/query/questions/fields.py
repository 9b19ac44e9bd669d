"""The fields of calls and call logs under /v1: how each is called, filtered and shown.

Paths are those of the call document (`caller.number`). In files of rows (CSV, Parquet) a path becomes the
column's name in the SQL views (`caller_number`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, get_args

from pipeline.spreadsheet import harmless_sql
from pipeline.warehouse.query.columns import CALL, CALL_LOG
from pipeline.warehouse.query.directory_names import CALLEE, CALLER, LOG_CALLER, named_sql
from pipeline.warehouse.query.expressions import Column
from schemas.words import CauseFrom, Direction, EndReason, HungUpBy, Outcome, RerouteReason, State, Status, TargetKind


@dataclass(frozen=True, slots=True)
class Field:
    """`kind`: text, word, number, decimal, time, id or list. `column` is what filters compare; `sql` what is
    shown, an empty text or 0 as null when `nullable`. `is_number`: a phone number.
    `named_by`: SQL of the number that the directory may have a newer name for."""

    path: str
    kind: str
    column: Column
    sql: str
    nullable: bool = False
    words: tuple[str, ...] = ()
    is_number: bool = False
    named_by: str = ""
    shown: bool = True

    @property
    def absent(self) -> str:
        """How it is stored where it is unknown or never was: text (empty), zero, null; "" when it is always there."""
        if self.kind in ("text", "word"):
            return "" if self.path in _ALWAYS else "text"
        if self.kind == "number" and self.nullable:
            return "zero"
        return "null" if self.column.nullable else ""

    @property
    def flat(self) -> str:
        """Its name as a column."""
        return self.path.replace(".", "_")


_ALWAYS: Final = frozenset(("call_id", "tenant", "state", "direction", "kind"))


def _text(path: str, sql: str = "", *, nullable: bool = True, number: bool = False, named_by: str = "") -> Field:
    sql = sql or path.replace(".", "_")
    return Field(path, "text", Column(path, sql), sql, nullable, is_number=number, named_by=named_by)


def _word(path: str, words: object, *, nullable: bool = True) -> Field:
    return Field(path, "word", Column(path, path), path, nullable, words=get_args(words))


def _time(path: str) -> Field:
    return Field(path, "time", Column(path, path, "time", nullable=path != "started_at"), path)


# Lengths that are 0, not NULL, where nothing was measured.
_COUNTED: Final = frozenset(("talk_ms", "hold_ms", "billable_ms"))


def _number(path: str, *, zero_is_null: bool = False) -> Field:
    nullable = not zero_is_null and path not in _COUNTED
    return Field(path, "number", Column(path, path, "number", nullable), path, zero_is_null)


def _id(path: str) -> Field:
    return Field(path, "id", Column(path, path, "id"), f"toString({path})")


def _list(path: str, *, shown: bool = True, number: bool = False) -> Field:
    return Field(path, "list", Column(path, path, "list"), path, is_number=number, shown=shown)


def _decimal(path: str) -> Field:
    return Field(path, "decimal", Column(path, f"toDecimal128OrNull({path}, 18)", "number", True), path, True)


def _hidden(field: Field) -> Field:
    return Field(field.path, field.kind, field.column, field.sql, field.nullable, field.words, shown=False)


def _party(side: str) -> tuple[Field, ...]:
    return (
        _text(f"{side}.number", nullable=False, number=True),
        _text(f"{side}.name", nullable=False, named_by=CALLER if side == "caller" else CALLEE),
        _text(f"{side}.domain", nullable=False),
        _text(f"{side}.extension", nullable=False),
    )


def _table(*fields: Field) -> Mapping[str, Field]:
    return {field.path: field for field in fields}


CALL_FIELDS: Final = _table(
    _id("id"),
    _text("call_id", nullable=False),
    _text("tenant", nullable=False),
    Field("version", "number", Column("version", "version", "number"), "version"),
    _word("state", State, nullable=False),
    _word("direction", Direction, nullable=False),
    _word("status", Status),
    _word("end_reason", EndReason),
    _word("hung_up_by", HungUpBy),
    *_party("caller"),
    *_party("callee"),
    _text("requested", number=True),
    _text("destination", number=True),
    _text("answered_by", number=True),
    *(_time(f"{name}_at") for name in ("started", "progress", "rang", "answered", "talk_started", "ended")),
    *(_number(f"{name}_ms") for name in ("setup", "ring", "wait", "talk", "hold", "billable", "duration")),
    _number("sip_status", zero_is_null=True),
    _number("q850_cause", zero_is_null=True),
    _word("cause_from", CauseFrom),
    _text("did", number=True),
    _text("trunk"),
    _text("outbound_caller_id", number=True),
    _text("user_data"),
    _list("flags"),
    _decimal("cost"),
    _text("currency"),
    _text("billed_account"),
    _decimal("rate"),
    _hidden(_text("rate_class")),
    _hidden(_text("rate_prefix")),
    _hidden(_decimal("carrier_cost")),
    _hidden(_text("carrier_currency")),
    _hidden(_text("service_number")),
    _hidden(_text("reroute_reason", CALL["reroute_reason"].sql)),
    _list("missed_by", shown=False, number=True),
    _list("merged_call_ids", shown=False),
)

LOG_FIELDS: Final = _table(
    _id("id"),
    Field("session_id", "id", CALL_LOG["session_id"], "toString(session_id)"),
    _text("call_id", nullable=False),
    _word("kind", TargetKind, nullable=False),
    _text("number", nullable=False, number=True),
    _text("name", nullable=False, named_by="number"),
    _text("leg_id"),
    *(_time(f"{name}_at") for name in ("started", "rang", "answered", "ended")),
    _number("ring_ms"),
    _number("talk_ms"),
    _word("outcome", Outcome),
    _word("end_reason", EndReason),
    _word("reroute_reason", RerouteReason),
    _number("sip_status", zero_is_null=True),
    _number("q850_cause", zero_is_null=True),
    _text("trunk"),
    _word("direction", Direction, nullable=False),
    _text("caller.number", nullable=False, number=True),
    _text("caller.name", nullable=False, named_by=LOG_CALLER),
    _text("caller.domain", nullable=False),
    _text("did", number=True),
    _text("outbound_caller_id", number=True),
    _text("service_number"),
    _text("user_data"),
)


def _sorts(*names: str) -> Mapping[str, str]:
    """What lists can be ordered by beside started_at, as whole numbers; what is absent comes first, going up."""
    return {name: f"ifNull(toInt64({name}), -1)" for name in names}


CALL_SORTS: Final[Mapping[str, str]] = {
    **_sorts(*(f"{name}_ms" for name in ("duration", "talk", "billable", "ring", "wait", "hold", "setup"))),
    "ended_at": f"ifNull(toUnixTimestamp64Milli(ended_at), {-(10**15)})",
    "cost": "if(cost = '', -1, toInt64(toDecimal128OrZero(cost, 9) * 1000000000))",
}
LOG_SORTS: Final = _sorts("talk_ms", "ring_ms")

# Names that stand for several fields: any of them may match.
CALL_GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "caller": ("caller.number",),
    "callee": ("callee.number",),
    "any_number": ("caller.number", "callee.number", "destination", "answered_by", "did"),
    "any_name": ("caller.name", "callee.name"),
}
LOG_GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "any_number": ("number", "caller.number", "did"),
    "any_name": ("name", "caller.name"),
}


@dataclass(frozen=True, slots=True)
class Presentation:
    """How a caller sees names: from the directory or as they were, with the numbers in them masked or not."""

    masked: bool = False
    named: bool = False


def value_sql(field: Field, look: Presentation) -> str:
    """The field as it is shown."""
    sql = field.sql
    if field.named_by and look.named:
        sql = named_sql(sql, field.named_by, masked=look.masked)
    if field.nullable:
        sql = f"nullIf({sql}, {0 if field.kind == 'number' else repr('')})"
    return sql


def document_select(fields: Sequence[Field], look: Presentation) -> str:
    """The fields as a JSON document has them: `caller.number` within `caller`."""
    parts: dict[str, list[tuple[str, str]]] = {}
    for field in fields:
        group, _, part = field.path.partition(".")
        parts.setdefault(group, []).append((part, value_sql(field, look)))
    found = []
    for group, inner in parts.items():
        if inner[0][0]:
            kinds = ", ".join(f"{part} String" for part, _ in inner)
            found.append(f"CAST(tuple({', '.join(sql for _, sql in inner)}), 'Tuple({kinds})') AS {group}")
        else:
            found.append(f"{inner[0][1]} AS {group}")
    return ", ".join(found)


def flat_select(fields: Sequence[Field], look: Presentation, *, safe: bool) -> str:
    """The fields as columns. With `safe`, no text is taken for a formula by a spreadsheet: one that begins
    like a formula gets an apostrophe in front."""
    found = []
    for field in fields:
        sql = value_sql(field, look)
        if safe and field.kind == "list":
            sql = f"arrayStringConcat({sql}, ' ')"
        if safe and field.kind in ("text", "list"):
            sql = harmless_sql(f"toString({sql})")
        elif field.kind == "word":
            sql = f"CAST({sql}, 'Nullable(String)')"
        found.append(f"{sql} AS {field.flat}")
    return ", ".join(found)
