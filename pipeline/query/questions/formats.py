"""In what form an answer is wanted, and answers that need not be sent again."""

from __future__ import annotations

import hashlib
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fastapi import Request
from starlette.responses import Response, StreamingResponse

from pipeline.query.http.parameters import Parameters
from pipeline.query.http.problems import RequestProblem, invalid


@dataclass(frozen=True, slots=True)
class Format:
    """`written`: ClickHouse's name of it; `ending`: of a file."""

    name: str
    media_type: str
    written: str
    ending: str
    names: tuple[str, ...]  # as Accept may have it


JSON: Final = Format("json", "application/json", "", "json", ("application/json",))
NDJSON: Final = Format(
    "ndjson",
    "application/x-ndjson",
    "JSONEachRow",
    "ndjson",
    ("application/x-ndjson", "application/ndjson", "application/jsonl", "application/x-jsonlines"),
)
CSV: Final = Format("csv", "text/csv; charset=utf-8; header=present", "CSVWithNames", "csv", ("text/csv",))
PARQUET: Final = Format(
    "parquet",
    "application/vnd.apache.parquet",
    "Parquet",
    "parquet",
    ("application/vnd.apache.parquet", "application/x-parquet"),
)
FORMATS: Final[Mapping[str, Format]] = {each.name: each for each in (JSON, NDJSON, CSV, PARQUET)}


def format_of(request: Request, options: Parameters, allowed: Sequence[Format] = tuple(FORMATS.values())) -> Format:
    """The form that ?format= names, or else the one that Accept likes best; 406 when there is none such."""
    return named_format(options.text("format"), request, allowed)


def named_format(name: str | None, request: Request, allowed: Sequence[Format] = tuple(FORMATS.values())) -> Format:
    """The same, with the value of `format` wherever it was given."""
    if name is not None:
        found = FORMATS.get(name)
        if found is None or found not in allowed:
            raise invalid("format", name, f"is none of {', '.join(each.name for each in allowed)}")
        return found
    accept = request.headers.get("accept", "").strip()
    if not accept:
        return allowed[0]
    best: tuple[float, int] | None = None
    chosen = allowed[0]
    for place, part in enumerate(accept.split(",")[:50]):
        kind, *parameters = [piece.strip().lower() for piece in part.split(";")]
        weight = next((_weight(each[2:]) for each in parameters if each.startswith("q=")), 1.0)
        matching = next((each for each in allowed if _accepts(kind, each)), None)
        if matching is not None and weight > 0 and (best is None or weight > best[0]):
            best, chosen = (weight, place), matching
    if best is None:
        raise RequestProblem(
            406,
            "not_acceptable",
            f"Accept {accept[:80]!r} names no form of this; there are {', '.join(each.names[0] for each in allowed)}.",
            field="Accept",
        )
    return chosen


def _weight(text: str) -> float:
    return float(text) if re.fullmatch(r"[01](?:\.\d{0,3})?", text, re.ASCII) else 0.0


def _accepts(kind: str, form: Format) -> bool:
    return any(
        kind in (name, "*/*") or (kind.endswith("/*") and name.startswith(kind.removesuffix("*")))
        for name in form.names
    )


def unchanged(request: Request, tag: str) -> bool:
    """Whether the client has this version already (RFC 9110, 13.1.2: weak comparison)."""
    given = request.headers.get("if-none-match", "")
    tags = [part.strip().removeprefix("W/") for part in given.split(",")]
    return given.strip() == "*" or tag.removeprefix("W/") in tags


def answer(request: Request, body: bytes, headers: Mapping[str, str] | None = None, form: Format = JSON) -> Response:
    """A whole body with its ETag; 304 when the client has it."""
    tag = f'W/"{hashlib.sha256(body).hexdigest()[:24]}"'
    about = {"ETag": tag, "Cache-Control": "private, no-cache", "Vary": "Accept, Authorization", **(headers or {})}
    if request.method in ("GET", "HEAD") and unchanged(request, tag):
        return Response(status_code=304, headers=about)
    return Response(body, headers=about, media_type=form.media_type)


async def streamed(pieces: AsyncIterator[bytes], form: Format, name: str) -> Response:
    """A body of any length. Its first piece is awaited: what is wrong with the question is said with a status;
    what goes wrong later breaks the connection off."""
    first = await anext(pieces, b"")

    async def all_of_it() -> AsyncIterator[bytes]:
        yield first
        async for piece in pieces:
            yield piece

    return StreamingResponse(
        all_of_it(),
        media_type=form.media_type,
        headers={
            "Content-Disposition": f'attachment; filename="{name}.{form.ending}"',
            "Cache-Control": "no-store",
            "Vary": "Accept, Authorization",
        },
    )
