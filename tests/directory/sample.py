"""A directory of a small company, and what is written of it."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "directory.md"


def sample(name: str) -> str:
    match = re.search(rf"cat > {re.escape(name)} <<'END'\n(.*?)^END", PAGE.read_text(encoding="utf-8"), re.S | re.M)
    assert match
    return match[1]


def written(folder: Path, name: str, text: str) -> Path:
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file
