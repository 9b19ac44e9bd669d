"""What the members of a question mean: the zone of its days, its time, its fields, its parts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import Request

from pipeline.instants import end_instant, first_instant
from pipeline.query.http.problems import RequestProblem, invalid
from pipeline.query.questions.endpoint import directory_of
from pipeline.query.questions.fields import Field
from pipeline.query.questions.lists.table import Table
from pipeline.warehouse.analytics.calendar import zone_of
from pipeline.warehouse.query.expressions import BadExpression
from pipeline.warehouse.query.view import View


async def zone_asked(request: Request, view: View, text: Any) -> ZoneInfo:
    """Whose days dates alone are: the zone of this name, else the tenant's."""
    if text is None:
        text = (await directory_of(request, view)).tenant.zone
    if not isinstance(text, str):
        raise invalid("zone", None, "is no text")
    try:
        return zone_of(text)
    except BadExpression as error:
        raise RequestProblem(400, "invalid", str(error), field="zone") from None


def window_of(members: Mapping[str, Any], zone: ZoneInfo) -> tuple[int | None, int | None]:
    """`from` and `to` as ms since the epoch, the end excluded: RFC 3339, or dates alone, which are whole days of the
    zone: `to` a date means the end of that day. None where there is none."""
    found: list[int | None] = []
    for name, read in (("from", first_instant), ("to", end_instant)):
        text = members.get(name)
        try:
            found.append(None if text is None else read(text, zone))
        except ValueError as error:
            raise invalid(name, text, str(error)) from None
    first, end = found
    if first is not None and end is not None and (first > end or (first == end and members["from"] > members["to"])):
        raise invalid("from", members["from"], f"is later than to {members['to']!r}; swap them")
    return first, end


def named_parts(table: Table, wanted: Any) -> tuple[str, ...]:
    """The parts that `include` names: a comma-separated text or a list."""
    if wanted is None:
        return ()
    names = wanted.split(",") if isinstance(wanted, str) else wanted
    if not isinstance(names, list) or not names:
        raise invalid("include", None, "is no list of parts")
    found = []
    for name in names:
        if not isinstance(name, str) or name.strip() not in table.parts:
            there = f"there are {', '.join(table.parts)}" if table.parts else "this list has none"
            raise invalid("include", str(name), f"is no part here; {there}")
        found.append(name.strip())
    return tuple(dict.fromkeys(found))


def chosen_fields(table: Table, wanted: Any) -> tuple[Field, ...]:
    """The fields of these paths, a comma-separated text or a list; a group stands for all that is in it."""
    if wanted is None:
        return tuple(table.shown)
    paths = wanted.split(",") if isinstance(wanted, str) else wanted
    if not isinstance(paths, list) or len(paths) > 200 or not all(isinstance(path, str) for path in paths):
        raise invalid("fields", None, "is no list of fields")
    if not paths:
        raise invalid("fields", "[]", "names no field; name some, or leave it out for those that are usual")
    found: dict[str, Field] = {}
    for path in paths:
        path = path.strip()
        inner = {path: table.fields[path]} if path in table.fields else {}
        inner = inner or {name: field for name, field in table.fields.items() if name.startswith(f"{path}.")}
        if not inner:
            raise invalid("fields", path, f"is no field here; there are {', '.join(table.fields)}")
        found |= inner
    return tuple(found.values())
