"""`POST /v1/tickets`: what a page in a browser opens a stream with, since an EventSource sends no header.

const {ticket} = await (await fetch("/v1/tickets", {method: "POST", headers})).json();
const source = new EventSource(`/v1/calls/stream?ticket=${ticket}`);
"""

from __future__ import annotations

import orjson
from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from pipeline.query.access.authenticator import TICKET_S, Authenticator
from pipeline.query.access.dependencies import DOCUMENTED, Authenticated
from pipeline.query.http.documents import parameter
from pipeline.query.http.parameters import no_options
from pipeline.query.http.problems import RequestProblem
from pipeline.query.questions.endpoint import refusals

TICKET = parameter(
    "ticket", {"type": "string"}, "Of /v1/tickets, in place of the header Authorization: for an EventSource.", ""
)
router = APIRouter(prefix="/v1/tickets", tags=["Calls"], responses=refusals(409), dependencies=[DOCUMENTED])


class Ticket(BaseModel):
    """A ticket for a stream."""

    ticket: str = Field(description="Goes into the address of a stream: `?ticket=`.", examples=["cdrs_…"])
    expires_in: int = Field(description="Seconds in which streams may be opened with it.", examples=[TICKET_S])


@router.post(
    "", operation_id="create_ticket", summary="A ticket to open a stream with", status_code=201, response_model=Ticket
)
async def create_ticket(request: Request, caller: Authenticated) -> Response:
    """Opens `/v1/calls/stream` and `/v1/cdrs/stream` for a minute, again and again. A stream that was opened goes on
    for as long as the token is good with which the ticket was asked for."""
    no_options(request)
    if caller.subject.startswith("jwt:"):
        raise RequestProblem(
            409,
            "conflict",
            "A token of an OpenID provider cannot be asked later whether it is still good; stream with the header"
            " Authorization (fetch), or log in.",
        )
    gate: Authenticator = request.app.state.gate
    held = request.headers.get("authorization", "").partition(" ")[2].strip()
    body = {"ticket": await gate.ticket(caller, held), "expires_in": TICKET_S}
    return Response(orjson.dumps(body), 201, media_type="application/json", headers={"Cache-Control": "no-store"})
