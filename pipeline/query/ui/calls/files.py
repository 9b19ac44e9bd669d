"""Files of exactly what a list shows: begun from the list, made in the background, with their progress on a page."""

from __future__ import annotations

from typing import Final

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from pipeline import clock
from pipeline.query.http.problems import RequestProblem, invalid
from pipeline.query.http.stored_files import disposition, stored_file
from pipeline.query.questions.endpoint import reader_of
from pipeline.query.questions.export_runs import file_of
from pipeline.query.questions.exports import FORMS, begun, form_of, found, runs_of, sees, source_of
from pipeline.query.ui.calls import columns
from pipeline.query.ui.calls.asked import asked
from pipeline.query.ui.frame import forgery
from pipeline.query.ui.frame.language import N_
from pipeline.query.ui.frame.page import page, pages
from pipeline.query.ui.frame.session import Visiting
from pipeline.warehouse.reference.exports import of_tenant

router = pages()

STATES: Final = {
    "pending": (N_("Waits"), "calm"),
    "running": (N_("Being written"), "live"),
    "ready": (N_("Ready"), "good"),
    "failed": (N_("Failed"), "bad"),
}
_GONE: Final = N_("The file of this export is gone; make another.")


@router.post("/calls/export")
async def begin(request: Request, visitor: Visiting) -> Response:
    """Begin a file of the list whose address this is sent to, in the order and with the columns that it has."""
    form = await forgery.checked_form(request, visitor.form_secret, ("format",))
    name = form.text("format") or ""
    if name not in FORMS:
        raise invalid("format", name, f"is none of {', '.join(FORMS)}")
    what = await asked(request, visitor)
    timed = what.sort.lstrip("-") == "started_at"
    body = what.body | {
        "of": "calls",
        "format": name,
        "fields": columns.file_fields(what.columns),
        "sort": what.sort if timed else "-started_at",  # files of any length are in the order of time
    }
    export = await begun(request, visitor.caller, body)
    return RedirectResponse(f"/ui/exports/{export.id}", 303)


@router.get("/exports")
async def list_exports(request: Request, visitor: Visiting) -> Response:
    """The files that there are, newest first."""
    rows = [each for each in await of_tenant(reader_of(request), visitor.caller.tenant) if sees(visitor.caller, each)]
    kept = [each for each in rows if each.expires_at > clock.now_ms() and (each.masked or not visitor.caller.masked)]
    title = visitor.language.say(N_("Files"))
    shown = [(each, form_of(each)) for each in kept]
    return page(visitor, request, "calls/files.html", title=title, exports=shown, states=STATES)


@router.get("/exports/{id}")
async def show(request: Request, visitor: Visiting, id: str) -> Response:
    """How far a file is; it loads itself again until it is ready."""
    export = await found(request, visitor.caller, id)
    title = visitor.language.say(N_("File of calls"))
    return page(visitor, request, "calls/file.html", title=title, export=export, form=form_of(export), states=STATES)


@router.get("/exports/{id}/file")
async def download(request: Request, visitor: Visiting, id: str) -> Response:
    """The file."""
    export = await found(request, visitor.caller, id)
    if export.state != "ready":
        return RedirectResponse(f"/ui/exports/{export.id}", 303)
    form = form_of(export)
    name = f"{source_of(export)}-{export.id[:8]}.{form.ending}"
    headers = {"Cache-Control": "private", "Content-Disposition": disposition("attachment", name)}
    path, tag = file_of(export, form.ending), f'"{export.sha256}"'
    try:
        return await stored_file(request, runs_of(request).files, path, export.bytes, tag, form.media_type, headers)
    except FileNotFoundError:
        raise RequestProblem(404, "not_found", visitor.language.say(_GONE)) from None
