"""Secrets of webhooks as they are stored: sealed with AES-256-GCM under CDR_WEBHOOK_KEY, bound to tenant and webhook.

The secret signs every message, so it must be read back: a hash would not do. Without a key it is stored as it is.
Several keys may stand between commas, the newest first: it seals, and all of them open.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SEALED: Final = "sealed1:"
_NONCE: Final = 12


def seal(secret: str, keys: str, about: str) -> str:
    """What is stored of a secret; `about` names whose it is."""
    known = _keys_of(keys)
    if not known or not secret:
        return secret
    nonce = secrets.token_bytes(_NONCE)
    sealed = AESGCM(known[0]).encrypt(nonce, secret.encode(), about.encode(errors="surrogatepass"))
    return SEALED + base64.b64encode(nonce + sealed).decode()


def unseal(stored: str, keys: str, about: str) -> str:
    """The secret that was stored; "" when none of the keys opens it."""
    if not stored.startswith(SEALED):
        return stored
    raw = base64.b64decode(stored.removeprefix(SEALED))
    for key in _keys_of(keys):
        try:
            return AESGCM(key).decrypt(raw[:_NONCE], raw[_NONCE:], about.encode(errors="surrogatepass")).decode()
        except InvalidTag:
            continue
    return ""


def _keys_of(keys: str) -> list[bytes]:
    return [hashlib.sha256(key.strip().encode()).digest() for key in keys.split(",") if key.strip()]
