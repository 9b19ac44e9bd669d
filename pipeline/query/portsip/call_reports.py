"""PortSIP's call reports under `/api`: their definitions.

Vendor schema: only GET and POST; POST to a report changes it, POST to its `destroy` takes it away (204, and 400
for an id that is none). Saving a report without a schedule runs it.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Depends, Path, Request
from starlette.responses import Response

from pipeline.query import report_models as models
from pipeline.query.access.caller import Caller
from pipeline.query.access.dependencies import DOCUMENTED
from pipeline.query.access.report_access import json_response, manager, store_of, writer, zone_of
from pipeline.query.access.saved_reports import change, create
from pipeline.query.http.bodies import json_value
from pipeline.query.http.documents import json_body_of, parameter
from pipeline.query.http.ids import parse_id
from pipeline.query.http.parameters import no_options
from pipeline.query.http.problems import RequestProblem, not_found
from pipeline.query.portsip.lists import asked
from pipeline.query.portsip.models import PortsipErrors
from pipeline.reports.catalogue import PORTSIP, PORTSIP_FILTERS
from pipeline.reports.definition import Definition
from pipeline.reports.store import DEFINITION
from pipeline.warehouse.query.masking import masked_value
from schemas.call import rfc3339

_TYPES: Final = tuple(PORTSIP)
LIST: Final = [
    parameter("filter", {"type": "string"}, "Which items, as for CDRs.", "type eq 'NORMAL'"),
    parameter("search", {"type": "string"}, "Words anywhere in the name.", "week"),
    parameter("orderby", {"type": "string"}, "Properties with asc or desc; newest first when left out.", "name asc"),
    parameter("skip", {"type": "integer", "minimum": 0, "default": 0}, "How many items to leave out first.", 0),
    parameter("top", {"type": "integer", "minimum": 1, "maximum": 100, "default": 100}, "How many items.", 100),
    parameter("count", {"type": "boolean", "default": True}, "`count` is always there.", True),
]
ERRORS: Final[dict[int | str, dict[str, Any]]] = {
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

router: Final = APIRouter(prefix="/api", tags=["PortSIP"], responses=ERRORS, dependencies=[DOCUMENTED])


@router.get(
    "/call_reports",
    operation_id="list_call_reports",
    summary="List call reports",
    response_model=models.CallReportPage,
    openapi_extra={"parameters": LIST},
)
async def list_call_reports(request: Request, caller: Manager) -> Response:
    """Report definitions, newest first."""
    wanted = asked(request, DEFINITION, (DEFINITION["name"],))
    found = await store_of(request).definitions(caller.tenant, _TYPES, wanted)
    items = [
        {"id": str(row["id"]), **{name: row[name] for name in ("name", "type", "cron_expr", "status")}}
        for row in found.rows
    ]
    return json_response({"count": found.count, "items": items})


@router.post(
    "/call_reports",
    operation_id="create_call_report",
    summary="Create a call report",
    status_code=201,
    response_model=models.CallReportId,
    openapi_extra=json_body_of(models.NewCallReport),
)
async def create_call_report(request: Request, caller: Manager) -> Response:
    """A report without `cron_expr` runs at once."""
    writer(caller)
    no_options(request)
    body, zone = await json_value(request), await zone_of(request, caller)
    definition = await create(store_of(request), caller, body, zone=zone, types=PORTSIP_FILTERS)
    return json_response({"id": str(definition.id)}, 201)


@router.get(
    "/call_reports/{id}",
    operation_id="get_call_report",
    summary="One call report",
    response_model=models.CallReport,
)
async def get_call_report(request: Request, caller: Manager, id: Id) -> Response:
    """A definition with its status; `reason` says why a run failed, or why nobody got a mail of it."""
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
        "filter": masked_value(definition.filter) if caller.masked else definition.filter,
        "status": status,
    }
    return json_response(body | ({"reason": reason} if reason else {}))


@router.post(
    "/call_reports/{id}",
    operation_id="update_call_report",
    summary="Change a call report",
    openapi_extra=json_body_of(models.CallReportChange),
)
async def update_call_report(request: Request, caller: Manager, id: Id) -> Response:
    """What is not in the body stays. A report without `cron_expr` runs again."""
    writer(caller)
    no_options(request)
    known, _, _ = await _found(request, caller, parse_id(id, "Call report"))
    body, zone = await json_value(request), await zone_of(request, caller)
    await change(store_of(request), caller, known, body, zone=zone, types=PORTSIP_FILTERS)
    return Response(status_code=200)


@router.post(
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
        raise bad_id(problem) from None
    await store_of(request).save(known, deleted=True)
    return Response(status_code=204)


async def _found(request: Request, caller: Caller, id_: int) -> tuple[Definition, str, str]:
    found = await store_of(request).definition(caller.tenant, id_)
    if found is None or found[0].type not in PORTSIP:
        raise not_found(f"There is no call report with the id {str(id_)!r}.")
    return found


def bad_id(problem: RequestProblem) -> RequestProblem:
    """`destroy` answers 400 to an id that is none."""
    if problem.status != 404:
        return problem
    return RequestProblem(400, "invalid", f"id: {problem.detail}", field="id")
