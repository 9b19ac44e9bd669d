"""Style, scripts and icons: files of this package, under addresses that change when they do."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final

from fastapi import APIRouter
from starlette.responses import Response

STATIC: Final = Path(str(resources.files("pipeline.query.ui"))) / "static"
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    "": "text/plain; charset=utf-8",
}

router = APIRouter(include_in_schema=False)


@cache
def _files() -> dict[str, bytes]:
    """Every file by its name below the folder."""
    return {
        path.relative_to(STATIC).as_posix(): path.read_bytes()
        for path in sorted(STATIC.rglob("*"))
        if path.is_file() and path.suffix in _TYPES
    }


@cache
def address(name: str) -> str:
    """Where a file is, with its hash: browsers keep it for good."""
    return f"/ui/static/{name}?{hashlib.sha256(_files()[name]).hexdigest()[:12]}"


@router.get("/ui/static/{name:path}")
async def static_file(name: str) -> Response:
    """A file of the pages; nobody needs to be signed in for it."""
    body = _files().get(name)
    if body is None:
        return Response(status_code=404)
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
    return Response(body, media_type=_TYPES[Path(name).suffix], headers=headers)
