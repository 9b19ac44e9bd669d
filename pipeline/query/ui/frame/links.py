"""One-time links: who has a token, or is a program that has one, opens the pages in a browser with one click.

`make run` prints such a link for its local user.
"""

from __future__ import annotations

from typing import Final

import orjson
from fastapi import APIRouter, Request
from starlette.responses import Response

from pipeline.query.access.authenticator import Authenticator
from pipeline.query.access.dependencies import Authenticated
from pipeline.query.ui.frame.session import LINK

_GOOD_S: Final = 24 * 3600

router = APIRouter(prefix="/ui", include_in_schema=False)


@router.post("/links")
async def make_link(request: Request, caller: Authenticated) -> Response:
    """A path that signs in whoever opens it first, within a day, with the rights of this token."""
    gate: Authenticator = request.app.state.gate
    token = await gate.issue(caller, LINK, _GOOD_S)
    body = {"path": f"/ui/enter/{token}", "expires_in_s": _GOOD_S}
    return Response(orjson.dumps(body), 201, {"Cache-Control": "no-store"}, media_type="application/json")
