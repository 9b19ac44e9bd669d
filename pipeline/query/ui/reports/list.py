"""The reports of a company: those that run by themselves or ran once, and the files that they made."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from pipeline import clock
from pipeline.files import files_of
from pipeline.query.access.report_access import manager, store_of, writer, zone_of
from pipeline.query.http.problems import RequestProblem, not_found
from pipeline.query.http.stored_files import disposition, stored_file
from pipeline.query.ui.frame import forgery
from pipeline.query.ui.frame.language import N_
from pipeline.query.ui.frame.page import page, pages
from pipeline.query.ui.frame.session import Visiting, Visitor
from pipeline.query.ui.frame.urls import query_of
from pipeline.query.ui.reports.labels import MAIL, TYPES, state_of
from pipeline.query.ui.reports.schedules import in_words
from pipeline.reports.catalogue import ALL
from pipeline.reports.rendering.render import MEDIA_TYPES
from pipeline.reports.runs import destroy
from pipeline.reports.schedule import next_due
from pipeline.reports.store import Run, as_run
from pipeline.warehouse.query.pages.paging import Asked
from pipeline.warehouse.query.reader import Row

router = pages()

_PAGE: Final = 25
_MOST: Final = 1000
_NONE: Final = N_("There is no such file, or you may not see it.")
_GONE: Final = N_("The file of this report is gone; run the report again.")
# A report is a page of its own: it may be looked at, but runs nothing and loads nothing.
_SANDBOX: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"


@router.get("/reports")
async def show(request: Request, visitor: Visiting) -> Response:
    """Definitions, newest first, and below them the newest files."""
    caller = await manager(visitor.caller)
    store, zone = store_of(request), await zone_of(request, caller)
    begin = _begin(query_of(request).get("after"))
    defined = await store.definitions(caller.tenant, list(ALL), Asked(top=_MOST))
    made = await store.completed(caller.tenant, list(ALL), Asked(skip=begin, top=_PAGE), masked=caller.masked)
    return page(
        visitor,
        request,
        "reports/list.html",
        title=visitor.language.say(N_("Reports")),
        reports=[_listed(row, visitor, zone) for row in defined.rows],
        runs=[as_run(row) for row in made.rows],
        count=made.count,
        begin=begin,
        older=begin + _PAGE if begin + _PAGE < made.count else None,
        newer=max(0, begin - _PAGE) if begin else None,
        types=TYPES,
        mails=MAIL,
        may_write=caller.may("reports:write"),
    )


def _begin(text: str) -> int:
    return int(text) if text.isdecimal() and len(text) < 8 else 0


def _listed(row: Row, visitor: Visitor, zone: str) -> Mapping[str, Any]:
    cron = row["cron_expr"]
    return {
        "id": row["id"],
        "name": row["name"],
        "type": row["type"],
        "cron": cron,
        "words": in_words(cron, visitor.language, zone),
        "next": next_due(cron, zone, clock.now_ms()) if cron else None,
        "state": state_of(row["status"], cron),
        "reason": row["reason"],
        "email": row["email"],
    }


@router.get("/reports/files/{id}")
async def file(request: Request, visitor: Visiting, id: str) -> Response:
    """The file: a page to look at, a table to keep; with `download=1` to keep in any case."""
    run = await _run_of(request, visitor, id)
    looked_at = run.format == "HTML" and query_of(request).get("download") != "1"
    headers = {
        "Content-Disposition": disposition("inline" if looked_at else "attachment", run.file_name),
        "Content-Security-Policy": _SANDBOX,
        "Cache-Control": "private",
    }
    files, kind = files_of(request.app.state.settings), MEDIA_TYPES[run.format.lower()]
    try:
        return await stored_file(request, files, run.path, run.file_size, f'"{run.id}"', kind, headers)
    except (OSError, ValueError):
        raise RequestProblem(404, "not_found", visitor.language.say(_GONE)) from None


@router.post("/reports/files/{id}/delete")
async def delete(request: Request, visitor: Visiting, id: str) -> Response:
    """Take a file away; links to it in mails end."""
    await forgery.checked_form(request, visitor.form_secret)
    writer(visitor.caller)
    run = await _run_of(request, visitor, id)
    await destroy(store_of(request), files_of(request.app.state.settings), run)
    return RedirectResponse("/ui/reports#files", 303)


async def _run_of(request: Request, visitor: Visitor, id_: str) -> Run:
    caller = await manager(visitor.caller)
    found = await store_of(request).run(caller.tenant, int(id_)) if id_.isdecimal() and len(id_) < 20 else None
    if found is None or found[1] or found[0].state != "done" or (caller.masked and not found[0].masked):
        raise not_found(visitor.language.say(_NONE))
    return found[0]
