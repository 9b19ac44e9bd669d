"""What the routes under /v1 share: the reader, how the caller sees rows, bodies, and what may go wrong."""

from __future__ import annotations

from typing import Any, Final

from fastapi import Request

from pipeline.directory.model import Directory
from pipeline.query.http.bodies import json_value
from pipeline.query.http.problems import Problem, invalid
from pipeline.query.questions.fields import Presentation
from pipeline.warehouse.query.reader import Reader
from pipeline.warehouse.query.view import View
from pipeline.warehouse.reference.directories import Directories

_PROBLEM: Final = {"application/problem+json": {"schema": Problem.model_json_schema()}}


def refusals(*more: int) -> dict[int | str, dict[str, Any]]:
    """The answers of problems, for the OpenAPI document."""
    texts = {
        400: "A parameter cannot be understood.",
        401: "No valid token.",
        403: "The token may not.",
        404: "There is no such thing.",
        406: "No form that Accept names.",
        409: "It is not ready for that.",
        413: "The body is too large.",
        416: "No such part of the file.",
        422: "The question costs too much; narrow it.",
        429: "Too many requests; see Retry-After.",
        503: "The warehouse is away; see Retry-After.",
    }
    return {
        status: {"description": texts[status], "content": _PROBLEM} for status in (400, 401, 403, 422, 429, 503, *more)
    }


def reader_of(request: Request) -> Reader:
    reader: Reader = request.app.state.reader
    return reader


async def directory_of(request: Request, view: View) -> Directory:
    """The directory of the tenant, as the view shows it."""
    directories: Directories = request.app.state.directories
    return await directories.seen(view)


async def look_of(request: Request, view: View) -> Presentation:
    """How names are shown through this view."""
    directory = await directory_of(request, view)
    return Presentation(view.masked, bool(directory.extensions or directory.queues or directory.ring_groups))


async def body_of(request: Request, known: tuple[str, ...]) -> dict[str, Any]:
    """The JSON object in the body, with known members only; 413 when it is too large."""
    value = await json_value(request)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise invalid("body", None, "is no JSON object")
    for name in value:
        if name not in known:
            raise invalid(name[:80], None, f"is no member here; there are {', '.join(known)}")
    return value
