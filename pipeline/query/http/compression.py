"""Answers in gzip for clients that take them so. Files with a strong ETag, whose parts can be asked for, and event
streams stay as they are."""

from __future__ import annotations

import re
from typing import Final

from starlette.middleware.gzip import GZipMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

_FILES: Final = re.compile(r"/(?:(?:v1|ui)/exports/[^/]+/file|api/blobs/[^/]+)")
_SMALLEST: Final = 1024  # bytes; less is sent sooner than compressed
# Lists of a thousand calls shrink to a tenth at level 1, in a few ms; higher levels cost more than they save.
_LEVEL: Final = 1


class Compression:
    """Middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._compressing = GZipMiddleware(app, minimum_size=_SMALLEST, compresslevel=_LEVEL)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        plain = scope["type"] != "http" or _FILES.fullmatch(scope["path"]) is not None
        await (self._app if plain else self._compressing)(scope, receive, send)
