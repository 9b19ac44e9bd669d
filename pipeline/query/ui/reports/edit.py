"""Making a report, looking at one, changing it, running it, taking it away.

Of two people who change one report, the second is told what the first has saved, and decides; nothing is lost silently.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from fastapi import Request
from starlette.responses import RedirectResponse, Response

from pipeline import clock
from pipeline.errors import BadField
from pipeline.query.access.report_access import manager, store_of, writer, zone_of
from pipeline.query.access.saved_reports import ChangedMeanwhile, change, create, run_now
from pipeline.query.http.problems import not_found
from pipeline.query.questions.endpoint import directory_of
from pipeline.query.ui.frame import forgery
from pipeline.query.ui.frame.language import N_
from pipeline.query.ui.frame.page import page, pages
from pipeline.query.ui.frame.session import Visiting, Visitor
from pipeline.query.ui.frame.urls import query_of
from pipeline.query.ui.reports import form as forms
from pipeline.query.ui.reports.differences import differences
from pipeline.query.ui.reports.labels import GROUPS, MAIL, RANGES, STATES, TYPES, state_of
from pipeline.query.ui.reports.preview import Preview, preview
from pipeline.query.ui.reports.schedules import HOW, choice_of, city, day_names, in_words
from pipeline.reports.catalogue import ALL, ALL_FILTERS
from pipeline.reports.definition import Definition, parse
from pipeline.reports.schedule import next_due
from pipeline.warehouse.query.masking import masked_value
from pipeline.warehouse.query.reader import TooCostly
from pipeline.warehouse.query.view import HiddenNumbers

router = pages()

_NONE: Final = N_("There is no such report; somebody may have deleted it.")
_COSTLY: Final = N_(
    "takes too long for a preview; choose a shorter time, or save the report: workers have more patience"
)
_NEXT: Final = 3  # times of a schedule that are shown


@router.get("/reports/new")
async def new(request: Request, visitor: Visiting) -> Response:
    """Which type; then its form."""
    writer(await manager(visitor.caller))
    type_ = query_of(request).get("type")
    if type_ in ALL:
        return await _form(request, visitor, forms.defaults(type_), type_)
    title = visitor.language.say(N_("Which report?"))
    return page(visitor, request, "reports/types.html", title=title, groups=GROUPS, types=TYPES)


@router.post("/reports/new")
async def make(request: Request, visitor: Visiting) -> Response:
    """Save the report, or show what it would be."""
    given = await _given(request, visitor)
    store, zone = store_of(request), await zone_of(request, visitor.caller)
    type_ = next(iter(given.get("type", [])), "")
    if type_ not in ALL:
        return RedirectResponse("/ui/reports/new", 303)
    try:
        body = forms.body_of(given, ALL[type_])
        if given.get("do") == ["preview"]:
            shown = await preview(request, visitor, parse(body, ALL_FILTERS, zone=zone))
            return await _form(request, visitor, given, type_, shown=shown)
        made = await create(store, visitor.caller, body, zone=zone)
    except BadField as error:
        return await _form(request, visitor, given, type_, problem=error)
    except TooCostly:
        return await _form(request, visitor, given, type_, problem=_costly(visitor))
    return RedirectResponse(f"/ui/reports/{made.id}", 303)


@router.get("/reports/{id}")
async def show(request: Request, visitor: Visiting, id: str) -> Response:
    """A report: when it runs, what became of its runs."""
    definition, status, reason = await _found(request, visitor, id)
    caller, zone = visitor.caller, await zone_of(request, visitor.caller)
    runs = await store_of(request).of_definition(caller.tenant, definition.id, masked=caller.masked)
    filter_ = masked_value(definition.filter) if caller.masked else definition.filter
    fields = forms.fields_of(ALL[definition.type], await directory_of(request, caller.view))
    return page(
        visitor,
        request,
        "reports/one.html",
        title=definition.name,
        report=definition,
        about=TYPES[definition.type],
        said=forms.said(fields, filter_),
        state=state_of(status, definition.cron_expr),
        reason=reason,
        words=in_words(definition.cron_expr, visitor.language, zone),
        times=_times(definition.cron_expr, zone),
        zone=zone,
        runs=runs,
        states=STATES,
        mails=MAIL,
        range_names=RANGES,
        waits=any(run.state in ("waiting", "running") for run in runs) or status == "RUNNING",
        may_write=caller.may("reports:write"),
    )


@router.get("/reports/{id}/edit")
async def edit(request: Request, visitor: Visiting, id: str) -> Response:
    """Its form."""
    definition = await _editable(request, visitor, id)
    zone = await zone_of(request, visitor.caller)
    return await _form(request, visitor, forms.given_of(definition, zone), definition.type, known=definition)


@router.post("/reports/{id}/edit")
async def save(request: Request, visitor: Visiting, id: str) -> Response:
    """Save the change, or show what it would be; 409 with both versions when somebody else was first."""
    given = await _given(request, visitor)
    known = await _editable(request, visitor, id)
    zone = await zone_of(request, visitor.caller)
    read_at = next(iter(given.get("read_at", [])), "")
    try:
        body = forms.body_of(given, ALL[known.type])
        if given.get("do") == ["preview"]:
            shown = await preview(request, visitor, parse(body, ALL_FILTERS, known, zone=zone))
            return await _form(request, visitor, given, known.type, known=known, shown=shown)
        base = int(read_at) if read_at.isdecimal() and len(read_at) < 16 else -1
        await change(store_of(request), visitor.caller, known, body, zone=zone, read_at=base)
    except BadField as error:
        return await _form(request, visitor, given, known.type, known=known, problem=error)
    except TooCostly:
        return await _form(request, visitor, given, known.type, known=known, problem=_costly(visitor))
    except ChangedMeanwhile as error:
        if error.now is None:
            raise not_found(visitor.language.say(_NONE)) from None
        return await _form(request, visitor, given, known.type, known=error.now, meanwhile=error.now)
    return RedirectResponse(f"/ui/reports/{known.id}", 303)


@router.post("/reports/{id}/run")
async def run(request: Request, visitor: Visiting, id: str) -> Response:
    """Have it made now."""
    await forgery.checked_form(request, visitor.form_secret)
    writer(await manager(visitor.caller))
    definition, _, _ = await _found(request, visitor, id)
    await run_now(store_of(request), visitor.caller, definition)
    return RedirectResponse(f"/ui/reports/{definition.id}", 303)


@router.post("/reports/{id}/delete")
async def delete(request: Request, visitor: Visiting, id: str) -> Response:
    """It runs no more; what it has made stays."""
    await forgery.checked_form(request, visitor.form_secret)
    writer(await manager(visitor.caller))
    definition, _, _ = await _found(request, visitor, id)
    await store_of(request).save(definition, deleted=True)
    return RedirectResponse("/ui/reports", 303)


async def _given(request: Request, visitor: Visitor) -> forms.Given:
    writer(await manager(visitor.caller))
    form = await forgery.checked_form(request, visitor.form_secret, forms.names(), forms.repeated())
    return forms.given_by(form)


async def _found(request: Request, visitor: Visitor, id_: str) -> tuple[Definition, str, str]:
    caller = await manager(visitor.caller)
    found = await store_of(request).definition(caller.tenant, int(id_)) if id_.isdecimal() and len(id_) < 20 else None
    if found is None:
        raise not_found(visitor.language.say(_NONE))
    return found


async def _editable(request: Request, visitor: Visitor, id_: str) -> Definition:
    """The report, where the visitor may change it: who sees numbers masked would save them masked."""
    writer(await manager(visitor.caller))
    definition, _, _ = await _found(request, visitor, id_)
    if visitor.caller.masked and masked_value(definition.filter) != definition.filter:
        raise HiddenNumbers("filter")
    return definition


def _costly(visitor: Visitor) -> BadField:
    return BadField("range", None, visitor.language.say(_COSTLY))


def _times(cron: str, zone: str) -> list[int]:
    found: list[int] = []
    at: int | None = clock.now_ms()
    while cron and at is not None and len(found) < _NEXT:
        if (at := next_due(cron, zone, at)) is not None:
            found.append(at)
    return found


async def _form(
    request: Request,
    visitor: Visitor,
    given: forms.Given,
    type_: str,
    *,
    known: Definition | None = None,
    problem: BadField | None = None,
    shown: Preview | None = None,
    meanwhile: Definition | None = None,
) -> Response:
    say, zone = visitor.language.say, await zone_of(request, visitor.caller)
    fields = forms.fields_of(ALL[type_], await directory_of(request, visitor.caller.view))
    theirs: Mapping[str, Any] = forms.given_of(meanwhile, zone) if meanwhile else {}
    return page(
        visitor,
        request,
        "reports/form.html",
        status=409 if meanwhile else 400 if problem else 200,
        title=known.name if known else say(TYPES[type_][0]),
        type=type_,
        about=TYPES[type_],
        known=known,
        given=given,
        fields=fields,
        read_at=str(meanwhile.requested_at) if meanwhile else next(iter(given.get("read_at", [])), ""),
        problem=problem,
        shown=shown,
        meanwhile=meanwhile,
        differences=differences(given, theirs, fields, visitor.language) if meanwhile else [],
        how=HOW,
        days=day_names(visitor.language),
        city=city(zone, visitor.language),
        zone=zone,
        range_names=RANGES,
        once=choice_of(known.cron_expr).how == "once" if known else False,
    )
