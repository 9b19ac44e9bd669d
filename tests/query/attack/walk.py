"""Every question that every surface understands, asked so that it shows as much as it can: what one caller is shown of
everything. The OpenAPI document and the mounted routes say which there are, so that a new one is walked too."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import quote

import httpx
from fastapi import FastAPI
from fastapi.routing import APIRoute

from pipeline.directory.model import PLURALS
from pipeline.query.commpeak import list as commpeak_list
from pipeline.query.commpeak.fields import GROUPS
from pipeline.query.questions.aggregates import VISIT_DIMENSIONS
from pipeline.query.questions.lists.included import PARTS
from pipeline.query.questions.lists.tables import CALL_TABLE, LOG_TABLE
from pipeline.query.routes import routers
from pipeline.query.ui.calls.columns import ALL as COLUMNS
from pipeline.reports.catalogue import ALL
from pipeline.settings import Settings
from tests.query.attack.crossing import send
from tests.query.attack.surface import Call, bases

# Their answers hold no call: documents of the service itself, logins, what takes events in, and what is written with
# an answer that says no more than an id. A route that is neither walked nor here fails the walk.
NO_CALLS: Final = frozenset(
    {
        *("/", "/asyncapi.json", "/schemas/{name}", "/docs", "/docs/{name:path}", "/openapi.json", "/ingest/{source}"),
        *("/rest/auth", "/rest/auth/", "/rest/auth/logout", "/openapi/v1.0/get_token", "/openapi/v1.0/refresh_token"),
        *("/api/login/oauth/token", "/api/login/oauth/revoke", "/api/call_reports/{id}/destroy"),
        *("/api/completed_call_reports/{id}/destroy", "/v1/reports/schedules/{id}", "/v1/webhooks/{id}/test"),
        *("/v1/webhooks/{id}/deliveries/{message}/replay", "/front/{name}", "/v1/tickets"),
        *("/ui", "/ui/", "/ui/{rest:path}", "/ui/static/{name:path}", "/ui/links", "/ui/enter/{token}"),
        *("/ui/sign-in", "/ui/sign-out", "/ui/preferences", "/ui/calls/export", "/ui/calls/views"),
        *("/ui/sign-in/provider", "/ui/sign-in/provider/back"),
        *("/ui/health/dead-letters/replay", "/ui/settings/users/{change}", "/ui/settings/tokens/{id}/revoke"),
        "/ui/settings/decks/remove",
    }
)
# Streams have no end: tests/query/v1/test_stream.py, tests/push/test_stream.py and tests/ui/test_now.py follow them.
STREAMS: Final = frozenset({"/v1/calls/stream", "/v1/cdrs/stream", "/ui/now/stream"})
_SPAN: Final = {"from": "2024-08-01T00:00:00Z", "to": "2024-09-01T00:00:00Z"}
_DAY: Final = {"start_at": "2024-08-01 00:00:00", "end_at": "2024-09-01 00:00:00"}
_MONTH: Final = {"year": 2024, "month": 8}
_OPTIONS: Final = {"order": "dst;desc"} | {
    name: "2024-01-01 00:00:00;>" if column.kind == "time" else "0;>=" if column.kind in ("number", "id") else "0;!="
    for name, column in commpeak_list._FIELDS.items()
}
_AT_ONCE: Final = 4


def mounted(settings: Settings) -> set[str]:
    """The paths of all routes, those that the OpenAPI document leaves out among them."""
    return {route.path for router in routers(settings) for route in router.routes if isinstance(route, APIRoute)}


def unwalked(settings: Settings, walked: Sequence[Call]) -> set[str]:
    """The paths of routes that may show calls and that nobody asked."""
    asked = {call.path for call in walked}
    left = mounted(settings) - NO_CALLS - STREAMS
    return {path for path in left if not any(each.startswith(path.partition("{")[0]) for each in asked)}


def questions(app: FastAPI, ids: Mapping[str, str], token: str) -> Iterator[Call]:
    """Requests that only ask, of all surfaces: the examples of the document, and each surface's widest."""
    yield from bases(app, ids)
    yield Call("POST", f"/api/user/cdrs/sync_tokens/{ids['sync']}/diff")
    for path, table in (("/v1/calls", CALL_TABLE), ("/v1/call-logs", LOG_TABLE)):
        fields = ",".join(table.fields)
        for form in ("json", "csv"):
            yield Call("GET", path, (("fields", fields), ("format", form)))
        if table is CALL_TABLE:
            yield Call("GET", path, (("include", ",".join(PARTS)),))
        yield Call("POST", f"{path}/search", body={**_SPAN, "fields": list(table.fields), "format": "ndjson"})
        texts = [name for name, field in table.fields.items() if field.kind == "text" and name != "tenant"]
        for start in range(0, len(texts), 6):
            asked = {"of": table.name, "by": ",".join(texts[start : start + 6]), "measures": "calls"}
            yield Call("GET", "/v1/aggregate", tuple(asked.items()))
    asked = {"of": "queue-visits", "by": ",".join(VISIT_DIMENSIONS), "measures": "calls", "format": "csv"}
    yield Call("GET", "/v1/aggregate", tuple(asked.items()))
    yield Call("GET", "/v1/search", (("q", "632960"),))
    yield Call("GET", "/v1/search", (("q", "Ann"),))
    for path in ("/api/cdrs", "/api/user/cdrs", "/api/calllogs", "/api/sessions"):
        yield Call("GET", path)
    yield Call("GET", "/api/cdrs", (("orderby", "caller desc"), ("filter", "contains(caller,'960')")))
    for type_ in ALL:
        for form in ("json", "csv", "html") if type_ == "NORMAL" else ("html",):
            yield Call("GET", f"/v1/reports/{type_}", (*_SPAN.items(), ("format", form)))
    yield Call("POST", "/api/cdrs/cdrs-aggregate", body={"group": ";".join(GROUPS), "filter": _DAY})
    for name, value in _OPTIONS.items():
        yield Call("GET", f"/api/cdrs/{name}/{quote(value)}")
    for report in ("incalls", "outcalls", "allcalls", "outsummary"):
        yield Call("POST", f"/rest/call/{report}", body={"scope": {**_MONTH, "detail": True}})
    agent = (("User-Agent", "walk"),)
    for path in ("cdr/list", "cdr/search", "extension_group/list"):
        yield Call("GET", f"/openapi/v1.0/{path}", (("access_token", token), ("page_size", "100")), agent)
    yield from pages(ids)
    for kind, plural in PLURALS.items():
        yield Call("GET", f"/v1/directory/{kind if kind == 'tenant' else plural}")


def pages(ids: Mapping[str, str]) -> Iterator[Call]:
    """The pages of the web interface."""
    month = (("from", "2024-08-01"), ("to", "2024-08-31"), ("limit", "500"))
    yield Call("GET", "/ui/calls", month)
    yield Call("GET", "/ui/calls", (*month, ("col", ",".join(column.name for column in COLUMNS))))
    yield Call("GET", "/ui/calls", (*month, ("q", "632960")))
    for path in ("now", "exports", f"exports/{ids['/v1/exports/{id}']}", f"exports/{ids['/v1/exports/{id}']}/file"):
        yield Call("GET", f"/ui/{path}")
    yield Call("GET", "/ui/missed", (*month[:2], ("all", "1")))
    yield Call("GET", "/ui/overview", month[:2])
    yield Call("GET", "/ui/trunks", month[:2])
    yield Call("GET", "/ui/money", month[:2])
    yield Call("GET", "/ui/money/price", (("number", "+441632960000"),))
    report, run = ids["/api/call_reports/{id}"], ids["/api/completed_call_reports/{id}"]
    for path in ("", "/new", "/new?type=NORMAL", f"/{report}", f"/{report}/edit", f"/files/{run}"):
        yield Call("GET", f"/ui/reports{path}")
    for path in ("", "/fold", "/checks", "/dead-letters"):
        yield Call("GET", f"/ui/health{path}")
    for path in ("", "/users", "/tokens", "/directory", "/directory/file", "/directory/change", "/decks", "/webhooks"):
        yield Call("GET", f"/ui/settings{path}")
    yield Call("GET", f"/ui/settings/webhooks/{ids['/v1/webhooks/{id}']}")
    for kind in PLURALS:
        yield Call("GET", "/ui/settings/directory", (("kind", kind),))
    yield Call("GET", "/ui/settings/retention")
    for path in ("", "/file", "/change"):
        yield Call("GET", f"/ui/settings/decks{path}", (("deck", "retail"),))
    for path in ("", "/timeline.svg", "/ladder.svg"):
        yield Call("GET", f"/ui/calls/{ids['/v1/calls/{id}']}{path}")


async def walk(client: httpx.AsyncClient, asked: Sequence[Call]) -> dict[str, httpx.Response]:
    """The answers, by what was asked."""
    room = asyncio.Semaphore(_AT_ONCE)

    async def one(call: Call) -> tuple[str, httpx.Response]:
        async with room:
            body = "" if call.body is None else json.dumps(call.body)
            return f"{call.method} {call.url} {body}", await send(client, call)

    return dict(await asyncio.gather(*(one(call) for call in asked)))


def said(answer: httpx.Response) -> str:
    """Everything in an answer."""
    headers = "\n".join(f"{name}: {value}" for name, value in answer.headers.items())
    return f"{headers}\n{answer.text}"


def shows(answers: Mapping[str, httpx.Response], marks: Sequence[str]) -> dict[str, list[str]]:
    """What was asked → the marks that the answer shows and that the question did not say itself."""
    found = {}
    for asked, answer in answers.items():
        text = said(answer)
        if seen := [mark for mark in marks if mark in text and mark not in asked]:
            found[asked] = seen
    return found
