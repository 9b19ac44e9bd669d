"""Tokens of the company, for programs: which there are, new ones, revoking."""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import Final

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from pipeline import clock
from pipeline.query.http.problems import invalid, not_found
from pipeline.query.ui.frame import forgery
from pipeline.query.ui.frame.language import N_
from pipeline.query.ui.frame.page import page, pages
from pipeline.query.ui.frame.session import Visiting, Visitor
from pipeline.query.ui.settings.doors import admin, ask, check_grants, grantable, keeper
from pipeline.warehouse.identity.access import READ, check_scopes
from pipeline.warehouse.identity.tokens import create_token, expiry, list_tokens, revoke_token

router = pages()

ENDS: Final = {"30d": N_("In 30 days"), "90d": N_("In 90 days"), "1y": N_("In a year"), "": N_("Never")}


@router.get("/settings/tokens")
async def show(request: Request, visitor: Visiting) -> Response:
    """All of the company, those that hold first."""
    admin(visitor)
    return await _page(request, visitor)


@router.post("/settings/tokens")
async def create(request: Request, visitor: Visiting) -> Response:
    """A new token; it is shown this once."""
    names = ("name", "role", "extension", "ends", "scope")
    form = await forgery.checked_form(request, visitor.form_secret, names, ("scope",))
    caller = keeper(visitor)
    name, ends, scopes = (form.text("name") or "").strip(), form.text("ends") or "", form.texts("scope") or [READ]
    if ends not in ENDS:
        raise invalid("ends", ends, f"is none of {', '.join(filter(None, ENDS))}")
    check_grants(caller, scopes)
    now = dt.datetime.fromtimestamp(clock.now_ms() / 1000, dt.UTC)
    await ask(request, lambda client: check_scopes(scopes))
    work = partial(
        create_token, tenant=caller.tenant, name=name, scopes=scopes, role=form.text("role") or "admin",
        extension=(form.text("extension") or "").strip(), expires_at=expiry(ends, now) if ends else None,
    )  # fmt: skip
    return await _page(request, visitor, made=(name, await ask(request, work)))


@router.post("/settings/tokens/{id}/revoke")
async def revoke(request: Request, visitor: Visiting, id: str) -> Response:
    """End a token, and what was issued for it, within 5 s."""
    await forgery.checked_form(request, visitor.form_secret)
    caller = keeper(visitor)
    rows = await ask(request, lambda client: list_tokens(client, caller.tenant))
    found = next((row for row in rows if row["id"] == id), None)
    if found is None:
        raise not_found(f"There is no token {id[:80]!r}.")
    check_grants(caller, found["scopes"])
    if not found["revoked"]:
        await ask(request, lambda client: revoke_token(client, id, caller.tenant))
    return RedirectResponse("/ui/settings/tokens", 303)


async def _page(request: Request, visitor: Visitor, made: tuple[str, str] | None = None) -> Response:
    caller = visitor.caller
    rows = await ask(request, lambda client: list_tokens(client, caller.tenant))
    return page(
        visitor,
        request,
        "settings/tokens.html",
        title=visitor.language.say(N_("Tokens")),
        tokens=sorted(rows, key=lambda row: (not row["valid"], row["name"])),
        scopes=grantable(caller),
        ends=ENDS,
        made=made,
    )
