"""Lists in the OpenAPI document."""

from __future__ import annotations

from typing import Any, Final

from pipeline.query.http.documents import parameter
from pipeline.query.questions.fields import Presentation
from pipeline.query.questions.filters import OPERATORS
from pipeline.query.questions.formats import (
    FORMATS,
    JSON,
)
from pipeline.query.questions.lists.question import DEFAULT_LIMIT, MOST_A_PAGE, MOST_ROWS
from pipeline.query.questions.lists.table import Table
from pipeline.query.questions.search import LONGEST
from pipeline.warehouse.query.pages.listing import MOST_SORTED

SEARCHED: Final = parameter(
    "q", {"type": "string", "maxLength": LONGEST}, "Of these, those that have every word of it, as /v1/search.", "01632"
)

TIME: Final = {"type": "string", "anyOf": [{"format": "date-time"}, {"format": "date"}]}


def documented(table: Table) -> list[dict[str, Any]]:
    """The parameters of a list, for the OpenAPI document."""
    examples: dict[str, Any] = {"id": "1407374883553280", "time": "2026-03-10T12:00:00Z", "number": 1000}
    fields = []
    for path, field in table.language(Presentation()).fields.items():
        words = {"enum": list(field.words)} if field.words else {}
        example = [field.words[0]] if field.words else [str(examples.get(field.kind, "…"))]
        fields.append(
            parameter(
                path,
                {"type": "array", "items": {"type": "string", **words}},
                f"{path} is this; repeated: any of them. {path}[OPERATOR] compares: see the filter language.",
                example,
            )
        )
    groups = [
        parameter(name, {"type": "string"}, f"Any of {', '.join(paths)}; a final * stands for any rest.", "101")
        for name, paths in table.groups.items()
    ]
    return [
        parameter("from", TIME, "Started at or after this time, or on this day or later.", "2026-03-10T00:00:00Z"),
        parameter("to", TIME, "Started before this time, or on this day or earlier.", "2026-03-11T00:00:00Z"),
        parameter(
            "zone", {"type": "string"}, "Whose days dates alone are; the tenant's when left out.", "Europe/London"
        ),
        parameter(
            "limit",
            {"type": "integer", "minimum": 1, "maximum": MOST_ROWS, "default": DEFAULT_LIMIT},
            f"Rows a page, at most {MOST_A_PAGE} in JSON; other forms have all rows unless it is given.",
            100,
        ),
        parameter("cursor", {"type": "string"}, "`next_cursor` of the page before, with the same filters.", ""),
        parameter(
            "sort",
            {"type": "string", "enum": table.orders},
            f"Newest or oldest first, or by another field; files then need a limit of at most {MOST_SORTED}.",
            "-started_at",
        ),
        parameter(
            "fields",
            {"type": "string"},
            "Only these, comma-separated; a group for all in it. Shown only when named: "
            f"{', '.join(path for path, field in table.fields.items() if not field.shown)}.",
            "id,started_at",
        ),
        *_included(table),
        *([SEARCHED] if table.is_searched else []),
        parameter("format", {"type": "string", "enum": list(FORMATS)}, "Form of the answer, before Accept.", "json"),
        parameter("count", {"type": "boolean", "default": False}, "Add `count`: how many match, on all pages.", False),
        parameter(
            "filter",
            {"type": "string", "contentMediaType": "application/json"},
            f"A filter as JSON, with and, or, not. Operators: {', '.join(OPERATORS)}.",
            '{"or":[{"status":"busy"},{"talk_ms":{"gte":60000}}]}',
        ),
        *groups,
        *fields,
    ]


def _included(table: Table) -> list[dict[str, Any]]:
    if not table.parts:
        return []
    about = f"Parts of the call beside the fields; in CSV and Parquet as JSON: {', '.join(table.parts)}."
    return [parameter("include", {"type": "string"}, about, "logs,queue_visits")]


def documented_body(table: Table, example: dict[str, Any]) -> dict[str, Any]:
    """The JSON body of the same question, for the OpenAPI document."""
    return {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {
                        "filter": {"type": "object", "description": "Conditions by field, and, or, not."},
                        "from": TIME,
                        "to": TIME,
                        "zone": {"type": "string"},
                        **({"q": {"type": "string", "maxLength": LONGEST}} if table.is_searched else {}),
                        "fields": {"type": "array", "items": {"type": "string", "enum": list(table.fields)}},
                        **(
                            {"include": {"type": "array", "items": {"type": "string", "enum": list(table.parts)}}}
                            if table.parts
                            else {}
                        ),
                        "sort": {"type": "string", "enum": table.orders},
                        "limit": {"type": "integer", "minimum": 1, "maximum": MOST_ROWS},
                        "cursor": {"type": "string"},
                        "format": {"type": "string", "enum": list(FORMATS)},
                        "count": {"type": "boolean"},
                    },
                },
                "example": example,
            }
        },
    }


def other_forms() -> dict[str, Any]:
    """The other forms of an answer, for the OpenAPI document."""
    return {
        form.media_type.partition(";")[0]: {"schema": {"type": "string", "format": "binary"}}
        for form in FORMATS.values()
        if form is not JSON
    }
