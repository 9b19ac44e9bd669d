"""Exports: files of any number of calls, begun, found again and made in the background."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import orjson
from fastapi import Request

from pipeline import clock
from pipeline.instants import DAY_MS
from pipeline.query.access.caller import Caller
from pipeline.query.http.problems import RequestProblem, invalid, not_found
from pipeline.query.questions.endpoint import look_of, reader_of
from pipeline.query.questions.export_runs import ExportRuns
from pipeline.query.questions.formats import CSV, FORMATS, JSON, Format
from pipeline.query.questions.lists.answer import listing_of
from pipeline.query.questions.lists.members import zone_asked
from pipeline.query.questions.lists.question import ListQuestion, question_of, sought
from pipeline.query.questions.lists.table import Table
from pipeline.query.questions.lists.tables import CALL_TABLE, LOG_TABLE
from pipeline.settings import Settings
from pipeline.warehouse.query.pages.listing import Listing
from pipeline.warehouse.query.view import View
from pipeline.warehouse.reference.exports import Export, find, of_tenant, save

EXPORTED: Final[Mapping[str, Table]] = {table.name: table for table in (CALL_TABLE, LOG_TABLE)}
FORMS: Final[Mapping[str, Format]] = {name: form for name, form in FORMATS.items() if form is not JSON}
_MOST_UNDER_WAY: Final = 20


async def begun(request: Request, caller: Caller, body: dict[str, Any], key: str = "") -> Export:
    """Begin to write all rows that match into a file; the same export for the same `key`. Raises RequestProblem."""
    reader, runs = reader_of(request), runs_of(request)
    question, listing = await _listing(request, caller.view, body)
    if len(key) > 128:
        raise invalid("Idempotency-Key", key, "is longer than 128 characters")
    id_ = (
        hashlib.sha256(repr((caller.tenant, caller.name, key)).encode()).hexdigest()[:32]
        if key
        else secrets.token_hex(16)
    )
    export = await find(reader, caller.tenant, id_) if key else None
    if export is not None and question_in(export) != body:
        raise RequestProblem(
            422,
            "idempotency_key_reused",
            f"Idempotency-Key {key!r} was sent with another body before; send another key, or the same body.",
            field="Idempotency-Key",
        )
    if export is None:
        under_way = [each for each in await of_tenant(reader, caller.tenant) if each.state in ("pending", "running")]
        if len(under_way) >= _MOST_UNDER_WAY:
            raise RequestProblem(
                429,
                "too_many_requests",
                f"{len(under_way)} exports are under way; wait for one.",
                headers={"Retry-After": "10"},
            )
        settings: Settings = request.app.state.settings
        now = clock.now_ms()
        export = Export(
            tenant=caller.tenant, id=id_, name=caller.name, extension="" if caller.sees_all else caller.extension,
            masked=int(caller.masked), question=orjson.dumps(body).decode(), state="pending", rows=0,
            bytes=0, sha256="", problem="", created_at=now, seen_at=now,
            expires_at=now + settings.export_days * DAY_MS,
        )  # fmt: skip
        export = await save(reader, export)
        runs.begin(export, listing, question)
        for old in await runs.expired(caller.tenant):
            await runs.delete(old, form_of(old).ending)
    return export


def runs_of(request: Request) -> ExportRuns:
    runs: ExportRuns = request.app.state.exports
    return runs


def sees(caller: Caller, export: Export) -> bool:
    """Whether the export shows nothing that the caller may not see."""
    return caller.sees_all or (caller.extension == export.extension and bool(export.extension))


def question_in(export: Export) -> dict[str, Any]:
    question: dict[str, Any] = orjson.loads(export.question)
    return question


def source_of(export: Export) -> str:
    return str(question_in(export).get("of") or "calls")


def form_of(export: Export) -> Format:
    return FORMS[question_in(export).get("format") or CSV.name]


async def found(request: Request, caller: Caller, id_: str, *, going_on: bool = True) -> Export:
    """The export of this id; one that nobody works on any more is begun again."""
    export = await find(reader_of(request), caller.tenant, id_[:64])
    if export is None or not sees(caller, export) or export.expires_at < clock.now_ms():
        raise not_found(f"There is no export {id_[:64]!r}.")
    if caller.masked and not export.masked:
        raise RequestProblem(403, "forbidden", "The export holds numbers in full; the token lacks numbers:clear.")
    runs = runs_of(request)
    if going_on and export.state in ("pending", "running") and not runs.working_on(export):
        view = View(export.tenant, export.extension or None, bool(export.masked))
        question, listing = await _listing(request, view, question_in(export))
        runs.begin(export, listing, question)
    return export


async def _listing(request: Request, view: View, body: dict[str, Any]) -> tuple[ListQuestion, Listing]:
    """The rows that an export's question asks for. Raises RequestProblem."""
    name = body.get("of") or "calls"
    if not isinstance(name, str) or name not in EXPORTED:
        raise invalid("of", str(name), f"is none of {', '.join(EXPORTED)}")
    form = FORMS.get(str(body.get("format") or CSV.name))
    if form is None:
        raise invalid("format", str(body["format"]), f"is none of {', '.join(FORMS)}")
    look = await look_of(request, view)
    members = {key: value for key, value in body.items() if key not in ("of", "format")}
    zone = await zone_asked(request, view, members.get("zone"))
    question = question_of(EXPORTED[name], members, look, form, zone)
    where = await sought(request, view, EXPORTED[name], members.get("q"), question.where)
    question = replace(question, where=where)
    return question, listing_of(view, EXPORTED[name], question, look)
