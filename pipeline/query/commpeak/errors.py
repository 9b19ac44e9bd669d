"""CommPeak's errors: the HTTP status, and what is wrong in `error`."""

from __future__ import annotations

import orjson
from starlette.responses import Response

from pipeline.query.http.problems import RequestProblem


def commpeak_response(problem: RequestProblem, _path: str) -> Response:
    """The problem in this surface's form; `field` is there when one is at fault."""
    body = {"error": problem.detail} | ({"field": problem.field} if problem.field else {})
    return Response(orjson.dumps(body), problem.status, problem.headers, media_type="application/json")
