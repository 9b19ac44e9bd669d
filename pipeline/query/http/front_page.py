"""`/`: what this service is and where to go, as a page for browsers and as JSON for programs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import orjson
from fastapi import APIRouter, Request
from jinja2 import Environment
from starlette.responses import Response

from pipeline import __version__
from pipeline.query.http.documents import STATIC

# One style sheet of this service, no script, no form.
_PAGE_POLICY: Final = (
    "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Link:
    """A path of this service. `token`: it answers 401 without one, so the page shows it without a link."""

    path: str
    about: str
    token: bool = False


LINKS: Final = (
    Link("/docs", "Every operation, to read and to try"),
    Link("/v1/calls", "Calls in our own words, in progress and finished", token=True),
    Link("/api/cdrs", "Call detail records and reports as PortSIP PBX gives them", token=True),
    Link("/api/cdrs/limit/5", "Call detail records as CommPeak gives them", token=True),
    Link("/rest/call/allcalls", "Call reports as ipcortex gives them", token=True),
    Link("/openapi/v1.0/cdr/search", "Call detail records as the Yeastar P-Series gives them", token=True),
    Link("/ingest/canonical", "POST call events of your own here", token=True),
    Link("/openapi.json", "The operations as an OpenAPI 3.1 document"),
    Link("/asyncapi.json", "The Kafka topics as an AsyncAPI document"),
    Link("/readyz", "Whether the service can answer questions"),
    Link("/version", "Its version"),
)


@router.get("/")
async def front_page(request: Request) -> Response:
    """HTML where the client asks for it by name, as browsers do (RFC 9110, 12.5.1); JSON for everybody else."""
    headers = {"Vary": "Accept", "Cache-Control": "no-cache"}
    if "text/html" in request.headers.get("accept", ""):
        headers |= {"Content-Security-Policy": _PAGE_POLICY, "Referrer-Policy": "no-referrer"}
        return Response(_page(), media_type="text/html", headers=headers)
    return Response(_index(), media_type="application/json", headers=headers)


@cache
def _page() -> str:
    source = (STATIC / "front.html").read_text()
    return Environment(autoescape=True).from_string(source).render(version=__version__, links=LINKS)


@cache
def _index() -> bytes:
    links = [{"path": link.path, "about": link.about, "token": link.token} for link in LINKS]
    return orjson.dumps({"name": "Call detail records", "version": __version__, "links": links})
