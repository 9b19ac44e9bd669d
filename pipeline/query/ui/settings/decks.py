"""Decks that calls are priced by, and a file of one, whose differences are shown before it prices calls."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from clickhouse_connect.driver.client import Client
from fastapi import Request
from starlette.responses import RedirectResponse, Response

from pipeline.errors import Problem
from pipeline.query.access.caller import Caller
from pipeline.query.access.dependencies import allowed
from pipeline.query.http.problems import invalid
from pipeline.query.http.stored_files import disposition
from pipeline.query.prices import accounts_of
from pipeline.query.questions.endpoint import directory_of
from pipeline.query.ui.frame import forgery
from pipeline.query.ui.frame.language import N_
from pipeline.query.ui.frame.page import page, pages
from pipeline.query.ui.frame.session import Visiting, Visitor
from pipeline.query.ui.frame.urls import query_of
from pipeline.query.ui.settings import deck_form
from pipeline.query.ui.settings.doors import admin, ask
from pipeline.rating.changes import difference
from pipeline.rating.deck import Header, Line
from pipeline.rating.deck_file import COLUMNS
from pipeline.rating.deck_text import csv_of
from pipeline.warehouse.identity.access import OPERATE, RATE
from pipeline.warehouse.reference.decks import Known, digest_of, known, lines_of, remove, save

router = pages()

CHANGES: Final = {"new": (N_("New"), "good"), "changed": (N_("Other"), "warn"), "removed": (N_("Goes"), "bad")}
_SHOWN: Final = 100  # lines of a deck
_READ: Final = 5_000
_CHANGES_SHOWN: Final = 500
_LONGEST: Final = 4_000_000  # characters of a file: some 60,000 lines


@dataclass(frozen=True, slots=True)
class Seen:
    """What a file would change: of the lines as rows, of the rest as `field: was -> becomes`. `mark` stands for all of
    it, and for the version that it was seen against."""

    rows: list[dict[str, Any]]
    header: list[str]
    mark: str


class _OtherNow(Exception):
    """The deck is no longer what the differences were shown of."""

    def __init__(self, seen: Seen) -> None:
        super().__init__()
        self.seen = seen


@router.get("/settings/decks")
async def show(request: Request, visitor: Visiting) -> Response:
    """The decks in use that may price calls of the company; with `deck`, its lines that a number begins with."""
    caller, query = admin(visitor), query_of(request)
    mine = await _mine(request, caller)
    chosen = next((deck for deck in mine if deck.header.name == query.get("deck")), None)
    digits = query.get("number").lstrip("+0")
    lines = await ask(request, lambda client: _fitting(client, chosen.header, digits)) if chosen else []
    return page(
        visitor,
        request,
        "settings/decks.html",
        title=visitor.language.say(N_("Decks")),
        decks=mine,
        chosen=chosen,
        number=query.get("number"),
        lines=lines[:_SHOWN],
        more=len(lines) > _SHOWN,
        may_write=caller.may(RATE),
        choices=deck_form.CHOICES,
        may_change=chosen is not None and _may_change(caller, chosen.header),
    )


@router.get("/settings/decks/file")
async def file(request: Request, visitor: Visiting) -> Response:
    """A deck as CSV, as it can be loaded again changed."""
    chosen = await _named(request, admin(visitor), query_of(request).get("deck"))
    text = await ask(request, lambda client: csv_of(lines_of(client, chosen.header)))
    headers = {
        "Content-Disposition": disposition("attachment", f"{chosen.header.name}.csv"),
        "Cache-Control": "no-store",
    }
    return Response(text.encode("utf-8", "replace"), headers=headers, media_type="text/csv")


@router.get("/settings/decks/change")
async def form_page(request: Request, visitor: Visiting) -> Response:
    """The form; with `deck`, what is in use of it."""
    caller = allowed(admin(visitor), RATE)
    name = query_of(request).get("deck")
    if not name:
        return await _page(request, visitor, {})
    chosen = await _named(request, caller, name)
    text = await ask(request, lambda client: csv_of(lines_of(client, chosen.header)))
    return await _page(request, visitor, deck_form.given_of(chosen.header, text if len(text) <= _LONGEST else ""))


@router.post("/settings/decks/change")
async def change(request: Request, visitor: Visiting) -> Response:
    """Show the differences; with `seen`, which stands for those that were shown, load the deck."""
    caller = allowed(admin(visitor), RATE)
    names = (*deck_form.FIELDS, "seen")
    form = await forgery.checked_form(request, visitor.form_secret, names, longest=_LONGEST)
    given = {name: form.text(name) or "" for name in names}
    try:
        header, lines = await asyncio.to_thread(deck_form.read, given, caller.tenant, caller.may(OPERATE))
        seen = await _asked(request, caller, header, lines, given["seen"])
    except Problem as problem:
        return await _page(request, visitor, given, problem=str(problem), status=400)
    except _OtherNow as other:
        return await _page(request, visitor, given, seen=other.seen, other=True, status=409)
    return await _page(request, visitor, given, seen=seen, done=bool(given["seen"]))


@router.post("/settings/decks/remove")
async def take_out(request: Request, visitor: Visiting) -> Response:
    """A deck prices no more calls; it takes a tick."""
    caller = allowed(admin(visitor), RATE)
    form = await forgery.checked_form(request, visitor.form_secret, ("deck", "sure"))
    chosen = await _named(request, caller, form.text("deck") or "")
    if not _may_change(caller, chosen.header):
        raise invalid("deck", chosen.header.name, "is a deck of all companies; it takes the scope operate")
    if not form.text("sure"):
        raise invalid("sure", None, "is not ticked; calls will have no price by this deck from now on")
    await ask(request, lambda client: remove(client, chosen.header.name, _who(caller)))
    return RedirectResponse("/ui/settings/decks", 303)


async def _mine(request: Request, caller: Caller) -> list[Known]:
    return [deck for deck in await ask(request, known) if deck.header.scope.tenant in ("", caller.tenant)]


async def _named(request: Request, caller: Caller, name: str) -> Known:
    """A deck that may price calls of the company."""
    for deck in await _mine(request, caller):
        if deck.header.name == name:
            return deck
    raise invalid("deck", name, "is no deck in use; the page of decks has them")


def _may_change(caller: Caller, header: Header) -> bool:
    return header.scope.tenant == caller.tenant or (not header.scope.tenant and caller.may(OPERATE))


def _who(caller: Caller) -> str:
    return f"{caller.name} in the web interface"


def _fitting(client: Client, header: Header, digits: str) -> list[Line]:
    """The lines whose prefix a number with these digits begins with, or that go on from them; the closest first."""
    fitting = (
        line for line in lines_of(client, header) if line.prefix.startswith(digits) or digits.startswith(line.prefix)
    )
    return sorted(islice(fitting, _READ), key=lambda line: (abs(len(line.prefix) - len(digits)), line.prefix))


async def _asked(request: Request, caller: Caller, header: Header, lines: list[Line], mark: str) -> Seen:
    """What would change; with the mark of what was seen, it is done. Raises Problem, _OtherNow."""

    def work(client: Client) -> Seen | Problem | _OtherNow:
        before = next((deck for deck in known(client) if deck.header.name == header.name), None)
        if before is not None and not _may_change(caller, before.header):
            hint = f"Choose another, such as {caller.tenant} {header.name}."
            return Problem(f"name {header.name!r} is that of a deck that is not yours.", hint=hint)
        seen = _seen(client, before, header, lines)
        if mark and seen.mark != mark:
            return _OtherNow(seen)
        if mark and (seen.rows or seen.header):
            save(client, header, lines, _who(caller))
        return seen

    found = await ask(request, work)
    if isinstance(found, Problem | _OtherNow):
        raise found
    return found


def _seen(client: Client, before: Known | None, header: Header, lines: list[Line]) -> Seen:
    old = list(lines_of(client, before.header)) if before is not None else []
    state = f"{digest_of(header, lines)} {before.header.version if before is not None else 0}"
    changes = deck_form.differences(before.header, header) if before is not None else []
    return Seen(difference(old, lines), changes, hashlib.sha256(state.encode()).hexdigest()[:32])


async def _page(
    request: Request,
    visitor: Visitor,
    given: Mapping[str, str],
    *,
    seen: Seen | None = None,
    problem: str = "",
    other: bool = False,
    done: bool = False,
    status: int = 200,
) -> Response:
    directory = await directory_of(request, visitor.caller.view)
    counts = {name: sum(row["change"] == name for row in seen.rows) for name in CHANGES} if seen else {}
    return page(
        visitor,
        request,
        "settings/deck_change.html",
        status=status,
        title=visitor.language.say(N_("Load a deck")),
        given={**deck_form.USUAL, **given},
        seen=seen,
        rows=seen.rows[:_CHANGES_SHOWN] if seen else [],
        counts=counts,
        changes=CHANGES,
        problem=problem,
        other=other,
        done=done,
        choices=deck_form.CHOICES,
        columns=COLUMNS,
        trunks=sorted(directory.trunks),
        accounts=accounts_of(directory),
        operates=visitor.caller.may(OPERATE),
    )
