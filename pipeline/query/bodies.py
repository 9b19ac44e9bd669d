"""JSON bodies of requests: bounded in size, UTF-8, objects only."""

from __future__ import annotations

from typing import Any, Final

import orjson
from fastapi import Request

from pipeline.query.problems import RequestProblem, shortened

_MOST_BYTES: Final = 1 << 20


async def json_object(request: Request, most_bytes: int = _MOST_BYTES) -> dict[str, Any]:
    """The body as a JSON object, whatever its Content-Type says. Raises RequestProblem with the codes
    too_large and malformed."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most_bytes:
            raise RequestProblem(413, "too_large", f"The body is larger than {most_bytes} bytes; send less.")
    try:
        found = orjson.loads(bytes(body))
    except ValueError as error:
        raise RequestProblem(400, "malformed", f"The body is no JSON ({error}); send a JSON object.") from None
    if not isinstance(found, dict):
        kind = type(found).__name__
        raise RequestProblem(400, "malformed", f"The body is a JSON {kind}, not an object; send {{…}}.")
    return found


def shown(value: object) -> str:
    """A JSON value as a message quotes it."""
    try:
        return shortened(orjson.dumps(value).decode())
    except (TypeError, ValueError):
        return shortened(repr(value))
