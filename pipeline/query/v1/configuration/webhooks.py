"""Webhooks under `/v1/webhooks`."""

from __future__ import annotations

from typing import Annotated, Any, Final

import orjson
from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from pipeline.push.events import TYPES
from pipeline.push.store import DEAD, PushStore, Webhook
from pipeline.push.webhooks import changed, made, shown, trial
from pipeline.query.access.caller import Caller
from pipeline.query.access.dependencies import DOCUMENTED, requires
from pipeline.query.http.documents import json_body_of, parameter
from pipeline.query.http.parameters import no_options, parse
from pipeline.query.http.problems import RequestProblem, invalid, not_found
from pipeline.query.questions.endpoint import body_of, reader_of, refusals
from pipeline.settings import Settings
from pipeline.warehouse.identity.access import numbers_of
from pipeline.warehouse.query.reader import Row

_STATES: Final = ("waiting", "delivered", "dead")
Owner = Annotated[Caller, requires("webhooks:write")]
Id = Annotated[str, Path(description="Id of a webhook.")]
MessageId = Annotated[str, Path(description="Id of a message.")]


class NewWebhook(BaseModel):
    """What a webhook is made of."""

    url: str = Field(description="Where messages are posted, http or https.", max_length=2048)
    events: list[str] = Field(list(TYPES), description=f"Which of {', '.join(TYPES)}; all when left out.")
    secret: str = Field("", description="whsec_ and base64 of 24 to 64 bytes; made when left out.")


class WebhookChange(BaseModel):
    """What may be changed; what is left out stays."""

    url: str = Field("", description="Where messages are posted.", max_length=2048)
    events: list[str] = Field(list(TYPES), description=f"Which of {', '.join(TYPES)}.")
    enabled: bool = Field(True, description="Whether messages are sent.")


def router(settings: Settings) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/v1/webhooks", tags=["Webhooks"], responses=refusals(404), dependencies=[DOCUMENTED])

    @routes.get("", operation_id="list_webhooks", summary="Webhooks")
    async def list_webhooks(request: Request, caller: Owner) -> Response:
        """All of the tenant, oldest first, without their secrets."""
        no_options(request)
        return _json({"data": [_listed(row) for row in await _store(request).listed(_all_of(caller).tenant)]})

    @routes.post(
        "",
        operation_id="create_webhook",
        summary="Make a webhook",
        status_code=201,
        openapi_extra=json_body_of(NewWebhook, {"url": "https://example.com/hook", "events": ["call.ended"]}),
    )
    async def create_webhook(request: Request, caller: Owner) -> Response:
        """The answer has the secret that messages are signed with; it is shown this once. Signatures are those of
        Standard Webhooks: `webhook-id`, `webhook-timestamp`, `webhook-signature`."""
        no_options(request)
        body = await body_of(request, tuple(NewWebhook.model_fields))
        webhook = await made(
            settings,
            _store(request),
            _all_of(caller).tenant,
            body.get("url"),
            body.get("events"),
            body.get("secret") or None,
            numbers_of(caller.scopes),
        )
        return _json(shown(webhook, secret=True), 201)

    @routes.get("/{id}", operation_id="get_webhook", summary="A webhook")
    async def get_webhook(request: Request, caller: Owner, id: Id) -> Response:
        """Without its secret."""
        no_options(request)
        return _json(shown(await _found(request, caller, id)))

    @routes.patch(
        "/{id}",
        operation_id="change_webhook",
        summary="Change a webhook",
        openapi_extra=json_body_of(WebhookChange, {"enabled": True}),
    )
    async def change_webhook(request: Request, caller: Owner, id: Id) -> Response:
        """Its URL, its events, or whether it is enabled: one whose receiver answered 410 is not. What happened while
        it was disabled is not told later; dead messages can be sent again."""
        no_options(request)
        body = await body_of(request, tuple(WebhookChange.model_fields))
        webhook = await _found(request, caller, id)
        return _json(shown(await changed(settings, _store(request), webhook, body, numbers_of(caller.scopes))))

    @routes.delete("/{id}", operation_id="delete_webhook", summary="Delete a webhook", status_code=204)
    async def delete_webhook(request: Request, caller: Owner, id: Id) -> Response:
        """Nothing more is sent to it."""
        no_options(request)
        await _store(request).save(await _found(request, caller, id), deleted=True)
        return Response(status_code=204)

    @routes.post("/{id}/test", operation_id="test_webhook", summary="Have a test message sent", status_code=202)
    async def test_webhook(request: Request, caller: Owner, id: Id) -> Response:
        """A message of type `webhook.test` is sent as all others are; its delivery shows what became of it."""
        no_options(request)
        webhook = await _found(request, caller, id)
        message = trial(webhook)
        await _store(request).plan([(message, [webhook])])
        return _json({"id": message.id}, 202)

    @routes.get(
        "/{id}/deliveries",
        operation_id="list_webhook_deliveries",
        summary="What was sent",
        openapi_extra={
            "parameters": [
                parameter("state", {"type": "string", "enum": list(_STATES)}, "Only those.", "dead"),
                parameter("limit", {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100}, "At most.", 100),
            ]
        },
    )
    async def list_deliveries(request: Request, caller: Owner, id: Id) -> Response:
        """The newest first, each with its state, attempts and last status."""
        options = parse(request.scope["query_string"], ("state", "limit"))
        state, limit = options.text("state") or "", options.text("limit") or "100"
        if state and state not in _STATES:
            raise invalid("state", state, f"is none of {', '.join(_STATES)}")
        if not (limit.isascii() and limit.isdigit() and len(limit) < 5 and 1 <= int(limit) <= 1000):
            raise invalid("limit", limit, "is no whole number from 1 to 1000; leave it out for 100")
        webhook = await _found(request, caller, id)
        return _json({"data": await _store(request).deliveries(webhook.tenant, webhook.id, state, int(limit))})

    @routes.post(
        "/{id}/deliveries/{message}/replay",
        operation_id="replay_webhook_delivery",
        summary="Send a dead message again",
        status_code=202,
        responses=refusals(409),
    )
    async def replay_delivery(request: Request, caller: Owner, id: Id, message: MessageId) -> Response:
        """From the first attempt on, under the same id."""
        no_options(request)
        webhook = await _found(request, caller, id)
        store = _store(request)
        delivery = await store.delivery(webhook.tenant, webhook.id, message)
        if delivery is None:
            raise not_found(f"The webhook has no delivery {message[:80]!r}.")
        if delivery.state != DEAD:
            raise RequestProblem(409, "conflict", f"The delivery is {delivery.state}; only dead ones are sent again.")
        await store.replay(delivery)
        return _json({"id": message, "state": "waiting"}, 202)

    return routes


def _all_of(caller: Caller) -> Caller:
    """The caller, unless it sees only its own calls: webhooks tell of everybody's."""
    if not caller.sees_all:
        raise RequestProblem(403, "forbidden", "Webhooks tell of everybody's calls; a user sees only its own.")
    return caller


def _store(request: Request) -> PushStore:
    settings: Settings = request.app.state.settings
    return PushStore(reader_of(request), settings.webhook_key)


async def _found(request: Request, caller: Caller, id_: str) -> Webhook:
    webhook = await _store(request).webhook(_all_of(caller).tenant, id_)
    if webhook is None:
        raise not_found(f"There is no webhook {id_[:80]!r}.")
    return webhook


def _listed(row: Row) -> dict[str, Any]:
    return {**row, "enabled": bool(row["enabled"]), "reason": row["reason"] or None}


def _json(body: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json", headers={"Cache-Control": "no-store"})
