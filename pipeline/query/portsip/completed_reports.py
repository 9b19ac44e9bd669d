"""PortSIP's completed call reports under `/api`, and their files by link."""

from __future__ import annotations

import time
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from pipeline.files import Files
from pipeline.query import report_models as models
from pipeline.query.access.caller import Caller
from pipeline.query.access.dependencies import DOCUMENTED
from pipeline.query.access.report_access import json_response, store_of, writer
from pipeline.query.http.ids import parse_id
from pipeline.query.http.parameters import no_options
from pipeline.query.http.problems import RequestProblem, not_found
from pipeline.query.http.stored_files import disposition, stored_file
from pipeline.query.portsip.call_reports import ERRORS, LIST, Id, Manager, bad_id
from pipeline.query.portsip.lists import asked
from pipeline.query.portsip.models import PortsipErrors
from pipeline.reports.blobs import blob_token, is_signed, named_by
from pipeline.reports.catalogue import PORTSIP
from pipeline.reports.rendering.render import MEDIA_TYPES
from pipeline.reports.runs import destroy
from pipeline.reports.store import COMPLETED, Run, as_run
from pipeline.settings.reports import ReportSettings
from schemas.call import rfc3339

_TYPES: Final = tuple(PORTSIP)


def router(settings: ReportSettings, files: Files) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/api", tags=["PortSIP"], responses=ERRORS)

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
        openapi_extra={"parameters": LIST},
        dependencies=[DOCUMENTED],
    )
    async def list_completed(request: Request, caller: Manager) -> Response:
        """Reports that were made, newest first."""
        wanted = asked(request, COMPLETED, (COMPLETED["name"], COMPLETED["file_name"]))
        found = await store_of(request).completed(caller.tenant, _TYPES, wanted, masked=caller.masked)
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
            raise bad_id(problem) from None
        await destroy(store_of(request), files, run)
        return Response(status_code=204)

    @routes.get(
        "/blobs/{token}",
        operation_id="get_blob",
        summary="The file of a completed report",
        response_class=Response,
        responses={
            200: {"content": {"text/csv": {}, "text/html": {}}, "description": "The file."},
            206: {"description": "The part that Range asked for."},
            416: {"model": PortsipErrors, "description": "No such part of the file."},
        },
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
                return await _file(request, files, run, gone)
        raise gone

    return routes


async def _run_of(request: Request, caller: Caller, id_: int) -> Run:
    found = await store_of(request).run(caller.tenant, id_)
    if (
        found is None
        or found[1]
        or found[0].state != "done"
        or found[0].type not in PORTSIP
        or (caller.masked and not found[0].masked)
    ):
        raise not_found(f"There is no completed call report with the id {str(id_)!r}.")
    return found[0]


async def _file(request: Request, files: Files, run: Run, gone: RequestProblem) -> Response:
    """The file, or the part that Range asks for. A page may be looked at, but run nothing and load nothing."""
    headers = {
        "Content-Disposition": disposition("inline" if run.format == "HTML" else "attachment", run.file_name),
        "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox",
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cache-Control": "private, max-age=300",
    }
    media_type = MEDIA_TYPES[run.format.lower()]
    try:
        return await stored_file(request, files, run.path, run.file_size, f'"{run.id}"', media_type, headers)
    except (OSError, ValueError):
        raise gone from None
