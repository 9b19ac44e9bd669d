"""Files that commands take."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.cli.input import read_text
from pipeline.errors import USAGE, Problem


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    file = tmp_path / "deck.csv"
    file.write_bytes("\ufeffprefix\n".encode())
    assert read_text(file, 1, "a CSV file") == "prefix\n"


@pytest.mark.parametrize(
    ("content", "said"), [(b"\xff\xfe", "Give a CSV file in UTF-8"), (b" " * (1 << 20) + b" ", "larger than 1 MB")]
)
def test_what_cannot_be_read_is_refused(tmp_path: Path, content: bytes, said: str) -> None:
    file = tmp_path / "deck.csv"
    file.write_bytes(content)
    with pytest.raises(Problem, match=said) as refused:
        read_text(file, 1, "a CSV file")
    assert refused.value.code == USAGE
    with pytest.raises(Problem, match=r"none\.csv cannot be read"):
        read_text(tmp_path / "none.csv", 1, "a CSV file")
