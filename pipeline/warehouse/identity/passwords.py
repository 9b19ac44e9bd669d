"""Passwords, kept as scrypt (RFC 7914) with a salt and the parameters each was made with.

Both functions take about a tenth of a second and 16 MB on purpose: call them in a thread.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import unicodedata
from typing import Final

LONGEST: Final = 1024  # characters
COST = (14, 8, 5)  # log2 N, r, p: OWASP's figures for 16 MB
_MEMORY: Final = 64 << 20


def hashed_password(password: str) -> str:
    """What is stored of a password."""
    salt = secrets.token_bytes(16)
    return _stored(salt, _scrypt(password, salt, *COST))


def nobodys() -> str:
    """What the password of an unknown user is compared with, so that it takes as long."""
    return _stored(bytes(16), bytes(32))


def is_password(password: str, stored: str) -> bool:
    """Whether `stored` was made of this password. Takes the same time for both answers."""
    try:
        scheme, log_n, r, p, salt, wanted = stored.split("$")
        if int(log_n) > 20:
            return False
        made = _scrypt(password, base64.b64decode(salt), int(log_n), int(r), int(p))
        return scheme == "scrypt" and hmac.compare_digest(made, base64.b64decode(wanted))
    except (ValueError, binascii.Error):
        return False


def _scrypt(password: str, salt: bytes, log_n: int, r: int, p: int) -> bytes:
    text = unicodedata.normalize("NFC", password).encode()  # as RFC 8265, 4.2
    return hashlib.scrypt(text, salt=salt, n=1 << log_n, r=r, p=p, maxmem=_MEMORY, dklen=32)


def _stored(salt: bytes, made: bytes) -> str:
    log_n, r, p = COST
    return f"scrypt${log_n}${r}${p}${base64.b64encode(salt).decode()}${base64.b64encode(made).decode()}"
