"""PortSIP's call reports under `/api`: definitions, completed ones, their files.

Vendor schema: only GET and POST; POST to a report changes it, POST to its `destroy` takes it away (204, and 400
for an id that is none). Saving a report without a schedule runs it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import IO, Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import Response, StreamingResponse

from pipeline.files import Files
from pipeline.query.auth import DOCUMENTED, Caller
from pipeline.query.documents import parameter
from pipeline.query.parameters import Parameters, parse
from pipeline.query.portsip.filter import parse_filter, parse_orderby, parse_search
from pipeline.query.portsip.models import PortsipErrors
from pipeline.query.portsip.rows import parse_id
from pipeline.query.problems import RequestProblem, not_found
from pipeline.reports import models
from pipeline.reports.blobs import blob_token, is_signed, named_by
from pipeline.reports.catalogue import PORTSIP, PORTSIP_FILTERS
from pipeline.reports.definition import Definition
from pipeline.reports.definition import parse as parse_definition
from pipeline.reports.render import MEDIA_TYPES
from pipeline.reports.requests import body_of, json_response, manager, no_options, store_of, writer
from pipeline.reports.runs import destroy, now_ms
from pipeline.reports.store import COMPLETED, DEFINITION, Run, as_run, new_id
from pipeline.settings import Settings
from pipeline.warehouse.expressions import All
from schemas.call import rfc3339

_OPTIONS: Final = ("filter", "search", "orderby", "skip", "top", "count")
_TYPES: Final = tuple(PORTSIP)
_PIECE: Final = 1 << 18
_LIST: Final = [
    parameter("filter", {"type": "string"}, "Which items, as for CDRs.", "type eq 'NORMAL'"),
    parameter("search", {"type": "string"}, "Words anywhere in the name.", "week"),
    parameter("orderby", {"type": "string"}, "Properties with asc or desc; newest first when left out.", "name asc"),
    parameter("skip", {"type": "integer", "minimum": 0, "default": 0}, "How many items to leave out first.", 0),
    parameter("top", {"type": "integer", "minimum": 1, "maximum": 100, "default": 100}, "How many items.", 100),
    parameter("count", {"type": "boolean", "default": True}, "`count` is always there.", True),
]
_ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": PortsipErrors, "description": text}
    for status, text in {
        400: "A field cannot be understood; the error names it.",
        401: "No valid token.",
        403: "The token may not.",
        404: "No such id.",
        503: "The warehouse is away; see Retry-After.",
    }.items()
}

Id = Annotated[str, Path(description="Id as lists show it; base64 of it is understood too.")]
Manager = Annotated[Caller, Depends(manager)]


def router(settings: Settings, files: Files) -> APIRouter:
    """The routes."""
    whole = APIRouter()
    whole.include_router(_definitions)
    whole.include_router(_completed_routes(settings, files))
    return whole


_definitions: Final = APIRouter(prefix="/api", tags=["PortSIP"], responses=_ERRORS, dependencies=[DOCUMENTED])


@_definitions.get(
    "/call_reports",
    operation_id="list_call_reports",
    summary="List call reports",
    response_model=models.CallReportPage,
    openapi_extra={"parameters": _LIST},
)
async def list_call_reports(request: Request, caller: Manager) -> Response:
    """Report definitions, newest first."""
    options = _options(request)
    found = await store_of(request).definitions(
        caller.tenant,
        _TYPES,
        All(
            (
                parse_filter(options.text("filter"), DEFINITION),
                parse_search(options.text("search"), (DEFINITION["name"],)),
            )
        ),
        parse_orderby(options.text("orderby"), DEFINITION),
        skip=options.whole("skip", 0, 0, 10**12),
        top=options.whole("top", 100, 1, 100),
    )
    items = [
        {"id": str(row["id"]), **{name: row[name] for name in ("name", "type", "cron_expr", "status")}}
        for row in found.rows
    ]
    return json_response({"count": found.count, "items": items})


def carries(model: type[Any]) -> dict[str, Any]:
    """The body in the OpenAPI document; it is read by hand, so that errors name the field as PortSIP does."""
    schema = model.model_json_schema()
    schema.pop("$defs", None)
    return {"requestBody": {"required": True, "content": {"application/json": {"schema": schema}}}}


@_definitions.post(
    "/call_reports",
    operation_id="create_call_report",
    summary="Create a call report",
    status_code=201,
    response_model=models.CallReportId,
    openapi_extra=carries(models.NewCallReport),
)
async def create_call_report(request: Request, caller: Manager) -> Response:
    """A report without `cron_expr` runs at once."""
    writer(caller)
    no_options(request)
    now = now_ms()
    fields = parse_definition(await body_of(request), PORTSIP_FILTERS)
    definition = Definition(tenant=caller.tenant, id=new_id(now), requested_at=now, **fields)
    await store_of(request).save(definition)
    return json_response({"id": str(definition.id)}, 201)


@_definitions.get(
    "/call_reports/{id}",
    operation_id="get_call_report",
    summary="One call report",
    response_model=models.CallReport,
)
async def get_call_report(request: Request, caller: Manager, id: Id) -> Response:
    """A definition with its status; an ABORTED one has the reason, too."""
    no_options(request)
    definition, status, reason = await _found(request, caller, parse_id(id, "Call report"))
    body = {
        "id": str(definition.id),
        "name": definition.name,
        "type": definition.type,
        "email": definition.email,
        "format": definition.format,
        "range": definition.range,
        "started_at": rfc3339(definition.started_at) or "",
        "ended_at": rfc3339(definition.ended_at) or "",
        "cron_expr": definition.cron_expr,
        "filter": definition.filter,
        "status": status,
    }
    return json_response(body | ({"reason": reason} if reason else {}))


@_definitions.post(
    "/call_reports/{id}",
    operation_id="update_call_report",
    summary="Change a call report",
    openapi_extra=carries(models.CallReportChange),
)
async def update_call_report(request: Request, caller: Manager, id: Id) -> Response:
    """What is not in the body stays. A report without `cron_expr` runs again."""
    writer(caller)
    no_options(request)
    known, _, _ = await _found(request, caller, parse_id(id, "Call report"))
    fields = parse_definition(await body_of(request), PORTSIP_FILTERS, known)
    now = max(now_ms(), known.requested_at + 1)
    await store_of(request).save(Definition(tenant=caller.tenant, id=known.id, requested_at=now, **fields))
    return Response(status_code=200)


@_definitions.post(
    "/call_reports/{id}/destroy",
    operation_id="destroy_call_report",
    summary="Destroy a call report",
    status_code=204,
)
async def destroy_call_report(request: Request, caller: Manager, id: Id) -> Response:
    """It runs no more. What it has made stays."""
    writer(caller)
    no_options(request)
    try:
        known, _, _ = await _found(request, caller, parse_id(id, "Call report"))
    except RequestProblem as problem:
        raise _bad_id(problem) from None
    await store_of(request).save(known, deleted=True)
    return Response(status_code=204)


async def _found(request: Request, caller: Caller, id_: int) -> tuple[Definition, str, str]:
    found = await store_of(request).definition(caller.tenant, id_)
    if found is None or found[0].type not in PORTSIP:
        raise not_found(f"There is no call report with the id {str(id_)!r}.")
    return found


def _bad_id(problem: RequestProblem) -> RequestProblem:
    """`destroy` answers 400 to an id that is none."""
    if problem.status != 404:
        return problem
    return RequestProblem(400, "invalid", f"id: {problem.detail}", field="id")


def _completed_routes(settings: Settings, files: Files) -> APIRouter:
    routes = APIRouter(prefix="/api", tags=["PortSIP"], responses=_ERRORS)

    def item(run: Run) -> dict[str, Any]:
        until = int(time.time()) + settings.report_link_days * 86_400
        return {
            "id": str(run.id),
            "name": run.name,
            "type": run.type,
            "format": run.format,
            "completed_at": rfc3339(run.completed_at),
            "file_name": run.file_name,
            "file_size": run.file_size,
            "file_url": f"/api/blobs/{blob_token(run.id, run.secret, until)}",
        }

    @routes.get(
        "/completed_call_reports",
        operation_id="list_completed_call_reports",
        summary="List completed call reports",
        response_model=models.CompletedCallReportPage,
        openapi_extra={"parameters": _LIST},
        dependencies=[DOCUMENTED],
    )
    async def list_completed(request: Request, caller: Manager) -> Response:
        """Reports that were made, newest first."""
        options = _options(request)
        found = await store_of(request).completed(
            caller.tenant,
            _TYPES,
            All(
                (
                    parse_filter(options.text("filter"), COMPLETED),
                    parse_search(options.text("search"), (COMPLETED["name"], COMPLETED["file_name"])),
                )
            ),
            parse_orderby(options.text("orderby"), COMPLETED),
            skip=options.whole("skip", 0, 0, 10**12),
            top=options.whole("top", 100, 1, 100),
        )
        return json_response({"count": found.count, "items": [item(as_run(row)) for row in found.rows]})

    @routes.get(
        "/completed_call_reports/{id}",
        operation_id="get_completed_call_report",
        summary="One completed call report",
        response_model=models.CompletedCallReport,
        dependencies=[DOCUMENTED],
    )
    async def get_completed(request: Request, caller: Manager, id: Id) -> Response:
        """A report that was made."""
        no_options(request)
        return json_response(item(await _run_of(request, caller, parse_id(id, "Completed call report"))))

    @routes.post(
        "/completed_call_reports/{id}/destroy",
        operation_id="destroy_completed_call_report",
        summary="Destroy a completed call report",
        status_code=204,
        dependencies=[DOCUMENTED],
    )
    async def destroy_completed(request: Request, caller: Manager, id: Id) -> Response:
        """Its file goes, too, and links to it end."""
        writer(caller)
        no_options(request)
        try:
            run = await _run_of(request, caller, parse_id(id, "Completed call report"))
        except RequestProblem as problem:
            raise _bad_id(problem) from None
        await destroy(store_of(request), files, run)
        return Response(status_code=204)

    @routes.get(
        "/blobs/{token}",
        operation_id="get_blob",
        summary="The file of a completed report",
        response_class=Response,
        responses={200: {"content": {"text/csv": {}, "text/html": {}}, "description": "The file."}},
    )
    async def get_blob(
        request: Request,
        token: Annotated[str, Path(description="The last part of file_url; no other token is needed.")],
    ) -> Response:
        """Whoever has the link may fetch the file until it ends."""
        no_options(request)
        gone = not_found("There is no such file, or the link has ended; take file_url from a list again.")
        named = named_by(token)
        if named is None or named[1] < time.time():
            raise gone
        for run in await store_of(request).runs_by_id(named[0]):
            if is_signed(token, run.secret):
                return await _file(files, run, gone)
        raise gone

    return routes


async def _run_of(request: Request, caller: Caller, id_: int) -> Run:
    found = await store_of(request).run(caller.tenant, id_)
    if found is None or found[1] or found[0].state != "done" or found[0].type not in PORTSIP:
        raise not_found(f"There is no completed call report with the id {str(id_)!r}.")
    return found[0]


async def _file(files: Files, run: Run, gone: RequestProblem) -> Response:
    """The file, in pieces. A page may be looked at, but run nothing and load nothing."""
    try:
        file = await asyncio.to_thread(files.open, run.path)
    except (OSError, ValueError):
        raise gone from None
    way = "inline" if run.format == "HTML" else "attachment"
    return StreamingResponse(
        _pieces(file),
        media_type=MEDIA_TYPES[run.format.lower()],
        headers={
            "Content-Disposition": f'{way}; filename="{run.file_name}"',
            "Content-Length": str(run.file_size),
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox",
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "private, max-age=300",
        },
    )


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(_PIECE):
            yield piece


def _options(request: Request) -> Parameters:
    options = parse(request.scope["query_string"], _OPTIONS, dollar=True)
    options.truth("count", True)
    return options
