"""Signing in, by password, by a token or by the one-time link of `make run`; signing out; language and zone."""

from __future__ import annotations

import secrets
from typing import Final
from zoneinfo import available_timezones

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from pipeline.query.access.authenticator import Authenticator
from pipeline.query.access.caller import Caller
from pipeline.query.access.dependencies import address_of, allowed
from pipeline.query.http.bodies import form_of
from pipeline.query.http.parameters import parse
from pipeline.query.http.problems import RequestProblem
from pipeline.query.ui.frame import forgery, session
from pipeline.query.ui.frame.language import LANGUAGES, N_
from pipeline.query.ui.frame.page import bare_page, page, pages
from pipeline.query.ui.frame.session import Visiting
from pipeline.warehouse.identity.access import READ
from pipeline.warehouse.identity.tokens import PREFIX

_BEFORE: Final = "cdr_sign_in"  # a cookie until there is a session
_FIRST: Final = "/ui/"
_WRONG: Final = N_("Name and password do not belong together. Nobody was signed in.")
_WRONG_TOKEN: Final = N_("The token is unknown, revoked or expired. Nobody was signed in.")
_SPENT: Final = N_("The link was used already, or is too old. Sign in here, or start the product again for another.")

router = pages()


@router.get("/sign-in")
async def sign_in_page(request: Request) -> Response:
    """The form."""
    options = parse(request.scope["query_string"], ("next", "link"), ignore_others=True)
    problem = _SPENT if options.text("link") == "spent" else ""
    return form_page(request, options.text("next") or _FIRST, problem)


@router.post("/sign-in")
async def sign_in(request: Request) -> Response:
    """Name and password, or a token in place of both, against a session."""
    form = await form_of(request, ("name", "password", "token", "next", forgery.FIELD))
    forgery.check(request, request.cookies.get(_BEFORE, ""), form.text(forgery.FIELD) or "")
    gate: Authenticator = request.app.state.gate
    token, following = (form.text("token") or "").strip(), form.text("next") or _FIRST
    problem, status = _WRONG_TOKEN if token else _WRONG, 403
    caller: Caller | None = None
    try:
        if token:
            caller = await gate.caller(f"Bearer {token}") if token.startswith(PREFIX) else None
        else:
            caller = await gate.login(form.text("name") or "", form.text("password") or "", address=address_of(request))
    except RequestProblem as error:
        if error.status not in (401, 429):
            raise
        problem, status = (error.detail, 429) if error.status == 429 else (problem, 403)
    if caller is None:
        return form_page(request, following, problem, status)
    return await begin(request, allowed(caller, READ), following)


@router.get("/enter/{token}")
async def enter(request: Request, token: str) -> Response:
    """The one-time link: who opens it first is signed in."""
    gate: Authenticator = request.app.state.gate
    caller = await gate.spend(token, session.LINK)
    if caller is None:
        return RedirectResponse("/ui/sign-in?link=spent", 303)
    return await begin(request, allowed(caller, READ), _FIRST)


@router.post("/sign-out")
async def sign_out(request: Request, visitor: Visiting) -> Response:
    """End the session, in every browser that has it."""
    await forgery.checked_form(request, visitor.form_secret)
    gate: Authenticator = request.app.state.gate
    await gate.end(visitor.session)
    request.state.session = ""
    return RedirectResponse("/ui/sign-in", 303)


@router.post("/preferences")
async def prefer(request: Request, visitor: Visiting) -> Response:
    """Language and zone of this browser."""
    form = await forgery.checked_form(request, visitor.form_secret, ("language", "zone", "next"))
    language, zone = form.text("language") or "", form.text("zone") or ""
    choice = {"language": language} if language in LANGUAGES else {}
    if zone in available_timezones():
        choice["zone"] = zone
    response = RedirectResponse(within(form.text("next") or _FIRST), 303)
    session.remember(request, response, choice)
    return response


@router.get("/preferences")
async def preferences(request: Request, visitor: Visiting) -> Response:
    """The form for them."""
    zones = sorted(zone for zone in available_timezones() if "/" in zone and not zone.startswith("Etc/"))
    title = visitor.language.say(N_("Language and time zone"))
    options = parse(request.scope["query_string"], ("next",), ignore_others=True)
    following = options.text("next")
    return page(visitor, request, "preferences.html", title=title, zones=["UTC", *zones], following=following)


async def begin(request: Request, caller: Caller, following: str, ttl_s: int = session.TTL_S) -> Response:
    """A session for the caller, and the way to where it was going."""
    gate: Authenticator = request.app.state.gate
    request.state.session = await gate.issue(caller, session.KIND, ttl_s)
    response = RedirectResponse(within(following), 303)
    response.delete_cookie(_BEFORE, path="/ui")
    return response


def form_page(request: Request, following: str, problem: str, status: int = 200) -> Response:
    """The form to sign in with, and what went wrong."""
    gate: Authenticator = request.app.state.gate
    secret = request.cookies.get(_BEFORE) or secrets.token_urlsafe(24)
    language = session.language_of(request)
    response = bare_page(
        request,
        "sign_in.html",
        status=status,
        title=language.say(N_("Sign in")),
        problem=language.say(problem),
        following=within(following),
        provider=bool(request.app.state.settings.oidc_client_id and gate.oidc),
        form_token=forgery.token_of(secret),
    )
    session.set_cookie(request, response, _BEFORE, secret)
    return response


def within(path: str) -> str:
    """The path, when it leads to a page of ours; no other site, no other scheme."""
    return path if path.startswith("/ui/") and "\\" not in path and path.isprintable() else _FIRST
