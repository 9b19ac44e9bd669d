"""What the URL of the list asks, as the question of `/v1/calls/search`: `/ui/calls?status=busy&q=1632` is
{"filter": {"status": ["busy"]}, "q": "1632"}. List, count, files and the API answer one question."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Final

from fastapi import Request

from pipeline.query.http.problems import invalid
from pipeline.query.questions.endpoint import look_of
from pipeline.query.questions.formats import JSON
from pipeline.query.questions.lists.question import ListQuestion, question_of, sought
from pipeline.query.questions.lists.tables import CALL_TABLE
from pipeline.query.ui.calls import columns
from pipeline.query.ui.calls.lengths import seconds_of
from pipeline.query.ui.frame import period as periods
from pipeline.query.ui.frame.period import Period, period_of
from pipeline.query.ui.frame.session import Visitor
from pipeline.query.ui.frame.urls import Query, query_of
from schemas.call import rfc3339

# Parts of the URL that are no filters.
_STATE: Final = (*periods.NAMES, "q", "col", "sort", "after", "before", "view", "limit")
PAGE: Final = 50
_LARGEST: Final = 500
# Filters of lengths in words → the fields that they are of.
LENGTHS: Final = {"talked": "talk_ms", "waited": "wait_ms", "rang": "ring_ms", "lasted": "duration_ms"}
_SEVERAL: Final = ("in", "not_in", "between", "not_between")


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked. `body` is the question as `/v1` takes it, without the page."""

    query: Query
    period: Period
    columns: tuple[columns.Column, ...]
    question: ListQuestion
    body: dict[str, Any]
    sort: str
    limit: int

    @property
    def filters(self) -> list[tuple[str, str]]:
        """The filters by name and value, as they stand in the URL."""
        return [pair for pair in self.query.pairs if pair[0] not in _STATE]

    @property
    def mark(self) -> str:
        """What places in the list belong to: not the time, which goes on while somebody reads."""
        return repr((self.question.where, self.sort))


async def asked(request: Request, visitor: Visitor, *, default: str = "24h") -> Asked:
    """What the URL asks. Raises RequestProblem."""
    query = query_of(request)
    shown = columns.chosen(name for value in query.all("col") for name in value.split(","))
    period = period_of(dict(query.pairs), visitor.zone, default)
    sort = query.get("sort", "-started_at")
    limit = query.get("limit", str(PAGE))
    if not (limit.isascii() and limit.isdigit() and 1 <= int(limit) <= _LARGEST):
        raise invalid("limit", limit, f"is no whole number from 1 to {_LARGEST}")
    body: dict[str, Any] = {
        "from": rfc3339(period.first_ms),
        "to": rfc3339(period.end_ms),
        "zone": visitor.zone.key,
        "filter": filter_of([in_ms(*pair) for pair in query.pairs if pair[0] not in _STATE]),
        "fields": list(dict.fromkeys([*columns.fields_of(shown), sort.lstrip("-")])),
        "sort": sort,
    }
    if query.get("q"):
        body["q"] = query.get("q")
    view = visitor.caller.view
    question = question_of(CALL_TABLE, body, await look_of(request, view), JSON, visitor.zone)
    where = await sought(request, view, CALL_TABLE, body.get("q"), question.where)
    return Asked(query, period, shown, replace(question, where=where), body, sort, int(limit))


def in_ms(name: str, value: str) -> tuple[str, str]:
    """A filter of a length as people write it (`talked[gte]=1:30`) as that of the API (`talk_ms[gte]=90000`); any other
    filter as it is. RequestProblem for what is no length."""
    path, bracket, rest = name.partition("[")
    field = LENGTHS.get(path)
    if field is None or rest == "exists]":
        return f"{field or path}{bracket}{rest}", value
    found = [seconds_of(part) for part in value.split(",")]
    if None in found:
        raise invalid(name, value, "is no length; write 90 s, 1:30, 2 min or 1 h 5 min")
    return f"{field}{bracket}{rest}", ",".join(str((seconds or 0) * 1000) for seconds in found)


def filter_of(pairs: list[tuple[str, str]]) -> dict[str, Any]:
    """Filters of a query string as JSON: see `pipeline.query.questions.filters`."""
    parts: list[dict[str, Any]] = []
    equal: dict[str, list[Any]] = {}
    for name, value in pairs:
        path, bracket, rest = name.partition("[")
        if path == "filter":
            raise invalid("filter", None, "is no part of these links; write each filter by its field")
        operator = rest.removesuffix("]") if bracket else "eq"
        if operator == "eq":
            equal.setdefault(path, []).append(value)
        elif operator == "exists":
            parts.append({path: {operator: value.lower() == "true"}})
        elif operator in _SEVERAL:
            parts.append({path: {operator: [each.strip() for each in value.split(",")]}})
        else:
            parts.append({path: {operator: value}})
    for path, values in equal.items():
        starts = [{path: {"startswith": value[:-1]}} for value in values if value.endswith("*") and len(value) > 1]
        whole = [value for value in values if not (value.endswith("*") and len(value) > 1)]
        either: list[dict[str, Any]] = [*starts, *([{path: whole}] if whole else [])]
        parts.append(either[0] if len(either) == 1 else {"or": either})
    return {} if not parts else parts[0] if len(parts) == 1 else {"and": parts}
