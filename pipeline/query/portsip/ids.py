"""PortSIP's ids: decimals, which its OpenAPI examples write in base64."""

from __future__ import annotations

import base64
import binascii
import re
from typing import Final

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
