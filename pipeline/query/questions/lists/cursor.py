"""Opaque cursors: where a page ended, and for which question."""

from __future__ import annotations

import base64
import binascii
import hashlib
import struct
from typing import Final

from pipeline.query.http.problems import invalid
from pipeline.warehouse.query.clauses import EARLIEST_MS, Place

_FORM: Final = struct.Struct(">BqQ6s")  # version, started_at in ms, id, which question
_VERSION: Final = 1
_EARLIEST_MS, _LATEST_MS = EARLIEST_MS, 10_413_700_000_000  # the years 1900 to 2299


def cursor_of(place: Place, question: str) -> str:
    """The cursor after `place` of the page that answered `question` (any text that tells questions apart)."""
    return (
        base64.urlsafe_b64encode(_FORM.pack(_VERSION, place.started_at, place.id, _mark(question))).decode().rstrip("=")
    )


def place_of(cursor: str, question: str, *, timed: bool = True) -> Place:
    """The place in a cursor; 400 when it is no cursor of this question. It grants nothing: the tenant
    comes from the token. `timed`: the list is in order of time."""
    try:
        packed = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        version, started_at, id_, mark = _FORM.unpack(packed)
        if version != _VERSION or (timed and not _EARLIEST_MS <= started_at <= _LATEST_MS):
            raise ValueError
    except (binascii.Error, struct.error, ValueError):
        raise invalid("cursor", cursor, "is no cursor of this service; take next_cursor from a page") from None
    if mark != _mark(question):
        raise invalid("cursor", cursor, "belongs to a list with other filters; repeat those, or start without cursor")
    return Place(started_at, id_)


def _mark(question: str) -> bytes:
    return hashlib.sha256(question.encode("utf-8", "surrogatepass")).digest()[:6]
