"""A place to paste raw events: what they are decoded to, what is refused and why, and the calls that they fold to."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import orjson
from fastapi import Request
from msgspec import to_builtins
from starlette.responses import Response

from pipeline import clock
from pipeline.errors import Problem
from pipeline.ingest import bodies
from pipeline.ingest.files.fold import Folded, fold_values
from pipeline.query.http.problems import invalid
from pipeline.query.ui.call.story import sentence
from pipeline.query.ui.frame import forgery
from pipeline.query.ui.frame.language import N_
from pipeline.query.ui.frame.page import page, pages
from pipeline.query.ui.frame.session import Visiting, Visitor
from pipeline.query.ui.health.nodes import caretaker
from pipeline.settings import Settings
from pipeline.sources.contract import Options
from pipeline.sources.registry import SOURCES

router = pages()

NAMES: Final = tuple(name for name in SOURCES if name != "sip")  # packets cannot be pasted
_FIELDS: Final = ("source", "events", "zone", "node", "expired")
_LONGEST: Final = 500_000
_MOST: Final = 2_000  # events pasted at once
_SHOWN: Final = 20  # calls


@router.get("/health/fold")
async def show(request: Request, visitor: Visiting) -> Response:
    """The form."""
    caretaker(visitor)
    return _page(request, visitor, dict.fromkeys(_FIELDS, "") | {"source": NAMES[0]})


@router.post("/health/fold")
async def fold(request: Request, visitor: Visiting) -> Response:
    """What was pasted, decoded and folded; nothing of it is kept."""
    form = await forgery.checked_form(request, visitor.form_secret, _FIELDS, longest=_LONGEST)
    caretaker(visitor)
    given = {name: form.text(name) or "" for name in _FIELDS}
    try:
        found = await asyncio.to_thread(_folded, given, visitor, request.app.state.settings)
    except (Problem, bodies.Unreadable) as problem:
        return _page(request, visitor, given, problem=str(problem), status=400)
    return _page(request, visitor, given, found=found)


def _folded(given: Mapping[str, str], visitor: Visitor, settings: Settings) -> Folded:
    """Raises Problem, Unreadable, RequestProblem."""
    if given["source"] not in NAMES:
        raise invalid("source", given["source"], f"is none of {', '.join(NAMES)}")
    values = bodies.values(given["events"].encode("utf-8", "replace"), "application/json")
    if len(values) > _MOST:
        raise invalid("events", None, f"are {len(values)}; paste at most {_MOST}")
    options = Options(
        visitor.caller.tenant,
        given["zone"] or settings.zone,
        {} if given["zone"] else settings.zones,
        given["node"],
        sip_ids=True,
        call_id_suffixes=tuple(settings.call_id_suffixes),
    )
    return fold_values(given["source"], values, now_ms=clock.now_ms(), expired=bool(given["expired"]), options=options)


def _page(
    request: Request,
    visitor: Visitor,
    given: Mapping[str, str],
    *,
    found: Folded | None = None,
    problem: str = "",
    status: int = 200,
) -> Response:
    calls = found.calls if found else []
    return page(
        visitor,
        request,
        "health/fold.html",
        status=status,
        title=visitor.language.say(N_("What does it fold to?")),
        given=given,
        names=NAMES,
        problem=problem,
        found=found,
        calls=[(call, sentence(visitor, call), _json(call)) for call in calls[:_SHOWN]],
        more=max(0, len(calls) - _SHOWN),
        events="\n".join(orjson.dumps(to_builtins(event)).decode() for event in found.events[:500]) if found else "",
    )


def _json(call: Mapping[str, Any]) -> str:
    return orjson.dumps(call, option=orjson.OPT_INDENT_2).decode()
