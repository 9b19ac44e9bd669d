"""The page of what comes out right is what the stories give."""

from __future__ import annotations

from tests.pbx.fidelity import PAGE, page


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.pbx.fidelity"
