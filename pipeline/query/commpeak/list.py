"""CommPeak's lists: options as segments of the path.

`/api/cdrs/limit/100;0/order/start_at;desc/start_at/2024-08-20 00:00:00;>` — a limit with an offset, an order,
and conditions `field/value;operator`, all of which hold.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import unquote_to_bytes

import phonenumbers

from pipeline.directory.model import Directory
from pipeline.instants import instant
from pipeline.query.commpeak import columns
from pipeline.query.commpeak.fields import last_three
from pipeline.query.commpeak.filter import OPERATORS, span_ms
from pipeline.query.http.problems import invalid
from pipeline.query.same_number import spellings
from pipeline.query.stable_numbers import number_of
from pipeline.rating.numbers import Numbering
from pipeline.warehouse.query.clauses import Order
from pipeline.warehouse.query.columns import CALL
from pipeline.warehouse.query.expressions import All, Any_, Column, Compare, In, Literal, Node, Not
from pipeline.warehouse.query.reader import Row
from schemas.call import rfc3339

# Field of an item -> column; what has none cannot be asked for.
_FIELDS: Final[dict[str, Column]] = {
    "object_type_id": columns.CALL_TYPE,
    "caller_user_id": columns.USER,
    "start_at": CALL["started_at"],
    "end_at": CALL["ended_at"],
    "src": columns.SRC,
    "dst": columns.DST,
    "call_uuid": CALL["call_id"],
    "call_id": CALL["id"],
    "client_callerid_number": columns.CALLER_ID,
    "client_callerid_name": CALL["caller_name"],
    "client_hangup_disposition": columns.HANGUP,
    "call_duration": columns.DURATION,
    "bill_duration": columns.BILL_DURATION,
    "status": columns.STATUS,
    "trunk": columns.TRUNK,
}
_RECORDING: Final = Column("recording", "JSONExtractString(detail, 'recordings', 1, 'recording')")
# Under names of their own: one equal to a column's name would take its place in WHERE.
COLUMNS: Final = (
    *(column if column.stored else replace(column, name=f"shown_{name}") for name, column in _FIELDS.items()),
    *(CALL[name] for name in ("caller_number", "answered_by", "callee_name", "direction")),
    _RECORDING,
)
_MOST: Final = 10_000
_NUMBERS: Final = ("dst", "client_callerid_number")


@dataclass(frozen=True, slots=True)
class Listing:
    """What a path asks for."""

    where: Node
    order: tuple[Order, ...]
    limit: int
    offset: int


def listing_of(raw_path: bytes, numbering: Numbering) -> Listing:
    """The options in a path behind `/api/cdrs/`, still percent-encoded. `numbering`: how the tenant's numbers are
    written."""
    try:
        parts = [unquote_to_bytes(part).decode() for part in raw_path.strip(b"/").split(b"/")]
    except UnicodeDecodeError:
        raise invalid("path", None, "is not UTF-8; percent-encode it as UTF-8") from None
    if len(parts) % 2:
        raise invalid("path", parts[-1], "has a name without value; write name/value pairs, as in limit/100;0")
    limit, offset = 100, 0
    order: tuple[Order, ...] = (Order(CALL["started_at"], descending=True),)
    conditions: list[Node] = []
    for name, value in zip(parts[::2], parts[1::2], strict=True):
        if "\0" in value:
            raise invalid(name, None, "has a NUL character; remove it")
        if name == "limit":
            limit, offset = _limit(value)
        elif name == "order":
            order = _order(value)
        else:
            conditions.append(_condition(name, value, numbering))
    return Listing(All(tuple(conditions)), order, limit, offset)


def item(row: Row, directory: Directory) -> dict[str, Any]:
    """A row as an item of `cdrs`. Durations are whole seconds, times UTC."""
    out = row["direction"] == "outbound"
    agent = row["shown_src"]
    agent_name = directory.name_of(agent) or ((row["caller_name"] if out else row["callee_name"]) if agent else "")
    hangup = row["shown_client_hangup_disposition"]
    return {
        "object_type_id": row["shown_object_type_id"],
        "object_id": number_of(row["id"]),
        "caller_user_id": row["shown_caller_user_id"],
        "caller_user": agent_name if row["shown_caller_user_id"] else "",
        "start_at": _time(row["started_at"]),
        "end_at": _time(row["ended_at"]),
        "src": agent,
        "dst": last_three(row["shown_dst"]),
        "dst_country": _country(row["shown_dst"], directory.tenant.country),
        "call_uuid": row["call_id"],
        "call_id": str(row["id"]),
        "agent_callerid_name": agent_name,
        "agent_callerid_number": agent,
        "client_callerid_name": row["callee_name"] if out else row["caller_name"],
        "client_callerid_number": last_three(row["shown_client_callerid_number"]),
        "client_hangup_disposition": hangup,
        "agent_hangup_disposition": hangup,
        "call_duration": row["shown_call_duration"],
        "bill_duration": row["shown_bill_duration"],
        "status": row["shown_status"],
        "trunk": row["shown_trunk"],
        "public_recording_url": row["recording"] if row["recording"].startswith(("http://", "https://")) else "",
    }


def _time(text: str | None) -> str:
    """Cut to the second, in the vendor's form."""
    return "" if text is None else rfc3339(instant(text))[:19].replace("T", " ")  # type: ignore[index]


def _country(number: str, home: str) -> str:
    """The ISO 3166 country of a number; "" when there is no telling."""
    try:
        parsed = phonenumbers.parse(number.replace("*", "0"), home or None)
    except phonenumbers.NumberParseException:
        return ""
    # numbers kept free for fiction are of no region, but of a country
    found = phonenumbers.region_code_for_number(parsed) or phonenumbers.region_code_for_country_code(
        parsed.country_code or 0
    )
    return found if found not in ("001", "ZZ") else ""


def _limit(value: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,6})(?:;(\d{1,12}))?", value, re.ASCII)
    if match is None or not 1 <= int(match[1]) <= _MOST:
        raise invalid("limit", value, f"is no number from 1 to {_MOST}, then ; and how many to skip")
    return int(match[1]), int(match[2] or 0)


def _order(value: str) -> tuple[Order, ...]:
    name, _, way = value.partition(";")
    if name not in _FIELDS or way.lower() not in ("", "asc", "desc"):
        raise invalid("order", value, f"is none of {', '.join(_FIELDS)}, then ;asc or ;desc")
    return (Order(_FIELDS[name], way.lower() == "desc"),)


def _condition(name: str, value: str, numbering: Numbering) -> Node:
    column = _FIELDS.get(name)
    if column is None:
        raise invalid(name[:80] or "path", None, f"is no field; there are limit, order, {', '.join(_FIELDS)}")
    text, separator, sign = value.rpartition(";")
    if not separator:
        text, sign = value, "="
    if sign not in OPERATORS:
        raise invalid(name, value, f"ends in none of {', '.join(f';{each}' for each in OPERATORS)}")
    operator = OPERATORS[sign]
    if not text:
        raise invalid(name, value, "is empty; write a value before the operator")
    if column.kind == "time":
        return _within(operator, column, *span_ms(name, text))
    if name in _NUMBERS and operator in ("eq", "ne"):
        same = In(column, tuple(Literal(each) for each in spellings(text, numbering)))
        return same if operator == "eq" else Not(same)
    if column.kind in ("number", "id") and not re.fullmatch(r"\d{1,18}", text, re.ASCII):
        raise invalid(name, value, "is no whole number, then ; and an operator")
    return Compare(operator, column, Literal(text, quoted=column.kind == "text"))


def _within(operator: str, column: Column, first: int, end: int) -> Node:
    """A comparison with a whole second, or a whole day: the times shown are cut to theirs."""

    def at(sign: str, ms: int) -> Node:
        return Compare(sign, column, Literal(rfc3339(ms)))

    match operator:
        case "gt":
            return at("ge", end)
        case "le":
            return at("lt", end)
        case "eq":
            return All((at("ge", first), at("lt", end)))
        case "ne":
            return Any_((at("lt", first), at("ge", end)))
        case _:
            return at(operator, first)


def fields() -> Sequence[str]:
    """The fields that a list can be narrowed to and ordered by."""
    return tuple(_FIELDS)
