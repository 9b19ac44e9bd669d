"""Reports under `/v1/reports`: every type there is, at once, as JSON, CSV or a page; ours and PortSIP's.

What runs by itself is made with PortSIP's `/api/call_reports`; of our types, with `/v1/reports/schedules`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import Response, StreamingResponse

from pipeline import clock
from pipeline.files import Files
from pipeline.query.access.caller import Caller
from pipeline.query.access.dependencies import DOCUMENTED
from pipeline.query.access.report_access import json_response, manager, store_of, writer
from pipeline.query.access.saved_reports import create
from pipeline.query.http.bodies import json_value
from pipeline.query.http.documents import json_body_of, parameter
from pipeline.query.http.parameters import no_options, parse
from pipeline.query.http.problems import Problem, invalid, not_found
from pipeline.query.http.stored_files import disposition
from pipeline.query.report_models import CallReportChange, ReportDocument
from pipeline.reports.catalogue import ALL, Kind
from pipeline.reports.definition import from_text
from pipeline.reports.jobs import report_reader
from pipeline.reports.once import Wish, pieces, span_asked
from pipeline.reports.ranges import RANGES
from pipeline.reports.rendering.render import MEDIA_TYPES
from pipeline.reports.runs import file_name
from pipeline.reports.schedule import next_due
from pipeline.settings import Settings
from pipeline.warehouse.analytics.calendar import zone_of
from pipeline.warehouse.query.pages.paging import Asked
from pipeline.warehouse.query.reader import Reader, Row
from pipeline.warehouse.reference.directories import Directories
from schemas.call import rfc3339

_ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": Problem, "description": text}
    for status, text in {
        400: "A field cannot be understood; the error names it.",
        401: "No valid token.",
        403: "The token may not.",
        404: "There is no such thing.",
        503: "The warehouse is away, or the report takes too long; see Retry-After.",
    }.items()
}
_FORMS: Final = ("json", "csv", "html")
_ACCEPTED: Final = {"text/csv": "csv", "text/html": "html", "application/json": "json"}
_RUN_OPTIONS: Final = ("range", "from", "to", "tz", "format", "filter", "name")
_PARAMETERS: Final = [
    parameter("range", {"type": "string", "enum": list(RANGES)}, "Which time, seen from now.", "LAST_WEEK"),
    parameter("from", {"type": "string"}, "Begin of a time of your own, RFC 3339.", "2024-08-19T00:00:00Z"),
    parameter("to", {"type": "string"}, "Its end.", "2024-08-26T00:00:00Z"),
    parameter("tz", {"type": "string"}, "IANA zone; the tenant's when left out.", "Europe/London"),
    parameter("format", {"type": "string", "enum": list(_FORMS)}, "Or by the header Accept; json otherwise.", "json"),
    parameter("filter", {"type": "string"}, "JSON object: which calls, as the type has it.", "{}"),
    parameter("name", {"type": "string"}, "What stands above the title.", "Monday"),
]
Manager = Annotated[Caller, Depends(manager)]
Type = Annotated[str, Path(description="Type of report; `/v1/reports` lists them.")]
Id = Annotated[str, Path(description="Id of a schedule.")]


def router(settings: Settings, files: Files) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/v1/reports", tags=["Reports"], responses=_ERRORS, dependencies=[DOCUMENTED])
    readers: list[Reader] = []

    def reader_of() -> Reader:
        if not readers:
            readers.append(report_reader(settings))
        return readers[0]

    @routes.get("", operation_id="list_report_types", summary="Which reports there are")
    async def list_types(request: Request, caller: Manager) -> Response:
        """Every type with what its filter may hold."""
        no_options(request)
        return json_response({"data": [_described(kind) for kind in ALL.values()]})

    @routes.get("/schedules", operation_id="list_report_schedules", summary="Reports that run by themselves")
    async def list_schedules(request: Request, caller: Manager) -> Response:
        """Definitions of all types, PortSIP's among them, newest first."""
        no_options(request)
        found = await store_of(request).definitions(caller.tenant, list(ALL), Asked(top=1000))
        zone = await _zone(request, caller, "")
        return json_response({"data": [_schedule(row, zone) for row in found.rows]})

    @routes.post(
        "/schedules",
        operation_id="create_report_schedule",
        summary="Have a report made",
        status_code=201,
        openapi_extra=json_body_of(CallReportChange),
    )
    async def create_schedule(request: Request, caller: Manager) -> Response:
        """Body as for /api/call_reports, of any type; `email` and `filter` may be left out. Without `cron_expr`, once,
        at once."""
        writer(caller)
        no_options(request)
        body = await json_value(request)
        if isinstance(body, dict):
            body = {"email": "", "filter": {}, "format": "HTML"} | body
        definition = await create(store_of(request), caller, body, zone=await _zone(request, caller, ""))
        return json_response({"id": str(definition.id)}, 201)

    @routes.delete(
        "/schedules/{id}", operation_id="delete_report_schedule", summary="Stop having a report made", status_code=204
    )
    async def delete_schedule(request: Request, caller: Manager, id: Id) -> Response:
        """It runs no more. What it has made stays."""
        writer(caller)
        no_options(request)
        found = await store_of(request).definition(caller.tenant, int(id)) if id.isdecimal() and len(id) < 20 else None
        if found is None:
            raise not_found(f"There is no schedule with the id {id[:80]!r}.")
        await store_of(request).save(found[0], deleted=True)
        return Response(status_code=204)

    @routes.get(
        "/{type}",
        operation_id="run_report",
        summary="A report, made now",
        openapi_extra={"parameters": _PARAMETERS},
        response_class=Response,
        responses={
            200: {
                "model": ReportDocument,
                "content": {
                    media: {"schema": {"type": "string", "format": "binary"}} for media in ("text/csv", "text/html")
                },
                "description": "The report.",
            }
        },
    )
    async def run_report(request: Request, caller: Manager, type: Type) -> Response:
        """Fields of the type's filter may be parameters themselves: `direction=inbound`."""
        kind = ALL.get(type) or ALL.get(type.upper()) or ALL.get(type.lower().replace("-", "_"))
        if kind is None:
            raise not_found(f"There is no report {type[:80]!r}; there are {', '.join(ALL)}.")
        own = [name for name in kind.filter.fields if name not in _RUN_OPTIONS]
        options = parse(request.scope["query_string"], (*_RUN_OPTIONS, *own), filled=(*_RUN_OPTIONS, *own))
        form = options.text("format") or next(
            (form for media, form in _ACCEPTED.items() if media in request.headers.get("accept", "")), "json"
        )
        if form not in _FORMS:
            raise invalid("format", form, f"is none of {', '.join(_FORMS)}")
        zone = await _zone(request, caller, options.text("tz") or "")
        start, end = options.text("from") or "", options.text("to") or ""
        wish = Wish(
            caller.tenant,
            kind.type,
            "CUSTOM" if start or end else (options.text("range") or "YESTERDAY").upper(),
            start,
            end,
            options.text("filter") or "{}",
            {name: from_text(kind.filter.fields[name], text) for name in own if (text := options.text(name))},
            options.text("name") or "",
            form,
            caller.masked,
        )
        span = span_asked(wish.range, start, end, zone)
        directories: Directories = request.app.state.directories
        made = pieces(reader_of(), await directories.seen(caller.view), wish, span)
        first = await anext(made, b"")  # what is wrong shows before the answer begins
        return StreamingResponse(
            _after(first, made),
            media_type=MEDIA_TYPES[form],
            headers={
                "Cache-Control": "no-store",
                "Content-Disposition": disposition("inline", file_name(wish.name or kind.type, span, form)),
                "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox",
                "X-Content-Type-Options": "nosniff",
            },
        )

    return routes


async def _after(first: bytes, rest: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in rest:
        yield piece


async def _zone(request: Request, caller: Caller, asked: str) -> str:
    if asked:
        return zone_of(asked).key
    directories: Directories = request.app.state.directories
    return (await directories.of(caller.tenant)).tenant.zone


def _described(kind: Kind) -> dict[str, Any]:
    return {"type": kind.type, "title": kind.title, "about": kind.about, "filter": list(kind.filter.fields)}


def _schedule(row: Row, zone: str) -> dict[str, Any]:
    cron = row["cron_expr"]
    names = ("name", "type", "email", "format", "range", "cron_expr", "status")
    return {
        "id": str(row["id"]),
        **{name: row[name] for name in names},
        "reason": row["reason"] or None,
        "next_run_at": rfc3339(next_due(cron, zone, clock.now_ms())) if cron else None,
    }
