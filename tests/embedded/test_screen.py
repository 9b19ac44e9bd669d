"""What `cdr run` prints."""

from __future__ import annotations

import io

from rich.console import Console

from pipeline.embedded.screen import Screen


def test_a_first_call_whose_end_reason_is_unknown_is_shown() -> None:
    screen = Screen()
    screen.out = Console(file=io.StringIO(), width=120)
    call = {"started_at": "2026-03-10T12:00:00Z", "direction": "INBOUND_CALL", "caller": "100", "callee": "200"}
    screen._print([call])
    assert isinstance(screen.out.file, io.StringIO)
    assert "inbound" in screen.out.file.getvalue()
