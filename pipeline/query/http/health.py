"""Whether the service lives, is ready, and how it does. No token: nothing here tells of calls."""

from __future__ import annotations

import time

import orjson
from fastapi import APIRouter, Request
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.responses import Response

from pipeline import __version__
from pipeline.query.http.forwarded import is_local
from pipeline.query.http.problems import RequestProblem
from pipeline.warehouse.query.reader import QueryFailed, Reader, TooCostly, Unavailable

router = APIRouter(tags=["Service"])


@router.get("/livez", operation_id="livez", summary="Is the process alive")
async def livez() -> dict[str, str]:
    """Always ok while the process answers."""
    return {"status": "ok"}


@router.get("/readyz", operation_id="readyz", summary="Can it answer questions", responses={503: {}})
async def readyz(request: Request) -> Response:
    """200 when ClickHouse answers and has the tables, else 503; both with what was checked."""
    reader: Reader = request.app.state.reader
    begun = time.perf_counter()
    check = {"status": "ok", "detail": ""}
    try:
        await reader.ping()
    except (Unavailable, TooCostly, QueryFailed) as error:
        check = {"status": "failed", "detail": str(error)}
    took = round((time.perf_counter() - begun) * 1000, 1)
    ready = check["status"] == "ok"
    return Response(
        orjson.dumps({"status": "ok" if ready else "failed", "checks": {"clickhouse": check | {"took_ms": took}}}),
        status_code=200 if ready else 503,
        media_type="application/json",
        headers={"Cache-Control": "no-store"} | ({} if ready else {"Retry-After": "2"}),
    )


@router.get("/metrics", operation_id="metrics", summary="Prometheus metrics")
async def metrics(request: Request) -> Response:
    """Requests and ClickHouse queries: counts and seconds. For this machine only, or on a port of its own
    (CDR_API_METRICS_PORT): they are the operator's."""
    if not is_local(request.scope):
        raise RequestProblem(
            403, "forbidden", "Metrics are the operator's: ask from this machine, or on CDR_API_METRICS_PORT."
        )
    return Response(generate_latest(request.app.state.observer.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


@router.get("/version", operation_id="version", summary="Version of the service")
async def version() -> dict[str, str]:
    """The version of this service."""
    return {"version": __version__}
