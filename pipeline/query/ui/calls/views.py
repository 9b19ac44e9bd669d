"""Saved views: a list of calls, with its filters, columns and order, kept under a name by whoever looks."""

from __future__ import annotations

from typing import Final

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from pipeline.query.http.problems import invalid
from pipeline.query.questions.endpoint import reader_of
from pipeline.query.ui.calls.asked import asked
from pipeline.query.ui.frame import forgery
from pipeline.query.ui.frame.page import pages
from pipeline.query.ui.frame.session import Visiting
from pipeline.query.ui.frame.urls import query_of
from pipeline.warehouse.reference.saved_views import MOST, SavedView, keep, views_of

router = pages()

_LONGEST: Final = 80
_LONGEST_QUERY: Final = 4000


@router.post("/calls/views")
async def save(request: Request, visitor: Visiting) -> Response:
    """Keep the list whose address this is sent to under a name, or delete the view of that name."""
    form = await forgery.checked_form(request, visitor.form_secret, ("name", "delete"))
    name, caller, reader = (form.text("name") or "").strip(), visitor.caller, reader_of(request)
    if not name or len(name) > _LONGEST or not name.isprintable():
        raise invalid("name", name, f"is empty, longer than {_LONGEST} characters or not printable")
    query = str(query_of(request).without("after", "before"))
    if form.text("delete"):
        await keep(reader, caller.tenant, caller.name, SavedView(name, ""), deleted=True)
        return RedirectResponse(f"/ui/calls?{query}", 303)
    await asked(request, visitor)  # what no list understands is not kept
    if len(query) > _LONGEST_QUERY:
        raise invalid("address", None, f"is longer than {_LONGEST_QUERY} characters; use fewer filters")
    known = await views_of(reader, caller.tenant, caller.name)
    if len(known) >= MOST and all(view.name != name for view in known):
        raise invalid("name", name, f"would be one of more than {MOST} views; delete some")
    await keep(reader, caller.tenant, caller.name, SavedView(name, query))
    return RedirectResponse(f"/ui/calls?{query}", 303)
