"""What a caller may see of the warehouse: whose calls, which of them, and whether phone numbers are masked.

Every question about calls is asked through a `View`, and there is no other way to ask: the tables are read as they are
for that view. Whoever may not see numbers in full is shown a relation in which they are masked already; a surface,
report or file over it can filter, sort, group and search as it likes, and has nothing to remember.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from pipeline.errors import CdrError
from pipeline.warehouse.query.callers import parties
from pipeline.warehouse.query.masking import SQL_FUNCTIONS, masked_value


class HiddenNumbers(CdrError):
    """What is asked for holds numbers in full and cannot be masked; the view shows none. The message names it."""


@dataclass(frozen=True, slots=True)
class View:
    """`extension`: only calls that it made or was a target of; "" for none at all, None for all of the tenant.
    `masked`: phone numbers are shown masked."""

    tenant: str
    extension: str | None = None
    masked: bool = False

    def own(self, extension: str) -> View:
        """The view narrowed to the calls of one extension."""
        return self if self.extension is not None else replace(self, extension=extension)


# Columns that hold phone numbers, whole or somewhere in a text; every other text is a word, an id or a price.
# tests/warehouse/test_view.py fails for a column that is in none of the lists.
NUMBERS: Final[Mapping[str, tuple[str, ...]]] = {
    "call_rows": (
        *("caller_number", "caller_extension", "callee_number", "callee_extension", "requested", "destination"),
        *("answered_by", "did", "outbound_caller_id", "service_number", "billed_account", "rate_prefix"),
    ),
    "call_log_rows": ("number", "caller_number", "did", "outbound_caller_id", "service_number"),
}
TEXTS: Final[Mapping[str, tuple[str, ...]]] = {
    "call_rows": ("caller_name", "callee_name", "trunk", "user_data"),
    "call_log_rows": ("name", "caller_name", "trunk", "user_data"),
}
LISTS: Final[Mapping[str, tuple[str, ...]]] = {"call_rows": ("missed_by",), "call_log_rows": ()}
JSON: Final[Mapping[str, tuple[str, ...]]] = {"call_rows": ("detail", "rating"), "call_log_rows": ()}
# MATERIALIZED: not among the columns of a *.
JSON_APART: Final[Mapping[str, tuple[str, ...]]] = {
    "call_rows": ("queue_visits", "reroutes", "quality"),
    "call_log_rows": (),
}
PLAIN: Final = frozenset(
    (
        *("tenant", "call_id", "state", "direction", "status", "end_reason", "hung_up_by", "caller_domain"),
        *("callee_domain", "cause_from", "merged_call_ids", "flags", "cost", "currency", "rate", "rate_class"),
        *("carrier_cost", "carrier_currency", "kind", "leg_id", "outcome", "reroute_reason"),
    )
)
# What tells callers and targets apart where numbers are masked: two numbers may look alike.
_TOLD_APART: Final[Mapping[str, tuple[str, ...]]] = {
    "call_rows": ("caller_number", "callee_number"),
    "call_log_rows": ("number",),
}
# Of this process alone: nobody who sees what comes of it (an order, say) can work out which number it stands for.
_KEY: Final = f"(toUInt64({secrets.randbits(64)}), toUInt64({secrets.randbits(64)}))"
# The last nine digits: the same number with and without country code or trunk prefix.
_DIGITS: Final = "right(replaceRegexpAll({}, '[^0-9]', ''), 9)"


def identity(view: View, column: str) -> str:
    """SQL that is equal where the number in the column is; shown to nobody."""
    return f"{column}_identity" if view.masked else column


def same_number(view: View, column: str) -> str:
    """SQL that is equal where the numbers in the columns are the same, however they are written: their last nine
    digits, or what stands for them; empty without digits. Shown to nobody."""
    return f"{column}_digits" if view.masked else _DIGITS.format(column)


def rows_of(view: View, table: str, which: str, join: str = "") -> str:
    """FROM and WHERE of the rows of `call_rows` or `call_log_rows` that meet the condition `which` (SQL over the table
    as it is, tenant included), as the view shows them. What is selected, joined or asked behind it is of what is
    shown. `join`: an ARRAY JOIN over it."""
    if not view.masked:
        return f"FROM {table} FINAL {join} WHERE {which}"
    return f"FROM ({_masked(table)} WHERE {which}) AS {table} {join} WHERE 1"


def _masked(table: str) -> str:
    shown = [f"masked_number({name}) AS {name}" for name in NUMBERS[table]]
    shown += [f"masked_text({name}) AS {name}" for name in TEXTS[table]]
    shown += [f"arrayMap(each -> masked_number(each), {name}) AS {name}" for name in LISTS[table]]
    shown += [f"masked_json({name}) AS {name}" for name in JSON[table]]
    more = [f"masked_json({name}) AS {name}" for name in JSON_APART[table]]
    for name in _TOLD_APART[table]:
        digits = _DIGITS.format(name)
        more.append(f"if({name} = '', '', {_hidden(name)}) AS {name}_identity")
        more.append(f"if({digits} = '', '', {_hidden(digits)}) AS {name}_digits")
    return (
        f"WITH {SQL_FUNCTIONS} SELECT * REPLACE ({', '.join(shown)}), {', '.join(more)}, _partition_id"
        f" FROM {table} FINAL"
    )


def _hidden(sql: str) -> str:
    return f"toString(sipHash64Keyed({_KEY}, {sql}))"


def document_of(view: View, document: Mapping[str, Any]) -> dict[str, Any] | None:
    """A document of the change feed (a call, or a retired one) as the view shows it; None when it does not."""
    if document.get("tenant") != view.tenant or (view.extension is not None and not _has_part(view, document)):
        return None
    return masked_document(document) if view.masked else dict(document)


def masked_document(document: Mapping[str, Any]) -> dict[str, Any]:
    """A call document with its numbers masked, as it is where it is made of masked rows."""
    kept = {name: document[name] for name in ("merged_call_ids",) if name in document}
    return {**masked_value(document), **kept}


def _has_part(view: View, document: Mapping[str, Any]) -> bool:
    """Whether the extension of the view made the call or was a target of it."""
    if not view.extension or document.get("retired"):
        return False
    by, to = document["caller"], document["callee"]
    sides = parties(document["direction"], by["number"], by["extension"], to["extension"])
    return view.extension in sides or any(log["number"] == view.extension for log in document["logs"])
