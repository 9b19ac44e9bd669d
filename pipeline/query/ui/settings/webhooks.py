"""Webhooks: who is told of calls, what became of each message, sending dead ones again."""

from __future__ import annotations

from typing import Final

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from pipeline.push.events import TYPES
from pipeline.push.store import DEAD, PushStore, Webhook
from pipeline.push.webhooks import changed, made, trial
from pipeline.query.access.dependencies import allowed
from pipeline.query.http.problems import RequestProblem, not_found
from pipeline.query.questions.endpoint import reader_of
from pipeline.query.ui.frame import forgery
from pipeline.query.ui.frame.language import N_
from pipeline.query.ui.frame.page import page, pages
from pipeline.query.ui.frame.session import Visiting, Visitor
from pipeline.query.ui.settings.doors import admin
from pipeline.warehouse.identity.access import numbers_of

router = pages()

STATES: Final = {
    "waiting": (N_("Waits"), "live"),
    "delivered": (N_("Delivered"), "good"),
    "dead": (N_("Given up"), "bad"),
}
_NONE: Final = N_("There is no such webhook.")
_MOST: Final = 100
_SCOPE: Final = "webhooks:write"


@router.get("/settings/webhooks")
async def show(request: Request, visitor: Visiting) -> Response:
    """All of the company."""
    return await _page(request, visitor)


@router.post("/settings/webhooks")
async def create(request: Request, visitor: Visiting) -> Response:
    """A new one; its secret is shown this once."""
    form = await forgery.checked_form(request, visitor.form_secret, ("url", "event"), ("event",))
    caller = allowed(admin(visitor), _SCOPE)
    webhook = await made(
        request.app.state.settings, _store(request), caller.tenant, (form.text("url") or "").strip(),
        form.texts("event") or None, None, numbers_of(caller.scopes),
    )  # fmt: skip
    return await _page(request, visitor, new=webhook)


@router.get("/settings/webhooks/{id}")
async def one(request: Request, visitor: Visiting, id: str) -> Response:
    """Its newest messages."""
    webhook = await _found(request, visitor, id)
    deliveries = await _store(request).deliveries(webhook.tenant, webhook.id, "", _MOST)
    title = visitor.language.say(N_("Webhook"))
    return page(
        visitor,
        request,
        "settings/webhook.html",
        title=title,
        webhook=webhook,
        deliveries=deliveries,
        states=STATES,
    )


@router.post("/settings/webhooks/{id}/{what}")
async def change(request: Request, visitor: Visiting, id: str, what: str) -> Response:
    """`test`, `enable`, `disable`, `delete`, or `replay` of a dead message."""
    form = await forgery.checked_form(request, visitor.form_secret, ("message",))
    webhook, store = await _found(request, visitor, id), _store(request)
    if what == "delete":
        await store.save(webhook, deleted=True)
        return RedirectResponse("/ui/settings/webhooks", 303)
    if what == "test":
        await store.plan([(trial(webhook), [webhook])])
    elif what in ("enable", "disable"):
        wish = {"enabled": what == "enable"}
        await changed(request.app.state.settings, store, webhook, wish, numbers_of(visitor.caller.scopes))
    elif what == "replay":
        delivery = await store.delivery(webhook.tenant, webhook.id, form.text("message") or "")
        if delivery is None or delivery.state != DEAD:
            raise RequestProblem(409, "conflict", "Only messages that were given up are sent again.")
        await store.replay(delivery)
    else:
        raise not_found("There is no such change.")
    return RedirectResponse(f"/ui/settings/webhooks/{webhook.id}", 303)


def _store(request: Request) -> PushStore:
    return PushStore(reader_of(request), request.app.state.settings.webhook_key)


async def _found(request: Request, visitor: Visitor, id_: str) -> Webhook:
    caller = allowed(admin(visitor), _SCOPE)
    webhook = await _store(request).webhook(caller.tenant, id_)
    if webhook is None:
        raise not_found(visitor.language.say(_NONE))
    return webhook


async def _page(request: Request, visitor: Visitor, new: Webhook | None = None) -> Response:
    caller = allowed(admin(visitor), _SCOPE)
    rows = await _store(request).listed(caller.tenant)
    title = visitor.language.say(N_("Webhooks"))
    return page(visitor, request, "settings/webhooks.html", title=title, webhooks=rows, types=TYPES, new=new)
