"""The query service: surfaces, health and documents over one reader of the warehouse."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Final

import structlog
from fastapi import FastAPI, Request
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import ClientDisconnect
from starlette.responses import Response

from pipeline import __version__
from pipeline.errors import BadField
from pipeline.files import files_of
from pipeline.query.access.authenticator import Authenticator
from pipeline.query.access.oidc import Oidc
from pipeline.query.http import documents
from pipeline.query.http.compression import Compression
from pipeline.query.http.connections import networks_of
from pipeline.query.http.forwarded import Forwarded
from pipeline.query.http.head import HeadAsGet
from pipeline.query.http.limits import Limits, StreamSlots
from pipeline.query.http.observation import CLIENT_GONE, Observation, Observer
from pipeline.query.http.plus_signs import PlusSigns
from pipeline.query.http.problems import RequestProblem, invalid, refusal, response, unavailable
from pipeline.query.questions.export_runs import ExportRuns
from pipeline.query.routes import routers
from pipeline.settings import Settings
from pipeline.warehouse.query.expressions import BadExpression
from pipeline.warehouse.query.masking import masked_text
from pipeline.warehouse.query.reader import Reader, TooCostly, Unavailable
from pipeline.warehouse.query.view import HiddenNumbers
from pipeline.warehouse.reference.directories import Directories
from pipeline.warehouse.reference.directory_editor import Editor

log = structlog.get_logger("cdr.query")

_ABOUT = """Call detail records of the tenant that the token belongs to.

`/api` speaks PortSIP's language, `/v1` our own. Times are RFC 3339 in UTC. Send
`Authorization: Bearer <token>`; `cdr token create` makes one."""


# Headers that pages of other origins may send, and read of answers.
_ASKED_WITH: Final = (
    *("Authorization", "Content-Type", "Accept", "If-Match", "If-None-Match", "If-Range", "Range"),
    *("Idempotency-Key", "Last-Event-ID", "X-Request-ID"),
)
_ANSWERED_WITH: Final = (
    *("ETag", "Link", "Location", "Retry-After", "Content-Disposition", "Content-Range", "Accept-Ranges"),
    *("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset", "X-Request-ID", "WWW-Authenticate"),
)


def create_app(settings: Settings) -> FastAPI:
    """The ASGI application. ClickHouse and Kafka may be away: requests are answered with 503 until it is there."""
    observer = Observer()
    reader = Reader(settings.clickhouse, settings.database, observe=observer.query)
    directories = Directories(reader)
    gate = Authenticator(reader, directories=directories, mask_numbers=settings.mask_numbers)
    gate.oidc = Oidc(settings) if settings.oidc_issuer else None

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        yield
        await app.state.exports.close()
        gate.close()
        reader.close()
        app.state.editor.close()

    app = FastAPI(
        title="Call detail records",
        summary="Finished calls and calls in progress.",
        description=_ABOUT,
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.state.settings = settings
    app.state.ipcortex_busy = set()
    app.state.exports = ExportRuns(reader, files_of(settings))
    app.state.turns = StreamSlots(settings.api_streams)
    app.state.followers = StreamSlots(settings.api_followers)
    app.state.reader = reader
    app.state.observer = observer
    app.state.gate = gate
    app.state.directories = directories
    app.state.editor = Editor(settings.clickhouse, settings.database)
    document: dict[str, object] = {}

    def openapi() -> dict[str, object]:
        if not document:
            document.update(documents.openapi_of(app))
        return document

    app.openapi = openapi  # type: ignore[method-assign]
    for router in routers(settings):
        app.include_router(router)
    app.add_exception_handler(RequestProblem, _refused)
    app.add_exception_handler(BadExpression, _refused)
    app.add_exception_handler(BadField, _refused)
    app.add_exception_handler(HiddenNumbers, _hidden)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Unavailable, _away)
    app.add_exception_handler(TooCostly, _away)
    app.add_exception_handler(HTTPException, _http)
    app.add_middleware(PlusSigns)
    app.add_middleware(Compression)
    app.add_middleware(Limits, rate=settings.api_rate, concurrent=settings.api_concurrent)
    app.add_middleware(HeadAsGet)
    if settings.api_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=[origin.strip() for origin in settings.api_origins.split(",") if origin.strip()],
            allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=_ASKED_WITH,
            expose_headers=_ANSWERED_WITH,
            max_age=3600,
        )
    app.add_middleware(Observation, observer=observer)
    app.add_middleware(Forwarded, trusted=networks_of(settings.trusted_proxies))
    return app


async def _refused(request: Request, error: Exception) -> Response:
    if isinstance(error, BadField):
        problem = refusal(error)
    else:
        problem = error if isinstance(error, RequestProblem) else invalid("filter", None, str(error))
    return response(problem, request.url.path, request.scope["cdr.request_id"])


async def _gone(request: Request, error: Exception) -> Response:
    """The client hung up before its request was whole: nobody reads this, and nothing failed."""
    return Response(status_code=CLIENT_GONE)


async def _hidden(request: Request, error: Exception) -> Response:
    why = f"The {error} hold numbers in full, which the token may not see; it lacks the scope numbers:clear."
    return response(RequestProblem(403, "forbidden", why), request.url.path, request.scope["cdr.request_id"])


async def _away(request: Request, error: Exception) -> Response:
    log.warning("clickhouse", problem=masked_text(str(error)), request_id=request.scope["cdr.request_id"])
    if isinstance(error, TooCostly):
        problem = RequestProblem(
            422,
            "too_costly",
            "The question takes too long or reads too much; narrow its time, filter or dimensions.",
            headers={"Retry-After": "10"},  # for what was slow because others asked, too
        )
    else:
        problem = unavailable("The warehouse does not answer now; try again in 2 seconds.")
    return response(problem, request.url.path, request.scope["cdr.request_id"])


async def _http(request: Request, error: Exception) -> Response:
    """What the router refuses: unknown paths and methods."""
    assert isinstance(error, HTTPException)
    code = {404: "not_found", 405: "method_not_allowed"}.get(error.status_code, "invalid")
    path = request.url.path
    detail = {
        404: f"There is nothing at {path[:200]!r}; /docs lists what there is.",
        405: f"{request.method[:20]} is not understood at {path[:200]!r}; see /docs.",
    }.get(error.status_code, HTTPStatus(error.status_code).phrase)
    problem = RequestProblem(error.status_code, code, detail, headers=error.headers)
    return response(problem, path, request.scope["cdr.request_id"])
