"""Signatures of webhooks: Standard Webhooks, https://www.standardwebhooks.com (symmetric, `v1`)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from typing import Final

PREFIX: Final = "whsec_"


def new_secret() -> str:
    """A secret of 32 random bytes."""
    return PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def key_of(secret: str) -> bytes:
    """The bytes of a secret `whsec_<base64>`. Raises ValueError unless it has 24 to 64 of them."""
    try:
        key = base64.b64decode(secret.removeprefix(PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(PREFIX) or not 24 <= len(key) <= 64:
        raise ValueError("is no whsec_ and base64 of 24 to 64 bytes; leave it out to have one made")
    return key


def signature(secret: str, id_: str, timestamp_s: int, body: bytes) -> str:
    """The header webhook-signature: HMAC-SHA-256 over id, timestamp (s since the epoch) and body."""
    signed = b"%s.%d.%s" % (id_.encode(), timestamp_s, body)
    return "v1," + base64.b64encode(hmac.new(key_of(secret), signed, hashlib.sha256).digest()).decode()


def headers(secret: str, id_: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """The headers of one attempt."""
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": signature(secret, id_, timestamp_s, body),
        "content-type": "application/json",
        "user-agent": "cdr-webhooks/1",
    }
