"""`POST /ingest/{source}`: events of PBXs by HTTP, answered when Kafka has them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final

import orjson
import structlog
from fastapi import APIRouter, FastAPI, Path, Request
from prometheus_client import Counter
from pydantic import BaseModel, Field
from starlette.responses import Response

from pipeline import clock
from pipeline.ingest import bodies, intake
from pipeline.ingest.intake import Intake
from pipeline.ingest.sender import KafkaAway, KafkaFull, Sender
from pipeline.kafka import raw_topics
from pipeline.query.access.caller import Caller
from pipeline.query.access.dependencies import DOCUMENTED, allowed, identified_basic, known
from pipeline.query.http.problems import Problem, RequestProblem, invalid, not_found
from pipeline.settings import Settings
from pipeline.settings.query import QuerySettings
from pipeline.sources.contract import Options
from pipeline.sources.registry import SOURCES, raw_decoder, stamped

log = structlog.get_logger("cdr.ingest")

SCOPE: Final = "cdr:ingest"
CANONICAL: Final = "canonical"
_IN_THREAD: Final = 64 << 10  # bytes; what is larger is decoded beside the other requests

_ABOUT: Final = """The body: JSON lines, a JSON array or one JSON object; for `freeswitch` also a form with the
field `cdr`, as mod_json_cdr posts it. gzip and deflate are understood. Whose events they are is told by the token,
never by the body. The answer comes when Kafka has acknowledged, and says of each line whether it was taken, ignored (it
tells nothing of a call) or refused, and why. Sending the same again does no harm.

The token: `Authorization: Bearer`; HTTP Basic with the tenant as the name and the token as the password; or, for a
PBX that can send neither, `?access_token=`."""


KNOWN: Final = tuple(name for name in SOURCES if name != "sip")  # SIP comes over HEP
Source = Annotated[str, Path(description="Dialect of the events.", json_schema_extra={"enum": list(KNOWN)})]


class Line(BaseModel):
    """What became of one line of the body, or one item of the array."""

    line: int = Field(description="Number of the line or item, from 1.", examples=[1])
    state: str = Field(description="taken, ignored or refused.", examples=["taken"])
    call_id: str | None = Field(None, description="The call it was sent on under.")
    event_id: str | None = Field(None, description="The event's id: its own, or one made of its content.")
    pointer: str | None = Field(None, description="Refused: where it is wrong, a JSON pointer.", examples=["/at"])
    detail: str | None = Field(None, description="Refused: what is wrong.")
    hint: str | None = Field(None, description="Refused: what to do.")


class IngestAnswer(BaseModel):
    """What became of a request's events."""

    taken: int = Field(examples=[1])
    ignored: int = Field(examples=[0])
    refused: int = Field(examples=[0])
    lines: list[Line]


def _refusal(text: str) -> dict[str, Any]:
    return {"description": text, "content": {"application/problem+json": {"schema": Problem.model_json_schema()}}}


_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    400: _refusal("Nothing in the body could be taken; `lines` says why."),
    401: _refusal("No valid token."),
    403: _refusal(f"The token lacks the scope {SCOPE}."),
    404: _refusal("There is no such source."),
    413: _refusal("The body is larger, or holds more events, than is taken at once."),
    429: _refusal("So much waits for Kafka that no more is taken; see Retry-After."),
    503: _refusal("Kafka does not take events now; see Retry-After."),
}
_EXAMPLE: Final = (
    '{"type":"started","at":"2026-03-10T12:00:00Z","call_id":"c-1","leg_id":"a","caller":"100","callee":"200"}\n'
    '{"type":"ended","at":"2026-03-10T12:00:09Z","call_id":"c-1","leg_id":"a"}\n'
)
_BODY: Final = {
    "requestBody": {
        "required": True,
        "content": {
            "application/x-ndjson": {"schema": {"type": "string"}, "example": _EXAMPLE},
            "application/json": {
                "schema": {"anyOf": [{"type": "array", "items": {"type": "object"}}, {"type": "object"}]}
            },
            "application/x-www-form-urlencoded": {
                "schema": {"type": "object", "required": ["cdr"], "properties": {"cdr": {"type": "string"}}}
            },
        },
    }
}


def router(settings: Settings) -> APIRouter:
    """The routes, with a producer of their own that is there while the service is."""
    topics = {CANONICAL: settings.events_topic} | {
        name: topic for name, topic in raw_topics(settings).items() if name in KNOWN
    }
    topics["opensips"] = topics["kamailio"]  # one dialect
    options = Options(
        zone=settings.zone,
        zones=settings.zones,
        sip_ids=settings.join_sip_ids,
        call_id_suffixes=tuple(settings.call_id_suffixes),
    )
    decoders = {name: raw_decoder(name, options) for name in topics if name != CANONICAL}
    senders: list[Sender] = []
    counted = Counter(
        "cdr_ingest_events", "Values that came by HTTP, by source and what became of them", ["source", "state"],
        registry=None,
    )  # fmt: skip

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.observer.registry.register(counted)
        yield
        app.state.observer.registry.unregister(counted)
        for sender in senders:
            await sender.close()

    routes = APIRouter(tags=["Ingest"], dependencies=[DOCUMENTED], lifespan=lifespan)

    @routes.post(
        "/ingest/{source}",
        operation_id="ingest",
        summary="Take events of a PBX",
        description=_ABOUT,
        response_model=IngestAnswer,
        response_model_exclude_none=True,
        responses=_ANSWERS,
        openapi_extra=_BODY,
    )
    async def ingest(
        request: Request,
        source: Source,
    ) -> Response:
        caller = await _caller(request)
        if source not in topics:
            raise not_found(f"There is no source {source[:40]!r}; known: {', '.join(topics)}.")
        if not senders:
            senders.append(Sender(settings, settings.ingest_waiting_mb << 20))
        values = await _values(request, settings)

        def read() -> Intake:
            if source == CANONICAL:
                return intake.events(values, caller.tenant)
            now_ms = clock.now_ms()
            timed = [(line, stamped(source, value, now_ms)) for line, value in values]
            return intake.raw(timed, caller.tenant, decoders[source], f"ingest-{caller.tenant}")

        large = sum(len(value) for _, value in values) > _IN_THREAD
        found = await asyncio.to_thread(read) if large else read()
        await _send(senders[0], topics[source], found)
        for state in ("taken", "ignored", "refused"):
            counted.labels(source, state).inc(found.count(state))
        return _answer(request, found)

    return routes


async def _caller(request: Request) -> Caller:
    """Who sends: by header, or by a token in the address for a PBX that can send no header."""
    token = request.query_params.get("access_token") or request.query_params.get("token")
    if token and "authorization" not in request.headers:
        caller = await request.app.state.gate.caller(f"Bearer {token}")
        known(request, caller)
        return allowed(caller, SCOPE)
    return allowed(await identified_basic(request), SCOPE)


async def _values(request: Request, settings: QuerySettings) -> list[bodies.Value]:
    limit = settings.ingest_max_mb << 20
    try:
        body = bodies.unpacked(await _body(request, limit), request.headers.get("content-encoding", ""), limit)
        values = bodies.values(body, request.headers.get("content-type", ""))
    except bodies.TooLarge:
        raise _too_large(f"The body is larger than {settings.ingest_max_mb} MiB; send less at once.") from None
    except bodies.Unreadable as error:
        raise invalid("body", None, str(error)) from None
    if len(values) > settings.ingest_max_events:
        raise _too_large(
            f"The body holds {len(values)} events; at most {settings.ingest_max_events} are taken at once, send less."
        )
    return values


async def _body(request: Request, limit: int) -> bytes:
    """The body, read only as far as it may go."""
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced) > limit:
        raise bodies.TooLarge
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > limit:
            raise bodies.TooLarge
    return bytes(body)


async def _send(sender: Sender, topic: str, found: Intake) -> None:
    if not found.messages:
        return
    try:
        await sender.send(topic, found.messages)
    except KafkaFull:
        detail = "So much waits for Kafka that no more is taken; send it again in a second."
        raise RequestProblem(429, "too_many", detail, headers={"Retry-After": "1"}) from None
    except KafkaAway as away:
        log.warning("kafka", problem=str(away))
        detail = "Kafka does not take events now; send the same again, nothing is doubled by it."
        raise RequestProblem(503, "unavailable", detail, headers={"Retry-After": "5"}) from None


def _too_large(detail: str) -> RequestProblem:
    return RequestProblem(413, "too_large", detail, headers={"Connection": "close"})


def _answer(request: Request, found: Intake) -> Response:
    body: dict[str, Any] = {
        "taken": found.count("taken"),
        "ignored": found.count("ignored"),
        "refused": found.count("refused"),
        "lines": [verdict.row() for verdict in found.verdicts],
    }
    if body["taken"] or body["ignored"]:
        return Response(orjson.dumps(body), media_type="application/json")
    first = next(verdict for verdict in found.verdicts if verdict.wrong).wrong[0]
    problem = {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": f"Nothing was taken: {' '.join(part for part in first if part)}",
        "instance": request.url.path[:200],
        "code": "invalid",
        "request_id": request.scope["cdr.request_id"],
    }
    return Response(orjson.dumps(problem | body), 400, media_type="application/problem+json")
