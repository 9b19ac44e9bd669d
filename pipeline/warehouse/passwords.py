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
_LOG_N, _R, _P = 14, 8, 5  # OWASP's figures for 16 MB


def hashed_password(password: str) -> str:
    """What is stored of a password."""
    salt = secrets.token_bytes(16)
    return f"scrypt${_LOG_N}${_R}${_P}${_text(salt)}${_text(_scrypt(password, salt, _LOG_N, _R, _P))}"


def is_password(password: str, stored: str) -> bool:
    """Whether `stored` was made of this password. Takes the same time for both answers."""
    try:
        scheme, log_n, r, p, salt, wanted = stored.split("$")
        made = _scrypt(password, base64.b64decode(salt), int(log_n), int(r), int(p))
        return scheme == "scrypt" and hmac.compare_digest(made, base64.b64decode(wanted))
    except (ValueError, binascii.Error):
        return False


def _scrypt(password: str, salt: bytes, log_n: int, r: int, p: int) -> bytes:
    text = unicodedata.normalize("NFC", password).encode()  # as RFC 8265, 4.2
    return hashlib.scrypt(text, salt=salt, n=1 << log_n, r=r, p=p, maxmem=256 << log_n << 3, dklen=32)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


NOBODYS: Final = (  # what the password of an unknown user is compared with, so that it takes as long
    f"scrypt${_LOG_N}${_R}${_P}${_text(bytes(16))}${_text(bytes(32))}"
)
