"""The clock of this machine. Durations are measured by `time.monotonic`, not by this."""

from __future__ import annotations

import time


def now_ms() -> int:
    """Now, ms since the epoch, UTC."""
    return time.time_ns() // 1_000_000
