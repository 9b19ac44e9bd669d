"""PortSIP's names for what the warehouse keeps, and rows in PortSIP's shapes.

Vendor schema "Call Detail Records": enumerations in upper case, times RFC 3339, "" for what is unknown
or never happened, status_code 0 when nothing went wrong, duration in whole seconds.

Of an end_reason, reroute_reason or outbound_caller_id that is unknown, the vendor's schema allows no empty text (and
requires none of them): they are left out. The vendor's servers send "" nevertheless; the setting
CDR_PORTSIP_BLANKS=empty does the same, for clients that take every field for granted. The `cost` of a call without a
price is left out likewise, or null; never 0, which is a price.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any, Final, get_args

import orjson

from pipeline.warehouse.query.columns import CALL, CALL_LOG
from pipeline.warehouse.query.expressions import Column
from pipeline.warehouse.query.reader import Row
from schemas.words import EndReason, RerouteReason

DIRECTIONS: Final = {
    "INBOUND_CALL": "inbound",
    "OUTBOUND_CALL": "outbound",
    "EXTENSION_CALL": "internal",
    "INBOUND_OUTBOUND_CALL": "inbound_outbound",
}
_DIRECTION_OUT: Final = {stored: shown for shown, stored in DIRECTIONS.items()}

# PortSIP's name -> ours, in PortSIP's order.
_CDR_NAMES: Final = {
    "id": "id",
    "caller": "caller_number",
    "caller_domain": "caller_domain",
    "caller_display_name": "caller_name",
    "callee": "callee_number",
    "callee_domain": "callee_domain",
    "callee_display_name": "callee_name",
    "started_at": "started_at",
    "rang_at": "rang_at",
    "answered_at": "answered_at",
    "ended_at": "ended_at",
    "call_id": "call_id",
    "direction": "direction",
    "end_reason": "end_reason",
    "reroute_reason": "reroute_reason",
    "status_code": "error_status",
    "destination": "destination",
    "outbound_caller_id": "outbound_caller_id",
    "did_cid": "did",
    "trunk": "trunk",
    "duration": "seconds",
    "service_number": "service_number",
    "user_data": "user_data",
}
# A call log's callee and destination are its target.
_CALL_LOG_NAMES: Final = {
    "id": "id",
    "session_id": "session_id",
    **_CDR_NAMES,
    "callee": "number",
    "callee_display_name": "name",
    "destination": "number",
}
# The vendor's page "Accessing CDRs" spells two of them so.
_ALIASES: Final[Mapping[str, Mapping[str, str]]] = {
    "end_reason": {"CALLER_DISCONNECT": "caller_disconnected", "CALLEE_DISCONNECT": "callee_disconnected"}
}
_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "direction": DIRECTIONS,
    "end_reason": {word.upper(): word for word in get_args(EndReason)},
    "reroute_reason": {word.upper(): word for word in get_args(RerouteReason)},
}


def _properties(names: Mapping[str, str], columns: Mapping[str, Column]) -> Mapping[str, Column]:
    return {
        shown: replace(columns[ours], name=shown, words=_WORDS.get(shown, {}), aliases=_ALIASES.get(shown, {}))
        for shown, ours in names.items()
    }


def _selected(names: Mapping[str, str], columns: Mapping[str, Column]) -> tuple[Column, ...]:
    return tuple(columns[ours] for ours in dict.fromkeys(names.values()))


CDR_PROPERTIES: Final = _properties(_CDR_NAMES, CALL)
CALL_LOG_PROPERTIES: Final = _properties(_CALL_LOG_NAMES, CALL_LOG)
# The extensions are for the names of the directory.
CDR_COLUMNS: Final = (*_selected(_CDR_NAMES, CALL), CALL["caller_extension"], CALL["callee_extension"])
CALL_LOG_COLUMNS: Final = _selected(_CALL_LOG_NAMES, CALL_LOG)

_SEARCHED: Final = (
    "caller",
    "callee",
    "caller_display_name",
    "callee_display_name",
    "did_cid",
    "outbound_caller_id",
    "call_id",
)
CDR_SEARCHED: Final = tuple(CDR_PROPERTIES[name] for name in _SEARCHED)
CALL_LOG_SEARCHED: Final = tuple(CALL_LOG_PROPERTIES[name] for name in _SEARCHED)
# Numbers that a name of the directory may stand for.
CDR_NUMBERS: Final = tuple(
    CALL[name] for name in ("caller_number", "caller_extension", "callee_number", "callee_extension", "service_number")
)
CALL_LOG_NUMBERS: Final = tuple(CALL_LOG[name] for name in ("caller_number", "number", "service_number"))


def cdr_item(row: Row) -> dict[str, Any]:
    """A row of /cdrs."""
    return _item(row, _CDR_NAMES)


def call_log_item(row: Row) -> dict[str, Any]:
    """A row of /calllogs."""
    return _item(row, _CALL_LOG_NAMES)


def priced_items(call: Row, logs: Sequence[Row]) -> list[dict[str, Any]]:
    """The call logs of a call with `cost` and `billed_account`. Each target has what its own line cost, and one that
    was not billed 0; what came in is at the target that answered first. They add up to the call's cost; of a call
    without a price, none has a cost."""
    costs = _costs(call, logs)
    return [
        _priced(call_log_item(log), costs[index] if costs else None, call["billed_account"])
        for index, log in enumerate(logs)
    ]


def _costs(call: Row, logs: Sequence[Row]) -> list[Decimal]:
    """What each target cost; empty for a call without a price."""
    total = _decimal(call["cost"])
    if total is None or not logs:
        return []
    answered = [index for index, log in enumerate(logs) if log["answered_at"]]
    first = min(answered, key=lambda index: logs[index]["answered_at"], default=0)
    outside = next((index for index in answered if logs[index]["kind"] == "outside"), first)
    costs = [Decimal(0)] * len(logs)
    billed = orjson.loads(call["rating"]).get("legs", ()) if call["rating"] else ()
    places = {str(log["id"]): index for index, log in enumerate(logs)}
    for leg in billed:
        costs[places.get(str(leg["log_id"]), first)] += _decimal(leg["cost"]) or 0
    if sum(costs) != total:  # one leg only; or logs that were corrected since
        costs = [Decimal(0)] * len(logs)
        costs[outside] = total
    return costs


def target_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """A priced call log as an item of /cdrs/{id}, where targets carry no ids."""
    return {name: value for name, value in item.items() if name not in ("id", "session_id")}


def without_blanks(value: Any) -> Any:
    """An answer without the empty texts, and the unknown cost, that the vendor's schema does not allow."""
    if isinstance(value, dict):
        return {name: without_blanks(part) for name, part in value.items() if part or name not in _NEVER_EMPTY}
    return [without_blanks(part) for part in value] if isinstance(value, list) else value


_NEVER_EMPTY: Final = frozenset({"end_reason", "reroute_reason", "outbound_caller_id", "cost"})
_LONGEST: Final = {
    **dict.fromkeys(("caller", "callee"), 256),
    **dict.fromkeys(("caller_domain", "callee_domain", "caller_display_name", "callee_display_name"), 1024),
    "outbound_caller_id": 64,
}


def _item(row: Row, names: Mapping[str, str]) -> dict[str, Any]:
    item = {shown: _SHAPES.get(shown, _as_is)(row[ours]) for shown, ours in names.items()}
    for name, most in _LONGEST.items():
        if len(item[name]) > most:
            item[name] = item[name][:most]
    return item


def _priced(item: dict[str, Any], cost: Decimal | None, account: str) -> dict[str, Any]:
    priced: dict[str, Any] = {}
    for name, value in item.items():
        if name == "service_number":  # cost and billed_account stand before it
            priced |= {"cost": None if cost is None else _number(cost), "billed_account": account}
        priced[name] = value
    return priced


def _as_is(value: Any) -> Any:
    return value


def _time(value: str | None) -> str:
    return value or ""


def _decimal(text: str | None) -> Decimal | None:
    try:
        number = Decimal(text) if text else None
    except InvalidOperation:
        return None
    return number if number is not None and number.is_finite() else None


def _number(cost: Decimal) -> orjson.Fragment:
    """A decimal as the JSON number that the vendor's schema asks for, digit for digit."""
    return orjson.Fragment(f"{cost:f}")


_SHAPES: Final[Mapping[str, Callable[[Any], Any]]] = {
    "id": str,
    "session_id": str,
    "started_at": _time,
    "rang_at": _time,
    "answered_at": _time,
    "ended_at": _time,
    "direction": lambda word: _DIRECTION_OUT.get(word, "EXTENSION_CALL"),
    "end_reason": str.upper,
    "reroute_reason": str.upper,
}
