"""Bodies of requests → the values in them, each with the number of its line or its place in the array."""

from __future__ import annotations

import base64
import binascii
import zlib
from typing import Any, Final
from urllib.parse import parse_qsl

import msgspec
import orjson

from pipeline.errors import CdrError

_FIELDS: Final = ("cdr", "event", "payload", "data")  # of a form; mod_json_cdr posts `cdr`
_encode = msgspec.json.Encoder().encode

Value = tuple[int, bytes]  # line, the value as JSON


class Unreadable(CdrError, ValueError):
    """The body as a whole holds no values; the text says why and what to send."""


class TooLarge(CdrError, ValueError):
    """Unpacked, the body is larger than may be."""


def unpacked(body: bytes, encoding: str, limit: int) -> bytes:
    """The body without its content encoding (gzip or deflate), at most `limit` bytes. Raises TooLarge, Unreadable."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        return body
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise Unreadable(f"Content-Encoding {encoding[:40]!r} is not understood; send gzip, deflate or none")
    unpacker = zlib.decompressobj(wbits=47)  # zlib or gzip, by its first bytes
    try:
        whole = unpacker.decompress(body, limit + 1)
    except zlib.error as error:
        raise Unreadable(f"the body is no {encoding} ({error}); send it as Content-Encoding says") from None
    if len(whole) > limit:
        raise TooLarge
    if not unpacker.eof:
        raise Unreadable(f"the body ends before its {encoding} does; send all of it")
    return whole


def values(body: bytes, content_type: str) -> list[Value]:
    """The values of a body: a JSON array, JSON lines, one JSON object, or a form with a field `cdr`.

    A line that is no JSON is a value all the same, for whoever decodes it to say what is wrong. Raises Unreadable.
    """
    kind = content_type.partition(";")[0].strip().lower()
    # curl calls all that it posts a form, also JSON
    if kind.startswith("application/x-www-form") and body.lstrip()[:1] not in (b"{", b"["):
        body = _form(body, "base64" in kind)
    elif body[:4] == b"cdr=":  # mod_json_cdr with a content type of somebody's own
        body = _form(body, False)
    if not body.strip():
        raise Unreadable("the body is empty; send JSON lines, a JSON array or one JSON object")
    if body.lstrip()[:1] == b"[":
        return _array(body)
    lines = [(number, line.strip()) for number, line in enumerate(body.split(b"\n"), 1) if line.strip()]
    if len(lines) > 1 and "ndjson" not in kind and "jsonl" not in kind and _is_one(body):
        return [(lines[0][0], body.strip())]
    return lines


def _form(body: bytes, encoded: bool) -> bytes:
    name, equals, rest = body.partition(b"=")
    if encoded and equals and name.decode("ascii", "replace") in _FIELDS:
        try:
            return base64.b64decode(rest.strip(), validate=False)
        except (binascii.Error, ValueError):
            raise Unreadable("the form's cdr is no base64; set encode=true in json_cdr.conf.xml") from None
    try:
        fields = dict(parse_qsl(body.decode("latin-1"), keep_blank_values=True, max_num_fields=100, encoding="latin-1"))
    except ValueError:
        raise Unreadable("the form has more than 100 fields; send the field cdr alone") from None
    for field in _FIELDS:
        if field in fields:
            return fields[field].encode("latin-1")
    raise Unreadable("the form has no field cdr; send cdr=<JSON>, or JSON as the body")


def _is_one(body: bytes) -> bool:
    """Whether the whole body is one JSON value on several lines."""
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        try:
            orjson.loads(body.decode("utf-8", "replace"))
        except orjson.JSONDecodeError:
            return False
    return True


def _array(body: bytes) -> list[Value]:
    try:
        items: list[Any] = msgspec.json.decode(body, type=list[msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Unreadable(f"the body begins like a JSON array and is none ({error}); send one, or JSON lines") from None
    if not items:
        raise Unreadable("the array is empty; send at least one event")
    return [(number, bytes(item).strip()) for number, item in enumerate(items, 1)]
