"""Prices under `/v1`: what one call would cost."""

from __future__ import annotations

from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from pipeline import clock
from pipeline.instants import instant
from pipeline.query.access.dependencies import DOCUMENTED, Authenticated
from pipeline.query.http.documents import parameter
from pipeline.query.http.parameters import parse
from pipeline.query.http.problems import invalid
from pipeline.query.prices import Trial, price_of
from pipeline.query.questions.endpoint import refusals

router = APIRouter(prefix="/v1", tags=["Prices"], responses=refusals(), dependencies=[DOCUMENTED])

LONGEST_S: Final = 10_000_000
_NAMES: Final = ("number", "duration", "at", "account", "trunk", "extension", "direction")
_DIRECTIONS: Final = ("outbound", "inbound_outbound", "inbound")
_TRIED: Final = {"number": "+441632960123", "class": "NATIONAL", "duration": 180, "deck": "retail", "cost": "0.15"}


class Prices(BaseModel):
    """What a call would cost, and what the carrier would take for it; money as decimal text."""

    customer: Annotated[
        dict[str, Any],
        Field(
            description="Class of the number, account, deck and line, every term, `cost` (null when no line holds) and"
            " the formula in words.",
            examples=[_TRIED],
        ),
    ]
    carrier: Annotated[dict[str, Any], Field(description="The same by carriers' decks.", examples=[_TRIED])]
    margin: str | None = Field(description="Cost less that of the carrier, in one currency.", examples=["0.06"])


@router.get(
    "/price",
    operation_id="get_price",
    summary="What a call would cost",
    response_model=Prices,
    openapi_extra={
        "parameters": [
            parameter("number", {"type": "string"}, "Number as it is dialled, or E.164 with +.", "+441632960123")
            | {"required": True},
            parameter(
                "duration", {"type": "integer", "minimum": 0, "maximum": LONGEST_S}, "Seconds, answer to end.", 180
            )
            | {"required": True},
            parameter(
                "at", {"type": "string", "format": "date-time"}, "Start; now when left out.", "2026-03-10T12:00:00Z"
            ),
            parameter("account", {"type": "string"}, "Account that pays; else the directory says.", "ACME"),
            parameter("trunk", {"type": "string"}, "Trunk that carries it.", "carrier-a"),
            parameter("extension", {"type": "string"}, "Extension that calls.", "101"),
            parameter(
                "direction",
                {"type": "string", "enum": list(_DIRECTIONS), "default": "outbound"},
                "Direction.",
                "outbound",
            ),
        ]
    },
)
async def get_price(request: Request, caller: Authenticated) -> Response:
    """By the decks in force at `at`, as workers price calls, with every term of the formula."""
    options = parse(request.scope["query_string"], _NAMES, filled=_NAMES)
    number, direction = options.text("number"), options.text("direction") or "outbound"
    if not number:
        raise invalid("number", None, "is missing; write a telephone number")
    if direction not in _DIRECTIONS:
        raise invalid("direction", direction, f"is none of {', '.join(_DIRECTIONS)}")
    if not options.has("duration"):
        raise invalid("duration", None, "is missing; write seconds")
    seconds, at = options.whole("duration", 0, 0, LONGEST_S), options.text("at")
    try:
        started = instant(at) if at else clock.now_ms()
    except ValueError:
        raise invalid("at", at, "is no RFC 3339 time, as 2026-03-10T12:00:00Z") from None
    account, trunk, extension = (options.text(name) or "" for name in ("account", "trunk", "extension"))
    found = await price_of(request, caller, Trial(number, started, seconds, account, trunk, extension, direction))
    return Response(orjson.dumps(found), media_type="application/json", headers={"Cache-Control": "no-store"})
