"""Names of extensions, queues and ring groups as the directory has them today, in rows and in searches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from pipeline.directory.model import Directory
from pipeline.warehouse.query.callers import parties
from pipeline.warehouse.query.columns import CALL, CALL_LOG
from pipeline.warehouse.query.directory_names import CALLEE, CALLER, LOG_CALLER, named_sql
from pipeline.warehouse.query.expressions import Any_, Column, In, Literal, Node

_MOST_FOUND: Final = 1000
# SQL of a name that is stored → the number that the directory may have a name for.
_NAMED_BY: Final[Mapping[tuple[str, str], str]] = {
    (CALL["caller_name"].sql, "call"): CALLER,
    (CALL["callee_name"].sql, "call"): CALLEE,
    (CALL_LOG["name"].sql, "log"): "number",
    (CALL_LOG["caller_name"].sql, "log"): LOG_CALLER,
}


def has_names(directory: Directory) -> bool:
    """Whether the directory may have a name for anybody."""
    return bool(directory.extensions or directory.queues or directory.ring_groups)


def shown_sql(column: Column, *, of_logs: bool, masked: bool) -> str:
    """SQL of a column as it is shown: names are the directory's where it has one, masked as the view is."""
    number = _NAMED_BY.get((column.sql, "log" if of_logs else "call"))
    return column.sql if number is None else named_sql(column.sql, number, masked=masked)


def caller_name(directory: Directory, row: Mapping[str, Any]) -> str:
    """The name of who called, of a row with the caller's number and name and the call's direction."""
    extension = row.get("caller_extension") or ""
    made_by, _ = parties(row["direction"], row["caller_number"], extension, "")
    return directory.name_of(made_by) or str(row["caller_name"])


def callee_name(directory: Directory, row: Mapping[str, Any]) -> str:
    """The name of who was called first, of a row of a call."""
    return directory.name_of(row.get("callee_extension") or row["callee_number"]) or str(row["callee_name"])


def named_call(directory: Directory, row: dict[str, Any]) -> dict[str, Any]:
    """The row of a call with the names of today."""
    return row | {"caller_name": caller_name(directory, row), "callee_name": callee_name(directory, row)}


def named_log(directory: Directory, row: dict[str, Any]) -> dict[str, Any]:
    """The row of a call log with the names of today."""
    name = directory.name_of(row["number"]) or row["name"]
    return row | {"caller_name": caller_name(directory, row), "name": name}


def named_as(word: str, directory: Directory, numbers: Sequence[Column]) -> Node | None:
    """Rows that have, in one of the columns `numbers`, a number whose name in the directory has the word in it; None
    when there is no such name."""
    called = tuple(Literal(number) for number in numbers_called(word, directory))
    return Any_(tuple(In(column, called) for column in numbers)) if called else None


def numbers_called(word: str, directory: Directory) -> list[str]:
    """The numbers whose name in the directory has the word in it."""
    wanted = word.casefold()
    found: set[str] = set()
    for named in (directory.extensions, directory.queues, directory.ring_groups, directory.dids):
        found |= {number for number, entry in named.items() if wanted in entry.name.casefold()}
    return sorted(found)[:_MOST_FOUND]
