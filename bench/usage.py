"""CPU seconds and memory of a process, from /proc. Where there is none (macOS), everything is 0."""

from __future__ import annotations

import contextlib
import os
import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Usage:
    """CPU seconds since the process began; memory in MiB."""

    cpu_s: float = 0.0
    rss_mib: float = 0.0
    peak_mib: float = 0.0


def usage(pid: int) -> Usage:
    """What a process has used; all zero when it is gone or the system does not tell."""
    with contextlib.suppress(OSError):
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        status = Path(f"/proc/{pid}/status").read_text()
        ticks = int(stat[11]) + int(stat[12])  # utime, stime: fields 14 and 15 of proc(5)
        return Usage(ticks / os.sysconf("SC_CLK_TCK"), _mib(status, "VmRSS"), _mib(status, "VmHWM"))
    return Usage()


def _mib(status: str, name: str) -> float:
    found = re.search(rf"^{name}:\s+(\d+) kB", status, re.M)
    return int(found[1]) / 1024 if found else 0.0
