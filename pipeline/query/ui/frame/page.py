"""A page: its template, what every template knows, its headers, and what is shown when something is wrong.

Templates escape everything. The Content-Security-Policy allows this service's own files and nothing written into a
page: no `style=`, no `<script>` with text in it, no handler in an attribute.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from functools import cache, partial
from http import HTTPStatus
from importlib import resources
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlencode

import structlog
from fastapi import APIRouter, Request
from fastapi.routing import APIRoute
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.responses import RedirectResponse, Response

from pipeline import __version__
from pipeline.clock import now_ms
from pipeline.errors import BadField
from pipeline.query.http.problems import RequestProblem
from pipeline.query.ui.frame import session, words
from pipeline.query.ui.frame.assets import address
from pipeline.query.ui.frame.language import LANGUAGES, N_, NAMES
from pipeline.query.ui.frame.navigation import PLACES
from pipeline.query.ui.frame.period import NAMES as TIME
from pipeline.query.ui.frame.period import RANGES
from pipeline.query.ui.frame.session import SignInFirst, Visitor
from pipeline.warehouse.query.expressions import BadExpression
from pipeline.warehouse.query.masking import masked_text
from pipeline.warehouse.query.reader import TooCostly, Unavailable
from pipeline.warehouse.query.view import HiddenNumbers

TEMPLATES: Final = Path(str(resources.files("pipeline.query.ui"))) / "templates"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self';"
    " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_AGAIN: Final = N_("The warehouse does not answer now. Nothing is lost; try again in a moment.")
_COSTLY: Final = N_("The question takes too long or reads too much. Choose a shorter time, or narrow the filter.")
_HIDDEN: Final = N_("This holds phone numbers in full, which you may not see.")
_TITLES: Final[Mapping[int, str]] = {
    400: N_("That was not understood"),
    403: N_("This is not open to you"),
    404: N_("There is nothing here"),
    422: N_("That is too much at once"),
    429: N_("That was too often"),
    503: N_("Not available right now"),
}

log = structlog.get_logger("cdr.query")


@cache
def environment(tag: str) -> Environment:
    """The templates in one language."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,  # a process keeps the templates that fit its code
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n", "jinja2.ext.do"],
    )
    language = LANGUAGES[tag]
    made.install_gettext_translations(language.catalogue, newstyle=True)  # type: ignore[attr-defined]
    made.globals |= {
        "asset": address,
        "language": language,
        "languages": NAMES,
        "ranges": RANGES,
        "version": __version__,
        "urlencode": urlencode,
        "word": lambda table, value: language.say(words.word(table, value)),
        "tone": lambda value: words.TONE.get(value or "", "calm"),
    }
    return made


def page(
    visitor: Visitor, request: Request, template: str, *, status: int = 200, title: str = "", **values: Any
) -> Response:
    """The page of a visitor. Every template knows `visitor`, `figures` (numbers and times as the visitor reads them),
    `places` (the navigation), `path`, `here` (path and query) and what is in `values`. `period`, where it is given,
    puts the choice of time into the head of the page."""
    text = (
        environment(visitor.language.tag)
        .get_template(template)
        .render(
            {"period": None, "kept": ()}  # `kept`: (name, value) of the query that the choice of time leaves alone
            | values
            | {
                "visitor": visitor,
                "figures": visitor.figures,
                "places": [place for place in PLACES if place.open_to(visitor.caller)],
                "path": request.url.path,
                "here": here(request),
                "chosen_time": [
                    (name, value) for name, value in request.query_params.multi_items() if name in TIME and value
                ],
                "now": now_ms(),
                "title": title,
            }
        )
    )
    return _html(text, status)


def bare_page(request: Request, template: str, *, status: int = 200, title: str = "", **values: Any) -> Response:
    """A page for somebody who is not signed in."""
    language = session.language_of(request)
    text = environment(language.tag).get_template(template).render(values | {"visitor": None, "title": title})
    return _html(text, status)


def here(request: Request) -> str:
    """Path and query of this request: where forms and sign-in lead back to."""
    query = request.scope["query_string"].decode("latin-1")
    return quote(request.url.path, safe="/") + (f"?{query}" if query else "")


def _html(text: str, status: int) -> Response:
    # names may hold halves of characters: what cannot be written is replaced
    body = text.encode("utf-8", "replace")
    return Response(body, status, {"Cache-Control": "no-store"}, media_type="text/html; charset=utf-8")


class PageRoute(APIRoute):
    """A route whose problems are pages, and whose answers carry the session and the policy."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """The handler with what is said when something is wrong."""
        handler = super().get_route_handler()

        async def handled(request: Request) -> Response:
            try:
                response = await handler(request)
            except SignInFirst:
                response = _to_sign_in(request)
            except (RequestProblem, BadField, BadExpression, HiddenNumbers, Unavailable, TooCostly) as error:
                response = await problem_page(request, error)
            for name, value in _HEADERS.items():
                response.headers.setdefault(name, value)
            session.keep(request, response)
            return response

        return handled


def pages() -> APIRouter:
    """A router for pages: paths below /ui, in no OpenAPI document."""
    return APIRouter(prefix="/ui", include_in_schema=False, route_class=PageRoute)


def _to_sign_in(request: Request) -> Response:
    if request.headers.get("hx-request"):  # a part of a page whose session ended: the whole page asks to sign in
        return Response(status_code=204, headers={"HX-Refresh": "true"})
    back = f"?{urlencode({'next': here(request)})}" if request.method == "GET" else ""
    return RedirectResponse(f"/ui/sign-in{back}", 303)


async def problem_page(request: Request, error: Exception) -> Response:
    """What is wrong, in words, with a way on."""
    language = session.language_of(request)
    status, detail, headers = 400, str(error), {}
    if isinstance(error, RequestProblem):
        status, detail, headers = error.status, error.detail, error.headers
        if error.code == "unavailable":
            detail = language.say(_AGAIN)
    elif isinstance(error, HiddenNumbers):
        status, detail = 403, language.say(_HIDDEN)
    elif isinstance(error, TooCostly):
        status, detail = 422, language.say(_COSTLY)
    elif isinstance(error, Unavailable):
        log.warning("clickhouse", problem=masked_text(str(error)), request_id=request.scope["cdr.request_id"])
        status, detail, headers = 503, language.say(_AGAIN), {"Retry-After": "2"}
    title = language.say(_TITLES.get(status, HTTPStatus(status).phrase))
    show: Callable[..., Response]
    try:
        show = partial(page, await session.visiting(request), request)
    except (SignInFirst, RequestProblem, Unavailable, TooCostly):
        show = partial(bare_page, request)
    response = show("problem.html", status=status, title=title, detail=detail, code=status)
    for name, value in headers.items():
        response.headers[name] = value
    return response
