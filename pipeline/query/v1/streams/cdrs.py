"""`/v1/cdrs/stream`: the change feed for a client. (`/v1/calls/stream` shows calls as lists show them, and the last
version only.)"""

from __future__ import annotations

from typing import Any

import structlog
from aiokafka.errors import KafkaError
from fastapi import APIRouter, Request
from starlette.responses import Response, StreamingResponse

from pipeline.push.following import Following, place_of
from pipeline.query.access.dependencies import DOCUMENTED, Streaming
from pipeline.query.access.while_good import while_good
from pipeline.query.http.documents import parameter
from pipeline.query.http.limits import StreamSlots
from pipeline.query.http.parameters import parse
from pipeline.query.http.problems import unavailable
from pipeline.query.questions.endpoint import directory_of, refusals
from pipeline.query.questions.shown import shown
from pipeline.query.v1.streams.tickets import TICKET
from pipeline.settings import Settings
from pipeline.warehouse.query.view import document_of

log = structlog.get_logger("cdr.query")


def router(settings: Settings) -> APIRouter:
    """The route."""
    routes = APIRouter(prefix="/v1/cdrs", tags=["Calls"], responses=refusals(), dependencies=[DOCUMENTED])

    @routes.get(
        "/stream",
        operation_id="stream_cdrs",
        summary="Every version of every call",
        responses={
            200: {
                "description": "Events `call` (a call document), `retired` (a call that went into another) and `gap` "
                "(records `from` … `to` of a partition are kept no longer: read those calls with /v1/calls).",
                "content": {"text/event-stream": {"schema": {"type": "string"}}},
            }
        },
        openapi_extra={
            "parameters": [
                TICKET,
                parameter("last_event_id", {"type": "string"}, "As the header Last-Event-ID.", "0:17,1:4"),
                {
                    "name": "Last-Event-ID",
                    "in": "header",
                    "required": False,
                    "schema": {"type": "string"},
                    "description": "Go on behind this event; `0:0` for all there is; from now on when left out.",
                    "example": "0:17,1:4",
                },
            ]
        },
    )
    async def stream_cdrs(request: Request, caller: Streaming) -> Response:
        """Server-sent events until the client goes. At least once: after a crash of a worker a version may come
        twice."""
        options = parse(request.scope["query_string"], ("last_event_id", "ticket"))
        given = request.headers.get("last-event-id") or options.text("last_event_id")
        place = None if given is None else place_of(given)

        async def look(document: dict[str, Any]) -> dict[str, Any] | None:
            seen = document_of(caller.view, document)
            if seen is None or seen.get("retired"):
                return seen
            return shown(seen, await directory_of(request, caller.view))

        followers: StreamSlots = request.app.state.followers
        with followers.one(caller.tenant):
            following = Following(settings, caller.tenant, look, place)
            try:
                await following.begin()  # what is wrong is said with a status
            except (KafkaError, OSError) as error:
                log.warning("stream refused", error=str(error) or type(error).__name__)
                raise unavailable("Kafka does not answer; try again.") from error
        return StreamingResponse(
            followers.during(caller.tenant, while_good(request, caller, following.events())),
            media_type="text/event-stream",
            headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
        )

    return routes
