"""Crash points: a test names a step and the worker dies there, as by kill -9. Never set in production."""

from __future__ import annotations

import os
import signal

_step, _, _count = os.environ.get("CDR_CRASH_AFTER", "").partition(":")
_left = int(_count or 1)


def after(step: str) -> None:
    """Die here when CDR_CRASH_AFTER names this step (`archive`, or `archive:3` for its third time)."""
    global _left
    if step == _step:
        _left -= 1
        if _left <= 0:
            os.kill(os.getpid(), signal.SIGKILL)
