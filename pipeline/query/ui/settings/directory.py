"""The directory: what is in force, and a file of it, whose differences are shown before they take effect."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import orjson
from fastapi import Request
from starlette.responses import Response

from pipeline.directory.changes import Change, applied, difference
from pipeline.directory.files import Wanted, export, parse, plain
from pipeline.directory.model import KINDS, PLURALS, Directory, Entry, Key, build
from pipeline.directory.validate import dangling
from pipeline.errors import Problem
from pipeline.query.access.caller import Caller
from pipeline.query.access.dependencies import allowed
from pipeline.query.http.problems import RequestProblem
from pipeline.query.http.stored_files import disposition
from pipeline.query.questions.endpoint import directory_of
from pipeline.query.ui.frame import forgery
from pipeline.query.ui.frame.language import N_
from pipeline.query.ui.frame.page import page, pages
from pipeline.query.ui.frame.session import Visiting, Visitor
from pipeline.query.ui.frame.urls import query_of
from pipeline.query.ui.settings.doors import admin, ask
from pipeline.warehouse.query.view import HiddenNumbers
from pipeline.warehouse.reference.directories import DomainTaken, load_entries
from pipeline.warehouse.reference.directory_editor import Editor

router = pages()

NAMES: Final = {
    "company": N_("Companies"),
    "extension": N_("Extensions"),
    "group": N_("Groups of extensions"),
    "trunk": N_("Trunks"),
    "queue": N_("Queues"),
    "ring_group": N_("Ring groups"),
    "did": N_("Numbers from outside"),
    "tenant": N_("The company"),
}
ACTIONS: Final = {"add": (N_("New"), "good"), "change": (N_("Other"), "warn"), "remove": (N_("Goes"), "bad")}
_LONGEST: Final = 900_000
_SHOWN: Final = 500
_WRITE: Final = "directory:write"


class _OtherNow(Exception):
    """The directory is no longer what the differences were shown of."""

    def __init__(self, changes: list[Change]) -> None:
        super().__init__()
        self.changes = changes


@router.get("/settings/directory")
async def show(request: Request, visitor: Visiting) -> Response:
    """Entries of a kind, as they are in force."""
    caller = admin(visitor)
    directory = await directory_of(request, caller.view)
    kind = query_of(request).get("kind", "extension")
    kind = kind if kind in KINDS else "extension"
    entries: list[Entry] = [directory.tenant] if kind == "tenant" else list(getattr(directory, PLURALS[kind]).values())
    rows = [plain(entry, whole=True) for entry in entries[:_SHOWN]]
    return page(
        visitor,
        request,
        "settings/directory.html",
        title=visitor.language.say(N_("Directory")),
        kind=kind,
        names=NAMES,
        counts=_counts(directory),
        rows=[{name: _as_text(value) for name, value in row.items()} for row in rows],
        columns=[name for name in KINDS[kind].__dataclass_fields__ if name != "logo"],
        more=max(0, len(entries) - _SHOWN),
        may_write=caller.may(_WRITE) and not caller.masked,
    )


@router.get("/settings/directory/file")
async def file(request: Request, visitor: Visiting) -> Response:
    """All of it as YAML, as it can be sent back changed."""
    caller = admin(visitor)
    if caller.masked:
        raise HiddenNumbers("directory")
    entries = await ask(request, lambda client: load_entries(client, caller.tenant))
    text = export({caller.tenant: entries})
    headers = {"Content-Disposition": disposition("attachment", "directory.yaml"), "Cache-Control": "no-store"}
    return Response(text.encode(), headers=headers, media_type="application/yaml")


@router.get("/settings/directory/change")
async def form_page(request: Request, visitor: Visiting) -> Response:
    """The form for a file."""
    _writer(visitor)
    return _page(request, visitor, {})


@router.post("/settings/directory/change")
async def change(request: Request, visitor: Visiting) -> Response:
    """Show the differences; with `seen`, which stands for those that were shown, make them."""
    names = ("text", "form", "prune", "seen")
    form = await forgery.checked_form(request, visitor.form_secret, names, longest=_LONGEST)
    caller = _writer(visitor)
    given = {name: form.text(name) or "" for name in names}
    try:
        wanted = _wanted(given, caller)
        if not given["seen"]:
            now = await ask(request, lambda client: load_entries(client, caller.tenant))
            return _page(request, visitor, given, changes=_changes(caller.tenant, now, wanted, given))
        done = await _made(request, caller, given, wanted)
    except Problem as problem:
        return _page(request, visitor, given, problem=str(problem), status=400)
    except DomainTaken:  # whose it is, is nobody else's business
        taken = "domain is taken; a domain belongs to one tenant. Leave it out."
        return _page(request, visitor, given, problem=taken, status=409)
    except _OtherNow as other:
        return _page(request, visitor, given, changes=other.changes, other=True, status=409)
    request.app.state.directories.forget(caller.tenant)
    return _page(request, visitor, {}, done=done)


def _writer(visitor: Visitor) -> Caller:
    caller = allowed(admin(visitor), _WRITE)
    if caller.masked:
        why = "Numbers are masked for you and would be written back so; it needs numbers:clear."
        raise RequestProblem(403, "forbidden", why)
    return caller


def _wanted(given: Mapping[str, str], caller: Caller) -> Wanted:
    """What the text wants of the company's directory. Raises Problem."""
    found = parse(given["text"], "directory.csv" if given["form"] == "csv" else "directory.yaml", caller.tenant)
    others = [tenant for tenant in found if tenant != caller.tenant]
    if others or caller.tenant not in found:
        named = ", ".join(repr(other[:40]) for other in others) or "nothing"
        raise Problem(f"The text is about {named}.", hint=f"Write tenant: {caller.tenant}, or leave it out.")
    return found[caller.tenant]


def _changes(tenant: str, now: Mapping[Key, Entry], wanted: Wanted, given: Mapping[str, str]) -> list[Change]:
    """What would change. Raises Problem when entries would name others that are not there."""
    changes = difference(now, wanted, prune=bool(given["prune"]))
    known = dangling(build(tenant, now))
    faults = [fault for fault in dangling(build(tenant, applied(now, changes))) if fault not in known]
    if faults:
        raise Problem("; ".join(faults[:10]), hint="Nothing was changed.")
    return changes


async def _made(request: Request, caller: Caller, given: Mapping[str, str], wanted: Wanted) -> int:
    """Make the changes that were seen; how many there were. Raises _OtherNow when they are others by now."""

    def decide(now: dict[Key, Entry]) -> tuple[Mapping[Key, Entry | None], int]:
        changes = _changes(caller.tenant, now, wanted, given)
        if mark_of(changes) != given["seen"]:
            raise _OtherNow(changes)
        return {(each.kind, each.key): each.after for each in changes}, len(changes)

    editor: Editor = request.app.state.editor
    return await editor.edit(caller.tenant, f"{caller.name} in the web interface", decide)


def mark_of(changes: list[Change]) -> str:
    """What stands for differences: the same for the same ones."""
    return hashlib.sha256(repr(changes).encode("utf-8", "replace")).hexdigest()[:32]


def _page(
    request: Request,
    visitor: Visitor,
    given: Mapping[str, str],
    *,
    changes: list[Change] | None = None,
    problem: str = "",
    other: bool = False,
    done: int | None = None,
    status: int = 200,
) -> Response:
    tenant = visitor.caller.tenant
    return page(
        visitor,
        request,
        "settings/directory_change.html",
        status=status,
        title=visitor.language.say(N_("Change the directory")),
        given={"text": "", "form": "yaml", "prune": "", **given},
        changes=[each.row(tenant) for each in changes[:_SHOWN]] if changes is not None else None,
        number=len(changes or ()),
        mark=mark_of(changes) if changes else "",
        problem=problem,
        other=other,
        done=done,
        names=NAMES,
        actions=ACTIONS,
    )


def _counts(directory: Directory) -> dict[str, int]:
    return {kind: 1 if kind == "tenant" else len(getattr(directory, PLURALS[kind])) for kind in NAMES}


def _as_text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(each if isinstance(each, str) else orjson.dumps(each).decode() for each in value)
    return orjson.dumps(value).decode() if isinstance(value, dict) else "" if value is None else str(value)
