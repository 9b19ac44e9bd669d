"""Bodies of requests: bounded in size, UTF-8, JSON objects or forms."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

import orjson
from fastapi import Request

from pipeline.errors import shortened
from pipeline.query.http.parameters import LONGEST_VALUE, Parameters, parse
from pipeline.query.http.problems import RequestProblem, invalid

_MOST_BYTES: Final = 1 << 20
_LARGEST_FORM: Final = 64 * 1024


async def body_of(request: Request, most_bytes: int) -> bytes:
    """The body, at most `most_bytes`; RequestProblem with the code too_large for a larger one."""
    announced = request.headers.get("content-length", "")
    if announced.isascii() and announced.isdigit() and int(announced) > most_bytes:
        raise _too_large(most_bytes)
    held = bytearray()
    async for piece in request.stream():
        held += piece
        if len(held) > most_bytes:
            raise _too_large(most_bytes)
    return bytes(held)


def _too_large(most_bytes: int) -> RequestProblem:
    return RequestProblem(413, "too_large", f"The body is larger than {most_bytes} bytes; send less.", field="body")


async def json_value(request: Request) -> Any:
    """The JSON that a request carries; None for an empty body. Raises RequestProblem: 413 too_large, 400 invalid."""
    body = await body_of(request, _MOST_BYTES)
    try:
        return orjson.loads(body) if body else None
    except ValueError as error:
        raise invalid("body", None, f"is no JSON ({error}); send one object") from None


async def json_object(request: Request, most_bytes: int = _MOST_BYTES) -> dict[str, Any]:
    """The body as a JSON object, whatever its Content-Type says. Raises RequestProblem with the codes
    too_large and malformed."""
    try:
        found = orjson.loads(await body_of(request, most_bytes))
    except ValueError as error:
        raise RequestProblem(400, "malformed", f"The body is no JSON ({error}); send a JSON object.") from None
    if not isinstance(found, dict):
        kind = type(found).__name__
        raise RequestProblem(400, "malformed", f"The body is a JSON {kind}, not an object; send {{…}}.")
    return found


async def form_of(
    request: Request, known: Collection[str], repeatable: Collection[str] = (), longest: int = LONGEST_VALUE
) -> Parameters:
    """A form (application/x-www-form-urlencoded). Names that are not `known` say nothing to us (RFC 6749, 3.2).
    `longest`: most characters of a value; percent-encoded, the form may be three times as large."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    body = await body_of(request, max(_LARGEST_FORM, 3 * longest + 4096))
    if body and kind != "application/x-www-form-urlencoded":
        raise invalid("Content-Type", kind, "is no form; send application/x-www-form-urlencoded")
    return parse(body, known, repeatable=repeatable, ignore_others=True, longest=longest)


def shown(value: object) -> str:
    """A JSON value as a message quotes it."""
    try:
        return shortened(orjson.dumps(value).decode())
    except (TypeError, ValueError):
        return shortened(repr(value))
