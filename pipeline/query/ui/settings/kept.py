"""How long calls are kept."""

from __future__ import annotations

from typing import Final

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from pipeline.query.http.problems import invalid
from pipeline.query.ui.frame import forgery
from pipeline.query.ui.frame.language import N_
from pipeline.query.ui.frame.page import page, pages
from pipeline.query.ui.frame.session import Visiting
from pipeline.query.ui.settings.doors import admin, ask
from pipeline.warehouse.privacy.retention import rules, set_rule

router = pages()

KINDS: Final = {
    "calls": N_("Calls"),
    "archive": N_("Events as they came"),
    "webhooks": N_("Messages of webhooks"),
}
_MOST_DAYS: Final = 36_500


@router.get("/settings/retention")
async def retention(request: Request, visitor: Visiting) -> Response:
    """The rules of the company."""
    caller = admin(visitor)
    found = {rule["table"]: rule for rule in await ask(request, lambda client: rules(client, caller.tenant))}
    title = visitor.language.say(N_("How long calls are kept"))
    return page(visitor, request, "settings/retention.html", title=title, rules=found, kinds=KINDS)


@router.post("/settings/retention")
async def keep(request: Request, visitor: Visiting) -> Response:
    """Another rule; what is older goes for good, so it takes a tick."""
    form = await forgery.checked_form(request, visitor.form_secret, ("kind", "days", "sure"))
    caller = admin(visitor)
    kind, text = form.text("kind") or "", form.text("days") or "0"
    if not (text.isascii() and text.isdigit() and len(text) < 6 and int(text) <= _MOST_DAYS):
        raise invalid("days", text, f"is no whole number from 0 to {_MOST_DAYS}; 0 takes the rule away")
    if int(text) and not form.text("sure"):
        raise invalid("sure", None, "is not ticked; what is older than these days is deleted for good")
    who = f"{caller.name} in the web interface"
    await ask(request, lambda client: set_rule(client, caller.tenant, kind, int(text), who))
    return RedirectResponse("/ui/settings/retention", 303)
