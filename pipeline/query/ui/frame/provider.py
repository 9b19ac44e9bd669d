"""Signing in with the account of an identity provider (OpenID Connect): to it, and back from it."""

from __future__ import annotations

from typing import Final
from urllib.parse import parse_qs, urlencode

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from pipeline.query.access.authenticator import Authenticator
from pipeline.query.access.dependencies import allowed
from pipeline.query.access.oidc_sign_in import TTL_S, Begun, NotSignedIn, SignIn, begin
from pipeline.query.http.parameters import parse
from pipeline.query.http.problems import not_found
from pipeline.query.ui.frame import session, sign_in
from pipeline.query.ui.frame.language import N_
from pipeline.query.ui.frame.page import pages
from pipeline.settings import Settings
from pipeline.warehouse.identity.access import READ

router = pages()

_COOKIE: Final = "cdr_oidc"  # what the flow began with, until it ends
_PATIENCE_S: Final = 600
_BACK: Final = "/ui/sign-in/provider/back"
_ANSWER: Final = ("code", "state", "iss", "error", "error_description", "error_uri", "session_state")
_NONE: Final = N_("No identity provider is set up here.")
_LATE: Final = N_("The sign-in was begun too long ago, or in another browser; begin again.")


@router.get("/sign-in/provider")
async def to_provider(request: Request) -> Response:
    """Send the browser to the provider."""
    options = parse(request.scope["query_string"], ("next",), ignore_others=True)
    following, begun = sign_in.within(options.text("next") or "/ui/"), begin()
    try:
        response = RedirectResponse(await _flow(request).address(begun, _back(request)), 303)
    except NotSignedIn as problem:
        return sign_in.form_page(request, following, str(problem), 503)
    kept = urlencode({"state": begun.state, "nonce": begun.nonce, "verifier": begun.verifier, "next": following})
    session.set_cookie(request, response, _COOKIE, kept, max_age=_PATIENCE_S)
    return response


@router.get("/sign-in/provider/back")
async def back(request: Request) -> Response:
    """Whom the provider has signed in."""
    options = parse(request.scope["query_string"], _ANSWER, ignore_others=True)
    kept = {name: values[0] for name, values in parse_qs(request.cookies.get(_COOKIE, "")).items()}
    following = sign_in.within(kept.get("next", "/ui/"))
    try:
        if not {"state", "nonce", "verifier"} <= set(kept):
            raise NotSignedIn(session.language_of(request).say(_LATE))
        answer = {name: options.text(name) or "" for name in _ANSWER if options.has(name)}
        begun = Begun(kept["state"], kept["nonce"], kept["verifier"])
        caller = await _flow(request).caller(begun, answer, _back(request))
        response = await sign_in.begin(request, allowed(caller, READ), following, TTL_S)
    except NotSignedIn as problem:
        response = sign_in.form_page(request, following, str(problem), 403)
    response.delete_cookie(_COOKIE, path="/ui")
    return response


def _flow(request: Request) -> SignIn:
    settings: Settings = request.app.state.settings
    gate: Authenticator = request.app.state.gate
    if gate.oidc is None or not settings.oidc_client_id:
        raise not_found(session.language_of(request).say(_NONE))
    return SignIn(settings, gate.oidc)


def _back(request: Request) -> str:
    """Where the provider sends the browser: it must be registered there, letter by letter."""
    settings: Settings = request.app.state.settings
    here = settings.public_url.rstrip("/") or f"{request.url.scheme}://{request.url.netloc}"
    return f"{here}{_BACK}"
