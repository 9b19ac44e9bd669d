"""Yeastar's errors: always HTTP 200, with an errcode (vendor page "Error Code and Error Message")."""

from __future__ import annotations

from typing import Any, Final

import orjson
from starlette.responses import Response

from pipeline.query.http.problems import RequestProblem

SUCCESS: Final[dict[str, Any]] = {"errcode": 0, "errmsg": "SUCCESS"}

# Our word for what went wrong -> the vendor's code and message.
_CODES: Final = {
    "unknown": (-2, "INTERNAL SERVER ERROR"),
    "not_found": (10001, "INTERFACE NOT EXISTED"),
    "method_not_allowed": (10001, "INTERFACE NOT EXISTED"),
    "version": (10003, "API VERSION UNSUPPORTED"),
    "expired": (10004, "TOKEN EXPIRED"),
    "unauthorized": (10004, "TOKEN EXPIRED"),
    "forbidden": (10005, "ACCESS DENIED"),
    "unavailable": (10009, "OPERATION FAILED"),
    "malformed": (40001, "PARAMETER SYNTAX ERROR"),
    "invalid": (40002, "PARAMETER ERROR"),
    "too_large": (40004, "FILE SIZE EXCEEDED"),
    "too_many_requests": (60002, "MAX LIMITATION EXCEEDED"),
    "too_costly": (70082, "OVERLOAD_TASK_RUNNING"),
    "too_many_logins": (70004, "ACCOUNT IP BLOCKED"),
}


def yeastar_response(problem: RequestProblem, path: str) -> Response:
    """The problem as the vendor says it; `detail` says what to mend."""
    other = problem.code == "not_found" and not path.startswith("/openapi/v1.0/")
    code, message = _CODES["version"] if other else _CODES.get(problem.code, (-1, "FAILURE"))
    headers = {name: value for name, value in problem.headers.items() if name.lower() == "retry-after"}
    return yeastar_json({"errcode": code, "errmsg": message, "detail": problem.detail}, headers)


def yeastar_json(body: Any, headers: dict[str, str] | None = None) -> Response:
    """A body of this surface."""
    return Response(
        orjson.dumps(body), media_type="application/json", headers={"Cache-Control": "no-store"} | (headers or {})
    )
