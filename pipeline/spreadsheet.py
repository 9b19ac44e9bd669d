"""Texts from outside in CSV: none that a spreadsheet would take for a formula (OWASP, CSV injection).

A text that begins like a formula gets an apostrophe in front. A telephone number does not, in full (+441632960123) or
masked (+4416****0123), nor an amount below zero: programs that read the file compare them, and digits run nothing.
"""

from __future__ import annotations

import re
from typing import Final

# Understood alike by RE2 (ClickHouse) and Python.
_BEGINS: Final = r"^(?:\s*[=@+-]|[\t\r\n])"
_NUMBER: Final = r"^[+-][0-9]*(?:[.][0-9]+)?$|^[+][0-9 ().\-/]{0,4}[*]{4,}[0-9 ().\-/]{4}$"

_begins = re.compile(_BEGINS)
_number = re.compile(_NUMBER.replace("$", r"\Z"), re.ASCII)


def harmless(text: str) -> str:
    """The text as it is written into CSV."""
    return "'" + text if _begins.match(text) and not _number.match(text) else text


def harmless_sql(sql: str) -> str:
    """The same for a text in ClickHouse's SQL."""
    begins, number = (pattern.replace("\\", "\\\\") for pattern in (_BEGINS, _NUMBER))
    return f"if(match({sql}, '{begins}') AND NOT match({sql}, '{number}'), concat('\\'', {sql}), {sql})"
