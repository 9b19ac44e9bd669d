"""A plus sign before a number, in a query that does not encode it.

In a query string a plus is a blank (application/x-www-form-urlencoded), so `?caller.number=+441632960149` asks for a
number that begins with a blank: which is nobody's, and what nobody means. Clients of PortSIP and Yeastar are given, and
send numbers as people write them. So a plus between the beginning of a value, or of a text in quotes, and a digit is
one. In JSON only the latter: between a colon or a comma and a number a blank is what many writers put. In a path it
always is.
"""

from __future__ import annotations

import re
from typing import Final

from starlette.types import ASGIApp, Receive, Scope, Send

# Behind `=`, a comma or colon between values, a quote or a bracket, encoded or not; before at least two digits.
_PLUS: Final = re.compile(rb"(?:(?<=[=,;:'\"(])|(?<=%2[278Cc])|(?<=%3[ABab]))\+(?=\d\d)")
_PLUS_IN_JSON: Final = re.compile(rb"(?:(?<=\")|(?<=%22))\+(?=\d\d)")
_JSON: Final = re.compile(rb"[^=]*=(?:\+|%20)*(?:\{|\[|%7B|%5B)", re.IGNORECASE)


def with_plus_signs(query: bytes) -> bytes:
    """The query with the plus signs of numbers encoded."""
    if b"+" not in query:
        return query
    parts = query.split(b"&")
    return b"&".join((_PLUS_IN_JSON if _JSON.match(part) else _PLUS).sub(b"%2B", part) for part in parts)


class PlusSigns:
    """The ASGI middleware that does so for every surface."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in ("http", "websocket") and b"+" in scope.get("query_string", b""):
            scope = {**scope, "query_string": with_plus_signs(scope["query_string"])}
        await self._app(scope, receive, send)
