"""Measures one contender from its first event to its last, and writes the result. Standard library only."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path


class Clock:
    """Counts events; `tick` the first time starts it."""

    def __init__(self, result: str) -> None:
        self._result = Path(result)
        self.count = 0
        self._began = self._cpu = 0.0

    def start(self) -> None:
        """The first event is there."""
        self._began, self._cpu = time.perf_counter(), time.process_time()

    @property
    def seconds(self) -> float:
        """Since the first event."""
        return time.perf_counter() - self._began

    def finish(self) -> None:
        """All are done: write events, seconds, CPU seconds and the highest memory of the process, MiB."""
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        measured = {
            "events": self.count,
            "seconds": self.seconds,
            "cpu_s": time.process_time() - self._cpu,
            "peak_mib": peak / (1 << 20 if sys.platform == "darwin" else 1 << 10),
        }
        partial = self._result.with_suffix(".partial")
        partial.write_text(json.dumps(measured))
        partial.replace(self._result)
