"""All pages, in the order in which their paths are tried."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from pipeline.query.http.problems import not_found
from pipeline.query.ui import missed
from pipeline.query.ui.call import page as call
from pipeline.query.ui.calls import files, views
from pipeline.query.ui.calls import list as calls
from pipeline.query.ui.frame import assets, links, provider, sign_in
from pipeline.query.ui.frame.language import N_
from pipeline.query.ui.frame.page import pages
from pipeline.query.ui.frame.session import Visiting
from pipeline.query.ui.health import checks, fold, letters, nodes
from pipeline.query.ui.money import calculator
from pipeline.query.ui.money import page as money
from pipeline.query.ui.now import page as now
from pipeline.query.ui.overview import page as overview
from pipeline.query.ui.reports import edit as report
from pipeline.query.ui.reports import list as reports
from pipeline.query.ui.settings import decks, directory, kept, tokens, users, webhooks
from pipeline.query.ui.trunks import page as trunks

_FIRST = pages()
_REST = pages()
_NOTHING = N_("No page has this address. It may have moved, or the link is not whole.")


@_FIRST.get("")
@_FIRST.get("/")
async def first(visitor: Visiting) -> Response:
    """The overview: it has the search that most people come for, and says how the day goes."""
    return RedirectResponse("/ui/overview", 303)


@_REST.get("/{rest:path}")
async def nothing(request: Request, visitor: Visiting, rest: str) -> Response:
    """What is no page."""
    raise not_found(visitor.language.say(_NOTHING))


def routers() -> list[APIRouter]:
    """The routers of all pages."""
    return [
        assets.router,
        links.router,
        _FIRST,
        sign_in.router,
        overview.router,
        provider.router,
        calls.router,
        files.router,
        views.router,
        call.router,
        now.router,
        missed.router,
        trunks.router,
        money.router,
        calculator.router,
        reports.router,  # before /reports/{id}
        report.router,
        nodes.router,
        checks.router,
        letters.router,
        fold.router,
        users.router,
        tokens.router,
        directory.router,
        decks.router,
        webhooks.router,
        kept.router,
        _REST,
    ]
