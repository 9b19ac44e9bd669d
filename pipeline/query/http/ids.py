"""Ids of calls as surfaces write them: decimals; PortSIP's OpenAPI examples have them in base64."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

from pipeline.query.http.problems import not_found

_ID: Final = re.compile(r"\d{1,20}", re.ASCII)


def plain_id(text: str) -> str | None:
    """The decimal that `text` is, or is the base64 of; None for anything else."""
    digits = text
    if not _ID.fullmatch(text):
        try:
            digits = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode("ascii")
        except (binascii.Error, ValueError):
            return None
    return digits if _ID.fullmatch(digits) and int(digits) < 2**64 else None


def parse_id(text: str, what: str) -> int:
    """A decimal id, or base64 of one (as in PortSIP's examples); 404 for anything else."""
    digits = plain_id(text)
    if digits is None:
        raise not_found(f"{what} id {text[:80]!r} has no form of ids; take the id from a list.")
    return int(digits)
