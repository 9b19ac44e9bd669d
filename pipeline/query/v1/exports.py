"""Exports under `/v1`: files of calls of any number, made in the background and fetched when they are ready."""

from __future__ import annotations

from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from pipeline import clock
from pipeline.query.access.dependencies import DOCUMENTED, Authenticated
from pipeline.query.http.parameters import no_options
from pipeline.query.http.problems import RequestProblem, not_found
from pipeline.query.http.stored_files import disposition, stored_file
from pipeline.query.questions.endpoint import body_of, reader_of, refusals
from pipeline.query.questions.export_runs import file_of
from pipeline.query.questions.exports import EXPORTED, FORMS, begun, form_of, found, runs_of, sees, source_of
from pipeline.query.questions.lists.openapi import TIME
from pipeline.query.questions.lists.tables import CALL_TABLE
from pipeline.query.questions.search import LONGEST
from pipeline.warehouse.reference.exports import Export, of_tenant
from schemas.call import rfc3339
from schemas.call_model import Time

_MEMBERS: Final = ("of", "q", "filter", "from", "to", "zone", "fields", "include", "sort", "format")

Id = Annotated[str, Path(description="Id of the export.", examples=["b1946ac92492d2347c6235b4d2611184"])]


class ExportState(BaseModel):
    """An export, and where its file is when it is ready."""

    id: str = Field(examples=["b1946ac92492d2347c6235b4d2611184"])
    state: str = Field(description="pending, running, ready or failed.", examples=["ready"])
    of: str = Field(examples=["calls"])
    format: str = Field(examples=["csv"])
    rows: int = Field(description="Rows in it, counted when it was begun.", examples=[120000])
    bytes: int = Field(description="Size of the file; of one under way, so far.", examples=[48211023])
    sha256: str | None = Field(description="SHA-256 of the file, hex.", examples=[None])
    problem: str | None = Field(description="Why it failed.", examples=[None])
    created_at: Time
    expires_at: Time
    file: str | None = Field(description="Path of the file; null until ready.", examples=["/v1/exports/b19…/file"])
    url: str | None = Field(description="A signed URL of the file, where the store makes them.", examples=[None])


class ExportList(BaseModel):
    """Exports, newest first."""

    data: list[ExportState]


router = APIRouter(prefix="/v1", tags=["Exports"], responses=refusals(), dependencies=[DOCUMENTED])


@router.post(
    "/exports",
    operation_id="create_export",
    summary="Begin an export",
    status_code=202,
    response_model=ExportState,
    responses=refusals(413),
    openapi_extra={
        "parameters": [
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": False,
                "schema": {"type": "string", "maxLength": 128},
                "description": "The same key again gives the same export; with another body it is refused.",
                "example": "monthly-2026-03",
            }
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "additionalProperties": False,
                        "properties": {
                            "of": {"type": "string", "enum": list(EXPORTED)},
                            "format": {"type": "string", "enum": list(FORMS)},
                            "filter": {"type": "object"},
                            "from": TIME,
                            "to": TIME,
                            "zone": {"type": "string"},
                            "q": {"type": "string", "maxLength": LONGEST},
                            "fields": {"type": "array", "items": {"type": "string"}},
                            "include": {
                                "type": "array",
                                "items": {"type": "string", "enum": list(CALL_TABLE.parts)},
                                "description": "Parts of calls: in ndjson as they are, in csv and parquet as JSON.",
                            },
                            "sort": {"type": "string", "enum": ["-started_at", "started_at"]},
                        },
                    },
                    "example": {
                        "of": "calls",
                        "format": "csv",
                        "from": "2026-03-01T00:00:00Z",
                        "to": "2026-04-01T00:00:00Z",
                    },
                }
            },
        },
    },
)
async def create_export(request: Request, caller: Authenticated) -> Response:
    """Begin to write all rows that match into a file. The answer says where to ask how far it is."""
    no_options(request)
    body = await body_of(request, _MEMBERS)
    export = await begun(request, caller, body, request.headers.get("idempotency-key", ""))
    return _answer(request, export)


@router.get("/exports", operation_id="list_exports", summary="List exports", response_model=ExportList)
async def list_exports(request: Request, caller: Authenticated) -> Response:
    """The tenant's exports, newest first; a user's own."""
    no_options(request)
    found = [each for each in await of_tenant(reader_of(request), caller.tenant) if sees(caller, each)]
    body = {"data": [_state(request, each) for each in found if each.expires_at > clock.now_ms()]}
    return Response(orjson.dumps(body), media_type="application/json", headers={"Cache-Control": "no-store"})


@router.get(
    "/exports/{id}",
    operation_id="get_export",
    summary="How far an export is",
    response_model=ExportState,
    responses=refusals(404) | {202: {"description": "Not ready yet; see Retry-After.", "model": ExportState}},
)
async def get_export(request: Request, caller: Authenticated, id: Id) -> Response:
    """202 until it is ready or has failed, then 200."""
    no_options(request)
    return _answer(request, await found(request, caller, id))


@router.get(
    "/exports/{id}/file",
    operation_id="get_export_file",
    summary="The file of an export",
    responses=refusals(404, 409, 416)
    | {
        200: {"content": {form.media_type.partition(";")[0]: {} for form in FORMS.values()}},
        202: {"description": "Not ready yet; see Retry-After.", "model": ExportState},
        206: {"description": "The part that Range asked for."},
        304: {"description": "The client has it."},
    },
    openapi_extra={
        "parameters": [
            {
                "name": "Range",
                "in": "header",
                "required": False,
                "schema": {"type": "string"},
                "description": "Part of the file, to go on where a transfer broke off (RFC 9110, 14.2).",
                "example": "bytes=1048576-",
            }
        ]
    },
)
@router.head("/exports/{id}/file", include_in_schema=False)
async def get_export_file(request: Request, caller: Authenticated, id: Id) -> Response:
    """The file, or a part of it. With If-Range, a part only of the same file."""
    no_options(request)
    export = await found(request, caller, id)
    if export.state == "failed":
        raise RequestProblem(409, "failed", f"The export failed: {export.problem} Make another.")
    if export.state != "ready":
        return _answer(request, export)
    form = form_of(export)
    headers = {
        "Cache-Control": "private",
        "Content-Disposition": disposition("attachment", f"{source_of(export)}-{export.id[:8]}.{form.ending}"),
    }
    path, tag = file_of(export, form.ending), f'"{export.sha256}"'
    try:
        return await stored_file(request, runs_of(request).files, path, export.bytes, tag, form.media_type, headers)
    except FileNotFoundError:
        raise not_found("The file of this export is gone; make another.") from None


@router.delete(
    "/exports/{id}", operation_id="delete_export", summary="Delete an export", status_code=204, responses=refusals(404)
)
async def delete_export(request: Request, caller: Authenticated, id: Id) -> Response:
    """Delete it with its file; one under way is given up."""
    no_options(request)
    export = await found(request, caller, id, going_on=False)
    await runs_of(request).delete(export, form_of(export).ending)
    return Response(status_code=204)


def _state(request: Request, export: Export) -> dict[str, Any]:
    ready = export.state == "ready"
    return {
        "id": export.id,
        "state": export.state,
        "of": source_of(export),
        "format": form_of(export).name,
        "rows": export.rows,
        "bytes": export.bytes,
        "sha256": export.sha256 or None,
        "problem": export.problem or None,
        "created_at": rfc3339(export.created_at),
        "expires_at": rfc3339(export.expires_at),
        "file": f"/v1/exports/{export.id}/file" if ready else None,
        "url": runs_of(request).files.url(file_of(export, form_of(export).ending)) if ready else None,
    }


def _answer(request: Request, export: Export) -> Response:
    waiting = export.state in ("pending", "running")
    headers = {"Cache-Control": "no-store", "Location": f"/v1/exports/{export.id}"}
    return Response(
        orjson.dumps(_state(request, export)),
        202 if waiting else 200,
        headers | ({"Retry-After": "1"} if waiting else {}),
        media_type="application/json",
    )
