"""Download links: whoever has one may fetch the file until it expires, without a token.

A link names the run and when it ends, signed with a key that only this run has; it ends early when the run is
destroyed.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import struct
from typing import Final

_FORM: Final = struct.Struct(">QI")  # run, expires (seconds since the epoch)
_SIGNATURE: Final = 18


def blob_token(run_id: int, secret: str, expires_s: int) -> str:
    """The last part of `/api/blobs/{token}`."""
    named = _FORM.pack(run_id, expires_s)
    return base64.urlsafe_b64encode(named + _signature(named, secret)).decode()


def named_by(token: str) -> tuple[int, int] | None:
    """(run, expires) of what may be a link; None when it has no form of one. Not checked yet: see `is_signed`."""
    try:
        raw = base64.b64decode(token, altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    if len(raw) != _FORM.size + _SIGNATURE:
        return None
    run_id, expires = _FORM.unpack(raw[: _FORM.size])
    return int(run_id), int(expires)


def is_signed(token: str, secret: str) -> bool:
    """Whether the link was made with this key."""
    raw = base64.b64decode(token, altchars=b"-_")
    return bool(secret) and hmac.compare_digest(raw[_FORM.size :], _signature(raw[: _FORM.size], secret))


def _signature(named: bytes, secret: str) -> bytes:
    return hmac.new(bytes.fromhex(secret), named, "sha256").digest()[:_SIGNATURE]
