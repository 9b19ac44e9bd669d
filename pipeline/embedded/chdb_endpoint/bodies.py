"""Request bodies: read in pieces, taken out of their transfer and content encodings."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Iterator
from email.message import Message
from email.parser import BytesParser
from email.policy import HTTP
from importlib import import_module
from typing import BinaryIO, Protocol

from pipeline.errors import CdrError

PIECE = 1 << 20


class Truncated(CdrError, ConnectionError):
    """The client went away before it had sent its whole body."""


class EncodingError(CdrError, ValueError):
    """A content encoding that this machine has no decoder for, or that the body does not have."""


class Decoder(Protocol):
    """What zlib, lz4 and zstd decoders have in common."""

    def decompress(self, data: bytes, /) -> bytes: ...


def read_pieces(stream: BinaryIO, headers: Message[str, str]) -> Iterator[bytes]:
    """The body as it came, in pieces of at most 1 MB, by Content-Length or by chunks."""
    if headers.get("Transfer-Encoding", "").lower() == "chunked":
        while size := int(stream.readline(1024).split(b";")[0].strip() or b"-1", 16):
            if size < 0:
                raise Truncated("the connection closed inside a chunked body")
            yield from _read_exactly(stream, size)
            stream.readline(8)
        while stream.readline(65536).strip():  # trailers
            pass
        return
    yield from _read_exactly(stream, int(headers.get("Content-Length") or 0))


def _read_exactly(stream: BinaryIO, size: int) -> Iterator[bytes]:
    while size > 0:
        piece = stream.read(min(size, PIECE))
        if not piece:
            raise Truncated(f"the connection closed {size} bytes before the end of the body")
        size -= len(piece)
        yield piece


def decode_pieces(pieces: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """The pieces without their Content-Encoding: identity, gzip, deflate, lz4 (frame), zstd."""
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        yield from pieces
        return
    decoder = _decoder(encoding)
    for piece in pieces:
        try:
            plain = decoder.decompress(piece)
        except Exception as error:  # each decoder has its own class of error
            raise EncodingError(f"The body is not {encoding}, as its Content-Encoding says: {error}") from None
        if plain:
            yield plain
    if not getattr(decoder, "eof", True):
        raise Truncated(f"the {encoding} body ends too early")


def _decoder(encoding: str) -> Decoder:
    if encoding == "gzip":
        return zlib.decompressobj(16 + zlib.MAX_WBITS)
    if encoding == "deflate":
        return zlib.decompressobj()
    zstd = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
    known = {"lz4": ("lz4.frame", "LZ4FrameDecompressor"), "zstd": (zstd, "ZstdDecompressor")}
    if encoding not in known:
        raise EncodingError(f"Content-Encoding {encoding} is not supported. Send gzip, deflate, lz4 or zstd")
    module, name = known[encoding]
    try:
        decoder: Decoder = getattr(import_module(module), name)()
    except ImportError:
        raise EncodingError(f"Content-Encoding {encoding} needs the Python package {module}") from None
    return decoder


def read_form(body: bytes, content_type: str) -> tuple[dict[str, str], list[str]]:
    """Text fields of a multipart form, and the names of its files."""
    message = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    fields: dict[str, str] = {}
    files: list[str] = []
    for part in message.iter_parts():
        name = str(part.get_param("name", "", header="content-disposition"))
        if part.get_filename() is not None:
            files.append(name)
        else:
            payload = part.get_payload(decode=True)
            fields[name] = payload.decode() if isinstance(payload, bytes) else ""
    return fields, files
