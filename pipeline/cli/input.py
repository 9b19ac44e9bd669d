"""Files that commands take."""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import USAGE, Problem


def read_text(file: Path, most_mb: int, what: str) -> str:
    """The text of a file in UTF-8, with or without a byte-order mark. Raises Problem."""
    try:
        if file.stat().st_size > most_mb << 20:
            raise Problem(f"{file} is larger than {most_mb} MB.", hint="Split it into several.", code=USAGE)
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise Problem(f"{file} cannot be read: {error}.", hint=f"Give {what} in UTF-8.", code=USAGE) from None
