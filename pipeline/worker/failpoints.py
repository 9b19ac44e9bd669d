"""Failpoints: a test names a step of a batch, and the worker dies there as by kill -9, or is held as by SIGSTOP. Never
set in production."""

from __future__ import annotations

import os
import signal

_step, _, _rest = os.environ.get("CDR_CRASH_AFTER", "").partition(":")
_count, _, _how = _rest.partition(":")
_left = int(_count or 1)
_signal = signal.SIGSTOP if _how == "hold" else signal.SIGKILL


def after(step: str) -> None:
    """Die here when CDR_CRASH_AFTER names this step (`archive`, or `archive:3` for its third time); with
    `archive:3:hold` stop here until SIGCONT comes."""
    global _left
    if step == _step:
        _left -= 1
        if _left <= 0 and (_left == 0 or _signal == signal.SIGKILL):
            os.kill(os.getpid(), _signal)
