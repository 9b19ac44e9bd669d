"""What goes wrong with a request, in each surface's own form.

Under `/api` PortSIP's body {"errors": [{"code", "message", "detail"}]}; other vendors' forms where they
say so; elsewhere RFC 9457 problem details.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

import orjson
from pydantic import BaseModel, Field
from starlette.responses import Response

from pipeline.errors import BadField, CdrError

_PORTSIP_CODES: Final = {
    "invalid": "VALIDATE_FAILED",
    "unauthorized": "UNAUTHORIZED",
    "forbidden": "FORBIDDEN",
    "not_found": "NOT_FOUND",
    "method_not_allowed": "METHOD_NOT_ALLOWED",
    "too_many_logins": "TOO_MANY_REQUESTS",
    "too_many_requests": "TOO_MANY_REQUESTS",
    "unavailable": "UNAVAILABLE",
}
_PORTSIP_MESSAGES: Final = {
    "invalid": "field validation failed",
    "unauthorized": "Login failed, authentication error",
    "unknown": "unknown error",
}


class RequestProblem(CdrError):
    """A request that is refused. `code` is one of our words (see _PORTSIP_CODES); `detail` names the
    field, the value and the fix; `field` is the parameter, if one is at fault."""

    def __init__(
        self, status: int, code: str, detail: str, *, field: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.field = field
        self.headers = dict(headers or {})


def invalid(field: str, value: str | None, fix: str) -> RequestProblem:
    """400: `field` has `value`; `fix` says what to write instead."""
    return refusal(BadField(field, value, fix))


def refusal(error: BadField) -> RequestProblem:
    """400 for what a part below says of a field."""
    return RequestProblem(400, "invalid", str(error), field=error.field)


def not_found(what: str) -> RequestProblem:
    return RequestProblem(404, "not_found", what)


def unauthorized(why: str, error: str = "", *, basic: bool = False) -> RequestProblem:
    """401 with the challenge of RFC 6750; with `basic`, that of RFC 7617 too."""
    challenge = 'Bearer realm="cdr"' + (f', error="{error}"' if error else "")
    if basic:
        challenge = f'Basic realm="cdr", charset="UTF-8", {challenge}'
    return RequestProblem(401, "unauthorized", why, headers={"WWW-Authenticate": challenge})


def unavailable(why: str, retry_after_s: int = 2) -> RequestProblem:
    return RequestProblem(503, "unavailable", why, headers={"Retry-After": str(retry_after_s)})


Form = Callable[[RequestProblem, str], Response]
_FORMS: Final[list[tuple[re.Pattern[str], Form]]] = []


def speaks(paths: str, form: Form) -> None:
    """Problems at paths that begin like this pattern are said in a surface's own form."""
    _FORMS.append((re.compile(paths), form))


def response(problem: RequestProblem, path: str, request_id: str) -> Response:
    """The problem in the form of the surface that `path` belongs to."""
    for paths, form in _FORMS:
        if paths.match(path):
            return form(problem, path)
    if path == "/api" or path.startswith("/api/"):
        return Response(orjson.dumps(_portsip(problem)), problem.status, problem.headers, media_type="application/json")
    body = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        "instance": path[:200],
        "code": problem.code,
        "request_id": request_id,
    }
    if problem.field:
        body["errors"] = [{"field": problem.field, "detail": problem.detail}]
    return Response(orjson.dumps(body), problem.status, problem.headers, media_type="application/problem+json")


def _portsip(problem: RequestProblem) -> dict[str, Any]:
    return {
        "errors": [
            {
                "code": _PORTSIP_CODES.get(problem.code, "UNKNOWN"),
                "message": _PORTSIP_MESSAGES.get(problem.code, problem.detail),
                "detail": problem.detail,
            }
        ]
    }


class Problem(BaseModel):
    """Problem details, RFC 9457."""

    type: str = Field(examples=["about:blank"])
    title: str = Field(examples=["Bad Request"])
    status: int = Field(examples=[400])
    detail: str = Field(examples=["limit '0': is no whole number from 1 to 1000; leave it out for 100"])
    instance: str = Field(examples=["/v1/calls"])
    code: str = Field(examples=["invalid"])
    request_id: str = Field(examples=["4f0c6c1e9c1b4a3e8f4f8b6f3f0c2d11"])
