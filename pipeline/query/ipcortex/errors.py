"""ipcortex' envelope: HTTP 200 with `result` success, fail or retry; why, in `message`."""

from __future__ import annotations

from typing import Any

import orjson
from starlette.responses import Response

from pipeline.query.http.problems import RequestProblem


def ipcortex_response(problem: RequestProblem, _path: str) -> Response:
    """The problem in this surface's form: retry when it will pass by itself."""
    result = "retry" if problem.code in ("busy", "too_many_requests", "unavailable") else "fail"
    headers = {name: value for name, value in problem.headers.items() if name.lower() == "retry-after"}
    return ipcortex_json({"result": result, "message": problem.detail}, headers)


def ipcortex_json(body: Any, headers: dict[str, str] | None = None) -> Response:
    """A body of this surface."""
    return Response(
        orjson.dumps(body), media_type="application/json", headers={"Cache-Control": "no-store"} | (headers or {})
    )
