"""Decks that calls are priced by, and how long calls are kept."""

from __future__ import annotations

from itertools import islice
from typing import Final

from clickhouse_connect.driver.client import Client
from fastapi import Request
from starlette.responses import RedirectResponse, Response

from pipeline.query.http.problems import invalid
from pipeline.query.ui.frame import forgery
from pipeline.query.ui.frame.language import N_
from pipeline.query.ui.frame.page import page, pages
from pipeline.query.ui.frame.session import Visiting
from pipeline.query.ui.frame.urls import query_of
from pipeline.query.ui.settings.doors import admin, ask
from pipeline.rating.deck import Header, Line
from pipeline.warehouse.privacy.retention import rules, set_rule
from pipeline.warehouse.reference.decks import known, lines_of

router = pages()

KINDS: Final = {
    "calls": N_("Calls"),
    "archive": N_("Events as they came"),
    "webhooks": N_("Messages of webhooks"),
}
_MOST_DAYS: Final = 36_500
_SHOWN: Final = 100  # lines of a deck
_READ: Final = 5_000


@router.get("/settings/decks")
async def decks(request: Request, visitor: Visiting) -> Response:
    """The decks in use that may price calls of the company; with `deck`, its lines that a number begins with."""
    caller, query = admin(visitor), query_of(request)
    found = await ask(request, known)
    mine = [deck for deck in found if deck.header.scope.tenant in ("", caller.tenant)]
    chosen = next((deck for deck in mine if deck.header.name == query.get("deck")), None)
    digits = query.get("number").lstrip("+0")
    lines = await ask(request, lambda client: _lines(client, chosen.header, digits)) if chosen else []
    return page(
        visitor,
        request,
        "settings/decks.html",
        title=visitor.language.say(N_("Decks")),
        decks=mine,
        chosen=chosen,
        number=query.get("number"),
        lines=lines[:_SHOWN],
        more=len(lines) > _SHOWN,
    )


def _lines(client: Client, header: Header, digits: str) -> list[Line]:
    """The lines whose prefix a number with these digits begins with, or that go on from them; the closest first."""
    fitting = (
        line for line in lines_of(client, header) if line.prefix.startswith(digits) or digits.startswith(line.prefix)
    )
    return sorted(islice(fitting, _READ), key=lambda line: (abs(len(line.prefix) - len(digits)), line.prefix))


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
