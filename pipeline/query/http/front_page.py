"""`/`: the web interface for browsers, and for programs where to go, as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Final

import orjson
from fastapi import APIRouter, Request
from starlette.responses import RedirectResponse, Response

from pipeline import __version__

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Link:
    """A path of this service. `token`: it answers 401 without one."""

    path: str
    about: str
    token: bool = False


LINKS: Final = (
    Link("/ui/", "The web interface"),
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
    """The pages where the client asks for HTML by name, as browsers do (RFC 9110, 12.5.1); JSON for everybody else."""
    headers = {"Vary": "Accept", "Cache-Control": "no-cache"}
    if "text/html" in request.headers.get("accept", ""):
        return RedirectResponse("/ui/", 303, headers)
    return Response(_index(), media_type="application/json", headers=headers)


@cache
def _index() -> bytes:
    links = [{"path": link.path, "about": link.about, "token": link.token} for link in LINKS]
    return orjson.dumps({"name": "Call detail records", "version": __version__, "links": links})
