"""Files of the store over HTTP: whole or in parts, under names in any language.

RFC 9110: parts (14), If-Range (13.1.5), If-None-Match (13.1.2). RFC 6266 and 8187: names of files.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping
from typing import Final
from urllib.parse import quote

from fastapi import Request
from starlette.responses import Response, StreamingResponse

from pipeline.files import Files
from pipeline.query.http.problems import RequestProblem

_PIECE: Final = 1 << 18
_RANGE: Final = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)


def disposition(way: str, name: str) -> str:
    """The value of Content-Disposition. `way`: inline or attachment. A name that is not plain ASCII stands twice, as
    RFC 6266 (appendix D) has it: with _ for what old clients do not read, and in UTF-8."""
    plain = "".join(letter if " " <= letter < "\x7f" and letter not in '"\\%' else "_" for letter in name)
    utf8 = "" if plain == name else f"; filename*=UTF-8''{quote(name, safe='')}"
    return f'{way}; filename="{plain}"{utf8}'


async def stored_file(
    request: Request, files: Files, path: str, size: int, tag: str, media_type: str, headers: Mapping[str, str]
) -> Response:
    """The file at `path`, or the part that Range asks for; 304 when the client has the version `tag`, 416 for a part
    that is not there. Raises FileNotFoundError, OSError."""
    about = {"ETag": tag, "Accept-Ranges": "bytes", **headers}
    if tag in (part.strip() for part in request.headers.get("if-none-match", "").split(",")):
        return Response(status_code=304, headers=about)
    begin, end = 0, size
    asked = request.headers.get("range")
    if asked and request.headers.get("if-range", tag) == tag:
        begin, end = _part(asked, size)
    partial = (begin, end) != (0, size)
    if partial:
        about["Content-Range"] = f"bytes {begin}-{end - 1}/{size}"
    about["Content-Length"] = str(end - begin)
    status = 206 if partial else 200
    if request.method == "HEAD":
        return Response(status_code=status, headers=about, media_type=media_type)
    pieces = _read(files, path, begin, end)
    first = await anext(pieces, b"")
    return StreamingResponse(_with(first, pieces), status, about, media_type=media_type)


def _part(asked: str, size: int) -> tuple[int, int]:
    """One range of bytes as (begin, end); the whole when it is of another kind; 416 when nothing is in it."""
    match = _RANGE.fullmatch(asked.strip())
    if match is None or (not match[1] and not match[2]):
        return 0, size
    begin = int(match[1]) if match[1] else max(0, size - int(match[2]))
    end = min(size, int(match[2]) + 1) if match[1] and match[2] else size
    if begin >= size or end <= begin:
        raise RequestProblem(
            416, "no_such_range", f"Range {asked[:60]!r} lies outside the {size} bytes of the file.",
            headers={"Content-Range": f"bytes */{size}"},
        )  # fmt: skip
    return begin, end


async def _read(files: Files, name: str, begin: int, end: int) -> AsyncIterator[bytes]:
    file = await asyncio.to_thread(files.open, name)
    try:
        await asyncio.to_thread(file.seek, begin)
        left = end - begin
        while left > 0 and (piece := await asyncio.to_thread(file.read, min(left, _PIECE))):
            left -= len(piece)
            yield piece
    finally:
        await asyncio.to_thread(file.close)


async def _with(first: bytes, pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    yield first
    async for piece in pieces:
        yield piece
