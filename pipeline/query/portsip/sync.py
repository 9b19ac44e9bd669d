"""PortSIP's change feed: sync tokens for the CDRs of the caller's extension (vendor page "User CDRs", REST API).

A token is made once, from a day on; each diff gives what changed since and the token for the next time.
Corrections that come late are UPDATED; a call that turned out to be part of another, or to have begun at another
time, is DELETED and comes again under its new id. Tokens are good for 30 days; an unknown or old one is refused
with 403, and the client begins anew.
"""

from __future__ import annotations

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from pipeline.query.access.caller import Caller
from pipeline.query.access.dependencies import DOCUMENTED, Authenticated
from pipeline.query.http.documents import parameter
from pipeline.query.http.parameters import no_options, parse
from pipeline.query.http.problems import RequestProblem
from pipeline.query.names import named_log
from pipeline.query.portsip import models
from pipeline.query.portsip.routes import REFUSALS, answer, directory_of, reader_of
from pipeline.query.portsip.rows import priced_items, target_item
from pipeline.warehouse.identity import sync_tokens
from pipeline.warehouse.query.pages.changes import Place, changes
from pipeline.warehouse.query.whole_calls import logs_of_calls
from schemas.call import snowflake

_MOST: Final = 500
_ROUNDS: Final = 100  # stretches without anything to tell, in one request
_RENEWED_S: Final = 86_400.0
_DATE_FROM: Final = parameter(
    "date_from",
    {"type": "string", "format": "date-time"},
    "Only calls that started then or later. All when left out.",
    "2024-08-20T00:00:00Z",
)

router = APIRouter(prefix="/api/user/cdrs", tags=["PortSIP"], responses=REFUSALS, dependencies=[DOCUMENTED])


@router.post(
    "/sync_tokens",
    operation_id="create_sync_token",
    summary="Begin to follow changes",
    status_code=201,
    response_model=models.SyncToken,
    openapi_extra={"parameters": [_DATE_FROM]},
)
async def create_sync_token(request: Request, caller: Authenticated) -> Response:
    """A token whose first diffs give all finished calls since `date_from`, and the later ones what changed."""
    begin = parse(request.scope["query_string"], ("date_from",)).at("date_from")
    from_id = 0 if begin is None else max(0, snowflake(begin, 0))
    token = await sync_tokens.issue(reader_of(request), Place(caller.tenant, _extension(caller), from_id))
    return answer(request, {"token": token}, 201)


@router.post(
    "/sync_tokens/{token}/diff",
    operation_id="get_changes",
    summary="What changed since",
    response_model=models.Diff,
)
async def get_changes(
    request: Request, caller: Authenticated, token: Annotated[str, Path(description="Token of the last answer.")]
) -> Response:
    """Calls that came, changed or went since the token was given, and the token for the next time."""
    no_options(request)
    reader, view = reader_of(request), caller.own_view
    known = await sync_tokens.find(reader, caller.tenant, _extension(caller), token)
    if known is None:
        raise RequestProblem(403, "forbidden", "The sync token is unknown or older than 30 days; make another.")
    place, age_s = known
    for _ in range(_ROUNDS):
        found, after = await changes(reader, view, place, _MOST)
        if found or after == place:
            break
        place = after
    if after != known[0] or age_s > _RENEWED_S:
        token = await sync_tokens.issue(reader, after)
    logs = await logs_of_calls(reader, view, [change.row for change in found if change.row is not None])
    directory = await directory_of(request, view)
    items: list[dict[str, Any]] = []
    for change in found:
        targets = (
            []
            if change.row is None
            else priced_items(change.row, [named_log(directory, log) for log in logs[change.id]])
        )
        legs = [target_item(item) for item in targets]
        items.append({"id": str(change.id), "change_type": change.kind, "items": legs})
    return answer(request, {"token": token, "items": items})


def _extension(caller: Caller) -> str:
    """The extension whose calls the caller follows: its own."""
    if not caller.extension:
        raise RequestProblem(
            403,
            "forbidden",
            "The token has no extension whose calls it could follow; make one with --extension, or follow all calls at"
            " /v1/calls/stream.",
        )
    return caller.extension
